"""What a pass over documents of tokens leaves behind: whole numbers, so that any order and split gives the same bits.

Losses are summed as multiples of 2**-1074, of which every double is a whole number (`numerics/exact.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nll.numerics.exact import FINEST

Key = tuple[Any, ...]
COUNTS = ("tokens", "documents", "sentinels", "first", "null", "outside", "special", "lost", "disagreeing")
SIZES = ("text_bytes", "scored_bytes", "chars", "words")


def exact_count(losses: Sequence[float]) -> int:
    """Return the sum of finite doubles as a whole number of 2**-1074.

    `math.fsum` rounds once; what it has left over is summed again until nothing is left.

    Examples
    --------
    >>> exact_count([1e16, 1.0, -1e16]) == exact_count([1.0])
    True
    """
    rest, total = list(losses), 0
    try:
        while rounded := math.fsum(rest):
            total += _units(rounded)
            rest.append(-rounded)
    except OverflowError:  # beyond the largest double
        return sum(map(_units, losses))
    return total


def _units(x: float) -> int:
    top, bottom = x.as_integer_ratio()
    return top << (-FINEST - (bottom.bit_length() - 1))


@dataclass(slots=True)
class Part:
    """The sum of the losses of some tokens, and what it may be divided by.

    Attributes
    ----------
    loss : the sum of finite losses in units of 2**-1074 nats.
    impossible : tokens of infinite loss.
    counts : COUNTS, one number each.
    sizes : SIZES, one number each; None where a document's is unknown.
    """

    loss: int = 0
    impossible: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * len(COUNTS))
    sizes: list[int | None] = field(default_factory=lambda: [0] * len(SIZES))

    def add(self, other: Part) -> None:
        """Add another part to this one."""
        self.loss += other.loss
        self.impossible += other.impossible
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.sizes = [None if a is None or b is None else a + b for a, b in zip(self.sizes, other.sizes, strict=True)]

    def count(self, name: str) -> int:
        """Return one of COUNTS."""
        return self.counts[COUNTS.index(name)]

    def size(self, name: str) -> int | None:
        """Return one of SIZES."""
        return self.sizes[SIZES.index(name)]


@dataclass(slots=True)
class DocumentTallies:
    """Parts by group and cluster; an empty one is the zero of `merge`."""

    parts: dict[tuple[Key, Any], Part] = field(default_factory=dict)

    def add(self, key: Key, cluster: Any, part: Part) -> None:
        """Add a part to its group and cluster."""
        self.parts.setdefault((key, cluster), Part()).add(part)

    def merge(self, other: DocumentTallies) -> DocumentTallies:
        """Add another state to this one."""
        for (key, cluster), part in other.parts.items():
            self.add(key, cluster, part)
        return self
