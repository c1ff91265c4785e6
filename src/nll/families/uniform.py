"""The Uniform distribution: nothing is known but the ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Real
from nll.families.family import Family, Moments
from nll.families.normal import LARGE
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, exp, log1p, log_of_sum
from nll.numerics.formula import formula
from nll.numerics.pairs import two_sum

LN2 = 0.6931471805599453


@formula
def log_gap(low, high):
    """Return log(high - low); of the halves where the difference may overflow."""
    large = (abs(low) > LARGE) | (abs(high) > LARGE)
    factor = 0.5 if large else 1.0
    width, lost = two_sum(high * factor, -low * factor)
    return log_of_sum(width, lost) + (LN2 if large else 0.0)


@formula
def log_share(y, low, high):
    """Return log((y - low) / (high - low)), from the other share where that is the smaller one."""
    below, above = 0.5 * y - 0.5 * low, 0.5 * high - 0.5 * y
    far = log_gap(low, y) - log_gap(low, high)
    return far if below < above else log1p(-(above / (0.5 * high - 0.5 * low)))


class Uniform(Family):
    """Uniform(low a, high b) on a <= y <= b.

    The loss of a row, in nats:

        loss = log(b - a)

    Mean (a + b) / 2, variance (b - a)**2 / 12. Both ends are possible. The loss falls
    with the width until an end meets an observation, so a fit ends where the gradient is not 0.

    Parameters
    ----------
    low : a, in the unit of y.
    high : b > a, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 2, 2nd edition
    (1995), chapter 26.

    Examples
    --------
    >>> import nll
    >>> nll.score(0.5, nll.Uniform(low=0.0, high=1.0)).sum
    0.0
    """

    low: Real
    high: Real
    edges = {"low": "minimum", "high": "maximum"}
    together = "low must be below high"

    def inside(y, low, high):
        return (low <= y) & (y <= high) & (low < high)

    def ends(low, high):
        return low, high

    def consistent(low, high):
        return low < high

    def loss(y, low, high):
        return log_gap(low, high)

    def gradient(y, low, high):
        density = 1.0 / (high - low)
        return -density, density

    def hessian(y, low, high):
        density = 1.0 / (high - low)
        square = density * density
        return -square, square, -square

    def flow(y, low, high):
        width = high - low
        return (high - y) / width, (y - low) / width

    def flow_gradient(y, low, high):
        width = high - low
        return (high - y) / width / width, (y - low) / width / width, -(y - low) / width / width

    def log_cdf(y, low, high):
        return log_share(y, low, high) if y > low else -INF

    def log_sf(y, low, high):
        return log_share(-y, -high, -low) if y < high else -INF

    def quantile(log_p, log_q, low, high):
        width = high - low
        return fma(width, exp(log_p), low) if log_p < log_q else fma(-width, exp(log_q), high)

    def sample(rng: np.random.Generator, shape: tuple[int, ...], low: Any, high: Any) -> Any:
        return rng.uniform(low, high, shape)

    def mean(low: Any, high: Any) -> Any:
        return 0.5 * low + 0.5 * high

    def variance(low: Any, high: Any) -> Any:
        return (high - low) ** 2 / 12.0

    def entropy(low: Any, high: Any) -> Any:
        return np.log(high - low)

    def scipy(low: Any, high: Any) -> tuple[str, dict[str, Any]]:
        return "uniform", {"loc": low, "scale": high - low}

    def start(moments: Moments) -> tuple[float, float]:
        if moments.minimum < moments.maximum:  # the maximum of likelihood
            return moments.minimum, moments.maximum
        half = (3.0 * moments.variance) ** 0.5
        return moments.mean - half, moments.mean + half

    def kl(theta: Any, other: Any) -> Any:
        (low, high), (other_low, other_high) = theta, other
        inside = (other_low <= low) & (high <= other_high)
        return np.where(inside, np.log((other_high - other_low) / (high - low)), np.inf)
