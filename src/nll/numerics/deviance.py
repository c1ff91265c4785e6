"""Deviances: how far an observation lies from its mean, in nats, without cancellation."""

from __future__ import annotations

from nll.numerics.bits import fma
from nll.numerics.elementary import log
from nll.numerics.formula import formula
from nll.numerics.polynomials import poly10
from nll.numerics.special_coefficients import ATANH

THIRD = 1.0 / 3.0
LOW, HIGH = 2.0**-1000, 2.0**600  # quotients are scaled before they leave the range of a double
LOG_SCALE = 831.7766166719343  # 1200 log 2
TINY = 2.0**-1022


@formula
def deviance(x: float, m: float) -> float:
    """Return x log(x / m) + m - x >= 0 for x, m >= 0, within 1.2e-15; m at x = 0, inf at m = 0 < x.

    With z = (m - x) / (m + x), where |z| <= 1/3:

        deviance = z (m - x - 2 x z**2 a(z**2)),    a(z**2) = 1/3 + z**2/5 + z**4/7 + ...

    from log(m / x) = 2 atanh(z): the difference m - x is exact there, and what is subtracted is small.

    Source: C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000), on the deviance bd0; the
    series of atanh, DLMF 4.38.5.
    """
    gap = m - x
    # halves, because the sum of two large numbers is inf
    z = 0.5 * gap / fma(0.5, m, 0.5 * x)
    square = z * z
    near = z * fma(x, -2.0 * square * poly10(square, ATANH), gap)
    high = x * LOW > m
    low = m * LOW > x
    scaled_x = x / HIGH if high else (x * HIGH if low else x)
    scaled_m = m * HIGH if high else (m / HIGH if low else m)
    quotient = scaled_x / scaled_m
    # the floor makes 0 log(0) = 0
    shifted = log(quotient if quotient > TINY else TINY) + (LOG_SCALE if high else (-LOG_SCALE if low else 0.0))
    return near if abs(z) <= THIRD else fma(x, shifted, gap)


@formula
def log_excess(r: float, ratio: float) -> float:
    """Return r - log(1 + r) >= 0, given r > -1 and ratio = 1 + r, each rounded once, within 2e-15.

    x log_excess((m - x) / x, m / x) is deviance(x, m). This form takes a relative difference that is known
    better than from m and x: where m is a product, (m - x) / x is one fused step. Near r = -1 the logarithm
    needs `ratio`, of which r has kept no digits.

    Source: DLMF 4.38.5, with z = r / (2 + r).
    """
    z = r / (2.0 + r)
    square = z * z
    near = z * fma(-2.0 * square, poly10(square, ATANH), r)
    far = r if r > 1e300 else r - log(ratio)
    return near if abs(z) <= THIRD else far
