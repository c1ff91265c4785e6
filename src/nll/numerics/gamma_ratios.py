"""Differences of lgamma and of its derivatives, never by subtraction of large numbers.

Stated errors are relative, and tested against 50 digits. Arguments below 6 are first raised by 6 through the
recurrences of the gamma function; the product of the factors is kept as 1 + top / bottom, both positive. From 6 on
the series in 1 / x are subtracted term by term, their factor 1 / x - 1 / (x + d) = d / (x (x + d)) taken out.
"""

from __future__ import annotations

from nll.numerics.bits import fma
from nll.numerics.elementary import log, log1p
from nll.numerics.formula import formula
from nll.numerics.polynomials import Coefficients, poly7, poly8, poly9, poly11
from nll.numerics.special import CUT, HALF_LOG_TWO_PI, stirling_error
from nll.numerics.special_coefficients import (
    BINET_SERIES,
    DIGAMMA_SERIES,
    STUDENT_BOTTOM,
    STUDENT_D1_BOTTOM,
    STUDENT_D1_TOP,
    STUDENT_D2_BOTTOM,
    STUDENT_D2_TOP,
    STUDENT_TOP,
    TRIGAMMA_SERIES,
)

BINET_SLOPE = BINET_SERIES[1:]
HUGE = 1.7976931348623157e308
MUCH = 1e16  # raising d by 6 beyond it is lost beside d log(d), and the products could overflow
LARGE, SCALE, LOG_SCALE = 1e290, 2.0**512, 354.89135644669196  # 512 log 2


@formula
def slope7(a: float, b: float, c: Coefficients) -> float:
    """Return (p(a) - p(b)) / (a - b) for p(w) = c[0] w + ... + c[6] w**7, without subtraction."""
    power2 = b * b
    power3 = power2 * b
    power4 = power3 * b
    sum2 = a + b
    sum3 = fma(a, sum2, power2)
    sum4 = fma(a, sum3, power3)
    sum5 = fma(a, sum4, power4)
    sum6 = fma(a, sum5, power4 * b)
    sum7 = fma(a, sum6, power4 * power2)
    low = fma(c[3], sum4, fma(c[2], sum3, fma(c[1], sum2, c[0])))
    return fma(c[6], sum7, fma(c[5], sum6, fma(c[4], sum5, low)))


@formula
def slope9(a: float, b: float, c: Coefficients) -> float:
    """Return what slope7 returns, for p(w) = c[0] w + ... + c[8] w**9."""
    power2 = b * b
    power4 = power2 * power2
    square = a * a
    sum4 = fma(a, fma(a, a + b, power2), power2 * b)
    sum8 = fma(square, fma(square, sum4, power4 * (a + b)), power4 * power2 * (a + b))
    sum9 = fma(a, sum8, power4 * power4)
    return fma(c[8], sum9, fma(c[7], sum8, slope7(a, b, c)))


@formula
def raise_factor(top: float, bottom: float, x: float, d: float) -> tuple[float, float]:
    """Multiply 1 + top / bottom by (x + d) / x = 1 + d / x, without ever subtracting 1."""
    return fma(top, x + d, bottom * d), bottom * x


@formula
def log_rise(x: float, d: float) -> float:
    """Return log of (x + d) (x + d + 1) ... (x + d + 5) / (x (x + 1) ... (x + 5))."""
    step = d if d < MUCH else MUCH
    top, bottom = raise_factor(step, x, x + 1.0, step)
    top, bottom = raise_factor(top, bottom, x + 2.0, step)
    top, bottom = raise_factor(top, bottom, x + 3.0, step)
    top, bottom = raise_factor(top, bottom, x + 4.0, step)
    top, bottom = raise_factor(top, bottom, x + 5.0, step)
    quotient = top / bottom
    large = quotient > LARGE
    return log1p(top / (bottom * SCALE) if large else quotient) + (LOG_SCALE if large else 0.0)


@formula
def log_gamma_ratio(x: float, d: float) -> float:
    """Return lgamma(x + d) - lgamma(x) for finite x > 0 and d >= 0.

    The error is below 1.2e-15 of the value, or of min(d, 1) times 4 where that is larger (the value has a zero
    for every x below 1.4616). For x >= 6, with binet(x) in powers of 1 / x:

        d log(x + d) + ((x - 1/2) log(1 + d / x) - d) + binet(x + d) - binet(x)

    Source: DLMF 5.5.1, 5.11.1.
    """
    low = x < 6.0
    above = x + 6.0 if low else x
    inverse, other = 1.0 / above, 1.0 / (above + d)
    fall = d * other * inverse
    a, b = inverse * inverse, other * other
    slope = slope7(a, b, BINET_SLOPE)
    difference = fall * fma(other * (inverse + other), slope, poly7(a, BINET_SERIES))
    quotient = d / above
    # the product cannot keep its digits where d / x is subnormal
    excess = fma(above - 0.5, log1p(quotient), -d) if quotient > 1e-20 else -0.5 * quotient * (1.0 + d)
    value = fma(d, log(above + d), excess - difference)
    return value - log_rise(x, d) if low else value


@formula
def reciprocal_fall(x: float, d: float) -> float:
    """Return 1 / x - 1 / (x + d)."""
    return d / (x * (x + d))


