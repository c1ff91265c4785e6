"""Score sequences: the exact sum of the losses of steps, by sequence, and its standard error clustered by sequence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError, listing
from nll.numerics.exact import ExactSums, rounded
from nll.results import moments
from nll.results.sequences import SequenceScore
from nll.results.student import cluster_df
from nll.states.documents import exact_count
from nll.states.tally import EXAMPLES
from nll.tasks.sequences.bound import Sequences
from nll.tasks.sequences.model import SequenceModel

Array = npt.NDArray[Any]
LONG = 64  # steps of a sequence, on average, from which arrays add up faster than lists
SIMPLE = (bool, int, float, str)
OWN = {"lengths", "sequence", "labels", "missing", "where"}
ALIKE = {"units", "threads", "progress"}


def sequence_score(y: Any, model: Any, data: Any = None, **options: Any) -> SequenceScore:
    """Return the negative log-likelihood of sequences, exact, with its standard error clustered by sequence.

    Parameters
    ----------
    y : observations: one array with `lengths`, a list of arrays, or with `data` the name of a column.
    model : `nll.MarkovChain`, `nll.NGram` or `nll.HiddenMarkov`, with numbers.
    data : a table, as in `nll.score`, whose rows are in order.
    options : ``lengths``, the length of each sequence; ``sequence``, the column that names it; ``labels``, ``missing``
        ("drop" leaves an observation out, and its step keeps its place), ``where``, ``units`` and ``threads`` as in
        `nll.score`. Others are refused.

    Raises
    ------
    DataError : an observation is not valid, or sequences are not what `lengths` says.
    UsageError : an option is wrong, or not for sequences.

    Examples
    --------
    >>> import nll
    >>> model = nll.HiddenMarkov(
    ...     initial=[0.5, 0.5], transition=[[0.9, 0.1], [0.2, 0.8]],
    ...     emission=nll.Normal(loc=[0.0, 3.0], scale=[1.0, 2.0]),
    ... )
    >>> s = sequence_score([0.1, -0.4, 5.0, 2.0, 0.3], model, lengths=[3, 2])
    >>> round(s.sum, 10), s.n, s.sequences
    (10.6882934307, 5, 2)
    """
    kept = checked(options)
    bound = bound_to(model, y, data, kept)
    steps = model.step_losses(bound, kept.get("threads"))
    scored = bound.observed() & bound.step(model.given)
    result = summed(bound, steps, scored, repr(model))
    units = options.get("units", "nats")
    return result if units == "nats" else result.to(units)


def sequence_rows(y: Any, model: Any, data: Any = None, **options: Any) -> Any:
    """Return the losses -log p(y_t | y before) of steps (n,), in nats, or a list of such for a list of sequences.

    NaN where an observation is missing or given, and after an impossible one under a hidden Markov model.

    Parameters
    ----------
    y, model, data, options : as in `sequence_score`.

    Examples
    --------
    >>> import nll
    >>> chain = nll.MarkovChain(initial=[0.5, 0.5], transition=[[0.75, 0.25], [0.5, 0.5]])
    >>> sequence_rows([0, 0, 1], chain).round(4).tolist()
    [0.6931, 0.2877, 1.3863]
    """
    kept = checked(options)
    bound = bound_to(model, y, data, kept)
    steps = model.step_losses(bound, kept.get("threads"))
    return bound.split(np.where(bound.observed() & bound.step(model.given), steps, np.nan))


def chosen(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a function that are not at their defaults, of all its arguments.

    Examples
    --------
    >>> def task(y, *, units="nats", where=None): ...
    >>> chosen(task, {"y": 0, "units": "bits", "where": None})
    {'units': 'bits'}
    """
    found: dict[str, Any] = {}
    for name, parameter in signature(function).parameters.items():
        value, default = arguments.get(name), parameter.default
        same = value is default or (isinstance(value, SIMPLE) and value == default)
        if parameter.kind is Parameter.KEYWORD_ONLY and not same:
            found[name] = value
    return found


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are set; refuse those that sequences do not have."""
    kept = {name: value for name, value in options.items() if value is not None}
    strange = [name for name in kept if name not in OWN | ALIKE]
    if strange:
        raise UsageError(
            f"sequences take no {listing(strange)}; they take {listing(sorted(OWN | {'units', 'threads'}))}"
        )
    return kept


def bound_to(model: Any, y: Any, data: Any, kept: dict[str, Any]) -> Sequences:
    """Return the sequences that the arguments mean."""
    if not isinstance(model, SequenceModel):
        written = model.signature() if isinstance(model, type) and issubclass(model, SequenceModel) else repr(model)
        raise UsageError(f"a model of sequences with numbers is needed, such as nll.MarkovChain(...); got {written}")
    return model.bind(y, data, **{name: value for name, value in kept.items() if name in OWN})


def exact_counts(losses: Array, ends: list[int]) -> list[int]:
    """Return the sums of the losses of sequences, [ends[s], ends[s + 1]) each, as whole numbers of 2**-1074."""
    count = len(ends) - 1
    if len(losses) < LONG * count:
        values = losses.tolist()
        return [exact_count(values[a:b]) for a, b in pairwise(ends)]
    sums = ExactSums.zeros(count, 1)
    sums.add_values(losses, np.repeat(np.arange(count), np.diff(ends)), 0)
    return [sums.count(s, 0) for s in range(count)]


def summed(bound: Sequences, steps: Array, scored: Array, distribution: str) -> SequenceScore:
    """Return the score of the losses of steps; infinite ones are counted, NaN after them is not added."""
    finite = scored & (np.abs(steps) < np.inf)
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(finite)])[bound.bounds].tolist()
    counts = exact_counts(steps[finite], ends)
    sizes = np.diff(np.concatenate([np.zeros(1, np.int64), np.cumsum(scored)])[bound.bounds])
    dead = np.flatnonzero(scored & (steps == np.inf))
    by_sequence = np.array([rounded(count) for count in counts], np.float64)
    by_sequence[np.searchsorted(bound.bounds, dead, side="right") - 1] = np.inf
    terms = [(c, w * moments.UNIT) for c, w in zip(counts, sizes.tolist(), strict=True) if w]
    total, weight, mean, stderr = moments.clustered(terms)
    if dead.size:
        total = mean = stderr = math.inf
    return SequenceScore(
        total,
        mean,
        stderr,
        int(scored.sum()),
        weight,
        read=len(bound.y),
        missing=bound.lost,
        impossible=int(dead.size),
        first_impossible=tuple(bound.locate(int(row)) for row in dead[:EXAMPLES]),
        clusters=len(terms),
        distribution=distribution,
        source=bound.description,
        df=cluster_df(w for _, w in terms),
        by_sequence=by_sequence,
        lengths=sizes,
        names=bound.names,
        given=int((bound.observed() & ~scored).sum()),
    )
