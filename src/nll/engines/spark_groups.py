"""Tables of groups on Spark: rows are repartitioned by their group, and each worker scores those that it has."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from nll.engines.placed import GroupPass
from nll.engines.spark import mapped
from nll.engines.spark_run import spoken, watched
from nll.engines.spark_work import Rows, partition, ready
from nll.errors import UsageError
from nll.sources import Source
from nll.sources.condition import condition
from nll.sources.frames import FrameSource

if TYPE_CHECKING:
    import pyarrow as pa

    from nll.engines.spark_work import Batches

SHUFFLED = "a partition of the Spark DataFrame after its rows were shuffled by their groups"
Schema = dict[str, Any]


class SparkGroups:
    """A Spark DataFrame with a row for each group.

    Attributes
    ----------
    table : it, computed when it is asked for.
    """

    def __init__(self, table: Any) -> None:
        self.table = table

    def write(self, folder: str) -> int:
        """Write it as a folder of Parquet files, and return how many groups there are."""
        if Path(folder).exists():
            raise UsageError(f"{folder} is there already: name a folder that is new")
        session = self.table.sparkSession

        def work() -> int:
            self.table.write.parquet(folder)
            return session.read.parquet(folder).count()

        with spoken():
            return watched(session, work, None)


def grouped_frame(
    frame: Any, run: GroupPass, columns: Sequence[str], by: Sequence[str], rows: Rows, schema: Schema
) -> SparkGroups:
    """Return the groups of a Spark DataFrame.

    Parameters
    ----------
    frame : the rows, whose columns are called c0, c1, ... in the order of `rows.names`.
    run, columns, by : the pass, what it reads, and whose values make groups.
    rows : how a partition is read.
    schema : the types of the columns.
    """
    blank = pl.DataFrame(schema={name: schema[name] for name in columns})
    made = run(blank, _origin(blank))
    places = {name: f"c{rows.names.index(name)}" for name in by}
    with spoken():
        for name, place in places.items():
            if schema[name].is_float():  # Spark deals 0.0 and -0.0 apart
                frame = frame.withColumn(place, frame[place] + 0.0)
        dealt = frame.repartition(*places.values())
        return SparkGroups(mapped(dealt, scored(run, rows, list(columns)), spark_schema(made)))


def frame_of_parts(session: Any, parts: Sequence[Source], columns: Sequence[str], schema: Schema) -> Any:
    """Return parts of files as a Spark DataFrame with columns c0, c1, ..., which workers read as this process would."""
    blank = pl.DataFrame(schema={f"c{i}": schema[name] for i, name in enumerate(columns)})
    with spoken():
        numbers = session.range(0, len(parts), 1, len(parts))
        return mapped(numbers, rows_of_parts(parts, list(columns), blank), spark_schema(blank))


def spark_schema(frame: pl.DataFrame) -> Any:
    """Return the schema that Spark has for a frame."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(arrow(frame).schema)


def arrow(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as a table of types that Spark has: its whole numbers have signs."""
    signed = {pl.UInt8: pl.Int16, pl.UInt16: pl.Int32, pl.UInt32: pl.Int64, pl.UInt64: pl.Decimal(20, 0)}
    plain = [pl.col(name).cast(signed[kind]) for name, kind in frame.schema.items() if kind in signed]
    texts = pl.selectors.categorical() | pl.selectors.enum()
    return frame.with_columns(plain).with_columns(texts.cast(pl.String)).to_arrow(
        compat_level=pl.CompatLevel.oldest()
    )  # fmt: skip


def _origin(frame: pl.DataFrame) -> Source:
    return FrameSource(frame, "the Spark DataFrame", None, SHUFFLED)


def scored(run: GroupPass, rows: Rows, columns: list[str]) -> Callable[[Batches], Batches]:
    """Return what makes a row for each group of a partition."""

    def work(batches: Batches) -> Batches:
        ready()
        frames = list(rows.frames(batches))
        if frames:
            frame = pl.concat(frames)
            kept = condition(rows.where)
            frame = (frame if kept is None else frame.filter(kept.expression)).select(columns)
            if frame.height:
                yield from arrow(run(frame, _origin(frame))).to_batches()

    return work


def rows_of_parts(parts: Sequence[Source], columns: list[str], blank: pl.DataFrame) -> Callable[[Batches], Batches]:
    """Return what reads the part of files that has the number of the partition."""
    written = [pickle.dumps(part) for part in parts]
    names = dict(zip(columns, blank.columns, strict=True))
    schema = blank.schema

    def work(batches: Batches) -> Batches:
        for _ in batches:
            ready()
            for batch in pickle.loads(written[partition()]).batches(columns):
                yield from arrow(batch.frame.rename(names).cast(dict(schema))).to_batches()

    return work
