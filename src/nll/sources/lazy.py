"""Sources that Polars plans and runs: filters and columns are pushed down, rows arrive in streaming."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from nll.errors import DataError, NllError, first_line
from nll.sources.condition import Condition
from nll.sources.source import Source, is_failure

ROW = "row of the table"  # the column that counts rows; a table may have its own "index"


class LazySource(Source):
    """A source over a lazy frame.

    Parameters
    ----------
    lazy : the table.
    description : how messages call it.
    condition : which rows to keep.
    """

    def __init__(self, lazy: pl.LazyFrame, description: str, condition: Condition | None = None) -> None:
        self._lazy = lazy
        self._table = description
        self._schema = self._read_schema()
        super().__init__(description, condition)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column, in the table's order."""
        return dict(self._schema)

    def _read_schema(self) -> dict[str, pl.DataType]:
        try:
            return dict(self._lazy.collect_schema())
        except BaseException as error:
            if not is_failure(error):
                raise
            raise self._explain(error, []) from error

    def _needed(self, columns: list[str]) -> list[str]:
        """Return the columns to read: those asked for and those of the condition."""
        if self.condition is None:
            return columns
        read = self.condition.columns
        return list(dict.fromkeys([*columns, *(self.schema if read is None else read)]))

    def _plan(self, columns: list[str]) -> pl.LazyFrame:
        """Return the table with at least these columns, all rows."""
        return self._lazy

    def _filtered(self, lazy: pl.LazyFrame) -> pl.LazyFrame:
        return lazy if self.condition is None else lazy.filter(self.condition.expression)

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        # Without a chunk size the frames are those that Polars decodes (a row group, a block of CSV), in one
        # chunk each; with one they are glued from several. The query waits for its reader: memory is bounded.
        plan = self._filtered(self._plan(self._needed(columns))).select(columns)
        yield from plan.collect_batches(maintain_order=True, engine="streaming")

    def _locate(self, row: int) -> str:
        return f"row {self._row_of_table(row)}"

    def _row_of_table(self, row: int) -> int:
        """Return the index, among all rows of the table, of a row of the filtered stream."""
        if self.condition is None:
            return row
        needed = self._needed([]) or list(self.schema)[:1]
        plan = self._filtered(self._plan(needed).select(needed).with_row_index(ROW))
        return int(plan.select(ROW).slice(row, 1).collect(engine="streaming").item())

    def _explain(self, error: BaseException, columns: list[str]) -> NllError:
        return DataError(f"{self._table} cannot be computed: {type(error).__name__}: {first_line(error)}")
