"""Tables of groups on a Dask cluster: rows are shuffled by their group, and each worker scores those that it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nll.engines.placed import GroupPass
from nll.errors import NllError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from nll.engines.dask import Dask
    from nll.sources import Source

PLACE = "hash of the group"  # the column that rows are shuffled by
SHUFFLED = "a partition of the Dask DataFrame after its rows were shuffled by their groups"


class DaskGroups:
    """A Dask DataFrame with a row for each group.

    Attributes
    ----------
    table : it, computed when it is asked for.
    """

    def __init__(self, engine: Dask, table: Any) -> None:
        self.engine, self.table = engine, table

    def write(self, folder: str) -> int:
        """Write a Parquet file for each partition, and return how many groups there are."""
        from dask.delayed import delayed

        from nll.engines.dask import engine_error

        new_folder(folder)
        write = delayed(written, pure=False)
        parts = [write(part, folder, number) for number, part in enumerate(self.table.to_delayed())]
        futures = self.engine.client.compute(parts, retries=self.engine.retries)
        try:
            return sum(self.engine.client.gather(futures))
        except NllError:
            raise
        except BaseException as error:
            self.engine.client.cancel(futures)
            if isinstance(error, Exception):
                raise engine_error(error) from error
            raise


def new_folder(folder: str) -> None:
    """Make a folder; refuse one with something in it.

    Raises
    ------
    UsageError : it cannot be made, or is not empty.
    """
    path = Path(folder)
    try:
        path.mkdir(exist_ok=True)
        full = any(path.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be made a folder of Parquet files: {error.strerror}") from error
    if full:
        raise UsageError(f"{folder} is not empty: name a folder that is new")


def written(frame: Any, folder: str, number: int) -> int:
    """Write a partition, whole or not at all, and return its rows."""
    from nll.sources.frames import from_pandas

    path = Path(folder) / f"part-{number:05d}.parquet"
    partial = path.with_suffix(".partial")
    table = from_pandas(frame)
    table.write_parquet(partial)
    partial.replace(path)
    return table.height


def grouped_frame(
    engine: Dask, frame: Any, run: GroupPass, columns: Sequence[str], where: Any, read: Any
) -> DaskGroups:
    """Return the groups of a Dask DataFrame.

    Parameters
    ----------
    frame : the rows.
    run, columns : the pass, and what it reads.
    where, read : which rows to keep, and the columns that this looks at besides.
    """
    from nll.sources.frames import from_pandas

    needed = frame[list(dict.fromkeys([*columns, *read]))]
    blank = needed._meta
    dealt = needed.map_partitions(
        with_place, run, list(columns), where, meta=with_place(blank, run, list(columns), where)
    )
    table = run(from_pandas(blank[list(columns)]), _origin(from_pandas(blank)))
    meta = table.to_pandas(use_pyarrow_extension_array=True)
    return DaskGroups(engine, dealt.shuffle(on=PLACE).map_partitions(scored, run, meta=meta))


def with_place(frame: Any, run: GroupPass, columns: list[str], where: Any) -> Any:
    """Return the rows of a pandas frame that are kept, with a number that is the same for all of a group."""
    from nll.sources.condition import condition
    from nll.sources.frames import from_pandas

    kept = condition(where)
    table = from_pandas(frame)
    if kept is not None:
        mask = table.select(kept.expression).to_series().fill_null(False).to_numpy()
        frame, table = frame[mask], table.filter(mask)
    return frame[columns].assign(**{PLACE: run.places(table)})


def scored(frame: Any, run: GroupPass) -> Any:
    """Return a row for each group of a pandas frame."""
    from nll.sources.frames import from_pandas

    table = from_pandas(frame.drop(columns=PLACE))
    return run(table, _origin(table)).to_pandas(use_pyarrow_extension_array=True)


def _origin(table: pl.DataFrame) -> Source:
    from nll.sources.frames import FrameSource

    return FrameSource(table, "the Dask DataFrame", None, SHUFFLED)


def frame_of_parts(parts: Sequence[Any], columns: Sequence[str], schema: dict[str, Any]) -> Any:
    """Return parts of files as a Dask DataFrame, which workers read as this process would."""
    import dask.dataframe as dd
    import polars as pl

    blank = pl.DataFrame(schema={name: schema[name] for name in columns})
    meta = blank.to_pandas(use_pyarrow_extension_array=True)
    return dd.from_map(rows_of_part, list(parts), columns=list(columns), types=dict(blank.schema), meta=meta)


def rows_of_part(part: Source, columns: list[str], types: dict[str, Any]) -> Any:
    """Return the rows of a part as a pandas frame."""
    import polars as pl

    frames = [batch.frame for batch in part.batches(columns)]
    table = pl.concat(frames, how="vertical_relaxed") if frames else pl.DataFrame(schema=types)
    return table.to_pandas(use_pyarrow_extension_array=True)
