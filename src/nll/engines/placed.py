"""Tables whose rows stay where they are: a pass goes to each part, and states come back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, Protocol, Self

import polars as pl

from nll.engines.local import Progress
from nll.errors import DataError, NllError, UsageError, first_line
from nll.sources import Source

FAN_IN = 16  # states that one task merges


class State(Protocol):
    """What a pass leaves behind of some rows."""

    @property
    def read(self) -> int:
        """How many rows there were."""
        ...

    def follow(self, other: Self) -> Self:
        """Add the state of the rows that come after this one's; `other` stays as it is."""
        ...


class Pass(Protocol):
    """What is done with every part of a table; it travels to workers, so it holds names and numbers alone."""

    def __call__(self, part: Source, threads: int | None = 1, progress: Progress | None = None) -> Any:
        """Return the state of a part."""
        ...


class GroupPass(Protocol):
    """What is done with the rows of whole groups; it travels to workers, so it holds names and numbers alone."""

    def __call__(self, frame: pl.DataFrame, origin: Source) -> pl.DataFrame:
        """Return a row for each group of a frame, whose rows are those of `origin`."""
        ...

    def places(self, frame: pl.DataFrame) -> Any:
        """Return a whole number (n,) for each row, the same for all rows of a group."""
        ...


class Grouped(Protocol):
    """A table with a row for each group, which the workers have or make."""

    @property
    def table(self) -> Any:
        """The frame of the engine."""
        ...

    def write(self, folder: str) -> int:
        """Write it as a folder of Parquet files, and return how many groups there are."""
        ...


class Placed(Source):
    """A table in parts that others read: the workers of a cluster, or a run that can be taken up again."""

    @abstractmethod
    def reduce(self, run: Pass, columns: Sequence[str], progress: Progress | None = None) -> Any:
        """Return the state of all parts, merged in their order: the same bits for any of them.

        Parameters
        ----------
        run : the pass.
        columns : those that it reads.
        progress : called with the rows done since the last call.

        Raises
        ------
        NllError : what the first failing part raised.
        """

    def kept(self, columns: Sequence[str]) -> Placed:
        """Return the same table with these columns where repeated passes find them fast."""
        return self

    def grouped(self, run: GroupPass, columns: Sequence[str], by: Sequence[str]) -> Grouped:
        """Return what a pass makes of the groups of all rows, each of which is brought to one worker.

        Parameters
        ----------
        run : the pass.
        columns, by : those that it reads, and those whose values make groups.
        """
        raise UsageError(
            f"{self.description} has no table of groups: pass files without a checkpoint, or nll.score(by=)"
        )

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        raise UsageError(
            f"this needs the rows of {self.description} themselves, and they stay where they are: pass files, "
            "or a sample as a frame"
        )

    def _locate(self, row: int) -> str:
        return f"row {row} of {self.description}"

    def _explain(self, error: BaseException, columns: list[str]) -> NllError:
        return DataError(f"{self.description} cannot be read: {type(error).__name__}: {first_line(error)}")


def followed(states: Sequence[Any]) -> Any:
    """Return the states of consecutive parts as one, which shares nothing with them."""
    whole = deepcopy(states[0])
    for state in states[1:]:
        whole = whole.follow(state)
    return whole
