"""The rows of a fit that stay on an engine: each pass goes to them, counts and sums come back, and a sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from nll.states.curvature import Curvature
from nll.states.tally import Key
from nll.tasks.fit.problem import COUNTS, SAMPLE, Part, Problem, thinned

if TYPE_CHECKING:
    from nll.engines.local import Progress
    from nll.engines.placed import Placed
    from nll.sources import Source

Array = npt.NDArray[Any]


@dataclass(slots=True)
class Counted:
    """What is known of each group's rows, before they are fitted.

    Attributes
    ----------
    places : {key of a group: its index}.
    counts : COUNTS of Problem, an array (groups,) each.
    read : rows read, of every kind.
    """

    places: dict[Key, int]
    counts: dict[str, Array]
    read: int

    def follow(self, other: Counted) -> Self:
        """Add what is known of the rows that come after these."""
        at = np.array([self.places.setdefault(key, len(self.places)) for key in other.places], np.int64)
        for name, (blank, merge) in COUNTS.items():
            mine = self.counts[name]
            mine = np.concatenate([mine, np.full(len(self.places) - len(mine), blank)])
            theirs = other.counts[name]
            if name == "first_outside":
                theirs = np.where(theirs < 0, theirs, theirs + self.read)
            mine[at] = merge(mine[at], theirs)
            self.counts[name] = mine
        self.read += other.read
        return self


@dataclass(slots=True)
class Sampled:
    """Some rows of each group, as the parts in which they were found."""

    parts: list[Part] = field(default_factory=list)
    read: int = 0

    def follow(self, other: Sampled) -> Self:
        """Add some of the rows that come after these."""
        for part in other.parts:
            rows = None if part.rows is None else part.rows + self.read
            self.parts.append(replace(part, first=part.first + self.read, rows=rows))
        self.read += other.read
        return self


@dataclass(slots=True)
class Summed:
    """Sums of losses and derivatives, and how many rows they are of."""

    sums: Curvature
    read: int = 0

    def follow(self, other: Summed) -> Self:
        """Add the sums over rows that come after these."""
        firsts = np.where(other.sums.firsts < 0, other.sums.firsts, other.sums.firsts + self.read)
        self.sums.merge(replace(other.sums, firsts=firsts))
        self.read += other.read
        return self


@dataclass(frozen=True, slots=True)
class FitPass:
    """A pass of a fit, which poses the problem anew with each part as its rows."""

    what: str
    arguments: dict[str, Any]
    options: dict[str, Any]

    def __call__(self, part: Source, threads: int | None = 1, progress: Progress | None = None) -> Any:
        """Return the state of a part."""
        from nll.tasks.fit.fit import pose

        problem = pose(**self.arguments, data=part, where=None, threads=threads)
        return getattr(self, self.what)(problem, **self.options)

    def count(self, problem: Problem) -> Counted:
        """Count the rows of each group."""
        for _ in problem.read(count=True):
            pass
        return Counted(problem.places, {name: getattr(problem, name) for name in COUNTS}, problem.lines)

    def sample(self, problem: Problem, places: dict[Key, int], every: int) -> Sampled:
        """Return some rows: of one group at equal distances, of several at most so many each."""
        problem.places = dict(places)
        if problem.grouped:
            return Sampled([thinned(part) for part in problem.read()], problem.lines)
        found = list(problem.every(every, problem.read()))
        return Sampled(found, problem.lines)

    def evaluate(
        self, problem: Problem, places: dict[Key, int], table: Array, groups: Array, derivatives: Sequence[str]
    ) -> Summed:
        """Return the sums over rows of each group, under a parameter vector each."""
        problem.places = dict(places)
        found = problem.evaluate(table, groups, derivatives, list(problem.read()))
        return Summed(found, problem.lines)


@dataclass(slots=True)
class RemoteProblem(Problem):
    """A problem whose rows lie on an engine.

    Attributes
    ----------
    arguments : of `pose`, from which each worker poses it.
    """

    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, arguments: dict[str, Any]) -> RemoteProblem:
        """Return a problem, posed with a table on an engine, as one that goes there for its rows."""
        own: dict[str, Any] = {each.name: getattr(problem, each.name) for each in fields(problem)}
        own["kept"] = None
        return cls(**own, arguments=arguments)

    def reduce(self, what: str, **options: Any) -> Any:
        """Return the merged states of a pass."""
        source: Placed = self.bound.source  # type: ignore[assignment]
        self.passes += 1
        return source.reduce(FitPass(what, self.arguments, options), self.bound.columns)

    def load(self) -> None:
        """Count the rows, and ask the engine to keep them where passes find them."""
        source: Placed = self.bound.source  # type: ignore[assignment]
        self.bound = replace(self.bound, source=source.kept(self.bound.columns))
        found: Counted = self.reduce("count")
        self.places = found.places
        for name, values in found.counts.items():
            setattr(self, name, values)

    def read(self, count: bool = False) -> Iterator[Part]:
        """Yield some rows of each group."""
        yield from self.reduce("sample", places=self.places, every=1).parts

    def sampled(self, most: int = SAMPLE) -> list[Part]:
        """Return at most so many rows of a problem of one group, at equal distances in each part of the table."""
        every = max(1, -(-int(self.rows.sum()) // most))
        return self.reduce("sample", places=self.places, every=every).parts

    def evaluate(
        self, table: Array, groups: Array, derivatives: Sequence[str], parts: list[Part] | None = None
    ) -> Curvature:
        """Return the sums over rows of each group, under a parameter vector each."""
        if parts is not None:
            return super(RemoteProblem, self).evaluate(table, groups, derivatives, parts)
        found = self.reduce("evaluate", places=self.places, table=table, groups=groups, derivatives=tuple(derivatives))
        return found.sums
