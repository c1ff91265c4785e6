"""Small codes for the values of a column, by their hashes: a table of open addressing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nll.numerics.formula import bind

Array = npt.NDArray[Any]


def assign(first, second, table, codes, rows):
    """Give equal pairs of hashes equal codes 0, 1, ...; return how many there are, or -1 when the table is half full.

    Parameters
    ----------
    first, second : (n,) uint64, two hashes of each row.
    table : (size,) int64 of -1, size a power of two; receives codes.
    codes : (n,) int32, receives the code of each row.
    rows : (size,) int64, receives the first row of each code.
    """
    found = 0
    mask = np.uint64(table.size - 1)
    for i in range(first.size):
        place = first[i] & mask
        code = table[place]
        while code >= 0 and (first[rows[code]] != first[i] or second[rows[code]] != second[i]):
            place = (place + np.uint64(1)) & mask
            code = table[place]
        if code < 0:
            if 2 * found >= table.size:
                return -1
            code = found
            table[place] = code
            rows[code] = i
            found += 1
        codes[i] = code
    return found


def hash_codes(first: Array, second: Array) -> tuple[Array, Array]:
    """Return a code (n,) for each pair of hashes, and the first row of each code.

    Two values that differ share both of two 64-bit hashes with a chance of 2**-128, less than that of a
    memory error; one hash would not do for a thousand million values.
    """
    codes = np.empty(first.size, np.int32)
    size = 1 << 12
    while True:
        rows = np.empty(size, np.int64)
        found = _assign()(first, second, np.full(size, -1), codes, rows)
        if found >= 0:
            return codes, rows[:found]
        size *= 8


_bound: list[Any] = []


def _assign() -> Any:
    if not _bound:
        _bound.append(bind(assign))
    return _bound[0]
