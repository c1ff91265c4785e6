"""The Gumbel distribution: the largest of many, where tails fall exponentially."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.information import gumbel_divergence
from nll.families.normal import log_parts, standardised
from nll.families.weibull import EULER_GAMMA, power
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, expm1, log
from nll.numerics.formula import formula
from nll.numerics.pairs import two_sum
from nll.numerics.tails import log_one_minus_exp

SURE = -600.0  # below it, log(-log(1 - q)) is log(q)


@formula
def gumbel_loss(z, small, scale):
    """Return z + small + e**-(z + small) + log(scale)."""
    e = power(-z, -small)
    log_scale, low = log_parts(scale)
    distance, lost = two_sum(z, e)
    total, error = two_sum(distance, log_scale)
    total = total if e < INF else INF
    return total + (error + (lost + low) + small) if total < INF else total


@formula
def gumbel_slopes(z):
    """Return the first and second derivatives of the loss in z at scale 1."""
    return -expm1(-z), exp(-z)


@formula
def log_any(t, low):
    """Return log(1 - e**-e**(t + low)), the chance of at least one event of a Poisson with log mean t."""
    e = power(t, low)
    quotient = -expm1(-e) / e
    few = t + (log(quotient if e > 0.0 else 1.0) + low)
    return few if t < -0.5 else log_one_minus_exp(e, 0.0)


@formula
def log_hazard(log_p, log_q):
    """Return log(-log p), given log(1 - p) too, of which log p keeps nothing where p is nearly 1."""
    return log_q if log_q < SURE else log(-log_p)


class Gumbel(Family):
    """Gumbel(loc m, scale s) on the real line.

    The loss of a row, in nats, with z = (y - m) / s:

        loss = z + e**-z + log(s)

    Mean m + 0.5772 s, variance (pi s)**2 / 6, mode m.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 2, 2nd edition
    (1995), chapter 22.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.Gumbel(loc=0.0, scale=1.0)).sum
    1.0
    """

    loc: Real
    scale: Positive

    def loss(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return gumbel_loss(z, small, scale)

    def gradient(y, loc, scale):
        z = standardised(y, loc, scale)[0]
        slope, _ = gumbel_slopes(z)
        return -slope / scale, fma(-z, slope, 1.0) / scale

    def hessian(y, loc, scale):
        z = standardised(y, loc, scale)[0]
        slope, bend = gumbel_slopes(z)
        precision = 1.0 / scale / scale
        return bend * precision, fma(z, bend, slope) * precision, fma(z, fma(z, bend, 2.0 * slope), -1.0) * precision

    def flow(y, loc, scale):
        z = (y - loc) / scale
        return 1.0, z

    def flow_gradient(y, loc, scale):
        z = (y - loc) / scale
        return 0.0, 0.0, -z / scale

    def log_cdf(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return -power(-z, -small)

    def log_sf(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return log_any(-z, -small)

    def quantile(log_p, log_q, loc, scale):
        return fma(-scale, log_hazard(log_p, log_q), loc)

    def sample(rng: np.random.Generator, shape: tuple[int, ...], loc: Any, scale: Any) -> Any:
        return rng.gumbel(loc, scale, shape)

    def mean(loc: Any, scale: Any) -> Any:
        return loc + EULER_GAMMA * scale

    def variance(loc: Any, scale: Any) -> Any:
        return (math.pi * scale) ** 2 / 6.0 + 0.0 * loc

    def entropy(loc: Any, scale: Any) -> Any:
        return np.log(scale) + (EULER_GAMMA + 1.0) + 0.0 * loc

    def scipy(loc: Any, scale: Any) -> tuple[str, dict[str, Any]]:
        return "gumbel_r", {"loc": loc, "scale": scale}

    def start(moments: Moments) -> tuple[float, float]:
        scale = math.sqrt(6.0 * moments.variance) / math.pi
        return moments.mean - EULER_GAMMA * scale, scale

    def kl(theta: Any, other: Any) -> Any:
        (loc, scale), (other_loc, other_scale) = theta, other
        return gumbel_divergence((loc - other_loc) / other_scale, scale / other_scale)
