"""The generalized Pareto distribution: what exceeds a high threshold, with a tail of any weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.normal import log_parts
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, LN2_HIGH, LN2_LOW, _at_ends, _log_series, _split_sum, expm1, log
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum, two_product, two_sum
from nll.numerics.saddle import excess_bend, squared_excess
from nll.numerics.tails import log_one_minus_exp

NEAR = 2.0**-50  # below it log(1 + p) is p - p**2 / 2
FAR = 2.0**70  # above it log(1 + p) is log(p)


@formula
def log_sum_parts(u, c):
    """Return log(u + c) as a pair, for |c| <= ulp(u) / 2: `log_of_sum` before its last rounding, error 2**-55."""
    k, f, f_low = _split_sum(u, c)
    s = f / (2.0 + f)
    z = s * s
    high = fma(k, LN2_HIGH, f)
    lost = f + fma(k, LN2_HIGH, -high) + fma(-2.0 * s, f_low, f_low)
    low = fma(-s, fma(-z, _log_series(z), f), fma(k, LN2_LOW, lost))
    high, low = fast_two_sum(high, low)
    return _at_ends(u, high), low


@formula
def log_stretch(d, d_low, scale, shape):
    """Return h and L as pairs, (h, h_low, L, L_low): L = log(1 + shape z), h = L / shape, z = (d + d_low) / scale.

    h is z at shape 0, and near it without a quotient of small numbers. The product shape z may over- or underflow.
    """
    z = d / scale
    z_low = (fma(-z, scale, d) + d_low) * (1.0 / scale)
    z_low = z_low if abs(z_low) <= abs(z) else 0.0
    p, p_low = two_product(shape, z)
    p_low = fma(shape, z_low, p_low)
    p = 0.0 if shape == 0.0 else p
    p_low = p_low if abs(p_low) <= abs(p) else 0.0
    far = p > FAR
    u, c = two_sum(1.0, p)
    u, c = fast_two_sum(u, c + p_low)
    a, a_low = log_sum_parts(abs(d) if far else u, 0.0 if far else c)
    b, b_low = log_parts(abs(shape))
    s, s_low = log_parts(scale)
    b, lost = two_sum(b, -s)
    b_low = lost + (b_low - s_low)
    f, lost = two_sum(a, b)
    f, f_low = fast_two_sum(f, lost + (a_low + b_low))
    big, big_low = (f if far else a), (f_low if far else a_low)
    near = (abs(p) < NEAR) | (far & (big < 30.0))  # that is a z beyond all doubles, and a shape that is nearly 0
    h = big / shape
    h_low = (fma(-h, shape, big) + big_low) * (1.0 / shape)
    h = z if near else h
    h_low = fma(-0.5 * z, p, z_low) if near else h_low
    big = p if near else big
    big_low = fma(-0.5 * p, p, p_low) if near else big_low
    h_low = h_low if abs(h_low) <= abs(h) else 0.0
    return h, (h_low if abs(h) < INF else 0.0), big, (big_low if abs(big) < INF else 0.0)


@formula
def stretched_sum(h, h_low, big, big_low, shape):
    """Return (1 + shape) h = h + L as a pair, of what `log_stretch` returns; 0 for shape -1, at the end too."""
    total, lost = two_sum(h, big)
    flat = shape == -1.0
    return (0.0 if flat else total), (0.0 if flat else lost + (h_low + big_low))


@formula
def stretch_slopes(d, d_low, scale, shape, big):
    """Return z, v, z v, and the first two derivatives of h in shape; v = 1 / (1 + shape z), big = log(1 + shape z)."""
    z = d / scale
    rest = fma(shape, d, scale) + shape * d_low
    v = scale / rest
    zv = d / rest if rest < INF else 1.0 / shape
    q = shape * zv
    inverse = 1.0 / shape
    first = -squared_excess(inverse, -zv, -q, -big)
    second = -zv * zv * excess_bend(inverse, -zv, -q, -big, 1.0, 0.0)
    return z, v, zv, first, second


@formula
def stretch_flow(d, d_low, scale, shape):
    """Return z, the flow in shape of what is a function of h, -scale (dh/dshape) / v, and its derivative in shape."""
    _, _, big, _ = log_stretch(d, d_low, scale, shape)
    z, v, _, first, second = stretch_slopes(d, d_low, scale, shape, big)
    return z, -scale * (first / v), -scale * fma(first, z, second / v)


@formula
def within(d, d_low, scale, shape):
    """Say whether 1 + shape (d + d_low) / scale is positive, or 0 where the density stays finite at that end."""
    rest = fma(shape, d, scale) + shape * d_low
    return (rest > 0.0) | ((rest == 0.0) & (shape == -1.0))


@formula
def stretched(h, shape):
    """Return z = expm1(shape h) / shape, h at shape 0."""
    t = shape * h
    return h if abs(t) < 2.0**-60 else expm1(t) / shape


@formula
def excess_loss(d, d_low, scale, shape):
    """Return the loss of an excess d + d_low over the threshold."""
    h, h_low, big, big_low = log_stretch(d, d_low, scale, shape)
    distance, distance_low = stretched_sum(h, h_low, big, big_low, shape)
    log_scale, low = log_parts(scale)
    total, error = two_sum(distance, log_scale)
    return total + (error + (distance_low + low)) if abs(total) < INF else total


@formula
def excess_slopes(d, d_low, scale, shape):
    """Return z and the derivatives of the loss at scale 1: in z, shape, z z, z shape, shape shape."""
    _, _, big, _ = log_stretch(d, d_low, scale, shape)
    z, v, zv, first, second = stretch_slopes(d, d_low, scale, shape, big)
    more = 1.0 + shape
    return z, more * v, first + zv, -more * shape * v * v, (v - zv) * v, second - zv * zv


@formula
def excess_log_cdf(d, d_low, scale, shape):
    """Return log P(excess <= d + d_low)."""
    h, h_low, _, _ = log_stretch(d, d_low, scale, shape)
    tiny = log(d) - log(scale)  # h itself may underflow
    return tiny if h < 2.0**-60 else log_one_minus_exp(h, h_low)


class GeneralizedPareto(Family):
    """GeneralizedPareto(scale s, shape k) on y >= 0, and y <= -s / k where k < 0.

    The loss of a row, in nats, with z = y / s:

        loss = (1 + 1/k) log(1 + k z) + log(s),    z + log(s) for k = 0

    Mean s / (1 - k) for k < 1, variance s**2 / ((1 - k)**2 (1 - 2 k)) for k < 1/2. For k < -1 the density is
    unbounded at its upper end.

    Parameters
    ----------
    scale : s > 0, in the unit of y.
    shape : k, no unit; the weight of the tail: P(Y > y) falls as y**(-1/k) for k > 0; Exponential for k = 0.

    GeneralizedPareto(loc, scale, shape) is the same of y - loc.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 20, section 12.

    Examples
    --------
    >>> import nll
    >>> nll.score(2.0, nll.GeneralizedPareto(scale=1.0, shape=0.0)).sum
    2.0
    """

    scale: Positive
    shape: Real
    lowest = {"shape": -1.0}

    def inside(y, scale, shape):
        return (y >= 0.0) & within(y, 0.0, scale, shape)

    def ends(scale, shape):
        return 0.0, (-(scale / shape) if shape < 0.0 else INF)

    def loss(y, scale, shape):
        return excess_loss(y, 0.0, scale, shape)

    def gradient(y, scale, shape):
        z, slope, by_shape, _, _, _ = excess_slopes(y, 0.0, scale, shape)
        return fma(-z, slope, 1.0) / scale, by_shape

    def hessian(y, scale, shape):
        z, slope, _, bend, cross, by_shape = excess_slopes(y, 0.0, scale, shape)
        return fma(z, fma(z, bend, 2.0 * slope), -1.0) / scale / scale, -z * cross / scale, by_shape

    def flow(y, scale, shape):
        z, by_shape, _ = stretch_flow(y, 0.0, scale, shape)
        return z, by_shape

    def flow_gradient(y, scale, shape):
        z, _, by_shape = stretch_flow(y, 0.0, scale, shape)
        return -z / scale, 0.0, by_shape

    def log_cdf(y, scale, shape):
        return excess_log_cdf(y, 0.0, scale, shape)

    def log_sf(y, scale, shape):
        return -log_stretch(y, 0.0, scale, shape)[0]

    def quantile(log_p, log_q, scale, shape):
        return scale * stretched(-log_q, shape)

    def mean(scale: Any, shape: Any) -> Any:
        return np.where(shape < 1.0, scale / (1.0 - shape), np.inf)

    def variance(scale: Any, shape: Any) -> Any:
        return np.where(shape < 0.5, (scale / (1.0 - shape)) ** 2 / (1.0 - 2.0 * shape), np.inf)

    def entropy(scale: Any, shape: Any) -> Any:
        return np.log(scale) + shape + 1.0

    def scipy(scale: Any, shape: Any) -> tuple[str, dict[str, Any]]:
        return "genpareto", {"c": shape, "scale": scale}

    def start(moments: Moments) -> tuple[float, float]:
        # by moments, but never with an upper end, which could exclude what was seen
        shape = min(max(0.5 * (1.0 - moments.mean**2 / moments.variance), 0.0), 0.45)
        return moments.mean * (1.0 - shape), shape


class GeneralizedParetoLoc(GeneralizedPareto):
    """GeneralizedPareto(loc m, scale s, shape k) on y >= m: the same of y - m."""

    loc: Real
    scale: Positive
    shape: Real
    edges = {"loc": "minimum"}

    def inside(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        return (y >= loc) & within(d, d_low, scale, shape)

    def ends(loc, scale, shape):
        return loc, (loc - scale / shape if shape < 0.0 else INF)

    def loss(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        return excess_loss(d, d_low, scale, shape)

    def gradient(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        z, slope, by_shape, _, _, _ = excess_slopes(d, d_low, scale, shape)
        return -slope / scale, fma(-z, slope, 1.0) / scale, by_shape

    def hessian(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        z, slope, _, bend, cross, by_shape = excess_slopes(d, d_low, scale, shape)
        width = 1.0 / scale / scale
        loc_scale, scale_scale = fma(z, bend, slope) * width, fma(z, fma(z, bend, 2.0 * slope), -1.0) * width
        return bend * width, loc_scale, -cross / scale, scale_scale, -z * cross / scale, by_shape

    def flow(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        z, by_shape, _ = stretch_flow(d, d_low, scale, shape)
        return 1.0, z, by_shape

    def flow_gradient(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        z, _, by_shape = stretch_flow(d, d_low, scale, shape)
        return 0.0, 0.0, 0.0, -z / scale, 0.0, by_shape

    def log_cdf(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        return excess_log_cdf(d, d_low, scale, shape)

    def log_sf(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        return -log_stretch(d, d_low, scale, shape)[0]

    def quantile(log_p, log_q, loc, scale, shape):
        return fma(scale, stretched(-log_q, shape), loc)

    def mean(loc: Any, scale: Any, shape: Any) -> Any:
        return loc + np.where(shape < 1.0, scale / (1.0 - shape), np.inf)

    def variance(loc: Any, scale: Any, shape: Any) -> Any:
        return np.where(shape < 0.5, (scale / (1.0 - shape)) ** 2 / (1.0 - 2.0 * shape), np.inf) + 0.0 * loc

    def entropy(loc: Any, scale: Any, shape: Any) -> Any:
        return np.log(scale) + shape + 1.0 + 0.0 * loc

    def scipy(loc: Any, scale: Any, shape: Any) -> tuple[str, dict[str, Any]]:
        return "genpareto", {"c": shape, "loc": loc, "scale": scale}

    def start(moments: Moments) -> tuple[float, float, float]:
        # the likelihood of a free threshold rises until it meets the smallest y
        mean = moments.mean - moments.minimum
        shape = min(max(0.5 * (1.0 - mean**2 / moments.variance), 0.0), 0.45)
        return moments.minimum, mean * (1.0 - shape), shape
