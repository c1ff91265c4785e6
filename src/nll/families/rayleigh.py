"""The Rayleigh distribution: the length of a vector with two Normal errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.information import excess
from nll.families.normal import log_parts, standardised
from nll.families.weibull import EULER_GAMMA, log_ratio
from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import INF
from nll.numerics.pairs import two_product, two_sum
from nll.numerics.tails import log_one_minus_exp

LN2 = 0.6931471805599453


class Rayleigh(Family):
    """Rayleigh(scale s) on y > 0.

    The loss of a row, in nats:

        loss = (y / s)**2 / 2 + 2 log(s) - log(y)

    Mean s sqrt(pi / 2), variance s**2 (2 - pi / 2).

    Parameters
    ----------
    scale : s > 0, in the unit of y: the standard deviation of each error.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 18.

    Examples
    --------
    >>> import nll
    >>> nll.score(1.0, nll.Rayleigh(scale=1.0)).sum
    0.5
    """

    scale: Positive
    observations = Real
    support = Positive

    def loss(y, scale):
        z, small = standardised(y, 0.0, scale)
        half_square, rest = two_product(0.5 * z, z)
        a, a_low = log_parts(y)
        b, b_low = log_parts(scale)
        unit, lost = two_sum(2.0 * b, -a)
        total, error = two_sum(half_square, unit)
        return total + (error + (lost + fma(2.0, b_low, -a_low)) + fma(z, small, rest)) if total < INF else total

    def gradient(y, scale):
        z, small = standardised(y, 0.0, scale)
        return ((fma(-z, z, 2.0) - 2.0 * z * small) / scale,)

    def hessian(y, scale):
        z = y / scale
        return (fma(3.0 * z, z, -2.0) / scale / scale,)

    def flow(y, scale):
        return (y / scale,)

    def flow_gradient(y, scale):
        return (-y / scale / scale,)

    def log_cdf(y, scale):
        z, small = standardised(y, 0.0, scale)
        half_square, rest = two_product(0.5 * z, z)
        tiny = 2.0 * log_ratio(y, scale)[0] - LN2  # the square itself may underflow
        return tiny if half_square < 2.0**-60 else log_one_minus_exp(half_square, fma(z, small, rest))

    def log_sf(y, scale):
        z, small = standardised(y, 0.0, scale)
        half_square, rest = two_product(0.5 * z, z)
        return -(half_square + fma(z, small, rest)) if half_square < INF else -half_square

    def quantile(log_p, log_q, scale):
        return scale * sqrt(-2.0 * log_q)

    def sample(rng: np.random.Generator, shape: tuple[int, ...], scale: Any) -> Any:
        return rng.rayleigh(scale, shape)

    def mean(scale: Any) -> Any:
        return math.sqrt(math.pi / 2.0) * scale

    def variance(scale: Any) -> Any:
        return (2.0 - math.pi / 2.0) * scale**2

    def entropy(scale: Any) -> Any:
        return np.log(scale) + (1.0 + EULER_GAMMA / 2.0 - LN2 / 2.0)

    def scipy(scale: Any) -> tuple[str, dict[str, Any]]:
        return "rayleigh", {"scale": scale}

    def start(moments: Moments) -> tuple[float]:
        return ((0.5 * (moments.mean**2 + moments.variance)) ** 0.5,)

    def kl(theta: Any, other: Any) -> Any:
        return excess((theta[0] / other[0]) ** 2)
