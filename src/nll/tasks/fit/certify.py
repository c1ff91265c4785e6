"""What may be said of an end of a search: a maximum or not, parameters at a boundary, errors or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.tasks.fit import newton
from nll.tasks.fit.problem import Problem
from nll.tasks.fit.solve import OUTSIDE, Solution, representative

Array = npt.NDArray[Any]
FLAT = 1e-5  # nats by which a step of one unit (a factor e) changes the loss: the parameter says nothing
FAR = 15.0  # units (factors e) that a parameter ran before its search broke off
ONE_VALUE = "the likelihood is unbounded: all y are the same value"
SINGULAR = 1e-11  # of the largest eigenvalue, in coordinates of equal information


@dataclass(slots=True)
class Certificate:
    """What is known of each group's fit: lists and arrays of one entry a group.

    Attributes
    ----------
    converged, cov_ok : (G,).
    cov : (G, k, k), in the order of the problem's free parameters; NaN where there is none.
    at_boundary, warnings : tuples of words.
    """

    converged: Array
    cov_ok: Array
    cov: Array
    at_boundary: list[tuple[str, ...]]
    warnings: list[tuple[str, ...]]


def certify(problem: Problem, solution: Solution) -> Certificate:
    """Judge the ends of the searches; set parameters that belong on a boundary there."""
    groups, k = len(problem.rows), len(problem.free)
    converged = solution.status == newton.CONVERGED
    found = Certificate(
        converged,
        converged.copy(),
        np.full((groups, k, k), np.nan),
        [()] * groups,
        [()] * groups,
    )
    for g in np.flatnonzero(~converged).tolist():
        found.warnings[g] = (reason(problem, solution, g),)
        found.cov_ok[g] = False
    edged = [name for name in problem.free if name not in solution.searched]
    ends = [name for name in edged if problem.form.edges[name] != "median"]
    if not solution.searched:
        at_statistics(problem, solution, found)
    if edged:
        said = f"{' and '.join(edged)}: a statistic of the sample, which has no standard error by curvature"
        for g in np.flatnonzero(converged).tolist():
            found.at_boundary[g] = tuple(ends)
            found.warnings[g] = (*found.warnings[g], said)
    if solution.path is not None and solution.searched:
        covariances(problem, solution, found, np.flatnonzero(converged))
        for g in np.flatnonzero(converged & ~found.cov_ok & collapsed(problem)).tolist():
            if not found.at_boundary[g] and not edged:  # rounding of y ended the search, not a maximum
                found.warnings[g] = ()
                fail(found, g, ONE_VALUE)
        if may_close_in(problem):
            warn_of_repeated(problem, found)
    elif problem.free:
        found.cov_ok[:] = False
    return found


def may_close_in(problem: Problem) -> bool:
    """Return whether the form is a mixture of densities of which one can be as narrow as one likes."""
    mixture = bool(problem.base.simplexes) and "upper" not in problem.names
    parts = getattr(problem.base, "parts", ())
    return mixture and any(not part.observations.discrete and len(part.parameters) > 1 for part in parts)


def warn_of_repeated(problem: Problem, found: Certificate) -> None:
    """Say where far more rows have one value than others: the likelihood is unbounded there."""
    part = representative(problem)
    for g, lower, upper in zip(part.groups.tolist(), part.lower.tolist(), part.upper.tolist(), strict=True):
        values, counts = np.unique(part.y[lower:upper], return_counts=True)
        most, rows = int(counts.max()), upper - lower
        if found.converged[g] and len(values) > 1 and most >= max(5.0, 0.05 * rows, 5.0 * float(np.median(counts))):
            found.warnings[g] = (
                *found.warnings[g],
                f"a local maximum: {most:,} of {rows:,} rows have y = {values[np.argmax(counts)]:.6g}, and a part that "
                "closes in on it makes the likelihood unbounded",
            )


def at_statistics(problem: Problem, solution: Solution, found: Certificate) -> None:
    """Evaluate the loss where nothing had to be searched; say which groups have none there."""
    if {"low", "high"} <= set(problem.free):
        for g in np.flatnonzero(found.converged & collapsed(problem)).tolist():
            fail(found, g, ONE_VALUE)
    at = np.flatnonzero(found.converged)
    try:
        pieces = [(at, problem.evaluate(solution.table[at], at, problem.free))] if at.size else []
    except DataError:  # of some group
        pieces = []
        for g in at.tolist():
            alone = np.array([g])
            try:
                pieces.append((alone, problem.evaluate(solution.table[alone], alone, problem.free)))
            except DataError as error:
                fail(found, g, str(error))
    for which, state in pieces:
        solution.loss[which] = state.nll
        solution.impossible[which], solution.first[which] = state.counts[:, 0], state.firsts[:, 0]
        for g in which[np.isinf(state.nll)].tolist():
            fail(found, g, impossible(problem, solution, g))


def impossible(problem: Problem, solution: Solution, g: int) -> str:
    """Return how many rows of a group are impossible, and which is the first."""
    count, where = int(solution.impossible[g]), problem.prepare.locate(int(solution.first[g]))
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    return f"{rows} impossible under {problem.base.family.__name__}, the first at {where}: the likelihood is 0"


def collapsed(problem: Problem) -> Array:
    """Return in which groups all rows have one value, of which a density may be as high as one likes."""
    density = not (problem.base.observations.discrete or problem.base.mixed or "upper" in problem.names)
    return (problem.low == problem.high) & np.isfinite(problem.low) & density


def fail(found: Certificate, g: int, why: str) -> None:
    """Say that a group has no maximum."""
    found.converged[g] = found.cov_ok[g] = False
    found.warnings[g] = (why, *found.warnings[g])


def reason(problem: Problem, solution: Solution, g: int) -> str:
    """Return why a search did not end at a maximum."""
    status = int(solution.status[g])
    if status in (OUTSIDE, newton.INFEASIBLE) and solution.impossible[g]:
        return impossible(problem, solution, g)
    for low in problem.base.lowest:
        if low in solution.searched and status != newton.INFEASIBLE:
            value, least = solution.table[g, problem.names.index(low)], problem.base.lowest[low]
            if value < least + 0.05:
                return (
                    f"the likelihood is unbounded: {low} runs to {least:g}, where the end of the support meets the data"
                )
    if collapsed(problem)[g] and status != OUTSIDE:
        return ONE_VALUE
    if status in (newton.STALLED, newton.TIRED, newton.UNBOUNDED) and solution.path is not None:
        at = int(np.flatnonzero(solution.owners == g)[0])
        gone = np.abs(solution.path.eta - solution.path.begin)[at] / solution.path.unit[at]
        if gone.max() > FAR:
            name = solution.searched[solution.links.coordinates[int(np.argmax(gone))]]
            value = solution.table[g, problem.names.index(name)]
            return f"the likelihood is unbounded, or has no maximum: {name} runs to {value:.3g}"
    return newton.REASONS.get(status, "no start was found")


def covariances(problem: Problem, solution: Solution, found: Certificate, which: Array) -> None:
    """Fill in covariances; look at flat directions."""
    path = solution.path
    assert path is not None
    owners = which
    rows = {g: i for i, g in enumerate(solution.owners.tolist())}
    at = np.array([rows[g] for g in owners.tolist()], np.int64)
    if at.size == 0:
        return
    unit = path.unit[at]
    hessian = path.hessian[at] * unit[:, :, None] * unit[:, None, :]
    diagonal = np.diagonal(hessian, axis1=1, axis2=2)
    flat = diagonal < FLAT
    values = np.linalg.eigvalsh(hessian)
    regular = ~flat.any(axis=1) & (values[:, 0] > SINGULAR * values[:, -1])
    mapped = solution.links.outward(path.eta[at] + path.last[at])
    places = np.array([problem.free.index(name) for name in solution.searched])
    if regular.any():
        inverse = np.linalg.inv(hessian[regular]) * unit[regular][:, :, None] * unit[regular][:, None, :]
        jacobian = mapped.jacobian[regular]
        cov = np.einsum("nik,nkl,njl->nij", jacobian, inverse, jacobian, optimize=True)
        found.cov[owners[regular][:, None, None], places[:, None], places] = cov
        found.cov_ok[owners[regular]] = len(solution.searched) == len(problem.free)
    for i in np.flatnonzero(~regular).tolist():
        irregular(problem, solution, found, int(owners[i]), int(at[i]), flat[i], hessian[i], unit[i])


def irregular(
    problem: Problem, solution: Solution, found: Certificate, g: int, at: int, flat: Array, hessian: Array, unit: Array
) -> None:
    """Name the parameters that lie at a boundary, or the flat likelihood; keep the errors of the others."""
    path, links = solution.path, solution.links
    assert path is not None
    found.cov_ok[g] = False
    named: list[str] = []
    for c in np.flatnonzero(flat).tolist():
        name = solution.searched[links.coordinates[c]]
        up = bool(path.gradient[at, c] < 0.0)
        end = settle(problem, solution, g, name, up)
        value = solution.table[g, problem.names.index(name)]
        named.append(name)
        far = f"lies at its boundary, {value:.6g}" if end else "grows without end" if up else "falls without end"
        said = f"{name} {far}: the likelihood is flat there, and it has no standard error"
        if not end and path.gradient[at, c] == 0.0:
            said = f"the rows say nothing about {name}: the likelihood is flat, and it has no standard error"
        found.warnings[g] = (*found.warnings[g], said)
    found.at_boundary[g] = (*found.at_boundary[g], *named)
    if not named:
        said = f"the likelihood is flat along a combination of {', '.join(solution.searched)}: no standard errors"
        found.warnings[g] = (*found.warnings[g], said)
        return
    keep: Array = np.flatnonzero(~flat)
    if keep.size == 0:
        return
    inner = hessian[keep[:, None], keep]
    values = np.linalg.eigvalsh(inner)
    if values[0] <= SINGULAR * values[-1]:
        return
    inverse = np.linalg.inv(inner) * np.outer(unit[keep], unit[keep])
    jacobian = links.outward((path.eta + path.last)[at : at + 1]).jacobian[0]
    known = np.array([k for k, name in enumerate(solution.searched) if name not in named], np.int64)
    own = jacobian[known[:, None], keep]
    places = np.array([problem.free.index(solution.searched[k]) for k in known.tolist()], np.int64)
    found.cov[g][places[:, None], places] = own @ inverse @ own.T


def settle(problem: Problem, solution: Solution, g: int, name: str, up: bool) -> bool:
    """Put a parameter at an end of its range where the loss there is as small; say whether it was."""
    constraint, column = problem.form.parameters[name], problem.names.index(name)
    for end in (constraint.high, constraint.low) if up else (constraint.low, constraint.high):
        if not (np.isfinite(end) and constraint.contains(np.float64(end))):
            continue
        trial = solution.table[g].copy()
        trial[column] = end
        for simplex in problem.form.simplexes:
            if name in simplex:  # the others take what is left
                others = [problem.names.index(other) for other in simplex if other != name]
                rest = trial[others].sum()
                trial[others] = trial[others] * (1.0 - end) / rest if rest > 0.0 else (1.0 - end) / len(others)
        try:
            loss = float(problem.evaluate(trial[None], np.array([g]), solution.searched).nll[0])
        except DataError:  # the family ends before: Truncated(Poisson, low=1) has no rate of 0
            continue
        if loss <= solution.loss[g] + 1e-12 * max(1.0, abs(solution.loss[g])):
            solution.table[g], solution.loss[g] = trial, loss
            return True
    return False
