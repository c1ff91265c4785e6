"""The Bernoulli distribution: one event that happens or does not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import Binary, ExtendedReal, Probability
from nll.families.family import Family, Moments
from nll.families.information import logit_shares, share_divergence, times
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, LN2_HIGH, LN2_LOW, _log_series, _split, exp, log, log1p, log_sigmoid, softplus
from nll.numerics.formula import formula
from nll.numerics.pairs import fast_two_sum


@formula
def sigmoid(z):
    """Return 1 / (1 + e**-z); error <= 2 ulp."""
    e = exp(-abs(z))
    return (1.0 if z >= 0.0 else e) / (1.0 + e)


class Bernoulli(Family):
    """Bernoulli(probs p) on 0 and 1, or Bernoulli(logits z) with p = 1 / (1 + e**-z).

    The loss of a row, in nats, is that of binary cross-entropy, or log loss:

        loss = -log(p)      where y = 1
        loss = -log(1 - p)  where y = 0

    Mean p, variance p (1 - p).

    Parameters
    ----------
    probs : p in [0, 1], the probability of y = 1; taken literally: p = 0 for what happened is an infinite loss.
    logits : z = log(p / (1 - p)), any number, infinities included.

    Source: N. L. Johnson, A. W. Kemp and S. Kotz, Univariate Discrete Distributions, 3rd edition (2005), chapter 3;
    as a score, I. J. Good, Rational Decisions, Journal of the Royal Statistical Society B 14 (1952).

    Examples
    --------
    >>> import nll
    >>> nll.score(1, nll.Bernoulli(probs=0.8)).sum
    0.2231435513142097
    """

    probs: Probability
    observations = Binary
    support = Binary

    def loss(y, probs):
        # One logarithm a row, of p or of 1 - p. The latter is rest + error exactly, and log(rest + error) is
        # log(rest) + error / rest; error is not 0 only for p < 1/2, where 1 + p is near enough to 1 / rest.
        rest, error = fast_two_sum(1.0, -probs)
        happened = y != 0.0
        q = probs if happened else rest
        correction = 0.0 if happened else fma(error, probs, error)
        # `log` of elementary.py, with the correction added where the small terms are. 0 - x is never -0.
        _, k, f = _split(q)
        s = f / (2.0 + f)
        z = s * s
        high = fma(k, LN2_HIGH, f)
        lost = f + fma(k, LN2_HIGH, -high)
        low = fma(-s, fma(-z, _log_series(z), f), fma(k, LN2_LOW, lost + correction))
        return 0.0 - (high + low) if q > 0.0 else INF

    def gradient(y, probs):
        return (-1.0 / probs if y != 0.0 else 1.0 / (1.0 - probs),)

    def hessian(y, probs):
        q = probs if y != 0.0 else 1.0 - probs
        return (1.0 / q / q,)

    def start(moments: Moments) -> tuple[float]:
        return (moments.mean,)

    def flow(y, probs):
        failure = 1.0 - probs
        return (1.0 / failure,)

    def flow_gradient(y, probs):
        failure = 1.0 - probs
        return (1.0 / failure / failure,)

    def log_cdf(y, probs):
        return log1p(-probs)

    def log_sf(y, probs):
        return log(probs)

    def mean(probs: Any) -> Any:
        return probs

    def variance(probs: Any) -> Any:
        return probs * (1.0 - probs)

    def entropy(probs: Any) -> Any:
        return -(times(probs, np.log(probs)) + times(1.0 - probs, np.log1p(-probs)))

    def shared(probs: Any) -> Any:
        return probs, 1.0 - probs, np.log(probs), np.log1p(-probs)

    def kl(shares: Any, other: Any) -> Any:
        return share_divergence(shares, other)

    def sample(rng: np.random.Generator, shape: Any, probs: Any) -> Any:
        return rng.random(shape) < probs

    def scipy(probs: Any) -> tuple[str, dict[str, Any]]:
        return "bernoulli", {"p": probs}


class BernoulliLogits(Bernoulli):
    """Bernoulli by its log-odds: the loss is log(1 + e**-z) where y = 1, log(1 + e**z) where y = 0."""

    logits: ExtendedReal

    def loss(y, logits):
        return softplus(-logits if y != 0.0 else logits)

    def gradient(y, logits):
        return (-sigmoid(-logits) if y != 0.0 else sigmoid(logits),)

    def hessian(y, logits):
        return (sigmoid(logits) * sigmoid(-logits),)

    def start(moments: Moments) -> tuple[float]:
        return (math.log(moments.mean / (1.0 - moments.mean)),)

    def flow(y, logits):
        return (sigmoid(logits),)

    def flow_gradient(y, logits):
        return (sigmoid(logits) * sigmoid(-logits),)

    def log_cdf(y, logits):
        return log_sigmoid(-logits)

    def log_sf(y, logits):
        return log_sigmoid(logits)

    def mean(logits: Any) -> Any:
        return logit_shares(logits)[0]

    def variance(logits: Any) -> Any:
        p, q, _, _ = logit_shares(logits)
        return p * q

    def entropy(logits: Any) -> Any:
        p, q, log_p, log_q = logit_shares(logits)
        return -(times(p, log_p) + times(q, log_q))

    def shared(logits: Any) -> Any:
        return logit_shares(logits)

    def sample(rng: np.random.Generator, shape: Any, logits: Any) -> Any:
        return rng.random(shape) < logit_shares(logits)[0]

    def scipy(logits: Any) -> tuple[str, dict[str, Any]]:
        return "bernoulli", {"p": logit_shares(logits)[0]}
