"""From the labels that users have (text, numbers in any order) to the classes 0, 1, ... that families observe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError, listing
from nll.numerics.arrays import NOT_NUMBERS

Array = npt.NDArray[Any]


class Labels:
    """An ordered list of labels; the first is class 0. A label that no row has is fine.

    Parameters
    ----------
    labels : distinct values, all text or all numbers.
    """

    def __init__(self, labels: Sequence[Any]) -> None:
        self.labels = list(labels)
        if len(set(map(str, self.labels))) != len(self.labels) or not self.labels:
            raise UsageError(f"labels must be distinct, and at least one; got {listing(self.labels)}")
        self.text = any(isinstance(label, str) for label in self.labels)
        try:
            values = np.array([str(v) for v in self.labels] if self.text else self.labels)
        except NOT_NUMBERS:
            values = np.array(None)
        if values.dtype.kind == "O" or values.ndim != 1:
            raise UsageError(f"labels are all text or all numbers; got {listing(self.labels)}")
        self.order = np.argsort(values, kind="stable")
        self.sorted = values[self.order]

    def encode(self, y: Array, missing: Array | None) -> tuple[Array, int]:
        """Return the class of each row, and the first row whose label is none of ours, or -1."""
        if self.text:
            y = np.array(["" if v is None else str(v) for v in y.tolist()])
        at = np.minimum(np.searchsorted(self.sorted, y), len(self.sorted) - 1)
        wrong = self.sorted[at] != y
        if missing is not None:
            wrong &= ~missing
        return self.order[at].astype(np.int64), int(np.argmax(wrong)) if wrong.any() else -1


def is_text(y: Any) -> bool:
    """Whether observations are text (or Nones and text)."""
    return isinstance(y, np.ndarray) and y.dtype.kind in "OUT"


def need_labels(name: str, y: Array, family: str) -> DataError:
    """Return the error for text without labels."""
    sample = next((v for v in y.tolist() if v is not None), None)
    if family not in ("Bernoulli", "Categorical"):
        return DataError(f"{name} must hold numbers for {family}; got text, such as {sample!r}")
    return DataError(
        f"{name} holds text, such as {sample!r}: pass labels=[...] in the order of the classes "
        "(for Bernoulli: the label of 0, then that of 1)"
    )
