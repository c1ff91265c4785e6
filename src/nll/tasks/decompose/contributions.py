"""Which rows, groups and bins the difference of two models comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.engines.local import Local, Progress
from nll.engines.progress import RowProgress
from nll.errors import NllError, UsageError
from nll.kernels.kernel import kernel
from nll.numerics.exact import exact_sum
from nll.results.contributions import Contributions, Group, Row
from nll.results.joint_fit import JointFit
from nll.tasks.compare.compare import fits_of
from nll.tasks.compare.inputs import Bound, Rows, bind_models
from nll.tasks.compare.same_rows import digest, refuse_rows
from nll.tasks.score import Missing, make_step
from nll.tasks.tally import Step

if TYPE_CHECKING:
    import polars as pl

    from nll.results.fit import Fit
    from nll.tasks.fit.again import Again
    from nll.tasks.fit.again import Rows as Rows_

Array = npt.NDArray[Any]


@dataclass(slots=True)
class State:
    """Losses under both models, y and the columns to group by, by chunk."""

    parts: dict[int, dict[str, Any]] = field(default_factory=dict)
    missing: int = 0

    def merge(self, other: State) -> None:
        """Add another state."""
        self.parts.update(other.parts)
        self.missing += other.missing


@dataclass(frozen=True, slots=True)
class LossStep:
    """Adds the losses of a chunk under two models to a State."""

    steps: tuple[Step, Step]

    def __call__(self, state: State, rows: Rows) -> None:
        """Add rows."""
        losses, kept = [], np.ones(rows.size, bool)
        ready = [step.prepare(part) for step, part in zip(self.steps, rows.parts, strict=True)]
        for step, own in zip(self.steps, ready, strict=True):
            found = kernel(own.form).rows(own.y, own.theta) if own.size else np.empty(0)
            step.refuse(own, np.flatnonzero(np.isnan(found)))
            full = np.full(rows.size, np.nan)
            full[np.arange(rows.size) if own.index is None else own.index] = found
            losses.append(full)
            if own.missing is not None:
                kept &= ~own.missing
        at = np.flatnonzero(kept)
        state.missing += rows.size - at.size
        y = np.asarray(rows.parts[0].y)
        part = {"row": at + rows.first, "a": losses[0][at], "b": losses[1][at], "y": y[at]}
        keys = rows.parts[0].keys or []
        state.parts[rows.first] = {**part, "keys": [key.gather(at) for key in keys]}


def contributions(
    y: Any,
    models: Any = None,
    data: Any = None,
    *,
    by: Any = None,
    bins: int = 10,
    top: int = 20,
    missing: Missing = "error",
    where: Any = None,
    threads: int | None = None,
    progress: Progress | bool = True,
) -> Contributions:
    """Say which rows, and which values of columns, the difference of two models comes from.

    The difference of a row is the loss of the second model less that of the first: positive favours the first.

    Parameters
    ----------
    y, data, missing, where, threads, progress : as in `score`. Memory grows with the rows: the two losses, y and the
        columns of `by` are kept.
        Or two fits to the same rows, ``contributions(fit_a, fit_b)`` or ``contributions({"a": fit_a, "b": fit_b})``: y,
        data, missing and where are those that they were fitted with.
    models : {name: distribution}, two of them, both of densities or both of probabilities.
    by : columns, each looked at by itself: names, or without `data` a dict of arrays. A column of numbers with more
        than `bins` distinct values is cut at its quantiles.
    bins : how many bins such a column has, at most.
    top : how many rows to name, of those that favour either model most.

    Returns
    -------
    Contributions.

    Raises
    ------
    DataError : as in `score`.
    UsageError : there are not two models, their losses do not have the same measure, or a name or an option is wrong.

    Examples
    --------
    >>> import nll
    >>> y, p, q, day = [1, 0, 1, 1], [0.9, 0.2, 0.7, 0.8], [0.6, 0.4, 0.5, 0.8], ["mo", "mo", "tu", "tu"]
    >>> a, b = nll.Bernoulli(probs=p), nll.Bernoulli(probs=q)
    >>> found = nll.contributions(y, {"new": a, "old": b}, by={"day": day})
    >>> [(group.value, round(group.share, 3)) for group in found.groups]
    [('mo', 0.673), ('tu', 0.327)]
    >>> seen = [0.2, 0.5, 1.0, 9.0]
    >>> a, b = nll.fit(seen, nll.LogNormal), nll.fit(seen, nll.Exponential)
    >>> found = nll.contributions(a, b)
    >>> [row.row for row in found.rows], abs(found.sum - (b.nll - a.nll)) < 1e-9
    ([0, 1, 2, 3], True)
    """
    for name, value, least in (("bins", bins, 2), ("top", top, 0)):
        if not isinstance(value, int) or value < least:
            raise UsageError(f"{name} is a whole number of at least {least}; got {value!r}")
    fits = fits_of(y, models, data, ())
    if fits is not None:
        if where is not None or missing != "error":
            raise UsageError("fits bring their rows: where= and missing= were given to nll.fit")
        y, models, data, where, missing = of_fits(fits, by)
    if not isinstance(models, Mapping) or len(models) != 2 or not all(isinstance(name, str) for name in models):
        raise UsageError("contributions takes a dict of two models, {'a': dist, 'b': dist}, or two fits")
    bound = bind_models(y, models, data, sample_weight=None, by=by, cluster=None, where=where)
    first, second = (make_step(each, missing, None, None, 0.0, None) for each in bound.each)
    with RowProgress("comparing", wanted=progress is True) as shown:
        called = progress if callable(progress) else shown
        state = Local(threads).reduce(bound.chunks(), LossStep((first, second)), State, State.merge, called)
    return _found(state, bound, tuple(models), bins, top)


def of_fits(fits: dict[str, Any], by: Any) -> tuple[Any, dict[str, Any], Any, Any, Missing]:
    """Return the rows of two fits, and the fitted distributions by name: y, models, data, where, missing."""
    if len(fits) != 2:
        raise UsageError(f"contributions are of two models; got {len(fits)} fits")
    (a, fit_a), (b, fit_b) = fits.items()
    for name, fit in fits.items():
        if isinstance(fit, JointFit):
            raise UsageError(f"{name} is a joint fit: pass the rows of one problem, and {{'a': a.dists[...], ...}}")
        if fit.again is None:
            raise UsageError(f"{name} is a loaded fit, which has no data: pass y and {{{name!r}: its .dist, ...}}")
    refuse_rows(a, fit_a, b, fit_b)
    rows_a, rows_b = (fit.again.read(fit) for fit in (fit_a, fit_b))
    if rows_a.weights is not None and not (rows_a.weights == 1.0).all():
        raise UsageError("the fits have weights, and contributions count every row once: pass y and the .dist of each")
    first, second = fit_a.again, fit_b.again
    where, missing = (first.options.get(name) for name in ("where", "missing"))
    if first.by is None and second.by is None and _same_table(first, second, fit_b, rows_b):
        return first.y, {a: fit_a.dist, b: fit_b.dist}, first.data, where, missing or "error"
    if by is not None and fit_a.missing:
        raise UsageError("by= goes with fits that dropped no row: fit the rows that are complete")
    models = {
        name: fit.family(**{n: rows.fixed.get(n, fit.params.get(n)) for n in fit.family.parameters})
        if not fit.family.event
        else fit.dist
        for (name, fit), rows in zip(fits.items(), (rows_a, rows_b), strict=True)
    }
    return rows_a.observations, models, None, None, "error"


def _same_table(first: Again, second: Again, fit: Fit, rows: Rows_) -> bool:
    """Whether the table of the first fit serves for the second, whose known parameters may be columns."""
    if first.data is None or second.data is None:
        return False
    if not fit.by_row:
        return True
    try:
        other = replace(second, y=first.y, data=first.data, options=first.options).read(fit).fixed
    except NllError:
        return False
    return all(digest(np.asarray(other[name])) == digest(np.asarray(value)) for name, value in rows.fixed.items())


def _found(state: State, bound: Bound, names: tuple[str, ...], bins: int, top: int) -> Contributions:
    parts = [state.parts[first] for first in sorted(state.parts)]
    row, a, b = (np.concatenate([p[k] for p in parts]) if parts else np.empty(0) for k in ("row", "a", "b"))
    use = np.isfinite(a) & np.isfinite(b)
    impossible = [int(np.isinf(x).sum()) for x in (a, b)]
    at = np.flatnonzero(use)
    d = (b - a)[at]
    total, n = exact_sum(d), d.size
    groups: list[Group] = []
    for i, column in enumerate(bound.each[0].by):
        series = _joined([p["keys"][i] for p in parts])
        if series is not None:
            groups += grouped(column, series.gather(at), d, total, bins)
    observed = np.concatenate([p["y"] for p in parts]) if parts else np.empty(0)
    rows = []
    for k in extremes(d, top):
        i, number = int(at[k]), int(row[at[k]])
        value = observed[i]
        value = value.item() if np.ndim(value) == 0 and hasattr(value, "item") else np.asarray(value).tolist()
        rows.append(Row(number, bound.each[0].locate(number), value, float(a[i]), float(b[i]), float(d[k])))
    mean, error = _mean(d, total)
    about = (impossible[0], impossible[1], state.missing, rows_for_half(d), bound.each[0].description)
    return Contributions(names[0], names[1], n, total, mean, error, tuple(groups), tuple(rows), *about)


def _joined(parts: list[pl.Series]) -> pl.Series | None:
    import polars as pl

    return (
        pl.concat([p.cast(pl.String) if p.dtype in (pl.Categorical, pl.Enum) else p for p in parts]) if parts else None
    )


def _mean(d: Array, total: float) -> tuple[float, float]:
    """Return the mean, and its standard error with divisor n - 1."""
    n = d.size
    if n < 2:
        return (total if n else math.nan), math.nan
    mean = total / n
    return mean, math.sqrt(exact_sum((d - mean) ** 2) / (n - 1) / n)


def extremes(d: Array, top: int) -> list[int]:
    """Return the places of the largest positive, then of the lowest negative differences; ties in order of rows."""
    order = np.argsort(-d, kind="stable")
    lowest = np.argsort(d, kind="stable")
    high, low = order[:top], lowest[:top]
    return [*high[d[high] > 0.0].tolist(), *low[d[low] < 0.0].tolist()]


def rows_for_half(d: Array) -> int:
    """Return how many rows, the largest first, make up half of the sum of absolute differences."""
    if not d.size or not d.any():
        return 0
    sums = np.cumsum(np.sort(np.abs(d))[::-1])
    return int(np.searchsorted(sums, 0.5 * sums[-1])) + 1


def grouped(column: str, series: pl.Series, d: Array, total: float, bins: int) -> list[Group]:
    """Return the groups of a column, the largest sum first."""
    import polars as pl

    labels = binned(series, bins)
    frame = pl.DataFrame({"key": labels, "place": np.arange(d.size)}).sort("place")
    out: list[Group] = []
    for (key,), part in frame.partition_by("key", as_dict=True, maintain_order=True).items():
        own = d[part["place"].to_numpy()]
        value = exact_sum(own)
        share = value / total if total else math.nan
        out.append(Group(column, "missing" if key is None else str(key), own.size, value, *_mean(own, value), share))
    return sorted(out, key=lambda group: -abs(group.sum))


def binned(series: pl.Series, bins: int) -> pl.Series:
    """Return a column as text: its values, or where it has many numbers the bin of each, between its quantiles."""
    import polars as pl

    if not series.dtype.is_numeric() or series.drop_nulls().n_unique() <= bins:
        return series.cast(pl.String)
    numbers = series.cast(pl.Float64).to_numpy()
    known = ~np.isnan(numbers)  # nulls included
    edges = np.unique(np.quantile(numbers[known], np.linspace(0.0, 1.0, bins + 1), method="inverted_cdf"))
    names = [f"[{edges[0]:.4g}, {edges[1]:.4g}]"] if edges.size > 1 else [f"{edges[0]:.4g}"]
    names += [f"({low:.4g}, {high:.4g}]" for low, high in pairwise(edges[1:])]
    which = np.clip(np.searchsorted(edges, np.where(known, numbers, edges[0]), side="left") - 1, 0, len(names) - 1)
    return pl.Series(
        [names[k] if ok else None for k, ok in zip(which.tolist(), known.tolist(), strict=True)], dtype=pl.String
    )
