"""The Weibull distribution: times to failure whose hazard is a power of the age."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import NonNegative, Positive
from nll.families.family import Family, Moments
from nll.families.information import gumbel_divergence
from nll.families.normal import log_parts
from nll.families.values import mapped
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, expm1, log
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum, two_product, two_sum
from nll.numerics.special import lgamma
from nll.numerics.tails import log_one_minus_exp

EULER_GAMMA = 0.5772156649015329
SMALL_CHANCE = -40.0  # below it, log(-log(1 - p)) is log(p)
# Riemann's zeta function at 2, 3, ...
ZETAS = (
    1.6449340668482264,
    1.2020569031595942,
    1.0823232337111381,
    1.03692775514337,
    1.0173430619844492,
    1.008349277381923,
    1.0040773561979444,
    1.0020083928260821,
    1.000994575127818,
    1.0004941886041194,
    1.000246086553308,
    1.0001227133475785,
    1.0000612481350588,
    1.000030588236307,
    1.0000152822594086,
)


@formula
def log_ratio(y, scale):
    """Return log(y / scale) as a pair, to 2**-54: less than half a last digit of y or scale changes it."""
    a, a_low = log_parts(y)
    b, b_low = log_parts(scale)
    ratio, lost = two_sum(a, -b)
    return fast_two_sum(ratio, lost + (a_low - b_low))


@formula
def exponent(y, scale, concentration):
    """Return t = concentration log(y / scale) as a pair; low is 0 where t is infinite."""
    ratio, ratio_low = log_ratio(y, scale)
    t, low = two_product(concentration, ratio)
    low = fma(concentration, ratio_low, low)
    return t, (low if abs(t) < INF else 0.0)


@formula
def power(t, low):
    """Return e**(t + low) for |low| <= ulp(t), to 2 ulp."""
    e = exp(t)
    return fma(e, low, e) if e < INF else e


class Weibull(Family):
    """Weibull(scale s, concentration k) on y > 0.

    The loss of a row, in nats:

        loss = (y / s)**k - (k - 1) log(y / s) + log(s / k)

    Mean s gamma(1 + 1/k), median s log(2)**(1/k). At y = 0 the density is 1 / s for k = 1, and 0 for k > 1. For
    k < 1 it is unbounded there: y = 0 then counts as impossible, because a loss of -inf would be the best of all
    scores for a time that was rounded to zero.

    Parameters
    ----------
    scale : s > 0, in the unit of y.
    concentration : k > 0, no unit.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 21.

    Examples
    --------
    >>> import nll
    >>> nll.score(2.0, nll.Weibull(scale=1.0, concentration=1.0)).sum
    2.0
    """

    scale: Positive
    concentration: Positive
    support = NonNegative

    def inside(y, scale, concentration):
        return (y > 0.0) | ((y == 0.0) & (concentration == 1.0))

    def loss(y, scale, concentration):
        ratio, ratio_low = log_ratio(y, scale)
        t, t_low = two_product(concentration, ratio)
        t_low = fma(concentration, ratio_low, t_low)
        e = power(t, t_low if abs(t) < INF else 0.0) if y > 0.0 else 0.0
        less_one, lost = two_sum(concentration, -1.0)
        slope, slope_low = two_product(less_one, ratio)
        slope_low = fma(less_one, ratio_low, fma(lost, ratio, slope_low))
        log_scale, scale_low = log_parts(scale)
        log_shape, shape_low = log_parts(concentration)
        constant, constant_error = two_sum(log_scale, -log_shape)
        constant_low = constant_error + (scale_low - shape_low)
        distance, distance_error = two_sum(e, -slope)
        total, error = two_sum(distance, constant)
        total = total if e < INF else INF
        return total + (error + distance_error + (constant_low - slope_low)) if total < INF else total

    def gradient(y, scale, concentration):
        t, low = exponent(y, scale, concentration)
        ratio = log_ratio(y, scale)[0]
        excess = fma(low, exp(t), expm1(t))
        return -(concentration * excess) / scale, fma(excess, ratio, -1.0 / concentration)

    def hessian(y, scale, concentration):
        t, low = exponent(y, scale, concentration)
        ratio = log_ratio(y, scale)[0]
        e = power(t, low)
        excess = fma(low, e, expm1(t))
        scaled = concentration / scale
        return (
            scaled / scale * fma(concentration, e, excess),
            -fma(t, e, excess) / scale,
            fma(e * ratio, ratio, 1.0 / concentration / concentration),
        )

    def flow(y, scale, concentration):
        return y / scale, -y * log_ratio(y, scale)[0] / concentration

    def flow_gradient(y, scale, concentration):
        return -y / scale / scale, 0.0, y * log_ratio(y, scale)[0] / concentration / concentration

    def log_cdf(y, scale, concentration):
        t, low = exponent(y, scale, concentration)
        e = power(t, low)
        # log(1 - e**-e) = t + log((1 - e**-e) / e): e itself may underflow
        quotient = -expm1(-e) / e
        near = t + (log(quotient if e > 0.0 else 1.0) + low)
        return near if t < -0.5 else log_one_minus_exp(e, 0.0)

    def log_sf(y, scale, concentration):
        t, low = exponent(y, scale, concentration)
        return -power(t, low)

    def start(moments: Moments) -> tuple[float, float]:
        # log y has mean log(s) - gamma / k and variance pi**2 / (6 k**2)
        concentration = math.pi / math.sqrt(6.0 * moments.log_variance)
        return math.exp(moments.log_mean + EULER_GAMMA / concentration), concentration

    def quantile(log_p, log_q, scale, concentration):
        # log(-log q), which is log p where p is small
        depth = log_p if log_p < SMALL_CHANCE else log(-log_q)
        return scale * exp(depth / concentration)

    def sample(rng: np.random.Generator, shape: Any, scale: Any, concentration: Any) -> Any:
        return scale * rng.weibull(concentration, shape)

    def mean(scale: Any, concentration: Any) -> Any:
        return scale * np.exp(mapped(lgamma, 1.0 + 1.0 / concentration))

    def variance(scale: Any, concentration: Any) -> Any:
        # gamma(1 + 2 x) - gamma(1 + x)**2; for small x the logarithm of their ratio by its series, DLMF 5.7.3
        x = 1.0 / concentration
        first = mapped(lgamma, 1.0 + x)
        small = np.minimum(x, 0.05)
        near = sum(zeta * (-small) ** n * (2.0**n - 2.0) / n for n, zeta in enumerate(ZETAS, 2))
        rest = np.where(x < 0.05, near, mapped(lgamma, 1.0 + 2.0 * x) - 2.0 * first)
        return scale**2 * np.exp(2.0 * first) * np.expm1(rest)

    def entropy(scale: Any, concentration: Any) -> Any:
        return EULER_GAMMA * (1.0 - 1.0 / concentration) + np.log(scale) - np.log(concentration) + 1.0

    def kl(theta: Any, other: Any) -> Any:
        # -k log(y / s) is a Gumbel, and so is -k' log(y / s') moved
        (scale, k), (other_scale, other_k) = theta, other
        return gumbel_divergence(other_k * np.log(other_scale / scale), other_k / k)

    def scipy(scale: Any, concentration: Any) -> tuple[str, dict[str, Any]]:
        return "weibull_min", {"c": concentration, "scale": scale}
