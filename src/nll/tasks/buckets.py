"""A table dealt into files by its keys: all rows of a group are in one of them, in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nll.errors import DataError, NllError, first_line
from nll.sources.source import Batch, Source

Array = npt.NDArray[Any]

ROW = "row of the table"  # the column that says where a row was
BYTES_HELD = 2**27  # rows gather up to here before they are dealt: pieces of a bucket are then not tiny
BYTES_AT_ONCE = 2**29  # a bucket above this, as of one giant group, is read piece by piece
MOST_BUCKETS = 4096
SMALLEST = 4096  # hashes that a sketch keeps: an estimate is good to 1.6 %


class Sketch:
    """An estimate of how many different values there are, from the smallest of their hashes.

    Source: K. Beyer, P. J. Haas, B. Reinwald, Y. Sismanis and R. Gemulla, On synopses for distinct-value estimation
    under multiset operations, SIGMOD 2007: the unbiased estimate (k - 1) / U_(k).
    """

    def __init__(self) -> None:
        self.smallest = np.empty(0, np.uint64)

    def add(self, hashes: Array) -> None:
        """Add the hashes of some rows."""
        if len(self.smallest) == SMALLEST:
            hashes = hashes[hashes < self.smallest[-1]]
        self.smallest = np.unique(np.concatenate([self.smallest, hashes]))[:SMALLEST]

    def estimate(self) -> int:
        """Return about how many different hashes there were."""
        kept = len(self.smallest)
        return kept if kept < SMALLEST else int((SMALLEST - 1) * 2.0**64 / float(self.smallest[-1]))


def key_hashes(columns: Sequence[pl.Series]) -> Array:
    """Return a hash (n,) of each row of key columns, the same for keys that are equal in any batch."""
    return pl.DataFrame([_comparable(column).alias(str(i)) for i, column in enumerate(columns)]).hash_rows(7).to_numpy()


def _comparable(column: pl.Series) -> pl.Series:
    """Return a column whose equal values have equal hashes: 1 and 1.0, 0.0 and -0.0, categories of two batches."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float64, strict=False) + 0.0
    return column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column


@dataclass(slots=True)
class Bucket:
    """The rows of some groups in a file.

    Attributes
    ----------
    path : the file; several Arrow streams, one after the other.
    lengths : of the streams, in bytes.
    first, size : the rows of the buckets before it, and its own.
    """

    path: Path
    lengths: list[int] = field(default_factory=list)
    first: int = 0
    size: int = 0

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows."""
        content = BytesIO()
        frame.write_ipc_stream(content, compat_level=pl.CompatLevel.newest())
        with self.path.open("ab") as file:
            file.write(content.getbuffer())
        self.lengths.append(content.tell())
        self.size += frame.height

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the rows as they were added."""
        if not self.lengths:
            return
        with self.path.open("rb") as file:
            for length in self.lengths:
                yield pl.read_ipc_stream(BytesIO(file.read(length)))

    @property
    def large(self) -> bool:
        """Whether it is too large to be read at once."""
        return sum(self.lengths) > BYTES_AT_ONCE


def deal(
    source: Source, columns: Sequence[str], by: Sequence[str], count: int, folder: Path, done: Any
) -> list[Bucket]:
    """Return the rows of a table in `count` buckets by their keys, with the number of each row.

    Raises
    ------
    DataError : the disk is full, or fails; and what reading raises.
    """
    buckets = [Bucket(folder / f"{number}.arrow") for number in range(count)]
    held: list[pl.DataFrame] = []
    size = 0
    try:
        for batch in source.batches(columns):
            held.append(
                batch.frame.with_columns(pl.int_range(batch.first, batch.first + batch.frame.height).alias(ROW))
            )
            size += int(held[-1].estimated_size())
            if size >= BYTES_HELD:
                _spread(held, by, buckets)
                held, size = [], 0
            done(batch.frame.height)
        if held:
            _spread(held, by, buckets)
    except OSError as error:
        raise DataError(
            f"the rows cannot be sorted by group in {folder}: {error.strerror or first_line(error)}"
        ) from error
    first = 0
    for bucket in buckets:
        bucket.first = first
        first += bucket.size
    return buckets


def _spread(held: list[pl.DataFrame], by: Sequence[str], buckets: list[Bucket]) -> None:
    frame = stacked(held)
    number = (key_hashes([frame[name] for name in by]) % np.uint64(len(buckets))).astype(np.uint16)
    order = np.argsort(number, kind="stable")
    frame = frame[order]
    ends = np.cumsum(np.bincount(number, minlength=len(buckets))).tolist()
    for bucket, start, end in zip(buckets, [0, *ends[:-1]], ends, strict=True):
        if end > start:
            bucket.append(frame.slice(start, end - start))


def stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return frames as one in one chunk; a whole number may have become a float in a later one."""
    frames = [frame.with_columns(pl.selectors.categorical().cast(pl.String)) for frame in frames]
    return pl.concat(frames, how="vertical_relaxed").rechunk()


class BucketSource(Source):
    """The rows of a bucket, which messages call what they are called in the table they came from."""

    def __init__(self, frames: Any, origin: Source, schema: dict[str, pl.DataType]) -> None:
        self._make, self.origin, self._types = frames, origin, schema
        super().__init__(origin.description, None)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column, in the table's order."""
        return self._types

    def number(self, row: int) -> int:
        """Return the number of a row in the table; its own where nobody noted that."""
        if ROW not in self._types:
            return row
        first = 0
        for frame in self._make():
            if row < first + frame.height:
                return int(frame[ROW][row - first])
            first += frame.height
        raise IndexError(row)

    def _batches(self, columns: list[str]) -> Any:
        first = 0
        for frame in self._make():  # whole: a batch goes through its keys, whatever their number
            yield Batch(frame.select(columns).rechunk(), first)
            first += frame.height

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        for frame in self._make():
            yield frame.select(columns)

    def _locate(self, row: int) -> str:
        return self.origin.locate(self.number(row))

    def _explain(self, error: BaseException, columns: list[str]) -> NllError:
        return DataError(f"the sorted rows of {self.description} cannot be read: {first_line(error)}")
