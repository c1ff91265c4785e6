"""What a source is: a table of any kind and size, read as batches of columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from nll.errors import NllError, UsageError, unknown
from nll.sources.condition import Condition

BATCH_ROWS = 2**18  # rows of a slice: a few megabytes a column, enough to hide the cost of a batch
NATURAL_ROWS = 2**20  # a batch as the file has it (a row group) stays whole up to here


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of a source.

    Parameters
    ----------
    frame : the columns asked for, each in one contiguous chunk; at least one row.
    first : index of the batch's first row among the rows of the source that pass its condition.
    """

    frame: pl.DataFrame
    first: int


class Source(ABC):
    """A table that is read in passes, each of which gives the same rows in the same order.

    A subclass says where frames come from (`_frames`), what its columns are, where a row lies, and what
    a failure of the library below means. Everything else is here.
    """

    def __init__(self, description: str, condition: Condition | None) -> None:
        self.condition = condition
        self._table = description
        if condition is not None:
            condition.check(self.schema, description)

    @property
    def description(self) -> str:
        """A short text for results and messages: "preds/*.parquet (12 files) where p > 0.5"."""
        return self._table if self.condition is None else f"{self._table} where {self.condition.text}"

    @property
    @abstractmethod
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column, in the table's order."""

    def parts(self, rows: int | None = None) -> list[Source]:
        """Return sources that hold the same rows one after the other, of about `rows` rows if they can be cut."""
        return [self]

    def require(self, names: Sequence[str]) -> None:
        """Raise UsageError unless every name is a column."""
        schema = self.schema
        for name in names:
            if not isinstance(name, str):
                raise UsageError(f"a column is named by a string, not by {name!r}")
            if name not in schema:
                raise UsageError(unknown("column", name, schema, self._table) + _separator_hint(list(schema)))

    def batches(self, columns: Sequence[str]) -> Generator[Batch, None, None]:
        """Yield the rows that pass the condition, in order, with these columns.

        Memory does not grow with the rows; `close()` ends the reading early. A whole-number column of a
        text file may arrive as Float64 from the first batch on that needs it.

        Raises
        ------
        UsageError
            At the call, if a column is missing.
        DataError
            While iterating, if the data cannot be read.
        """
        wanted = list(dict.fromkeys(columns))
        if not wanted:
            raise UsageError("name at least one column to read")
        self.require(wanted)
        return self._batches(wanted)

    def locate(self, row: int) -> str:
        """Return where a row of the filtered stream lies, for messages: "row 17 of preds/a.parquet".

        Rows count from 0, without a header. May read the data again; if that fails, the row itself
        is named.
        """
        try:
            return self._locate(row)
        except (
            Exception,
            pl.exceptions.PanicException,
        ):  # it only serves another error's message, which must not be lost
            return f"row {row} of {self.description}"

    def _batches(self, columns: list[str]) -> Generator[Batch, None, None]:
        first = 0
        frames = self._frames(columns)
        while True:
            try:
                frame = next(frames, None)
            except BaseException as error:
                if not is_failure(error):
                    raise
                raise self._explain(error, columns) from error
            if frame is None:
                return
            for piece in _pieces(frame):
                yield Batch(piece, first)
                first += piece.height

    @abstractmethod
    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        """Yield frames of any height, filtered, in order; bounded in memory if the table allows it."""

    @abstractmethod
    def _locate(self, row: int) -> str: ...

    @abstractmethod
    def _explain(self, error: BaseException, columns: list[str]) -> NllError:
        """Return our error for a failure of the library below."""


def is_failure(error: BaseException) -> bool:
    """Whether an exception is a failure to read, to be explained; ours and an interruption pass as they are."""
    if isinstance(error, NllError):
        return False
    # A panic of Polars does not derive from Exception.
    return isinstance(error, (Exception, pl.exceptions.PanicException))


def _pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    step = frame.height if frame.height <= NATURAL_ROWS else BATCH_ROWS
    for start in range(0, frame.height, max(step, 1)):
        piece = frame.slice(start, step)
        chunked = any(column.n_chunks() > 1 for column in piece.iter_columns())
        yield piece.rechunk() if chunked else piece


def _separator_hint(names: list[str]) -> str:
    for separator in (";", "\t", "|"):
        if len(names) == 1 and separator in names[0]:
            return (
                f"; the columns seem to be separated by {separator!r}: "
                f"pass pl.scan_csv(path, separator={separator!r}) as the data"
            )
    return ""
