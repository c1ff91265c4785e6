"""Student's t for intervals: its quantile, and its degrees of freedom where clusters differ in size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from nll.errors import UsageError
from nll.numerics.formula import quiet
from nll.results.scale import normal_quantile


def cluster_df(weights: Iterable[int]) -> float:
    """Return the degrees of freedom of a mean over G clusters of these weights: G - 1 where they are alike.

    The standard error is made from the sum of r_g**2, r_g = L_g - m W_g. If the totals L_g of clusters vary as their
    weights (rows of a cluster are alike), the r have the covariance K = M diag(h**2) M', with h the shares of the
    weight and M = I - h 1'. The sum is then taken for a chi-square with the same mean and variance, which has
    trace(K)**2 / trace(K**2) degrees of freedom. Few large clusters among many small ones leave far fewer than G - 1.

    Parameters
    ----------
    weights : of each cluster, whole numbers in one unit, at least 0.

    Source: R. M. Bell and D. F. McCaffrey, Bias reduction in standard errors for linear regression with multi-stage
    samples, Survey Methodology 28 (2002); G. W. Imbens and M. Kolesár, Robust standard errors in small samples: some
    practical advice, Review of Economics and Statistics 98 (2016); A. C. Cameron and D. L. Miller, A practitioner's
    guide to cluster-robust inference, Journal of Human Resources 50 (2015), section VI.

    Examples
    --------
    >>> from nll.results.student import cluster_df
    >>> cluster_df([5, 5, 5, 5])
    3.0
    >>> round(cluster_df([100, 5, 5, 5]), 2)
    1.34
    """
    sizes = [w for w in weights if w > 0]
    count = len(sizes)
    if count < 2 or min(sizes) == max(sizes):
        return float(max(0, count - 1))
    shift = min((w & -w).bit_length() - 1 for w in sizes)
    sizes = [w >> shift for w in sizes]  # whole numbers, since for one large cluster the terms nearly cancel
    t, p2, p3, p4, p5 = (sum(w**power for w in sizes) for power in range(1, 6))
    trace = p2 * t * t - 2 * p3 * t + p2 * p2
    squared = p4 * t**4 - 4 * p5 * t**3 + (4 * p2 * p4 + 2 * p3 * p3) * t * t + p2**4 - 4 * p2 * p2 * p3 * t
    return max(1.0, min(count - 1.0, float(Fraction(trace * trace, squared))))


def _at(function: Any, t: float, df: float) -> float:
    with quiet():
        return float(function(np.float64(t), np.float64(df), np.float64(0.0), np.float64(1.0)))


@cache
def t_quantile(level: float, df: float) -> float:
    """Return the t with P(|T| <= t) = level of Student's T.

    Newton's steps in log t, in which the log of the tail is nearly straight far out: halving the doubles, as quantiles
    of any level need, takes 64 tails, a sixth of a second as plain Python.
    """
    from nll.families.studentt import StudentT

    if not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
    if df > 1e6:  # closer to the normal than 1e-6
        return normal_quantile(level)
    z, upper = normal_quantile(level), 0.5 - 0.5 * level
    t = z + z * (z * z + 1.0) / (4.0 * df)
    for _ in range(20):
        log_sf = _at(StudentT.log_sf, t, df)
        density = math.exp(-_at(StudentT.loss, t, df))
        step = (log_sf - math.log(upper)) * math.exp(log_sf) / density / t
        t *= math.exp(max(-1.0, min(1.0, step)))
        if abs(step) < 1e-9:  # the next one would be of its square
            return t
    return float(StudentT(df=float(df), loc=0.0, scale=1.0).quantile(upper, upper=True))
