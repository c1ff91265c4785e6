"""The Binomial distribution: how many of a known number of trials succeed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.errors import UsageError
from nll.families.constraints import Count, Probability, Real, Whole
from nll.families.family import Family, Moments
from nll.families.information import counted_entropy, logit_shares, share_divergence, times
from nll.numerics.beta_tails import log_beta_start, log_beta_tails
from nll.numerics.bits import fma
from nll.numerics.elementary import log
from nll.numerics.formula import formula
from nll.numerics.gamma_ratios import trigamma_difference
from nll.numerics.gamma_terms import log_minus_digamma_fall
from nll.numerics.saddle import lifted, log_of_ratio, scaled_excess, shares
from nll.numerics.special import binet_quotient
from nll.numerics.tails import log_one_minus_exp

TWO_PI = 6.283185307179586
DEEP = 700.0  # a logit beyond it is the logarithm of its probability


@formula
def saddle(y: float, n: float, gap: float, log_success: float, log_failure: float) -> float:
    """Return the loss from gap = n p - y, log(n p / y) and log(n (1 - p) / (n - y)).

    The two deviances, and log(2 pi y (n - y) / n) / 2 + binet(y) + binet(n - y) - binet(n) unless y is 0 or n.
    """
    rest = n - y
    edge = (y == 0.0) | (rest == 0.0)
    odds = 0.5 * log(TWO_PI * y * (rest / n))
    inner = odds + (binet_quotient(y) + (binet_quotient(rest) - binet_quotient(n)))
    success = scaled_excess(y, gap, gap / y, log_success)
    failure = scaled_excess(rest, -gap, -gap / rest, log_failure)
    return success + failure + (0.0 if edge else inner)


@formula
def count_slope(y: float, n: float, p: float, q: float, gap: float) -> float:
    """Return the derivative in n: digamma(n - y + 1) - digamma(n + 1) - log(q), free of cancellation."""
    above = n - y + 1.0
    return -log_of_ratio(-(gap + p) / above, (n + 1.0) / above * q, 0.0) - log_minus_digamma_fall(above, y)


@formula
def inside_trials(y: float, n: float) -> bool:
    """Say whether y successes are possible in n trials."""
    return (y >= 0.0) & (y <= n)


@formula
def logits_tails(y: float, rest: float, logits: float) -> tuple[float, float]:
    """Return log I_p(y + 1, rest) and its complement's, for p = 1 / (1 + exp(-logits)) that may be beyond doubles."""
    above = y + 1.0
    gap, p, q = shares(above, rest, logits)
    if abs(logits) > DEEP:
        low = logits < 0.0
        small = log_beta_start(above if low else rest, rest if low else above, -abs(logits))
        other = log_one_minus_exp(-small, 0.0)
        return (small if low else other), (other if low else small)
    return log_beta_tails(above, rest, p, q, gap)


class Binomial(Family):
    """Binomial(total_count n, probs p) on y = 0, 1, ..., n.

    The loss of a row, in nats:

        loss = -log(n! / (y! (n - y)!)) - y log(p) - (n - y) log(1 - p)

    computed as two deviances, y log(y / (n p)) + n p - y and the same of the failures, and the remainder of
    Stirling's formula: no large terms are subtracted.

    Mean n p, variance n p (1 - p).

    Parameters
    ----------
    total_count : n, trials, a whole number >= 0. Derivatives in n are those of the formula with gamma functions.
    probs : p in [0, 1], of a success in one trial.

    Source: N. L. Johnson, A. W. Kemp and S. Kotz, Univariate Discrete Distributions, 3rd edition (2005), chapter 3;
    C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000).

    Examples
    --------
    >>> import nll
    >>> nll.score(1, nll.Binomial(total_count=2, probs=0.5)).sum
    0.6931471805599453
    """

    total_count: Count
    probs: Probability
    observations = Whole
    support = Count

    def inside(y, total_count, probs):
        return inside_trials(y, total_count)

    def loss(y, total_count, probs):
        p, offset = lifted(probs)
        log_success = log(p * (total_count / y)) + offset
        log_failure = log((1.0 - probs) * (total_count / (total_count - y)))
        return saddle(y, total_count, fma(total_count, probs, -y), log_success, log_failure)

    def gradient(y, total_count, probs):
        rest, q = total_count - y, 1.0 - probs
        middle = fma(total_count, probs, -y) / q / probs
        slope = total_count / q if y == 0.0 else (-total_count / probs if rest == 0.0 else middle)
        return count_slope(y, total_count, probs, q, fma(total_count, probs, -y)), slope

    def hessian(y, total_count, probs):
        rest, q = total_count - y, 1.0 - probs
        bend = (0.0 if y == 0.0 else y / probs / probs) + (0.0 if rest == 0.0 else rest / q / q)
        return -trigamma_difference(rest + 1.0, y), 1.0 / q, bend

    def ends(total_count, probs):
        return 0.0, total_count

    def flow(y, total_count, probs):
        rest, q = total_count - y, 1.0 - probs
        return 0.0, rest / q

    def flow_gradient(y, total_count, probs):
        rest, q = total_count - y, 1.0 - probs
        return 0.0, 0.0, rest / q / q

    def log_cdf(y, total_count, probs):
        gap = fma(total_count + 1.0, probs, -(y + 1.0))
        return log_beta_tails(y + 1.0, total_count - y, probs, 1.0 - probs, gap)[1]

    def log_sf(y, total_count, probs):
        gap = fma(total_count + 1.0, probs, -(y + 1.0))
        return log_beta_tails(y + 1.0, total_count - y, probs, 1.0 - probs, gap)[0]

    def sample(rng: np.random.Generator, size: Any, total_count: Any, probs: Any) -> Any:
        return rng.binomial(np.asarray(total_count, np.int64), probs, size)

    def mean(total_count: Any, probs: Any) -> Any:
        return total_count * probs

    def variance(total_count: Any, probs: Any) -> Any:
        return total_count * probs * (1.0 - probs)

    def entropy(total_count: Any, probs: Any) -> Any:
        mean = total_count * probs
        return counted_entropy(Binomial.loss, (total_count, probs), mean, mean * (1.0 - probs), 0.0, total_count, True)

    def shared(total_count: Any, probs: Any) -> Any:
        return total_count, probs, 1.0 - probs, np.log(probs), np.log1p(-probs)

    def kl(theta: Any, other: Any) -> Any:
        if np.any(theta[0] != other[0]):
            raise UsageError(
                "the divergence of Binomials has a closed form for equal total_count; nll.kl(p, q) sums it"
            )
        return times(theta[0], share_divergence(theta[1:], other[1:]))

    def start(moments: Moments) -> tuple[float, float]:
        return moments.total, moments.mean / moments.total

    def scipy(total_count: Any, probs: Any) -> tuple[str, dict[str, Any]]:
        return "binom", {"n": total_count, "p": probs}


