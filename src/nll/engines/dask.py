"""Passes on a Dask cluster: parts go to workers, states merge there in a tree, one state comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.engines.dask_groups import DaskGroups, frame_of_parts, grouped_frame
from nll.engines.local import Progress
from nll.engines.placed import FAN_IN, GroupPass, Pass, Placed, followed
from nll.errors import EngineError, MissingExtraError, NllError, UsageError, first_line

if TYPE_CHECKING:
    import polars as pl

    from nll.sources import Source
    from nll.sources.files import FileSource

ROWS_IN_PART = 2**22  # of a Parquet file


class Dask:
    """Runs passes on the workers of a Dask cluster.

    Parameters
    ----------
    client : a ``distributed.Client`` or the address of a scheduler; by default the client in use.
    retries : how often a task is tried again whose worker failed. An error of the data is not tried again.
    rows : about how many rows of a Parquet file make a part.

    Raises
    ------
    UsageError : there is no client.

    Examples
    --------
    >>> from distributed import Client  # doctest: +SKIP
    >>> nll.score("y", dist, data="preds/*.parquet", engine=nll.engines.Dask(Client()))  # doctest: +SKIP
    """

    def __init__(self, client: Any = None, *, retries: int = 3, rows: int = ROWS_IN_PART) -> None:
        self.client, self.retries, self.rows = client_of(client), retries, rows

    def place(self, data: Any, where: Any = None) -> Placed:
        """Return a table, a Dask DataFrame or files, as one whose passes run on the cluster."""
        if hasattr(data, "to_delayed") and hasattr(data, "columns"):
            return DaskFrame(self, data, where)
        from nll.sources import open_source
        from nll.sources.files import FileSource

        source = open_source(data, where)
        if not isinstance(source, FileSource):
            raise UsageError(f"Dask reads files and Dask DataFrames; {source.description} is in this process")
        return DaskFiles(self, source)

    def gather(self, run: Callable[[Any], Any], jobs: Sequence[Any], progress: Progress | None = None) -> Any:
        """Return the states of jobs, merged in their order; None of no jobs."""
        from dask.delayed import delayed

        task, given = delayed(outcome_of, pure=False), delayed(run)
        return self.reduce([task(given, job) for job in jobs], progress) if jobs else None

    def reduce(self, leaves: list[Any], progress: Progress | None) -> Any:
        """Return the state of delayed outcomes, merged in their order."""
        from dask.delayed import delayed
        from distributed import as_completed

        merge, count = delayed(merged, pure=False), delayed(rows_of, pure=False)
        level = leaves
        while len(level) > 1:
            level = [merge(level[i : i + FAN_IN]) for i in range(0, len(level), FAN_IN)]
        counts = [] if progress is None else [count(leaf) for leaf in leaves]
        last, *done = self.client.compute([*level, *counts], retries=self.retries)
        try:
            if progress is not None:
                for future in as_completed(done):
                    progress(future.result())
            outcome = last.result()
        except BaseException as error:
            self.client.cancel([last, *done])
            if isinstance(error, Exception):
                raise engine_error(error) from error
            raise
        if isinstance(outcome, Failure):
            raise outcome.error
        return outcome

    def memory(self) -> int:
        """Return the bytes that all workers may use together."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return sum(worker["memory_limit"] or 0 for worker in workers)


def engine_error(error: Exception) -> EngineError:
    """Return the error for a failure of the cluster."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return EngineError(
            f"{error.allowed_failures + 1} workers died on the same part ({error.task}): they may be out of memory; "
            "pass smaller parts, or nll.engines.Dask(client, rows=...) with fewer rows"
        )
    return EngineError(f"the Dask cluster failed: {type(error).__name__}: {first_line(error)}")


def client_of(client: Any) -> Any:
    """Return a client: the one given, one of an address, or the one in use."""
    try:
        from distributed import Client, get_client
    except ImportError as error:
        raise MissingExtraError("dask", error.name or "distributed") from error
    if isinstance(client, str):
        return Client(client)
    if client is not None:
        if not isinstance(client, Client):
            raise UsageError(f"client is a distributed.Client or the address of a scheduler; got {client!r}")
        return client
    try:
        return get_client()
    except ValueError:
        raise UsageError("there is no Dask client: make one, distributed.Client(), or pass its address") from None


class DaskFiles(Placed):
    """Files that all workers see at the same paths."""

    def __init__(self, engine: Dask, source: FileSource, parts: list[Any] | None = None) -> None:
        self.engine, self.source, self.parts_there = engine, source, parts
        super().__init__(source.description, None)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column, in the table's order."""
        return self.source.schema

    def reduce(self, run: Pass, columns: Sequence[str], progress: Progress | None = None) -> Any:
        """Return the state of all parts."""
        return self.engine.gather(run, self.parts_there or self.source.parts(self.engine.rows), progress)

    def kept(self, columns: Sequence[str]) -> Placed:
        """Return the files with these columns in the memory of the workers, if they fit into half of it."""
        parts = self.source.parts(self.engine.rows)
        spans = [span for part in parts if (span := getattr(part, "span", None)) is not None]
        rows = sum(last - first for first, last in spans) if len(spans) == len(parts) else 0
        if not rows or rows * len(columns) * 8 > self.engine.memory() / 2:
            return self
        futures = self.engine.client.map(loaded, parts, columns=list(columns), pure=False, retries=self.engine.retries)
        return DaskFiles(self.engine, self.source, futures)

    def grouped(self, run: GroupPass, columns: Sequence[str], by: Sequence[str]) -> DaskGroups:
        """Return the groups of all rows."""
        frame = frame_of_parts(self.source.parts(self.engine.rows), columns, self.schema)
        return grouped_frame(self.engine, frame, run, columns, None, ())

    def _locate(self, row: int) -> str:
        return self.source.locate(row)


