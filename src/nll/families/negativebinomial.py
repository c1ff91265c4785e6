"""The Negative Binomial distribution: counts that vary more than a Poisson's, and how often trials fail."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.errors import UsageError
from nll.families.constraints import Constraint, Count, NonNegative, Positive, Real, Whole
from nll.families.family import Family, Moments
from nll.families.information import counted_entropy, logit_shares
from nll.families.values import mapped
from nll.numerics.beta_tails import log_beta_start, log_beta_tails
from nll.numerics.bits import fma
from nll.numerics.deviance import deviance
from nll.numerics.elementary import log
from nll.numerics.formula import formula
from nll.numerics.gamma_ratios import trigamma_difference
from nll.numerics.gamma_tails import log_gamma_tails
from nll.numerics.gamma_terms import dispersion_term, log_minus_digamma_fall, log_minus_digamma_slope_fall
from nll.numerics.pairs import two_sum
from nll.numerics.saddle import excess_bend, lifted, log_of_ratio, scaled_excess, shares, squared_excess
from nll.numerics.special import binet_quotient, stirling_error
from nll.numerics.tails import log_one_minus_exp

TWO_PI = 6.283185307179586
DEEP = 700.0  # a logit below its negative is the logarithm of its probability
BELL = 24.0  # the size from which on the masses are those of a bell
ALIKE = 1e18  # the ratio of size to squared counts from which on the Poisson is the same


class BelowOne(Constraint):
    words = "in [0, 1)"
    link = "logit"

    def contains(x):
        return (x >= 0.0) & (x < 1.0)


@formula
def saddle(y: float, r: float, gap: float, w: float, growth: float, log_r: float, log_y: float) -> float:
    """Return the loss from gap = r w, w = (y - m) / (r + m), growth = (r + y) / r, log(1 + w) and log(m (1 + w) / y).

    The deviances of r and y from their expected parts of r + y, and, unless y is 0,
    log(2 pi y growth) / 2 + binet(r) + binet(y) - binet(r + y). No term is negative, and r may be infinite.
    """
    total = scaled_excess(r, gap, w, log_r) + scaled_excess(y, -gap, -gap / y, log_y)
    inner = 0.5 * log(TWO_PI * y * growth) + (stirling_error(r) - binet_quotient(r + y) + binet_quotient(y))
    return total + (0.0 if y == 0.0 else inner)


@formula
def scaled_parts(y: float, mean: float, u: float, v: float) -> tuple[float, float, float, float]:
    """Return (1 + a m, (y - m) / (1 + a m), a times that, 1 + w) with a = u / v, where the larger of u, v is 1.

    The first is multiplied by v, so that nothing overflows for large a.
    """
    total = fma(u, mean, v)
    difference = y - mean
    return total, v * difference / total, u * difference / total, fma(u, y, v) / total


@formula
def mean_loss(y: float, mean: float, r: float, u: float, v: float) -> float:
    """Return the loss for a mean and a size r = v / u, which may be infinite."""
    _, gap, w, ratio = scaled_parts(y, mean, u, v)
    raised, offset = lifted(mean)
    return saddle(y, r, gap, w, fma(u, y, v) / v, log(ratio), log(raised / y * ratio) + offset)


@formula
def mean_slopes(y: float, mean: float, u: float, v: float) -> tuple[float, float]:
    """Return the first and second derivative of the loss in the mean."""
    total, gap, _, _ = scaled_parts(y, mean, u, v)
    none = y == 0.0
    bend = (0.0 if none else y / mean * (fma(2.0 * u, mean, v) / mean)) - u
    return (v / total if none else -gap / mean), v * bend / total / total


@formula
def mean_tails(y: float, mean: float, r: float, u: float, v: float) -> tuple[float, float]:
    """Return log P(Y > y) and log P(Y <= y) for a mean and a size r = v / u, which may be infinite: a Poisson's."""
    above = y + 1.0
    if r > ALIKE * fma(above + mean, above + mean, 1.0):
        return log_gamma_tails(above, mean, mean - above, log(mean))
    total = fma(u, mean, v)
    q = v / total
    return log_beta_tails(above, r, u * mean / total, q, (mean - above) * q)


