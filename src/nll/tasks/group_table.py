"""The scores of many groups as one table: the numbers of a Score each, a column at a time."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.results.moments_table import Estimates, estimates
from nll.results.score import Score, flat
from nll.results.units import nats_per
from nll.states.tally import COUNTERS
from nll.tasks.finish import Groups, score_of

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
Schema = dict[str, Any]


def table_of(groups: Groups, by: tuple[str, ...], schema: Schema, units: str) -> pl.DataFrame:
    """Return keys and numbers of all groups, in the order of the keys.

    Parameters
    ----------
    groups : the scores.
    by, schema : the grouping columns; the types of a table's columns, which the keys have if they fit.
    units : of the numbers.
    """
    import polars as pl

    keys = list(groups)
    columns = [(name, [key[i] for key in keys] if len(by) > 1 else keys) for i, name in enumerate(by)]
    frame = pl.DataFrame([_typed(name, values, schema.get(name)) for name, values in columns])
    if groups.cluster:
        return joined(frame, clustered_numbers(groups, units))
    places = np.array([place for places in groups.places.values() for place in places], np.int64)
    return joined(frame, numbers(groups, places, units))


def _typed(name: str, values: list[Any], kind: Any) -> pl.Series:
    import polars as pl

    if kind is not None and kind != pl.Categorical:
        try:
            return pl.Series(name, values, dtype=kind, strict=True)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            pass  # a column of text files whose numbers are wider than they seemed
    return pl.Series(name, values, strict=False)


def joined(keys: pl.DataFrame, found: dict[str, Any]) -> pl.DataFrame:
    """Return keys with numbers beside them; a key's name comes before that of a number."""
    import polars as pl

    return keys.with_columns(pl.Series(name, values) for name, values in found.items() if name not in keys.columns)


def blank_numbers() -> dict[str, Any]:
    """Return the numbers of no groups."""
    import polars as pl

    row = pl.DataFrame(flat(Score(0.0, math.nan, math.nan, 0, 0.0, 0)))
    return row.clear().to_dict()


def clustered_numbers(groups: Groups, units: str) -> dict[str, Any]:
    """Return the numbers of groups with clusters, one after the other: each cluster has its part in the error."""
    rows = [flat(groups[key] if units == "nats" else groups[key].to(units)) for key in groups]
    names = flat(Score(0.0, math.nan, math.nan, 0, 0.0, 0))
    return {name: [row[name] for row in rows] for name in names}


def numbers(groups: Groups, places: Array, units: str) -> dict[str, Any]:
    """Return the numbers of the groups at these places of the state, with the bits that a Score each would have."""
    state = groups.state
    counts = dict(zip(COUNTERS, state.counters[places].T, strict=True))
    n = counts["rows"] + counts["impossible"]
    found = _estimates(groups, places, n)
    impossible = counts["impossible"] > 0
    total, mean, stderr = (np.where(impossible, np.inf, each) for each in (found.sum, found.mean, found.stderr))
    if units != "nats":
        factor = nats_per("nats") / nats_per(units)
        total, mean, stderr = total * factor, mean * factor, stderr * factor
    with np.errstate(invalid="ignore"):  # inf - inf
        half = NormalDist().inv_cdf(0.5 + 0.95 / 2.0) * stderr
        low, high = mean - half, mean + half
    return {
        "n": n, "weight": found.weight, "sum": total, "mean": mean, "stderr": stderr,
        "ci95_low": low, "ci95_high": high, "perplexity": _exp(mean * nats_per(units)),
        "units": [units] * len(places),
        **{name: counts[name] for name in ("impossible", "clipped", "missing", "unweighted")},
    }  # fmt: skip


def _estimates(groups: Groups, places: Array, n: Array) -> Estimates:
    """Return sums, means and errors of groups: of most by arrays, of the others one by one."""
    state = groups.state
    state.sums.carry()
    found = estimates(n, state.sums.words[places])
    far = np.zeros(len(state.counters), bool)
    far[[group for group, _ in state.sums.far]] = True
    for i in np.flatnonzero(found.unsettled | far[places]).tolist():
        score = score_of([groups.part(int(places[i]))], state.weighted, False, groups.about)
        found.sum[i], found.weight[i], found.mean[i], found.stderr[i] = _four(score)
    return found


def _four(score: Score) -> tuple[float, float, float, float]:
    return score.sum, score.weight, score.mean, score.stderr


def _exp(values: Array) -> Array:
    """Return exp as Python has it: NumPy's differs in the last bit."""
    out = np.full(len(values), np.inf)
    held = ~(values > 709.0)
    out[held] = [math.exp(v) for v in values[held].tolist()]
    for i in np.flatnonzero((values > 709.0) & (values < 710.0)).tolist():  # 709.78 is the last
        try:
            out[i] = math.exp(values[i])
        except OverflowError:
            continue
    return out
