"""The state of a score: what a pass over any rows leaves behind, and how two such states merge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, first_line
from nll.numerics.exact import ExactSums
from nll.states.plain import plain, restored

Array = npt.NDArray[Any]
Key = tuple[Any, ...]

VERSION = 1
MOST_BITS = 1 << 13  # of an exact sum: squares of doubles have 4,200, and their number adds a few
EXAMPLES = 5  # the rows that a result names

# The sums of each group, in the order of kernels.loops.tally.
PLAIN = ("loss", "square")
WEIGHTED = ("weight", "loss", "square_weight", "weight_loss", "square")

COUNTERS = ("rows", "impossible", "clipped", "missing", "unweighted", "ignored")
LEAST_COUNTERS = 5  # that tallies were saved with before ids could be ignored


@dataclass(slots=True)
class Tallies:
    """Exact sums of row losses by group, with what is needed for their standard errors.

    Empty Tallies are the zero of `merge`. Merging is integer addition, so order, split and engine cannot
    change a bit of the result.

    Attributes
    ----------
    weighted : whether rows have weights.
    keys : {key of a group: its index}; a key is a tuple of values of the `by` columns, and of the cluster, if any.
        NaN, which equals nothing, stands in it as `plain.NAN`.
    sums : the exact sums of each group, `PLAIN` or `WEIGHTED`.
    counters : (groups, 6) int64: rows with a finite loss; impossible rows (loss infinite: counted, not added);
        rows whose loss was clipped; missing rows (dropped); rows of weight 0 (dropped); ids that are not to be scored.
    excess : the largest loss before it was clipped, in nats.
    first : the first impossible rows.
    read : rows read, of every kind.
    """

    weighted: bool = False
    keys: dict[Key, int] = field(default_factory=dict)
    sums: ExactSums = field(default=None)  # type: ignore[assignment]
    counters: Array = field(default_factory=lambda: np.zeros((0, len(COUNTERS)), np.int64))
    excess: float = 0.0
    first: list[int] = field(default_factory=list)
    read: int = 0

    def __post_init__(self) -> None:
        if self.sums is None:
            self.sums = ExactSums.zeros(0, len(WEIGHTED if self.weighted else PLAIN))

    def places(self, keys: list[Key]) -> Array:
        """Return the indices of groups, making those that are new."""
        if self.keys or len(set(keys)) < len(keys):
            at = [self.keys.setdefault(key, len(self.keys)) for key in keys]
        else:
            at = range(len(keys))
            self.keys.update(zip(keys, at, strict=True))
        self.sums.grow(len(self.keys))
        missing = len(self.keys) - len(self.counters)
        if missing > 0:
            extra = np.zeros((max(missing, len(self.counters)), len(COUNTERS)), np.int64)
            self.counters = np.concatenate([self.counters, extra])
        return np.array(at, np.int64)

    def count(self, what: str, groups: Array) -> None:
        """Count one row for each of these groups (n,), which may repeat."""
        self.counters[:, COUNTERS.index(what)] += np.bincount(groups, minlength=len(self.counters))

    def merge(self, other: Tallies) -> Self:
        """Add another state to this one."""
        if other.weighted != self.weighted:
            raise DataError("a tally of weighted rows does not merge with one of unweighted rows")
        if other.keys:
            groups, keys = len(other.keys), list(other.keys)
            alike = list(self.keys) == keys  # as the parts of one table mostly are: half the time
            at = None if alike else self.places(keys)
            self.sums.merge(ExactSums(other.sums.words[:groups], other.sums.far, other.sums.additions), at)
            self.counters[slice(groups) if at is None else at] += other.counters[:groups]
        self.excess = max(self.excess, other.excess)
        self.first = sorted([*self.first, *other.first])[:EXAMPLES]
        self.read += other.read
        return self

    def follow(self, other: Tallies) -> Self:
        """Add the state of the rows that come after this one's, whose numbers count from them."""
        later = [row + self.read for row in other.first]
        first = sorted([*self.first, *later])[:EXAMPLES]
        self.merge(other)
        self.first = first
        return self

    def __deepcopy__(self, memo: Any) -> Tallies:  # what a merge of few groups begins with: a fifth of the time
        sums = ExactSums(self.sums.words.copy(), dict(self.sums.far), self.sums.additions)
        return Tallies(
            self.weighted, dict(self.keys), sums, self.counters.copy(), self.excess, list(self.first), self.read
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain JSON types; sums are hexadecimal counts of 2**-1074."""
        groups = len(self.keys)
        return {
            "nll": "tally",
            "version": VERSION,
            "weighted": self.weighted,
            "read": self.read,
            "excess": repr(self.excess),
            "first": self.first,
            "counters": list(COUNTERS),
            "groups": [
                {"key": list(map(plain, key)), "counts": counts, "sums": [hex(c) for c in sums]}
                for key, counts, sums in zip(
                    self.keys, self.counters[:groups].tolist(), self.sums.counts(groups), strict=True
                )
            ],
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        if not isinstance(saved, dict) or saved.get("nll") != "tally" or saved.get("version") != VERSION:
            raise DataError(f"not a tally of version {VERSION}: it should begin with nll, version")
        try:
            state = cls(weighted=_kind(saved["weighted"], bool))
            state.read, state.excess = _count(saved["read"]), float(_kind(saved["excess"], str))
            state.first = [_count(i) for i in _kind(saved["first"], list)]
            keys = [tuple(map(restored, _kind(g["key"], list))) for g in _kind(saved["groups"], list)]
            if len(set(keys)) < len(keys) or len({len(key) for key in keys}) > 1 or not state.excess >= 0.0:
                raise ValueError("a group stands there twice, keys differ in length, or the excess is negative")
            at = state.places(keys)
            for i, group in zip(at.tolist(), saved["groups"], strict=True):
                counts, sums = [_count(n) for n in _kind(group["counts"], list)], _kind(group["sums"], list)
                if len(counts) not in (LEAST_COUNTERS, len(COUNTERS)):
                    raise ValueError(f"{len(counts)} counts of a group, and {len(COUNTERS)} are needed")
                state.counters[i, : len(counts)] = counts
                if len(sums) != state.sums.words.shape[1]:
                    raise ValueError(f"{len(sums)} sums of a group, and {state.sums.words.shape[1]} are needed")
                for index, (name, count) in enumerate(zip(WEIGHTED if state.weighted else PLAIN, sums, strict=True)):
                    state.sums.far[i, index] = _sum(name, count)
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"a tally that cannot be read: {type(error).__name__}: {first_line(error)}") from error
        return state


def _kind(value: Any, kind: type) -> Any:
    """Return a value of a saved state; raise TypeError if it is of another kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.60} where a {kind.__name__} was expected")
    return value


def _count(value: Any) -> int:
    """Return a count of a saved state."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"{value!r:.60} is no count")
    return value


def _sum(name: str, text: Any) -> int:
    """Return an exact sum of a saved state; only losses may be negative."""
    count = int(_kind(text, str), 16)
    if count.bit_length() > MOST_BITS or (count < 0 and name not in ("loss", "weight_loss")):
        raise ValueError(f"{text!r:.60} is no sum of {name}")
    return count
