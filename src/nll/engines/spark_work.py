"""What Spark's Python workers do: they read partitions or files, and merge the states of consecutive ones."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from nll.engines.dask import Failure, merged, outcome_of
from nll.engines.placed import FAN_IN, Pass, followed
from nll.errors import DataError, NllError, UsageError, first_line
from nll.sources import Source
from nll.sources.condition import Condition, condition
from nll.sources.files import FileSource
from nll.sources.paths import is_remote

if TYPE_CHECKING:
    import pyarrow as pa

    Batches = Iterator[pa.RecordBatch]

# The first partition whose rows a state has seen, the number of the state that merges it, and the last partition.
OUTCOME = "part long, follower long, last long, state binary"
PACKED = "rows binary"
ROWS_IN_FRAME = 2**18  # Spark sends 10,000 at once, for which a call of a kernel is too dear
BYTES_IN_FRAME = 2**25
BYTES_IN_TASK = 2**26  # of small files
BYTES_TO_OPEN = 2**22  # what it costs to open a file, as reading


@dataclass(frozen=True, slots=True)
class Rows:
    """How the rows of a partition are read.

    Parameters
    ----------
    names : of the columns, which Spark numbers.
    where : which rows to keep.
    packed : whether each cell is a table as `packed` wrote it.
    """

    names: Sequence[str]
    where: Any
    packed: bool

    def frames(self, batches: Batches) -> Iterator[pl.DataFrame]:
        """Yield the rows in frames of a size that kernels like."""
        if not self.packed:
            yield from gathered_frames(batches, self.names)
            return
        for batch in batches:
            for cell in batch.column(0):
                yield pl.read_ipc_stream(cell.as_buffer().to_pybytes())


class Partition(Source):
    """The rows of a partition, which stream by once.

    Parameters
    ----------
    frames : the rows; at least one frame.
    number : of the partition.
    where : which rows to keep.
    """

    def __init__(self, frames: Iterator[pl.DataFrame], number: int, where: Condition | None) -> None:
        first = next(frames)
        self.frames, self._schema = frames, dict(first.schema)
        self.first: pl.DataFrame | None = first
        super().__init__(f"partition {number} of the Spark DataFrame", where)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column."""
        return dict(self._schema)

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        frame, self.first = self.first, None
        if frame is None:
            raise UsageError(f"{self.description} is read twice, and its rows have gone by: pass files")
        while frame is not None:
            yield (frame if self.condition is None else frame.filter(self.condition.expression)).select(columns)
            frame = next(self.frames, None)

    def _locate(self, row: int) -> str:
        return f"row {row} of {self.description}"

    def _explain(self, error: BaseException, columns: list[str]) -> NllError:
        return DataError(f"{self.description} cannot be read: {type(error).__name__}: {first_line(error)}")


@dataclass(frozen=True, slots=True)
class Several:
    """A pass over consecutive parts of files."""

    run: Pass

    def __call__(self, parts: Sequence[Source]) -> Any:
        """Return the state of all of them."""
        return followed([self.run(part) for part in parts])


def together(parts: Sequence[Source]) -> list[list[Source]]:
    """Return the parts of files in groups, each the work of a task: small files of this machine go together."""
    groups: list[list[Source]] = []
    room = 0
    for part in parts:
        size = BYTES_IN_TASK
        if isinstance(part, FileSource) and part.span is None and not any(map(is_remote, part.paths)):
            with suppress(OSError):  # reading it says what is wrong
                size = sum(Path(path).stat().st_size + BYTES_TO_OPEN for path in part.paths)
        if not groups or size > room or len(groups[-1]) == FAN_IN:
            groups.append([])
            room = BYTES_IN_TASK
        groups[-1].append(part)
        room -= size
    return groups


def gathered_frames(batches: Batches, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows of small Arrow batches as frames of many rows with these columns."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if batch.num_rows:
            held.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= ROWS_IN_FRAME or size >= BYTES_IN_FRAME:
            yield pl.DataFrame(pl.from_arrow(pa.Table.from_batches(held).rename_columns(list(names))))
            held, rows, size = [], 0, 0
    if held:
        yield pl.DataFrame(pl.from_arrow(pa.Table.from_batches(held).rename_columns(list(names))))


# Spark sends each of these inner functions as code, and finds what it calls by its module.


def row_outcomes(run: Pass, rows: Rows) -> Callable[[Batches], Batches]:
    """Return what makes one outcome of a partition of a frame; none of one without rows."""

    def work(batches: Batches) -> Batches:
        number = partition()
        ready()
        frames = rows.frames(batches)
        first = next(frames, None)
        if first is not None:
            yield row_of(number, number, outcome_of_rows(run, chained(first, frames), number, rows.where))

    return work


def file_outcomes(run: Callable[[Any], Any], parts: Sequence[Any]) -> Callable[[Batches], Batches]:
    """Return what makes one outcome of the part of files, or the job, that has the number of the partition."""
    written = [pickle.dumps(part) for part in parts]  # a task makes one part, not all

    def work(batches: Batches) -> Batches:
        for _ in batches:
            ready()
            number = partition()
            yield row_of(number, number, outcome_of(run, pickle.loads(written[number])))

    return work


def merged_outcomes() -> Callable[[Batches], Batches]:
    """Return what merges the outcomes that have one follower."""

    def work(batches: Batches) -> Batches:
        rows = sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: row["part"])
        for follower, group in groupby(rows, key=lambda row: row["follower"]):
            several = list(group)
            yield row_of(follower, several[-1]["last"], merged([pickle.loads(row["state"]) for row in several]))

    return work


def packed(names: Sequence[str]) -> Callable[[Batches], Batches]:
    """Return what writes many rows into one cell, from which they come back without a conversion of each."""

    def work(batches: Batches) -> Batches:
        import pyarrow as pa

        for frame in gathered_frames(batches, names):
            yield pa.RecordBatch.from_pydict({"rows": pa.array([written(frame)], pa.binary())})

    return work


def outcome_of_rows(run: Pass, frames: Iterator[pl.DataFrame], number: int, where: Any) -> Any:
    """Return the state of a partition, or why there is none."""
    try:
        return run(Partition(frames, number, condition(where)))
    except NllError as error:
        return Failure(error)


def row_of(part: int, last: int, outcome: Any) -> pa.RecordBatch:
    """Return the row of an outcome."""
    import pyarrow as pa

    columns = {"part": pa.array([part]), "follower": pa.array([part // FAN_IN]), "last": pa.array([last])}
    return pa.RecordBatch.from_pydict({**columns, "state": pa.array([pickle.dumps(outcome, 5)], pa.binary())})


def chained(first: pl.DataFrame, others: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield a frame, and then others."""
    yield first
    yield from others


def written(frame: pl.DataFrame) -> bytes:
    """Return a frame as bytes of Arrow."""
    from io import BytesIO

    file = BytesIO()
    frame.write_ipc_stream(file)
    return file.getvalue()


def partition() -> int:
    """Return the number of the partition that this worker has before it."""
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None
    return context.partitionId()


def ready() -> None:
    """Let Numba keep its kernels in the folder of the application where it can write neither here nor at home."""
    own, home = Path(__file__).parents[1], Path.home()
    if "NUMBA_CACHE_DIR" not in os.environ and not os.access(own, os.W_OK) and not os.access(home, os.W_OK):
        from pyspark import SparkFiles

        os.environ["NUMBA_CACHE_DIR"] = str(Path(SparkFiles.getRootDirectory()) / "numba")
