"""The fit of a hidden Markov model: from several starts to the best maximum, with its errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.results.sequence_fit import SequenceFit
from nll.tasks.sequences.bound import Sequences
from nll.tasks.sequences.coordinates import Point
from nll.tasks.sequences.emissions import Numbers, emissions
from nll.tasks.sequences.hidden import HiddenMarkov
from nll.tasks.sequences.probabilities import stationary
from nll.tasks.sequences.score import summed
from nll.tasks.sequences.search import COLLAPSED, FOUND, End, Maximum, Search, baum_welch, newton

Array = npt.NDArray[Any]
KIND: Any = HiddenMarkov
STARTS = 10
SAME = 0.02  # nats within which two searches ended at the same maximum
FLAT = 1e-5  # nats by which a step of a factor e changes the loss: the parameter says nothing
SINGULAR = 1e-9


def fit_hidden(
    bound: Sequences, wanted: HiddenMarkov, again: Any, *, threads: int | None = None,
    fixed: Mapping[str, Any] | None = None, start: Any = None, starts: int = STARTS, rng: Any = 0,
) -> SequenceFit:  # fmt: skip
    """Search for the maximum from several starts; the result tells how many of them reached the best.

    Parameters
    ----------
    wanted : what is to be found.
    fixed, start, starts, rng, threads : as in `sequence_fit`.
    """
    if isinstance(starts, bool) or not isinstance(starts, int) or starts < 1:
        raise UsageError(f"starts is a whole number of at least 1; got {starts!r}")
    assert wanted.form is not None
    form = wanted.form.forms[0] if wanted.form is wanted.form.family else wanted.form
    states = wanted.states
    if not bound.observed().any():
        raise DataError(f"all observations in {bound.description} are missing")
    search = Search(bound, emissions(bound, form, states, fixed or {}), wanted.start == "stationary")
    if search.emissions.outside >= 0:
        where = bound.locate(search.emissions.outside)
        return failed(bound, wanted, again, search, [], f"{where} is impossible under {form.family.__name__}")
    generator = np.random.default_rng(rng)
    begin = [begun(search, states, i, generator) for i in range(starts if states > 1 else 1)]
    if start is not None:
        begin.insert(0, given(search, start, states, form))
    ends = [baum_welch(search, point) for point in begin]
    good = sorted((end for end in ends if end.outcome == FOUND), key=lambda end: end.limit)
    if not good:
        return failed(bound, wanted, again, search, ends)
    best, limit = settled(search, newton(search, good[0].point)), good[0].limit
    for end in good[1:3]:
        if best.converged:
            break
        found = settled(search, newton(search, end.point))
        if (found.converged, -found.nll) > (best.converged, -best.nll):
            best, limit = found, end.limit
    reached = sum(end.limit < limit + SAME for end in good)
    return reported(bound, wanted, again, search, ends, best, reached)


# Starts


def begun(search: Search, states: int, number: int, rng: np.random.Generator) -> Point:
    """Return a start: each observation belongs mostly to one state, by its rank, its distance or its place.

    The first cuts the observations into equally many by rank. The others cut them at random: by rank, by distance from
    the median, or into stretches of time.
    """
    present = search.bound.observed()
    y = np.asarray(search.bound.y[present], np.float64)
    kind = (0, 1, 2)[number % 3]
    values = y if kind == 0 else np.abs(y - np.median(y)) if kind == 1 else np.arange(len(y), dtype=np.float64)
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable") / max(len(y), 1)
    if kind == 2:
        pieces = int(min(len(y), 4 * states))
        cuts = np.sort(rng.random(pieces - 1))
        labels = np.concatenate([rng.permutation(states) for _ in range(-(-pieces // states))])[:pieces]
        state = labels[np.searchsorted(cuts, rank, side="right")]
    else:
        shares = np.full(states, 1.0 / states) if number == 0 else rng.dirichlet(np.full(states, 2.0))
        state = np.minimum(np.searchsorted(np.cumsum(shares), rank, side="right"), states - 1)
    weights = np.zeros((len(present), states))
    weights[present] = 0.1 / states
    weights[np.flatnonzero(present), state] += 0.9
    stay = 0.8 if number == 0 else rng.uniform(0.3, 0.95)
    transition = np.full((states, states), (1.0 - stay) / max(states - 1, 1))
    np.fill_diagonal(transition, stay if states > 1 else 1.0)
    table = search.emissions.start(weights)
    improved = search.emissions.improved(table, weights)
    return Point(np.full(states, 1.0 / states), transition, improved if np.isfinite(improved).all() else table)


def given(search: Search, start: Any, states: int, form: Any) -> Point:
    """Return the point of a model from which a search is to begin."""
    if not isinstance(start, HiddenMarkov) or not start.known or start.states != states:
        raise UsageError(f"start= is a HiddenMarkov with numbers and {states} states; got {start!r:.80}")
    if any(type(part) is not form for part in start.emissions):
        raise UsageError(f"the emissions of start= are {form.signature()}; got {start.emissions[0]!r:.80}")
    table = np.array([[np.asarray(part.theta[name], float) for name in form.parameters] for part in start.emissions])
    if not isinstance(search.emissions, Numbers):
        table = table[:, 0]
    else:
        for name, value in search.emissions.known.items():
            table[:, list(form.parameters).index(name)] = value
    first = stationary(start.transition) if search.held else start.initial
    return Point(np.array(first), np.array(start.transition), table)


# Ends


def settled(search: Search, found: Maximum) -> Maximum:
    """Return the same maximum with its states in the order of the means of their emissions."""
    order = np.argsort(search.emissions.means(found.point.table), kind="stable")
    if (order == np.arange(len(order))).all():
        return found
    again = newton(search, found.point.ordered(order))
    again.steps += found.steps
    return again


@dataclass(slots=True)
class Errors:
    """Names and values of all parameters, and what is known of their errors."""

    names: tuple[str, ...]
    values: Array
    cov: Array
    edge: tuple[str, ...]
    ok: bool
    warnings: list[str]


def errors(found: Maximum) -> Errors:
    """Return the covariance of the parameters, from the inverse of the Hessian in the coordinates."""
    names, values, jacobian = found.layout.jacobian(found.point)
    scaled = found.hessian * np.outer(found.unit, found.unit)
    flat = np.abs(np.diagonal(found.hessian)) * np.where(found.layout.ratios(), 1.0, found.unit**2) < FLAT
    keep = np.flatnonzero(~flat)
    inner = scaled[np.ix_(keep, keep)]
    spectrum = np.linalg.eigvalsh(inner) if keep.size and np.isfinite(inner).all() else np.zeros(1)
    if len(found.point.initial) == 1:  # one state has no chain
        chain = sum(name.startswith(("initial_", "transition_")) for name in names)
        names, values, jacobian = names[chain:], values[chain:], jacobian[chain:]
    edge = [
        name
        for name, p in zip(names, values.tolist(), strict=True)
        if name.startswith(("initial_", "transition_", "probs_")) and p in (0.0, 1.0)
    ]
    said = [f"{_listed(edge)}: at the boundary, 0 or 1, without a standard error"] if edge else []
    cov = np.full((len(names), len(names)), np.nan)
    regular = bool(keep.size == 0 or spectrum[0] > SINGULAR * max(spectrum[-1], 1e-300))
    if regular:
        inverse = np.zeros_like(found.hessian)
        if keep.size:
            inverse[np.ix_(keep, keep)] = np.linalg.inv(inner) * np.outer(found.unit[keep], found.unit[keep])
        cov = jacobian @ inverse @ jacobian.T
        moved = np.abs(jacobian[:, flat]).max(axis=1, initial=0.0) > 0.0
        lost = moved | np.array([name in edge for name in names], bool)
        cov[lost], cov[:, lost] = np.nan, np.nan
        loose = [name for name, at in zip(names, moved, strict=True) if at]
        if loose:
            said.append(f"the likelihood is flat along {_listed(loose)}: no standard error")
            edge += [name for name in loose if name not in edge]
    else:
        said.append("the likelihood is flat along a combination of parameters, as with more states than the data tell "
                    "apart: no standard errors")  # fmt: skip
    # The likelihood of one sequence is linear in the initial probabilities, so their maximum lies at an end: that is no
    # sign of trouble, and the errors of the others hold.
    inner_edge = [name for name in edge if not name.startswith("initial_")]
    return Errors(tuple(names), values, cov, tuple(edge), regular and not inner_edge, said)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def reported(
    bound: Sequences, wanted: HiddenMarkov, again: Any, search: Search, ends: list[End], best: Maximum, reached: int
) -> SequenceFit:
    """Return the fit of a maximum."""
    found = errors(best)
    point, table = best.point, search.emissions
    model = HiddenMarkov(point.initial, point.transition, table.distribution(point.table))
    score = summed(bound, model.step_losses(bound), bound.observed(), repr(model))
    outcomes = Counter(end.outcome for end in ends)
    warnings = list(found.warnings)
    if not best.converged:
        warnings.insert(
            0, "the search ended before a maximum was found: pass start=fit.dist to go on, or other starts="
        )
    if outcomes[COLLAPSED]:
        warnings.append(
            f"{outcomes[COLLAPSED]} of {len(ends)} searches ended at a state that closes in on one value, where the "
            "likelihood is unbounded, or has no observations; this is the best maximum of the others"
        )
    if reached == 1 and len(ends) > 2:
        warnings.append(
            f"only 1 of {len(ends)} searches reached this maximum: there may be a better one; try more starts="
        )
    fixed = _known(search)
    return SequenceFit(
        KIND, dict(zip(found.names, found.values.tolist(), strict=True)) | fixed, found.names, found.cov,
        score.sum, score.n, float(score.n), best.converged, best.converged and found.ok, found.edge, tuple(warnings),
        iterations=best.steps, passes=search.passes, read=len(bound.y), missing=bound.lost, source=bound.description,
        again=again, fitted=model, sequences=len(bound.lengths), parameters=count(search, wanted.states),
        links=table.links, starts=len(ends), reached=reached, collapsed=outcomes[COLLAPSED],
    )  # fmt: skip


def _known(search: Search) -> dict[str, float]:
    if not isinstance(search.emissions, Numbers):
        return {}
    known = search.emissions.known.items()
    return {f"{name}_{state}": float(v) for name, values in known for state, v in enumerate(values)}


def count(search: Search, states: int) -> int:
    """Return how many free parameters a model has."""
    table = search.emissions
    own = table.size if isinstance(table, Numbers) else len(table.names) - 1
    return states * (states - 1) + (0 if search.held else states - 1) + states * own


def failed(
    bound: Sequences, wanted: HiddenMarkov, again: Any, search: Search, ends: list[End], why: str = ""
) -> SequenceFit:
    """Return what there is where no search came to a maximum."""
    collapsed = sum(end.outcome == COLLAPSED for end in ends)
    if collapsed:
        why = (
            f"{collapsed} of {len(ends)} searches ended at a state that closes in on one value, where the likelihood "
            "is unbounded, or has no observations: take fewer states, or fix a scale"
        )
    elif not why:
        why = "the sequences are impossible at each start: is the family right for all observations?"
    return SequenceFit(
        KIND, {}, (), np.zeros((0, 0)), math.nan, int(bound.observed().sum()), float(bound.observed().sum()),
        False, False, warnings=(why,), passes=search.passes, read=len(bound.y), missing=bound.lost,
        source=bound.description, again=again, sequences=len(bound.lengths), parameters=count(search, wanted.states),
        links=search.emissions.links, starts=len(ends), collapsed=collapsed,
    )  # fmt: skip
