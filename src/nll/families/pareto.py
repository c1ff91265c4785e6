"""The Pareto distribution: sizes above a threshold, with a tail that falls as a power."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import Positive
from nll.families.family import Family, Moments
from nll.families.information import excess
from nll.families.normal import log_parts
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, expm1, log, log_pair_of_sum
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum, two_product, two_sum
from nll.numerics.tails import log_one_minus_exp

MANY, FEW = 2.0**600, 2.0**-600
LOG_MANY, LOG_MANY_LOW = 831.7766166719343, 3.671034596315685e-14  # 1200 log 2


@formula
def log_quotient(y, y_low, scale):
    """Return log((y + y_low) / scale) as a pair, to 2**-64 of itself even near 1, for all positive numbers."""
    ratio = y / scale
    under, over = ratio < 1e-290, ratio > 1e290
    lift = 2.0**300 if y < 1e-200 else 1.0  # else the remainder of the division is lost
    up, down = (MANY if under else (FEW if over else lift)), (FEW if under else (MANY if over else lift))
    top, bottom = y * up, scale * down
    q = top / bottom
    q, rest = fast_two_sum(q, (fma(-q, bottom, top) + y_low * up) / bottom)
    a, a_low = log_pair_of_sum(q, rest)
    offset = LOG_MANY if over else (-LOG_MANY if under else 0.0)
    offset_low = LOG_MANY_LOW if over else (-LOG_MANY_LOW if under else 0.0)
    high, lost = fast_two_sum(offset, a)
    return fast_two_sum(high, lost + (a_low + offset_low))


@formula
def times(k, a, a_low):
    """Return k (a + a_low) as a pair; low is 0 where the product is not finite."""
    p, low = two_product(k, a)
    low = fma(k, a_low, low)
    return p, (low if abs(p) < INF else 0.0)


class Pareto(Family):
    """Pareto(scale s, alpha a) on y >= s.

    The loss of a row, in nats:

        loss = a log(y / s) + log(y / a)

    Mean a s / (a - 1) for a > 1, variance a s**2 / ((a - 1)**2 (a - 2)) for a > 2.

    Parameters
    ----------
    scale : s > 0, the smallest y, in the unit of y. The loss falls in s until it meets the smallest observation.
    alpha : a > 0, no unit: P(Y > y) falls as y**-a.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 20.

    Examples
    --------
    >>> import nll
    >>> nll.score(1.0, nll.Pareto(scale=1.0, alpha=1.0)).sum
    0.0
    """

    scale: Positive
    alpha: Positive
    support = Positive
    edges = {"scale": "minimum"}

    def inside(y, scale, alpha):
        return y >= scale

    def ends(scale, alpha):
        return scale, INF

    def loss(y, scale, alpha):
        ratio, ratio_low = log_quotient(y, 0.0, scale)
        t, low = times(alpha, ratio, ratio_low)
        a, a_low = log_parts(y)
        b, b_low = log_parts(alpha)
        unit, unit_error = two_sum(a, -b)
        total, error = two_sum(t, unit)
        return total + (error + (unit_error + low + (a_low - b_low))) if total < INF else total

    def gradient(y, scale, alpha):
        return -alpha / scale, log_quotient(y, 0.0, scale)[0] - 1.0 / alpha

    def hessian(y, scale, alpha):
        return alpha / scale / scale, -1.0 / scale, 1.0 / alpha / alpha

    def flow(y, scale, alpha):
        return y / scale, -y * log(y / scale) / alpha

    def flow_gradient(y, scale, alpha):
        return -y / scale / scale, 0.0, y * log(y / scale) / alpha / alpha

    def log_cdf(y, scale, alpha):
        ratio, ratio_low = log_quotient(y, 0.0, scale)
        t, low = times(alpha, ratio, ratio_low)
        tiny = log(alpha) + log(ratio)  # t itself may underflow
        return tiny if t < 2.0**-60 else log_one_minus_exp(t, low)

    def log_sf(y, scale, alpha):
        ratio, ratio_low = log_quotient(y, 0.0, scale)
        return -times(alpha, ratio, ratio_low)[0]

    def quantile(log_p, log_q, scale, alpha):
        t = -log_q / alpha
        root = exp(0.5 * t)  # its square may overflow where y does not
        return fma(scale, expm1(t), scale) if t < 0.5 else scale * root * root

    def mean(scale: Any, alpha: Any) -> Any:
        return np.where(alpha > 1.0, scale * (alpha / (alpha - 1.0)), np.inf)

    def variance(scale: Any, alpha: Any) -> Any:
        return np.where(alpha > 2.0, (scale / (alpha - 1.0)) ** 2 * (alpha / (alpha - 2.0)), np.inf)

    def entropy(scale: Any, alpha: Any) -> Any:
        return np.log(scale) - np.log(alpha) + 1.0 + 1.0 / alpha

    def scipy(scale: Any, alpha: Any) -> tuple[str, dict[str, Any]]:
        return "pareto", {"b": alpha, "scale": scale}

    def start(moments: Moments) -> tuple[float, float]:
        # log(y / s) is Exponential: mean and standard deviation 1 / a
        if moments.minimum > 0.0 and moments.log_mean > math.log(moments.minimum):  # the maximum of likelihood
            return moments.minimum, 1.0 / (moments.log_mean - math.log(moments.minimum))
        spread = math.sqrt(moments.log_variance)
        return math.exp(moments.log_mean - spread), 1.0 / spread

    def kl(theta: Any, other: Any) -> Any:
        (scale, alpha), (other_scale, other_alpha) = theta, other
        inside = scale >= other_scale
        level = np.log(np.where(inside, scale / other_scale, 1.0))
        return np.where(inside, excess(other_alpha / alpha) + other_alpha * level, np.inf)
