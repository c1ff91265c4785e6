"""Log densities as textbooks write them, in mpmath: what the formulas of nll are held to, and share nothing with.

One function a family, named as it is, of (y, *, parameters of any form); -inf off the support.

Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions (1994, 1995); N. L. Johnson,
A. W. Kemp and S. Kotz, Univariate Discrete Distributions (2005).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import exp, inf, isint, log, loggamma, mpf, pi, sqrt

Number = Any


def times_log(factor: Number, x: Number) -> Number:
    """factor log(x), with 0 log(0) = 0."""
    return mpf(0) if factor == 0 else -inf * factor if x == 0 else factor * log(x)


def chances(probs: Number, logits: Number) -> tuple[Number, Number]:
    """The probabilities of success and failure, each without cancellation."""
    return (probs, 1 - probs) if logits is None else (1 / (1 + exp(-logits)), 1 / (1 + exp(logits)))


def bernoulli(y: Number, *, probs: Number = None, logits: Number = None) -> Number:
    p, q = chances(probs, logits)
    return times_log(y, p) + times_log(1 - y, q) if y in (0, 1) else -inf


def whole(y: Number) -> bool:
    return isint(y) and y >= 0


def log_choose(n: Number, k: Number) -> Number:
    return loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1)


def binomial(y: Number, *, total_count: Number, probs: Number = None, logits: Number = None) -> Number:
    p, q = chances(probs, logits)
    if not whole(y) or y - total_count >= 0.5:  # the count is moved to differentiate
        return -inf
    return log_choose(total_count, y) + times_log(y, p) + times_log(total_count - y, q)


def poisson(y: Number, *, rate: Number) -> Number:
    return times_log(y, rate) - rate - loggamma(y + 1) if whole(y) else -inf


def negativebinomial(
    y: Number,
    *,
    mean: Number = None,
    dispersion: Number = None,
    size: Number = None,
    total_count: Number = None,
    probs: Number = None,
    logits: Number = None,
) -> Number:
    """Failures before the r-th success of probability r / (r + mean); torch's `probs` is that of y's trials."""
    if not whole(y):
        return -inf
    if mean is None:
        r = total_count
        failure, success = chances(probs, logits)
    else:
        if dispersion == 0:
            return poisson(y, rate=mean)
        r = size if size is not None else 1 / dispersion
        success, failure = r / (r + mean), mean / (r + mean)
    if r == 0:
        return mpf(0) if y == 0 else -inf
    return loggamma(r + y) - loggamma(r) - loggamma(y + 1) + times_log(r, success) + times_log(y, failure)


def geometric(y: Number, *, probs: Number = None, logits: Number = None) -> Number:
    p, q = chances(probs, logits)
    return times_log(y, q) + times_log(1, p) if whole(y) else -inf


def normal(y: Number, *, loc: Number, scale: Number) -> Number:
    return -(((y - loc) / scale) ** 2) / 2 - log(scale * sqrt(2 * pi))


def lognormal(y: Number, *, loc: Number, scale: Number) -> Number:
    return normal(log(y), loc=loc, scale=scale) - log(y) if y > 0 else -inf


def laplace(y: Number, *, loc: Number, scale: Number) -> Number:
    return -abs(y - loc) / scale - log(2 * scale)


def logistic(y: Number, *, loc: Number, scale: Number) -> Number:
    z = (y - loc) / scale
    return -z - log(scale) - 2 * log(1 + exp(-z))


def studentt(y: Number, *, df: Number, loc: Number, scale: Number) -> Number:
    z = (y - loc) / scale
    return loggamma((df + 1) / 2) - loggamma(df / 2) - log(sqrt(df * pi) * scale) - (df + 1) / 2 * log(1 + z * z / df)


def exponential(y: Number, *, rate: Number) -> Number:
    return log(rate) - rate * y if y >= 0 else -inf


def gamma_(y: Number, *, concentration: Number, rate: Number) -> Number:
    if y < 0 or (y == 0 and concentration != 1):
        return -inf
    return concentration * log(rate) + times_log(concentration - 1, y) - rate * y - loggamma(concentration)


def weibull(y: Number, *, scale: Number, concentration: Number) -> Number:
    if y < 0 or (y == 0 and concentration != 1):
        return -inf
    z = y / scale
    return log(concentration / scale) + times_log(concentration - 1, z) - z**concentration


def beta_(y: Number, *, concentration1: Number, concentration0: Number) -> Number:
    a, b = concentration1, concentration0
    if not 0 <= y <= 1 or (y == 0 and a != 1) or (y == 1 and b != 1):
        return -inf
    return times_log(a - 1, y) + times_log(b - 1, 1 - y) + loggamma(a + b) - loggamma(a) - loggamma(b)


DENSITIES: dict[str, Callable[..., Number]] = {
    "Bernoulli": bernoulli,
    "Beta": beta_,
    "Binomial": binomial,
    "Exponential": exponential,
    "Gamma": gamma_,
    "Geometric": geometric,
    "Laplace": laplace,
    "LogNormal": lognormal,
    "Logistic": logistic,
    "NegativeBinomial": negativebinomial,
    "Normal": normal,
    "Poisson": poisson,
    "StudentT": studentt,
    "Weibull": weibull,
}
