"""Rows as cells: distinct forecasts with what happened, counted. Nothing else of the rows is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.kernels.sorting import merged, sort

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
PENDING = 2**24  # forecasts that wait before equal ones are counted together


@dataclass(frozen=True)
class Cells:
    """Rows of equal forecast, outcome, weight and cluster, in increasing order of the forecast.

    Attributes
    ----------
    forecast : (m,) probabilities, or log-odds where `logits`.
    happened : (m,) whether the event did. count : (m,) rows of the cell.
    weight, cluster : (m,) of each of these rows, or None.
    """

    forecast: Array
    happened: Array
    count: Array
    weight: Array | None = None
    cluster: Array | None = None
    logits: bool = False

    @cached_property
    def mass(self) -> Array:
        """The weight of each cell: its rows, times their weight."""
        return self.count.astype(np.float64) if self.weight is None else self.count * self.weight

    @cached_property
    def distinct(self) -> int:
        """How many forecasts differ."""
        f = self.forecast
        return int(np.count_nonzero(f[1:] != f[:-1])) + 1 if f.size else 0

    def clusters(self) -> int:
        """How many clusters there are."""
        return 0 if self.cluster is None else int(self.cluster.max()) + 1


@dataclass(slots=True)
class Counted:
    """Numbers that arrive in any order, equal ones counted together: memory grows with the distinct ones."""

    waiting: list[Array] = field(default_factory=list)
    size: int = 0
    limit: int = PENDING
    values: Array = field(default_factory=lambda: np.empty(0))
    counts: Array = field(default_factory=lambda: np.empty(0, np.int64))

    def add(self, values: Array) -> None:
        """Add numbers."""
        self.waiting.append(values)
        self.size += values.size
        if self.size > self.limit:
            self.settle(keep=True)

    def settle(self, keep: bool = False) -> None:
        """Count what waits; with `keep`, numbers that hardly repeat go on waiting, as they need no counts."""
        if not self.waiting:
            return
        values = sort(np.concatenate(self.waiting))
        starts = (
            np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if values.size else np.empty(0, int)
        )
        if keep and 2 * starts.size > values.size:
            self.waiting, self.limit = [values], 2 * values.size
            return
        counts = np.diff(np.append(starts, values.size))
        self.waiting, self.size = [], 0
        if not self.values.size:
            self.values, self.counts = values[starts], counts
            return
        both = np.concatenate([self.values, values[starts]])
        self.values, which = np.unique(both, return_inverse=True)
        total = np.zeros(self.values.size, np.int64)
        np.add.at(total, which, np.concatenate([self.counts, counts]))
        self.counts = total

    def merge(self, other: Counted) -> None:
        """Add the numbers of another."""
        if other.values.size:
            self.settle()
            mine, theirs = (self.values, self.counts), (other.values, other.counts)
            self.values, which = np.unique(np.concatenate([mine[0], theirs[0]]), return_inverse=True)
            self.counts = np.zeros(self.values.size, np.int64)
            np.add.at(self.counts, which, np.concatenate([mine[1], theirs[1]]))
        for values in other.waiting:
            self.add(values)


@dataclass(slots=True)
class Pair:
    """The forecasts of events that did not happen, and of those that did."""

    sides: tuple[Counted, Counted] = field(default_factory=lambda: (Counted(), Counted()))

    def add(self, forecast: Any, happened: Array) -> None:
        """Add rows."""
        forecast = np.broadcast_to(np.asarray(forecast, np.float64), happened.shape) + 0.0  # -0.0 is 0.0
        self.sides[0].add(forecast[~happened])
        self.sides[1].add(forecast[happened])

    def merge(self, other: Pair) -> None:
        """Add the rows of another."""
        for mine, theirs in zip(self.sides, other.sides, strict=True):
            mine.merge(theirs)

    def cells(self, logits: bool) -> Cells:
        """Return the rows as cells."""
        with ThreadPoolExecutor(2) as pool:  # sorting leaves Python's lock to others
            list(pool.map(Counted.settle, self.sides))
        no, yes = self.sides
        forecast, happened, count = merged(no.values, yes.values, no.counts, yes.counts)
        return Cells(forecast, happened, count, logits=logits)


@dataclass(slots=True)
class Frames:
    """Rows with groups, weights or clusters, equal ones counted together by Polars."""

    waiting: list[pl.DataFrame] = field(default_factory=list)
    size: int = 0
    limit: int = PENDING

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows, or counted rows."""
        self.waiting.append(frame)
        self.size += frame.height
        if self.size > self.limit:
            self.waiting = [self.counted()]
            self.size = self.waiting[0].height
            self.limit = max(PENDING, 2 * self.size)

    def counted(self) -> pl.DataFrame:
        """Return distinct rows with their count."""
        import polars as pl

        frame = pl.concat(self.waiting, how="vertical_relaxed")
        keys = [name for name in frame.columns if name != "count"]
        return frame.group_by(keys).agg(pl.col("count").sum())

    def merge(self, other: Frames) -> None:
        """Add the rows of another."""
        for frame in other.waiting:
            self.add(frame)


def cells_of(frame: pl.DataFrame, logits: bool) -> Cells:
    """Return the rows of one group as cells, in an order that does not depend on how they arrived."""
    names = [name for name in ("forecast", "happened", "weight", "cluster") if name in frame.columns]
    frame = frame.select(*names, "count").sort(names)
    cluster = None
    if "cluster" in names:
        cluster = frame["cluster"].rank("dense").fill_null(0).to_numpy()
        cluster = np.unique(cluster, return_inverse=True)[1]
    return Cells(
        frame["forecast"].to_numpy(),
        frame["happened"].to_numpy(),
        frame["count"].to_numpy().astype(np.int64),
        frame["weight"].to_numpy() if "weight" in names else None,
        cluster,
        logits,
    )
