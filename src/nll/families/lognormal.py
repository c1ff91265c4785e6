"""The LogNormal distribution: products of many small effects."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.information import normal_divergence
from nll.families.normal import HALF_LOG_2PI, log_parts
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, log
from nll.numerics.formula import formula
from nll.numerics.normal_tails import log_ndtr_pair, ndtri_of_logs
from nll.numerics.pairs import fast_two_sum, two_product, two_sum


@formula
def log_standardised(log_y, log_low, loc, scale):
    """Return z + small = (log y - loc) / scale, for log y as a pair."""
    difference, error = two_sum(log_y, -loc)
    difference, error = fast_two_sum(difference, error + log_low)
    z = difference / scale
    small = (fma(-z, scale, difference) + error) / scale
    return z, (small if abs(small) < abs(z) else 0.0)  # not a number where z is infinite


class LogNormal(Family):
    """LogNormal(loc m, scale s) on y > 0: log y is Normal(m, s).

    The loss of a row, in nats, with z = (log(y) - m) / s:

        loss = z**2 / 2 + log(y) + log(s) + log(2 pi) / 2

    Mean e**(m + s**2 / 2), median e**m, variance (e**(s**2) - 1) e**(2 m + s**2).

    Parameters
    ----------
    loc : m, the mean of log y.
    scale : s > 0, the standard deviation of log y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 14.

    Examples
    --------
    >>> import nll
    >>> nll.score(1.0, nll.LogNormal(loc=0.0, scale=1.0)).sum
    0.9189385332046728
    """

    loc: Real
    scale: Positive
    support = Positive

    def loss(y, loc, scale):
        log_y, log_low = log_parts(y)
        z, small = log_standardised(log_y, log_low, loc, scale)
        half_square, rest = two_product(0.5 * z, z)
        log_scale, low = log_parts(scale)
        constant, lost = two_sum(log_scale, HALF_LOG_2PI)
        base, base_error = two_sum(log_y, constant)
        total, error = two_sum(half_square, base)
        errors = (error + base_error) + (lost + low) + (log_low + fma(z, small, rest))
        return total + errors if total < INF else total

    def gradient(y, loc, scale):
        log_y, log_low = log_parts(y)
        z, small = log_standardised(log_y, log_low, loc, scale)
        return -z / scale, (fma(-z, z, 1.0) - 2.0 * z * small) / scale

    def hessian(y, loc, scale):
        log_y, log_low = log_parts(y)
        z = log_standardised(log_y, log_low, loc, scale)[0]
        precision = 1.0 / scale / scale
        return precision, 2.0 * z * precision, fma(3.0 * z, z, -1.0) * precision

    def flow(y, loc, scale):
        z = (log(y) - loc) / scale
        return y, z * y

    def flow_gradient(y, loc, scale):
        z = (log(y) - loc) / scale
        return 0.0, 0.0, -z * y / scale

    def log_cdf(y, loc, scale):
        log_y, log_low = log_parts(y)
        z, small = log_standardised(log_y, log_low, loc, scale)
        return log_ndtr_pair(z, small)[0]

    def log_sf(y, loc, scale):
        log_y, log_low = log_parts(y)
        z, small = log_standardised(log_y, log_low, loc, scale)
        return log_ndtr_pair(z, small)[1]

    def quantile(log_p, log_q, loc, scale):
        return exp(fma(scale, ndtri_of_logs(log_p, log_q), loc))

    def start(moments: Moments) -> tuple[float, float]:
        return moments.log_mean, moments.log_variance**0.5

    def sample(rng: np.random.Generator, size: Any, loc: Any, scale: Any) -> Any:
        return rng.lognormal(loc, scale, size)

    def mean(loc: Any, scale: Any) -> Any:
        return np.exp(loc + 0.5 * scale * scale)

    def variance(loc: Any, scale: Any) -> Any:
        return np.expm1(scale * scale) * np.exp(2.0 * loc + scale * scale)

    def entropy(loc: Any, scale: Any) -> Any:
        return loc + np.log(scale) + (HALF_LOG_2PI + 0.5)

    def kl(theta: Any, other: Any) -> Any:
        return normal_divergence(*theta, *other)

    def scipy(loc: Any, scale: Any) -> tuple[str, dict[str, Any]]:
        return "lognorm", {"s": scale, "scale": np.exp(loc)}
