"""From exact sums to a mean and its standard error: rational arithmetic, rounded once at the end."""

from __future__ import annotations

import math
from typing import NamedTuple

from nll.numerics.exact import FINEST, rounded

UNIT = 1 << -FINEST  # sums count multiples of 1 / UNIT

# The sums hold squares that were rounded to 53 bits. Below this part of the mean square, a variance is their noise.
RESOLUTION_BITS = 51


class Estimate(NamedTuple):
    """A sum, its mean, and the standard error of that, in nats."""

    sum: float
    weight: float
    mean: float
    stderr: float


def unweighted(rows: int, loss: int, square: int) -> Estimate:
    """Return sum, rows, mean, and sqrt(variance / n), the variance with divisor n - 1."""
    mean = _ratio(loss, rows * UNIT)
    variance = rows * square * UNIT - loss * loss  # n sum(l**2) - (sum l)**2, in UNIT**-2
    if variance << RESOLUTION_BITS <= rows * square * UNIT:
        variance = 0
    stderr = _root(variance, rows * rows * (rows - 1) * UNIT * UNIT) if rows > 1 else math.nan
    return Estimate(rounded(loss), float(rows), mean, stderr)


def weighted(rows: int, weight: int, loss: int, square_weight: int, weight_loss: int, square: int) -> Estimate:
    """Return sum w l, sum w, their ratio m, and sqrt(n / (n - 1) sum (w (l - m))**2) / sum w."""
    if rows == 0 or weight == 0:
        return Estimate(rounded(loss), rounded(weight), math.nan, math.nan)
    if 2 * rows * square_weight * UNIT < weight * weight:  # squares of weights near 1e-162 and below are lost
        return Estimate(rounded(loss), rounded(weight), _ratio(loss, weight), math.nan)
    total = square * weight * weight + loss * loss * square_weight
    spread = total - 2 * loss * weight * weight_loss
    if spread << RESOLUTION_BITS <= total:
        spread = 0
    # In UNIT**-1 all five sums: spread is of the third power, and is divided by weight**4.
    stderr = _root(spread * UNIT * rows, weight**4 * (rows - 1)) if rows > 1 else math.nan
    return Estimate(rounded(loss), rounded(weight), _ratio(loss, weight), stderr)


def clustered(clusters: list[tuple[int, int]]) -> Estimate:
    """Return the estimate for clusters given as (sum w l, sum w), rows within a cluster being dependent.

    The standard error is sqrt(G / (G - 1) sum_g (L_g - m W_g)**2) / sum W over the G clusters.
    """
    loss, weight, count = sum(c[0] for c in clusters), sum(c[1] for c in clusters), len(clusters)
    if weight == 0:
        return Estimate(rounded(loss), rounded(weight), math.nan, math.nan)
    terms = [(own * weight, loss * w) for own, w in clusters]
    spread = sum((a - b) ** 2 for a, b in terms)
    if spread << 2 * RESOLUTION_BITS <= sum(a * a for a, _ in terms):  # products w l are rounded: their noise, squared
        spread = 0
    stderr = _root(spread * count, weight**4 * (count - 1)) if count > 1 else math.nan
    return Estimate(rounded(loss), rounded(weight), _ratio(loss, weight), stderr)


def _ratio(top: int, bottom: int) -> float:
    if bottom == 0:
        return math.nan
    try:
        return top / bottom
    except OverflowError:
        return math.inf if (top > 0) == (bottom > 0) else -math.inf


def _root(top: int, bottom: int) -> float:
    """Return sqrt(top / bottom), though the quotient itself may overflow or underflow."""
    if top <= 0:
        return 0.0
    shift = (top.bit_length() - bottom.bit_length() - 128) & ~1  # 128 bits of quotient, an even shift for the root
    quotient = (top >> shift) // bottom if shift >= 0 else (top << -shift) // bottom
    root, half = math.isqrt(quotient << 64), shift // 2 - 32
    try:
        return float(root << half) if half >= 0 else root / (1 << -half)
    except OverflowError:
        return math.inf
