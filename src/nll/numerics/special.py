"""The logarithm of the gamma function, its derivatives, and the error of Stirling's formula.

Each is a quotient of polynomials with positive coefficients (`special_coefficients.py`), a logarithm and a few
selects, so that a loop over it vectorises. Stated errors are relative, and tested against 50 digits. Equation
numbers are those of the NIST Digital Library of Mathematical Functions (DLMF).
"""

from __future__ import annotations

from nll.numerics.bits import fma
from nll.numerics.elementary import log
from nll.numerics.formula import formula
from nll.numerics.polynomials import poly2, poly8, poly9, poly12
from nll.numerics.special_coefficients import (
    BINET_BOTTOM,
    BINET_FAR_BOTTOM,
    BINET_FAR_TOP,
    BINET_TOP,
    DIGAMMA_BOTTOM,
    DIGAMMA_TOP,
    LGAMMA_BOTTOM,
    LGAMMA_TOP,
    TRIGAMMA_BOTTOM,
    TRIGAMMA_TOP,
)

CUT = 2.0**54  # beyond it the quotients in x are constant to the last bit
HALF_LOG_TWO_PI = 0.9189385332046728


@formula
def lgamma(x: float) -> float:
    """Return log gamma(x) for x > 0, within 8e-16; inf at 0 and inf, NaN below 0.

    Below 8, with u = x - 1 (or u = x and lgamma(x) = lgamma(1 + x) - log(x) where x < 1):

        lgamma(1 + u) = u (u - 1) q(u)

    so that the zeros at 1 and 2 are exact and their neighbours as accurate as all others. From 8 on, Stirling:

        lgamma(x) = (x - 1/2) (log(x) - 1) + (log(2 pi) - 1) / 2 + binet(x)

    Source: DLMF 5.5.1, 5.7.3, 5.11.1.
    """
    low = x < 1.0
    far = x >= 8.0
    logarithm = log(x)
    u = x if low else x - 1.0
    square = x * x
    top = poly2(square, BINET_FAR_TOP) if far else u * (u - 1.0) * poly9(u, LGAMMA_TOP)
    bottom = x * poly2(square, BINET_FAR_BOTTOM) if far else poly9(u, LGAMMA_BOTTOM)
    rest = fma(x - 0.5, logarithm - 1.0, HALF_LOG_TWO_PI - 0.5) if far else (-logarithm if low else 0.0)
    return rest + (0.0 if x >= 1e18 else top / bottom)


@formula
def binet_quotient(x: float) -> float:
    """Return binet(x) = lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2 for x >= 1/4, within 1.2e-15."""
    cut = x if x < CUT else CUT
    return poly12(cut, BINET_TOP) / (poly12(cut, BINET_BOTTOM) * x)


@formula
def stirling_error(x: float) -> float:
    """Return lgamma(x + 1) - ((x + 1/2) log(x) - x + log(2 pi) / 2) for x > 0, within 1.2e-15; inf at 0.

    The same function as binet(x), as lgamma(x + 1) = lgamma(x) + log(x). Below 1/4 by its recurrence:

        binet(x) = binet(1 + x) + (x + 1/2) log(1 + 1/x) - 1

    Source: C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000); DLMF 5.11.1.
    """
    low = x < 0.25
    above = 1.0 + x
    quotient = binet_quotient(above if low else x)
    return fma(-(x + 0.5), log(x / above), quotient - 1.0) if low else quotient


@formula
def log_minus_digamma_quotient(x: float) -> float:
    """Return log(x) - digamma(x) for x >= 1, within 1.2e-15."""
    cut = x if x < CUT else CUT
    return poly8(cut, DIGAMMA_TOP) / (poly8(cut, DIGAMMA_BOTTOM) * x)


@formula
def digamma(x: float) -> float:
    """Return the derivative of lgamma(x) for x > 0; -inf at 0.

    The error is below 5e-16 of the value, or 3e-16 where the value is below 1 (its zero is at 1.4616).
    digamma(x) = log(x) - q(x), below 1 by digamma(x) = digamma(1 + x) - 1/x.

    Source: DLMF 5.5.2, 5.11.2.
    """
    low = x < 1.0
    above = 1.0 + x if low else x
    value = log(above) - log_minus_digamma_quotient(above)
    return value - 1.0 / x if low else value


@formula
def log_minus_digamma(x: float) -> float:
    """Return log(x) - digamma(x) > 0 for x > 0, within 1.2e-15; inf at 0.

    For large x about 1 / (2 x), which a subtraction would lose. Source: DLMF 5.5.2, 5.11.2.
    """
    low = x < 1.0
    above = 1.0 + x if low else x
    quotient = log_minus_digamma_quotient(above)
    # the addend keeps inf - inf away from 0, and is lost beside 1 / x everywhere else
    return quotient + (1.0 / x + log((x + 1e-300) / above)) if low else quotient


@formula
def trigamma(x: float) -> float:
    """Return the second derivative of lgamma(x) for x > 0, within 1.2e-15; inf at 0.

    trigamma(x) = (1/x + 1/x**2) q(x). Source: DLMF 5.15.1, 5.15.8.
    """
    cut = x if x < CUT else CUT
    inverse = 1.0 / x
    return poly9(cut, TRIGAMMA_TOP) / poly9(cut, TRIGAMMA_BOTTOM) * fma(inverse, inverse, inverse)
