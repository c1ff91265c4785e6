"""Student's t distribution: errors like the Normal's, with room for outliers."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.values import mapped
from nll.numerics.beta_tails import log_beta_start, log_beta_tails
from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import log, log1p, log_of_sum
from nll.numerics.formula import formula
from nll.numerics.gamma_ratios import digamma_difference, student_constant, student_constant_d1, student_constant_d2
from nll.numerics.normal_tails import log_ndtr
from nll.numerics.pairs import two_product, two_sum
from nll.numerics.saddle import scaled_excess
from nll.numerics.tails import log_one_minus_exp

NAN = float("nan")
HUGE = 1.7976931348623157e308
MOST = 1e300
LN2 = 0.6931471805599453
ALIKE = 1e18  # the ratio df / z**2 from which on the Normal is the same
SHRINK, GROW, FURTHER = 2.0**-600, 2.0**400, 2.0**-900
LOG_SHRINK, LOG_APART = 415.88830833596717, 901.0913347279288  # 600 log 2, 1300 log 2


@formula
def log_tail(y: float, df: float, loc: float, scale: float) -> float:
    """Return log(1 + z**2 / df) with z = (y - loc) / scale, though z or its square may overflow.

    z carries the rounding errors of the difference and of the quotient. Beyond 1e300 the logarithm is 2 log(t),
    with t = |z| / sqrt(df) of scaled numbers.
    """
    difference, error = two_sum(y, -loc)
    z = difference / scale
    product, rest = two_product(z, scale)
    small = ((difference - product) - rest + error) / scale
    small = small if abs(small) < abs(z) else 0.0
    root = sqrt(df)
    steep = z / root
    square = steep * steep if abs(z) > 1e150 else fma(z, z, 2.0 * (z * small)) / df
    apart = abs(z) > HUGE
    remote = abs(y * FURTHER - loc * FURTHER) / (scale * GROW)
    t = (remote if apart else abs(z) * SHRINK) / root
    far = (square > 1e300) | apart
    u, c = two_sum(1.0, square)
    logarithm = log_of_sum(t if far else u, 0.0 if far else c)
    return 2.0 * (logarithm + (LOG_APART if apart else LOG_SHRINK)) if far else logarithm


@formula
def tail_shares(y: float, df: float, loc: float, scale: float) -> tuple[float, float, float, float, float]:
    """Return z, z v, w v, v, (1 - z**2) v, for z = (y - loc) / scale, w = z**2 / df and v = 1 / (1 + w)."""
    z = (y - loc) / scale
    z = z if abs(z) < MOST else (MOST if z > 0.0 else -MOST)
    inner = abs(z) < 1.0
    quotient = z / df
    bottom = fma(z, quotient, 1.0) if inner else 1.0 / z + quotient
    pull = (z if inner else 1.0) / bottom
    surplus = ((1.0 - z) * (1.0 + z) if inner else 1.0 / z - z) / bottom
    return z, pull, pull * quotient, (1.0 if inner else 1.0 / z) / bottom, surplus


@formula
def log_upper(t: float, df: float, logarithm: float) -> float:
    """Return log P(T > t) = log(I_x(df / 2, 1/2) / 2) for t >= 0, x = 1 / (1 + t**2 / df), logarithm = -log(x)."""
    if df > ALIKE * fma(t, t, 1.0):
        return log_ndtr(-t)
    if logarithm > 600.0:
        return log_beta_start(0.5 * df, 0.5, -logarithm) - LN2
    w = t / df * t
    x = 1.0 / (1.0 + w)
    return log_beta_tails(0.5 * df, 0.5, x, w * x, x * (1.0 - t) * (0.5 * (1.0 + t)))[0] - LN2


class StudentT(Family):
    """StudentT(df v, loc m, scale s) on the real line.

    The loss of a row, in nats, with z = (y - m) / s:

        loss = lgamma(v / 2) - lgamma((v + 1) / 2) + log(pi v) / 2 + log(s) + (v + 1) / 2 log(1 + z**2 / v)

    Mean m for v > 1, variance s**2 v / (v - 2) for v > 2.

    Parameters
    ----------
    df : v > 0, degrees of freedom, no unit; the Normal as v grows.
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 2, 2nd edition
    (1995), chapter 28.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.StudentT(df=1.0, loc=0.0, scale=1.0)).sum
    1.1447298858494
    """

    df: Positive
    loc: Real
    scale: Positive
    unflowed = ("df",)
    observations = Real
    support = Real

    def loss(y, df, loc, scale):
        tail = log_tail(y, df, loc, scale)
        return fma(0.5 * df, tail, 0.5 * tail) + (student_constant(df) + log(scale))

    def gradient(y, df, loc, scale):
        _, pull, share, _, surplus = tail_shares(y, df, loc, scale)
        more = 1.0 + 1.0 / df
        # log(1 + w) - w / (1 + w), near 0 as -w / (1 + w) - log(1 / (1 + w))
        bend = scaled_excess(1.0, -share, -share, -log_tail(y, df, loc, scale))
        slope = fma(0.5, bend - share / df, student_constant_d1(df))
        return slope, -more * pull / scale, surplus / scale

    def hessian(y, df, loc, scale):
        z, pull, share, v, surplus = tail_shares(y, df, loc, scale)
        more = 1.0 + 1.0 / df
        skew = (share - v / df) / scale
        width = 1.0 / scale / scale
        df_df = fma(0.5 * share / df, (1.0 + v) / df - share, student_constant_d2(df))
        lean = more * pull * v
        loc_loc, loc_scale = more * (v * (v - share)) * width, 2.0 * lean * width
        scale_scale = fma(2.0 * z, lean, -surplus) * width
        return df_df, -pull / df * skew, -share * skew, loc_loc, loc_scale, scale_scale

    def curvature(y, df, loc, scale):
        # All at once, with one division and one logarithm a row, where neither z nor df is extreme.
        more, inverse, share = df + 1.0, 1.0 / scale, 1.0 / df
        width = inverse * inverse
        z = (y - loc) * inverse
        w = z * z
        a = 1.0 / (df + w)
        u, lean = w * a, z * a * inverse
        tail = log1p(w * share)
        surplus = fma(-more, u, 1.0)
        skew = (w - 1.0) * a
        loss = fma(0.5 * more, tail, student_constant(df) + log(scale))
        df_df = student_constant_d2(df) - 0.5 * u * (share * (1.0 - share) - (1.0 + share) * a)
        return (
            loss if (abs(z) < 1e100) & (df < 1e4) else NAN,
            student_constant_d1(df) + 0.5 * fma(-(1.0 + share), u, tail),
            -more * lean,
            surplus * inverse,
            df_df,
            -lean * skew,
            -u * inverse * skew,
            more * width * a * fma(-2.0, u, 1.0),
            2.0 * more * lean * inverse * (df * a),
            fma(more * u, fma(-2.0, u, 3.0), -1.0) * width,
        )

    def flow(y, df, loc, scale):
        z = (y - loc) / scale
        return 0.0, 1.0, z

    def flow_gradient(y, df, loc, scale):
        z = (y - loc) / scale
        return 0.0, 0.0, 0.0, 0.0, 0.0, -z / scale

    def log_cdf(y, df, loc, scale):
        small = log_upper(abs((y - loc) / scale), df, log_tail(y, df, loc, scale))
        return log_one_minus_exp(-small, 0.0) if y > loc else small

    def log_sf(y, df, loc, scale):
        small = log_upper(abs((y - loc) / scale), df, log_tail(y, df, loc, scale))
        return small if y > loc else log_one_minus_exp(-small, 0.0)

    def start(moments: Moments) -> tuple[float, float, float]:
        return 5.0, moments.mean, (0.6 * moments.variance) ** 0.5

    def sample(rng: np.random.Generator, size: Any, df: Any, loc: Any, scale: Any) -> Any:
        return loc + scale * rng.standard_t(df, size)

    def mean(df: Any, loc: Any, scale: Any) -> Any:
        return np.where(df > 1.0, loc + 0.0 * scale, np.nan)

    def variance(df: Any, loc: Any, scale: Any) -> Any:
        beyond = np.where(df > 1.0, np.inf, np.nan)
        return np.where(df > 2.0, scale * scale / (1.0 - 2.0 / df), beyond) + 0.0 * loc

    def entropy(df: Any, loc: Any, scale: Any) -> Any:
        spread = 0.5 * (df + 1.0) * mapped(digamma_difference, 0.5 * df, 0.5)
        return np.log(scale) + (mapped(student_constant, df) + spread) + 0.0 * loc

    def scipy(df: Any, loc: Any, scale: Any) -> tuple[str, dict[str, Any]]:
        return "t", {"df": df, "loc": loc, "scale": scale}