@formula
def logits_tails(y: float, r: float, logits: float) -> tuple[float, float]:
    """Return log P(Y > y) and log P(Y <= y), for a probability that may be beyond doubles."""
    above = y + 1.0
    gap, p, q = shares(above, r, logits)
    if abs(logits) > DEEP:
        low = logits < 0.0
        small = log_beta_start(above if low else r, r if low else above, -abs(logits))
        other = log_one_minus_exp(-small, 0.0)
        return (small if low else other), (other if low else small)
    return log_beta_tails(above, r, p, q, gap)


class NegativeBinomial(Family):
    """NegativeBinomial(mean m, dispersion a) on y = 0, 1, 2, ...

    The loss of a row, in nats, with r = 1 / a:

        loss = lgamma(r) + log(y!) - lgamma(y + r) + (y + r) log(1 + a m) - y log(a m)

    computed as two deviances, r (w - log(1 + w)) with w = a (y - m) / (1 + a m) and the like for y, and the
    remainder of Stirling's formula: no large terms are subtracted, and a = 0 is the Poisson.

    Mean m, variance m + a m**2.

    Parameters
    ----------
    mean : m >= 0, in events.
    dispersion : a >= 0, no unit.

    Other forms: (mean, size) with size = 1 / dispersion, and torch's (total_count, probs | logits), where y counts
    successes of probability p before total_count failures: m = total_count p / (1 - p), dispersion 1 / total_count.

    Source: N. L. Johnson, A. W. Kemp and S. Kotz, Univariate Discrete Distributions, 3rd edition (2005), chapter 5;
    the deviances after C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000).

    Examples
    --------
    >>> import nll
    >>> nll.score(0, nll.NegativeBinomial(mean=2.0, dispersion=0.0)).sum
    2.0
    """

    mean: NonNegative  # type: ignore  # and a moment of that name
    dispersion: NonNegative
    unflowed = ("dispersion",)
    observations = Whole
    support = Count

    def loss(y, mean, dispersion):
        large = dispersion > 1.0
        inverse = 1.0 / dispersion
        return mean_loss(y, mean, inverse, 1.0 if large else dispersion, inverse if large else 1.0)

    def gradient(y, mean, dispersion):
        large = dispersion > 1.0
        r = 1.0 / dispersion
        u, v = (1.0 if large else dispersion), (r if large else 1.0)
        _, gap, w, ratio = scaled_parts(y, mean, u, v)
        slope, _ = mean_slopes(y, mean, u, v)
        term, _ = dispersion_term(dispersion, y)
        return slope, term - squared_excess(r, gap, w, log(ratio))

    def hessian(y, mean, dispersion):
        large = dispersion > 1.0
        r = 1.0 / dispersion
        u, v = (1.0 if large else dispersion), (r if large else 1.0)
        total, gap, w, ratio = scaled_parts(y, mean, u, v)
        _, bend = mean_slopes(y, mean, u, v)
        _, term = dispersion_term(dispersion, y)
        s = v / fma(u, y, v)
        return bend, gap * v / total, term - gap * gap * excess_bend(r, gap, w, log(ratio), s, y * s)

    def flow(y, mean, dispersion):
        ratio, total = fma(dispersion, y, 1.0), fma(dispersion, mean, 1.0)
        return ratio / total, 0.0

    def flow_gradient(y, mean, dispersion):
        ratio, total = fma(dispersion, y, 1.0), fma(dispersion, mean, 1.0)
        return -dispersion * ratio / total / total, (y - mean) / total / total, 0.0

    def log_cdf(y, mean, dispersion):
        large = dispersion > 1.0
        r = 1.0 / dispersion
        return mean_tails(y, mean, r, 1.0 if large else dispersion, r if large else 1.0)[1]

    def log_sf(y, mean, dispersion):
        large = dispersion > 1.0
        r = 1.0 / dispersion
        return mean_tails(y, mean, r, 1.0 if large else dispersion, r if large else 1.0)[0]

    def start(moments: Moments) -> tuple[float, float]:
        excess = moments.variance - moments.mean
        return moments.mean, max(excess, 0.05 * moments.mean) / moments.mean**2

    def sample(rng: np.random.Generator, size: Any, mean: Any, dispersion: Any) -> Any:
        size_parameter = 1.0 / np.maximum(dispersion, 1e-300)
        return rng.poisson(mean * (rng.standard_gamma(size_parameter, size) / size_parameter))

    def mean(mean: Any, dispersion: Any) -> Any:
        return mean + 0.0 * dispersion

    def variance(mean: Any, dispersion: Any) -> Any:
        return mean * (1.0 + mean * dispersion)

    def entropy(mean: Any, dispersion: Any) -> Any:
        mean, size = NegativeBinomial.shared(mean, dispersion)
        return counted_entropy(
            NegativeBinomial.loss,
            (
                mean,
                dispersion,
            ),
            mean,
            mean * (1.0 + mean / size),
            0.0,
            np.inf,
            size > BELL,
        )

    def shared(mean: Any, dispersion: Any) -> Any:
        return mean + 0.0 * dispersion, 1.0 / dispersion

    def kl(theta: Any, other: Any) -> Any:
        (mean, size), (other_mean, other_size) = theta, other
        if np.any(size != other_size):
            raise UsageError("NegativeBinomials of unequal size have no closed divergence; nll.kl(p, q) sums it")
        both = mapped(
            deviance, np.where(size < np.inf, mean + size, 1.0), np.where(size < np.inf, other_mean + size, 1.0)
        )
        return mapped(deviance, mean, other_mean) - both

    def scipy(mean: Any, dispersion: Any) -> tuple[str, dict[str, Any]]:
        return "nbinom", {"n": 1.0 / dispersion, "p": 1.0 / (1.0 + dispersion * mean)}