class DaskFrame(Placed):
    """A Dask DataFrame."""

    def __init__(self, engine: Dask, frame: Any, where: Any, partitions: list[Any] | None = None) -> None:
        import polars as pl

        from nll.sources.condition import condition
        from nll.sources.frames import from_pandas

        self.engine, self.frame, self.partitions = engine, frame, partitions
        self._schema = dict(pl.Schema(from_pandas(frame._meta).schema))
        kept = condition(where)
        if kept is not None and not kept.by_row(self._schema):
            raise UsageError(f"where={kept.text!r} looks at the whole table, of which each worker sees a part")
        super().__init__("the Dask DataFrame", kept)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column, in the table's order."""
        return dict(self._schema)

    def reduce(self, run: Pass, columns: Sequence[str], progress: Progress | None = None) -> Any:
        """Return the state of all partitions."""
        from dask.delayed import delayed

        read = None if self.condition is None else self.condition.columns
        needed = list(dict.fromkeys([*columns, *([] if self.condition is None else read or self.schema)]))
        task, given = delayed(outcome_of_frame, pure=False), delayed(run)
        parts = self.partitions or self.frame[needed].to_delayed()
        where = None if self.condition is None else self.condition.given
        return self.engine.reduce([task(given, part, i, where) for i, part in enumerate(parts)], progress)

    def kept(self, columns: Sequence[str]) -> Placed:
        """Return the table with these columns in the memory of the workers."""
        read = [] if self.condition is None else self.condition.columns or list(self.schema)
        partitions = self.engine.client.compute(self.frame[list(dict.fromkeys([*columns, *read]))].to_delayed())
        return DaskFrame(self.engine, self.frame, self.condition and self.condition.given, partitions)

    def grouped(self, run: GroupPass, columns: Sequence[str], by: Sequence[str]) -> DaskGroups:
        """Return the groups of all rows."""
        if self.condition is None:
            return grouped_frame(self.engine, self.frame, run, columns, None, ())
        read = self.condition.columns or list(self.schema)
        return grouped_frame(self.engine, self.frame, run, columns, self.condition.given, read)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the data, which another try would not mend: it travels as a state does."""

    error: NllError


def loaded(part: Source, columns: list[str]) -> Any:
    """Return a part in memory, or why it cannot be read."""
    import polars as pl

    from nll.sources.frames import KeptSource

    try:
        frames = [batch.frame for batch in part.batches(columns)]
    except NllError as error:
        return Failure(error)
    return KeptSource(pl.concat(frames) if frames else pl.DataFrame(schema=part.schema).select(columns), part)


def outcome_of(run: Callable[[Any], Any], part: Any) -> Any:
    """Return the state of a part, or why there is none."""
    if isinstance(part, Failure):
        return part
    try:
        return run(part)
    except NllError as error:
        return Failure(error)


def outcome_of_frame(run: Pass, frame: Any, number: int, where: Any) -> Any:
    """Return the state of a partition, or why there is none."""
    from nll.sources.condition import condition
    from nll.sources.frames import FrameSource, from_pandas

    try:
        place = f"partition {number} of the Dask DataFrame"
        return run(FrameSource(from_pandas(frame), place, condition(where), place))
    except NllError as error:
        return Failure(error)


def merged(outcomes: list[Any]) -> Any:
    """Return the states of consecutive parts as one, or the first failure."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    return failures[0] if failures else followed(outcomes)


def rows_of(outcome: Any) -> int:
    """Return how many rows a part had."""
    return 0 if isinstance(outcome, Failure) else outcome.read
