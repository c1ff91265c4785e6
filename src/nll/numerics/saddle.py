"""What saddle-point forms are made of: x (r - log(1 + r)) from a gap x r that is known better than x (1 + r) - x.

A count x with mean m has the gap m - x, its relative gap r = (m - x) / x, and the ratio m / x = 1 + r. Where m is
a product, the gap is one fused step, and m alone would have lost its digits. Logarithms of ratios are handed in,
because a ratio may leave the range of a double where its logarithm does not.

Sources: C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000), on the deviance; the series of
atanh, DLMF 4.38.5.
"""

from __future__ import annotations

from nll.numerics import special_coefficients as table
from nll.numerics.bits import fma
from nll.numerics.elementary import _exp_parts, _reduce, _scale, log_of_sum
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum, two_sum
from nll.numerics.polynomials import poly10

ATANH = table.ATANH
LOW, HIGH = 1e-290, 1e290
UP, DOWN, LOG_UP = 2.0**600, 2.0**-600, 415.88830833596717  # 600 log 2


@formula
def near(r: float) -> bool:
    """Say whether the series in r / (2 + r) serves, where 1/2 <= 1 + r <= 2; not for NaN."""
    return (r >= -0.5) & (r <= 1.0)


@formula
def scaled_excess(x: float, gap: float, r: float, logarithm: float) -> float:
    """Return x (r - log(1 + r)) >= 0, given gap = x r and logarithm = log(1 + r); the limit `gap` at x = 0.

    x may be infinite where r is 0.
    """
    part = 1.0 / (2.0 + r)
    z = r * part
    square = z * z
    close = gap * part * fma(-2.0 * square, poly10(square, ATANH), r)
    distant = fma(-x, logarithm, gap)
    value = close if near(r) else distant
    return gap if x == 0.0 else value


@formula
def squared_excess(x: float, gap: float, r: float, logarithm: float) -> float:
    """Return x**2 (r - log(1 + r)), as `scaled_excess` does once."""
    part = 1.0 / (2.0 + r)
    z = r * part
    close = gap * (gap * (part * fma(-2.0 * part * z, poly10(z * z, ATANH), 1.0)))
    return close if near(r) else x * (x * (r - logarithm))


@formula
def excess_bend(x: float, gap: float, r: float, logarithm: float, s: float, share: float) -> float:
    """Return x (s - 2 (r - log(1 + r)) / r**2), given share = x (1 - s); x may be infinite where r is 0.

    Near r = 0 as gap k - share with k = (1 - 2 (r - log(1 + r)) / r**2) / r, which is 2/3 there.
    """
    part = 1.0 / (2.0 + r)
    z = r * part
    k = part * fma(4.0 * part * part, poly10(z * z, ATANH), 1.0)
    return fma(gap, k, -share) if near(r) else x * (s - 2.0 * (r - logarithm) / r / r)


@formula
def log_of_ratio(r: float, ratio: float, offset: float) -> float:
    """Return log(1 + r) from r where that is small, else from ratio exp(offset) = 1 + r."""
    close = near(r)
    u, c = two_sum(1.0, r)
    return log_of_sum(u if close else ratio, c if close else 0.0) + (0.0 if close else offset)


@formula
def lifted(p: float) -> tuple[float, float]:
    """Return (p', offset) with log(p) = log(p') + offset, p' out of reach of the subnormal numbers."""
    low = p < LOW
    return (p * UP if low else p), (-LOG_UP if low else 0.0)


@formula
def lifted_product(x: float, y: float) -> tuple[float, float]:
    """Return (p, offset) with log(x y) = log(p) + offset, for products that over- or underflow too."""
    product = x * y
    low, high = product < LOW, product > HIGH
    up_or_down = UP if low else DOWN
    lift = 2.0 * LOG_UP
    scaled = (x * up_or_down) * (y * up_or_down)
    return (scaled if low | high else product), (-lift if low else (lift if high else 0.0))


@formula
def exp_pair(x: float) -> tuple[float, float]:
    """Return exp(x) as a pair for x <= 0: error 2**-57, or that of a subnormal number."""
    n, r, r_low = _reduce(x if x > -746.0 else -746.0, 0.0)
    high, low = _exp_parts(r, r_low)
    high, low = fast_two_sum(high, low)
    one, other = _scale(n)
    return high * one * other, low * one * other


@formula
def shares(success: float, failure: float, logits: float) -> tuple[float, float, float]:
    """Return (p failure - q success, p, q) for p = 1 / (1 + exp(-logits)), q = 1 - p.

    The difference is taken once, of an exponential that is a pair.
    """
    up = logits >= 0.0
    small, small_low = exp_pair(-abs(logits))
    part = 1.0 / (1.0 + small)
    times, plus = (-success if up else failure), (failure if up else -success)
    gap = (fma(small, times, plus) + small_low * times) / (1.0 + small)
    rare = small * part
    return gap, (part if up else rare), (rare if up else part)
