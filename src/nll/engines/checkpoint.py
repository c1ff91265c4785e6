"""A pass over files that can be taken up again: finished parts are noted, and their state."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nll.engines.local import Progress
from nll.engines.placed import Pass, Placed
from nll.errors import DataError, NllError, UsageError
from nll.sources import Source, open_source
from nll.sources.files import FileSource, stamps
from nll.states.saved import read_sealed, seal_of, state_from_dict, write_sealed

if TYPE_CHECKING:
    import polars as pl

VERSION = 1
KIND = "checkpoint"
ROWS_IN_PART = 2**23  # of a Parquet file: under a second of work, beside which its opening does not count
SECONDS_BETWEEN = 1.0  # of two notes


class Checkpoint:
    """Notes the finished parts of files in a file, from which the same call goes on after an interruption.

    The file is written whole or not at all. It is refused if the files, the columns or the options are not those it
    was begun with; a run that is done gives its result at once.

    Parameters
    ----------
    path : the file, JSON; begun if it is not there.
    rows : about how many rows of a Parquet file make a part. Files of other formats are a part each.
    """

    def __init__(self, path: str | Path, *, rows: int = ROWS_IN_PART) -> None:
        self.path, self.rows = Path(path), rows

    def place(self, data: Any, where: Any = None) -> Placed:
        """Return files as a table whose finished parts are noted."""
        source = data if isinstance(data, Source) and where is None else open_source(data, where)
        if not isinstance(source, FileSource):
            raise UsageError(f"a checkpoint is of files, which are there again after an interruption; got {data!r}")
        return Checkpointed(self, source)


class Checkpointed(Placed):
    """Files whose finished parts are noted."""

    def __init__(self, checkpoint: Checkpoint, source: FileSource) -> None:
        self.checkpoint, self.source = checkpoint, source
        super().__init__(source.description, None)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The type of each column, in the table's order."""
        return self.source.schema

    def reduce(self, run: Pass, columns: Sequence[str], progress: Progress | None = None) -> Any:
        """Return the state of all parts, of which those noted are not read again."""
        parts = self.source.parts(self.checkpoint.rows)
        files = {path: list(stamp) for path, stamp in stamps(self.source.paths).items()}
        notes = Notes(self.checkpoint.path, identity(run, columns, self.source, parts), files)
        state, done = notes.state, notes.done
        saved = time.monotonic()
        if state is not None and progress is not None:
            progress(state.read)
        for part in parts[done:]:
            found = part_state(run, part, progress)
            for path in getattr(part, "paths", ()):
                if list(stamps([path])[path]) != files[path]:
                    raise DataError(f"{path} changed during the run: score it again when nobody writes to it")
            state = found if state is None else state.follow(found)
            done += 1
            if done == len(parts) or time.monotonic() - saved >= SECONDS_BETWEEN:
                notes.write(state, done)
                saved = time.monotonic()
        return state

    def _locate(self, row: int) -> str:
        return self.source.locate(row)


class Notes:
    """What a checkpoint file says of one pass; several passes of one call stand in it by their identity.

    Attributes
    ----------
    state, done : of the finished parts, and how many these are; None and 0 for a new pass.
    """

    def __init__(self, path: Path, identity: dict[str, Any], files: dict[str, Any]) -> None:
        self.path, self.files = path, files
        self.key = seal_of(identity)
        self.state: Any = None
        self.done = 0
        saved = read_sealed(path, "checkpoint of nll")
        self.passes: dict[str, Any] = {}
        if saved is None:
            self.document = {
                "nll": KIND,
                "version": VERSION,
                "identity": identity,
                "files": files,
                "passes": self.passes,
            }
            write_sealed(path, self.document)  # before any work: a place that cannot be written to is found here
            return
        self.document = checked(saved, path, identity, files)
        self.passes = self.document["passes"]
        if self.key in self.passes:
            own = self.passes[self.key]
            try:
                self.done = int(own["parts"])
                self.state = state_from_dict(own["state"]) if self.done else None
            except (KeyError, TypeError, ValueError, NllError) as error:
                raise DataError(
                    f"{path} is a checkpoint that cannot be read ({error}): remove it to begin anew"
                ) from error
            if not 0 <= self.done <= identity["parts"]:
                raise DataError(f"{path} notes {self.done} parts of {identity['parts']}: remove it to begin anew")

    def write(self, state: Any, done: int) -> None:
        """Note the state of the first parts."""
        self.passes[self.key] = {"parts": done, "state": state.to_dict()}
        write_sealed(self.path, self.document)


def checked(saved: Any, path: Path, identity: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
    """Return a saved checkpoint; refuse one of another run."""
    again = "remove the checkpoint to begin anew, or name another"
    if not isinstance(saved, Mapping) or saved.get("nll") != KIND or not isinstance(saved.get("passes"), Mapping):
        raise UsageError(f"{path} is no checkpoint of nll, and is not written over: {again}")
    if saved.get("version") != VERSION:
        raise DataError(
            f"{path} is a checkpoint of version {saved.get('version')!r}, and this nll reads {VERSION}: {again}"
        )
    begun = saved.get("files")
    if not isinstance(begun, Mapping) or list(begun) != list(files):
        raise UsageError(f"{path} is the checkpoint of other files: {again}")
    changed = [name for name in files if begun[name] != files[name]]
    if changed:
        raise DataError(f"{changed[0]} has changed since the checkpoint {path} was begun: {again}")
    own = saved.get("identity")
    other = own if isinstance(own, Mapping) else {}
    for name, value in identity.items():
        if name != "pass" and other.get(name) != value:
            raise UsageError(f"{path} was begun with {name} = {other.get(name)}, and now it is {value}: {again}")
    return {**saved, "passes": dict(saved["passes"])}


def identity(run: Any, columns: Sequence[str], source: FileSource, parts: Sequence[Source]) -> dict[str, Any]:
    """Return what makes a pass the same one: what is computed, from which columns and rows, in which parts."""
    return {
        **{name: repr(value) for name, value in run.arguments.items()},
        "columns": list(columns),
        "condition": None if source.condition is None else source.condition.text,
        "parts": len(parts),
        "rows of the first part": list(getattr(parts[0], "span", None) or ()),
        "pass": f"{run.begin.__module__}.{run.begin.__qualname__}",
    }


def part_state(run: Pass, part: Source, progress: Progress | None) -> Any:
    """Return the state of a part, with all threads that the call may have."""
    return run(part, getattr(run, "threads", None), progress)
