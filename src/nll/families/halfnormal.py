"""The half-Normal distribution: the size of a Normal error."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import NonNegative, Positive
from nll.families.family import Family, Moments
from nll.families.information import normal_divergence
from nll.families.normal import log_parts, standardised
from nll.families.weibull import log_ratio
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, log, log1p
from nll.numerics.formula import formula
from nll.numerics.normal_tails import log_ndtr_pair
from nll.numerics.pairs import two_product, two_sum
from nll.numerics.polynomials import Coefficients

LN2 = 0.6931471805599453
HALF_LOG_HALF_PI = 0.22579135264472744
ROOT_TWO_OVER_PI = 0.7978845608028654
SERIES: Coefficients = tuple((-1.0) ** k / (math.factorial(k) * (2 * k + 1)) for k in range(14))  # leaves 2e-17
SMALL = 2.0**-30  # below it P(Y <= y) is z sqrt(2 / pi)


@formula
def square_loss(z, small, scale, constant):
    """Return (z + small)**2 / 2 + log(scale) + constant; every rounding error is kept and added last."""
    half_square, rest = two_product(0.5 * z, z)
    log_scale, low = log_parts(scale)
    fixed, lost = two_sum(log_scale, constant)
    total, error = two_sum(half_square, fixed)
    return total + (error + (lost + low) + fma(z, small, rest)) if total < INF else total


@formula
def chance_below(z):
    """Return P(Y <= z) for scale 1 and 0 <= z <= 1: z sqrt(2 / pi) sum of (-w)**k / (k! (2 k + 1)), w = z**2 / 2.

    Source: DLMF 7.6.1.
    """
    w = 0.5 * z * z
    p = fma(fma(SERIES[13], w, SERIES[12]), w, SERIES[11])
    p = fma(fma(fma(p, w, SERIES[10]), w, SERIES[9]), w, SERIES[8])
    p = fma(fma(fma(p, w, SERIES[7]), w, SERIES[6]), w, SERIES[5])
    p = fma(fma(fma(p, w, SERIES[4]), w, SERIES[3]), w, SERIES[2])
    return ROOT_TWO_OVER_PI * z * fma(fma(p, w, SERIES[1]), w, 1.0)


class HalfNormal(Family):
    """HalfNormal(scale s) on y >= 0.

    The loss of a row, in nats:

        loss = (y / s)**2 / 2 + log(s) + log(pi / 2) / 2

    Mean s sqrt(2 / pi), variance s**2 (1 - 2 / pi).

    Parameters
    ----------
    scale : s > 0, in the unit of y: the standard deviation of the Normal whose size y is.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 13, of |y|.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.HalfNormal(scale=1.0)).sum
    0.22579135264472744
    """

    scale: Positive
    support = NonNegative

    def loss(y, scale):
        z, small = standardised(y, 0.0, scale)
        return square_loss(z, small, scale, HALF_LOG_HALF_PI)

    def gradient(y, scale):
        z, small = standardised(y, 0.0, scale)
        return ((fma(-z, z, 1.0) - 2.0 * z * small) / scale,)

    def hessian(y, scale):
        z = y / scale
        return (fma(3.0 * z, z, -1.0) / scale / scale,)

    def flow(y, scale):
        return (y / scale,)

    def flow_gradient(y, scale):
        return (-y / scale / scale,)

    def log_cdf(y, scale):
        z, small = standardised(y, 0.0, scale)
        tail = exp(log_ndtr_pair(-z, -small)[0] + LN2)
        tiny = log_ratio(y, scale)[0] - HALF_LOG_HALF_PI
        near = tiny if z < SMALL else log(chance_below(z))
        return near if z < 1.0 else log1p(-tail)

    def log_sf(y, scale):
        z, small = standardised(y, 0.0, scale)
        return log1p(-chance_below(z)) if z < 1.0 else log_ndtr_pair(-z, -small)[0] + LN2

    def sample(rng: np.random.Generator, shape: tuple[int, ...], scale: Any) -> Any:
        return scale * np.abs(rng.standard_normal(shape))

    def mean(scale: Any) -> Any:
        return ROOT_TWO_OVER_PI * scale

    def variance(scale: Any) -> Any:
        return (1.0 - 2.0 / math.pi) * scale**2

    def entropy(scale: Any) -> Any:
        return np.log(scale) + (HALF_LOG_HALF_PI + 0.5)

    def scipy(scale: Any) -> tuple[str, dict[str, Any]]:
        return "halfnorm", {"scale": scale}

    def start(moments: Moments) -> tuple[float]:
        return ((moments.mean**2 + moments.variance) ** 0.5,)

    def kl(theta: Any, other: Any) -> Any:
        return normal_divergence(0.0, theta[0], 0.0, other[0])
