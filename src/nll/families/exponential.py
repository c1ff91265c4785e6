"""The Exponential distribution: waiting times without memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import NonNegative, Positive
from nll.families.family import Family, Moments
from nll.families.information import excess
from nll.families.normal import log_parts
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, log
from nll.numerics.pairs import two_product, two_sum
from nll.numerics.tails import log_one_minus_exp


class Exponential(Family):
    """Exponential(rate r) on y >= 0.

    The loss of a row, in nats:

        loss = r y - log(r)

    Mean 1 / r, variance 1 / r**2. The density at y = 0 is r: a wait of zero is possible.

    Parameters
    ----------
    rate : r > 0, in 1 / unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 19.

    Examples
    --------
    >>> import nll
    >>> nll.score(2.0, nll.Exponential(rate=1.0)).sum
    2.0
    """

    rate: Positive
    support = NonNegative

    def loss(y, rate):
        product, rest = two_product(rate, y)
        log_rate, low = log_parts(rate)
        total, error = two_sum(product, -log_rate)
        return total + (error + (rest - low)) if total < INF else total

    def gradient(y, rate):
        return (fma(rate, y, -1.0) / rate,)

    def hessian(y, rate):
        return (1.0 / rate / rate,)

    def flow(y, rate):
        return (-y / rate,)

    def flow_gradient(y, rate):
        return (y / rate / rate,)

    def log_cdf(y, rate):
        product, rest = two_product(rate, y)
        tiny = log(rate) + log(y)  # below 2**-60, log(1 - e**-x) is log(x), and the product may underflow
        return tiny if product < 2.0**-60 else log_one_minus_exp(product, rest)

    def log_sf(y, rate):
        return -(rate * y)

    def start(moments: Moments) -> tuple[float]:
        return (1.0 / moments.mean,)

    def quantile(log_p, log_q, rate):
        return -log_q / rate

    def sample(rng: np.random.Generator, shape: Any, rate: Any) -> Any:
        return rng.standard_exponential(shape) / rate

    def mean(rate: Any) -> Any:
        return 1.0 / rate

    def variance(rate: Any) -> Any:
        return 1.0 / rate / rate

    def entropy(rate: Any) -> Any:
        return 1.0 - np.log(rate)

    def kl(theta: Any, other: Any) -> Any:
        return excess(other[0] / theta[0])

    def scipy(rate: Any) -> tuple[str, dict[str, Any]]:
        return "expon", {"scale": 1.0 / rate}
