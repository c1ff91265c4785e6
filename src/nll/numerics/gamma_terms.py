"""The gamma function's part in a density: lgamma without its logarithms, and falls of log(x) - digamma(x)."""

from __future__ import annotations

from nll.numerics import special_coefficients as table
from nll.numerics.bits import fma
from nll.numerics.formula import formula
from nll.numerics.polynomials import Coefficients, poly2, poly9
from nll.numerics.special import log_minus_digamma, trigamma

BINET_FAR_TOP, BINET_FAR_BOTTOM = table.BINET_FAR_TOP, table.BINET_FAR_BOTTOM
LGAMMA_TOP, LGAMMA_BOTTOM = table.LGAMMA_TOP, table.LGAMMA_BOTTOM
FAR = 8.0  # from here on Stirling's form
SERIES = 12.0  # from here on the series in 1 / x, whose 8 terms leave 3e-17
# Bernoulli's numbers B(2), B(4), ..., B(16), and the same divided by their index
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
DIVIDED = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)


@formula
def lgamma_rest(x: float) -> float:
    """Return lgamma(x) below 8, plus log(x) below 1; from 8 on lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2.

    Who adds up several of these adds the arguments of their logarithms first.

    Source: DLMF 5.5.1, 5.7.3, 5.11.1.
    """
    far = x >= FAR
    u = x if x < 1.0 else x - 1.0
    square = x * x
    top = poly2(square, BINET_FAR_TOP) if far else u * (u - 1.0) * poly9(u, LGAMMA_TOP)
    bottom = x * poly2(square, BINET_FAR_BOTTOM) if far else poly9(u, LGAMMA_BOTTOM)
    return 0.0 if x >= 1e18 else top / bottom


@formula
def fall_sum(square: float, s: float, c: Coefficients) -> float:
    """Return the sum of c[k] a**(2 k - 2) (1 - s**(2 k)) / (1 - s**2), k from 1 to 8, square = a**2."""
    q = s * s
    e2 = 1.0 + q
    e3 = fma(e2, q, 1.0)
    e4 = fma(e3, q, 1.0)
    e5 = fma(e4, q, 1.0)
    e6 = fma(e5, q, 1.0)
    e7 = fma(e6, q, 1.0)
    p = fma(c[7] * fma(e7, q, 1.0), square, c[6] * e7)
    p = fma(fma(fma(p, square, c[5] * e6), square, c[4] * e5), square, c[3] * e4)
    return fma(fma(fma(p, square, c[2] * e3), square, c[1] * e2), square, c[0])


@formula
def log_minus_digamma_fall(x: float, d: float) -> float:
    """Return h(x) - h(x + d) >= 0 for x > 0 and d = 0 or d >= 1, with h(x) = log(x) - digamma(x).

    From 12 on by h(x) = 1 / (2 x) + sum of B(2 k) / (2 k x**(2 k)). Source: DLMF 5.11.2.
    """
    a, b = 1.0 / x, 1.0 / (x + d)
    far = d * b * a * fma(a + b, fall_sum(a * a, x * b, DIVIDED), 0.5)
    return far if x >= SERIES else log_minus_digamma(x) - log_minus_digamma(x + d)


@formula
def log_minus_digamma_slope_fall(x: float, d: float) -> float:
    """Return h'(x + d) - h'(x) >= 0 for x > 0 and d = 0 or d >= 1, with h'(x) = 1 / x - trigamma(x).

    From 12 on by -h'(x) = 1 / (2 x**2) + (1 / x) sum of B(2 k) / x**(2 k). Source: DLMF 5.15.8.
    """
    a, b = 1.0 / x, 1.0 / (x + d)
    s = x * b
    square = a * a
    # a p(a**2) - b p(b**2) = (a - b) p(a**2) + b (p(a**2) - p(b**2))
    own = square * fall_sum(square, 0.0, BERNOULLI)
    far = d * a * b * (fma(0.5, a + b, own) + b * (a + b) * fall_sum(square, s, BERNOULLI))
    low = (1.0 / (x + d) - trigamma(x + d)) - (1.0 / x - trigamma(x))
    return far if x >= SERIES else low


@formula
def dispersion_term(a: float, d: float) -> tuple[float, float]:
    """Return A(a) = (h(x) - h(x + d)) x**2 with x = 1 / a, and its derivative in a; for d = 0 or d >= 1.

    A is the part of the score of a negative binomial's dispersion that belongs to gamma functions; at a = 0 it is
    d / 2. For a <= 1/12, with s = 1 / (1 + a d) and h(x) = 1 / (2 x) + sum over k of c[k] / x**(2 k):

        A = d s / 2 + sum of c[k] a**(2 k - 2) (1 - s**(2 k))

    Source: DLMF 5.11.2, and its derivative term by term.
    """
    x = 1.0 / a
    s = 1.0 / fma(a, d, 1.0)
    part = d * s
    far = part * fma(a + a * s, fall_sum(a * a, s, DIVIDED), 0.5)
    fall = log_minus_digamma(x) - log_minus_digamma(x + d)
    far_slope = part * fma(-0.5, part, slope_sum(a * a, s))
    slope_fall = (1.0 / (x + d) - trigamma(x + d)) - (1.0 / x - trigamma(x))
    low_slope = x * (x * fma(x, x * slope_fall, -2.0 * x * fall))
    close = a * SERIES <= 1.0
    return (far if close else x * (x * fall)), (far_slope if close else low_slope)


@formula
def slope_sum(square: float, s: float) -> float:
    """Return the sum of c[k] a**(2 k - 2) ((2 k - 2) (1 + s) e[k] + 2 k s**(2 k)), e[k] = 1 + s**2 + ... (k terms)."""
    q = s * s
    b = 1.0 + s
    e2 = 1.0 + q
    e3 = fma(e2, q, 1.0)
    e4 = fma(e3, q, 1.0)
    e5 = fma(e4, q, 1.0)
    e6 = fma(e5, q, 1.0)
    e7 = fma(e6, q, 1.0)
    e8 = fma(e7, q, 1.0)
    q2 = q * q
    q4 = q2 * q2
    q6 = q4 * q2
    p = DIVIDED[7] * fma(14.0 * b, e8, 16.0 * q4 * q4)
    p = fma(p, square, DIVIDED[6] * fma(12.0 * b, e7, 14.0 * q6 * q))
    p = fma(p, square, DIVIDED[5] * fma(10.0 * b, e6, 12.0 * q6))
    p = fma(p, square, DIVIDED[4] * fma(8.0 * b, e5, 10.0 * q4 * q))
    p = fma(p, square, DIVIDED[3] * fma(6.0 * b, e4, 8.0 * q4))
    p = fma(p, square, DIVIDED[2] * fma(4.0 * b, e3, 6.0 * q2 * q))
    p = fma(p, square, DIVIDED[1] * fma(2.0 * b, e2, 4.0 * q2))
    return fma(p, square, DIVIDED[0] * 2.0 * q)
