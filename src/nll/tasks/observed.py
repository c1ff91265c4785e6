"""What was seen of an observation: its value, that it lies beyond one, between two, or that only some can be seen.

Such observations are rows of a family that is made for them (`families/interval.py`, `families/truncated.py`): the
bounds are parameters with a value a row. So scores, fits and comparisons take them as they take numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError, first_line
from nll.families.family import Family
from nll.families.interval import Interval, flows
from nll.families.truncated import Truncated
from nll.numerics.arrays import NOT_NUMBERS, doubles

if TYPE_CHECKING:
    from nll.tasks.chunks import Chunk, Inputs

Array = npt.NDArray[Any]
INF = np.inf
BOUNDS = ("upper", "low", "high")


@dataclass(frozen=True, slots=True)
class Observed:
    """Observations of which something else than the value is known; made by `nll.censored` and its like.

    Attributes
    ----------
    y : values, or the lower ends of intervals: an array (n,), or the name of a column.
    upper : what tells the upper ends: an array, a name, or None where every value is exact.
    low, high : the bounds outside of which nothing would have been seen, or None.
    kind : "exact", "right", "left" (`upper` says which rows are exact) or "interval" (`upper` is the other end).
    weights : of each row, where the observations carry them, as counts of bins do.
    """

    y: Any
    upper: Any = None
    low: Any = None
    high: Any = None
    kind: str = "exact"
    weights: Any = None

    def form(self, part: type[Family]) -> type[Family]:
        """Return the form of the rows."""
        if part.event:
            raise UsageError(f"{part.__name__} observes rows of numbers, which are neither censored nor truncated")
        if self.kind == "exact":
            return Truncated.form([part])
        if self.kind == "right" and self.high is None and flows(part):  # one tail is all it takes: ten times faster
            return Interval.form([part], ("right",) if self.low is None else ("right", "entry"))
        return Interval.form([part], ("truncated",) if self.truncated else ())

    @property
    def truncated(self) -> bool:
        """Whether there are bounds outside of which nothing would have been seen."""
        return self.low is not None or self.high is not None

    def distribution(self, dist: Family) -> Family:
        """Return the distribution of the rows, whose bounds are what `chunk` will read."""
        form = self.form(type(dist))
        if dist.parameters.keys() & BOUNDS:
            raise UsageError(f"{dist!r} has bounds of its own; give them either there or with the observations")
        bounds = {"upper": self.upper, "low": self.low, "high": self.high}
        open_ends = {"low": -INF, "high": INF}
        own = {name: open_ends.get(name) if bounds[name] is None else bounds[name] for name in BOUNDS}
        return form(**dist.theta, **{name: own[name] for name in form.parameters if name in BOUNDS})

    def numbers(self) -> dict[str, float]:
        """Return the bounds that are the same for all rows."""
        bounds = {"low": (self.low, -INF), "high": (self.high, INF)} if self.kind == "exact" or self.truncated else {}
        return {
            name: float(end if value is None else value)
            for name, (value, end) in bounds.items()
            if not isinstance(value, str) and np.ndim(value) == 0
        }

    def bound(self, inputs: Inputs) -> Inputs:
        """Return what a task reads, with the bounds of each row as numbers."""
        places = {name: k for k, name in enumerate(inputs.form.parameters) if name in BOUNDS}
        read = inputs.chunks

        def chunks() -> Iterator[Chunk]:
            for chunk in read():
                yield self.chunk(chunk, places, self.named(inputs.names), inputs.locate)

        return replace(inputs, chunks=chunks, names=self.named(inputs.names))

    def named(self, names: dict[str, str]) -> dict[str, str]:
        """Return the names for messages: an array of events was not given as `upper`."""
        array = "upper" in names and not isinstance(self.upper, str)
        return {**names, "upper": "event"} if array and self.kind in ("right", "left") else names

    def chunk(self, chunk: Chunk, places: dict[str, int], names: dict[str, str], locate: Callable[[int], str]) -> Chunk:
        """Return a chunk whose y is a lower end and whose bounds are numbers; an empty bound is open."""
        chunk = self.with_open_ends(chunk, places, names)
        holes, lost, theta = chunk.holes, chunk.missing, list(chunk.theta)
        for name, end in (("low", -INF), ("high", INF)):
            if name in places:
                theta[places[name]] = opened(theta[places[name]], end)
        y = np.asarray(chunk.y, np.float64)
        if self.kind != "exact":
            given = theta[places["upper"]]
            y, theta[places["upper"]] = self.ends(y, np.broadcast_to(given, y.shape), chunk.first, lost, names, locate)
        return replace(chunk, y=y, theta=tuple(theta), holes=holes, missing=lost)

    def with_open_ends(self, chunk: Chunk, places: dict[str, int], names: dict[str, str]) -> Chunk:
        """Return a chunk with NaN in the empty cells of bounds, which are not missing: columns of integers have 0."""
        bounds = [name for name in BOUNDS if name in places and (name != "upper" or self.kind == "interval")]
        columns = {f"column {names[name]!r}": places[name] for name in bounds}
        y, theta, own = chunk.y, list(chunk.theta), f"column {names['y']!r}"
        for column, mask in chunk.holes:
            if column in columns:
                at = columns[column]
                theta[at] = np.where(mask, np.nan, np.asarray(theta[at], np.float64))
            if column == own and self.kind == "interval":
                y = np.where(mask, np.nan, np.asarray(y, np.float64))
        others = {f"column {given!r}" for name, given in names.items() if name not in bounds and name != "y"}
        open_columns = ({*columns, own} if self.kind == "interval" else {*columns}) - others
        holes = [(column, mask) for column, mask in chunk.holes if column not in open_columns]
        lost = np.logical_or.reduce([mask for _, mask in holes]) if holes else None
        return replace(chunk, y=y, theta=tuple(theta), holes=holes, missing=lost)

    def ends(
        self, y: Array, given: Array, first: int, lost: Array | None, names: dict[str, str],
        locate: Callable[[int], str],
    ) -> tuple[Array, Array]:  # fmt: skip
        """Return the lower and the upper end of each row."""
        given = np.asarray(given, np.float64)
        known = np.ones(y.shape, bool) if lost is None else ~lost
        if self.kind == "interval":
            lower, upper = opened(y, -INF), opened(given, INF)
            wrong = known & ~(lower <= upper)
            words = "at least the lower end"
        else:
            seen = given != 0.0
            lower = y if self.kind == "right" else np.where(seen, y, -INF)
            upper = np.where(seen, y, INF) if self.kind == "right" else y
            wrong = known & (given != 0.0) & (given != 1.0) & ~np.isnan(given)
            upper = np.where(np.isnan(given), np.nan, upper)
            words = "1 (seen) or 0 (censored)"
        if wrong.any():
            i = int(np.argmax(wrong))
            found = f"{given[i]:g}" + (f" below {y[i]:g}" if self.kind == "interval" else "")
            raise DataError(f"{names['upper']} must be {words}; {locate(first + i)} has {found}")
        return lower, upper


def opened(values: Any, end: float) -> Any:
    """Return bounds with NaN, an empty cell, as an open end."""
    values = np.asarray(values, np.float64)
    found = np.where(np.isnan(values), end, values)
    return found if found.ndim else float(found)


def censored(time: Any, event: Any, *, side: str = "right") -> Observed:
    """Return observations of which some are known only to lie beyond a value.

    Parameters
    ----------
    time : values (n,), or the name of a column: when it happened, or until when it had not.
    event : 1 or True where `time` is exact, 0 or False where it is censored.
    side : "right": a censored value lies above `time`; "left": at or below it.

    Examples
    --------
    >>> import nll
    >>> seen = nll.censored([2.0, 5.0], [True, False])
    >>> nll.score(seen, nll.Exponential(rate=0.5)).sum  # 2 / 2 - log(1 / 2), and 5 / 2
    4.193147180559945
    """
    if side not in ("right", "left"):
        raise UsageError(f"side is 'right' or 'left'; got {side!r}")
    if not isinstance(event, str):
        try:
            shown, times = np.asarray(event), np.shape(time)
        except NOT_NUMBERS as error:
            raise DataError(f"time and event have one entry a row each: {first_line(error)}") from error
        if shown.dtype.kind in "UST" or (shown.dtype == object and any(isinstance(v, str) for v in shown.flat)):
            raise DataError(f"event must be 1 (seen) or 0 (censored); got text, such as {str(shown.flat[0])!r}")
        if shown.ndim == 1 and len(times) == 1 and shown.shape != times:
            raise DataError(f"time and event have one entry a row each; got {times[0]} and {shown.size}")
    return Observed(time, event, kind=side)


def interval(lower: Any, upper: Any) -> Observed:
    """Return observations that are known to lie in intervals, each (lower, upper].

    An end that is infinite, NaN or empty is open: the value is censored at the other one. A value whose two ends are
    equal is exact. Of counts, lower < y <= upper too: "3 to 5" is interval(2, 5).

    Parameters
    ----------
    lower, upper : the ends (n,), or names of columns.

    Examples
    --------
    >>> import nll
    >>> round(nll.score(nll.interval(40.0, 41.0), nll.Normal(loc=0.0, scale=1.0)).sum, 9)
    804.608442014
    """
    return Observed(lower, upper, kind="interval")


def truncated(y: Any, low: Any = None, high: Any = None) -> Observed:
    """Return observations that would not have been seen below `low` or above `high`: delayed entry, cut-offs.

    Each row's density is divided by P(low <= Y <= high). Rows are not thereby censored: what lies outside is not in
    the data at all.

    Parameters
    ----------
    y : values, or observations made by `censored` or `interval`.
    low, high : the bounds: numbers, arrays (n,) or names of columns; an empty one is open.

    Examples
    --------
    >>> import nll
    >>> nll.score(nll.truncated(5.0, low=3.0), nll.Exponential(rate=1.0)).sum
    2.0
    """
    if low is None and high is None:
        raise UsageError("truncated needs low=, high= or both")
    if isinstance(y, Observed):
        if y.truncated:
            raise UsageError("these observations are truncated already")
        return replace(y, low=low, high=high)
    return Observed(y, low=low, high=high)


def binned(edges: Any, counts: Any) -> Observed:
    """Return observations of which only the number in each bin is known: a histogram.

    Parameters
    ----------
    edges : (bins + 1,), ascending; the first may be -inf, the last inf. A bin is (lower edge, upper edge].
    counts : (bins,), how many values lie in each.

    Examples
    --------
    >>> import nll
    >>> seen = nll.binned([0.0, 1.0, float("inf")], [3, 1])
    >>> round(nll.fit(seen, nll.Exponential).params["rate"], 6)  # -log(1 / 4)
    1.386294
    """
    edges, counts = doubles(edges, "edges"), doubles(counts, "counts")
    if edges.ndim != 1 or counts.shape != (max(edges.size - 1, 0),) or counts.size == 0:
        raise DataError(f"n bins have n + 1 edges and n counts; got {edges.shape} edges and {counts.shape} counts")
    if not (edges[1:] > edges[:-1]).all():
        raise DataError("the edges of bins must ascend, without NaN")
    return Observed(edges[:-1], edges[1:], kind="interval", weights=counts)
