"""The Kumaraswamy distribution: proportions like the Beta's, with closed tails."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real, UnitInterval
from nll.families.family import Family, Moments
from nll.families.normal import log_parts
from nll.families.pareto import times
from nll.families.values import mapped
from nll.families.weibull import EULER_GAMMA
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, expm1, log, log_pair
from nll.numerics.formula import formula
from nll.numerics.pairs import two_product, two_sum
from nll.numerics.special import digamma, lgamma
from nll.numerics.tails import log_one_minus_exp


@formula
def lows(y, a):
    """Return l = -log(y) as a pair, x = a l, and log(1 - y**a) = log(1 - e**-x); at y = 0 and y = 1 those of 1/2."""
    log_y, low = log_pair(y if (y > 0.0) & (y < 1.0) else 0.5)
    x, x_low = times(a, -log_y, -low)
    tiny = log(a) + log(-log_y)  # x itself may underflow
    return -log_y, -low, x, (tiny if x < 2.0**-60 else log_one_minus_exp(x, x_low))


class Kumaraswamy(Family):
    """Kumaraswamy(concentration1 a, concentration0 b) on 0 < y < 1.

    The loss of a row, in nats:

        loss = -(a - 1) log(y) - (b - 1) log(1 - y**a) - log(a b)

    Mean b B(1 + 1/a, b) with the beta function B; P(Y > y) = (1 - y**a)**b.

    At y = 0 the density is b for a = 1, and 0 for a > 1; at y = 1 likewise. For a < 1 it is unbounded at 0: y = 0
    then counts as impossible, because a loss of -inf would be the best of all scores for a rounded observation.

    Parameters
    ----------
    concentration1 : a > 0, no unit.
    concentration0 : b > 0, no unit.

    Source: M. C. Jones, Kumaraswamy's distribution: A beta-type distribution with some tractability advantages,
    Statistical Methodology 6 (2009), section 2.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.3, nll.Kumaraswamy(concentration1=1.0, concentration0=1.0)).sum
    0.0
    """

    concentration1: Positive
    concentration0: Positive
    observations = Real
    support = UnitInterval

    def inside(y, concentration1, concentration0):
        ends = ((y == 0.0) & (concentration1 == 1.0)) | ((y == 1.0) & (concentration0 == 1.0))
        return ((y > 0.0) & (y < 1.0)) | ends

    def loss(y, concentration1, concentration0):
        log_y, low, _, rest = lows(y, concentration1)
        less_a, lost_a = two_sum(concentration1, -1.0)
        less_b, lost_b = two_sum(concentration0, -1.0)
        # at y = 0 one of the terms is 0 log(0); the other is log(1)
        log_y, low = (log_y, low) if (y > 0.0) & (y < 1.0) else (0.0, 0.0)
        rest = rest if (y > 0.0) & (y < 1.0) else 0.0
        s, s_low = two_product(less_a, log_y)
        f, f_low = two_product(less_b, -rest)
        s_low, f_low = fma(less_a, low, fma(lost_a, log_y, s_low)), fma(-lost_b, rest, f_low)
        p, p_low = log_parts(concentration1)
        q, q_low = log_parts(concentration0)
        scale, scale_error = two_sum(p, q)
        both, lost = two_sum(s, f)
        total, error = two_sum(both, -scale)
        return total + (error + lost + (s_low + f_low - (scale_error + p_low + q_low))) if abs(total) < INF else total

    def gradient(y, concentration1, concentration0):
        log_y, _, x, rest = lows(y, concentration1)
        odds = log_y / expm1(x)
        return log_y - (concentration0 - 1.0) * odds - 1.0 / concentration1, -rest - 1.0 / concentration0

    def hessian(y, concentration1, concentration0):
        log_y, _, x, _ = lows(y, concentration1)
        odds = log_y / expm1(x)
        a, b = 1.0 / concentration1, 1.0 / concentration0
        return fma(concentration0 - 1.0, odds * (log_y / -expm1(-x)), a * a), -odds, b * b

    def flow(y, concentration1, concentration0):
        log_y, _, x, rest = lows(y, concentration1)
        odds = expm1(x) * rest / concentration0  # (1 - y**a) log(1 - y**a) / (b y**a)
        return y * log_y / concentration1, y * odds / concentration1

    def flow_gradient(y, concentration1, concentration0):
        log_y, _, x, rest = lows(y, concentration1)
        odds = expm1(x) * rest / concentration0
        a = 1.0 / concentration1
        return -y * log_y * a * a, 0.0, -y * odds * a / concentration0

    def log_cdf(y, concentration1, concentration0):
        _, _, x, rest = lows(y, concentration1)
        t, t_low = two_product(concentration0, -rest)
        tiny = log(concentration0) + (log(-rest) if x < 700.0 else -x)  # t itself may underflow
        inner = tiny if t < 2.0**-60 else log_one_minus_exp(t, t_low)
        return inner if y > 0.0 else -INF

    def log_sf(y, concentration1, concentration0):
        _, _, _, rest = lows(y, concentration1)
        return concentration0 * rest if y > 0.0 else 0.0

    def quantile(log_p, log_q, concentration1, concentration0):
        t = -log_q / concentration0
        few = log_p < -600.0  # then log q keeps nothing
        log_u = log_p - log(concentration0) if few else log_one_minus_exp(t, 0.0)
        return exp(log_u / concentration1)

    def mean(concentration1: Any, concentration0: Any) -> Any:
        return np.exp(_log_raw(1.0, concentration1, concentration0))

    def variance(concentration1: Any, concentration0: Any) -> Any:
        first = _log_raw(1.0, concentration1, concentration0)
        return np.exp(2.0 * first) * np.expm1(_log_raw(2.0, concentration1, concentration0) - 2.0 * first)

    def entropy(concentration1: Any, concentration0: Any) -> Any:
        a, b = concentration1, concentration0
        harmonic = mapped(digamma, b + 1.0) + EULER_GAMMA
        return (1.0 - 1.0 / b) + (1.0 - 1.0 / a) * harmonic - np.log(a) - np.log(b)

    def start(moments: Moments) -> tuple[float, float]:
        # by the moments of the Beta, which it resembles
        total = max(moments.mean * (1.0 - moments.mean) / moments.variance - 1.0, 0.01)
        return moments.mean * total, (1.0 - moments.mean) * total


def _log_raw(n: float, a: Any, b: Any) -> Any:
    """Return log E[y**n] = log(b B(1 + n / a, b))."""
    return mapped(lgamma, 1.0 + n / a) + mapped(lgamma, b + 1.0) - mapped(lgamma, 1.0 + n / a + b)
