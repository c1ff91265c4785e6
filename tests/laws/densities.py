"""Log densities as textbooks write them, in mpmath: what the formulas of nll are held to, and share nothing with.

One function a family, named as it is, of (y, *, parameters of any form); -inf off the support.

Source: N. L. Johnson, S. Kotz and N. Balakrishnan, Continuous Univariate Distributions (1994, 1995); N. L. Johnson,
A. W. Kemp and S. Kotz, Univariate Discrete Distributions (2005).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import besseli, cos, exp, expm1, inf, isint, log, log1p, loggamma, mpf, ncdf, pi, sqrt

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


def inversegaussian(y: Number, *, mean: Number, shape: Number) -> Number:
    return (log(shape / (2 * pi * y**3)) - shape * (y / mean - 1) ** 2 / y) / 2 if y > 0 else -inf


def logseries(y: Number, *, probs: Number) -> Number:
    return y * log(probs) - log(y) - log(-log(1 - probs)) if whole(y) and y > 0 else -inf


def betabinomial(y: Number, *, total_count: Number, concentration1: Number, concentration0: Number) -> Number:
    n, a, b = total_count, concentration1, concentration0
    if not whole(y) or y - n >= 0.5:  # the count is moved to differentiate
        return -inf
    return log_choose(n, y) + log_beta(y + a, n - y + b) - log_beta(a, b)


def log_beta(a: Number, b: Number) -> Number:
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def skewnormal(y: Number, *, loc: Number, scale: Number, shape: Number) -> Number:
    z = (y - loc) / scale
    return log(2) + log_ncdf(shape * z) + normal(y, loc=loc, scale=scale)


def log_ncdf(x: Number) -> Number:
    """log Phi(x), by DLMF 7.12.1 where the exponents of its value are too long for mpmath."""
    if abs(x) < 1e6:
        return log(ncdf(x))
    if x > 0:
        return mpf(0)
    series = 1 - 1 / x**2 + 3 / x**4 - 15 / x**6
    return -x * x / 2 - log(-x * sqrt(2 * pi)) + log(series)


def vonmises(y: Number, *, loc: Number, concentration: Number) -> Number:
    return concentration * cos(y - loc) - log(2 * pi * besseli(0, concentration))


def cauchy(y: Number, *, loc: Number, scale: Number) -> Number:
    return -log(pi * scale * (1 + ((y - loc) / scale) ** 2))


def halfcauchy(y: Number, *, scale: Number) -> Number:
    return log(2) + cauchy(y, loc=mpf(0), scale=scale) if y >= 0 else -inf


def halfnormal(y: Number, *, scale: Number) -> Number:
    return log(2) + normal(y, loc=mpf(0), scale=scale) if y >= 0 else -inf


def gumbel(y: Number, *, loc: Number, scale: Number) -> Number:
    z = (y - loc) / scale
    return -z - exp(-z) - log(scale)


def gumbelmin(y: Number, *, loc: Number, scale: Number) -> Number:
    return gumbel(-y, loc=-loc, scale=scale)


def stretched(y: Number, loc: Number, scale: Number, shape: Number) -> tuple[Number, Number]:
    """log(1 + shape z), and its quotient by shape: log1p keeps a shape of 1e-300."""
    z = (y - loc) / scale
    u = shape * z
    logarithm = log1p(u) if u > -1 else -inf
    return logarithm, z if shape == 0 else logarithm / shape


def gev(y: Number, *, loc: Number, scale: Number, shape: Number) -> Number:
    logarithm, h = stretched(y, loc, scale, shape)
    if logarithm == -inf:
        return -log(scale) if shape == -1 and y == loc + scale else -inf
    return -logarithm - h - exp(-h) - log(scale)


def generalizedpareto(y: Number, *, scale: Number, shape: Number, loc: Number = 0) -> Number:
    logarithm, h = stretched(y, loc, scale, shape)
    if y < loc or logarithm == -inf:
        return -log(scale) if shape == -1 and y == loc + scale else -inf
    return -logarithm - h - log(scale)


def generalizednormal(y: Number, *, loc: Number, scale: Number, shape: Number) -> Number:
    return log(shape / (2 * scale)) - loggamma(1 / shape) - abs((y - loc) / scale) ** shape


def pareto(y: Number, *, scale: Number, alpha: Number) -> Number:
    return log(alpha / y) + alpha * log(scale / y) if y >= scale else -inf


def inversegamma(y: Number, *, concentration: Number, rate: Number) -> Number:
    a = concentration
    return a * log(rate / y) - log(y) - rate / y - loggamma(a) if y > 0 else -inf


def loglogistic(y: Number, *, scale: Number, shape: Number) -> Number:
    if y < 0 or (y == 0 and shape != 1):
        return -inf
    z = y / scale
    return log(shape / scale) + times_log(shape - 1, z) - 2 * log1p(z**shape)


def rayleigh(y: Number, *, scale: Number) -> Number:
    return log(y / scale / scale) - (y / scale) ** 2 / 2 if y > 0 else -inf


def kumaraswamy(y: Number, *, concentration1: Number, concentration0: Number) -> Number:
    a, b = concentration1, concentration0
    if not 0 <= y <= 1 or (y == 0 and a != 1) or (y == 1 and b != 1):
        return -inf
    rest = -expm1(a * log(y)) if y > 0 else mpf(1)
    return log(a * b) + times_log(a - 1, y) + times_log(b - 1, rest)


def uniform(y: Number, *, low: Number, high: Number) -> Number:
    return -log(high - low) if low <= y <= high and low < high else -inf


DENSITIES: dict[str, Callable[..., Number]] = {
    "Bernoulli": bernoulli,
    "Beta": beta_,
    "BetaBinomial": betabinomial,
    "Binomial": binomial,
    "Cauchy": cauchy,
    "Exponential": exponential,
    "GEV": gev,
    "Gamma": gamma_,
    "GeneralizedNormal": generalizednormal,
    "GeneralizedPareto": generalizedpareto,
    "Geometric": geometric,
    "Gumbel": gumbel,
    "GumbelMin": gumbelmin,
    "HalfCauchy": halfcauchy,
    "HalfNormal": halfnormal,
    "InverseGamma": inversegamma,
    "InverseGaussian": inversegaussian,
    "Kumaraswamy": kumaraswamy,
    "Laplace": laplace,
    "LogLogistic": loglogistic,
    "LogNormal": lognormal,
    "LogSeries": logseries,
    "Logistic": logistic,
    "NegativeBinomial": negativebinomial,
    "Normal": normal,
    "Pareto": pareto,
    "Poisson": poisson,
    "Rayleigh": rayleigh,
    "SkewNormal": skewnormal,
    "StudentT": studentt,
    "Uniform": uniform,
    "VonMises": vonmises,
    "Weibull": weibull,
}
