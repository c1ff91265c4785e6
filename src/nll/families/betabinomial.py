"""The beta-binomial distribution: successes in a number of trials whose probability varies from row to row."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.families.constraints import INF, Count, Positive, Whole
from nll.families.family import Family, Moments
from nll.numerics.bits import fma, sqrt
from nll.numerics.elementary import log
from nll.numerics.formula import formula
from nll.numerics.gamma_ratios import digamma_difference, trigamma_difference
from nll.numerics.pairs import two_product
from nll.numerics.saddle import scaled_excess
from nll.numerics.special import binet_quotient, trigamma
from nll.numerics.tails import log_one_minus_exp

TWO_PI = 6.283185307179586
HUGE, TINY, SMALLEST = 1e290, 1e-290, 1e-323
DOWN, UP, LOG_UP = 2.0**-60, 2.0**600, 415.88830833596717  # 600 log 2
LEAST, MOST_TERMS = 1e-18, 1e7  # of a sum: a term too small to matter, and when to give up
NAN = float("nan")
LOW = 0.25  # below it a gamma function is raised by its recurrence


@formula
def remainder(x: float) -> float:
    """Return lgamma(x) - x log(x) + x + log(root(x)) - log(2 pi) / 2, which is finite near x = 0.

    It is binet(x) from 1/4 on; below, binet(1 + x) - 1 + x log(1 + 1 / x).
    """
    low = x < LOW
    above = 1.0 + x
    quotient = binet_quotient(above if low else x)
    return fma(x, log(above / (x if x > 1e-300 else 1e-300)), quotient - 1.0) if low else quotient


@formula
def root(x: float) -> float:
    """Return sqrt(x), or x / sqrt(1 + x) below 1/4."""
    return x / sqrt(1.0 + x) if x < LOW else sqrt(x)


@formula
def deviance(observed: float, gap: float, ratio: float) -> float:
    """Return O log(O / E) - O + E from gap = E - O and ratio = E / O, which may overflow for tiny O."""
    ratio = ratio if ratio < HUGE else HUGE
    return scaled_excess(observed, gap, gap / observed, log(ratio if ratio > SMALLEST else SMALLEST))


@formula
def row_loss(y: float, n: float, a: float, b: float) -> float:
    """Return the loss: four deviances and the remainders of Stirling's formula, under one logarithm."""
    w, prior, success = n - y, a + b, a + y
    failure, total = b + w, prior + n
    unit = DOWN if prior > HUGE else 1.0
    left, left_low = two_product(a * unit, w)
    right, right_low = two_product(b * unit, y)
    gap = ((left - right) + (left_low - right_low)) / (total * unit)  # E - O of y
    terms = deviance(y, gap, success / y * (n / total)) + deviance(w, -gap, failure / w * (n / total))
    odds = deviance(a, -gap, success / a * (prior / total)) + deviance(b, gap, failure / b * (prior / total))
    edge = (y == 0.0) | (w == 0.0)
    inner = binet_quotient(y) + (binet_quotient(w) - binet_quotient(n))
    rest = (remainder(a) - remainder(success)) + (remainder(b) - remainder(failure))
    rest = rest + (remainder(total) - remainder(prior))
    smaller, larger = (a if a < b else b), (b if a < b else a)
    grown, other = (success if a < b else failure), (failure if a < b else success)
    lift = smaller < TINY
    sides = (root(other) / root(total)) * (root(prior) / root(larger))
    sides = sides * (root(grown) / (root(smaller) * (UP if lift else 1.0)))
    count = 1.0 if edge else sqrt(TWO_PI * y * (w / n))
    logarithm = log(sides * count) + (LOG_UP if lift else 0.0)
    return (terms + odds) + ((logarithm + rest) + (0.0 if edge else inner))


@formula
def log_tails(y: float, n: float, a: float, b: float) -> tuple[float, float]:
    """Return log P(Y <= y) and log P(Y > y), summed away from y by ratios of neighbours; the larger from the other.

    Not a number where more than 10 million terms would be needed.
    """
    total, term, k, steps = 1.0, 1.0, (y if y < n else n), 0.0
    while (k > 0.0) & (term > LEAST * total) & (steps < MOST_TERMS):
        term *= k / (n - k + 1.0) * ((b + (n - k)) / (a + (k - 1.0)))
        total += term
        k -= 1.0
        steps += 1.0
    start = y if y < n else n
    lower = log(total) - row_loss(start, n, a, b)
    total, term, k = 1.0, 1.0, start + 1.0
    while (k < n) & (term > LEAST * total) & (steps < MOST_TERMS):
        term *= (n - k) / (k + 1.0) * ((a + k) / (b + (n - k - 1.0)))
        total += term
        k += 1.0
        steps += 1.0
    upper = log(total) - row_loss(start + 1.0, n, a, b) if y < n else -INF
    lower, upper = (lower if steps < MOST_TERMS else NAN), (upper if steps < MOST_TERMS else NAN)
    small = lower if lower < upper else upper
    other = log_one_minus_exp(-small if small < 0.0 else 0.0, 0.0)
    return (small if lower < upper else other), (other if lower < upper else small)


