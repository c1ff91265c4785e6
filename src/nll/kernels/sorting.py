"""Sorting doubles, and merging two sorted columns with their counts, in time that grows like their number."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.numerics.formula import bind

Array = npt.NDArray[Any]
FEW = 2**17  # numbers for which NumPy does, and nothing compiles
SIGN = np.uint64(1 << 63)


def by_digits(keys, other, places):
    """Sort keys by their bytes, the lowest first; return which of two arrays of room has them in the end.

    Source: D. E. Knuth, The Art of Computer Programming, volume 3, 2nd edition (1998), algorithm 5.2.5R.

    Parameters
    ----------
    keys, other : (n,) uint64, the keys, and room for as many.
    places : (8, 256) int64 of zeros.
    """
    mask, eight = np.uint64(255), np.uint64(8)
    for i in range(keys.size):
        key = keys[i]
        for digit in range(8):
            places[digit, np.int64(key & mask)] += 1
            key >>= eight
    for digit in range(8):
        place, shift = places[digit], np.uint64(8 * digit)
        if place[np.int64((keys[0] >> shift) & mask)] == keys.size:
            continue  # the same digit everywhere
        total = 0
        for j in range(256):
            count = place[j]
            place[j] = total
            total += count
        for i in range(keys.size):
            key = keys[i]
            j = np.int64((key >> shift) & mask)
            other[place[j]] = key
            place[j] += 1
        keys, other = other, keys
    return keys


def merge(first, second, own, others, values, later, counts):
    """Merge two sorted columns with their counts; of equal numbers the first column's come first.

    Parameters
    ----------
    first, second : (m,), (n,) numbers. own, others : their counts.
    values, later, counts : (m + n,), receive the numbers, whether they are the second's, and their counts.
    """
    i = j = 0
    for k in range(values.size):
        take = i == first.size or (j < second.size and second[j] < first[i])
        values[k] = second[j] if take else first[i]
        counts[k] = others[j] if take else own[i]
        later[k] = take
        j += take
        i += not take


@cache
def _compiled(function: Any) -> Any:
    return bind(function)


def sort(values: Array) -> Array:
    """Return doubles in increasing order; the array may be used as room. None of them is NaN or -0."""
    if values.size < FEW:
        return np.sort(values)
    keys = values.view(np.uint64)
    signed = bool((keys >= SIGN).any())
    if signed:  # as integers in the order of the doubles
        keys = np.where(keys >= SIGN, ~keys, keys | SIGN)
    keys = _compiled(by_digits)(keys, np.empty_like(keys), np.zeros((8, 256), np.int64))
    return (np.where(keys >= SIGN, keys ^ SIGN, ~keys) if signed else keys).view(np.float64)


def merged(first: Array, second: Array, own: Array, others: Array) -> tuple[Array, Array, Array]:
    """Return two sorted columns as one: the numbers, whether each is the second's, and the counts.

    Examples
    --------
    >>> merged(np.array([0.1, 0.5]), np.array([0.1, 0.2]), np.array([1, 2]), np.array([3, 4]))[1]
    array([False,  True,  True, False])
    """
    n = first.size + second.size
    if n < FEW:
        both = np.concatenate([first, second])
        order = np.argsort(both, kind="stable")  # of two runs in order: they are merged
        return both[order], order >= first.size, np.concatenate([own, others])[order]
    values, later, counts = np.empty(n), np.empty(n, np.bool_), np.empty(n, np.int64)
    _compiled(merge)(first, second, own, others, values, later, counts)
    return values, later, counts