class NegativeBinomialSize(NegativeBinomial):
    """NegativeBinomial(mean m, size r): variance m + m**2 / r.

    Parameters
    ----------
    mean : m >= 0, in events.
    size : r > 0, no unit, 1 / dispersion.

    Source: as NegativeBinomial.
    """

    mean: NonNegative  # type: ignore  # and a moment of that name
    size: Positive
    unflowed = ("size",)

    def loss(y, mean, size):
        small = size < 1.0
        return mean_loss(y, mean, size, 1.0 if small else 1.0 / size, size if small else 1.0)

    def gradient(y, mean, size):
        small = size < 1.0
        u, v = (1.0 if small else 1.0 / size), (size if small else 1.0)
        _, _, w, ratio = scaled_parts(y, mean, u, v)
        slope, _ = mean_slopes(y, mean, u, v)
        return slope, scaled_excess(1.0, w, w, log(ratio)) - log_minus_digamma_fall(size, y)

    def hessian(y, mean, size):
        small = size < 1.0
        u, v = (1.0 if small else 1.0 / size), (size if small else 1.0)
        _, _, w, _ = scaled_parts(y, mean, u, v)
        _, bend = mean_slopes(y, mean, u, v)
        return bend, -w / (size + mean), log_minus_digamma_slope_fall(size, y) - w * w / (size + y)

    def flow(y, mean, size):
        ratio = (size + y) / (size + mean)
        return ratio, 0.0

    def flow_gradient(y, mean, size):
        ratio = (size + y) / (size + mean)
        return -ratio / (size + mean), (mean - y) / (size + mean) / (size + mean), 0.0

    def log_cdf(y, mean, size):
        small = size < 1.0
        return mean_tails(y, mean, size, 1.0 if small else 1.0 / size, size if small else 1.0)[1]

    def log_sf(y, mean, size):
        small = size < 1.0
        return mean_tails(y, mean, size, 1.0 if small else 1.0 / size, size if small else 1.0)[0]

    def start(moments: Moments) -> tuple[float, float]:
        excess = moments.variance - moments.mean
        return moments.mean, moments.mean**2 / max(excess, 0.05 * moments.mean)

    def sample(rng: np.random.Generator, size: Any, mean: Any, size_parameter: Any) -> Any:
        return rng.poisson(mean * (rng.standard_gamma(size_parameter, size) / size_parameter))

    def mean(mean: Any, size: Any) -> Any:
        return mean + 0.0 * size

    def variance(mean: Any, size: Any) -> Any:
        return mean * (1.0 + mean / size)

    def entropy(mean: Any, size: Any) -> Any:
        mean, size = NegativeBinomialSize.shared(mean, size)
        return counted_entropy(
            NegativeBinomialSize.loss,
            (
                mean,
                size,
            ),
            mean,
            mean * (1.0 + mean / size),
            0.0,
            np.inf,
            size > BELL,
        )

    def shared(mean: Any, size: Any) -> Any:
        return mean, size

    def scipy(mean: Any, size: Any) -> tuple[str, dict[str, Any]]:
        return "nbinom", {"n": size, "p": size / (size + mean)}


