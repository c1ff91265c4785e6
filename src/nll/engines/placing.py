"""The door to engines: where the rows of a table are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nll.errors import UsageError

if TYPE_CHECKING:
    from nll.engines.placed import Placed
    from nll.sources import Source

KNOWN = "nll.engines.Dask(client) or nll.engines.Spark(session)"


class Engine(Protocol):
    """Where passes run, if not in threads of this process."""

    def place(self, data: Any, where: Any = None) -> Placed:
        """Return a table whose passes run here."""
        ...

    def gather(self, run: Callable[[Any], Any], jobs: Sequence[Any]) -> Any:
        """Return the states of jobs, merged in their order by `follow`; None of no jobs.

        What runs travels to workers, so it is a function of a module, or an object of names and numbers.

        Raises
        ------
        NllError : what the first failing job raised.
        """
        ...


def checked(engine: Any) -> Engine:
    """Return an engine; raise UsageError of what is none."""
    if not hasattr(engine, "place"):
        raise UsageError(f"engine is {KNOWN}; got {engine!r}")
    return engine


def open_table(data: Any, where: Any = None, engine: Engine | None = None) -> Source:
    """Return the source of `data`; a frame of Dask or Spark brings its engine.

    Raises
    ------
    UsageError : as `open_source`; and where the engine is none.
    """
    from nll.sources import Source, open_source

    if engine is not None:
        return checked(engine).place(data, where)
    library = type(data).__module__.partition(".")[0]
    if library in ("dask", "dask_expr") and hasattr(data, "to_delayed") and hasattr(data, "columns"):
        from nll.engines.dask import Dask

        return Dask().place(data, where)
    if library == "pyspark" and hasattr(data, "mapInArrow"):
        from nll.engines.spark import Spark

        return Spark().place(data, where)
    return data if isinstance(data, Source) and where is None else open_source(data, where)


def is_placed(source: Any) -> bool:
    """Whether a source is a table whose rows stay where they are."""
    from nll.engines.placed import Placed

    return isinstance(source, Placed)


def placed(data: Any, where: Any, engine: Engine | None, checkpoint: Any = None) -> Source:
    """Return the table of `data` on an engine, or where a checkpoint notes its finished parts."""
    if data is None:
        raise UsageError("engine= and checkpoint= are for tables: pass data=")
    if checkpoint is None:
        return open_table(data, where, engine)
    if engine is not None:
        raise UsageError("checkpoint= is for runs on this machine; an engine takes up lost parts by itself")
    from nll.engines.checkpoint import Checkpoint

    return Checkpoint(checkpoint).place(data, where)
