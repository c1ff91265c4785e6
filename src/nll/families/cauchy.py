"""The Cauchy distribution: a bell with tails so heavy that it has no mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.normal import LARGE, log_parts
from nll.families.studentt import tail_shares
from nll.families.weibull import log_ratio
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, log, log1p, log_of_sum
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum, two_sum
from nll.numerics.polynomials import Coefficients

LN2, LN2_LOW = 0.6931471805599453, 2.3190468138462996e-17
LOG_PI, LOG_PI_LOW = 1.1447298858494002, 1.0265951162707826e-17
QUARTER_PI, QUARTER_PI_LOW = 0.7853981633974483, 3.061616997868383e-17
INVERSE_PI = 0.3183098861837907
TAN_EIGHTH_PI = 0.41421356237309503
REMOTE = 1e16  # from here on the angle is 1 / z
# (atan(t) / t - 1) / t**2 in t**2, for |t| <= tan(pi / 8): a Chebyshev fit in 40 digits, error 2**-59
ATAN: Coefficients = (
    -0.3333333333333333, 0.19999999999999804, -0.14285714285659806, 0.11111111105153429, -0.09090908753400499,
    0.07692296372129964, -0.06666424833613552, 0.05878928398517232, -0.052304498567092406, 0.04551573086664191,
    -0.034570044186095536, 0.016285183029865667,
)  # fmt: skip


@formula
def atan(x):
    """Return the arc tangent for 0 <= x <= 1, within 1 ulp: beyond tan(pi / 8) that of (x - 1) / (x + 1) + pi / 4."""
    above = x > TAN_EIGHTH_PI
    t = (x - 1.0) / (x + 1.0) if above else x
    w = t * t
    p = fma(fma(ATAN[11], w, ATAN[10]), w, ATAN[9])
    p = fma(fma(fma(p, w, ATAN[8]), w, ATAN[7]), w, ATAN[6])
    p = fma(fma(fma(p, w, ATAN[5]), w, ATAN[4]), w, ATAN[3])
    p = fma(fma(fma(p, w, ATAN[2]), w, ATAN[1]), w, ATAN[0])
    rest = fma(t * w, p, QUARTER_PI_LOW if above else 0.0)
    return (QUARTER_PI if above else 0.0) + (t + rest)


@formula
def angles(z):
    """Return atan(z) and pi / 2 - atan(z) for z >= 0, neither by subtraction from a near number."""
    inner = z < 1.0
    angle = atan(z if inner else 1.0 / z)
    other = 2.0 * QUARTER_PI - (angle - 2.0 * QUARTER_PI_LOW)
    return (angle if inner else other), (other if inner else angle)


@formula
def log_lorentz(y, loc, scale):
    """Return log(s (1 + z**2)) as a pair, z = (y - loc) / s, though z or its square may over- or underflow.

    As 2 log|y - loc| - log(s) + log(1 + 1 / z**2) where |z| > 1. The difference of two numbers near the largest is
    that of their halves.
    """
    factor = 0.5 if (abs(y) > LARGE) | (abs(loc) > LARGE) else 1.0
    d, d_low = two_sum(y * factor, -loc * factor)
    s = scale * factor
    outer = abs(d) > s
    top, bottom = (s if outer else d), (d if outer else s)
    t = top / bottom
    inverse = 1.0 / bottom
    t_low = (fma(-t, bottom, top) + (-t * d_low if outer else d_low)) * inverse
    share = d_low * inverse
    share = share if abs(share) < 1.0 else 0.0
    t_low = t_low if abs(t_low) <= abs(t) else 0.0
    square = t * t
    u, c = fast_two_sum(1.0, square)
    bend = log_of_sum(u, c + fma(2.0 * t, t_low, fma(t, t, -square)))
    a, a_low = log_parts(abs(d) if outer else s)
    b, b_low = log_parts(scale)
    shift = (LN2 if outer else 0.0) if factor < 1.0 else 0.0
    twice, twice_low = two_sum(2.0 * (a + shift) if outer else b, -b if outer else 0.0)
    total, lost = two_sum(twice, bend)
    low = lost + (twice_low + (fma(2.0, a_low, 2.0 * share - b_low) if outer else b_low))
    return total, low


@formula
def lorentz_loss(y, loc, scale, constant, constant_low):
    """Return log(s (1 + z**2)) + constant."""
    total, low = log_lorentz(y, loc, scale)
    total, lost = two_sum(total, constant)
    return total + (lost + (low + constant_low)) if abs(total) < INF else total


@formula
def lorentz_slopes(y, loc, scale):
    """Return the derivatives of log(s (1 + z**2)) in loc, scale, and loc loc, loc scale, scale scale."""
    z, pull, share, v, surplus = tail_shares(y, 1.0, loc, scale)
    width = 1.0 / scale / scale
    lean = 2.0 * pull * v
    bend = 2.0 * (v * (v - share)) * width
    return -2.0 * pull / scale, surplus / scale, bend, 2.0 * lean * width, fma(2.0 * z, lean, -surplus) * width


@formula
def log_upper(y, loc, scale):
    """Return log P(Y > y)."""
    d = y - loc
    z = d / scale
    _, outer = angles(abs(z))
    share = outer * INVERSE_PI
    near = log(share)
    remote = -(log_ratio(abs(d), scale)[0] + LOG_PI)
    upper = remote if abs(z) > REMOTE else near
    share = share if abs(z) < REMOTE else INVERSE_PI / abs(z)
    return upper if z > 0.0 else log1p(-share)


class Cauchy(Family):
    """Cauchy(loc m, scale s) on the real line.

    The loss of a row, in nats, with z = (y - m) / s:

        loss = log(1 + z**2) + log(pi s)

    Median m, quartiles m - s and m + s; no mean, no variance.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 16.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.Cauchy(loc=0.0, scale=1.0)).sum
    1.1447298858494002
    """

    loc: Real
    scale: Positive

    def loss(y, loc, scale):
        return lorentz_loss(y, loc, scale, LOG_PI, LOG_PI_LOW)

    def gradient(y, loc, scale):
        by_loc, by_scale, _, _, _ = lorentz_slopes(y, loc, scale)
        return by_loc, by_scale

    def hessian(y, loc, scale):
        _, _, loc_loc, loc_scale, scale_scale = lorentz_slopes(y, loc, scale)
        return loc_loc, loc_scale, scale_scale

    def flow(y, loc, scale):
        z = (y - loc) / scale
        return 1.0, z

    def flow_gradient(y, loc, scale):
        z = (y - loc) / scale
        return 0.0, 0.0, -z / scale

    def log_cdf(y, loc, scale):
        return log_upper(-y, -loc, scale)

    def log_sf(y, loc, scale):
        return log_upper(y, loc, scale)

    def sample(rng: np.random.Generator, shape: tuple[int, ...], loc: Any, scale: Any) -> Any:
        return loc + scale * rng.standard_cauchy(shape)

    def mean(loc: Any, scale: Any) -> Any:
        return np.nan * (loc + scale)

    def variance(loc: Any, scale: Any) -> Any:
        return np.nan * (loc + scale)

    def entropy(loc: Any, scale: Any) -> Any:
        return np.log(scale) + (LOG_PI + 2.0 * LN2) + 0.0 * loc

    def scipy(loc: Any, scale: Any) -> tuple[str, dict[str, Any]]:
        return "cauchy", {"loc": loc, "scale": scale}

    def start(moments: Moments) -> tuple[float, float]:
        return moments.median, moments.spread / 1.4826

    def kl(theta: Any, other: Any) -> Any:
        # F. Chyzak and F. Nielsen, A closed-form formula for the Kullback-Leibler divergence between Cauchy
        # distributions (2019), theorem 1: log(((s + s')**2 + d**2) / (4 s s'))
        (loc, scale), (other_loc, other_scale) = theta, other
        d, gap = loc - other_loc, scale - other_scale
        return np.log1p((d / scale * (d / other_scale) + gap / scale * (gap / other_scale)) / 4.0)
