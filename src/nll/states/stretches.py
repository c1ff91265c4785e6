"""Exact sums of stretches of an array, all at once: the sums of documents, whose tokens lie one after the other.

A double below 2**11 is cut into multiples of 2**-40, of 2**-91 and of 2**-142, whose sums are exact in integers; so is
the double, if it is none of less than 2**-90 with bits beyond. Others are left to `documents.exact_count`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TOP, STEP = 40, 51
LARGEST = 2.0**11
LONGEST = 2048  # numbers whose sum of slices, each below 2**51, an int64 holds


def exact_sums(values: Array, starts: Array) -> tuple[list[int], Array]:
    """Return the sums of stretches in multiples of 2**-142, and which of them are wrong.

    Parameters
    ----------
    values : (n,) finite doubles, to be summed if in [0, 2**11).
    starts : (m,) where each stretch begins; the next begins where it ends, and none is empty.

    Examples
    --------
    >>> sums, wrong = exact_sums(np.array([0.5, 0.25, 2.0, -1.0]), np.array([0, 2, 3]))
    >>> [s / 2**142 for s in sums[:2]], wrong.tolist()
    ([0.75, 2.0], [False, False, True])
    """
    wrong = (np.minimum.reduceat(values, starts) < 0.0) | (np.maximum.reduceat(values, starts) >= LARGEST)
    lengths = np.diff(starts, append=len(values))
    if wrong.any():
        values = np.where(np.repeat(wrong, lengths), 0.0, values)
    top = np.rint(values * 2.0**TOP)
    rest = values - top * 2.0**-TOP
    middle = np.rint(rest * 2.0 ** (TOP + STEP))
    rest -= middle * 2.0 ** -(TOP + STEP)
    rest *= 2.0 ** (TOP + 2 * STEP)
    low = np.rint(rest)
    if (low != rest).any():
        wrong |= np.logical_or.reduceat(low != rest, starts)
    pieces, owners = _pieces(starts, lengths)
    slices = [np.add.reduceat(each.astype(np.int64), pieces).tolist() for each in (top, middle, low)]
    sums = [(a << 2 * STEP) + (b << STEP) + c for a, b, c in zip(*slices, strict=True)]
    if owners is None:
        return sums, wrong
    found = [0] * len(starts)
    for owner, piece in zip(owners.tolist(), sums, strict=True):
        found[owner] += piece
    return found, wrong


def _pieces(starts: Array, lengths: Array) -> tuple[Array, Array | None]:
    """Return where pieces of at most LONGEST numbers begin, and the stretch of each; None if stretches are pieces."""
    if lengths.max(initial=0) <= LONGEST:
        return starts, None
    counts = -(-lengths // LONGEST)
    owners = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return starts[owners] + within * LONGEST, owners
