"""The Gumbel distribution of minima: the smallest of many, where tails fall exponentially."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.gumbel import gumbel_loss, gumbel_slopes, log_any, log_hazard
from nll.families.information import gumbel_divergence
from nll.families.normal import standardised
from nll.families.weibull import EULER_GAMMA, power
from nll.numerics.bits import fma


class GumbelMin(Family):
    """GumbelMin(loc m, scale s) on the real line: -y is Gumbel(-m, s).

    The loss of a row, in nats, with z = (y - m) / s:

        loss = -z + e**z + log(s)

    Mean m - 0.5772 s, variance (pi s)**2 / 6, mode m. The logarithm of a Weibull variable is such a y.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 2, 2nd edition
    (1995), chapter 22.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.GumbelMin(loc=0.0, scale=1.0)).sum
    1.0
    """

    loc: Real
    scale: Positive

    def loss(y, loc, scale):
        z, small = standardised(-y, -loc, scale)
        return gumbel_loss(z, small, scale)

    def gradient(y, loc, scale):
        z = -standardised(y, loc, scale)[0]
        slope, _ = gumbel_slopes(z)
        return slope / scale, fma(-z, slope, 1.0) / scale

    def hessian(y, loc, scale):
        z = -standardised(y, loc, scale)[0]
        slope, bend = gumbel_slopes(z)
        precision = 1.0 / scale / scale
        return bend * precision, -fma(z, bend, slope) * precision, fma(z, fma(z, bend, 2.0 * slope), -1.0) * precision

    def flow(y, loc, scale):
        z = (y - loc) / scale
        return 1.0, z

    def flow_gradient(y, loc, scale):
        z = (y - loc) / scale
        return 0.0, 0.0, -z / scale

    def log_cdf(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return log_any(z, small)

    def log_sf(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return -power(z, small)

    def quantile(log_p, log_q, loc, scale):
        return fma(scale, log_hazard(log_q, log_p), loc)

    def sample(rng: np.random.Generator, shape: tuple[int, ...], loc: Any, scale: Any) -> Any:
        return -rng.gumbel(-loc, scale, shape)

    def mean(loc: Any, scale: Any) -> Any:
        return loc - EULER_GAMMA * scale

    def variance(loc: Any, scale: Any) -> Any:
        return (math.pi * scale) ** 2 / 6.0 + 0.0 * loc

    def entropy(loc: Any, scale: Any) -> Any:
        return np.log(scale) + (EULER_GAMMA + 1.0) + 0.0 * loc

    def scipy(loc: Any, scale: Any) -> tuple[str, dict[str, Any]]:
        return "gumbel_l", {"loc": loc, "scale": scale}

    def start(moments: Moments) -> tuple[float, float]:
        scale = math.sqrt(6.0 * moments.variance) / math.pi
        return moments.mean + EULER_GAMMA * scale, scale

    def kl(theta: Any, other: Any) -> Any:
        (loc, scale), (other_loc, other_scale) = theta, other
        return gumbel_divergence((other_loc - loc) / other_scale, scale / other_scale)
