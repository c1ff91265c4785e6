"""The Geometric distribution: how many failures come before the first success."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.bernoulli import sigmoid
from nll.families.constraints import Count, ExtendedReal, Probability, Whole
from nll.families.family import Family, Moments
from nll.families.information import logit_shares, share_divergence, times
from nll.numerics.bits import fma
from nll.numerics.elementary import INF, log, log1p, softplus
from nll.numerics.formula import formula
from nll.numerics.pairs import two_product
from nll.numerics.tails import log_one_minus_exp


@formula
def log_tail(y, log_failure):
    """Return log P(Y > y) = (y + 1) log(1 - p)."""
    return (y + 1.0) * log_failure


class Geometric(Family):
    """Geometric(probs p) on 0, 1, 2, ..., or Geometric(logits z) with p = 1 / (1 + e**-z).

    y counts the failures before the first success, as in torch.distributions; SciPy counts the success too.
    The loss of a row, in nats:

        loss = -log(p) - y log(1 - p)

    Mean (1 - p) / p, variance (1 - p) / p**2. With p = 1 only y = 0 is possible, with p = 0 no y is.

    Parameters
    ----------
    probs : p in [0, 1], the probability of success in one trial.
    logits : z = log(p / (1 - p)), any number, infinities included.

    Source: N. L. Johnson, A. W. Kemp and S. Kotz, Univariate Discrete Distributions, 3rd edition (2005), chapter 5.

    Examples
    --------
    >>> import nll
    >>> nll.score(1, nll.Geometric(probs=0.5)).sum
    1.3862943611198906
    """

    probs: Probability
    observations = Whole
    support = Count

    def loss(y, probs):
        log_failure = log1p(-probs) if y > 0.0 else 0.0  # 0 log(0) is 0
        return fma(-y, log_failure, 0.0 - log(probs))

    def gradient(y, probs):
        return ((y / (1.0 - probs) if y > 0.0 else 0.0) - 1.0 / probs,)

    def hessian(y, probs):
        failure = 1.0 - probs
        return ((y / failure / failure if y > 0.0 else 0.0) + 1.0 / probs / probs,)

    def flow(y, probs):
        return (-(y + 1.0) / probs,)

    def flow_gradient(y, probs):
        return ((y + 1.0) / probs / probs,)

    def log_cdf(y, probs):
        log_failure = log1p(-probs)
        product, rest = two_product(-(y + 1.0), log_failure)
        return log_one_minus_exp(product, rest if product < INF else 0.0)

    def log_sf(y, probs):
        return log_tail(y, log1p(-probs))

    def start(moments: Moments) -> tuple[float]:
        return (1.0 / (1.0 + moments.mean),)

    def mean(probs: Any) -> Any:
        return (1.0 - probs) / probs

    def variance(probs: Any) -> Any:
        return (1.0 - probs) / probs / probs

    def entropy(probs: Any) -> Any:
        return -(np.log(probs) + times(1.0 - probs, np.log1p(-probs)) / probs)

    def shared(probs: Any) -> Any:
        return probs, 1.0 - probs, np.log(probs), np.log1p(-probs)

    def kl(shares: Any, other: Any) -> Any:
        return share_divergence(shares, other) / shares[0]

    def scipy(probs: Any) -> tuple[str, dict[str, Any]]:
        return "geom", {"p": probs, "loc": -1.0}


class GeometricLogits(Geometric):
    """Geometric by the log-odds of success: the loss is (y + 1) log(1 + e**-|z|), plus y z where z > 0, less z below.

    From log(1 - p) = -log(1 + e**z) and log(1 + e**z) = max(z, 0) + log(1 + e**-|z|): no term is negative.
    """

    logits: ExtendedReal

    def loss(y, logits):
        tail = softplus(-abs(logits))
        failures = (y * logits if y > 0.0 else 0.0) if logits > 0.0 else -logits
        return fma(y, tail, tail) + failures

    def gradient(y, logits):
        return (fma(y, sigmoid(logits), -sigmoid(-logits)),)

    def hessian(y, logits):
        return ((y + 1.0) * (sigmoid(logits) * sigmoid(-logits)),)

    def flow(y, logits):
        return (-(y + 1.0) * sigmoid(-logits),)

    def flow_gradient(y, logits):
        return ((y + 1.0) * sigmoid(logits) * sigmoid(-logits),)

    def log_cdf(y, logits):
        product, rest = two_product(y + 1.0, softplus(logits))
        return log_one_minus_exp(product, rest if product < INF else 0.0)

    def log_sf(y, logits):
        return -((y + 1.0) * softplus(logits))

    def start(moments: Moments) -> tuple[float]:
        return (-math.log(moments.mean),)

    def mean(logits: Any) -> Any:
        return np.exp(-logits)

    def variance(logits: Any) -> Any:
        return np.exp(-logits) * (1.0 + np.exp(-logits))

    def entropy(logits: Any) -> Any:
        _, _, log_p, log_q = logit_shares(logits)
        return -(log_p + times(np.exp(-logits), log_q))

    def shared(logits: Any) -> Any:
        return logit_shares(logits)

    def scipy(logits: Any) -> tuple[str, dict[str, Any]]:
        return "geom", {"p": logit_shares(logits)[0], "loc": -1.0}
