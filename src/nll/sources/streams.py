"""Tables that arrive as a stream of Arrow batches: readers, datasets, DuckDB, and whatever speaks Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from nll.errors import DataError, NllError, UsageError, first_line
from nll.sources.condition import Condition
from nll.sources.lazy import LazySource

# From the names of columns (None: all of them) to a new pyarrow.RecordBatchReader over the table.
Opener = Callable[[list[str] | None], Any]


class StreamSource(LazySource):
    """A table that is opened anew for each pass, and read batch by batch.

    Parameters
    ----------
    opener : starts a pass.
    schema : the types of the columns.
    once : whether it can be opened a single time.
    """

    def __init__(
        self,
        opener: Opener,
        schema: dict[str, pl.DataType],
        description: str,
        condition: Condition | None = None,
        once: bool = False,
    ) -> None:
        self._opener = opener
        self._once = once
        self._opened = 0
        self._rows: int | None = None
        super().__init__(register_io_source(self._read, schema=schema), description, condition)

    def _read(
        self,
        columns: list[str] | None,
        predicate: pl.Expr | None,
        rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        """Yield frames for Polars, which asks for columns, a filter and a number of rows."""
        self._check_first_pass()
        seen = kept = 0
        for batch in self._opener(columns):
            frame = pl.DataFrame(pl.from_arrow(batch))
            seen += frame.height
            frame = frame if columns is None else frame.select(columns)
            frame = frame if predicate is None else frame.filter(predicate)
            frame = frame if rows is None else frame.head(rows - kept)
            kept += frame.height
            yield frame
            if rows is not None and kept >= rows:
                return
        self._check_rows(seen)

    def _check_first_pass(self) -> None:
        self._opened += 1
        if self._once and self._opened > 1:
            raise UsageError(
                f"{self._table} can be read once, and a second pass is needed: "
                "pass the table itself (reader.read_all()) or a file"
            )

    def _check_rows(self, seen: int) -> None:
        """Raise DataError if a pass gave other rows than the last: a stream used up comes back empty and silent."""
        if self._rows is not None and seen != self._rows:
            raise DataError(
                f"{self._table} gave {self._rows} rows on one pass and {seen} on the next: "
                "it changed, or can be read only once; pass a table or a file"
            )
        self._rows = seen

    def _locate(self, row: int) -> str:
        if self._once and self.condition is not None:
            return f"row {row} of those where {self.condition.text}"
        return super()._locate(row)

    def _explain(self, error: BaseException, columns: list[str]) -> NllError:
        return DataError(f"{self._table} cannot be read: {type(error).__name__}: {first_line(error)}")


def from_reader(reader: Any, condition: Condition | None) -> StreamSource:
    """Return the source of a pyarrow RecordBatchReader, which can be read once."""
    return StreamSource(lambda _: reader, polars_schema(reader.schema), "the record batch reader", condition, once=True)


def from_dataset(dataset: Any, condition: Condition | None) -> StreamSource:
    """Return the source of a pyarrow Dataset."""

    def opener(columns: list[str] | None) -> Any:
        return dataset.scanner(columns=columns, batch_size=2**17, batch_readahead=4, fragment_readahead=2).to_reader()

    return StreamSource(opener, polars_schema(dataset.schema), "the Arrow dataset", condition)


def from_duckdb(relation: Any, condition: Condition | None) -> StreamSource:
    """Return the source of a DuckDB relation, which runs its query once a pass."""

    def opener(columns: list[str] | None) -> Any:
        import pyarrow as pa

        chosen = relation if columns is None else relation.project(", ".join(_quoted(name) for name in columns))
        return pa.RecordBatchReader.from_stream(chosen)

    return StreamSource(opener, polars_schema(_opened(opener).schema), "the DuckDB relation", condition)


def from_capsule(table: Any, condition: Condition | None) -> StreamSource:
    """Return the source of any object with the Arrow stream method."""

    def opener(columns: list[str] | None) -> Any:
        import pyarrow as pa

        # The first reader, opened for its schema, also serves the first pass: the object may give only one.
        return waiting.pop() if waiting else pa.RecordBatchReader.from_stream(table)

    waiting: list[Any] = []
    reader = _opened(opener)
    schema = polars_schema(reader.schema)
    waiting.append(reader)
    return StreamSource(opener, schema, f"the {type(table).__name__}", condition)


def polars_schema(schema: Any) -> dict[str, pl.DataType]:
    """Return the Polars types of a pyarrow schema."""
    return dict(pl.DataFrame(pl.from_arrow(schema.empty_table())).schema)


def _opened(opener: Opener) -> Any:
    try:
        return opener(None)
    except Exception as error:  # of any library that exports Arrow
        raise DataError(f"the table cannot be read as Arrow: {type(error).__name__}: {first_line(error)}") from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
