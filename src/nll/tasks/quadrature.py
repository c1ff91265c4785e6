"""Integrals of densities and sums of masses of any scale.

The rules see the logarithm of the distance from a mode or an end, so that a scale of 1e-6, a heavy tail and a singular
end all look alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial.legendre import legvander

from nll.families.inversion import LARGEST_COUNT, ordered, unordered

Array = npt.NDArray[Any]

# The 7-point Gauss rule within the 15-point rule of Kronrod: R. Piessens, E. de Doncker-Kapenga, C. W. Ueberhuber and
# D. K. Kahaner, QUADPACK (1983), routine QK15. Every second node from the second on is one of Gauss.
HALF_NODES = (
    0.991455371120812639206854697526329, 0.949107912342758524526189684047851, 0.864864423359769072789712788640926,
    0.741531185599394439863864773280788, 0.586087235467691130294144691693, 0.405845151377397166906606412076961,
    0.207784955007898467600689403773245,
)  # fmt: skip
HALF_KRONROD = (
    0.022935322010529224963732008058970, 0.063092092629978553290700663189204, 0.104790010322250183839876322541518,
    0.140653259715525918745189590510238, 0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
    0.204432940075298892414161999234649,
)  # fmt: skip
HALF_GAUSS = (
    0.129484966168869693270611432679082, 0.279705391489276667901467771423780, 0.381830050505118944950369775488975,
)  # fmt: skip
NODES = np.array([*(-x for x in HALF_NODES), 0.0, *reversed(HALF_NODES)])
KRONROD = np.array([*HALF_KRONROD, 0.209482141084727828012999174891714, *reversed(HALF_KRONROD)])
GAUSS = np.array([*HALF_GAUSS, 0.417959183673469387755102040816327, *reversed(HALF_GAUSS)])

SUMMED = 39  # a block of so few whole numbers is summed term by term; in longer ones the rounded nodes are distinct
NEGLIGIBLE = -40.0  # log of a mass: a thousand such are 4e-15
LARGEST, SMALLEST = 709.0, -690.0  # logs of distances
NEAR_END, NEAR_INSIDE = 2.0**-30, 2.0**-44  # of |anchor|: where the rounding of y begins to tell
FLAT = 1e-9  # the slope, in log-distance, below which a tail has no finite mass
NARROWEST = 1e-9  # of a panel
MODES = 4


@dataclass(slots=True)
class Density:
    """A log density that counts its evaluations and remembers them; NaN counts as no mass, and is remembered too."""

    log_prob: Callable[[Array], Array]
    low: float
    high: float
    discrete: bool
    y: list[Array] = field(default_factory=list)
    logs: list[Array] = field(default_factory=list)
    evaluations: int = 0

    def __call__(self, y: Array) -> Array:
        """Return the log density, -inf in place of NaN."""
        logs = self.log_prob(y)
        self.y.append(y)
        self.logs.append(logs)
        self.evaluations += y.size
        return np.where(np.isnan(logs), -np.inf, logs)

    def seen(self) -> tuple[Array, Array]:
        """Return every evaluation, in the order of y, once each."""
        y, index = np.unique(np.concatenate(self.y), return_index=True)
        return y, np.concatenate(self.logs)[index]


@dataclass(frozen=True, slots=True)
class Ray:
    """From an anchor in one direction, up to a distance: y = anchor + sign e**u, or whole numbers anchor + sign k."""

    anchor: float
    sign: float
    reach: float
    discrete: bool
    at_end: bool

    def at(self, u: Array) -> Array:
        """Return the observation at log-distances (a whole number where only those exist)."""
        with np.errstate(over="ignore"):
            distance = np.minimum(np.exp(u), self.reach)
        y = self.anchor + self.sign * (np.round(distance) if self.discrete else distance)
        return np.clip(y, -np.finfo(float).max, np.finfo(float).max)

    def span(self) -> tuple[float, float]:
        """Return the least and the largest log-distance."""
        if self.discrete:
            return 0.0, math.log(max(min(self.reach, LARGEST_COUNT), 1.0))
        near = abs(self.anchor) * (NEAR_END if self.at_end else NEAR_INSIDE)
        top = math.log(self.reach) if self.reach < math.inf else LARGEST
        return min(math.log(near) if near > 0.0 else SMALLEST, top - 1.0), top


@dataclass(slots=True)
class Panel:
    """A piece of a ray, by log-distances or by whole numbers start <= k < stop, with its mass."""

    ray: Ray
    start: float
    stop: float
    mass: float = 0.0
    error: float = 0.0

    @property
    def limits(self) -> tuple[float, float]:
        """The ends in y; of whole numbers, the first and the last."""
        ray = self.ray
        if ray.discrete:
            ends = ray.anchor + ray.sign * self.start, ray.anchor + ray.sign * (self.stop - 1.0)
        else:
            start, stop = (math.inf if u > LARGEST else math.exp(u) for u in (self.start, self.stop))
            ends = ray.anchor + ray.sign * start, ray.anchor + ray.sign * min(stop, ray.reach)
        return min(ends), max(ends)

    def nodes(self) -> tuple[Array, Array, Array, Array | None]:
        """Return y, log Jacobians, and the weights of the fine and of the coarse rule."""
        if not self.ray.discrete:
            half = (self.stop - self.start) / 2.0
            u = self.start + half + half * NODES
            return self.ray.at(u), u, half * KRONROD, half * GAUSS
        index, fine, coarse = whole_rule(int(self.stop - self.start))
        return self.ray.anchor + self.ray.sign * (self.start + index), np.zeros(index.size), fine, coarse

    def halves(self) -> list[Panel]:
        """Return the two halves."""
        middle = (self.start + self.stop) / 2.0
        middle = math.floor(middle) if self.ray.discrete else middle
        return [Panel(self.ray, self.start, middle), Panel(self.ray, middle, self.stop)]

    @property
    def divisible(self) -> bool:
        """Whether halves could know more; not of a tail that was extrapolated."""
        width = self.stop - self.start
        return width < math.inf and width > (SUMMED if self.ray.discrete else NARROWEST)


@lru_cache(maxsize=4096)
def whole_rule(n: int) -> tuple[Array, Array, Array | None]:
    """Return nodes k in 0 .. n - 1 and weights such that sum w f(k) is the sum of f, for polynomials of degree 14.

    The nodes are those of Kronrod, rounded; the coarse rule, on every second node, is exact to degree 6. A few
    numbers are summed as they are.
    """
    if n <= SUMMED:
        return np.arange(float(n)), np.ones(n), None
    index = np.minimum(np.floor((NODES + 1.0) / 2.0 * n), n - 1.0)
    moments = legendre_sums(n)
    basis = legvander((2.0 * index + 1.0) / n - 1.0, 14)
    return index, np.linalg.solve(basis.T, moments), np.linalg.solve(basis[1::2, :7].T, moments[:7])


def legendre_sums(n: int) -> Array:
    """Return the sums over n midpoints of [-1, 1] of the Legendre polynomials of degree 0 to 14.

    Many points: the midpoint form of the formula of Euler and Maclaurin, with two corrections.
    """
    if n <= 4096:
        return legvander((2.0 * np.arange(n) + 1.0) / n - 1.0, 14).sum(axis=0)
    sums = np.zeros(15)
    sums[0] = n
    for j in range(2, 15, 2):
        third = math.factorial(j + 3) / (48.0 * math.factorial(j - 3)) if j > 2 else 0.0
        sums[j] = -(2.0 / n) * j * (j + 1) / 24.0 + (2.0 / n) ** 3 * 2.0 * third * 7.0 / 5760.0
    return sums


@dataclass(frozen=True, slots=True)
class Integral:
    """The mass of a density, its estimated error, the panels from low to high, and the ends where it is infinite."""

    value: float
    error: float
    panels: list[Panel]
    infinite: list[float]


def integrate(density: Density, anchors: Sequence[float], goal: float, most: int) -> Integral:
    """Return the mass of a density to an error of `goal`, or as far as `most` evaluations lead.

    Between neighbouring anchors (modes, kinks, ends of the support) run two rays. Each is cut into panels by
    log-distance; those that can hold mass are measured, and halved where the two rules differ.
    """
    panels: list[Panel] = []
    tails: list[Panel] = []
    infinite: list[float] = []
    for ray in rays(density, anchors):
        intervals = bearing(density, ray)
        panels += make_panels(ray, intervals)
        for tail in remainders(density, ray):
            if tail.mass == math.inf:
                infinite.append(tail.limits[0] if tail.limits[0] in (ray.anchor, -math.inf) else tail.limits[1])
            tails.append(tail)
    measure(density, panels)
    while goal < sum(p.error for p in panels + tails) < math.inf and density.evaluations < most:
        least = goal / (4.0 * len(panels))
        worst = [p for p in panels if p.error > least and p.divisible]
        if not worst:
            break
        worst = sorted(worst, key=lambda p: -p.error)[:64]
        chosen = {id(p) for p in worst}
        halves = [half for p in worst for half in p.halves()]
        measure(density, halves)
        panels = [p for p in panels if id(p) not in chosen] + halves
    every = sorted(panels + tails, key=lambda p: p.limits)
    return Integral(math.fsum(p.mass for p in every), sum(p.error for p in every), every, infinite)


def rays(density: Density, anchors: Sequence[float]) -> Iterator[Ray]:
    """Yield the rays that cover the support between its ends and the anchors."""
    ends = [x for x in (density.low, density.high) if abs(x) < math.inf]
    inner = [x for x in anchors if density.low < x < density.high]
    stops = sorted({*ends, *inner} or {0.0})
    discrete = density.discrete
    if density.low == -math.inf:
        yield Ray(stops[0], -1.0, math.inf, discrete, False)
    for a, b in pairwise(stops):
        half = math.floor((b - a) / 2.0) if discrete else b / 2.0 - a / 2.0
        if half == 0.0 and not discrete:  # neighbours among the smallest doubles
            continue
        yield Ray(a, 1.0, half, discrete, a == density.low)
        yield Ray(b, -1.0, b - a - half - 1.0 if discrete else half, discrete, b == density.high)
    if density.high == math.inf:
        yield Ray(stops[-1], 1.0, math.inf, discrete, stops[-1] == density.low)
    if discrete:
        for stop in stops:
            yield Ray(stop, 0.0, 0.0, True, False)


def bearing(density: Density, ray: Ray) -> list[tuple[float, float]]:
    """Return the intervals of log-distance that can hold mass.

    Where a density falls with the distance, the log of density times distance rises by at most 1 a unit; so an
    interval whose ends, raised by its width, are negligible is so throughout.
    """
    if ray.discrete and ray.reach <= SUMMED:
        return []
    low, high = ray.span()
    intervals = [(low, high)]
    for step in (64.0, 8.0, *([math.log(2.0)] if ray.discrete else [])):
        cuts = [np.linspace(a, b, math.ceil((b - a) / step) + 1).tolist() for a, b in intervals]
        u = np.unique(np.array([edge for edges in cuts for edge in edges]))
        found = dict(zip(u.tolist(), (density(ray.at(u)) + u).tolist(), strict=True))
        pieces = [pair for edges in cuts for pair in pairwise(edges)]
        intervals = [(a, b) for a, b in pieces if max(found[a], found[b]) + (b - a) > NEGLIGIBLE]
    return intervals


def make_panels(ray: Ray, intervals: list[tuple[float, float]]) -> list[Panel]:
    """Return panels: the intervals themselves, or blocks of whole numbers."""
    if not ray.discrete:
        return [Panel(ray, a, b) for a, b in intervals]
    if ray.sign == 0.0:  # the anchor itself
        return [Panel(ray, 0.0, 1.0)]
    if ray.reach <= SUMMED:
        return [Panel(ray, 1.0, ray.reach + 1.0)] if ray.reach >= 1.0 else []
    high = ray.span()[1]
    blocks = [(round(math.exp(a)), round(math.exp(b)) + (b == high)) for a, b in intervals]
    return [Panel(ray, float(a), float(b)) for a, b in blocks if b > a]


def remainders(density: Density, ray: Ray) -> Iterator[Panel]:
    """Yield what lies beyond the log-distances that are measured: a power law, continued from its last slopes."""
    low, high = ray.span()
    ends = [] if ray.discrete else [(low, 1.0)]
    ends += [(high, -1.0)] if ray.reach == math.inf else []
    for u, inward in ends:
        logs = density(ray.at(points := u + inward * np.array([0.0, 2.0, 4.0]))) + points
        if not logs[0] > NEGLIGIBLE:
            continue
        first, second = (logs[1] - logs[0]) / 2.0, (logs[2] - logs[1]) / 2.0
        beyond = (-math.inf, u) if inward > 0.0 else (u, math.inf)
        if not first > FLAT:
            yield Panel(ray, *beyond, math.inf, math.inf)
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            mass = float(np.exp(logs[0])) / first
        # A slope s that changes by c a unit makes the mass 1 - c / s**2 of that of a power law, to first order.
        bend = abs(first - second) / first * max(1.0, 0.5 / first)
        yield Panel(ray, *beyond, mass, mass * min(1.0, bend))


def measure(density: Density, panels: list[Panel]) -> None:
    """Give panels their mass and its estimated error, by one batch of evaluations."""
    if not panels:
        return
    rules = [panel.nodes() for panel in panels]
    logs = density(np.concatenate([rule[0] for rule in rules]))
    at = 0
    for panel, (y, jacobian, fine, coarse) in zip(panels, rules, strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.exp(logs[at : at + y.size] + jacobian)
            at += y.size
            panel.mass = float(fine @ values)
            if coarse is None:
                panel.error = 1e-16 * panel.mass
                continue
            spread = float(np.abs(fine) @ np.abs(values - panel.mass / float(fine.sum())))
            difference = abs(panel.mass - float(coarse @ values[1::2]))
        if not math.isfinite(panel.mass):
            panel.mass, panel.error = math.inf, math.inf
        elif spread > 0.0:  # as in QK15
            panel.error = spread * min(1.0, (200.0 * difference / spread) ** 1.5) + 1e-16 * abs(panel.mass)


def modes(density: Density, search: int = 0) -> list[float]:
    """Return where the log density has its largest local maxima, as far as a grid in the logarithm of y shows them.

    The grid has about a hundred points, or as many as `search` says.
    """
    grid = _dense_grid(density, search) if search else _grid(density)
    logs = density(grid)
    rises, falls = logs[1:-1] >= logs[:-2], logs[1:-1] >= logs[2:]
    strict = (logs[1:-1] > logs[:-2]) | (logs[1:-1] > logs[2:])  # a plateau has no mode
    peaks = np.flatnonzero(rises & falls & strict) + 1
    found = sorted((_climbed(density, grid[i - 1 : i + 2], logs[i - 1 : i + 2]) for i in peaks), reverse=True)
    return [y for _, y in found[:MODES]]


def _grid(density: Density) -> Array:
    low, high = density.low, density.high
    if density.discrete:
        powers = np.concatenate([[0.0], 2.0 ** np.arange(53)])
    else:
        powers = 10.0 ** np.array([*range(-300, -20, 40), *range(-20, 21), *range(60, 301, 40)], float)
    start = low if low > -np.inf else high if high < np.inf else 0.0
    if density.low > -np.inf and high < np.inf:
        share = 0.5 ** np.arange(1.0, 40.0)
        inner = np.concatenate([low + (high - low) * share, high - (high - low) * share])
        every = np.concatenate([[low, high], np.floor(inner)]) if density.discrete else inner
    else:
        every = start + (powers if high == np.inf else -powers)
        if low == -np.inf and high == np.inf:
            every = np.concatenate([every, start - powers, [0.0]])
    inside = (every >= low) & (every <= high) if density.discrete else (every > low) & (every < high)
    return np.unique(every[inside])


def _dense_grid(density: Density, size: int) -> Array:
    low, high = density.low, density.high
    if low > -np.inf and high < np.inf:
        every = np.linspace(low, high, size)
    else:
        powers = 10.0 ** np.linspace(-6.0, 7.0, size)
        start = low if low > -np.inf else high if high < np.inf else 0.0
        up, down = start + powers, start - powers
        every = up if low > -np.inf else down if high < np.inf else np.concatenate([down, up])
    return np.unique(np.floor(every) if density.discrete else every)[1:-1]


def _climbed(density: Density, y: Array, logs: Array) -> tuple[float, float]:
    """Return (log density, y) at the maximum between y[0] and y[2], by golden sections of the doubles there."""
    a, m, b = y.astype(np.int64).tolist() if density.discrete else ordered(y).tolist()
    left, best, right = logs.tolist()
    for _ in range(200):
        flat = not density.discrete and best - min(left, right) < 1e-7
        if flat or b - a <= 2:
            break
        upper = b - m > m - a
        probe = m + max(1, int(0.381966 * (b - m))) if upper else m - max(1, int(0.381966 * (m - a)))
        where = np.array([float(probe)]) if density.discrete else unordered(np.array([probe], np.int64))
        value = float(density(where)[0])
        if value > best:
            a, left, b, right = (m, best, b, right) if upper else (a, left, m, best)
            m, best = probe, value
        elif upper:
            b, right = probe, value
        else:
            a, left = probe, value
    return best, float(m) if density.discrete else float(unordered(np.array([m], np.int64))[0])
