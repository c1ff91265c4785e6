"""Arrays of doubles from whatever a user passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, first_line

# Ragged or endless lists, objects of other libraries, and whole numbers that no double holds.
NOT_NUMBERS = (BufferError, OverflowError, RecursionError, RuntimeError, TypeError, ValueError)


def doubles(value: Any, name: str) -> npt.NDArray[np.float64]:
    """Return a value as an array of doubles; raise DataError, which calls it `name`, of what is none.

    Examples
    --------
    >>> doubles([1, 2], "x")
    array([1., 2.])
    """
    try:
        return np.asarray(value, np.float64)
    except NOT_NUMBERS as error:
        raise DataError(f"{name} must hold numbers; got {type(value).__name__}: {first_line(error)}") from error


def dimensions(value: Any) -> int:
    """Return how many dimensions a value has as an array; of a ragged list, 1: who reads it says what is wrong.

    Examples
    --------
    >>> dimensions([[1, 2], [3, 4]]), dimensions([1, [2]])
    (2, 1)
    """
    try:
        return np.ndim(value)
    except NOT_NUMBERS:
        return 1
