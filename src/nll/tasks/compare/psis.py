"""Pareto smoothed importance sampling: the largest weights are replaced by quantiles of a fitted tail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LEAST_TAIL = 5  # draws to which a tail is fitted
GRID, PRIOR = 30, 3.0  # points of the profile, and its scale (Zhang and Stephens)
PRIOR_DRAWS, PRIOR_SHAPE = 10.0, 0.5  # a weakly informative prior of the shape


def smoothed_log_weights(log_ratios: Array, relative_efficiency: float = 1.0) -> tuple[Array, float]:
    """Return the smoothed log weights (draws,) of log importance ratios, and the Pareto k of their tail.

    The k is infinite, and nothing is smoothed, where there are too few draws for a tail, or it is constant.

    Source: A. Vehtari, D. Simpson, A. Gelman, Y. Yao and J. Gabry, Pareto smoothed importance sampling, Journal of
    Machine Learning Research 25 (2024).
    """
    draws = len(log_ratios)
    w = log_ratios - log_ratios.max()
    size = math.ceil(min(0.2 * draws, 3.0 * math.sqrt(draws / relative_efficiency)))
    if size < LEAST_TAIL or size >= draws:
        return w, math.inf
    order = np.argsort(w, kind="stable")
    tail, cut = order[-size:], math.exp(w[order[-size - 1]])
    if w[tail[-1]] - w[tail[0]] < np.finfo(float).eps * 10.0:
        return w, math.inf
    shape, scale = pareto_fit(np.exp(w[tail]) - cut)
    if math.isfinite(shape):
        p = (np.arange(size) + 0.5) / size
        with np.errstate(over="ignore"):
            quantiles = np.expm1(-shape * np.log1p(-p)) / shape if shape else -np.log1p(-p)
        w = w.copy()
        w[tail] = np.minimum(np.log(scale * quantiles + cut), 0.0)
    return w, shape


def pareto_fit(x: Array) -> tuple[float, float]:
    """Return shape and scale of a generalized Pareto distribution fitted to sorted exceedances x (n,).

    Source: J. Zhang and M. A. Stephens, A new and efficient estimation method for the generalized Pareto distribution,
    Technometrics 51 (2009); the shape is then drawn to 1/2 as if by ten more observations.
    """
    n = len(x)
    quartile = x[math.floor(n / 4.0 + 0.5) - 1]
    if not quartile > 0.0:
        return math.inf, math.nan
    points = GRID + math.isqrt(n)
    j = np.arange(1, points + 1)
    theta = 1.0 / x[-1] + (1.0 - np.sqrt(points / (j - 0.5))) / (PRIOR * quartile)
    with np.errstate(invalid="ignore", divide="ignore"):
        k = np.log1p(-theta[:, None] * x).mean(axis=1)
        profile = n * (np.log(-theta / k) - k - 1.0)
    weights = np.exp(profile - profile.max())
    mean = float((theta * weights).sum() / weights.sum())
    shape = float(np.log1p(-mean * x).mean())
    scale = -shape / mean
    shape = (shape * n + PRIOR_DRAWS * PRIOR_SHAPE) / (n + PRIOR_DRAWS)
    return (shape, scale) if math.isfinite(shape) else (math.inf, scale)