class NegativeBinomialProbs(NegativeBinomial):
    """NegativeBinomial(total_count r, probs p): successes of probability p before r failures.

    Mean r p / (1 - p), variance r p / (1 - p)**2.

    Parameters
    ----------
    total_count : r > 0, failures; any number, not only whole ones.
    probs : p in [0, 1), of a success.

    Source: as NegativeBinomial.
    """

    total_count: Positive
    probs: BelowOne
    unflowed = ("total_count",)

    def loss(y, total_count, probs):
        n, gap = probs_gap(y, total_count, probs)
        raised, offset = lifted(probs)
        growth = n / total_count
        log_r = log(growth * (1.0 - probs))
        return saddle(y, total_count, gap, gap / total_count, growth, log_r, log(raised * (n / y)) + offset)

    def gradient(y, total_count, probs):
        n, gap = probs_gap(y, total_count, probs)
        q = 1.0 - probs
        relative = log_of_ratio(gap / total_count, n / total_count * q, 0.0)
        slope = total_count / q if y == 0.0 else -gap / q / probs
        return -relative - log_minus_digamma_fall(total_count, y), slope

    def hessian(y, total_count, probs):
        q = 1.0 - probs
        bend = total_count / q / q + (0.0 if y == 0.0 else y / probs / probs)
        return -trigamma_difference(total_count, y), 1.0 / q, bend

    def flow(y, total_count, probs):
        n, q = total_count + y, 1.0 - probs
        return 0.0, n / q

    def flow_gradient(y, total_count, probs):
        n, q = total_count + y, 1.0 - probs
        return 0.0, 1.0 / q, n / q / q

    def log_cdf(y, total_count, probs):
        n, n_low = two_sum(total_count, y + 1.0)
        gap = fma(probs, n, -(y + 1.0)) + probs * n_low
        return log_beta_tails(y + 1.0, total_count, probs, 1.0 - probs, gap)[1]

    def log_sf(y, total_count, probs):
        n, n_low = two_sum(total_count, y + 1.0)
        gap = fma(probs, n, -(y + 1.0)) + probs * n_low
        return log_beta_tails(y + 1.0, total_count, probs, 1.0 - probs, gap)[0]

    def start(moments: Moments) -> tuple[float, float]:
        excess = max(moments.variance - moments.mean, 0.05 * moments.mean)
        return moments.mean**2 / excess, excess / (moments.mean + excess)

    def sample(rng: np.random.Generator, size: Any, total_count: Any, probs: Any) -> Any:
        return rng.poisson(rng.standard_gamma(total_count, size) * (probs / (1.0 - probs)))

    def mean(total_count: Any, probs: Any) -> Any:
        return total_count * (probs / (1.0 - probs))

    def variance(total_count: Any, probs: Any) -> Any:
        return total_count * (probs / (1.0 - probs)) / (1.0 - probs)

    def entropy(total_count: Any, probs: Any) -> Any:
        mean, size = NegativeBinomialProbs.shared(total_count, probs)
        return counted_entropy(
            NegativeBinomialProbs.loss,
            (
                total_count,
                probs,
            ),
            mean,
            mean * (1.0 + mean / size),
            0.0,
            np.inf,
            size > BELL,
        )

    def shared(total_count: Any, probs: Any) -> Any:
        return total_count * (probs / (1.0 - probs)), total_count

    def scipy(total_count: Any, probs: Any) -> tuple[str, dict[str, Any]]:
        return "nbinom", {"n": total_count, "p": 1.0 - probs}


