"""Rows of probabilities: their test, and the distribution that a chain tends to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError

Array = npt.NDArray[Any]
TOLERANCE = 1e-6  # how far the sum of a row may be from 1, as for Categorical
MOST_STATES = 2048  # of a chain whose classes are looked for
MOST_NUMBERS = 2**24


def probabilities(name: str, given: Any, holes: bool = False) -> Array:
    """Return an array whose last axis holds probabilities that sum to 1; with `holes`, a row of NaN is unknown."""
    try:
        found = np.array(given, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must hold probabilities; got {given!r:.80}") from None
    if found.ndim == 0 or found.shape[-1] == 0:
        raise DataError(f"{name} must hold rows of probabilities; got {given!r:.80}")
    rows = found.reshape(-1, found.shape[-1])
    known = ~np.isnan(rows).all(axis=1) if holes else np.ones(len(rows), bool)
    wrong = np.flatnonzero(~((rows >= 0.0) & (rows <= 1.0)) & np.repeat(known, rows.shape[1]).reshape(rows.shape))
    if wrong.size:
        at = np.unravel_index(int(wrong[0]), found.shape)
        raise DataError(f"{name} must be in [0, 1]; got {float(found[at])!r} at {_index(at)}")
    totals = rows.sum(axis=1)
    wrong = np.flatnonzero(~(np.abs(totals - 1.0) <= TOLERANCE) & known)
    if wrong.size:
        at = np.unravel_index(int(wrong[0]), found.shape[:-1])
        which = f"row {_index(at)} of {name}" if found.ndim > 1 else name
        raise DataError(f"{which} must sum to 1 (tolerance {TOLERANCE:g}); got the sum {float(totals[wrong[0]]):.10g}")
    found.flags.writeable = False
    return found


def _index(at: tuple[Any, ...]) -> str:
    numbers = ", ".join(str(int(i)) for i in at)
    return numbers if len(at) == 1 else f"({numbers})"


def stationary(transition: Array) -> Array:
    """Return the probabilities p with p = p A of a chain's states.

    By the elimination of Grassmann, Taksar and Heyman, which subtracts nothing: W. K. Grassmann, M. I. Taksar and
    D. P. Heyman, Regenerative Analysis and Steady State Distributions for Markov Chains (1985).

    Examples
    --------
    >>> stationary(np.array([[0.9, 0.1], [0.5, 0.5]])).round(4).tolist()
    [0.8333, 0.1667]
    """
    if len(transition) > MOST_STATES:
        raise UsageError(
            f"the stationary distribution is found of up to {MOST_STATES:,} states; got {len(transition):,}"
        )
    if np.isnan(transition).any():
        raise UsageError("a row of transition is not known (NaN): the chain has no stationary distribution")
    inside = _closed_class(transition)
    a = np.array(transition[np.ix_(inside, inside)])
    for n in range(len(a) - 1, 0, -1):
        a[:n, n] /= a[n, :n].sum()
        a[:n, :n] += np.outer(a[:n, n], a[n, :n])
    weights = np.zeros(len(a))
    weights[0] = 1.0
    for n in range(1, len(a)):
        weights[n] = weights[:n] @ a[:n, n]
    out = np.zeros(len(transition))
    out[inside] = weights / weights.sum()
    return out


def _closed_class(transition: Array) -> Array:
    """Return the states that are never left together; UsageError where there are several such sets."""
    reach = (transition > 0.0) | np.eye(len(transition), dtype=bool)
    while True:
        further = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0.0
        if (further == reach).all():
            break
        reach = further
    closed = (~reach | reach.T).all(axis=1)  # whoever is reached comes back
    first = np.flatnonzero(closed)[0]
    if (reach[first] != closed).any():
        raise UsageError("the chain has several closed sets of states, and with them several stationary distributions")
    return np.flatnonzero(closed)
