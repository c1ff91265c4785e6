"""The state of a score: what a pass over any rows leaves behind, and how two such states merge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.numerics.exact import ExactSums
from nll.states.plain import plain, restored

Array = npt.NDArray[Any]
Key = tuple[Any, ...]

VERSION = 1
EXAMPLES = 5  # the rows that a result names

# The sums of each group, in the order of kernels.loops.tally.
PLAIN = ("loss", "square")
WEIGHTED = ("weight", "loss", "square_weight", "weight_loss", "square")

COUNTERS = ("rows", "impossible", "clipped", "missing", "unweighted")


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
    counters : (groups, 5) int64: rows with a finite loss; impossible rows (loss infinite: counted, not added);
        rows whose loss was clipped; missing rows (dropped); rows of weight 0 (dropped).
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
            at = self.places(list(other.keys))
            groups = len(other.keys)
            self.sums.merge(ExactSums(other.sums.words[:groups], other.sums.far, other.sums.additions), at)
            self.counters[at] += other.counters[:groups]
        self.excess = max(self.excess, other.excess)
        self.first = sorted([*self.first, *other.first])[:EXAMPLES]
        self.read += other.read
        return self

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
            state = cls(weighted=bool(saved["weighted"]))
            state.read, state.excess = int(saved["read"]), float(saved["excess"])
            state.first = [int(i) for i in saved["first"]]
            keys = [tuple(map(restored, g["key"])) for g in saved["groups"]]
            if len(set(keys)) < len(keys):
                raise ValueError("a group stands there twice")
            at = state.places(keys)
            for i, group in zip(at.tolist(), saved["groups"], strict=True):
                state.counters[i] = group["counts"]
                for index, count in enumerate(group["sums"]):
                    if index >= state.sums.words.shape[1]:
                        raise ValueError("too many sums")
                    state.sums.far[i, index] = int(count, 16)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"a tally that cannot be read: {error}") from error
        return state
