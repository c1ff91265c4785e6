"""Tables in memory: Polars and pandas frames, dicts of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from nll.errors import DataError, UsageError, first_line
from nll.sources.condition import Condition
from nll.sources.lazy import LazySource
from nll.sources.source import BATCH_ROWS, Source


class FrameSource(LazySource):
    """A Polars frame in memory; its batches are slices of it, not copies.

    Parameters
    ----------
    place : what messages call the frame that a row is in, where a table has several.
    """

    def __init__(
        self, frame: pl.DataFrame, description: str, condition: Condition | None = None, place: str = ""
    ) -> None:
        self._frame, self._place = frame, place
        super().__init__(frame.lazy(), description, condition)

    def _locate(self, row: int) -> str:
        return f"row {self._row_of_table(row)}" + (f" of {self._place}" if self._place else "")

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        if self.condition is not None:
            yield from super()._frames(columns)
            return
        frame = self._frame.select(columns)
        for start in range(0, frame.height, BATCH_ROWS):
            yield frame.slice(start, BATCH_ROWS)


class KeptSource(FrameSource):
    """The rows of a part of another source, in memory; they are called what they are called there."""

    def __init__(self, frame: pl.DataFrame, origin: Source) -> None:
        super().__init__(frame, origin.description)
        self._origin = origin

    def __reduce__(self) -> Any:
        return KeptSource, (self._frame, self._origin)

    def _locate(self, row: int) -> str:
        return self._origin.locate(row)


def from_mapping(columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return a frame of named arrays or lists of one length; NumPy arrays are not copied.

    Raises
    ------
    UsageError
        If a name is no string or the lengths differ.
    DataError
        If an array is no column.
    """
    for name in columns:
        if not isinstance(name, str):
            raise UsageError(f"a column is named by a string, not by {name!r}")
    series = {name: _series(name, values) for name, values in columns.items()}
    lengths = {name: each.len() for name, each in series.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"columns differ in length: {', '.join(f'{name} has {n}' for name, n in lengths.items())}")
    return pl.DataFrame(list(series.values()))


def from_pandas(frame: Any) -> pl.DataFrame:
    """Return a pandas frame as a Polars frame, without its index; NaN, pandas' missing, becomes null."""
    names = [str(name) for name in frame.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two columns of the pandas frame are named {twice!r}: rename one")
    try:
        return pl.from_pandas(frame)
    except Exception as error:  # of pyarrow or Polars, by column type
        raise DataError(f"the pandas frame cannot be read: {first_line(error)}; drop or cast that column") from error


def _series(name: str, values: Any) -> pl.Series:
    if isinstance(values, pl.Series):
        return values.alias(name)
    if not hasattr(values, "__len__") and hasattr(values, "__array__"):
        values = values.__array__()
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise UsageError(f"column {name!r} must be an array or a list, not {type(values).__name__}")
    try:
        if hasattr(values, "__array__") and not hasattr(values, "__arrow_c_stream__"):
            values = values.__array__()  # torch and others; a NumPy array is returned as it is
        return pl.Series(name, values)
    except Exception as error:  # of Polars or NumPy, by the kind of value
        raise DataError(f"column {name!r} cannot be read as one column: {first_line(error)}") from error
