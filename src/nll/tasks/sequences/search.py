"""The search for a hidden Markov model: Baum and Welch's algorithm from a start, then Newton's method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.kernels.forward import filtered, smoothed
from nll.numerics.exact import exact_sum
from nll.tasks.sequences.bound import Sequences
from nll.tasks.sequences.coordinates import Expected, Layout, Point
from nll.tasks.sequences.emissions import Classes, Numbers, downhill
from nll.tasks.sequences.probabilities import stationary

Array = npt.NDArray[Any]
ROUNDS = 1000  # of Baum and Welch, at most
REST = 1e-3  # nats to the limit, by Aitken's estimate, where Newton's method takes over
STEPS = 60  # of Newton
GAIN = 1e-10  # nats that a further step would gain, at a maximum
SHARE = 3e-3  # of how far a coordinate is known: the step of a difference
EMPTY = 1e-6  # observations in a state, below which it has none
LOOSE = 1e-4  # nats that a step of a factor e changes, where a parameter runs off
FAR = 30.0  # such steps
ROUNDING = 1e-9  # of the NLL: what is promised below it may be rounding
NEAR_ZERO = 1e-4  # a probability that may be 0

FOUND, COLLAPSED, IMPOSSIBLE = "found", "collapsed", "impossible"


@dataclass(slots=True)
class Search:
    """Sequences and what is to be found; counts the passes over them.

    Attributes
    ----------
    held : whether chains begin in equilibrium.
    """

    bound: Sequences
    emissions: Numbers | Classes
    held: bool
    passes: int = 0

    def expected(self, point: Point) -> Expected:
        """Go over the sequences; the NLL is infinite, or not a number, where the point is of no use."""
        self.passes += 1
        losses = self.emissions.losses(point.table)
        nothing = Expected(math.inf, losses, point.initial, point.transition)
        if np.isnan(losses).any() or (losses == -np.inf).any():
            return nothing._replace(nll=math.nan)
        found = filtered(losses, self.bound.bounds, point.initial, point.transition, keep=True)
        if not np.isfinite(found.steps).all():
            return nothing
        weights, moves = smoothed(found, self.bound.bounds, point.transition)
        nll = exact_sum(found.steps[self.bound.observed()])
        return Expected(nll, weights, weights[self.bound.bounds[:-1]].sum(axis=0), moves)

    def maximised(self, point: Point, found: Expected) -> Point:
        """Return the point that is likeliest given what is expected of the states.

        Source: L. E. Baum, T. Petrie, G. Soules and N. Weiss, A Maximization Technique Occurring in the Statistical
        Analysis of Probabilistic Functions of Markov Chains (1970).
        """
        left = found.moves.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            transition = np.where(left > 0.0, found.moves / left, point.transition)
        initial = stationary(transition) if self.held else found.first / found.first.sum()
        return Point(initial, transition, self.emissions.improved(point.table, found.weights))


@dataclass(slots=True)
class End:
    """Where a search from one start ended.

    Attributes
    ----------
    limit : the NLL that it tends to, by Aitken's estimate.
    """

    point: Point
    expected: Expected
    outcome: str
    limit: float = math.inf
    rounds: int = 0


def baum_welch(search: Search, point: Point) -> End:
    """Go from a start until little is left to gain."""
    gains = [math.inf]
    try:
        found = search.expected(point)
    except UsageError:  # no single stationary distribution
        return End(point, Expected(math.inf, *point), IMPOSSIBLE)
    for round_ in range(1, ROUNDS + 1):
        if not math.isfinite(found.nll):
            return End(point, found, COLLAPSED if math.isnan(found.nll) else IMPOSSIBLE, rounds=round_)
        held = found.weights[search.bound.observed()].sum(axis=0)
        if (held < EMPTY).any() or search.emissions.peaked(found.weights).any():
            return End(point, found, COLLAPSED, rounds=round_)
        try:
            after = search.maximised(point, found)
            then = search.expected(after)
        except UsageError:
            break
        gain = found.nll - then.nll
        if gain <= 0.0:  # of a stationary start, or rounding
            break
        point, found = after, then
        ratio = min(gain / gains[-1], 1.0 - 1e-6)
        rest = gain * ratio / (1.0 - ratio)
        gains.append(gain)
        if len(gains) > 5 and rest < REST:
            return End(point, found, FOUND, found.nll - rest, round_)
    return End(point, found, FOUND, found.nll, ROUNDS)


@dataclass(slots=True)
class Maximum:
    """What Newton's method ended at: a point, its layout, gradient and Hessian, and whether it is a maximum."""

    point: Point
    layout: Layout
    nll: float
    gradient: Array
    hessian: Array
    unit: Array
    converged: bool
    steps: int


