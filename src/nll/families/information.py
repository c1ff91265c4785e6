"""Parts of entropies and divergences that several families share, as functions of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.families.values import mapped
from nll.numerics.deviance import deviance
from nll.numerics.special import lgamma, log_minus_digamma, stirling_error

Array = npt.NDArray[Any]

HALF_LOG_2PI = 0.9189385332046728
SUMMED = 2048  # so many masses are added one by one
EXACT = 1024  # of a long sum, before an integral continues it
NEGLIGIBLE = 60.0  # the loss of a mass below 1e-26
STEPS = 4.0  # a standard deviation, of a sum that leaves numbers out
EULER_GAMMA = 0.5772156649015329


def excess(x: Any) -> Any:
    """Return x - 1 - log(x) >= 0, without cancellation near 1."""
    return mapped(deviance, 1.0, x)


def times(weight: Any, x: Any) -> Any:
    """Return weight x, and 0 where the weight is 0."""
    weight, x = np.broadcast_arrays(weight, x)
    return np.where(weight == 0.0, 0.0, weight * np.where(weight == 0.0, 0.0, x))


def lgamma_excess(a: Any, b: Any) -> Any:
    """Return lgamma(b) - lgamma(a) - (b - a) digamma(a) - [b log(b / a) + a - b], what a deviance leaves of it.

    By Stirling's formula with its remainders, so that large arguments do not cancel. Source: DLMF 5.11.1, 5.11.2.
    """
    errors = mapped(stirling_error, b) - mapped(stirling_error, a)
    return errors - 0.5 * np.log(b / a) + (b - a) * mapped(log_minus_digamma, a)


def gamma_divergence(a: Any, rate: Any, other_a: Any, other_rate: Any) -> Any:
    """Return the divergence of two Gamma distributions; that of their reciprocals and logarithms too."""
    return mapped(deviance, other_a, a * (other_rate / rate)) + lgamma_excess(a, other_a)


def normal_divergence(loc: Any, scale: Any, other_loc: Any, other_scale: Any) -> Any:
    """Return the divergence of two Normal distributions.

    Source: T. M. Cover and J. A. Thomas, Elements of Information Theory, 2nd edition (2006), from equation (8.46).
    """
    z = (loc - other_loc) / other_scale
    return 0.5 * (excess((scale / other_scale) ** 2) + z * z)


def gumbel_divergence(shift: Any, ratio: Any) -> Any:
    """Return the divergence of two Gumbel distributions; shift = (m - m') / s', ratio = s / s'.

    log(s' / s) + g (ratio - 1) + shift + e**-shift gamma(1 + ratio) - 1, with Euler's g: E e**(-t Z) = gamma(1 + t).
    """
    power = mapped(lgamma, 1.0 + ratio) - shift
    return EULER_GAMMA * (ratio - 1.0) - np.log(ratio) + shift + np.expm1(power)


def share_divergence(shares: Any, other: Any) -> Any:
    """Return the divergence of two events, each given as (p, q, log p, log q)."""
    p, q, log_p, log_q = shares
    first, second = times(p, log_p - other[2]), times(q, log_q - other[3])
    return np.maximum(first + second, 0.0)


def logit_shares(logits: Any) -> tuple[Any, Any, Any, Any]:
    """Return p, q, log p, log q of log-odds."""
    log_p, log_q = -np.logaddexp(0.0, -logits), -np.logaddexp(0.0, logits)
    return np.exp(log_p), np.exp(log_q), log_p, log_q


def scaled_integral(x: Any) -> Any:
    """Return e**x E1(x) for x > 0, to 1e-14: a series below 1, a continued fraction above.

    Source: DLMF 6.6.2 and 6.9.1, in its even part: 1 / (x + 1 - 1 / (x + 3 - 4 / (x + 5 - ...))).
    """
    x = np.asarray(x, np.float64)
    small = np.minimum(x, 1.0)
    total, term = -EULER_GAMMA - np.log(small), np.ones_like(small)
    for n in range(1, 25):
        term = term * (-small / n)
        total = total - term / n
    large, below = np.maximum(x, 1.0), np.zeros_like(x)
    for n in range(120, 0, -1):
        below = n * n / (large + (2.0 * n + 1.0) - below)
    return np.where(x < 1.0, np.exp(small) * total, 1.0 / (large + 1.0 - below))


def counted_entropy(
    loss: Callable[..., float], theta: tuple[Any, ...], mean: Any, variance: Any, low: float, high: Any, bell: Any
) -> Array:
    """Return the sums of p log(1 / p) over whole numbers, within 1e-12 of themselves.

    Few masses are added one by one, as far as they are above e**-60. Of many, a `bell` needs only some, a quarter of a
    standard deviation apart: the error is that of the trapezoidal rule, the characteristic function at 8 pi / sd.
    Other masses fall slowly from 0: an integral with the first correction of Euler and Maclaurin continues their sum.

    Source: DLMF 2.10.1 and, on the trapezoidal rule, L. N. Trefethen and J. A. C. Weideman, The Exponentially
    Convergent Trapezoidal Rule, SIAM Review 56 (2014), theorem 5.1.
    """
    rows = np.broadcast(*theta, mean, variance, high, bell)
    values = [
        _counted(loss, row[:-4], float(row[-4]), float(row[-3]), low, float(row[-2]), bool(row[-1])) for row in rows
    ]
    return np.array(values).reshape(rows.shape)


def _counted(
    loss: Callable[..., float],
    theta: tuple[Any, ...],
    mean: float,
    variance: float,
    low: float,
    high: float,
    bell: bool,
) -> float:
    if not (np.isfinite(mean) and np.isfinite(variance)):
        return np.nan

    def terms(y: Array) -> Array:
        lost = np.asarray(mapped(loss, y, *theta))
        mass = np.exp(-lost)
        return np.where(mass > 0.0, mass * np.where(mass > 0.0, lost, 0.0), 0.0)

    def reach(sign: float, end: float) -> float:
        distance = 8.0 * deviation + 40.0
        while distance < 1e300:
            y = np.clip(np.floor(mean) + sign * np.floor(distance), low, high)
            if y == end or mapped(loss, y, *theta) > NEGLIGIBLE:
                return float(y)
            distance *= 1.5
        return end

    deviation = variance**0.5
    first, last = reach(-1.0, low), reach(1.0, high)
    if last - first < SUMMED:
        return float(terms(np.arange(first, last + 1.0)).sum())
    if bell:
        step = max(np.floor(deviation / STEPS), 1.0)
        return float(step * terms(np.arange(first, last + 1.0, step)).sum())
    return _continued(terms, low, last)


def _continued(terms: Callable[[Array], Array], low: float, last: float) -> float:
    """Return the sum from `low` on: EXACT terms, then the integral in log y of what is smooth there."""
    start = low + EXACT
    head = terms(np.arange(low, start))
    ends = np.linspace(np.log(start - 0.5), np.log(last), max(2, int(2.0 * np.log(last / start)) + 2))
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(ends)[:, None]
    u = ends[:-1, None] + half * (1.0 + nodes)
    y = np.exp(u)
    tail = (half * weights * y * terms(y.reshape(-1)).reshape(y.shape)).sum()
    slope = terms(np.array([start]))[0] - head[-1]
    return float(head.sum() + (tail + slope / 24.0))