class BinomialLogits(Binomial):
    """Binomial(total_count n, logits z), with p = 1 / (1 + exp(-z)).

    The gap n p - y is (n - y - y E) / (1 + E) with E = exp(-z), or ((n - y) E - y) / (1 + E) with E = exp(z), from
    an exponential of twice the precision.

    Parameters
    ----------
    total_count : n, trials, a whole number >= 0.
    logits : z, the log-odds of a success in one trial.

    Source: as Binomial.
    """

    total_count: Count
    logits: Real

    def inside(y, total_count, logits):
        return inside_trials(y, total_count)

    def loss(y, total_count, logits):
        rest = total_count - y
        gap, p, q = shares(y, rest, logits)
        low, high = logits < -DEEP, logits > DEEP
        log_success = log((total_count / y) * (1.0 if low else p)) + (logits if low else 0.0)
        log_failure = log((total_count / rest) * (1.0 if high else q)) - (logits if high else 0.0)
        return saddle(y, total_count, gap, log_success, log_failure)

    def gradient(y, total_count, logits):
        rest = total_count - y
        gap, p, q = shares(y, rest, logits)
        high = logits > DEEP
        slope = count_slope(y, total_count, p, 1.0 if high else q, gap)
        return slope + (logits if high else 0.0), gap

    def hessian(y, total_count, logits):
        rest = total_count - y
        _, p, q = shares(y, rest, logits)
        return -trigamma_difference(rest + 1.0, y), p, total_count * p * q

    def flow(y, total_count, logits):
        rest = total_count - y
        _, p, _ = shares(y, rest, logits)
        return 0.0, rest * p

    def flow_gradient(y, total_count, logits):
        rest = total_count - y
        _, p, q = shares(y, rest, logits)
        return 0.0, 0.0, rest * p * q

    def log_cdf(y, total_count, logits):
        return logits_tails(y, total_count - y, logits)[1]

    def log_sf(y, total_count, logits):
        return logits_tails(y, total_count - y, logits)[0]

    def sample(rng: np.random.Generator, size: Any, total_count: Any, logits: Any) -> Any:
        probs = np.exp(-np.logaddexp(0.0, -logits))
        return rng.binomial(np.asarray(total_count, np.int64), probs, size)

    def mean(total_count: Any, logits: Any) -> Any:
        return total_count * logit_shares(logits)[0]

    def variance(total_count: Any, logits: Any) -> Any:
        p, q, _, _ = logit_shares(logits)
        return total_count * p * q

    def entropy(total_count: Any, logits: Any) -> Any:
        p, q, _, _ = logit_shares(logits)
        loss = BinomialLogits.loss
        return counted_entropy(
            loss, (total_count, logits), total_count * p, total_count * p * q, 0.0, total_count, True
        )

    def shared(total_count: Any, logits: Any) -> Any:
        return total_count, *logit_shares(logits)

    def start(moments: Moments) -> tuple[float, float]:
        return moments.total, math.log(moments.mean / (moments.total - moments.mean))

    def scipy(total_count: Any, logits: Any) -> tuple[str, dict[str, Any]]:
        return "binom", {"n": total_count, "p": logit_shares(logits)[0]}