@formula
def digamma_difference(x: float, d: float) -> float:
    """Return digamma(x + d) - digamma(x) for finite x > 0 and d >= 0, within 1.2e-15.

    For x >= 6, with log(x) - digamma(x) = 1 / (2 x) + p(1 / x**2):

        log(1 + d / x) + (1 / x - 1 / (x + d)) / 2 + p(1 / x**2) - p(1 / (x + d)**2)

    Source: DLMF 5.5.2, 5.11.2.
    """
    low = x < 6.0
    above = x + 6.0 if low else x
    inverse, other = 1.0 / above, 1.0 / (above + d)
    fall = d * other * inverse
    slope = slope9(inverse * inverse, other * other, DIGAMMA_SERIES)
    value = log1p(d / above) + fall * fma(inverse + other, slope, 0.5)
    step = d if d < MUCH else MUCH
    rise = reciprocal_fall(x + 1.0, step) + reciprocal_fall(x + 2.0, step) + reciprocal_fall(x + 3.0, step)
    rise = rise + reciprocal_fall(x + 4.0, step) + reciprocal_fall(x + 5.0, step)
    return value + (rise + step / (x + step) / x) if low else value


@formula
def square_fall(x: float, d: float) -> float:
    """Return 1 / x**2 - 1 / (x + d)**2."""
    inverse, other = 1.0 / x, 1.0 / (x + d)
    return d * other * inverse * (inverse + other)


@formula
def trigamma_difference(x: float, d: float) -> float:
    """Return trigamma(x + d) - trigamma(x) <= 0 for finite x > 0 and d >= 0, within 1.2e-15.

    For x >= 6, with trigamma(x) = 1 / x + 1 / (2 x**2) + p(1 / x**2) / x**3, minus the sum of

        u - v,  (u**2 - v**2) / 2,  (u - v) u**2 p(u**2),  v (u**2 p(u**2) - v**2 p(v**2))

    where u = 1 / x and v = 1 / (x + d). Source: DLMF 5.15.5, 5.15.8.
    """
    low = x < 6.0
    above = x + 6.0 if low else x
    inverse, other = 1.0 / above, 1.0 / (above + d)
    fall = d * other * inverse
    a, b = inverse * inverse, other * other
    both = inverse + other
    slope = slope9(a, b, TRIGAMMA_SERIES)
    value = fall * (1.0 + fma(0.5, both, a * poly8(a, TRIGAMMA_SERIES)) + other * both * slope)
    step = d if d < MUCH else MUCH
    rise = square_fall(x + 1.0, step) + square_fall(x + 2.0, step) + square_fall(x + 3.0, step)
    rise = rise + square_fall(x + 4.0, step) + square_fall(x + 5.0, step)
    return -(value + (rise + square_fall(x, step))) if low else -value


@formula
def student_constant(df: float) -> float:
    """Return lgamma(df / 2) - lgamma((df + 1) / 2) + log(pi df) / 2 for df > 0; log(2 pi) / 2 at inf.

    Within 8e-16; it is 0.9189 at least. With x = df / 2, log(1 + 3 / (4 x)) / 2 + q(x).
    """
    x = 0.5 * df
    cut = x if x < CUT else CUT
    return fma(0.5, log(1.0 + 0.75 / x), poly9(cut, STUDENT_TOP) / poly9(cut, STUDENT_BOTTOM))


@formula
def student_constant_d1(df: float) -> float:
    """Return the derivative of student_constant, (digamma(x) - digamma(x + 1/2) + 1 / (2 x)) / 2 with x = df / 2.

    Within 1.2e-15, for df above 1e-300. Below 0 everywhere: about -1 / (2 df) for small df, -1 / (4 df**2) for large.
    """
    x = 0.5 * df
    cut = x if x < CUT else CUT
    return -0.5 * (poly9(cut, STUDENT_D1_TOP) / poly9(cut, STUDENT_D1_BOTTOM)) / (x * (x + 1.0))


@formula
def student_constant_d2(df: float) -> float:
    """Return the second derivative of student_constant, (trigamma(x) - trigamma(x + 1/2) - 1 / (2 x**2)) / 4.

    Within 1.2e-15, for df above 1e-150. Above 0 everywhere: about 1 / (2 df**2) for small df, 1 / (2 df**3) for large.
    """
    x = 0.5 * df
    cut = x if x < CUT else CUT
    return 0.25 * (poly11(cut, STUDENT_D2_TOP) / poly11(cut, STUDENT_D2_BOTTOM) / x) / (x * (x + 1.0))


@formula
def log_beta(a: float, b: float) -> float:
    """Return lgamma(a) + lgamma(b) - lgamma(a + b) for a, b > 0, the larger one below 1e270.

    The error is below 6e-16 of the value, or 6e-16 where the value is below 1. With a <= b and Stirling's form of
    each, in which all large terms have one sign:

        -a log(1 + b / a) - (b - 1/2) log(1 + a / b) - log(a) / 2 + log(2 pi) / 2 + binet(a) + binet(b) - binet(a + b)

    Source: DLMF 5.12.1, 5.11.1.
    """
    low = a if a < b else b
    high = b if a < b else a
    quotient = high / low
    large = fma(low, log(1.0 + (quotient if quotient < HUGE else HUGE)), (high - 0.5) * log1p(low / high))
    errors = stirling_error(low) + (stirling_error(high) - stirling_error(low + high))
    return fma(-0.5, log(low), errors + HALF_LOG_TWO_PI) - large
