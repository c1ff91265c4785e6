"""The Normal distribution: sums of many small effects."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.information import normal_divergence
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, LN2_HIGH, LN2_LOW, _log_series, _split
from nll.numerics.formula import formula
from nll.numerics.normal_tails import log_ndtr_pair, ndtri_of_logs
from nll.numerics.pairs import two_product, two_sum

HALF_LOG_2PI = 0.9189385332046728
LARGE = 2.0**1000


@formula
def log_parts(x):
    """Return log(x) as high + low for 0 < x < inf, to 2**-55: `log` before its last addition, at the same cost."""
    _, k, f = _split(x)
    s = f / (2.0 + f)
    z = s * s
    high = fma(k, LN2_HIGH, f)
    lost = f + fma(k, LN2_HIGH, -high)
    return high, fma(-s, fma(-z, _log_series(z), f), fma(k, LN2_LOW, lost))


@formula
def standardised(y, loc, scale):
    """Return z + small = (y - loc) / scale to twice the precision of a double, z being the quotient rounded.

    The difference of two numbers near the largest is that of their halves, so that nothing overflows but z.
    """
    factor = 0.5 if (abs(y) > LARGE) | (abs(loc) > LARGE) else 1.0
    difference, error = two_sum(y * factor, -loc * factor)
    divisor = scale * factor
    z = difference / divisor
    small = (fma(-z, divisor, difference) + error) / divisor
    return z, (small if abs(small) < abs(z) else 0.0)  # not a number where z is infinite


class Normal(Family):
    """Normal(loc m, scale s) on the real line.

    The loss of a row, in nats, with z = (y - m) / s:

        loss = z**2 / 2 + log(s) + log(2 pi) / 2

    Mean m, variance s**2.

    Parameters
    ----------
    loc : m, in the unit of y.
    scale : s > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 13, equation (13.1).

    Examples
    --------
    >>> import nll
    >>> nll.score(0.0, nll.Normal(loc=0.0, scale=1.0)).sum
    0.9189385332046728
    """

    loc: Real
    scale: Positive
    observations = Real
    support = Real

    def loss(y, loc, scale):
        # Every rounding error is kept and added last: z**2 / 2 and log(s) may cancel.
        z, small = standardised(y, loc, scale)
        half_square, rest = two_product(0.5 * z, z)
        log_scale, low = log_parts(scale)
        constant, lost = two_sum(log_scale, HALF_LOG_2PI)
        total, error = two_sum(half_square, constant)
        return total + (error + (lost + low) + fma(z, small, rest)) if total < INF else total

    def gradient(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return -z / scale, (fma(-z, z, 1.0) - 2.0 * z * small) / scale

    def hessian(y, loc, scale):
        z = standardised(y, loc, scale)[0]
        precision = 1.0 / scale / scale
        return precision, 2.0 * z * precision, fma(3.0 * z, z, -1.0) * precision

    def flow(y, loc, scale):
        z = (y - loc) / scale
        return 1.0, z

    def flow_gradient(y, loc, scale):
        z = (y - loc) / scale
        return 0.0, 0.0, -z / scale

    def log_cdf(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return log_ndtr_pair(z, small)[0]

    def log_sf(y, loc, scale):
        z, small = standardised(y, loc, scale)
        return log_ndtr_pair(z, small)[1]

    def quantile(log_p, log_q, loc, scale):
        return fma(scale, ndtri_of_logs(log_p, log_q), loc)

    def start(moments: Moments) -> tuple[float, float]:
        return moments.mean, moments.variance**0.5

    def sample(rng: np.random.Generator, size: Any, loc: Any, scale: Any) -> Any:
        return rng.normal(loc, scale, size)

    def mean(loc: Any, scale: Any) -> Any:
        return loc + 0.0 * scale

    def variance(loc: Any, scale: Any) -> Any:
        return scale * scale + 0.0 * loc

    def entropy(loc: Any, scale: Any) -> Any:
        return np.log(scale) + (HALF_LOG_2PI + 0.5) + 0.0 * loc

    def kl(theta: Any, other: Any) -> Any:
        return normal_divergence(*theta, *other)

    def scipy(loc: Any, scale: Any) -> tuple[str, dict[str, Any]]:
        return "norm", {"loc": loc, "scale": scale}
