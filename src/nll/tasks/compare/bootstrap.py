"""The Poisson bootstrap of a mean paired difference, by rows or by clusters: the same bits for any split."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.results.evidence import BootstrapDifference
from nll.tasks.compare.losses import paired
from nll.tasks.draws import cluster_keys, poisson_weights

Array = npt.NDArray[Any]

ROWS, REPLICATES = 2**14, 64  # of one block of weights, 8 MB of bits
SLICES, BITS = 3, 26  # a difference is cut into whole numbers of 26 bits, 78 in all below the largest


def bootstrap(
    a: Any, b: Any, *, cluster: Any = None, replicates: int = 1000, level: float = 0.95, seed: int = 0
) -> BootstrapDifference:
    """Return the bootstrap of the mean of l_b - l_a, with Poisson(1) weights for rows, or for clusters of them.

    A replicate is sum(w d) / sum(w). Weights come from a generator keyed by seed, replicate and the number of the row
    (or the value of the cluster), and sums are of whole numbers, so no split or order of the work changes a bit.

    Parameters
    ----------
    a, b : arrays (n,) of row losses in nats, or fits.
    cluster : (n,), the values that make clusters of dependent rows; they are drawn as a whole.
    replicates, seed : how many, and the key of their weights.
    level : of the percentile interval.

    Returns
    -------
    BootstrapDifference : positive differences favour a. A replicate that happens to draw no row is left out.

    Source: N. Chamandy, O. Muralidharan, A. Najmi and S. Naidu, Estimating uncertainty for massive data streams,
    Google technical report (2012).

    Examples
    --------
    >>> import nll
    >>> found = nll.bootstrap([1.0, 1.2, 0.9, 1.1, 1.3], [1.1, 1.5, 1.0, 1.0, 1.7], replicates=200)
    >>> round(found.mean_difference, 2), found.low > -0.05, found.high < 0.4
    (0.16, True, True)
    """
    if not isinstance(replicates, int) or replicates < 2:
        raise UsageError(f"replicates is a whole number of at least 2; got {replicates!r}")
    if not 0.0 < level < 1.0:
        raise UsageError(f"a confidence level is between 0 and 1; got {level!r}")
    if not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise UsageError(f"seed is a whole number from 0 to 2**64 - 1; got {seed!r}")
    pair = paired(a, b)
    totals, counts, keys = _units(pair.difference, cluster)
    draws = replicate_means(totals, counts, keys, replicates, seed)
    draws = draws[~np.isnan(draws)]
    low, high = np.quantile(draws, [0.5 - level / 2.0, 0.5 + level / 2.0])
    below, above = int((draws <= 0.0).sum()), int((draws >= 0.0).sum())
    return BootstrapDifference(
        math.fsum(pair.difference) / pair.n,
        float(draws.std(ddof=1)),
        float(low),
        float(high),
        min(1.0, 2.0 * (1 + min(below, above)) / (len(draws) + 1)),
        level,
        len(draws),
        seed,
        pair.n,
        None if cluster is None else len(totals),
        draws,
    )


def _units(d: Array, cluster: Any) -> tuple[Array, Array, Array]:
    """Return sum of differences, rows and key of what is drawn: each row, or each cluster."""
    if cluster is None:
        return d, np.ones(len(d), np.int64), np.arange(len(d), dtype=np.uint64)
    values = np.asarray(cluster)
    if values.shape != d.shape:
        raise DataError(f"cluster has shape {values.shape}, the losses {d.shape}")
    codes, keys = cluster_keys(values)
    if len(keys) < 2:
        raise DataError("a clustered bootstrap needs at least two clusters; there is one")
    order = np.argsort(codes, kind="stable")
    parts = np.split(d[order], np.flatnonzero(np.diff(codes[order])) + 1)
    return np.array([math.fsum(part) for part in parts]), np.bincount(codes), keys


def replicate_means(totals: Array, counts: Array, keys: Array, replicates: int, seed: int, rows: int = ROWS) -> Array:
    """Return sum(w total) / sum(w count) of each replicate; NaN where no unit is drawn."""
    slices, unit = whole_slices(totals)
    columns = np.column_stack([*slices, counts]).astype(np.float64)
    sums = np.zeros((replicates, columns.shape[1]), object)
    for first in range(0, replicates, REPLICATES):
        which = np.arange(first, min(first + REPLICATES, replicates))
        for start in range(0, len(keys), rows):
            weights = poisson_weights(seed, which, keys[start : start + rows]).astype(np.float64)
            # Products and sums of whole numbers below 2**53 are exact in any order, in BLAS too.
            sums[which] += (weights @ columns[start : start + rows]).astype(np.int64).astype(object)
    return np.array([_mean(row, unit) for row in sums.tolist()])


def whole_slices(values: Array) -> tuple[list[Array], int]:
    """Return whole numbers s_j with values = sum_j s_j 2**(unit + BITS (SLICES - 1 - j)), to 78 bits, and the unit."""
    largest = float(np.abs(values).max())
    exponent = math.frexp(largest)[1]
    rest, slices = np.ldexp(values, -exponent), []
    for _ in range(SLICES):
        rest = np.ldexp(rest, BITS)
        whole = np.rint(rest)
        slices.append(whole)
        rest = rest - whole
    return slices, exponent - SLICES * BITS


def _mean(sums: list[int], unit: int) -> float:
    *parts, count = sums
    if count == 0:
        return math.nan
    total = 0
    for part in parts:
        total = (total << BITS) + part
    return math.ldexp(total / count, unit)
