"""Bayesian comparison from matrices of pointwise log-likelihoods: PSIS-LOO, WAIC, stacking."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.results.evidence import Elpd, ElpdComparison, StackingWeights
from nll.tasks.compare.psis import smoothed_log_weights

Array = npt.NDArray[Any]

GAP = 1e-10  # nats a row by which stacking may fall short
MOST_STEPS = 200


def loo(log_likelihood: Any, *, relative_efficiency: float = 1.0) -> Elpd:
    """Estimate the log predictive density of new data by leave-one-out, from posterior draws (PSIS-LOO).

    Parameters
    ----------
    log_likelihood : (draws, n) or (chains, draws, n): the log-likelihood of each observation at each posterior draw.
    relative_efficiency : of the draws: effective sample size over their number, 1 for independent ones.

    Returns
    -------
    Elpd : with `pareto_k` by observation; notes name how many are too large. `se` has divisor n - 1, as in R's loo;
        arviz has n.

    Source: A. Vehtari, A. Gelman and J. Gabry, Practical Bayesian model evaluation using leave-one-out
    cross-validation and WAIC, Statistics and Computing 27 (2017); A. Vehtari, D. Simpson, A.
    Gelman, Y. Yao and J. Gabry, Pareto smoothed importance sampling, JMLR 25 (2024).

    Examples
    --------
    >>> import numpy as np
    >>> import nll
    >>> rng = np.random.default_rng(0)
    >>> draws, y = rng.normal(0.0, 0.1, (1000, 1)), np.array([0.3, -1.0, 0.8])
    >>> found = nll.loo(-0.5 * np.log(2.0 * np.pi) - 0.5 * (y - draws) ** 2)
    >>> round(found.elpd, 1), bool((found.pareto_k < 0.7).all())
    (-3.6, True)
    """
    values = _matrix(log_likelihood)
    if not 0.0 < relative_efficiency < math.inf:
        raise UsageError(f"relative_efficiency is positive; got {relative_efficiency!r}")
    pointwise, k = np.empty(values.shape[1]), np.empty(values.shape[1])
    for i, column in enumerate(values.T):
        weights, k[i] = smoothed_log_weights(-column, relative_efficiency)
        pointwise[i] = log_sum_exp(weights + column) - log_sum_exp(weights)
    threshold = min(1.0 - 1.0 / math.log10(len(values)), 0.7) if len(values) > 10 else 0.0
    effective = float((_log_mean_exp(values) - pointwise).sum())
    return _elpd(pointwise, effective, len(values), "psis-loo", pareto_k=k, threshold=threshold)


def waic(log_likelihood: Any) -> Elpd:
    """Estimate the log predictive density of new data by the widely applicable information criterion.

    elpd = sum_i (log mean_s p_si - var_s log p_si), the variance with divisor draws - 1.

    Parameters
    ----------
    log_likelihood : (draws, n) or (chains, draws, n), as in `loo`.

    Source: A. Vehtari, A. Gelman and J. Gabry (2017, see `loo`).

    Examples
    --------
    >>> import nll
    >>> w = nll.waic([[-1.0, -2.0], [-1.2, -1.8], [-0.9, -2.1]])
    >>> round(w.elpd, 4), round(w.p, 4)
    (-3.0311, 0.0467)
    """
    values = _matrix(log_likelihood)
    variances = values.var(axis=0, ddof=1)
    pointwise = _log_mean_exp(values) - variances
    many = int((variances > 0.4).sum())
    return _elpd(pointwise, float(variances.sum()), len(values), "waic", high_variances=many)


def _elpd(pointwise: Array, p: float, draws: int, method: str, **more: Any) -> Elpd:
    n = len(pointwise)
    se = math.sqrt(n) * float(pointwise.std(ddof=1)) if n > 1 else math.nan
    return Elpd(math.fsum(pointwise), se, p, n, draws, method, pointwise, **more)


def _matrix(log_likelihood: Any) -> Array:
    try:
        values = np.asarray(log_likelihood, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"log_likelihood must hold numbers; got {type(log_likelihood).__name__}") from None
    if values.ndim == 3:
        values = values.reshape(-1, values.shape[-1])
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 1:
        raise DataError(f"log_likelihood has a row for each of at least 2 draws: (draws, n); got shape {values.shape}")
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        s, i = wrong[0].tolist()
        raise DataError(f"the log-likelihood of observation {i} at draw {s} is {float(values[s, i])!r}, not finite")
    return values


def log_sum_exp(values: Array) -> Array:
    """Return log(sum(exp(values))) down the columns."""
    top = values.max(axis=0)
    return top + np.log(np.exp(values - top).sum(axis=0))


def _log_mean_exp(values: Array) -> Array:
    return log_sum_exp(values) - math.log(len(values))


def stacking(models: Any) -> StackingWeights:
    """Return the weights of the mixture of predictive distributions with the highest sum of log densities.

    maximise sum_i log sum_k w_k exp(elpd_ik) over weights of sum 1: a concave problem, solved by an interior-point
    method until it is proved to be within 1e-10 nats a row of the optimum.

    Parameters
    ----------
    models : {name: pointwise log predictive densities (n,) or an Elpd}, or a matrix (n, models). They must be of data
        that the models were not fitted to, or left out, as in `loo`.

    Source: Y. Yao, A. Vehtari, D. Simpson and A. Gelman, Using stacking to average Bayesian predictive distributions,
    Bayesian Analysis 13 (2018).

    Examples
    --------
    >>> import nll
    >>> s = nll.stacking({"a": [-1.0, -1.0, -3.0], "b": [-2.0, -2.0, -1.0]})
    >>> [round(w, 4) for w in s.weights]
    [0.577, 0.423]
    """
    names, values = pointwise_matrix(models)
    tops = values.max(axis=1, keepdims=True)
    densities = np.exp(values - tops)
    weights, gap = stacked(densities)
    n = len(values)
    elpd = math.fsum(np.log(densities @ weights) + tops[:, 0])
    return StackingWeights(names, tuple(map(float, weights)), elpd, n * gap, n)


def pointwise_matrix(models: Any) -> tuple[tuple[str, ...], Array]:
    """Return names and pointwise log densities (n, models)."""
    if isinstance(models, Mapping):
        names = tuple(map(str, models))
        columns = [np.asarray(getattr(m, "pointwise", m), np.float64) for m in models.values()]
    else:
        values = np.asarray(models, np.float64)
        if values.ndim != 2:
            raise DataError(f"models is a dict, or a matrix (n, models); got shape {values.shape}")
        names, columns = tuple(f"model {j}" for j in range(values.shape[1])), list(values.T)
    if len({c.shape for c in columns}) > 1 or not columns or columns[0].ndim != 1 or not columns[0].size:
        raise DataError(f"models have one number for each of the same observations; got {[c.shape for c in columns]}")
    values = np.column_stack(columns)
    if np.isnan(values).any() or (values == np.inf).any() or (values.max(axis=1) == -np.inf).any():
        raise DataError("log densities must be numbers, and each observation possible under some model")
    return names, values


def stacked(densities: Array) -> tuple[Array, float]:
    """Return the weights that maximise the mean of log(densities @ w), and how far from the maximum that can be.

    Minimises -mean log(P w) + sum w over w >= 0, whose solution sums to 1, by primal-dual steps. At weights of sum 1
    with negative gradient g the mean log is within log(max g) of its maximum: that is the certificate.
    """
    n, m = densities.shape
    w, z, centre = np.full(m, 1.0 / m), np.ones(m), 1.0
    best, best_gap = w, math.inf
    for _ in range(MOST_STEPS):
        ratios = densities / (densities @ w)[:, None]
        g = ratios.mean(axis=0)
        scaled = w / w.sum()
        gap = math.log(max(1.0, float(g.max()) * float(w.sum())))
        if gap < best_gap:
            best, best_gap = scaled, gap
        if best_gap < GAP:
            break
        centre = 0.1 * float(w @ z) / m
        hessian = ratios.T @ ratios / n
        step = np.linalg.solve(hessian + np.diag(z / w), g - 1.0 + centre / w)
        dual = centre / w - z - z / w * step
        length = min([0.99, *(-0.99 * w / step)[step < 0.0], *(-0.99 * z / dual)[dual < 0.0]])
        w, z = w + length * step, z + length * dual
    best = np.where(best < GAP, 0.0, best)
    return best / best.sum(), best_gap


def loo_compare(models: Mapping[str, Elpd]) -> ElpdComparison:
    """Return models in order of elpd, with the difference to the best and its paired standard error.

    se_diff = sqrt(n) times the standard deviation (divisor n - 1) of the pointwise differences.

    Parameters
    ----------
    models : {name: what `loo` or `waic` returned}, of the same observations by the same method.
    """
    if not isinstance(models, Mapping) or len(models) < 2:
        raise UsageError("loo_compare takes a dict of at least two models, {name: nll.loo(...)}")
    methods = {m.method for m in models.values()}
    if len(methods) > 1:
        raise UsageError(f"estimates by different methods do not compare: {', '.join(sorted(methods))}")
    names, values = pointwise_matrix(models)
    n = len(values)
    totals = [math.fsum(column) for column in values.T]
    order = sorted(range(len(names)), key=lambda j: -totals[j])
    differences = [values[:, j] - values[:, order[0]] for j in order]
    weights = stacking(models).weights
    return ElpdComparison(
        tuple(names[j] for j in order),
        tuple(totals[j] for j in order),
        tuple(math.fsum(d) for d in differences),
        tuple(math.sqrt(n) * float(d.std(ddof=1)) if n > 1 else math.nan for d in differences),
        tuple(weights[j] for j in order),
        n,
    )