class NegativeBinomialLogits(NegativeBinomial):
    """NegativeBinomial(total_count r, logits z), with p = 1 / (1 + exp(-z)): mean r exp(z).

    Parameters
    ----------
    total_count : r > 0, failures; any number, not only whole ones.
    logits : z, the log-odds of a success.

    Source: as NegativeBinomial.
    """

    total_count: Positive
    logits: Real
    unflowed = ("total_count",)

    def loss(y, total_count, logits):
        gap, p, q = shares(y, total_count, logits)
        gap = -gap
        n = total_count + y
        growth, low, high = n / total_count, logits < -DEEP, logits > DEEP
        log_r = log(growth * (1.0 if high else q)) - (logits if high else 0.0)
        log_y = log((n / y) * (1.0 if low else p)) + (logits if low else 0.0)
        return saddle(y, total_count, gap, gap / total_count, growth, log_r, log_y)

    def gradient(y, total_count, logits):
        gap, _, q = shares(y, total_count, logits)
        high = logits > DEEP
        ratio = (total_count + y) / total_count * (1.0 if high else q)
        relative = log_of_ratio(-gap / total_count, ratio, -logits if high else 0.0)
        return -relative - log_minus_digamma_fall(total_count, y), gap

    def hessian(y, total_count, logits):
        _, p, q = shares(y, total_count, logits)
        return -trigamma_difference(total_count, y), p, (total_count + y) * p * q

    def flow(y, total_count, logits):
        _, p, _ = shares(y, total_count, logits)
        return 0.0, (total_count + y) * p

    def flow_gradient(y, total_count, logits):
        _, p, q = shares(y, total_count, logits)
        return 0.0, p, (total_count + y) * p * q

    def log_cdf(y, total_count, logits):
        return logits_tails(y, total_count, logits)[1]

    def log_sf(y, total_count, logits):
        return logits_tails(y, total_count, logits)[0]

    def start(moments: Moments) -> tuple[float, float]:
        excess = max(moments.variance - moments.mean, 0.05 * moments.mean)
        return moments.mean**2 / excess, float(log(excess / moments.mean))

    def sample(rng: np.random.Generator, size: Any, total_count: Any, logits: Any) -> Any:
        return rng.poisson(rng.standard_gamma(total_count, size) * np.exp(logits))

    def mean(total_count: Any, logits: Any) -> Any:
        return total_count * np.exp(logits)

    def variance(total_count: Any, logits: Any) -> Any:
        return total_count * np.exp(logits) * (1.0 + np.exp(logits))

    def entropy(total_count: Any, logits: Any) -> Any:
        mean, size = NegativeBinomialLogits.shared(total_count, logits)
        return counted_entropy(
            NegativeBinomialLogits.loss,
            (
                total_count,
                logits,
            ),
            mean,
            mean * (1.0 + mean / size),
            0.0,
            np.inf,
            size > BELL,
        )

    def shared(total_count: Any, logits: Any) -> Any:
        return total_count * np.exp(logits), total_count

    def scipy(total_count: Any, logits: Any) -> tuple[str, dict[str, Any]]:
        return "nbinom", {"n": total_count, "p": logit_shares(logits)[1]}


@formula
def probs_gap(y: float, r: float, probs: float) -> tuple[float, float]:
    """Return n = y + r and y - n p."""
    n, n_low = two_sum(r, y)
    return n, fma(-probs, n, y) - probs * n_low
