"""The generalized Normal distribution: a bell from peaked (Laplace) over round (Normal) to flat (Uniform)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.normal import LARGE, log_parts
from nll.families.pareto import log_quotient, times
from nll.families.values import mapped
from nll.families.weibull import power
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, expm1, log1p, log_pair
from nll.numerics.formula import formula
from nll.numerics.gamma_tails import log_gamma_tails
from nll.numerics.gamma_terms import FAR, lgamma_rest
from nll.numerics.pairs import two_sum
from nll.numerics.special import HALF_LOG_TWO_PI, digamma, lgamma, trigamma

LN2 = 0.6931471805599453
MOST = 1.7976931348623157e308


@formula
def distance(y, loc, scale, shape):
    """Return w = |z|**shape, log|z|, and its product with shape, for z = (y - loc) / scale; w = 0 at z = 0."""
    factor = 0.5 if (abs(y) > LARGE) | (abs(loc) > LARGE) else 1.0
    d, d_low = two_sum(y * factor, -loc * factor)
    d_low = d_low if d > 0.0 else -d_low
    log_z, low = log_quotient(abs(d) if d != 0.0 else scale, d_low, scale * factor)
    t, t_low = times(shape, log_z, low)
    w = power(t, t_low)
    return (w if d != 0.0 else 0.0), log_z, t


@formula
def log_constant(shape):
    """Return lgamma(1 + 1 / shape): with x = 1 / shape, from x = 8 on, (x + 1/2) log(x) - x + log(2 pi) / 2 + binet(x).

    Source: DLMF 5.11.1.
    """
    x = 1.0 / shape
    far = x >= FAR
    x = x if x < MOST else MOST
    x_low = fma(-x, shape, 1.0) / shape
    log_x, low = log_pair(x)
    product, product_low = times(x + 0.5, log_x, low)
    body, lost = two_sum(product, -x)
    rest = (lgamma_rest(x) + HALF_LOG_TWO_PI) + (fma(log_x, x_low, product_low) + lost)
    stirling = body + rest if body < INF else body
    return stirling if far else lgamma(1.0 + x)


@formula
def log_half_more(below):
    """Return log((1 + e**below) / 2) = log(1 - (1 - e**below) / 2)."""
    return log1p(0.5 * expm1(below))


class GeneralizedNormal(Family):
    """GeneralizedNormal(loc m, scale s, shape p) on the real line.

    The loss of a row, in nats, with z = (y - m) / s:

        loss = |z|**p + log(2 s) + lgamma(1 + 1/p)

    Mean m, variance s**2 gamma(3/p) / gamma(1/p): p = 1 is Laplace(m, s), p = 2 Normal(m, s / sqrt(2)).

    For p <= 1 the density has a peak at m, where the derivative in m jumps; at y = m it is taken as 0, and so are
    second derivatives, which for p <= 1 do not carry the information about m.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.
    shape : p > 0, no unit.

    Source: S. Nadarajah, A generalized normal distribution, Journal of Applied Statistics 32 (2005), equation (1).

    Examples
    --------
    >>> import nll
    >>> nll.score(1.0, nll.GeneralizedNormal(loc=0.0, scale=1.0, shape=1.0)).sum
    1.6931471805599454
    """

    loc: Real
    scale: Positive
    shape: Positive
    unflowed = ("shape",)

    def loss(y, loc, scale, shape):
        w = distance(y, loc, scale, shape)[0]
        log_scale, low = log_parts(scale)
        fixed, lost = two_sum(log_scale, LN2)
        unit, unit_error = two_sum(fixed, log_constant(shape))
        total, error = two_sum(w, unit)
        return total + (error + (unit_error + (lost + low))) if total < INF else total

    def gradient(y, loc, scale, shape):
        w, log_z, _ = distance(y, loc, scale, shape)
        z = (y - loc) / scale
        inverse = 1.0 / shape
        pull = shape * w / z if z != 0.0 else 0.0
        by_shape = fma(w, log_z, -digamma(1.0 + inverse) * inverse * inverse)
        return -pull / scale, fma(-shape, w, 1.0) / scale, by_shape

    def hessian(y, loc, scale, shape):
        w, log_z, t = distance(y, loc, scale, shape)
        z = (y - loc) / scale
        inverse = 1.0 / shape
        square = inverse * inverse
        pull = w / z if z != 0.0 else 0.0
        bend = shape * (shape - 1.0) * (pull / z if z != 0.0 else 0.0)
        width = 1.0 / scale / scale
        more = w * (1.0 + t)
        gammas = square * inverse * fma(inverse, trigamma(1.0 + inverse), 2.0 * digamma(1.0 + inverse))
        return (
            bend * width,
            shape * shape * pull * width,
            -pull * (1.0 + t) / scale,
            fma(shape * (shape + 1.0), w, -1.0) * width,
            -more / scale,
            fma(w * log_z, log_z, gammas),
        )

    def flow(y, loc, scale, shape):
        z = (y - loc) / scale
        return 1.0, z, 0.0

    def flow_gradient(y, loc, scale, shape):
        z = (y - loc) / scale
        return 0.0, 0.0, 0.0, -z / scale, 0.0, 0.0

    def log_cdf(y, loc, scale, shape):
        w, _, t = distance(y, loc, scale, shape)
        inverse = 1.0 / shape
        below, above = log_gamma_tails(inverse, w, w - inverse, t if y != loc else -INF)
        return log_half_more(below) if y > loc else above - LN2

    def log_sf(y, loc, scale, shape):
        w, _, t = distance(y, loc, scale, shape)
        inverse = 1.0 / shape
        below, above = log_gamma_tails(inverse, w, w - inverse, t if y != loc else -INF)
        return log_half_more(below) if y < loc else above - LN2

    def sample(rng: np.random.Generator, shape: tuple[int, ...], loc: Any, scale: Any, power: Any) -> Any:
        size = rng.standard_gamma(1.0 / power, shape) ** (1.0 / power)
        return loc + scale * np.where(rng.random(shape) < 0.5, -size, size)

    def mean(loc: Any, scale: Any, shape: Any) -> Any:
        return loc + 0.0 * (scale + shape)

    def variance(loc: Any, scale: Any, shape: Any) -> Any:
        return scale**2 * np.exp(mapped(lgamma, 3.0 / shape) - mapped(lgamma, 1.0 / shape)) + 0.0 * loc

    def entropy(loc: Any, scale: Any, shape: Any) -> Any:
        return 1.0 / shape + np.log(scale) + LN2 + mapped(log_constant, shape) + 0.0 * loc

    def scipy(loc: Any, scale: Any, shape: Any) -> tuple[str, dict[str, Any]]:
        return "gennorm", {"beta": shape, "loc": loc, "scale": scale}

    def start(moments: Moments) -> tuple[float, float, float]:
        # between the Laplace and the Normal: gamma(3/p) / gamma(1/p) is 0.7384 for p = 1.5
        return moments.mean, (moments.variance / 0.7384) ** 0.5, 1.5
