"""The Logistic distribution: a bell like the Normal's, with tails that fall exponentially."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.normal import log_parts, standardised
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, _wide_log_series, exp, expm1, softplus
from nll.numerics.formula import formula
from nll.numerics.pairs import two_sum

SPREAD = 0.5513288954217921  # sqrt(3) / pi, the scale over the standard deviation


@formula
def log_lower(z, small):
    """Return log P(Z <= z + small) = -log(1 + e**-(z + small)) for loc 0 and scale 1."""
    return fma(small, 1.0 / (1.0 + exp(z)), -softplus(-z))


@formula
def slope_and_weight(z):
    """Return h = tanh(z / 2) and w = (1 - h**2) / 2, the derivatives in z of the loss at loc 0 and scale 1."""
    away = -abs(z)
    e, m = exp(away), expm1(away)
    h = -m / (2.0 + m)
    return (h if z > 0.0 else -h), 2.0 * e / ((1.0 + e) * (1.0 + e))


class Logistic(Family):
    """Logistic(loc m, scale s) on the real line.

    The loss of a row, in nats, with z = |y - m| / s:

        loss = z + 2 log(1 + e**-z) + log(s)

    Mean m, variance (pi s)**2 / 3.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 2, 2nd edition
    (1995), chapter 23.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.Logistic(loc=0.0, scale=1.0)).sum
    1.3862943611198906
    """

    loc: Real
    scale: Positive

    def loss(y, loc, scale):
        z, small = standardised(y, loc, scale)
        log_scale, low = log_parts(scale)
        away = abs(z)
        # log(1 + e) = 2 r + r**3 R(r**2) with r = e / (2 + e) <= 1/3; z + 2 log(1 + e) is never below 1.38.
        e = exp(-away)
        r = e / (2.0 + e)
        square = r * r
        bend = 2.0 * fma(r, square * _wide_log_series(square), 2.0 * r)
        distance, lost = two_sum(away, bend)
        total, error = two_sum(distance, log_scale)
        # `small` is due times tanh(z / 2); where that is not 1, z is small, and the difference is below 2**-54
        small = -small if z < 0.0 else small
        return total + (error + (lost + low) + small) if total < INF else total

    def gradient(y, loc, scale):
        z = standardised(y, loc, scale)[0]
        h, _ = slope_and_weight(z)
        return -h / scale, fma(-z, h, 1.0) / scale

    def hessian(y, loc, scale):
        z = standardised(y, loc, scale)[0]
        h, w = slope_and_weight(z)
        precision = 1.0 / scale / scale
        return w * precision, fma(z, w, h) * precision, fma(z, fma(z, w, 2.0 * h), -1.0) * precision

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
        return moments.mean, moments.variance**0.5 * SPREAD

    def quantile(log_p, log_q, loc, scale):
        return fma(scale, log_p - log_q, loc)

    def sample(rng: np.random.Generator, shape: Any, loc: Any, scale: Any) -> Any:
        return rng.logistic(loc, scale, shape)

    def mean(loc: Any, scale: Any) -> Any:
        return loc + 0.0 * scale

    def variance(loc: Any, scale: Any) -> Any:
        return (np.pi * scale) ** 2 / 3.0 + 0.0 * loc

    def entropy(loc: Any, scale: Any) -> Any:
        return np.log(scale) + 2.0 + 0.0 * loc

    def scipy(loc: Any, scale: Any) -> tuple[str, dict[str, Any]]:
        return "logistic", {"loc": loc, "scale": scale}
