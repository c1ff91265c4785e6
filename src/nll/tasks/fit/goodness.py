"""Tests of a fitted distribution on its data: quantile residuals, distances of distribution functions, counts.

The parameters were estimated from the same rows, so the tables of these tests do not hold. Their p-values come from
samples of the fitted distribution that are fitted again, each as the data were.

Source: Stute, Manteiga and Quindimil, Bootstrap Based Goodness-Of-Fit-Tests, Metrika 40 (1993), 243-256.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.families.family import Family
from nll.families.values import mapped
from nll.numerics.elementary import log
from nll.numerics.normal_tails import ndtri_of_logs
from nll.results.fit import Fit
from nll.results.fit_show import described
from nll.results.fits import Fits
from nll.results.goodness import Goodness, Outcome, quantiles
from nll.results.scale import normal_quantile
from nll.tasks.draws import uniforms
from nll.tasks.fit.again import Again, Rows

Array = npt.NDArray[Any]

NAMES = {
    "kolmogorov_smirnov": "Kolmogorov-Smirnov D",
    "anderson_darling": "Anderson-Darling A2",
    "cramer_von_mises": "Cramér-von Mises W2",
}
MOST_PLOTTED = 1000  # points of a plot: of more rows every so many
EXPECTED = 5.0  # rows in a cell of the chi-square test
AT_ONCE = 2**20  # rows of replicates whose statistics are found together
MOST_ROWS = 2**24  # after rows of whole weights are repeated


def goodness_of(again: Again, fit: Fit, *, replicates: int = 199, rng: int = 0) -> Goodness:
    """Return tests of a fitted distribution on its data.

    Parameters
    ----------
    again, fit : the data and the fit.
    replicates : samples of the fitted distribution that are fitted again; 0 gives statistics without p-values.
    rng : the seed, a whole number.
    """
    if not isinstance(rng, (int, np.integer)) or rng < 0 or replicates < 0:
        raise UsageError(f"goodness needs a seed rng and replicates of at least 0; got {rng!r}, {replicates!r}")
    seed, rows = int(rng), repeated(again.rows(fit))
    dist = fit.family(**{**fit.params, **rows.fixed})
    u = uniforms(seed, np.zeros(1), np.arange(rows.size))[0] if fit.dist.discrete else None
    tails = log_tails(dist, rows.y, u)
    edges = cells(dist, rows.y) if dist.discrete and not fit.by_row else None
    observed = statistics(*tails)
    if edges is not None:
        observed["chi_square"] = chi_square(np.asarray(dist.sf(edges)), rows.y, edges)
    drawn, failed = _bootstrap(again, fit, rows, edges, replicates, seed) if replicates else ({}, 0)
    tests = {name: _test(name, value, drawn.get(name), edges, fit.k) for name, value in observed.items()}
    residuals = np.asarray(mapped(ndtri_of_logs, *tails))
    p, ordered, pp, worm = _plots(rows.y, tails, residuals)
    same = None if fit.by_row else dist
    return Goodness(described(fit), rows.size, tests, replicates, failed, seed, residuals, pp, worm, p, ordered, same)


def repeated(rows: Rows) -> Rows:
    """Return rows of whole weights as often as they count."""
    if rows.bounds:
        raise UsageError("goodness of fit needs values that are seen: these are censored, truncated or in intervals")
    if rows.weights is None or (rows.weights == 1.0).all():
        return Rows(rows.y, rows.fixed, None)
    if (rows.weights != np.floor(rows.weights)).any() or rows.weights.sum() > MOST_ROWS:
        raise UsageError(
            "goodness of fit needs whole weights, which count rows: a weight that is none has no distribution"
        )
    times = rows.weights.astype(np.int64)
    fixed = {name: np.repeat(v, times) if np.ndim(v) else v for name, v in rows.fixed.items()}
    return Rows(np.repeat(rows.y, times), fixed, None)


def log_tails(dist: Family, y: Array, u: Array | None) -> tuple[Array, Array]:
    """Return log P(Y <= y) and log P(Y > y); of a discrete distribution at a place u in the step at y.

    Source: Dunn and Smyth, Randomized Quantile Residuals, section 2.
    """
    log_cdf, log_sf = np.asarray(dist.log_cdf(y)), np.asarray(dist.log_sf(y))
    if u is None:
        return log_cdf, log_sf
    below, above = np.exp(dist.log_cdf(y - 1.0)), np.exp(dist.log_sf(y - 1.0))
    # Both tails are means of tails, so neither loses digits where the other is near 1.
    lower = (1.0 - u) * below + u * np.exp(log_cdf)
    upper = (1.0 - u) * above + u * np.exp(log_sf)
    return np.asarray(mapped(log, lower)), np.asarray(mapped(log, upper))


def statistics(log_cdf: Array, log_sf: Array) -> dict[str, Any]:
    """Return the distances between the uniform distribution and values (..., n) given as logs of both their tails.

    Source: Stephens, EDF Statistics for Goodness of Fit and Some Comparisons, section 2.
    """
    n = log_cdf.shape[-1]
    # In the order of u; beyond 1/2 the upper tail tells apart what rounds to 1 in the lower.
    lower, upper = np.sort(log_cdf, axis=-1), np.sort(log_sf, axis=-1)
    u = np.exp(lower)
    i = np.arange(1, n + 1)
    above, under = (i / n - u).max(axis=-1), (u - (i - 1) / n).max(axis=-1)
    # The formula pairs the i-th smallest u with the i-th largest, whose log_sf is the i-th smallest.
    darling = -n - ((2 * i - 1) / n * (lower + upper)).sum(axis=-1)
    mises = 1.0 / (12.0 * n) + ((u - (2 * i - 1) / (2.0 * n)) ** 2).sum(axis=-1)
    found = {"kolmogorov_smirnov": np.maximum(above, under), "anderson_darling": darling, "cramer_von_mises": mises}
    return {name: value if np.ndim(value) else float(value) for name, value in found.items()}


def cells(dist: Family, y: Array) -> Array | None:
    """Return the upper ends of all cells but the last, about equally probable, or None where there are too few rows.

    About 2 n**(2/5) cells, each with 5 rows expected or more.

    Source: Moore, Tests of Chi-Squared Type, in D'Agostino and Stephens, Goodness-of-Fit Techniques, section 3.2.
    """
    n = len(y)
    wanted = min(int(2.0 * n**0.4), int(n / EXPECTED))
    if wanted < 2:
        return None
    ends = np.unique(quantiles(dist, np.arange(1, wanted) / wanted, float(y.min()), float(y.max())))
    kept: list[float] = []
    before = 0.0
    for end in ends:
        reached = float(dist.cdf(end))
        if n * (reached - before) >= EXPECTED and n * float(dist.sf(end)) >= EXPECTED:
            kept.append(float(end))
            before = reached
    return np.array(kept) if kept else None


def chi_square(survival: Array, y: Array, edges: Array) -> float:
    """Return the sum of (observed - expected)**2 / expected over the cells, given P(Y > edge)."""
    observed = np.bincount(np.searchsorted(edges, y, side="left"), minlength=len(edges) + 1)
    upper = np.concatenate([[1.0], survival, [0.0]])
    expected = len(y) * -np.diff(upper)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sum((observed - expected) ** 2 / expected))


def _bootstrap(
    again: Again, fit: Fit, rows: Rows, edges: Array | None, replicates: int, seed: int
) -> tuple[dict[str, Array], int]:
    """Return the statistics of replicates that converged, and how many did not."""
    dist = fit.family(**{**fit.params, **rows.fixed})
    by_row = any(np.ndim(v) for v in rows.fixed.values())

    def sample(numbers: Array) -> Array:
        found = np.empty((len(numbers), rows.size))
        for i, number in enumerate(numbers):
            # A generator a replicate: the same samples however they are shared out.
            random = np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64)))
            found[i] = dist.sample(1, random)[0] if by_row else dist.sample(rows.size, random)
        return found

    fits = again.many(fit, rows, lambda numbers: (sample(numbers), None), replicates)
    used = np.flatnonzero(np.asarray(fits.converged, bool))
    parts = [
        _of_replicates(fit, fits, rows, part, sample(part), seed, edges)
        for part in np.array_split(used, max(1, math.ceil(len(used) * rows.size / AT_ONCE)))
        if len(part)
    ]
    names = parts[0] if parts else {}
    return {name: np.concatenate([part[name] for part in parts]) for name in names}, replicates - len(used)


def _of_replicates(
    fit: Fit, fits: Fits, rows: Rows, numbers: Array, y: Array, seed: int, edges: Array | None
) -> dict[str, Array]:
    """Return the statistics of some replicates, each under its own fit."""
    theta = {name: np.asarray(values)[numbers, None] for name, values in fits.params.items()}
    own = fit.family(**{**theta, **rows.fixed})
    u = uniforms(seed, numbers + 1, np.arange(rows.size)) if own.discrete else None
    found: dict[str, Array] = statistics(*log_tails(own, y, u))
    if edges is not None:
        survival = np.asarray(own.sf(edges[None, :]))
        found["chi_square"] = np.array([chi_square(sf, row, edges) for sf, row in zip(survival, y, strict=True)])
    return found


def _test(name: str, value: float, drawn: Array | None, edges: Array | None, k: int) -> Outcome:
    p = math.nan if drawn is None or math.isnan(value) else float((1 + np.sum(drawn >= value)) / (1 + len(drawn)))
    df = float(len(edges) - k) if name == "chi_square" and edges is not None else math.nan
    return Outcome(NAMES.get(name, "chi-square"), float(value), p, df)


def _plots(
    y: Array, tails: tuple[Array, Array], residuals: Array
) -> tuple[Array, Array, dict[str, Array], dict[str, Array]]:
    """Return probabilities and sorted observations for a QQ plot, and the data of PP and worm plots.

    Source: van Buuren and Fredriks, Worm plot: a simple diagnostic device for modelling growth reference curves,
    section 2.
    """
    n = len(y)
    at = np.unique(np.linspace(0, n - 1, min(n, MOST_PLOTTED)).round().astype(np.int64))
    p = (at + 0.5) / n
    pp = {"theoretical": p, "observed": np.exp(np.sort(tails[0])[at])}
    normal = np.asarray(mapped(ndtri_of_logs, np.log(p), np.log1p(-p)))
    density = np.exp(-0.5 * normal**2) / math.sqrt(2.0 * math.pi)
    band = normal_quantile(0.95) * np.sqrt(p * (1.0 - p) / n) / density
    worm = {"theoretical": normal, "deviation": np.sort(residuals)[at] - normal, "band95": band}
    return p, np.sort(y)[at], pp, worm
