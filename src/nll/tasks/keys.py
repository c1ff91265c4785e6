"""Group keys: columns of any type become one column of small integers, and the key that each stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.states.plain import NAN

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
DENSE = 2**16  # integers in so small a range are their own codes


def group_codes(columns: list[pl.Series]) -> tuple[Array, list[tuple[Any, ...]]]:
    """Return a code (n,) for each row and the key, a tuple of Python values, of each code.

    Codes may stand for keys that no row of this batch has. A missing value is a key of its own, None.
    """
    coded = [_codes(column) for column in columns]
    codes, size = coded[0][0], len(coded[0][1])
    for more, values in coded[1:]:
        codes, size = codes.astype(np.int64) * len(values) + more, size * len(values)
    if size > max(DENSE, len(codes)):
        present, codes = np.unique(codes, return_inverse=True)
    else:
        present = np.arange(size)
    if len(coded) == 1 and len(present) == size:
        return _narrow(codes), [(value,) for value in coded[0][1]]
    parts: list[list[Any]] = []
    for _, values in reversed(coded):
        present, which = np.divmod(present, len(values))
        parts.append([values[i] for i in which.tolist()])
    return _narrow(codes), list(zip(*reversed(parts), strict=True))


def _narrow(codes: Array) -> Array:
    """Return codes as one of two types, read-only, so that few kernels compile."""
    codes = (codes if codes.dtype in (np.int32, np.int64) else codes.astype(np.int32)).view()
    codes.flags.writeable = False
    return codes


def _codes(column: pl.Series) -> tuple[Array, list[Any]]:
    """Return codes of one column and the value of each."""
    import polars as pl

    if column.null_count() == 0 and column.dtype.is_integer():
        numbers = column.to_numpy()
        low, high = int(numbers.min()), int(numbers.max())
        if low >= 0 and high < DENSE:  # as they are: another pass over them would cost as much as the kernel
            return numbers, list(range(high + 1))
        if high - low < DENSE:
            numbers = numbers if numbers.dtype.kind == "u" else numbers.astype(np.int64, copy=False)
            return numbers - numbers.min(), list(range(low, high + 1))
    if column.dtype == pl.String:
        column = column.cast(pl.Categorical)
    if column.dtype in (pl.Categorical, pl.Enum):
        physical = column.to_physical()
        return _compressed(physical, lambda first: column.gather(first).cast(pl.String).to_list())
    return _compressed(
        column.rank("dense"), lambda first: [NAN if v != v else v for v in column.gather(first).to_list()]
    )


def _compressed(ranks: pl.Series, values_at: Any) -> tuple[Array, list[Any]]:
    """Return codes 0, 1, ... for a column of small numbers with nulls, and the values at their first rows."""
    import polars as pl

    filled = ranks.cast(pl.Int64).fill_null(-1).to_numpy()
    low, high = int(filled.min()), int(filled.max())
    if high - low < 4 * len(filled) + DENSE:
        first = np.full(high - low + 1, -1, np.int64)
        first[filled[::-1] - low] = np.arange(len(filled))[::-1]
        present = np.flatnonzero(first >= 0)
        lookup = np.zeros(high - low + 1, np.int64)
        lookup[present] = np.arange(present.size)
        return lookup[filled - low], values_at(first[present])
    _, first, codes = np.unique(filled, return_index=True, return_inverse=True)
    return codes, values_at(first)
