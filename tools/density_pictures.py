"""The pictures of the pages of families: densities as SVG, readable on light and on dark ground.

The density is that of our own row losses, whose bits are the same everywhere; coordinates have one decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

import nll
from nll.families.constraints import Constraint
from nll.families.family import Family
from nll.numerics.formula import quiet

# Parameters of the pictures where those of the constraints (`typical`) would show little.
SHOWN: dict[str, list[tuple[float, ...]]] = {
    "Beta": [(2.0, 2.0), (2.0, 5.0), (6.0, 1.5)],
    "BetaBinomial": [(12.0, 2.0, 2.0), (12.0, 1.5, 5.0), (12.0, 30.0, 12.0)],
    "Binomial": [(12.0, 0.2), (12.0, 0.5), (12.0, 0.85)],
    "Gamma": [(1.0, 1.0), (2.0, 1.0), (5.0, 1.5)],
    "GEV": [(0.0, 1.0, -0.4), (0.0, 1.0, 0.0), (0.0, 1.0, 0.5)],
    "GeneralizedNormal": [(0.0, 1.0, 0.8), (0.0, 1.0, 2.0), (0.0, 1.0, 6.0)],
    "GeneralizedPareto": [(1.0, -0.4), (1.0, 0.0), (1.0, 0.8)],
    "InverseGamma": [(2.0, 1.0), (3.0, 3.0), (6.0, 12.0)],
    "InverseGaussian": [(1.0, 0.5), (1.0, 2.0), (2.0, 8.0)],
    "Kumaraswamy": [(2.0, 2.0), (2.0, 5.0), (6.0, 1.5)],
    "LogLogistic": [(1.0, 1.0), (1.0, 3.0), (2.0, 5.0)],
    "LogNormal": [(0.0, 0.25), (0.0, 0.5), (0.5, 1.0)],
    "NegativeBinomial": [(4.0, 0.05), (4.0, 0.5), (8.0, 0.2)],
    "Pareto": [(1.0, 1.0), (1.0, 3.0), (2.0, 3.0)],
    "Poisson": [(1.0,), (4.0,), (10.0,)],
    "SkewNormal": [(0.0, 1.0, 0.0), (0.0, 1.0, 4.0), (0.0, 1.5, -2.0)],
    "StudentT": [(1.0, 0.0, 1.0), (4.0, 0.0, 1.0), (30.0, 0.0, 1.0)],
    "Uniform": [(0.0, 1.0), (-1.0, 2.0)],
    "VonMises": [(0.0, 0.5), (0.0, 2.0), (1.5, 8.0)],
    "Weibull": [(1.0, 1.0), (1.0, 1.5), (2.0, 4.0)],
}


WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM, LEGEND = 560, 318, 44, 14, 548, 222, 278
POINTS = 120
COLOURS = ("#3b82c4", "#d9772b", "#3f9a5c")
STYLE = (
    "text{font:12px sans-serif;fill:#57606a}line{stroke:#8b949e;stroke-width:1}path{fill:none;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#b1bac4}line{stroke:#6e7681}}"
)
VISIBLE = 0.02  # of the largest density: where the picture may end
UPRIGHT = 0.05  # of the largest: a density above it at an end of the picture is closed by an upright line
STEEP = 0.9  # of the next density: a last one above it ends in a jump
TALLEST = 4.0  # times the second of the largest densities: where the picture is cut off

Curve = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Axis:
    """A range of numbers and where it lies in the picture."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, x: float) -> float:
        return self.start + (x - self.low) / (self.high - self.low) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Return at most six round numbers."""
        step = 10.0 ** np.floor(np.log10(self.high - self.low))
        step = next(step * m for m in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if (self.high - self.low) / (step * m) <= 6.001)
        return [float(k * step) for k in range(int(np.ceil(self.low / step)), int(self.high / step + 1e-9) + 1)]


def typical(form: type[Family]) -> list[tuple[float, ...]]:
    """Return parameters to show, by the constraints alone."""
    if (shown := SHOWN.get(form.__name__)) is not None:
        return shown
    return [tuple(_value(name, c, k) for name, c in form.parameters.items()) for k in range(3)]


def _value(name: str, constraint: type[Constraint], k: int) -> float:
    if constraint.discrete:
        return (8.0, 12.0, 20.0)[k]
    if constraint.high == 1.0:
        return (0.2, 0.5, 0.8)[k]
    if constraint.low == 0.0:
        return (1.0, 2.0, 0.5)[k] if name in ("scale", "rate") else (2.0, 1.0, 5.0)[k]
    return (0.0, 1.0, -2.0)[k]


def density(form: type[Family], theta: tuple[float, ...], ys: list[float]) -> list[float]:
    """Return the density, or the probabilities, by our own row losses; 0 where y may not be observed."""
    dist = form(**dict(zip(form.parameters, theta, strict=True)))
    allowed = [form.observations.contains(np.float64(y)) for y in ys]
    found = iter(np.exp(-nll.rows([y for y, good in zip(ys, allowed, strict=True) if good], dist)).tolist())
    return [next(found) if good else 0.0 for good in allowed]


def _range(form: type[Family]) -> tuple[float, float]:
    """Return the y between which the densities are visible: of a fixed set of numbers, so that no bit decides."""
    sizes = [2.0**k * (1.0 + j / 4.0) for k in range(-5, 7) for j in range(4)]
    grid = sorted([-x for x in sizes] + [0.0] + sizes)
    low, high = np.inf, -np.inf
    for theta in typical(form):
        values = density(form, theta, grid)
        seen = [y for y, p in zip(grid, values, strict=True) if p > VISIBLE * min(max(values), 2.0)]
        low, high = min(low, *seen), max(high, *seen)
    step = 0.5 if high - low < 4.0 else 1.0
    low, high = max(step * np.floor(low / step), -12.0), min(step * np.ceil(high / step), 12.0)
    return float(max(low, form.support.low)), float(min(high, form.support.high))


def curves(form: type[Family]) -> tuple[list[Curve], Axis]:
    """Return the curves of a continuous family, with the edges of its support doubled so that they are upright."""
    low, high = _range(form)
    out: list[Curve] = []
    for theta in typical(form):
        ys = {low + (high - low) * i / POINTS for i in range(POINTS + 1)}
        if form.ends is not None:
            with quiet():
                ys |= {float(e) for e in form.ends(*map(np.float64, theta)) if low <= e <= high}
        ordered = sorted(ys)
        out.append((ordered, density(form, theta, ordered)))
    margin = 0.03 * (high - low)
    return out, Axis(low - margin, high + margin, LEFT, RIGHT)


def masses(form: type[Family]) -> tuple[list[Curve], Axis]:
    """Return the probabilities of a discrete family."""
    ys = [float(k) for k in range(26)]
    found = [(ys, density(form, theta, ys)) for theta in typical(form)]
    last = max(k for _, values in found for k, p in enumerate(values) if p > VISIBLE * max(values))
    return [(ys[: last + 1], values[: last + 1]) for _, values in found], Axis(-0.6, last + 0.6, LEFT, RIGHT)


def picture(family: type[Family]) -> str:
    """Return the densities of a family as SVG, readable on light and on dark ground."""
    if family.event:
        drawn, axis, labels, discrete = EVENTS[family.__name__]()
    else:
        discrete = family.observations.discrete
        drawn, axis = masses(family) if discrete else curves(family)
        labels = [_named(family, theta) for theta in typical(family)]
    peaks = sorted(max(values) for _, values in drawn)
    highest = min(peaks[-1], TALLEST * peaks[-2] if len(peaks) > 1 else np.inf)
    upright = Axis(0.0, 1.05 * highest, BOTTOM, TOP)
    title = f"{'Probabilities' if discrete else 'Densities'} of {family.__name__}"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    parts += [f"<title>{title}</title>", f"<style>{STYLE}</style>", *_frame(axis, upright, discrete)]
    for k, ((ys, values), label) in enumerate(zip(drawn, labels, strict=True)):
        shift = 5.0 * (k - (len(drawn) - 1) / 2.0) if discrete else 0.0
        parts += _stems(ys, values, axis, upright, k, shift) if discrete else [_line(ys, values, axis, upright, k)]
        parts.append(f'<text x="{LEFT + 8}" y="{LEGEND + 16 * k}"{_fill(k)}>{label}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _named(form: type[Family], theta: tuple[float, ...]) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in zip(form.parameters, theta, strict=True))


def _fill(k: int) -> str:
    return f' style="fill:{COLOURS[k]}"'


def _frame(axis: Axis, upright: Axis, discrete: bool) -> Iterator[str]:
    yield f'<line x1="{LEFT}" y1="{BOTTOM}" x2="{RIGHT}" y2="{BOTTOM}"/>'
    for x in axis.ticks():
        if discrete and x != int(x):
            continue
        at = f"{axis.at(x):.1f}"
        yield f'<line x1="{at}" y1="{BOTTOM}" x2="{at}" y2="{BOTTOM + 4}"/>'
        yield f'<text x="{at}" y="{BOTTOM + 18}" text-anchor="middle">{x:g}</text>'
    for p in upright.ticks()[1:]:
        at = upright.at(p)
        yield f'<line x1="{LEFT - 4}" y1="{at:.1f}" x2="{LEFT}" y2="{at:.1f}"/>'
        yield f'<text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{p:g}</text>'
    yield f'<text x="{(LEFT + RIGHT) // 2}" y="{BOTTOM + 34}" text-anchor="middle">y</text>'


def _line(ys: list[float], values: list[float], axis: Axis, upright: Axis, k: int) -> str:
    """Return a curve, cut off at the top; it goes straight down where the density ends and does not fall to 0."""
    seen = UPRIGHT * max(values)
    path = [(ys[0], 0.0)] if values[0] > seen else []
    for i, (y, p) in enumerate(zip(ys, values, strict=True)):
        if i and p > 0.0 == values[i - 1] and p > STEEP * values[min(i + 1, len(ys) - 1)]:
            path.append((y, 0.0))
        path.append((y, p))
        if i and i + 1 < len(ys) and p > 0.0 == values[i + 1] and p > STEEP * values[i - 1]:
            path.append((y, 0.0))
    if values[-1] > seen:
        path.append((ys[-1], 0.0))
    at = (f"{axis.at(y):.1f},{max(upright.at(p), TOP):.1f}" for y, p in path)
    return f'<path stroke="{COLOURS[k]}" d="M' + "L".join(at) + '"/>'


def _stems(ys: list[float], values: list[float], axis: Axis, upright: Axis, k: int, shift: float) -> Iterator[str]:
    tops = [(f"{axis.at(y) + shift:.1f}", f"{upright.at(p):.1f}") for y, p in zip(ys, values, strict=True) if p > 0.0]
    yield f'<path stroke="{COLOURS[k]}" d="' + "".join(f"M{x},{BOTTOM}V{top}" for x, top in tops) + '"/>'
    yield f'<g fill="{COLOURS[k]}">' + "".join(f'<circle cx="{x}" cy="{top}" r="3"/>' for x, top in tops) + "</g>"


Drawn = tuple[list[Curve], Axis, list[str], bool]


def _categorical() -> Drawn:
    shown = [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]
    ys = [0.0, 1.0, 2.0]
    rows = [np.exp(-nll.rows([0, 1, 2], nll.Categorical(probs=[p] * 3))).tolist() for p in shown]
    return [(ys, r) for r in rows], Axis(-0.6, 2.6, LEFT, RIGHT), [f"probs = {p}" for p in shown], True


def _multivariate_normal() -> Drawn:
    """Return the density of two numbers along their diagonal, (y, y), for some correlations."""
    ys = [-4.0 + 8.0 * i / POINTS for i in range(POINTS + 1)]
    out: list[Curve] = []
    correlations = (-0.6, 0.0, 0.6)
    for r in correlations:
        dist = nll.MultivariateNormal(loc=[0.0, 0.0], covariance_matrix=[[1.0, r], [r, 1.0]])
        out.append((ys, np.exp(-nll.rows([[y, y] for y in ys], dist)).tolist()))
    labels = [f"at (y, y), covariance_matrix = [[1, {r:g}], [{r:g}, 1]]" for r in correlations]
    return out, Axis(-4.2, 4.2, LEFT, RIGHT), labels, False


EVENTS: dict[str, Callable[[], Drawn]] = {"Categorical": _categorical, "MultivariateNormal": _multivariate_normal}