def newton(search: Search, point: Point) -> Maximum:
    """Go to the maximum, with exact gradients and a Hessian of their differences.

    Probabilities that run to 0 are set to it where that loses nothing; another parameter that runs off, along which the
    likelihood gets flat, is moved far out and then stays.
    """
    point, _ = cleared(search, point)
    layout = Layout.of(search.emissions, point, search.held)
    found, moved = search.expected(point), None
    for step_ in range(1, STEPS + 1):
        gradient, hessian, unit = curvature(search, layout, point, found)
        loose = layout.ratios() & (np.maximum(np.abs(gradient), np.abs(np.diagonal(hessian))) < LOOSE)
        if moved is None:
            moved = np.zeros(len(loose), bool)
        if (loose & ~moved).any():
            point, found = run_off(search, layout, point, found, gradient, np.flatnonzero(loose & ~moved))
            moved |= loose
            continue
        keep = np.flatnonzero(~moved)
        step = np.zeros(len(gradient))
        inner = hessian[np.ix_(keep, keep)] * np.outer(unit[keep], unit[keep])
        step[keep] = unit[keep] * downhill(gradient[keep] * unit[keep], inner)
        promised = -float(gradient @ step)
        end = Maximum(point, layout, found.nll, gradient, hessian, unit, True, step_)
        if promised < 2.0 * GAIN:
            smaller, changed = cleared(search, point)
            if not changed:
                return end
            point, layout, moved = smaller, Layout.of(search.emissions, smaller, search.held), None
            found = search.expected(point)
            continue
        after = lower(search, layout, point, found, step, promised)
        if after is None:  # rounding: what is promised is not there
            end.converged = promised < ROUNDING * max(1.0, abs(found.nll))
            return end
        point, found = after
    return Maximum(point, layout, found.nll, *curvature(search, layout, point, found), False, STEPS)


def run_off(
    search: Search, layout: Layout, point: Point, found: Expected, gradient: Array, loose: Array
) -> tuple[Point, Expected]:
    """Return the point with loose coordinates far out, each where the likelihood loses nothing by it."""
    for i in loose.tolist():
        place = layout.inward(point)
        place[i] -= FAR * np.sign(gradient[i])
        trial = layout.outward(place, point)
        then = search.expected(trial)
        if then.nll <= found.nll:
            point, found = trial, then
    return point, found


def lower(
    search: Search, layout: Layout, point: Point, found: Expected, step: Array, promised: float
) -> tuple[Point, Expected] | None:
    """Return a point down the step, which is shortened until it keeps some of what it promises."""
    here, share = layout.inward(point), 1.0
    for _ in range(30):
        try:
            after = layout.outward(here + share * step, point)
            then = search.expected(after)
        except UsageError:
            then = found._replace(nll=math.nan)
            after = point
        if then.nll <= found.nll - 1e-4 * share * promised:
            return after, then
        share *= 0.5
    return None


def curvature(search: Search, layout: Layout, point: Point, found: Expected) -> tuple[Array, Array, Array]:
    """Return gradient (k,) and Hessian (k, k) of the NLL, the latter by central differences, and the units."""
    gradient, unit = layout.slopes(point, found)
    here = layout.inward(point)
    hessian = np.empty((len(here), len(here)))
    for i in range(len(here)):
        ends = []
        for sign in (1.0, -1.0):
            place = here.copy()
            place[i] += sign * SHARE * min(unit[i], 1e3)
            other = layout.outward(place, point)
            ends.append((place[i], layout.slopes(other, search.expected(other))[0]))
        (up, above), (down, below) = ends
        hessian[i] = (above - below) / (up - down)
    return gradient, 0.5 * (hessian + hessian.T), unit


def cleared(search: Search, point: Point) -> tuple[Point, bool]:
    """Return the point with probabilities that are nearly 0 at 0, each where the likelihood loses nothing by it."""
    now, changed = search.expected(point).nll, False
    arrays = [*([] if search.held else [0]), 1, *([2] if isinstance(search.emissions, Classes) else [])]
    for array in arrays:
        for row, p in enumerate(np.atleast_2d(point[array])):
            for j in np.flatnonzero((p > 0.0) & (p < NEAR_ZERO)).tolist():
                trial = _without(point, array, row, j, search.held)
                if trial is None:
                    continue
                nll = search.expected(trial).nll
                if nll <= now + 1e-9:
                    point, now, changed = trial, min(now, nll), True
    return point, changed


def _without(point: Point, array: int, row: int, j: int, held: bool) -> Point | None:
    arrays = [np.array(a) for a in point]
    own = np.atleast_2d(arrays[array])[row]
    own[j] = 0.0
    own /= own.sum()
    try:
        return Point(stationary(arrays[1]) if held else arrays[0], arrays[1], arrays[2])
    except UsageError:
        return None
