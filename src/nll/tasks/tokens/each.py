"""The scores of single documents, made from columns when somebody looks at them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, overload

from nll.results.tokens import DocumentScore, exponential
from nll.states.documents import SIZES, Columns


class Each(Sequence[DocumentScore]):
    """The DocumentScore of each document, in the order of the files."""

    __slots__ = ("columns",)

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns)

    @overload
    def __getitem__(self, index: int) -> DocumentScore: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[DocumentScore, ...]: ...
    def __getitem__(self, index: int | slice) -> DocumentScore | tuple[DocumentScore, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(len(self))[index])
        columns, i = self.columns, range(len(self))[index]
        numbers: dict[str, Any] = {name: column[i] for name, column in columns.numbers.items()}
        numbers |= {name: None for name in SIZES if numbers[name] < 0}
        impossible, finite, path = numbers.pop("impossible"), columns.finite[i], columns.paths[columns.path[i]]
        name = columns.names[i]
        if name is None:
            name = f"{path}:{numbers['line']}" + (f", choice {numbers['choice']}" if numbers["choice"] else "")
        return DocumentScore(name, path, nll=math.inf if impossible else finite, nll_finite=finite, **numbers)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Each) and other.columns is self.columns:
            return True
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def perplexities(self) -> list[float]:
        """Return exp(NLL per token) of each document that has a scored token."""
        return list(_perplexities(self.columns))


def _perplexities(columns: Columns) -> Iterator[float]:
    numbers = columns.numbers
    for finite, tokens, impossible in zip(columns.finite, numbers["tokens"], numbers["impossible"], strict=True):
        if tokens:
            yield math.inf if impossible else exponential(finite / tokens)
