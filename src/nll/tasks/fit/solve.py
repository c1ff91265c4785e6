"""From a problem to its maximum: starts, a warm search on a sample, Newton on all rows, the best of several ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.tasks.fit import newton
from nll.tasks.fit.links import Links
from nll.tasks.fit.newton import CONVERGED, INFEASIBLE, Path, minimise
from nll.tasks.fit.problem import SAMPLE, Part, Problem, regrouped, thinned
from nll.tasks.fit.starts import Sample, starts

Array = npt.NDArray[Any]
FEW = 4096
LEVEL = 0.5  # nats a unit of a coordinate: under it a search nears a level; where a scale collapses it is 1 and more
BELOW = 1e-3  # nats by which an end without maximum has to be below the maxima
ROUGHLY = 0.01  # nats to which a sample is fitted, whose own maximum lies about 1 nat off
WARM = 4 * SAMPLE  # rows from which on a search begins on a sample
SHORT = 1e-8  # of a unit: a step after which the Hessian is the same to 8 digits
OUTSIDE = newton.INFEASIBLE + 1  # a status of its own: rows that no parameters allow


@dataclass(slots=True)
class Solution:
    """Where the search of each group ended.

    Attributes
    ----------
    searched : the free parameters that were searched; the others of the free ones are statistics (`edges`).
    links : their coordinates.
    table : (G, p), all parameters; loss (G,), status (G,), steps (G,).
    path : the searches, one a group; None where nothing had to be searched.
    impossible : (G,), rows of infinite loss at the end; first (G,), the first of them.
    owners : the group of each search of `path`.
    """

    searched: tuple[str, ...]
    links: Links
    table: Array
    loss: Array
    status: Array
    steps: Array
    path: Path | None
    impossible: Array
    first: Array
    owners: Array


@dataclass(slots=True)
class Objective:
    """The loss of the searched parameters in the coordinates of a search, for `minimise`."""

    problem: Problem
    links: Links
    searched: tuple[str, ...]
    table: Array
    groups: Array
    parts: list[Part] | None = None
    impossible: Array | None = None
    first: Array | None = None

    def __call__(self, eta: Array, which: Array) -> tuple[Array, Array, Array]:
        """Return loss, gradient and Hessian at coordinates; infinite where parameters are not allowed."""
        n, k = eta.shape
        mapped = self.links.outward(eta)
        loss = np.full(n, np.inf)
        gradient, hessian = np.full((n, k), np.nan), np.full((n, k, k), np.nan)
        allowed = np.flatnonzero(self.allowed(mapped.theta))
        if allowed.size == 0:
            return loss, gradient, hessian
        table = self.table[which[allowed]].copy()
        table[:, self.places] = mapped.theta[allowed]
        state = self.problem.evaluate(table, self.groups[which[allowed]], self.searched, self.parts)
        loss[allowed] = state.nll
        slopes, bends = self.links.curved(
            type(mapped)(mapped.theta[allowed], mapped.jacobian[allowed]), state.gradient, state.hessian
        )
        gradient[allowed], hessian[allowed] = slopes, bends
        if self.impossible is None:
            self.impossible = np.zeros(len(self.table), np.int64)
            self.first = np.full(len(self.table), -1)
        self.impossible[which[allowed]], self.first[which[allowed]] = state.counts[:, 0], state.firsts[:, 0]  # type: ignore[index]
        return loss, gradient, hessian

    @property
    def places(self) -> list[int]:
        """The columns of the table that are searched."""
        return [self.problem.names.index(name) for name in self.searched]

    def allowed(self, theta: Array) -> Array:
        """Return which parameter vectors meet their constraints."""
        good = np.isfinite(theta).all(axis=1)
        form = self.problem.form
        for k, name in enumerate(self.searched):
            constraint = form.parameters[name]
            if constraint.link in ("log", "logit"):
                good &= theta[:, k] > 0.0
            if constraint.link == "logit" and not constraint.contains(1.0):
                good &= theta[:, k] < 1.0
            with np.errstate(invalid="ignore"):
                column: Any = theta[:, k]
                good &= np.asarray(constraint.contains(column))
            good &= theta[:, k] > self.problem.base.lowest.get(name, -np.inf)
        return np.asarray(good)


def solve(problem: Problem, start: dict[str, float]) -> Solution:
    """Return the maximum of the likelihood of each group.

    Parameters
    ----------
    start : values from which free parameters begin.
    """
    groups = len(problem.rows)
    part = representative(problem)
    large = groups == 1 and problem.rows[0] > WARM
    sample = Sample(shown(thinned(part, FEW) if large else part, problem.names), problem.names)
    edges = {name: what for name, what in problem.form.edges.items() if name in problem.free}
    searched = tuple(name for name in problem.free if name not in edges)
    links = Links.of(problem.form, searched)
    begin = starts(problem.base, sample, problem.fixed, not start)
    begin = np.pad(begin, ((0, 0), (0, 0), (0, len(problem.names) - begin.shape[2])))  # the bounds of observations
    table = begin.copy()
    for k, name in enumerate(problem.names):
        if name in edges:
            table[:, :, k] = statistic(problem, edges[name])[:, None]
        elif name in problem.fixed or name not in problem.free:
            table[:, :, k] = problem.fixed.get(name, 0.0)
        elif name in start:
            table[:, :, k] = start[name]
    possible = problem.outside == 0
    status = np.where(possible, newton.MOVING, OUTSIDE)
    blank = np.zeros(groups, np.int64)
    solution = Solution(
        searched, links, table[:, 0].copy(), np.full(groups, np.nan), status, blank.copy(), None,
        problem.outside.copy(), problem.first_outside.copy(), blank[:0],
    )  # fmt: skip
    solution.loss[~possible] = np.inf
    if not searched:
        solution.status[possible] = CONVERGED
        return solution
    search(problem, solution, table, part, possible)
    return solution


def search(problem: Problem, solution: Solution, table: Array, part: Part, possible: Array) -> None:
    """Search from every start and keep the best end of each group."""
    groups, several, _ = table.shape
    flat = table.reshape(groups * several, -1)
    owner = np.repeat(np.arange(groups), several)
    places = [problem.names.index(name) for name in solution.searched]
    eta = solution.links.inward(flat[:, places])
    usable = np.flatnonzero(np.isfinite(eta).all(axis=1) & possible[owner])
    flat, owner, eta = flat[usable], owner[usable], eta[usable]
    linear = np.array([solution.links.kinds[k] == "identity" for k in solution.links.coordinates])
    if groups == 1 and problem.rows[0] > WARM and len(eta):
        few = [thinned(part, FEW)] if len(eta) > 1 else []  # enough to tell which of several starts leads highest
        for sample in [*few, part]:
            first = Objective(problem, solution.links, solution.searched, flat, owner, [sample])
            weight = np.full(len(eta), sample.y.size if sample.weights is None else sample.weights.sum())
            warm = minimise(first, eta, weight, linear, tolerance=ROUGHLY)
            best = np.array([np.lexsort((warm.loss, warm.status != CONVERGED))[0]])
            if warm.status[best[0]] == CONVERGED:
                eta, flat, owner = (warm.eta + warm.last)[best], flat[best], owner[best]
            solution.steps[0] += warm.steps[best[0]]
    objective = Objective(problem, solution.links, solution.searched, flat, owner)
    if len(eta) == 0:
        solution.status[possible] = INFEASIBLE
        return
    large = groups == 1 and problem.rows[0] > WARM
    path = minimise(objective, eta, problem.weight[owner], linear, ahead=large)
    if large:
        move_ends(path, Objective(problem, solution.links, solution.searched, flat, owner, [part]), part, problem)
    keep_best(solution, path, owner, objective)


def move_ends(path: Path, sampled: Objective, part: Part, problem: Problem) -> None:
    """Correct the last step, which was not evaluated, and the Hessian: by what the sample's rows have beyond the model.

    The step is so short (about 1e-5 standard deviations of a row) that the sample's noise does not show in it.
    """
    which = np.flatnonzero((path.status == CONVERGED) & (path.last != 0.0).any(axis=1))
    if which.size == 0:
        return
    last = path.last[which]
    _, slope, bend = sampled(path.eta[which], which)
    _, slope_end, bend_end = sampled(path.eta[which] + last, which)
    times = problem.weight[0] / (part.y.size if part.weights is None else part.weights.sum())
    turned, rest = times * (bend_end - bend), times * (slope_end - slope - (bend @ last[:, :, None])[:, :, 0])
    with np.errstate(all="ignore"):
        more = -np.linalg.solve(path.hessian[which] + turned, rest[:, :, None])[:, :, 0]
    good = np.isfinite(turned).all(axis=(1, 2)) & (np.abs(more) <= 0.1 * np.abs(last).max(axis=1, keepdims=True)).all(
        axis=1
    )
    path.hessian[which[good]] += turned[good]
    path.last[which[good]] += more[good]


def keep_best(solution: Solution, path: Path, owner: Array, objective: Objective) -> None:
    """Keep for each group the maximum that is one, and of those the highest.

    A search that ran on towards a level below them all says that none of them is it: the fit has no maximum then.
    """
    with np.errstate(invalid="ignore"):
        level = (np.abs(path.gradient * path.unit) < LEVEL).all(axis=1) & (path.status != INFEASIBLE)
    converged = path.status == CONVERGED
    rank = np.select([converged | level, path.status == INFEASIBLE], [0, 2], 1)
    loss = np.where(np.isnan(path.loss), np.inf, path.loss) + np.where(converged, 0.0, BELOW)
    order = np.lexsort((np.arange(len(owner)), loss, rank, owner))
    lead = order[np.r_[True, owner[order][1:] != owner[order][:-1]]]
    at = solution.owners = owner[lead]
    solution.path = path.chosen(lead)
    theta = solution.links.outward(solution.path.eta + solution.path.last).theta
    places = objective.places
    solution.table[at] = objective.table[lead]
    solution.table[at[:, None], np.array(places)] = theta
    finish(solution.path, objective, lead)
    last, bend = solution.path.last, solution.path.hessian
    with np.errstate(invalid="ignore"):  # the last step was not evaluated; it is so short that the model is exact
        gain = np.einsum("nk,nk->n", last, solution.path.gradient + 0.5 * np.einsum("nij,nj->ni", bend, last))
    solution.loss[at] = solution.path.loss + np.where(solution.path.status == CONVERGED, gain, 0.0)
    solution.status[at] = solution.path.status
    solution.steps[at] += solution.path.steps
    missing = np.setdiff1d(np.flatnonzero(solution.status == newton.MOVING), at)
    solution.status[missing] = INFEASIBLE
    if objective.impossible is not None and objective.first is not None:
        lost = path.status[lead] == INFEASIBLE
        solution.impossible[at[lost]] = objective.impossible[lead[lost]]
        solution.first[at[lost]] = objective.first[lead[lost]]


def finish(path: Path, objective: Objective, which: Array) -> None:
    """Take the last step of searches, and the Hessian at its end, where it is long enough for errors to see."""
    with np.errstate(invalid="ignore"):
        size = np.abs(path.last / path.unit).max(axis=1)
    at = np.flatnonzero((path.status == CONVERGED) & (size > SHORT))
    if at.size == 0:
        return
    eta = path.eta[at] + path.last[at]
    loss, gradient, hessian = objective(eta, which[at])
    good = newton.usable(loss, gradient, hessian)
    at = at[good]
    path.eta[at], path.last[at] = eta[good], 0.0
    path.loss[at], path.gradient[at], path.hessian[at] = loss[good], gradient[good], hessian[good]


def representative(problem: Problem) -> Part:
    """Return rows from which moments are taken: all of them, or some of each group."""
    if problem.grouped:
        return problem.kept[0] if problem.kept else regrouped([thinned(p) for p in problem.read()])
    if problem.kept is not None and problem.rows[0] <= WARM:
        return joined(problem.kept)
    return joined(problem.sampled())


def shown(part: Part, names: list[str]) -> Part:
    """Return rows with one value each, from which moments are taken: of an interval its middle, or its known end."""
    if "upper" not in names or part.columns[names.index("upper")] is None:
        return part
    lower, upper = part.y, part.columns[names.index("upper")]
    with np.errstate(invalid="ignore"):  # a row of which nothing is known
        middles = 0.5 * lower + 0.5 * upper
    known = np.where(upper == np.inf, lower, np.where(lower == -np.inf, upper, middles))
    middle = np.median(known[np.isfinite(known)]) if np.isfinite(known).any() else 0.0
    return replace(part, y=np.where(np.isfinite(known), known, middle))


def joined(parts: list[Part]) -> Part:
    """Return parts of one group as one."""
    if len(parts) == 1:
        return parts[0]
    columns = tuple(None if c[0] is None else np.concatenate(c) for c in zip(*(p.columns for p in parts), strict=True))
    weights = None if parts[0].weights is None else np.concatenate([p.weights for p in parts])  # type: ignore[misc]
    y = np.concatenate([p.y for p in parts])
    rows = np.concatenate([np.arange(p.first, p.first + p.y.size) if p.rows is None else p.rows for p in parts])
    return Part(y, columns, weights, np.zeros(1, np.int64), np.zeros(1, np.int64), np.array([y.size]), 0, rows)


def statistic(problem: Problem, what: str) -> Array:
    """Return a statistic of each group, of all its rows."""
    if what == "minimum":
        return problem.low
    if what == "maximum":
        return problem.high
    if problem.kept is None:
        raise UsageError(f"{problem.form.family.__name__} needs a median, and memory does not hold the rows")
    return Sample(problem.kept[0] if problem.grouped else joined(problem.kept), problem.names).get(what)
