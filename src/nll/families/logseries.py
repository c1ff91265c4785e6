"""The logarithmic series distribution: how many specimens of a species a collection holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.constraints import INF, Constraint, UnitInterval
from nll.families.family import Family, Moments
from nll.numerics import special_coefficients as table
from nll.numerics.bits import floor, fma
from nll.numerics.elementary import exp, expm1, log, log1p
from nll.numerics.formula import formula
from nll.numerics.polynomials import poly10
from nll.numerics.tails import log_one_minus_exp

ATANH = table.ATANH
NEGLIGIBLE, STEPS = 42.0, 400  # exp(-42) of an integral is lost


class Natural(Constraint):
    words = "a whole number, at least 1"
    discrete = True
    low = 1.0

    def contains(x):
        return (x >= 1.0) & (floor(x) == x) & (x < INF)


@formula
def excesses(p: float) -> tuple[float, float]:
    """Return g and k: -log(1 - p) / p = 1 + g = 1 + p / 2 + k p**2, for 0 < p < 1.

    Below 1/2 by the series of atanh(v), v = p / (2 - p): -log(1 - p) = 2 v + 2 v**3 A(v**2). Source: DLMF 4.38.5.
    """
    part = 1.0 / (2.0 - p)
    v = p * part
    series = poly10(v * v, ATANH)
    near = p <= 0.5
    distant = (-log1p(-p) - p) / p
    g = part * fma(2.0 * v, v * series, p) if near else distant
    k = part * fma(2.0 * part, part * series, 0.5) if near else (distant - 0.5 * p) / p / p
    return g, k


@formula
def log_tail(y: float, p: float) -> float:
    """Return log P(Y > y), within 1e-14, for y >= 0.

    The tail is p**(y + 1) / -log(1 - p) times the sum of p**j / (y + 1 + j), which is the integral over v > 0 of

        exp(-(y + 1) v) / (1 - p exp(-v))

    by the trapezoidal rule in log(v), whose error falls like exp(-pi**2 / step): steps are below 0.28.

    Source: DLMF 25.14.5 (the integral); L. N. Trefethen and J. A. C. Weideman, The Exponentially Convergent
    Trapezoidal Rule, SIAM Review 56 (2014).
    """
    q, n = 1.0 - p, y + 1.0
    scale = 1.0 / n
    low = log(q if q < scale else scale) - NEGLIGIBLE
    step = (log(scale * NEGLIGIBLE) - low) / STEPS
    total = 0.0
    for i in range(STEPS + 1):
        v = exp(fma(float(i), step, low))
        total += exp(-n * v) * (v / fma(-p, expm1(-v), q))
    return fma(y, log(p), log(total * step) - log1p(excesses(p)[0]))


class LogSeries(Family):
    """LogSeries(probs p) on y = 1, 2, ...

    The loss of a row, in nats:

        loss = log(y) - y log(p) + log(-log(1 - p))

    With t = -log(1 - p): mean p / ((1 - p) t), variance p (t - p) / ((1 - p) t)**2.

    Parameters
    ----------
    probs : p in (0, 1): the ratio of the probabilities of y + 1 and y, as y grows.

    Source: N. L. Johnson, A. W. Kemp and S. Kotz, Univariate Discrete Distributions, 3rd edition (2005), chapter 7.

    Examples
    --------
    >>> import nll
    >>> round(nll.score(1, nll.LogSeries(probs=0.5)).sum, 12)
    0.326634259978
    """

    probs: UnitInterval
    observations = Natural
    support = Natural

    def loss(y, probs):
        # -y log(p) + log(-log(1 - p)) = (1 - y) log(p) + log(1 + g): near p = 0 the large logarithms are one
        return log(y) + fma(1.0 - y, log(probs), log1p(excesses(probs)[0]))

    def gradient(y, probs):
        g = excesses(probs)[0]
        q = 1.0 - probs
        return ((1.0 - y) / probs + (1.0 - q * (g / probs)) / (q * (1.0 + g)),)

    def hessian(y, probs):
        g, k = excesses(probs)
        c = fma(probs, k, 0.5)  # g / p
        bend = fma(c, c - 3.0, fma(2.0, k, 1.0)) + probs * c * fma(probs, c, 2.0 - 2.0 * c)
        root = (1.0 - probs) * (1.0 + g)
        return ((y - 1.0) / probs / probs + bend / (root * root),)

    def log_cdf(y, probs):
        tail = log_tail(y, probs)
        return log_one_minus_exp(-tail if tail < 0.0 else 0.0, 0.0)

    def log_sf(y, probs):
        return log_tail(y, probs)

    def start(moments: Moments) -> tuple[float]:
        """Halve the log-odds until the mean is that of the sample, which is the maximum of likelihood."""
        low, high = -700.0, 36.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            p, q = 1.0 / (1.0 + math.exp(-middle)), 1.0 / (1.0 + math.exp(middle))
            above = p / (q * -math.log(q)) > moments.mean if q < 1.0 else False
            low, high = (low, middle) if above else (middle, high)
        return (1.0 / (1.0 + math.exp(-low)),)

    def mean(probs: Any) -> Any:
        return probs / ((probs - 1.0) * np.log1p(-probs))

    def variance(probs: Any) -> Any:
        t = -np.log1p(-probs)
        return probs * (t - probs) / ((1.0 - probs) * t) ** 2

    def sample(rng: np.random.Generator, shape: Any, probs: Any) -> Any:
        return rng.logseries(probs, shape)

    def scipy(probs: Any) -> tuple[str, dict[str, Any]]:
        return "logser", {"p": probs}
