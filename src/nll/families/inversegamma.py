"""The inverse Gamma distribution: positive amounts whose inverse is Gamma, as a variance of the Normal."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import Positive, Real
from nll.families.family import Family, Moments
from nll.families.information import gamma_divergence
from nll.families.normal import log_parts
from nll.families.values import mapped
from nll.families.weibull import log_ratio
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, log
from nll.numerics.formula import formula
from nll.numerics.gamma_tails import log_gamma_tails
from nll.numerics.gamma_terms import FAR, lgamma_rest
from nll.numerics.pairs import two_sum
from nll.numerics.saddle import log_of_ratio, scaled_excess
from nll.numerics.special import HALF_LOG_TWO_PI, digamma, lgamma, log_minus_digamma, trigamma


@formula
def inverse_gap(y, concentration, rate):
    """Return w = rate / y and w - concentration, with the digits that w has lost."""
    w = rate / y
    w_low = fma(-w, y, rate) / y
    gap = (w - concentration) + (w_low if abs(w_low) < w else 0.0)
    return w, gap


class InverseGamma(Family):
    """InverseGamma(concentration a, rate b) on y > 0: 1 / y is Gamma(a, b).

    The loss of a row, in nats:

        loss = lgamma(a) - a log(b / y) + b / y + log(y)

    and from a = 8 on, free of differences of large numbers,

        loss = a log(a y / b) + b / y - a (the deviance) + log(2 pi / a) / 2 + binet(a) + log(y)

    Mean b / (a - 1) for a > 1, variance b**2 / ((a - 1)**2 (a - 2)) for a > 2.

    Parameters
    ----------
    concentration : a > 0, no unit.
    rate : b > 0, in the unit of y.

    Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions, volume 1, 2nd edition
    (1994), chapter 17; the deviance after C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000).

    Examples
    --------
    >>> import nll
    >>> nll.score(1.0, nll.InverseGamma(concentration=1.0, rate=1.0)).sum
    1.0
    """

    concentration: Positive
    rate: Positive
    unflowed = ("concentration",)
    observations = Real
    support = Positive

    def loss(y, concentration, rate):
        a = concentration
        high = a >= FAR
        w, gap = inverse_gap(y, a, rate)
        ratio, ratio_low = log_ratio(rate, y)
        p, p_low = log_parts(y)
        q, q_low = log_parts(a if high | (a < 1.0) else 1.0)
        deviance = scaled_excess(a, gap, gap / a, (ratio - q) + (ratio_low - q_low))
        product = a * ratio
        body, lost = two_sum(w, -product)
        lost = lost - fma(a, ratio, -product) - a * ratio_low
        lost = lost if abs(body) < INF else 0.0
        constant, constant_low = two_sum(p, -0.5 * q if high else -q)
        constant_low = constant_low + (p_low - (0.5 * q_low if high else q_low))
        total, error = two_sum(deviance if high else body, constant)
        rest = lgamma_rest(a) + (HALF_LOG_TWO_PI if high else 0.0)
        low = error + (constant_low + (0.0 if high else lost))
        return total + (rest + low) if abs(total) < INF else total

    def gradient(y, concentration, rate):
        _, gap = inverse_gap(y, concentration, rate)
        relative = log_of_ratio(gap / concentration, 1.0, log_ratio(rate, y)[0] - log(concentration))
        return -log_minus_digamma(concentration) - relative, gap / rate

    def hessian(y, concentration, rate):
        return trigamma(concentration), -1.0 / rate, concentration / rate / rate

    def flow(y, concentration, rate):
        return 0.0, y / rate

    def flow_gradient(y, concentration, rate):
        return 0.0, 0.0, -y / rate / rate

    def log_cdf(y, concentration, rate):
        w, gap = inverse_gap(y, concentration, rate)
        return log_gamma_tails(concentration, w, gap, log_ratio(rate, y)[0])[1]

    def log_sf(y, concentration, rate):
        w, gap = inverse_gap(y, concentration, rate)
        return log_gamma_tails(concentration, w, gap, log_ratio(rate, y)[0])[0]

    def sample(rng: np.random.Generator, shape: tuple[int, ...], concentration: Any, rate: Any) -> Any:
        return rate / rng.standard_gamma(concentration, shape)

    def mean(concentration: Any, rate: Any) -> Any:
        return np.where(concentration > 1.0, rate / (concentration - 1.0), np.inf)

    def variance(concentration: Any, rate: Any) -> Any:
        return np.where(concentration > 2.0, (rate / (concentration - 1.0)) ** 2 / (concentration - 2.0), np.inf)

    def entropy(concentration: Any, rate: Any) -> Any:
        a = concentration
        return a + np.log(rate) + mapped(lgamma, a) - (1.0 + a) * mapped(digamma, a)

    def scipy(concentration: Any, rate: Any) -> tuple[str, dict[str, Any]]:
        return "invgamma", {"a": concentration, "scale": rate}

    def start(moments: Moments) -> tuple[float, float]:
        concentration = 2.0 + moments.mean**2 / moments.variance
        return concentration, moments.mean * (concentration - 1.0)

    def kl(theta: Any, other: Any) -> Any:
        return gamma_divergence(*theta, *other)  # of the reciprocals
