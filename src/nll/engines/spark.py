"""Passes on Spark: partitions or files go to Python workers, states merge there in a tree, few come back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import finalize

from nll.engines.local import Progress
from nll.engines.placed import FAN_IN, GroupPass, Pass, Placed
from nll.engines.spark_run import gathered, java_missing, own_python, said, spoken
from nll.engines.spark_work import (
    OUTCOME,
    PACKED,
    Rows,
    Several,
    file_outcomes,
    merged_outcomes,
    packed,
    row_outcomes,
    together,
)
from nll.errors import MissingExtraError, UsageError, unknown

if TYPE_CHECKING:
    import polars as pl

    from nll.engines.spark_groups import SparkGroups
    from nll.sources.condition import Condition
    from nll.sources.files import FileSource

Work = Callable[[Any], Any]  # from the Arrow batches of a partition to others
ROWS_IN_PART = 2**24  # of a Parquet file; a task costs Spark some 60 ms, in which a worker scores millions of rows
BYTES_IN_BATCH = "spark.sql.execution.arrow.maxBytesPerBatch"
NO_SESSION = (
    "there is no Spark session: make one, SparkSession.builder.getOrCreate(), or pass a master such as 'local[4]'"
)


class Spark:
    """Runs passes on the workers of a Spark session.

    Parameters
    ----------
    session : a ``SparkSession``, classic or Connect; a master, such as "local[4]" or "spark://host:7077", or an
        address of Connect, such as "sc://host:15002"; by default the session in use.
    rows : about how many rows of a Parquet file make a part.

    Raises
    ------
    MissingExtraError : Spark is not installed.
    UsageError : there is no Java, or no session.

    Examples
    --------
    >>> from pyspark.sql import SparkSession  # doctest: +SKIP
    >>> session = SparkSession.builder.getOrCreate()  # doctest: +SKIP
    >>> nll.score("y", dist, data="preds/*.parquet", engine=nll.engines.Spark(session))  # doctest: +SKIP
    >>> nll.score("y", dist, data=session.table("preds"))  # doctest: +SKIP
    """

    def __init__(self, session: Any = None, *, rows: int = ROWS_IN_PART) -> None:
        self.session, self.rows = None if session is None else session_of(session), rows

    def place(self, data: Any, where: Any = None) -> Placed:
        """Return a table, a Spark DataFrame or files, as one whose passes run on Spark."""
        if is_frame(data):
            return spark_frame(data, where)
        from nll.sources import open_source
        from nll.sources.files import FileSource

        source = open_source(data, where)
        if not isinstance(source, FileSource):
            raise UsageError(f"Spark reads files and Spark DataFrames; {source.description} is in this process")
        return SparkFiles(session_of(self.session), source, self.rows)

    def gather(self, run: Callable[[Any], Any], jobs: Sequence[Any], progress: Progress | None = None) -> Any:
        """Return the states of jobs, merged in their order; None of no jobs."""
        return gathered_jobs(session_of(self.session), run, jobs, progress) if jobs else None


def session_of(session: Any) -> Any:
    """Return a session: the one given, one of a master or an address, or the one in use."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError("spark", error.name or "pyspark") from error
    if isinstance(session, str):
        return _started(session)
    if session is None:
        session = SparkSession.getActiveSession()
        if session is None:
            raise UsageError(NO_SESSION)
    if not hasattr(session, "createDataFrame"):
        raise UsageError(f"session is a SparkSession, a master or an address of Connect; got {session!r}")
    return session


def _started(master: str) -> Any:
    from pyspark.sql import SparkSession

    builder: Any = SparkSession.builder
    why = "" if master.startswith("sc://") else java_missing()
    if why:
        raise UsageError(f"Spark needs Java 17 or later: {why}")
    try:
        return (builder.remote(master) if master.startswith("sc://") else builder.master(master)).getOrCreate()
    except Exception as error:
        raise UsageError(f"no Spark session at {master!r}: {said(error)}") from error


