"""The Gamma distribution: positive amounts whose spread grows with their size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import NonNegative, Positive, Real
from nll.families.family import Family, Moments
from nll.families.information import gamma_divergence
from nll.families.values import mapped
from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import log
from nll.numerics.gamma_tails import log_gamma_tails
from nll.numerics.gamma_terms import FAR, lgamma_rest
from nll.numerics.saddle import lifted, lifted_product, log_of_ratio, scaled_excess
from nll.numerics.special import log_minus_digamma, stirling_error, trigamma

TWO_PI = 6.283185307179586
TINY, HUGE = 2.0**-1022, 2.0**1000


class Gamma(Family):
    """Gamma(concentration a, rate b) on y > 0.

    The loss of a row, in nats:

        loss = lgamma(a) - (a - 1) log(b y) + b y - log(b)

    and from a = 8 on, free of differences of large numbers,

        loss = a log(a / (b y)) + b y - a (the deviance) + log(2 pi / a) / 2 + binet(a) + log(y)

    Mean a / b, variance a / b**2.

    At y = 0 the density is b for a = 1, and 0 for a > 1. For a < 1 it is unbounded there: y = 0 then counts as
    impossible, because a loss of -inf would be the best of all scores for a rounded observation.

    Parameters
    ----------
    concentration : a > 0, no unit.
    rate : b > 0, in 1 / unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 17; the deviance after C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000).

    Examples
    --------
    >>> import nll
    >>> nll.score(2.0, nll.Gamma(concentration=1.0, rate=1.0)).sum
    2.0
    """

    concentration: Positive
    rate: Positive
    unflowed = ("concentration",)
    observations = Real
    support = NonNegative

    def inside(y, concentration, rate):
        return (y > 0.0) | ((y == 0.0) & (concentration == 1.0))

    def loss(y, concentration, rate):
        a, mean = concentration, rate * y
        high = a >= FAR
        product, offset = lifted_product(rate, y)
        inverse = 1.0 / a
        # a floor and a ceiling where the logarithm does not matter: at y = 0, and where rate * y is beyond all doubles
        product = product if product > TINY else TINY
        logarithm = log((product if product < HUGE else HUGE) * (inverse if high else 1.0)) + offset
        gap = fma(rate, y, -a)
        deviance = scaled_excess(a, gap, gap * inverse, logarithm)
        small, small_offset = lifted_product(rate, a if a < 1.0 else 1.0)
        raised, raised_offset = lifted(y)
        unit = sqrt(TWO_PI * inverse) * raised if high else small
        constant = log(unit if unit > TINY else TINY) + (raised_offset if high else small_offset)
        body = deviance + constant if high else fma(1.0 - a, logarithm, mean) - constant
        return body + lgamma_rest(a)

    def gradient(y, concentration, rate):
        gap = fma(rate, y, -concentration)
        product, offset = lifted_product(rate, y)
        relative = log_of_ratio(gap / concentration, product / concentration, offset)
        return -log_minus_digamma(concentration) - relative, gap / rate

    def hessian(y, concentration, rate):
        return trigamma(concentration), -1.0 / rate, concentration / rate / rate

    def flow(y, concentration, rate):
        return 0.0, -y / rate

    def flow_gradient(y, concentration, rate):
        return 0.0, 0.0, y / rate / rate

    def log_cdf(y, concentration, rate):
        product, offset = lifted_product(rate, y)
        return log_gamma_tails(concentration, rate * y, fma(rate, y, -concentration), log(product) + offset)[0]

    def log_sf(y, concentration, rate):
        product, offset = lifted_product(rate, y)
        return log_gamma_tails(concentration, rate * y, fma(rate, y, -concentration), log(product) + offset)[1]

    def start(moments: Moments) -> tuple[float, float]:
        rate = moments.mean / moments.variance
        gap = math.log(moments.mean) - moments.log_mean if moments.mean > 0.0 else math.nan
        if gap > 0.0:  # within 1.5 % of the maximum: T. P. Minka, Estimating a Gamma distribution (2002), equation (8)
            a = (3.0 - gap + math.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * gap)
            return a, a / moments.mean
        return moments.mean * rate, rate

    def sample(rng: np.random.Generator, size: Any, concentration: Any, rate: Any) -> Any:
        return rng.standard_gamma(concentration, size) / rate

    def mean(concentration: Any, rate: Any) -> Any:
        return concentration / rate

    def variance(concentration: Any, rate: Any) -> Any:
        return concentration / rate / rate

    def entropy(concentration: Any, rate: Any) -> Any:
        a = concentration
        left = mapped(stirling_error, a) + (a - 1.0) * mapped(log_minus_digamma, a)
        return 0.5 * np.log(TWO_PI * a) - np.log(rate) + left

    def kl(theta: Any, other: Any) -> Any:
        return gamma_divergence(*theta, *other)

    def scipy(concentration: Any, rate: Any) -> tuple[str, dict[str, Any]]:
        return "gamma", {"a": concentration, "scale": 1.0 / rate}
