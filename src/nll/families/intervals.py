"""The probability of an interval, and its derivatives in the parameters.

    log_mass(form)(low, high, *theta) = log P(low < Y <= high)

Each end may be infinite, or lie off the support; counts are floored. What is censored, truncated or binned is made of
these. The derivatives come from the family's flow, q_j(y) = -(dF/dtheta_j) / f, where it has one:

    dF/dtheta_j = -f q_j        d2F/dtheta_j dtheta_k = -f (dq_j/dtheta_k - q_j dloss/dtheta_k)

and otherwise from central differences of log_mass, of order eight, whose error is about 1e-11 of what changes over the
natural scale of a parameter, for the gradient, and 1e-9 for the Hessian.

Source: M. Figurnov, S. Mohamed and A. Mnih, Implicit Reparameterization Gradients (2018), equation 5; B. Fornberg,
Generation of Finite Difference Formulas on Arbitrarily Spaced Grids (1988), table 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from nll.families import tracing
from nll.families.constraints import Constraint
from nll.families.family import Family
from nll.families.parts import ends_of
from nll.families.tracing import Formula, Value, Write, where
from nll.families.values import log_difference
from nll.numerics.bits import floor, sqrt
from nll.numerics.elementary import exp
from nll.numerics.formula import formula, standalone

INF, NAN = float("inf"), float("nan")
FAR = 1e300
STEP = 0.02  # of a parameter's natural scale: there rounding and truncation cost about the same
POINTS = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
FIRST = (1 / 280, -4 / 105, 1 / 5, -4 / 5, 0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280)
SECOND = (-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560)


def traced(name: str, arguments: int, build: Any) -> Formula:
    """Return what `tracing.traced` does, marked as a formula."""
    return formula(tracing.traced(name, arguments, build))


@cache
def log_cdf_total(form: type[Family]) -> Formula:
    """Return the formula of log P(Y <= y) for every double y."""
    tail, place, below = form.log_cdf, _placed(form), _below(form)

    @formula
    def log_cdf(y, *theta):
        at, low, high = place(y, *theta)
        return -INF if below(at, low) else (0.0 if at >= high else tail(at, *theta))

    return standalone(log_cdf, 1 + len(form.parameters))


@cache
def log_sf_total(form: type[Family]) -> Formula:
    """Return the formula of log P(Y > y) for every double y."""
    tail, place, below = form.log_sf, _placed(form), _below(form)

    @formula
    def log_sf(y, *theta):
        at, low, high = place(y, *theta)
        return 0.0 if below(at, low) else (-INF if at >= high else tail(at, *theta))

    return standalone(log_sf, 1 + len(form.parameters))


@cache
def _placed(form: type[Family]) -> Formula:
    """Return the formula of y, floored for counts, and the ends of the support."""
    ends, low, high = form.ends, np.float64(form.support.low), np.float64(form.support.high)
    whole = form.observations.discrete

    @formula
    def fixed(y, *theta):
        return (floor(y) if whole else y), low, high

    @formula
    def moving(y, *theta):
        first, last = ends(*theta)  # type: ignore[misc]
        return (floor(y) if whole else y), first, last

    return fixed if ends is None else moving


@formula
def _under(y, low):
    return y < low


@formula
def _not_over(y, low):
    return y <= low


def _below(form: type[Family]) -> Formula:
    """Return the formula that says whether nothing is at y or below: a single point has no mass under a density."""
    return _under if form.observations.discrete or form.mixed else _not_over


@cache
def log_mass(form: type[Family]) -> Formula:
    """Return the formula (low, high, *theta) of log P(low < Y <= high), by the tail in which nothing is lost.

    Examples
    --------
    >>> import nll, numpy as np
    >>> from nll.families.intervals import log_mass
    >>> float(log_mass(nll.Exponential)(*map(np.float64, (2.0, np.inf, 1.5))))
    -3.0
    """
    if (own := getattr(form, "log_mass", None)) is not None:
        return own  # a combined family's, of its parts' masses
    cdf, sf = log_cdf_total(form), log_sf_total(form)

    @formula
    def between(low, high, *theta):
        # An infinite end costs nothing: its tail is known before anything is computed.
        upper, lower = sf(low, *theta), cdf(high, *theta)
        right = upper < lower
        smaller = sf(high, *theta) if right else cdf(low, *theta)
        return log_difference(upper if right else lower, smaller)

    standalone(between, 2 + len(form.parameters))

    @formula
    def mass(low, high, *theta):
        return between(low, high, *theta) if low < high else -INF

    return mass


def triangle(size: int) -> list[tuple[int, int]]:
    """Return the places of an upper triangle, row by row."""
    return list(combinations_with_replacement(range(size), 2))


@cache
def log_mass_gradient(form: type[Family]) -> Formula:
    """Return the formula (low, high, *theta) of the gradient of log_mass in theta.

    It is 0 where nothing lies between, and NaN in a parameter of whole numbers, which no fit moves.
    """
    if (own := getattr(form, "log_mass_gradient", None)) is not None:
        return own  # a combined family's, of its parts' masses
    size, known, moving = len(form.parameters), _known(form), _moving(form)
    along = _slopes_along(form, [j for j in moving if j not in known])
    at_end = _at_end(form, size, _End.slopes) if known else None

    def gradient(write: Write, low: Value, high: Value, *theta: Value) -> list[Any]:
        found: dict[int, Any] = dict.fromkeys(range(size), NAN)
        if known:
            mass = write(log_mass(form), low, high, *theta)
            first, last = (write.several(at_end, size, y, mass, *theta) for y in (low, high))
            found |= {j: first[j] - last[j] for j in known}
        return list((found | along(write, low, high, *theta)).values())

    return _unless_empty(gradient, "log_mass_gradient", size, tuple(0.0 if j in moving else NAN for j in range(size)))


def _unless_empty(build: Any, name: str, size: int, otherwise: tuple[float, ...]) -> Formula:
    """Return the formula of the derivatives, which are not computed where nothing lies between, as of an exact row."""
    between = standalone(traced(name, 2 + size, build))
    none = tuple(map(np.float64, otherwise))

    @formula
    def derivatives(low, high, *theta):
        return between(low, high, *theta) if low < high else none

    return derivatives


@cache
def log_mass_hessian(form: type[Family]) -> Formula:
    """Return the formula (low, high, *theta) of the Hessian of log_mass in theta: its upper triangle, row by row.

    It is 0 and NaN where the gradient is.
    """
    if (own := getattr(form, "log_mass_hessian", None)) is not None:
        return own  # a combined family's, of its parts' masses
    size, moving = len(form.parameters), _moving(form)
    known = _known(form) if form.flow_gradient is not None and form.gradient is not None else []
    others = [j for j in moving if j not in known]
    count = size + len(triangle(size))
    at_end = _at_end(form, count, lambda end: [*end.slopes(), *end.bends(known)]) if known else None
    slopes_along, bends_along = _slopes_along(form, others if known else []), _bends_along(form, others)

    def hessian(write: Write, low: Value, high: Value, *theta: Value) -> list[Any]:
        found: dict[tuple[int, int], Any] = dict.fromkeys(triangle(size), NAN)
        if known:
            mass = write(log_mass(form), low, high, *theta)
            first, last = (write.several(at_end, count, y, mass, *theta) for y in (low, high))
            changes = [a - b for a, b in zip(first, last, strict=True)]
            slopes = dict(enumerate(changes[:size])) | slopes_along(write, low, high, *theta)
            for (j, k), change in zip(triangle(size), changes[size:], strict=True):
                if j in moving and k in moving and (j in known or k in known):
                    found[j, k] = change - slopes[j] * slopes[k]
        return list((found | bends_along(write, low, high, *theta)).values())

    none = tuple(0.0 if j in moving and k in moving else NAN for j, k in triangle(size))
    return _unless_empty(hessian, "log_mass_hessian", size, none)


def _moving(form: type[Family]) -> list[int]:
    """Return which parameters have derivatives."""
    return [j for j, constraint in enumerate(form.parameters.values()) if not constraint.discrete]


def _known(form: type[Family]) -> list[int]:
    """Return the parameters in which the flow is closed."""
    names = list(form.parameters)
    return [j for j in _moving(form) if names[j] not in form.unflowed] if form.flow is not None else []


class _End:
    """One end of an interval: what F changes there with theta, as a share of the mass."""

    def __init__(self, write: Write, form: type[Family], y: Value, theta: Sequence[Value], mass: Value) -> None:
        self.write, self.form, self.theta = write, form, theta
        self.y, off = placed(write, form, y, theta)
        density = write(exp, -write(form.loss, self.y, *theta) - mass)
        self.share = where(off | (mass == -INF), 0.0, density)
        self.flow = write.several(form.flow, len(theta), self.y, *theta)

    def _shared(self, value: Value) -> Value:
        return where(self.share > 0.0, self.share * value, 0.0)  # 0 of the mass, though the flow be infinite

    def slopes(self) -> list[Value]:
        return [self._shared(q) for q in self.flow]

    def bends(self, known: list[int]) -> list[Value]:
        size, places = len(self.theta), triangle(len(self.theta))
        slopes = self.write.several(self.form.gradient, size, self.y, *self.theta)
        turns = self.write.several(self.form.flow_gradient, len(places), self.y, *self.theta)
        found = []
        for (j, k), turn in zip(places, turns, strict=True):
            moved, by = (j, k) if j in known else (k, j)
            found.append(self._shared(turn - self.flow[moved] * slopes[by]))
        return found


def placed(write: Write, form: type[Family], y: Value, theta: Sequence[Value]) -> tuple[Value, Value]:
    """Write y as what is floored and observed, and whether it is off the support; another y stands for it then."""
    low, high = (Value(write, write.name_of(end)) for end in ends_of(write, form, theta))
    if form.observations.discrete:
        y = write(floor, y)
        off = y < low
        inner = where(low > 0.0, low, where(high < 0.0, high, 0.0))
    else:
        off = y <= low  # a single point has no mass under a density
        inner = 0.5 * where(low > -FAR, low, -FAR) + 0.5 * where(high < FAR, high, FAR)
    off = off | (y >= high)
    return where(off, inner, y), off


def _at_end(form: type[Family], count: int, build: Callable[[_End], list[Value]]) -> Formula:
    """Return the formula (y, log mass, *theta) of so many numbers at an end, all 0 where nothing changes there.

    Then they are not computed: a row that is censored on one side costs one end.
    """
    zeros = (np.float64(0.0),) * count
    size = len(form.parameters)

    def changing(write: Write, y: Value, mass: Value, *theta: Value) -> Value:
        return where(placed(write, form, y, theta)[1], -INF, mass) > -INF

    changes = traced("changes", 2 + size, changing)
    values = traced("values", 2 + size, lambda write, y, mass, *theta: build(_End(write, form, y, theta, mass)))

    @formula
    def at_end(y, mass, *theta):
        return values(y, mass, *theta) if changes(y, mass, *theta) else zeros

    return standalone(at_end, 2 + size)


# By differences


def _slopes_along(form: type[Family], indices: list[int]) -> Any:
    """Return what writes the derivatives in these parameters, by their places."""
    directions = tuple((j,) for j in indices)
    along = _differences(form, directions, FIRST) if indices else None

    def slopes(write: Write, *arguments: Value) -> dict[int, Value]:
        return dict(zip(indices, write.several(along, len(indices), *arguments), strict=True)) if along else {}

    return slopes


def _bends_along(form: type[Family], indices: list[int]) -> Any:
    """Return what writes the second derivatives in these parameters, by their places.

    A mixed one is a quarter of what the second derivatives along the diagonals of a square differ by.
    """
    places = list(combinations_with_replacement(indices, 2))
    directions = tuple(d for j, k in places for d in ([(j,)] if j == k else [(j, k, 1), (j, k, -1)]))
    along = _differences(form, directions, SECOND) if indices else None

    def bends(write: Write, *arguments: Value) -> dict[tuple[int, int], Value]:
        if along is None:
            return {}
        found = dict(zip(directions, write.several(along, len(directions), *arguments), strict=True))
        return {(j, k): found[(j,)] if j == k else 0.25 * (found[j, k, 1] - found[j, k, -1]) for j, k in places}

    return bends


@cache
def _differences(form: type[Family], directions: tuple[tuple[int, ...], ...], weights: tuple[float, ...]) -> Formula:
    """Return the derivatives of log_mass along so many directions, by central differences.

    The directions are taken in a loop, and the points of each in another, so that the tails compile once.
    """
    size, count, points = len(form.parameters), len(directions), len(POINTS)
    steps = _steps(form)
    moved = _moved(form, directions)
    put = _put(directions, size, weights is SECOND)
    zeros = (np.float64(0.0),) * count

    @formula
    def differences(low, high, *theta):
        scales = steps(low, high, *theta)
        found = zeros
        for i in range(count):
            total = 0.0
            for k in range(points):
                total += weights[k] * moved(low, high, float(i), POINTS[k], *theta, *scales)
            found = put(float(i), total, *scales, *found)
        return found

    return standalone(differences, 2 + size)


def _moved(form: type[Family], directions: Sequence[tuple[int, ...]]) -> Formula:
    """Return log_mass at so many steps from theta in the i-th direction."""
    size = len(form.parameters)

    def moved(write: Write, low: Value, high: Value, i: Value, t: Value, *rest: Value) -> Value:
        theta = list(rest[:size])
        for m in range(size):
            factor: Any = 0.0
            for d, direction in enumerate(directions):
                if m in direction[:2]:
                    sign = direction[2] if len(direction) == 3 and m == direction[1] else 1
                    factor = where(i == float(d), float(sign), factor)
            theta[m] = theta[m] + t * factor * rest[size + m]
        return write(log_mass(form), low, high, *theta)

    return traced("moved", 4 + 2 * size, moved)


def _put(directions: Sequence[tuple[int, ...]], sizes: int, second: bool) -> Formula:
    """Return the tuple `found` with the i-th place taken by total / step, or over the product of two steps."""

    def put(write: Write, i: Value, total: Value, *rest: Value) -> list[Value]:
        scales, found = rest[:sizes], rest[sizes:]
        placed = []
        for d, direction in enumerate(directions):
            value = total / scales[direction[0]]
            if second:
                value = value / scales[direction[1] if len(direction) == 3 else direction[0]]
            value = where(scales[direction[0]] == INF, 0.0, value)
            placed.append(where(i == float(d), value, found[d]))
        return placed

    return traced("put", 2 + sizes + len(directions), put)


def _size(value: Value) -> Value:
    return where(value < 0.0, -value, value)


@cache
def _steps(form: type[Family]) -> Formula:
    """Return the formula (low, high, *theta) of the steps: so small that eight of them stay within the bounds.

    A step is STEP of a parameter's natural scale, on which the slope of the loss at the ends changes by about one nat;
    an end at which the density is small beside the other's counts so much less.
    """
    size = len(form.parameters)
    rates_at = _rates(form) if form.gradient and form.hessian else None

    def steps(write: Write, low: Value, high: Value, *theta: Value) -> list[Value]:
        distance = 1.0 - write(log_mass(form), low, high, *theta)
        rates: list[Value] = []
        if rates_at:
            ends = [write.several(rates_at, 1 + size, y, distance, *theta) for y in (low, high)]
            for (loss, *found), (other, *_) in (ends, ends[::-1]):
                weight = where(loss > other, write(exp, other - loss), 1.0)
                weighted = [weight * rate for rate in found]
                rates = [a + b for a, b in zip(rates, weighted, strict=True)] if rates else weighted
        scales = [_room(theta[j], constraint) for j, constraint in enumerate(form.parameters.values())]
        for j, rate in enumerate(rates):
            natural = write(sqrt, 1.0 / rate)
            scales[j] = where(natural < scales[j], natural, scales[j])
        return [where(distance == INF, INF, STEP * scale) for scale in scales]  # of no mass, the derivatives are 0

    return standalone(traced("steps", 2 + size, steps))


def _rates(form: type[Family]) -> Formula:
    """Return the formula (y, distance, *theta) of the loss and of how fast its slopes change with each parameter.

    Where a slope happens not to bend, its own size says so; far out that is large and says nothing, so the distance
    in nats divides it.
    """
    size = len(form.parameters)

    def rates(write: Write, y: Value, distance: Value, *theta: Value) -> list[Value]:
        y, off = placed(write, form, y, theta)
        slopes = write.several(form.gradient, size, y, *theta)
        bends = dict(zip(triangle(size), write.several(form.hessian, size * (size + 1) // 2, y, *theta), strict=True))
        found = [slopes[j] * (slopes[j] / distance) + _size(bends[j, j]) for j in range(size)]
        return [
            where(off, INF, write(form.loss, y, *theta)),
            *[where(off, 0.0, where(rate < INF, rate, 0.0)) for rate in found],
        ]

    return standalone(traced("rates", 2 + size, rates))


def _room(value: Value, constraint: type[Constraint]) -> Value:
    """Write how far a parameter may move."""
    away = _size(value)
    scale = where(away > 1.0, away, 1.0)
    if constraint.low > -INF:
        scale = value - constraint.low
    if constraint.high < INF:
        room = constraint.high - value
        scale = where(room < scale, room, scale) if constraint.low > -INF else room
    return scale
