"""The Poisson distribution: how often something happens that happens independently, at a steady rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Count, NonNegative, Whole
from nll.families.family import Family, Moments
from nll.families.information import counted_entropy
from nll.families.values import mapped
from nll.numerics.deviance import deviance
from nll.numerics.elementary import log
from nll.numerics.formula import formula
from nll.numerics.gamma_tails import log_gamma_tails
from nll.numerics.special import binet_quotient

TWO_PI = 6.283185307179586


@formula
def log_stirling(y: float) -> float:
    """Return log(y!) - (y log(y) - y) for a count y: log(2 pi y) / 2 + binet(y), 0 at 0."""
    count = y if y >= 1.0 else 1.0
    value = 0.5 * log(TWO_PI * count) + binet_quotient(count)
    return value if y >= 1.0 else 0.0


class Poisson(Family):
    """Poisson(rate m) on y = 0, 1, 2, ...

    The loss of a row, in nats:

        loss = m - y log(m) + log(y!)

    computed as y log(y / m) + m - y (the deviance) + log(2 pi y) / 2 + binet(y), no term of which is negative.

    Mean m, variance m.

    Parameters
    ----------
    rate : m >= 0, in events; at 0 only y = 0 is possible.

    Source: N. L. Johnson, A. W. Kemp and S. Kotz, Univariate Discrete Distributions, 3rd edition (2005), chapter 4;
    C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000).

    Examples
    --------
    >>> import nll
    >>> nll.score(0, nll.Poisson(rate=2.0)).sum
    2.0
    """

    rate: NonNegative
    observations = Whole
    support = Count

    def loss(y, rate):
        return deviance(y, rate) + log_stirling(y)

    def gradient(y, rate):
        return (1.0 if y == 0.0 else (rate - y) / rate,)

    def hessian(y, rate):
        return (0.0 if y == 0.0 else y / rate / rate,)

    def flow(y, rate):
        return (1.0,)

    def flow_gradient(y, rate):
        return (0.0,)

    def log_cdf(y, rate):
        return log_gamma_tails(y + 1.0, rate, rate - (y + 1.0), log(rate))[1]

    def log_sf(y, rate):
        return log_gamma_tails(y + 1.0, rate, rate - (y + 1.0), log(rate))[0]

    def start(moments: Moments) -> tuple[float]:
        return (moments.mean,)

    def sample(rng: np.random.Generator, size: Any, rate: Any) -> Any:
        return rng.poisson(rate, size)

    def mean(rate: Any) -> Any:
        return rate

    def variance(rate: Any) -> Any:
        return rate

    def entropy(rate: Any) -> Any:
        return counted_entropy(Poisson.loss, (rate,), rate, rate, 0.0, np.inf, True)

    def kl(theta: Any, other: Any) -> Any:
        return mapped(deviance, theta[0], other[0])

    def scipy(rate: Any) -> tuple[str, dict[str, Any]]:
        return "poisson", {"mu": rate}
