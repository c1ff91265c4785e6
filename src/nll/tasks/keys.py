"""Group keys: columns of any type become one column of small integers, and the key that each stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.kernels.codes import hash_codes
from nll.states.plain import NAN

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
DENSE = 2**16  # integers in so small a range are their own codes
FEW = 5_000  # rows for which Python's own dictionary does, and nothing compiles
SEEDS = (1, 2)


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

    from nll.sources.columns import WIDE_INTEGERS

    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise DataError(
            f"column {column.name!r} holds {column.dtype}, which cannot be the key of a group: "
            "make text or numbers of it first"
        )
    if column.null_count() == 0 and column.dtype.is_integer() and column.dtype not in WIDE_INTEGERS:
        numbers = column.to_numpy()
        low, high = int(numbers.min()), int(numbers.max())
        if low >= 0 and high < DENSE:  # as they are: another pass over them would cost as much as the kernel
            return numbers, list(range(high + 1))
        if high - low < DENSE:
            numbers = numbers if numbers.dtype.kind == "u" else numbers.astype(np.int64, copy=False)
            return numbers - numbers.min(), list(range(low, high + 1))
    if column.len() < FEW:
        places: dict[Any, int] = {}
        values = _values(column)
        return np.array([places.setdefault(v, len(places)) for v in values], np.int64), list(places)
    hashed = column.to_physical() if column.dtype in (pl.Categorical, pl.Enum) else column
    codes, rows = hash_codes(*(hashed.hash(seed).to_numpy() for seed in SEEDS))
    return codes, _values(column.gather(rows))


def _values(column: pl.Series) -> list[Any]:
    """Return a column as Python values, NaN as the one object that equals itself, -0.0 as 0.0."""
    column = column + 0.0 if column.dtype.is_float() else column
    return [NAN if v != v else v for v in column.to_list()]
