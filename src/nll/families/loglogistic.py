"""The log-logistic distribution: times whose hazard rises and falls again, with a tail that falls as a power."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import NonNegative, Positive
from nll.families.family import Family, Moments
from nll.families.normal import log_parts
from nll.families.pareto import log_quotient, times
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, _softplus_parts, exp, expm1
from nll.numerics.formula import formula
from nll.numerics.pairs import two_product, two_sum

SPREAD = 0.5513288954217921  # sqrt(3) / pi, the scale over the standard deviation of log y


@formula
def scaled_log(y, scale, shape):
    """Return r = log(y / scale) and t = shape r, as pairs; 0 for y = 0."""
    r, r_low = log_quotient(y if y > 0.0 else scale, 0.0, scale)
    t, t_low = times(shape, r, r_low)
    return r, r_low, t, t_low


@formula
def soft(t, t_low):
    """Return log(1 + e**(t + t_low)), its error relative however far out."""
    down = t <= 0.0
    away = -abs(t)
    high, low = _softplus_parts(
        away if away > -746.0 else -746.0, (t_low if down else -t_low) if away > -746.0 else 0.0
    )
    total, lost = two_sum(0.0 if down else t, high)
    return total + (lost + (low + (0.0 if down else t_low))) if total < INF else total


@formula
def share_and_bend(t):
    """Return h = tanh(t / 2) and w = (1 - h**2) / 2."""
    e, m = exp(-abs(t)), expm1(-abs(t))
    h = -m / (2.0 + m)
    return (h if t > 0.0 else -h), 2.0 * e / ((1.0 + e) * (1.0 + e))


class LogLogistic(Family):
    """LogLogistic(scale s, shape k) on y > 0: log y is Logistic(log s, 1 / k).

    The loss of a row, in nats, with r = log(y / s):

        loss = (1 - k) r + 2 log(1 + e**(k r)) + log(s / k)

    Median s, mean s (pi / k) / sin(pi / k) for k > 1. At y = 0 the density is 1 / s for k = 1, and 0 for k > 1.
    For k < 1 it is unbounded there: y = 0 then counts as impossible, because a loss of -inf would be the best of
    all scores for a time that was rounded to zero.

    Parameters
    ----------
    scale : s > 0, in the unit of y.
    shape : k > 0, no unit.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 2, 2nd edition
    (1995), chapter 23.

    Examples
    --------
    >>> import nll
    >>> nll.score(1.0, nll.LogLogistic(scale=1.0, shape=1.0)).sum
    1.3862943611198906
    """

    scale: Positive
    shape: Positive
    support = NonNegative

    def inside(y, scale, shape):
        return (y > 0.0) | ((y == 0.0) & (shape == 1.0))

    def loss(y, scale, shape):
        r, r_low, t, t_low = scaled_log(y, scale, shape)
        # 2 log(1 + e**t) is 2 t and the same of -t; a sum of large numbers that cancel is not formed
        down = t <= 0.0
        slope, lost = two_sum(1.0, -shape if down else shape)
        lean, lean_low = two_product(slope, r)
        lean_low = fma(slope, r_low, fma(lost, r, lean_low))
        away = -abs(t)
        near = away > -746.0
        high, low = _softplus_parts(away if near else -746.0, (t_low if down else -t_low) if near else 0.0)
        high = high if y > 0.0 else 0.0
        low = low if y > 0.0 else 0.0
        a, a_low = log_parts(scale)
        b, b_low = log_parts(shape)
        unit, unit_error = two_sum(a, -b)
        both, both_error = two_sum(lean, 2.0 * high)
        total, error = two_sum(both, unit)
        rest = error + (both_error + unit_error + fma(2.0, low, lean_low) + (a_low - b_low))
        return total + rest if total < INF else total

    def gradient(y, scale, shape):
        r, _, t, _ = scaled_log(y, scale, shape)
        h, _ = share_and_bend(t)
        return -shape * h / scale, fma(r, h, -1.0 / shape)

    def hessian(y, scale, shape):
        r, _, t, _ = scaled_log(y, scale, shape)
        h, w = share_and_bend(t)
        scaled = shape / scale
        return scaled / scale * fma(shape, w, h), -fma(t, w, h) / scale, fma(r * r, w, 1.0 / shape / shape)

    def flow(y, scale, shape):
        return y / scale, -y * scaled_log(y, scale, shape)[0] / shape

    def flow_gradient(y, scale, shape):
        return -y / scale / scale, 0.0, y * scaled_log(y, scale, shape)[0] / shape / shape

    def log_cdf(y, scale, shape):
        _, _, t, t_low = scaled_log(y, scale, shape)
        return -soft(-t, -t_low) if y > 0.0 else -INF

    def log_sf(y, scale, shape):
        _, _, t, t_low = scaled_log(y, scale, shape)
        return -soft(t, t_low) if y > 0.0 else 0.0

    def quantile(log_p, log_q, scale, shape):
        root = exp(0.5 * (log_p - log_q) / shape)  # its square may overflow where y does not
        return scale * root * root

    def mean(scale: Any, shape: Any) -> Any:
        return np.where(shape > 1.0, scale / np.sinc(1.0 / shape), np.inf)

    def variance(scale: Any, shape: Any) -> Any:
        first, second = 1.0 / np.sinc(1.0 / shape), 1.0 / np.sinc(2.0 / shape)
        return np.where(shape > 2.0, scale**2 * (second - first**2), np.inf)

    def entropy(scale: Any, shape: Any) -> Any:
        return np.log(scale) - np.log(shape) + 2.0

    def scipy(scale: Any, shape: Any) -> tuple[str, dict[str, Any]]:
        return "fisk", {"c": shape, "scale": scale}

    def start(moments: Moments) -> tuple[float, float]:
        return math.exp(moments.log_mean), 1.0 / (SPREAD * math.sqrt(moments.log_variance))
