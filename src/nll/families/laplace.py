"""The Laplace distribution: errors about a median, with tails that fall exponentially."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.information import excess
from nll.families.normal import log_parts, standardised
from nll.families.values import mapped
from nll.numerics.elementary import INF, exp, log1p
from nll.numerics.formula import formula
from nll.numerics.gamma_tails import exp_excess
from nll.numerics.pairs import two_sum

LN2, LN2_REST = 0.6931471805599453, 2.3190468138462996e-17
SPREAD = 0.9730942890139362  # scale over 1.4826 times the median absolute deviation, which is scale log 2


@formula
def log_lower(z, small):
    """Return log P(Z <= z + small) for loc 0 and scale 1."""
    below = (z + (small - LN2_REST)) - LN2
    e = exp(-abs(z))
    above = log1p(-0.5 * (e - e * abs(small) if z * small > 0.0 else e + e * abs(small)))
    return below if z < 0.0 else above


class Laplace(Family):
    """Laplace(loc m, scale s) on the real line.

    The loss of a row, in nats:

        loss = |y - m| / s + log(2 s)

    Mean and median m, variance 2 s**2. The derivative in m jumps at m = y; there it is taken as 0, the middle of
    the jump, and the second derivative as 0, so the Hessian does not carry the information about m: that is
    1 / s**2, the variance of the gradient.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 2, 2nd edition
    (1995), chapter 24.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.Laplace(loc=0.0, scale=1.0)).sum
    0.6931471805599453
    """

    loc: Real
    scale: Positive
    edges = {"loc": "median"}

    def loss(y, loc, scale):
        z, small = standardised(y, loc, scale)
        log_scale, low = log_parts(scale)
        constant, lost = two_sum(log_scale, LN2)
        total, error = two_sum(abs(z), constant)
        small = -small if z < 0.0 else small
        return total + (error + (lost + low + LN2_REST) + small) if total < INF else total

    def gradient(y, loc, scale):
        z, small = standardised(y, loc, scale)
        sign = 1.0 if z > 0.0 else (-1.0 if z < 0.0 else 0.0)
        return -sign / scale, ((1.0 - abs(z)) - sign * small) / scale

    def hessian(y, loc, scale):
        z = standardised(y, loc, scale)[0]
        sign = 1.0 if z > 0.0 else (-1.0 if z < 0.0 else 0.0)
        precision = 1.0 / scale / scale
        return 0.0 * precision, sign * precision, (2.0 * abs(z) - 1.0) * precision

    def flow(y, loc, scale):
        z = (y - loc) / scale
        return 1.0, z

    def flow_gradient(y, loc, scale):
        z = (y - loc) / scale
        return 0.0, 0.0, -z / scale

    def log_cdf(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return log_lower(z, small)

    def log_sf(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return log_lower(-z, -small)

    def start(moments: Moments) -> tuple[float, float]:
        known = moments.absolute_deviation == moments.absolute_deviation  # the maximum of likelihood
        return moments.median, moments.absolute_deviation if known else moments.spread * SPREAD

    def quantile(log_p, log_q, loc, scale):
        return loc + scale * (log_p + LN2 if log_p < log_q else -(log_q + LN2))

    def sample(rng: np.random.Generator, shape: Any, loc: Any, scale: Any) -> Any:
        return rng.laplace(loc, scale, shape)

    def mean(loc: Any, scale: Any) -> Any:
        return loc + 0.0 * scale

    def variance(loc: Any, scale: Any) -> Any:
        return 2.0 * scale * scale + 0.0 * loc

    def entropy(loc: Any, scale: Any) -> Any:
        return np.log(scale) + (1.0 + LN2) + 0.0 * loc

    def kl(theta: Any, other: Any) -> Any:
        (loc, scale), (other_loc, other_scale) = theta, other
        t, ratio = abs(loc - other_loc) / scale, scale / other_scale
        return excess(ratio) + ratio * mapped(exp_excess, -t)

    def scipy(loc: Any, scale: Any) -> tuple[str, dict[str, Any]]:
        return "laplace", {"loc": loc, "scale": scale}