def is_frame(data: Any) -> bool:
    """Whether this is a DataFrame of Spark, classic or Connect."""
    return type(data).__module__.partition(".")[0] == "pyspark" and hasattr(data, "mapInArrow")


class SparkFiles(Placed):
    """Files that all workers see at the same paths.

    The workers read them as this process would, so that the numbers and the words of errors are the same.
    """

    def __init__(self, session: Any, source: FileSource, rows: int) -> None:
        self.session, self.source, self.rows = session, source, rows
        super().__init__(source.description, None)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column, in the table's order."""
        return self.source.schema

    def reduce(self, run: Pass, columns: Sequence[str], progress: Progress | None = None) -> Any:
        """Return the state of all parts."""
        return gathered_jobs(self.session, Several(run), together(self.source.parts(self.rows)), progress)

    def grouped(self, run: GroupPass, columns: Sequence[str], by: Sequence[str]) -> SparkGroups:
        """Return the groups of all rows."""
        from nll.engines.spark_groups import frame_of_parts, grouped_frame

        frame = frame_of_parts(self.session, self.source.parts(self.rows), columns, self.schema)
        return grouped_frame(frame, run, columns, by, Rows(columns, None, False), self.schema)

    def _locate(self, row: int) -> str:
        return self.source.locate(row)


class SparkFrame(Placed):
    """A Spark DataFrame.

    Parameters
    ----------
    frame : it, or what `packed` made of it.
    schema : the type of each column.
    where : which rows to keep.
    inside : the columns that are in `frame` where it is packed.
    """

    def __init__(
        self, frame: Any, schema: dict[str, pl.DataType], where: Condition | None, inside: Sequence[str] | None = None
    ) -> None:
        self.frame, self._schema, self.inside = frame, schema, inside
        self.levels = 1  # until a pass has counted the partitions, which a plan does not know
        super().__init__("the Spark DataFrame", where)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column, in the table's order."""
        return dict(self._schema)

    def reduce(self, run: Pass, columns: Sequence[str], progress: Progress | None = None) -> Any:
        """Return the state of all partitions."""
        from nll.sources.frames import FrameSource

        needed = self._needed(columns) if self.inside is None else list(self.inside)
        rows = Rows(needed, self.condition and self.condition.given, self.inside is not None)
        with spoken():
            frame = self._selected(needed) if self.inside is None else self.frame
            outcomes = mapped(frame, row_outcomes(run, rows), OUTCOME)
            found, parts = reduced(self.frame.sparkSession, outcomes, self.levels, progress)
        self.levels = levels_of(parts)
        if found is None:  # not a single row
            import polars as pl

            blank = pl.DataFrame(schema={name: self._schema[name] for name in needed})
            return run(FrameSource(blank, self._table, self.condition))
        return found

    def kept(self, columns: Sequence[str]) -> Placed:
        """Return the table with these columns in the memory of Spark, until it is no longer used."""
        needed = self._needed(columns)
        with spoken():
            if self.frame.sparkSession.conf.get(BYTES_IN_BATCH, "1b") == "1b":
                return self  # an older Spark, which would send all cells of a partition at once
            frame = mapped(self._selected(needed), packed(needed), PACKED).persist()
        there = SparkFrame(frame, self._schema, self.condition, needed)
        finalize(there, _released, frame).atexit = False
        return there

    def grouped(self, run: GroupPass, columns: Sequence[str], by: Sequence[str]) -> SparkGroups:
        """Return the groups of all rows."""
        from nll.engines.spark_groups import grouped_frame

        needed = self._needed(columns)
        rows = Rows(needed, self.condition and self.condition.given, False)
        with spoken():
            frame = self._selected(needed)
        return grouped_frame(frame, run, columns, by, rows, self._schema)

    def require(self, names: Sequence[str]) -> None:
        """Raise UsageError unless every name is a column, of a type that Arrow has."""
        super().require(names)
        import polars as pl

        for name in names:
            if self._schema[name] == pl.Unknown:
                kind = self.frame.schema[name].dataType.simpleString()
                raise UsageError(f"column {name!r} is of Spark's type {kind}, which Arrow has not: cast it first")
        twice = [name for name in names if self.inside is None and self.frame.columns.count(name) > 1]
        if twice:
            raise UsageError(f"two columns of the Spark DataFrame are named {twice[0]!r}: rename one")

    def _needed(self, columns: Sequence[str]) -> list[str]:
        if self.condition is None:
            return list(dict.fromkeys(columns))
        read = self.condition.columns
        return list(dict.fromkeys([*columns, *(self.schema if read is None else read)]))

    def _selected(self, needed: list[str]) -> Any:
        """Return the frame with these columns alone, and without rows that Spark can tell are not wanted."""
        every = list(self.frame.columns)
        # By number: names may hold dots, and Spark takes those that differ in case alone for the same.
        frame = self.frame.toDF(*(f"c{i}" for i in range(len(every))))
        place = {name: f"c{every.index(name)}" for name in needed}
        if self.condition is not None:
            from nll.engines.spark_where import terms

            for name, compare, value in terms(self.condition, self._schema):
                frame = frame.filter(compare(frame[place[name]], value))
        return frame.select(*place.values())


