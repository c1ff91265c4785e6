"""Quantiles where there is no closed form: bisection over the doubles themselves, from the nearer tail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SIGN = np.int64(0x7FFFFFFFFFFFFFFF)
LARGEST_COUNT = 2.0**53


def ordered(x: Array) -> Array:
    """Return doubles as integers that order as they do; neighbours differ by 1."""
    bits = np.ascontiguousarray(x, np.float64).view(np.int64)
    return np.where(bits < 0, bits ^ SIGN, bits)


def unordered(n: Array) -> Array:
    """Return the doubles that `ordered` took."""
    return np.ascontiguousarray(np.where(n < 0, n ^ SIGN, n)).view(np.float64)


def inverted(
    log_cdf: Callable[[Array], Array],
    log_sf: Callable[[Array], Array],
    log_p: Array,
    log_q: Array,
    low: Array,
    high: Array,
    discrete: bool,
) -> Array:
    """Return the smallest y with F(y) >= p, for arrays of one shape (n,).

    Halves the doubles (or, for a discrete family, the whole numbers) between the ends of the support: at most 64
    steps, whatever the scale. The comparison is made in the smaller tail, where nothing is lost. Whole numbers are
    first looked for near the lower end, by steps that double: most counts are small, and tails of large ones dear.
    """
    lower = log_p <= log_q

    def reached(y: Array) -> Array:
        return np.where(lower, log_cdf(y) >= log_p, log_sf(y) <= log_q)

    if discrete:
        below = np.maximum(low, -LARGEST_COUNT) - 1.0
        above = np.minimum(high, LARGEST_COUNT)
        for doubled in range(54):
            y = np.minimum(below + 2.0**doubled, above)
            enough = reached(y)
            below, above = np.where(enough, below, y), np.where(enough, y, above)
            if (enough | (y == above)).all():
                break
    else:
        below, above = ordered(low), ordered(high)
    for _ in range(64):
        if discrete and (below >= above - 1).all():
            break
        middle = np.floor((below + above) / 2.0) if discrete else below // 2 + above // 2 + (below & above & 1)
        enough = reached(middle if discrete else unordered(middle))
        above = np.where(enough, middle, above)
        below = np.where(enough, below, middle)
    return above if discrete else unordered(above) + 0.0  # -0.0 is the neighbour of 0.0, and 0
