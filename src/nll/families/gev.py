"""The generalized extreme value distribution: the largest of many, with a tail of any weight."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.generalizedpareto import log_stretch, stretch_flow, stretch_slopes, stretched, stretched_sum, within
from nll.families.gumbel import log_any, log_hazard
from nll.families.normal import log_parts
from nll.families.values import mapped
from nll.families.weibull import EULER_GAMMA, power
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, expm1
from nll.numerics.formula import formula
from nll.numerics.pairs import two_sum
from nll.numerics.special import lgamma

# zeta(k) / k for k from 2 on: lgamma(1 - x) = gamma x + sum of zeta(k) x**k / k, DLMF 5.7.3.
ZETA = (0.8224670334241132, 0.40068563438653143, 0.27058080842778454, 0.20738555102867399, 0.16955717699740818)
SERIES = 0.002  # up to here five terms leave 1e-14


@formula
def extreme_slopes(y, loc, scale, shape):
    """Return z and the derivatives of the loss at loc 0 and scale 1: in z, shape, z z, z shape, shape shape."""
    d, d_low = two_sum(y, -loc)
    h, _, big, _ = log_stretch(d, d_low, scale, shape)
    z, v, zv, first, second = stretch_slopes(d, d_low, scale, shape, big)
    e, less, more = exp(-h), -expm1(-h), 1.0 + shape  # less = 1 - e
    by_shape = fma(first, less, zv)
    cross = v * (fma(-zv, less, v) + e * first)
    return (
        z,
        v * (less + shape),
        by_shape,
        more * v * v * (e - shape),
        cross,
        fma(second, less, e * first * first - zv * zv),
    )


def log_gamma_below(x: Any) -> Any:
    """Return lgamma(1 - x) for x < 1, near 0 to the last digits of x."""
    near = x * (EULER_GAMMA + x * np.polynomial.polynomial.polyval(x, ZETA))
    return np.where(np.abs(x) < SERIES, near, mapped(lgamma, np.where(x < 1.0, 1.0 - x, 1.0)))


class GEV(Family):
    """GEV(loc m, scale s, shape k) on 1 + k (y - m) / s > 0.

    The loss of a row, in nats, with z = (y - m) / s and h = log(1 + k z) / k, or h = z for k = 0:

        loss = (1 + k) h + e**-h + log(s)

    Mean m + s (gamma(1 - k) - 1) / k for k < 1, variance s**2 (gamma(1 - 2 k) - gamma(1 - k)**2) / k**2 for
    k < 1/2. For k < -1 the density is unbounded at its upper end.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.
    shape : k, no unit: 0 for Gumbel, k > 0 for a heavy tail (Frechet), k < 0 for an upper end (reversed Weibull).
        SciPy's c is -k.

    Source: S. Coles, An Introduction to Statistical Modeling of Extreme Values (2001), equation (3.2).

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.GEV(loc=0.0, scale=1.0, shape=0.1)).sum
    1.0
    """

    loc: Real
    scale: Positive
    shape: Real
    lowest = {"shape": -1.0}

    def inside(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        return within(d, d_low, scale, shape)

    def ends(loc, scale, shape):
        end = loc - scale / shape
        return (end if shape > 0.0 else -INF), (end if shape < 0.0 else INF)

    def loss(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        h, h_low, big, big_low = log_stretch(d, d_low, scale, shape)
        distance, distance_low = stretched_sum(h, h_low, big, big_low, shape)
        e = power(-h, -h_low)
        log_scale, low = log_parts(scale)
        both, lost = two_sum(distance, e)
        total, error = two_sum(both, log_scale)
        total = total if e < INF else INF
        return total + (error + (lost + (distance_low + low))) if abs(total) < INF else total

    def gradient(y, loc, scale, shape):
        z, slope, by_shape, _, _, _ = extreme_slopes(y, loc, scale, shape)
        return -slope / scale, fma(-z, slope, 1.0) / scale, by_shape

    def hessian(y, loc, scale, shape):
        z, slope, _, bend, cross, by_shape = extreme_slopes(y, loc, scale, shape)
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
        h, h_low, _, _ = log_stretch(d, d_low, scale, shape)
        return -power(-h, -h_low)

    def log_sf(y, loc, scale, shape):
        d, d_low = two_sum(y, -loc)
        h, h_low, _, _ = log_stretch(d, d_low, scale, shape)
        return log_any(-h, -h_low)

    def quantile(log_p, log_q, loc, scale, shape):
        return fma(scale, stretched(-log_hazard(log_p, log_q), shape), loc)

    def mean(loc: Any, scale: Any, shape: Any) -> Any:
        flat = np.where(shape == 0.0, 1.0, shape)
        excess = np.where(shape == 0.0, EULER_GAMMA, np.expm1(log_gamma_below(shape)) / flat)
        return loc + scale * np.where(shape < 1.0, excess, np.inf)

    def variance(loc: Any, scale: Any, shape: Any) -> Any:
        first = log_gamma_below(shape)
        near = np.polynomial.polynomial.polyval(shape, [c * (2.0**k - 2.0) for k, c in enumerate(ZETA, 2)])
        flat = np.where(np.abs(shape) < SERIES, 1.0, shape)
        far = (log_gamma_below(2.0 * shape) - 2.0 * first) / flat**2
        rest = np.where(np.abs(shape) < SERIES, near, far)  # log of the ratio of the gammas, over shape**2
        t = rest * shape**2
        spread = np.exp(2.0 * first) * np.where(t == 0.0, rest, np.expm1(t) / np.where(t == 0.0, 1.0, t) * rest)
        return scale**2 * np.where(shape < 0.5, spread, np.inf) + 0.0 * loc

    def entropy(loc: Any, scale: Any, shape: Any) -> Any:
        return np.log(scale) + EULER_GAMMA * (1.0 + shape) + 1.0 + 0.0 * loc

    def scipy(loc: Any, scale: Any, shape: Any) -> tuple[str, dict[str, Any]]:
        return "genextreme", {"c": -shape, "loc": loc, "scale": scale}

    def start(moments: Moments) -> tuple[float, float, float]:
        # Gumbel's, which excludes nothing that was seen
        scale = math.sqrt(6.0 * moments.variance) / math.pi
        return moments.mean - EULER_GAMMA * scale, scale, 0.0
