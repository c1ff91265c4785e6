"""What a pass over documents of tokens leaves behind: whole numbers, so that any order and split gives the same bits.

Losses are summed as multiples of 2**-1074, of which every double is a whole number (`numerics/exact.py`).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Any

from nll.numerics.exact import FINEST

Key = tuple[Any, ...]
COUNTS = ("tokens", "documents", "sentinels", "first", "null", "outside", "special", "lost", "disagreeing")
SIZES = ("text_bytes", "scored_bytes", "chars", "words")
WEIGHTS = ("tokens", *SIZES)
NUMBERS = ("line", "choice", "tokens", "impossible", "sentinels", *SIZES)
FINENESS = 142  # the sums of ordinary documents count multiples of 2**-142
TO_FINEST = -FINEST - FINENESS


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


@dataclass(slots=True)
class Rows:
    """Documents side by side, none with an impossible token: each list has one number a document.

    Attributes
    ----------
    losses : in units of 2**-FINENESS nats.
    counts : of COUNTS, those that are not 0 throughout.
    sizes : SIZES; None where unknown.
    """

    losses: list[int]
    counts: dict[str, list[int]]
    sizes: list[list[int | None]]

    def part(self, i: int) -> Part:
        """Return one document."""
        counts = [self.counts[name][i] if name in self.counts else int(name == "documents") for name in COUNTS]
        return Part(self.losses[i] << TO_FINEST, 0, counts, [column[i] for column in self.sizes])

    def take(self, which: list[int]) -> Rows:
        """Return some of the documents."""
        counts = {name: [column[i] for i in which] for name, column in self.counts.items()}
        return Rows([self.losses[i] for i in which], counts, [[column[i] for i in which] for column in self.sizes])


@dataclass(slots=True)
class Moments:
    """Sums over clusters of documents, which are independent: all that means and their standard errors are made of.

    A state of fixed size, whatever the number of documents; it merges by addition.

    Attributes
    ----------
    total : the sums over all of it.
    clusters : with a token that was scored; the others take no part in what follows.
    square : the sum of L**2 over clusters of loss L, in units of 2**-2148.
    weights, squares, products : the sums of W, W**2 and L W, W being each of WEIGHTS; None where that is unknown.
    """

    total: Part = field(default_factory=Part)
    clusters: int = 0
    square: int = 0
    weights: list[int | None] = field(default_factory=lambda: [0] * len(WEIGHTS))
    squares: list[int | None] = field(default_factory=lambda: [0] * len(WEIGHTS))
    products: list[int | None] = field(default_factory=lambda: [0] * len(WEIGHTS))

    def add(self, part: Part) -> None:
        """Add a cluster."""
        self.total.add(part)
        tokens, loss = part.count("tokens"), part.loss
        if not tokens:
            return
        sizes = [tokens, *part.sizes]
        self.clusters += 1
        self.square += loss * loss
        self._weigh(
            sizes,
            [None if size is None else size * size for size in sizes],
            [None if size is None else size * loss for size in sizes],
        )

    def add_rows(self, rows: Rows) -> None:
        """Add documents that are a cluster each, and all have a token that was scored."""
        losses = rows.losses
        own = Part(sum(losses) << TO_FINEST)
        own.counts = [sum(rows.counts.get(name, ())) for name in COUNTS]
        own.counts[COUNTS.index("documents")] = len(losses)
        columns: list[list[Any]] = [rows.counts["tokens"], *rows.sizes]
        known = [None not in column for column in columns]
        weights = [sum(column) if ok else None for column, ok in zip(columns, known, strict=True)]
        own.sizes = weights[1:]
        self.total.add(own)
        self.clusters += len(losses)
        self.square += sum(map(mul, losses, losses)) << 2 * TO_FINEST
        self._weigh(
            weights,
            [sum(map(mul, column, column)) if ok else None for column, ok in zip(columns, known, strict=True)],
            [
                sum(map(mul, losses, column)) << TO_FINEST if ok else None
                for column, ok in zip(columns, known, strict=True)
            ],
        )

    def merge(self, other: Moments) -> None:
        """Add the clusters of another state, none of which is in this one."""
        self.total.add(other.total)
        self.clusters += other.clusters
        self.square += other.square
        self._weigh(other.weights, other.squares, other.products)

    def _weigh(self, weights: list[int | None], squares: list[int | None], products: list[int | None]) -> None:
        self.weights = _added(self.weights, weights)
        self.squares = _added(self.squares, squares)
        self.products = _added(self.products, products)


def _added(a: list[int | None], b: list[int | None]) -> list[int | None]:
    return [None if x is None or y is None else x + y for x, y in zip(a, b, strict=True)]


@dataclass(slots=True)
class Columns:
    """What a result says of each document, in columns: 90 bytes, and its name.

    Attributes
    ----------
    names : ids; None where a document has none, and is named by its place.
    paths, path : the files, and the number of that of each document.
    finite : the sums of finite losses, in nats.
    numbers : NUMBERS, -1 where one is unknown.
    """

    names: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    path: array[int] = field(default_factory=lambda: array("i"))
    finite: array[float] = field(default_factory=lambda: array("d"))
    numbers: dict[str, array[int]] = field(default_factory=lambda: {name: array("q") for name in NUMBERS})

    def __len__(self) -> int:
        return len(self.names)

    def extend(self, path: str, names: Sequence[str | None], finite: Sequence[float], **numbers: Sequence[Any]) -> None:
        """Add documents of a file; a number that is not given is 0."""
        if not self.paths or self.paths[-1] != path:
            self.paths.append(path)
        count = len(names)
        self.names.extend(names)
        self.path.extend([len(self.paths) - 1] * count)
        self.finite.extend(finite)
        for name, column in self.numbers.items():
            given = numbers.get(name)
            if given is None:
                column.frombytes(bytes(column.itemsize * count))
            else:
                column.extend(given if None not in given else [-1 if each is None else each for each in given])

    def merge(self, other: Columns) -> None:
        """Add the documents of another state after these."""
        if not other.names:
            return
        same = bool(self.paths) and self.paths[-1] == other.paths[0]
        shift = len(self.paths) - same
        self.paths += other.paths[same:]
        self.names += other.names
        self.path.extend([shift + i for i in other.path])
        self.finite.extend(other.finite)
        for name, column in self.numbers.items():
            column.extend(other.numbers[name])
