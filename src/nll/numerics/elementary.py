"""Logarithms and exponentials in IEEE operations alone: at most 1 ulp from the truth, the same bits on every CPU.

Special values are values: log(0) is -inf, log of a negative number is NaN, exp overflows to inf, and results
below the smallest normal number are rounded to subnormals. A pair (high, low) is an unevaluated sum, see `pairs.py`.

The reductions are those of Muller, "Elementary Functions: Algorithms and Implementation", chapter 11, and of
fdlibm's e_log.c and s_expm1.c; the polynomials are minimax fits (Remez) in 60 digits.
"""

from __future__ import annotations

import numpy as np

from nll.numerics.bits import U, bits_of, float_of, fma
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum, two_sum

INF = float("inf")
SMALLEST_NORMAL = 2.0**-1022
TWO_54 = 2.0**54

# log 2 = LN2_HIGH + LN2_LOW; the high part has 42 bits, so its product with an exponent is exact.
LN2_HIGH, LN2_LOW = 0.6931471805598903, 5.497923018708371e-14
INVERSE_LN2 = 1.4426950408889634
TWO_THIRDS, TWO_THIRDS_LOW = 0.6666666666666666, 3.700743415417188e-17

I64 = np.int64
EXPONENT_BITS, MANTISSA_BITS = U(0xFFF0000000000000), U(0x000FFFFFFFFFFFFF)
SHIFT_52, SIGNED_52, ONE, BIAS_1024 = U(52), np.int64(52), U(1), U(1024)
SQRT_HALF_BITS = U(0x3FE6A09E667F3BCD)
TO_SQRT_HALF = U(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
TWO_POWER_1024 = U(2047 << 52)
COUNTER = U(0x4330000000000000)  # as a double: 2**52; an integer put into its low bits is added to it
COUNTER_ZERO, COUNTER_ZERO_SUBNORMAL = 2.0**52 + 1023.0, 2.0**52 + 1023.0 + 54.0
ROUNDER = 1.5 * 2.0**52 + 2046.0  # x + ROUNDER has round(x) + 2046 in its low bits


@formula
def _log_series(z: float) -> float:
    """Return (log((1 + s) / (1 - s)) / s - 2) / z for z = s**2, |s| <= 0.1716; z times its error is 2**-58.4."""
    p = fma(z, fma(z, 0.14795955774249328, 0.15314049903591634), 0.18183564353643158)
    p = fma(z, fma(z, p, 0.22222198572598412), 0.28571428742394106)
    return fma(z, fma(z, p, 0.3999999999941464), 0.6666666666666734)


@formula
def _wide_log_series(z: float) -> float:
    """Return what `_log_series` returns, for |s| <= 1/3; z times its error is 2**-58.3."""
    p = fma(z, fma(z, 0.17018544706432737, 0.08340118941850574), 0.12106082071234113)
    p = fma(z, fma(z, p, 0.13300974135589222), 0.15386559880049547)
    p = fma(z, fma(z, p, 0.18181743926974497), 0.22222223969672916)
    p = fma(z, fma(z, p, 0.2857142854785482), 0.4000000000015724)
    return fma(z, p, 0.6666666666666631)


@formula
def _long_log_series(z: float) -> float:
    """Return (`_log_series`(z) - 2/3) / z, for |s| <= 0.1716; z**2 times its error is 2**-72."""
    p = fma(z, fma(z, 0.11988841131777164, 0.11674839365097245), 0.13336316379587343)
    p = fma(z, fma(z, p, 0.15384556898390264), 0.18181818869906405)
    p = fma(z, fma(z, p, 0.2222222221753986), 0.28571428571445096)
    return fma(z, p, 0.3999999999999998)


@formula
def _exp_series(r: float) -> float:
    """Return (exp(r) - 1 - r - r**2 / 2) / r**3 for |r| <= 0.3466; r**3 times its error is 2**-64."""
    p = fma(r, fma(r, 2.092688296132171e-09, 2.5112229373979277e-08), 2.755723356305603e-07)
    p = fma(r, fma(r, p, 2.7557234266269583e-06), 2.4801587373491424e-05)
    p = fma(r, fma(r, p, 0.00019841269897030047), 0.0013888888888858575)
    p = fma(r, fma(r, p, 0.00833333333331675), 0.04166666666666673)
    return fma(r, p, 0.16666666666666685)


@formula
def _split(x: float) -> tuple[np.uint64, float, float]:
    """Return (u, k, f) with x = 2**k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)); the top bits of u are k + 1023.

    Below zero k is NaN: the sign, shifted in from the left, fills the exponent. That spares a select.
    """
    subnormal = x < SMALLEST_NORMAL
    normal = x * TWO_54 if subnormal else x
    u = bits_of(normal) + TO_SQRT_HALF
    k = float_of(U(I64(u) >> SIGNED_52) | COUNTER) - (COUNTER_ZERO_SUBNORMAL if subnormal else COUNTER_ZERO)
    return u, k, float_of((u & MANTISSA_BITS) + SQRT_HALF_BITS) - 1.0


@formula
def _at_ends(x: float, y: float) -> float:
    """Return y, but the logarithm's limit where x is 0 or inf, and NaN where x is."""
    y = y if x < INF else x
    return -INF if x == 0.0 else y


@formula
def log(x: float) -> float:
    """Return the natural logarithm; error <= 0.97 ulp (0.91 seen).

    With x = 2**k (1 + f), s = f / (2 + f), R = log((1 + s) / (1 - s)) / s - 2:

        log(x) = k log(2) + f - s (f - R)
    """
    _, k, f = _split(x)
    s = f / (2.0 + f)
    z = s * s
    high = fma(k, LN2_HIGH, f)
    lost = f + fma(k, LN2_HIGH, -high)
    low = fma(-s, fma(-z, _log_series(z), f), fma(k, LN2_LOW, lost))
    return _at_ends(x, high + low)


@formula
def _split_sum(u: float, c: float) -> tuple[float, float, float]:
    """Return (k, f, f_low) with u + c = 2**k (1 + f + f_low), for |c| <= ulp(u) / 2."""
    bits, k, f = _split(u)
    # 2**(1 - k), not 2**-k, which has no bits of its own for the largest k; c is 0 where u is subnormal.
    scaled = 0.5 * c * float_of(TWO_POWER_1024 - (bits & EXPONENT_BITS))
    f, f_low = fast_two_sum(f, scaled)
    return k, f, f_low


@formula
def log_of_sum(u: float, c: float) -> float:
    """Return log(u + c) for an unevaluated sum with |c| <= ulp(u) / 2; error <= 1 ulp.

    With u + c = 2**k (1 + f + e): log(1 + f + e) = log(1 + f) + e / (1 + f), and 1 / (1 + f) is nearly 1 - 2 s.
    Where u is 1, c must be normal or 0. For u = 0 or inf, c is ignored.
    """
    k, f, f_low = _split_sum(u, c)
    s = f / (2.0 + f)
    z = s * s
    high = fma(k, LN2_HIGH, f)
    lost = f + fma(k, LN2_HIGH, -high) + fma(-2.0 * s, f_low, f_low)
    low = fma(-s, fma(-z, _log_series(z), f), fma(k, LN2_LOW, lost))
    return _at_ends(u, high + low)


@formula
def log1p(x: float) -> float:
    """Return log(1 + x); error <= 1 ulp; -inf at -1, NaN below."""
    u, c = two_sum(1.0, x)
    y = log_of_sum(u, c)
    return x if u == 1.0 else y


@formula
def log_pair_of_sum(u: float, c: float) -> tuple[float, float]:
    """Return log(u + c) as a pair, for |c| <= ulp(u) / 2; relative error <= 2**-64.

    With s = f / (2 + f) as a pair: log(1 + f) = 2 s + s R, R = s**2 (2/3 + s**2 P(s**2)).
    """
    k, f, f_low = _split_sum(u, c)
    d, d_low = fast_two_sum(2.0, f)
    s = f / d
    s_low = (fma(-s, d, f) + fma(-s, d_low + f_low, f_low)) * fma(-0.5, s, 0.5)  # 1 / d = (1 - s) / 2
    z = s * s
    z_low = fma(s, s, -z) + 2.0 * s * s_low
    t, t_low = fast_two_sum(TWO_THIRDS, z * _long_log_series(z))
    t_low = t_low + fma(0.4, z_low, TWO_THIRDS_LOW)
    r = z * t
    r_low = fma(z, t, -r) + fma(z, t_low, z_low * t)
    cubic = s * r
    cubic_low = fma(s, r, -cubic) + fma(s, r_low, s_low * r)
    high, first = fast_two_sum(k * LN2_HIGH, 2.0 * s)
    high, second = fast_two_sum(high, cubic)
    high, low = fast_two_sum(high, first + second + fma(k, LN2_LOW, fma(2.0, s_low, cubic_low)))
    high = _at_ends(u, high)
    return high, (low if abs(high) < INF else 0.0)


@formula
def log_pair(x: float) -> tuple[float, float]:
    """Return the natural logarithm as a pair; relative error <= 2**-64; (log(x), 0) where that is not finite."""
    return log_pair_of_sum(x, 0.0)


@formula
def log1p_pair(x: float) -> tuple[float, float]:
    """Return log(1 + x) as a pair; relative error <= 2**-64 while the low part is a normal number."""
    u, c = two_sum(1.0, x)
    high, low = log_pair_of_sum(u, c)
    tiny = abs(x) < 2.0**-100
    return (x if tiny else high), (-0.5 * x * x if tiny else low)


@formula
def _reduce(x: float, c: float) -> tuple[np.uint64, float, float]:
    """Return (n, r, r_low) with exp(x + c) = 2**k exp(r + r_low), |r| <= 0.3466, for -746 <= x <= 710.

    k + 2046 stands in the low 12 bits of n.
    """
    rounded = fma(x, INVERSE_LN2, ROUNDER)
    k = rounded - ROUNDER
    return bits_of(rounded), fma(-k, LN2_HIGH, x), fma(-k, LN2_LOW, c)


@formula
def _exp_parts(r_high: float, r_low: float) -> tuple[float, float]:
    """Return exp(r_high + r_low) as 1 + r_high rounded and the rest; error 2**-58."""
    r, r_low = fast_two_sum(r_high, r_low)
    p, lost = fast_two_sum(1.0, r)
    square = r * r
    small = fma(0.5, fma(r, r, -square), fma(square * r, _exp_series(r), fma(r, r_low, r_low)))
    return p, lost + fma(0.5, square, small)


@formula
def _scale(n: np.uint64) -> tuple[float, float]:
    """Return two powers of two whose product is 2**k, for k + 2046 in the low bits of n; neither is subnormal."""
    half = n >> ONE
    return float_of(half << SHIFT_52), float_of((n - half) << SHIFT_52)


@formula
def exp(x: float) -> float:
    """Return e**x; error <= 1 ulp, that of a subnormal result included."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    n, r, r_low = _reduce(x, 0.0)
    one, other = _scale(n)
    t = r + r_low
    return (1.0 + (r + fma(t * t, fma(t, _exp_series(t), 0.5), r_low))) * one * other


@formula
def exp_of_sum(x: float, c: float) -> float:
    """Return e**(x + c) for -746 <= x <= 0 and |c| <= ulp(x) / 2; error <= 1 ulp, subnormal results included."""
    n, r, r_low = _reduce(x, c)
    one, other = _scale(n)
    t = r + r_low
    return (1.0 + (r + fma(t * t, fma(t, _exp_series(t), 0.5), r_low))) * one * other


@formula
def expm1(x: float) -> float:
    """Return e**x - 1; error <= 1 ulp."""
    t = 710.0 if x > 710.0 else x
    t = -40.0 if t < -40.0 else t
    n, r, r_low = _reduce(t, 0.0)
    p, p_low = _exp_parts(r, r_low)
    half_scale = float_of((n - BIAS_1024) << SHIFT_52)  # 2**(k - 1): 2**1024 would not fit
    high, low = two_sum(p * half_scale, -0.5)
    y = 2.0 * (high + fma(p_low, half_scale, low))
    return x if abs(x) < 2.0**-54 else y


@formula
def _softplus_parts(x: float, c: float) -> tuple[float, float]:
    """Return log(1 + exp(x + c)) as high + low, for -746 <= x <= 0; error <= 2**-57 of it.

    With E = exp(x + c) as a pair and s = E / (2 + E) as a pair: log(1 + E) = 2 s + s R(s**2).
    """
    n, r, r_low = _reduce(x, c)
    p, p_low = _exp_parts(r, r_low)
    p, p_low = fast_two_sum(p, p_low)
    one, other = _scale(n)
    e, e_low = p * one * other, p_low * one * other
    d, d_low = fast_two_sum(2.0, e)
    s = e / d
    s_low = (fma(-s, d, e) + fma(-s, d_low + e_low, e_low)) * fma(-0.5, s, 0.5)  # 1 / d = (1 - s) / 2
    z = s * s
    tiny = e < 2.0**-60  # log(1 + E) is E, and half of a subnormal number may be none
    return (e if tiny else 2.0 * s), (0.0 if tiny else fma(s, z * _wide_log_series(z), 2.0 * s_low))


@formula
def softplus(x: float) -> float:
    """Return log(1 + e**x) = max(x, 0) + log(1 + e**-|x|); error <= 1 ulp, down to subnormal results."""
    away = -abs(x)
    away = -746.0 if away < -746.0 else away
    high, low = _softplus_parts(away, 0.0)
    y, lost = two_sum(x if x > 0.0 else 0.0, high)
    y = y + (lost + low)
    return y if x < INF else x


@formula
def log_sigmoid(x: float) -> float:
    """Return log(1 / (1 + e**-x)) = -softplus(-x); error <= 1 ulp."""
    return -softplus(-x)


@formula
def logaddexp(a: float, b: float) -> float:
    """Return log(e**a + e**b) = m + log(1 + e**-|a - b|), with m = max(a, b).

    Error <= 1 ulp where the result is at least 1/8; below, where m and the logarithm may cancel, 2**-55.
    """
    larger = a if a > b else b
    smaller = b if a > b else a
    d, d_low = two_sum(smaller, -larger)
    near = d > -746.0
    high, low = _softplus_parts(d if near else -746.0, d_low if near else 0.0)
    y, lost = two_sum(larger, high)
    y = y + (lost + low) if near else larger
    return y if d <= 0.0 else larger + smaller  # equal infinities, NaN