class BetaBinomial(Family):
    """BetaBinomial(total_count n, concentration1 a, concentration0 b) on y = 0, 1, ..., n.

    The loss of a row, in nats, with B(a, b) = gamma(a) gamma(b) / gamma(a + b):

        loss = -log(n! / (y! (n - y)!)) - log(B(y + a, n - y + b)) + log(B(a, b))

    By Stirling's formula its large terms are the deviance of the table of y, n - y; a, b from independence,
    four terms O log(O / E) - O + E whose E - O are one number, (a (n - y) - b y) / (a + b + n), and its opposite.

    With p = a / (a + b): mean n p, variance n p (1 - p) (a + b + n) / (a + b + 1).

    Parameters
    ----------
    total_count : n, trials, a whole number >= 0. Derivatives in n are those of the formula with gamma functions.
    concentration1 : a > 0, no unit: of the Beta distribution of a row's probability of success.
    concentration0 : b > 0, no unit: likewise, of failure.

    Source: N. L. Johnson, A. W. Kemp and S. Kotz, Univariate Discrete Distributions, 3rd edition (2005), chapter 6;
    DLMF 5.11.1; the deviance after C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000).

    Examples
    --------
    >>> import nll
    >>> round(nll.score(1, nll.BetaBinomial(total_count=2, concentration1=1.0, concentration0=1.0)).sum, 12)
    1.098612288668
    """

    total_count: Count
    concentration1: Positive
    concentration0: Positive
    observations = Whole
    support = Count

    def inside(y, total_count, concentration1, concentration0):
        return (y >= 0.0) & (y <= total_count)

    def ends(total_count, concentration1, concentration0):
        return 0.0, total_count

    def loss(y, total_count, concentration1, concentration0):
        return row_loss(y, total_count, concentration1, concentration0)

    def gradient(y, total_count, concentration1, concentration0):
        n, a, b = total_count, concentration1, concentration0
        w = n - y
        both = digamma_difference(a + b, n)
        trials = digamma_difference(b + w, a + y) - digamma_difference(w + 1.0, y)
        return trials, both - digamma_difference(a, y), both - digamma_difference(b, w)

    def hessian(y, total_count, concentration1, concentration0):
        n, a, b = total_count, concentration1, concentration0
        w = n - y
        both = trigamma_difference(a + b, n)
        mixed = trigamma_difference(b + w, a + y)
        trials = mixed - trigamma_difference(w + 1.0, y)
        last = trigamma(a + b + n)
        first, second = both - trigamma_difference(a, y), both - trigamma_difference(b, w)
        return trials, last, mixed, first, both, second

    def log_cdf(y, total_count, concentration1, concentration0):
        return log_tails(y, total_count, concentration1, concentration0)[0]

    def log_sf(y, total_count, concentration1, concentration0):
        return log_tails(y, total_count, concentration1, concentration0)[1]

    def mean(total_count: Any, concentration1: Any, concentration0: Any) -> Any:
        return total_count * (concentration1 / (concentration1 + concentration0))

    def variance(total_count: Any, concentration1: Any, concentration0: Any) -> Any:
        n, total = total_count, concentration1 + concentration0
        return n * (concentration1 / total) * (concentration0 / total) * ((total + n) / (total + 1.0))

    def start(moments: Moments) -> tuple[float, float, float]:
        # variance n p q (1 + (n - 1) w), with w = 1 / (a + b + 1)
        n, p = moments.total, moments.mean / moments.total
        w = (moments.variance / (n * p * (1.0 - p)) - 1.0) / (n - 1.0) if n > 1.0 else 0.1
        both = 1.0 / min(max(w, 1e-4), 0.9) - 1.0
        return n, p * both, (1.0 - p) * both

    def sample(rng: np.random.Generator, shape: Any, total_count: Any, concentration1: Any, concentration0: Any) -> Any:
        return rng.binomial(total_count.astype(np.int64), rng.beta(concentration1, concentration0, shape), shape)

    def scipy(total_count: Any, concentration1: Any, concentration0: Any) -> tuple[str, dict[str, Any]]:
        return "betabinom", {"n": total_count, "a": concentration1, "b": concentration0}