def spark_frame(frame: Any, where: Any = None) -> SparkFrame:
    """Return a Spark DataFrame as a table.

    Raises
    ------
    UsageError : it is a stream, or the condition looks at more than a row.
    """
    from nll.sources.condition import condition

    with spoken():
        if frame.isStreaming:
            raise UsageError("the Spark DataFrame is a stream without end: pass a table, or what foreachBatch gives")
        schema = schema_of(frame)
    kept = condition(where)
    if kept is not None:
        for name in kept.columns or []:
            if name not in schema:
                raise UsageError(f"where={kept.text!r}: {unknown('column', name, schema, 'the Spark DataFrame')}")
        if not kept.by_row(schema):
            raise UsageError(f"where={kept.text!r} looks at the whole table, of which each worker sees a part")
    return SparkFrame(frame, schema, kept)


def schema_of(frame: Any) -> dict[str, pl.DataType]:
    """Return the type of each column; Unknown for one that has no counterpart in Arrow."""
    import polars as pl
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_type

    from nll.sources.streams import polars_schema

    found: dict[str, pl.DataType] = {}
    for field in frame.schema.fields:
        try:
            found |= polars_schema(pa.schema([(field.name, to_arrow_type(field.dataType))]))
        except Exception:
            found[field.name] = pl.Unknown()
    return found


def gathered_jobs(session: Any, run: Callable[[Any], Any], jobs: Sequence[Any], progress: Progress | None) -> Any:
    """Return the states of jobs, merged in their order."""
    with spoken():
        numbers = session.range(0, len(jobs), 1, len(jobs))  # a partition each
        outcomes = mapped(numbers, file_outcomes(run, jobs), OUTCOME)
        return reduced(session, outcomes, levels_of(len(jobs)), progress)[0]


def mapped(frame: Any, work: Work, schema: str) -> Any:
    """Return what a function makes of the Arrow batches of each partition."""
    with own_python(frame.sparkSession):
        return frame.mapInArrow(work, schema)


def levels_of(parts: int) -> int:
    """Return how often states merge on workers until the driver has at most FAN_IN of them."""
    return max(0, math.ceil(math.log(max(parts, 1), FAN_IN) - 1e-9) - 1)


def reduced(session: Any, outcomes: Any, levels: int, progress: Progress | None) -> tuple[Any, int]:
    """Return the merged state of all outcomes, None without any, and the number of parts."""
    # Left to choose, adaptive execution takes one task for small states, and several for large ones.
    several = [] if levels and session.conf.get("spark.sql.adaptive.enabled", "true") == "true" else [FAN_IN]
    for _ in range(levels):
        outcomes = mapped(outcomes.repartition(*several, "follower"), merged_outcomes(), OUTCOME)
    return gathered(session, outcomes, progress)


def _released(frame: Any) -> None:
    with suppress(Exception):  # the session has ended, and with it what it kept
        frame.unpersist()
