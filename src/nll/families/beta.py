"""The Beta distribution: proportions between 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real, UnitInterval
from nll.families.family import Family, Moments
from nll.families.information import lgamma_excess
from nll.families.values import mapped
from nll.numerics.beta_tails import log_beta_tails
from nll.numerics.bits import fma, sqrt
from nll.numerics.deviance import deviance
from nll.numerics.elementary import log
from nll.numerics.formula import formula
from nll.numerics.gamma_ratios import trigamma_difference
from nll.numerics.gamma_terms import FAR, lgamma_rest
from nll.numerics.pairs import two_sum
from nll.numerics.saddle import lifted, log_of_ratio, scaled_excess
from nll.numerics.special import HALF_LOG_TWO_PI, log_minus_digamma, stirling_error, trigamma

TWO_PI = 6.283185307179586
TINY = 2.0**-1022


@formula
def side(a: float, n: float, p: float, gap: float, mixed: bool) -> float:
    """Return the share of one concentration in the loss, without constants; gap = n p - a.

    The deviance from 8 on; below, (1 - a) log(p), or (1 - a) log(n p) + n p where the other one is at least 8.
    """
    high = a >= FAR
    raised, offset = lifted(p if p > 0.0 else 1.0)  # at p = 0, a = 1
    logarithm = log(raised * (n / a if high else (n if mixed else 1.0))) + offset
    low = fma(1.0 - a, logarithm, n * p if mixed else 0.0)
    return scaled_excess(a, gap, gap / a, logarithm) if high else low


@formula
def constants(a: float, b: float, n: float, y: float, q: float) -> float:
    """Return what of the loss does not depend on y, and log(y) for a >= 8, log(q) for b >= 8.

    The logarithms of both lgamma's and of their Stirling forms are one.
    """
    smaller, larger = (a if a < b else b), (b if a < b else a)
    low, high = larger < FAR, smaller >= FAR
    spread = n / larger
    unit = sqrt(TWO_PI * spread / smaller) if high else sqrt(spread) / n
    raised, offset = lifted(y)
    unit = unit * (raised if a >= FAR else 1.0) * (q if b >= FAR else 1.0)
    one_smaller, one_larger = (smaller if smaller < 1.0 else 1.0), (larger if larger < 1.0 else 1.0)
    unit = (n if n < 1.0 else 1.0) / one_larger if low else unit
    unit = unit / one_smaller
    stirling = fma(n - 0.5, log(n) - 1.0, HALF_LOG_TWO_PI - 0.5) if low & (n >= FAR) else 0.0
    rest = lgamma_rest(a) + (lgamma_rest(b) - lgamma_rest(n))
    return (rest - stirling) + (log(unit if unit > TINY else TINY) + (offset if a >= FAR else 0.0))


class Beta(Family):
    """Beta(concentration1 a, concentration0 b) on 0 < y < 1.

    The loss of a row, in nats:

        loss = lgamma(a) + lgamma(b) - lgamma(a + b) - (a - 1) log(y) - (b - 1) log(1 - y)

    For concentrations from 8 on, the large terms stand as deviances, a log(a / (n y)) + n y - a with n = a + b.

    Mean a / (a + b), variance a b / ((a + b)**2 (a + b + 1)).

    At y = 0 the density is b for a = 1, and 0 for a > 1; at y = 1 likewise. For a < 1 it is unbounded at 0: y = 0
    then counts as impossible, because a loss of -inf would be the best of all scores for a rounded observation.

    Parameters
    ----------
    concentration1 : a > 0, no unit.
    concentration0 : b > 0, no unit.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 2, 2nd edition
    (1995), chapter 25; the deviances after C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000).

    Examples
    --------
    >>> import nll
    >>> nll.score(0.3, nll.Beta(concentration1=1.0, concentration0=1.0)).sum
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
        a, b, q = concentration1, concentration0, 1.0 - y
        n, n_low = two_sum(a, b)
        gap = fma(n, y, -a) + n_low * y
        mixed = (a >= FAR) | (b >= FAR)
        return side(a, n, y, gap, mixed) + side(b, n, q, -gap, mixed) + constants(a, b, n, y, q)

    def gradient(y, concentration1, concentration0):
        a, b, q = concentration1, concentration0, 1.0 - y
        n, n_low = two_sum(a, b)
        gap = fma(n, y, -a) + n_low * y
        raised, offset = lifted(y)
        both = log_minus_digamma(n)
        first = log_of_ratio(gap / a, n / a * raised, offset)
        second = log_of_ratio(-gap / b, n / b * q, 0.0)
        return both - log_minus_digamma(a) - first, both - log_minus_digamma(b) - second

    def hessian(y, concentration1, concentration0):
        a, b = concentration1, concentration0
        return -trigamma_difference(a, b), -trigamma(a + b), -trigamma_difference(b, a)

    def log_cdf(y, concentration1, concentration0):
        a, b = concentration1, concentration0
        n, n_low = two_sum(a, b)
        return log_beta_tails(a, b, y, 1.0 - y, fma(n, y, -a) + n_low * y)[0]

    def log_sf(y, concentration1, concentration0):
        a, b = concentration1, concentration0
        n, n_low = two_sum(a, b)
        return log_beta_tails(a, b, y, 1.0 - y, fma(n, y, -a) + n_low * y)[1]

    def start(moments: Moments) -> tuple[float, float]:
        mean = moments.mean
        total = max(mean * (1.0 - mean) / moments.variance - 1.0, 0.01)
        return mean * total, (1.0 - mean) * total

    def sample(rng: np.random.Generator, size: Any, concentration1: Any, concentration0: Any) -> Any:
        return rng.beta(concentration1, concentration0, size)

    def mean(concentration1: Any, concentration0: Any) -> Any:
        return concentration1 / (concentration1 + concentration0)

    def variance(concentration1: Any, concentration0: Any) -> Any:
        n = concentration1 + concentration0
        return (concentration1 / n) * (concentration0 / n) / (n + 1.0)

    def entropy(concentration1: Any, concentration0: Any) -> Any:
        # lgamma and digamma by Stirling's formula and what it leaves, so that large concentrations do not cancel
        a, b = concentration1, concentration0
        n = a + b
        left = mapped(stirling_error, a) + mapped(stirling_error, b) - mapped(stirling_error, n)
        slope = mapped(log_minus_digamma, n)
        pull = (a - 1.0) * (mapped(log_minus_digamma, a) - slope) + (b - 1.0) * (mapped(log_minus_digamma, b) - slope)
        return HALF_LOG_TWO_PI + 0.5 * (np.log(a / n) + np.log(b / n) - np.log(n)) + (left + pull)

    def kl(theta: Any, other: Any) -> Any:
        (a, b), (c, d) = theta, other
        share = a / (a + b)
        level = mapped(deviance, c, (c + d) * share) + mapped(deviance, d, (c + d) * (1.0 - share))
        return level + (lgamma_excess(a, c) + lgamma_excess(b, d) - lgamma_excess(a + b, c + d))

    def scipy(concentration1: Any, concentration0: Any) -> tuple[str, dict[str, Any]]:
        return "beta", {"a": concentration1, "b": concentration0}
