"""Scores by group where there are more groups than memory should hold: a table of them, not one object."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nll.engines.local import Local, Progress
from nll.engines.placed import Placed
from nll.engines.placing import open_table
from nll.engines.progress import RowProgress
from nll.errors import DataError, UsageError, first_line
from nll.families.bernoulli import Bernoulli
from nll.results.group_scores import GroupScores
from nll.results.score import Score, Scores
from nll.sources import Source
from nll.states.tally import EXAMPLES, Tallies
from nll.tasks.buckets import MOST_BUCKETS, Bucket, BucketSource, Sketch, deal, key_hashes, stacked
from nll.tasks.chunks import Chunk, Inputs
from nll.tasks.finish import Groups, Part, added, finish, score_of
from nll.tasks.group_table import blank_numbers, clustered_numbers, joined, numbers, table_of
from nll.tasks.passes import reduce
from nll.tasks.score import Missing, begin

MOST_HELD = 2**17  # groups (and clusters) that one pass may hold: about 100 MB
GROUPS_IN_BUCKET = 2**16  # their numbers are codes as they are (`keys.DENSE`)
ROWS_IN_BUCKET = 2**20
GROUP = "number of the group"


def score_groups(
    y: Any,
    dist: Any,
    data: Any,
    *,
    by: Any,
    into: str | os.PathLike[str] | None = None,
    sample_weight: Any = None,
    cluster: Any = None,
    missing: Missing = "error",
    clip: float | None = None,
    labels: Sequence[Any] | None = None,
    label_smoothing: float = 0.0,
    class_weight: Any = None,
    where: Any = None,
    units: str = "nats",
    threads: int | None = None,
    progress: Progress | bool = True,
    engine: Any = None,
) -> Any:
    """Score by group into a table, of any number of groups: the numbers of ``nll.score(..., by=...)`` to the bit.

    Memory does not grow with the groups. Where there are many, the rows are first dealt into files by their group, in
    a folder beside `into` that takes as much room as the columns that are read, and that is removed in the end.

    Parameters
    ----------
    y, dist, data : as in `score`; data is a table.
    by : the columns whose values make groups.
    into : a Parquet file, which appears whole or not at all: the keys, and the numbers of ``Scores.to_polars()``. With
        an engine it may be left out.
    sample_weight, cluster, missing, clip, labels, label_smoothing, class_weight, where, units : as in `score`.
    threads, progress : as in `score`.
    engine : ``nll.engines.Dask(client)`` or ``nll.engines.Spark(session)``; a frame of Dask or Spark brings its own.

    Returns
    -------
    GroupScores : where the table is, how many groups there are, and the Score of all rows. With an engine and without
        `into`, the table as a frame of Dask or Spark, computed when it is asked for.

    Raises
    ------
    DataError : as `score`; or the disk is full.
    UsageError : as `score`; or `into` cannot be written.

    Examples
    --------
    >>> import nll, polars as pl, tempfile
    >>> table = pl.DataFrame({"y": [1, 0, 1], "p": [0.8, 0.3, 0.6], "user": ["ann", "bob", "ann"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = nll.score_groups("y", nll.Bernoulli(probs="p"), table, by="user", into=f"{folder}/users.parquet")
    ...     found.to_polars()["n"].to_list(), found.total == nll.score("y", nll.Bernoulli(probs="p"), table)
    ([2, 1], True)
    """
    source = open_table(data, where, engine)
    arguments: dict[str, Any] = {
        "y": y, "dist": dist, "sample_weight": sample_weight, "by": by, "cluster": cluster, "missing": missing,
        "clip": clip, "labels": labels, "label_smoothing": label_smoothing, "class_weight": class_weight,
    }  # fmt: skip
    if isinstance(source, Placed):
        return _placed(source, arguments, into, units)
    if into is None:
        raise UsageError("into= names the Parquet file for the groups; nll.score(by=...) returns them as an object")
    return write_groups(source, arguments, into, units, threads, progress)[0]


def write_groups(
    source: Source,
    arguments: dict[str, Any],
    into: str | os.PathLike[str],
    units: str,
    threads: int | None = None,
    progress: Progress | bool = True,
) -> tuple[GroupScores, Scores | None]:
    """Write the groups of a table, and return where they are; and as Scores too, if they are few."""
    bound, step = begin(data=source, **arguments)
    if not bound.by:
        raise UsageError("by= names the columns whose values make groups")
    if bound.form.event and issubclass(bound.form, Bernoulli):
        raise UsageError("several labels a row have no table of groups: score them one by one, or with nll.score")
    path = Path(into)
    with RowProgress("scoring", wanted=progress is True) as shown:
        called = progress if callable(progress) else shown
        try:
            guard = Guard(step)
            state = Local(threads).reduce(bound.chunks(), guard, guard.zero, Tallies.merge, called)
        except TooManyGroupsError:
            return _dealt(bound, arguments, path, units, threads, called), None
    scores = finish(state, bound.by, bound.cluster, bound.distribution, bound.description, bound.locate)
    assert isinstance(scores, Scores)
    assert isinstance(scores.groups, Groups)
    with whole(path) as partial:
        table_of(scores.groups, bound.by, source.schema, units).write_parquet(partial)
    shown_as = scores if units == "nats" else scores.to(units)
    return GroupScores(bound.by, str(path), len(scores), shown_as.total), shown_as


class TooManyGroupsError(Exception):
    """A pass met more groups than it should hold."""


class Guard:
    """The step of a score, which gives up where groups are too many."""

    def __init__(self, step: Any) -> None:
        self.step, self.zero = step, step.zero
        self.growing = True

    def __call__(self, state: Tallies, chunk: Chunk) -> None:
        """Add the rows of a chunk to a state."""
        before = len(state.keys)
        if self.growing and chunk.size > MOST_HELD and chunk.keys and _many(chunk.keys):
            raise TooManyGroupsError
        self.step(state, chunk)
        self.growing = len(state.keys) > before
        if len(state.keys) > MOST_HELD:
            raise TooManyGroupsError


def _many(keys: list[pl.Series]) -> bool:
    """Whether a chunk alone has too many groups; of keys that no group can have, the step says so."""
    if any(column.dtype.is_nested() or column.dtype == pl.Object for column in keys):
        return False
    sketch = Sketch()
    sketch.add(key_hashes(keys))
    return sketch.estimate() > MOST_HELD


# Many groups


@dataclass(slots=True)
class Totals:
    """What buckets add up to: sums and counters of all rows, the first impossible ones, and the groups."""

    part: Part | None = None
    excess: float = 0.0
    first: list[int] = field(default_factory=list)
    groups: int = 0

    def merge(self, other: Totals) -> None:
        """Add what other buckets add up to."""
        parts = [part for part in (self.part, other.part) if part is not None]
        self.part = added(parts) if parts else None
        self.excess = max(self.excess, other.excess)
        self.first = sorted([*self.first, *other.first])[:EXAMPLES]
        self.groups += other.groups


def _dealt(
    bound: Inputs, arguments: dict[str, Any], path: Path, units: str, threads: int | None, progress: Progress
) -> GroupScores:
    """Write the groups of a table bucket by bucket."""
    source = bound.source
    assert source is not None
    with _folder(path) as folder:
        buckets = deal(source, bound.columns, bound.by, _count(source, bound, arguments), folder, lambda rows: None)
        run = BucketPass(source, arguments, bound, folder, units)
        filled = (bucket for bucket in buckets if bucket.size)
        totals = Local(threads).reduce(filled, run, Totals, Totals.merge, progress)
        with whole(path) as partial:
            tables = [table for bucket in buckets if (table := run.table(bucket)).exists()]
            pl.scan_parquet(tables, glob=False).sink_parquet(partial)
    total = _total(bound, arguments, totals, threads)
    total = total if units == "nats" else total.to(units)
    return GroupScores(bound.by, str(path), totals.groups, total, ordered=False)


def _count(source: Source, bound: Inputs, arguments: dict[str, Any]) -> int:
    """Return how many buckets to deal rows into."""
    sketch, rows = Sketch(), 0
    keys: list[str] = [*bound.by, *([arguments["cluster"]] if bound.cluster else [])]
    for batch in source.batches(keys):
        sketch.add(key_hashes([batch.frame[name] for name in keys]))
        rows += batch.frame.height
    return max(1, min(MOST_BUCKETS, max(-(-sketch.estimate() // GROUPS_IN_BUCKET), -(-rows // ROWS_IN_BUCKET))))


def _total(bound: Inputs, arguments: dict[str, Any], totals: Totals | None, threads: int | None) -> Score:
    """Return the Score of all rows: in a pass of its own where clusters may lie in several buckets."""
    if totals is None or bound.cluster:
        alone: dict[str, Any] = {**arguments, "by": None}
        again, step = begin(data=bound.source, **alone)
        state = reduce(begin, alone, again, step, threads)
        total = finish(state, (), again.cluster, again.distribution, again.description, again.locate)
        assert isinstance(total, Score)
        return total
    parts = [] if totals.part is None else [totals.part]
    return replace(
        score_of(parts, bound.weighted, False, (bound.distribution, bound.description)),
        first_impossible=tuple(bound.locate(row) for row in totals.first),
        largest_clipped=totals.excess,
    )


@dataclass(frozen=True, slots=True)
class BucketPass:
    """Scores the groups of a bucket into a table beside it."""

    source: Source
    arguments: dict[str, Any]
    bound: Inputs
    folder: Path
    units: str

    def table(self, bucket: Bucket) -> Path:
        """Return where the scores of a bucket are."""
        return self.folder / f"{bucket.path.stem}.parquet"

    def __call__(self, totals: Totals, bucket: Bucket) -> None:
        """Add what a bucket adds up to."""
        schema = dict(next(bucket.frames()).schema)
        if bucket.large:
            rows = BucketSource(bucket.frames, self.source, schema)
            groups = grouped(rows, self.arguments, self.bound.by)
            table = table_of(groups, self.bound.by, schema, self.units)
        else:
            frame = stacked(list(bucket.frames()))
            bucket.path.unlink()
            rows = BucketSource(lambda: iter([frame]), self.source, dict(frame.schema))
            table, groups = frame_scores(frame, rows, self.arguments, self.bound.by, self.units)
        table.write_parquet(self.table(bucket))
        state = groups.state
        first = [rows.number(row) for row in state.first]
        parts = [] if self.bound.cluster else groups.everything()
        totals.merge(Totals(added(parts) if parts else None, state.excess, first, table.height))


def grouped(rows: Source, arguments: dict[str, Any], by: Sequence[str]) -> Groups:
    """Return the groups of rows, by the columns `by`."""
    own: dict[str, Any] = {**arguments, "by": tuple(by)}
    bound, step = begin(data=rows, **own)
    state = Local(1).reduce(bound.chunks(), step, step.zero, Tallies.merge)
    return Groups(state, len(bound.by), bound.cluster, (bound.distribution, bound.description))


def frame_scores(
    frame: pl.DataFrame, rows: BucketSource, arguments: dict[str, Any], by: Sequence[str], units: str
) -> tuple[pl.DataFrame, Groups]:
    """Return the table of the groups of a frame, in the order of the keys.

    Keys are numbered by Polars and become Python's values nowhere: these would take more time than the scores.
    """
    keys, codes = numbered(frame.select(by))
    coded = frame.with_columns(codes)
    source = BucketSource(lambda: iter([coded]), rows.origin, dict(coded.schema))
    groups = grouped(source, arguments, (GROUP,))
    if groups.cluster:
        return joined(keys, clustered_numbers(groups, units)), groups
    there = np.fromiter(chain.from_iterable(groups.state.keys), np.int64, keys.height)
    places = np.empty(keys.height, np.int64)
    places[there] = np.arange(keys.height)
    return joined(keys, numbers(groups, places, units)), groups


def numbered(keys: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return the different keys in their order, and the number of each row's among them."""
    keys = keys.with_columns(pl.selectors.float() + 0.0)  # -0.0 is 0.0
    names = [str(i) for i in range(keys.width)]
    plain = keys.rename(dict(zip(keys.columns, names, strict=True)))
    different = plain.unique().sort(names, nulls_last=True).with_row_index(GROUP)
    joined_ = plain.join(different, on=names, how="left", nulls_equal=True, maintain_order="left")
    found = different.drop(GROUP).rename(dict(zip(names, keys.columns, strict=True)))
    return found, joined_[GROUP].cast(pl.Int64)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the name of a file beside `path` that takes its place when all went well, and is removed when not."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """Give a folder beside a file, which is removed in the end."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".rows", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    with folder as name:
        yield Path(name)


def _unwritable(path: Path, error: OSError) -> Exception:
    kind = UsageError if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)) else DataError
    return kind(f"{path} cannot be written: {error.strerror or first_line(error)}")


# Engines


def _placed(source: Placed, arguments: dict[str, Any], into: Any, units: str) -> Any:
    """Return the groups of a table that stays where it is: a frame of its engine, or where that was written."""
    bound, _ = begin(data=source, **arguments)
    if not bound.by:
        raise UsageError("by= names the columns whose values make groups")
    run = TableOfGroups(arguments, bound.by, units)
    if into is None:
        return source.grouped(run, bound.columns, bound.by).table
    # Before the rows are shuffled: an error then names the row where it lies, and is not tried again.
    total = _total(bound, arguments, None, None)
    count = source.grouped(run, bound.columns, bound.by).write(str(into))
    return GroupScores(bound.by, str(into), count, total if units == "nats" else total.to(units), ordered=False)


@dataclass(frozen=True, slots=True)
class TableOfGroups:
    """From the rows of some groups to the table of their scores; it travels to workers."""

    arguments: dict[str, Any]
    by: tuple[str, ...]
    units: str

    def places(self, frame: pl.DataFrame) -> Any:
        """Return a whole number (n,) for each row, the same for all rows of a group."""
        return key_hashes([frame[name] for name in self.by]).view(np.int64)

    def __call__(self, frame: pl.DataFrame, origin: Source) -> pl.DataFrame:
        """Return the table of a frame, whose rows are those of `origin`."""
        frame = stacked([frame])
        if frame.is_empty():
            return joined(frame.select(self.by), blank_numbers())
        rows = BucketSource(lambda: iter([frame]), origin, dict(frame.schema))
        return frame_scores(frame, rows, self.arguments, self.by, self.units)[0]
