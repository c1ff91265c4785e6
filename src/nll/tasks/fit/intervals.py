"""Intervals that go over the data again: where the profile of the NLL rises by a quantile, and by bootstrap."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.numerics.arrays import doubles
from nll.results import scale
from nll.results.fit import Fit, Interval
from nll.results.profile import Profile
from nll.tasks.draws import poisson_weights
from nll.tasks.fit.again import Again

Array = npt.NDArray[Any]

DOUBLINGS = 24  # of the first step, before a profile is called open
FARTHEST = {"log": 690.0, "logit": 36.0, "identity": 1e300}  # on the line: further out a parameter is at its end
CLOSE = 1e-8  # of the root: the end of an interval to 8 digits of a standard error
MOST_STEPS = 60
BETTER = 1e-6  # nats by which another maximum is better


@dataclass(slots=True)
class Curve:
    """The signed root of twice the rise of the profile of one parameter, on the line of its link."""

    again: Again
    fit: Fit
    name: str
    starts: dict[float, dict[str, float]] = field(default_factory=dict)
    lowest: tuple[float, float] = (math.inf, math.nan)  # an NLL, and where
    failed: bool = False

    def nll(self, value: float) -> tuple[float, bool]:
        """Return the smallest NLL at a value of the parameter, and whether it was found."""
        near = min(self.starts, key=lambda v: abs(v - value), default=None)
        start = self.starts[near] if near is not None else self.fit.params
        found = self.again.refit(self.fit, {self.name: value}, {n: start[n] for n in self.fit.free if n != self.name})
        if found.converged and math.isfinite(found.nll):
            self.starts[value] = dict(found.params)
        if found.nll < self.lowest[0]:
            self.lowest = found.nll, value
        return (math.inf if math.isnan(found.nll) else found.nll), found.converged

    def root(self, place: float, middle: float) -> float:
        """Return the signed root at a place on the line."""
        value = scale.from_line(self.fit.link(self.name), place)
        nll, converged = self.nll(value)
        self.failed |= not converged and math.isfinite(nll)
        return math.copysign(math.sqrt(max(2.0 * (nll - self.fit.nll), 0.0)), place - middle)


def profile_intervals(
    again: Again, fit: Fit, level: float, names: Sequence[str], **options: Any
) -> dict[str, Interval]:
    """Return for each parameter where twice the rise of the profile of the NLL meets the chi-square quantile.

    Source: Venzon and Moolgavkar, A Method for Computing Profile-Likelihood-Based Confidence Intervals, section 1.
    """
    if options:
        raise UsageError(f"profile intervals take no options; got {', '.join(options)}")
    z = scale.normal_quantile(level)
    return {name: _interval(Curve(again, fit, name), z) for name in names}


def _interval(curve: Curve, z: float) -> Interval:
    fit, name = curve.fit, curve.name
    link, value = fit.link(name), fit.params[name]
    middle = scale.to_line(link, value)
    if not math.isfinite(middle):
        warnings.warn(f"{name} lies at the end of what it may be: no profile interval around it", stacklevel=5)
        return math.nan, math.nan
    step = _first_step(fit, name, middle)
    ends = [_end(curve, middle, side * step, z) for side in (-1.0, 1.0)]
    constraint = fit.family.parameters[name]
    open_ends = (constraint.low, constraint.high)
    found = [open_ends[i] if end is None else scale.from_line(link, end) for i, end in enumerate(ends)]
    if None in ends:
        side = "both sides" if ends == [None, None] else "below" if ends[0] is None else "above"
        warnings.warn(f"the data do not bound {name} at this level: its profile is open {side}", stacklevel=5)
    if curve.failed:
        warnings.warn(f"a fit on the profile of {name} did not converge: the interval may be narrow", stacklevel=5)
    lowest, at = curve.lowest
    if lowest < fit.nll - BETTER * max(1.0, abs(fit.nll) * 1e-6):
        warnings.warn(
            f"the profile of {name} has a smaller NLL, {lowest:.6f}, than the fit, {fit.nll:.6f}: "
            f"fit again from near {name}={at:.6g}",
            stacklevel=5,
        )
    return found[0], found[1]


def _first_step(fit: Fit, name: str, middle: float) -> float:
    """Return the step that meets a quantile of 1 on a parabola, on the line."""
    error = fit.stderr[name] / abs(scale.slope(fit.link(name), fit.params[name]))
    return error if 0.0 < error < math.inf else 0.1 * max(1.0, abs(middle)) / math.sqrt(max(fit.n, 1))


def _end(curve: Curve, middle: float, step: float, z: float) -> float | None:
    """Return where the root meets z on one side, or None where it stays below."""
    farthest = FARTHEST[curve.fit.link(curve.name)]
    inner, at_inner = middle, 0.0
    outer = middle + z * step
    for _ in range(DOUBLINGS):
        outer = min(max(outer, -farthest), farthest)
        at_outer = abs(curve.root(outer, middle))
        if at_outer >= z:
            return _solved(
                lambda place: abs(curve.root(place, middle)) - z,
                (inner, at_inner - z),
                (outer, at_outer - z),
                abs(step),
            )
        if abs(outer) >= farthest:
            return None
        inner, at_inner = outer, at_outer
        outer = middle + 2.0 * (outer - middle) if at_outer < 0.5 * z else outer + 0.6 * (outer - middle)
    return None


def _solved(
    excess: Callable[[float], float], low: tuple[float, float], high: tuple[float, float], unit: float
) -> float:
    """Return the zero of `excess` between two places by the rule of false position, with the weights of Illinois.

    Source: Dowell and Jarratt, A Modified Regula Falsi Method for Computing the Root of an Equation, section 2.
    """
    (a, below), (b, above) = low, high
    last = 0
    for _ in range(MOST_STEPS):
        if abs(b - a) <= 1e-9 * unit:
            break
        place = (a * above - b * below) / (above - below) if math.isfinite(above) else 0.5 * (a + b)
        value = excess(place)
        if abs(value) <= CLOSE:
            return place
        if value < 0.0:
            a, below, above, last = place, value, above * (0.5 if last == -1 else 1.0), -1
        else:
            b, above, below, last = place, value, below * (0.5 if last == 1 else 1.0), 1
    return b if math.isfinite(above) else a


def profile(again: Again, fit: Fit, name: str, *, level: float = 0.99, points: int = 21, grid: Any = None) -> Profile:
    """Return the profile of the NLL over a parameter.

    Parameters
    ----------
    again, fit, name : the data, the fit, the parameter.
    level : the grid reaches to the ends of the Wald interval of this level.
    points : values of the grid, evenly spaced on the line of the parameter's link; the estimate is one of them.
    grid : the values themselves.
    """
    value, link = fit.params[name], fit.link(name)
    if grid is None:
        if not 0.0 < level < 1.0 or points < 3:
            raise UsageError(f"a profile needs a level in (0, 1) and at least 3 points; got {level!r}, {points!r}")
        middle = scale.to_line(link, value)
        if not math.isfinite(middle):
            raise UsageError(f"{name} lies at the end of what it may be: pass grid=, the values of the profile")
        half = scale.normal_quantile(level) * _first_step(fit, name, middle)
        grid = [scale.from_line(link, middle + half * i) for i in np.linspace(-1.0, 1.0, points | 1)]
        grid[len(grid) // 2] = value
    values = np.sort(doubles(grid, "grid").reshape(-1))
    if np.isnan(values).any() or not values.size:
        raise UsageError("the grid of a profile needs numbers")
    curve = Curve(again, fit, name)
    found: dict[float, tuple[float, bool]] = {value: (fit.nll, fit.converged)}
    for v in sorted({*map(float, values)}, key=lambda v: abs(v - value)):  # outwards: each starts from its neighbour
        if v not in found:
            found[v] = curve.nll(v)
    nll, converged = (np.array(column) for column in zip(*(found[float(v)] for v in values), strict=True))
    return Profile(name, values, nll, fit.nll, value, converged)


def bootstrap_intervals(
    again: Again, fit: Fit, level: float, names: Sequence[str], *, replicates: int = 999, rng: int = 0
) -> dict[str, Interval]:
    """Return for each parameter the quantiles of its estimates with Poisson weights.

    Weights of mean 1 for each row stand for drawing rows with replacement. A replicate that did not converge is left
    out, with a warning; one at a boundary counts.

    Source: Chamandy, Muralidharan, Najmi and Naidu, Estimating Uncertainty for Massive Data Streams, section 3.
    """
    if not isinstance(rng, (int, np.integer)) or replicates < 20:
        raise UsageError(
            f"a bootstrap needs a whole rng, its seed, and 20 replicates or more; got {rng!r}, {replicates!r}"
        )
    rows = again.rows(fit)

    def copies(numbers: Array) -> tuple[Array, Array]:
        weights = poisson_weights(int(rng), numbers, np.arange(rows.size)).astype(np.float64)
        y = np.broadcast_to(rows.y, weights.shape)
        return y, weights if rows.weights is None else weights * rows.weights

    fits = again.many(fit, rows, copies, replicates)
    used = np.asarray(fits.converged, bool)
    if not used.all():
        warnings.warn(
            f"{int((~used).sum())} of {replicates} replicates did not converge and are left out", stacklevel=4
        )
    if used.sum() < 20:
        return dict.fromkeys(names, (math.nan, math.nan))
    at = np.array([0.5 * (1.0 - level), 0.5 * (1.0 + level)])
    ends = {name: np.quantile(np.asarray(fits.params[name])[used], at) for name in names}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}
