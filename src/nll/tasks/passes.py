"""A pass of a task: in threads of this process, or, where a table is placed on an engine, there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nll.engines.local import Local, Progress
from nll.engines.placing import is_placed

if TYPE_CHECKING:
    from nll.sources import Source


class Bound(Protocol):
    """What a pass reads: chunks of rows, of a table's columns or of arrays (no source)."""

    @property
    def chunks(self) -> Callable[[], Iterator[Any]]:
        """Makes an iterator over the rows."""
        ...

    @property
    def source(self) -> Source | None:
        """The table."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        ...


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass as names and numbers, which binds itself to each part of a table.

    Parameters
    ----------
    begin : a function of a module, by which workers find it; from `arguments` and `data` to what it reads, and the step
        that adds a chunk to a state.
    arguments : what it takes, but for `data`.
    threads : how many may run kernels, where parts are run one after the other.
    """

    begin: Callable[..., tuple[Bound, Any]]
    arguments: dict[str, Any]
    threads: int | None = None

    def __call__(self, part: Source, threads: int | None = 1, progress: Progress | None = None) -> Any:
        """Return the state of a part."""
        bound, step = self.begin(data=part, **self.arguments)
        return Local(threads).reduce(bound.chunks(), step, step.zero, type(step.zero()).merge, progress)


def reduce(
    begin: Callable[..., tuple[Bound, Any]],
    arguments: dict[str, Any],
    bound: Bound,
    step: Any,
    threads: int | None,
    progress: Progress | None = None,
) -> Any:
    """Return the state of all rows of `bound`, which `begin` made, with `step`, of these arguments."""
    if bound.source is not None and is_placed(bound.source):
        return bound.source.reduce(Pass(begin, arguments, threads), bound.columns, progress)  # type: ignore[attr-defined]
    return Local(threads).reduce(bound.chunks(), step, step.zero, type(step.zero()).merge, progress)
