"""Exact sums: integers that hold the sum of doubles without any rounding, and round once when asked.

The result equals `math.fsum` of the numbers in any order, and the state merges by adding integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.numerics.window import ADDITIONS_BEFORE_CARRY, STEP, UNITS, WORDS

Array = npt.NDArray[Any]

# Every finite double is a whole multiple of this power of two, the smallest subnormal.
FINEST = -1074
_SHIFTS = tuple(unit - FINEST for unit in UNITS)
_MASK = (1 << STEP) - 1
# A coarsest word below this counts, like the others after a carry, as one addition: 2**22 of them fit an int64.
FULL = 1 << STEP
PLACES = 1 << 14  # more than there are shifts


@dataclass(slots=True)
class ExactSums:
    """A table of exact sums: `groups` rows of `sums` sums each.

    Attributes
    ----------
    words : (groups, sums, WORDS) int64, the window of `window.py`, where almost every number lies.
    far : {(group, sum): count of 2**-1074}, what does not lie in the window.
    additions : how many numbers were added to a word since its last carry, at most.
    """

    words: Array
    far: dict[tuple[int, int], int] = field(default_factory=dict)
    additions: int = 0

    @classmethod
    def zeros(cls, groups: int, sums: int) -> ExactSums:
        return cls(np.zeros((groups, sums, WORDS), np.int64))

    def add_table(self, table: Array, additions: int, at: Array | None = None) -> None:
        """Add a kernel's table (groups, sums, WORDS) that holds `additions` numbers; row k goes to row at[k], or k."""
        if self.additions + additions > ADDITIONS_BEFORE_CARRY:
            self.carry()
        if at is None:
            self.words[: len(table)] += table
        else:
            self.words[at] += table  # no index twice: each key has one
        self.additions += additions
        if self.additions > ADDITIONS_BEFORE_CARRY:
            self.carry()

    def add_values(self, values: Array, codes: Array, sum_index: int, scale: Array | int = 0) -> None:
        """Add values * 2**scale, finite doubles (n,), to the sum `sum_index` of the groups `codes` (n,)."""
        if values.size == 0:
            return
        fraction, exponent = np.frexp(values)
        mantissa = np.ldexp(fraction, 53).astype(np.int64)
        lowest = exponent.astype(np.int64) + scale - 53 - FINEST
        shift = np.maximum(lowest, 0)
        mantissa >>= np.minimum(shift - lowest, 63)  # the zero bits of subnormals
        place = codes.astype(np.int64) * PLACES + shift
        order = np.argsort(place, kind="stable")
        place, mantissa = place[order], mantissa[order]
        starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
        # Two halves, so that 2**30 of them cannot overflow.
        high = np.add.reduceat(mantissa >> 30, starts).tolist()
        low = np.add.reduceat(mantissa & (2**30 - 1), starts).tolist()
        for where, h, lo in zip(place[starts].tolist(), high, low, strict=True):
            group, shift_ = divmod(where, PLACES)
            self._add_far(group, sum_index, ((h << 30) + lo) << shift_)

    def merge(self, other: ExactSums, at: Array | None = None) -> None:
        """Add the sums of another table; its row k goes to row at[k], or k."""
        if other.additions > 0 and self.additions + other.additions > ADDITIONS_BEFORE_CARRY:
            self.carry()
        # A carried table has words below 2**40, as if each had had one addition.
        self.add_table(other.words, other.additions + 1, at)
        if other.far:
            far, to = self.far, range(len(other.words)) if at is None else at.tolist()
            for (group, index), count in list(other.far.items()):
                place = to[group], index
                far[place] = far.get(place, 0) + count

    def _add_far(self, group: int, index: int, count: int) -> None:
        self.far[group, index] = self.far.get((group, index), 0) + count

    def carry(self) -> None:
        """Move what a word holds beyond 40 bits to the next coarser word, and from a full coarsest one to `far`."""
        for j in range(WORDS - 1, 0, -1):
            over = self.words[..., j] >> STEP
            self.words[..., j] &= _MASK
            self.words[..., j - 1] += over
        coarsest = self.words[..., 0]
        for group, index in np.argwhere(np.abs(coarsest) > FULL).tolist():
            self._add_far(group, index, int(coarsest[group, index]) << _SHIFTS[0])
            coarsest[group, index] = 0
        self.additions = 1

    def grow(self, groups: int) -> None:
        """Make room for more groups, whose sums are 0."""
        old, sums, _ = self.words.shape
        if groups > old:
            larger = np.zeros((max(groups, 2 * old), sums, WORDS), np.int64)
            larger[:old] = self.words
            self.words = larger

    def count(self, group: int, index: int) -> int:
        """Return a sum as a whole number of 2**-1074."""
        words = self.words[group, index].tolist()
        return sum(w << s for w, s in zip(words, _SHIFTS, strict=True)) + self.far.get((group, index), 0)

    def total(self, groups: int) -> list[int]:
        """Return the sums over the first groups, each as a whole number of 2**-1074."""
        self.carry()
        words = self.words[:groups]
        together = ExactSums(words.sum(axis=0, keepdims=True))  # the finer words are below 2**40: no overflow
        together.words[0, :, 0] = 0
        for index in range(words.shape[1]):
            together._add_far(0, index, sum(words[:, index, 0].tolist()) << _SHIFTS[0])
        for (_, index), count in self.far.items():
            together._add_far(0, index, count)
        return together.counts(1)[0]

    def counts(self, groups: int) -> list[list[int]]:
        """Return all sums of the first groups as whole numbers of 2**-1074."""
        return [[self.count(g, s) for s in range(self.words.shape[1])] for g in range(groups)]


def rounded(count: int) -> float:
    """Return count * 2**-1074, rounded once to the nearest double; infinite beyond the largest."""
    try:
        return count / (1 << -FINEST)
    except OverflowError:
        return float("inf") if count > 0 else float("-inf")


def exact_sum(values: Array) -> float:
    """Return the sum of finite doubles, rounded once: equal to `math.fsum`.

    Examples
    --------
    >>> exact_sum(np.array([1e16, 1.0, -1e16]))
    1.0
    """
    sums = ExactSums.zeros(1, 1)
    sums.add_values(np.asarray(values, np.float64), np.zeros(len(values), np.int64), 0)
    return rounded(sums.count(0, 0))
