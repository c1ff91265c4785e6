"""The parts of the log score of a forecast event, by isotonic recalibration."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.families.bernoulli import Bernoulli, BernoulliLogits
from nll.kernels.kernel import kernel, read_only
from nll.results.decomposition import Part
from nll.tasks.decompose.cells import Cells
from nll.tasks.decompose.isotonic import isotonic

Array = npt.NDArray[Any]
BLOCK = 2**15  # cells that a pass takes at a time
# What a block of a fit adds to its excess over the truth: mean and variance, in nats over all rows (see `excess`).
# The variance 0.63 is simulated: 2.52 / 4, from 400 increasing fits to normal rows with 1,118 blocks on average.
ONE_FORECAST, MANY_FORECASTS, ONE_OUTCOME = (0.5, 0.5), (0.75, 0.63), (1.0, 1.0)


class Recalibrated(NamedTuple):
    """Blocks of forecasts that mean the same: their first cell, weight and events; and the losses of each."""

    first: Array
    weight: Array
    events: Array

    @property
    def share(self) -> Array:
        """The share of events in each block."""
        return self.events / self.weight

    def losses(self) -> tuple[Array, Array]:
        """Return the loss of each block where the event did not happen, and where it did."""
        with np.errstate(divide="ignore"):
            lost, won = (np.log(part / self.weight) for part in (self.weight - self.events, self.events))
        return 0.0 - lost, 0.0 - won

    def entropy(self) -> float:
        """Return the mean loss of the blocks' own shares; a block of one outcome has the loss 0."""
        total = math.fsum(self.weight)
        terms = []
        for loss, mass in zip(self.losses(), (self.weight - self.events, self.events), strict=True):
            terms += (loss[mass > 0.0] * mass[mass > 0.0]).tolist()
        return math.fsum(terms) / total if total else math.nan


class Excess(NamedTuple):
    """How much lower the mean loss of a map that was fitted to the rows is than that of the best map: mean and sd."""

    mean: float
    sd: float


class Means(NamedTuple):
    """The means of the parts."""

    miscalibration: float
    discrimination: float
    uncertainty: float
    entropy: float


def recalibrated(cells: Cells, mass: Array | None = None) -> Recalibrated:
    """Return the isotonic fit of events to forecasts."""
    return Recalibrated(*isotonic(cells.forecast, cells.happened, cells.mass if mass is None else mass))


def marginal(cells: Cells, mass: Array | None = None) -> Recalibrated:
    """Return one block of all forecasts: the share of events."""
    mass = cells.mass if mass is None else mass
    total = np.array([mass.sum()]), np.array([(mass * cells.happened).sum()])
    return Recalibrated(np.zeros(1, np.int64), *total)


def cell_losses(cells: Cells, start: int = 0, stop: int | None = None) -> Array:
    """Return the loss of a row of each cell."""
    form = BernoulliLogits if cells.logits else Bernoulli
    y, forecast = (np.ascontiguousarray(each[start:stop]) for each in (cells.happened, cells.forecast))
    return kernel(form).rows(read_only(y.view(np.uint8)), (read_only(forecast),))


def of_blocks(cells: Cells, blocks: Recalibrated, start: int = 0, stop: int | None = None) -> Array:
    """Return the loss of a row of each cell under a recalibration."""
    stop = cells.forecast.size if stop is None else stop
    a, b = (int(np.searchsorted(blocks.first, i, side="right")) - 1 for i in (start, stop - 1))
    sizes = np.diff(np.concatenate([[start], blocks.first[a + 1 : b + 1], [stop]]))
    lost, won = (np.repeat(loss[a : b + 1], sizes) for loss in blocks.losses())
    return np.where(cells.happened[start:stop], won, lost)


def means(cells: Cells, score: float, blocks: Recalibrated, mass: Array | None = None) -> Means:
    """Return the parts of a mean score."""
    entropy, uncertainty = blocks.entropy(), marginal(cells, mass).entropy()
    return Means(max(score - entropy, 0.0), max(uncertainty - entropy, 0.0), uncertainty, entropy)


def delta_errors(cells: Cells, blocks: Recalibrated, mean: Means, threads: int) -> Means:
    """Return the standard error of each part, by the delta method.

    The score of the best increasing map is a minimum, so that to first order its map may be held fixed: each part
    is the mean of a difference of row losses. The errors are those that `nll.Score.stderr` has.
    """
    everyone, total = marginal(cells), float(cells.mass.sum())
    clusters = cells.clusters()

    def squares(start: int) -> Array:
        # Clusters take one pass: each block would have a sum for every cluster.
        stop = cells.forecast.size if clusters else min(start + BLOCK, cells.forecast.size)
        own, best = cell_losses(cells, start, stop), of_blocks(cells, blocks, start, stop)
        alike = of_blocks(cells, everyone, start, stop)
        terms = [x - m for x, m in zip((own - best, alike - best, alike, best), mean, strict=True)]
        if clusters:
            assert cells.cluster is not None
            which, mass = cells.cluster[start:stop], cells.mass[start:stop]
            return np.array([np.bincount(which, mass * t, clusters) for t in terms])
        weight = 1.0 if cells.weight is None else cells.weight[start:stop]
        return np.array([(cells.count[start:stop] * (weight * t) ** 2).sum() for t in terms])

    with np.errstate(invalid="ignore", over="ignore"):
        sums = squares(0) if clusters else np.array(sum(in_blocks(squares, cells.forecast.size, threads)))
    units = clusters or int(cells.count.sum())
    if units < 2:
        return Means(*[math.nan] * 4)
    found = (sums * sums).sum(axis=1) if clusters else sums
    errors = np.sqrt(units / (units - 1.0) * found) / total
    # What the rounding of equal numbers makes up is no error.
    small = [2.0**-25 * abs(m) / math.sqrt(units) for m in mean]
    kept = [0.0 if e <= s else e for e, s in zip(errors.tolist(), small, strict=True)]
    return Means(*(e if math.isfinite(e) else math.nan for e in kept))


def in_blocks(task: Any, size: int, threads: int) -> list[Any]:
    """Return task(start) of each block of cells, in order: blocks stay in cache, and threads share them."""
    starts = range(0, size, BLOCK)
    if threads == 1 or len(starts) < 4:
        return [task(start) for start in starts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(task, starts))


def bootstrap_errors(cells: Cells, replicates: int, seed: int) -> Means:
    """Return the standard deviation of each part over Poisson bootstrap replicates of rows, or of clusters.

    A cell of n rows gets a Poisson(n) number of them, which is the sum of n Poisson(1) weights.

    Source: J. A. Hanley and B. MacGibbon, Creating non-parametric bootstrap samples using Poisson frequencies,
    Computer Methods and Programs in Biomedicine 83 (2006).
    """
    rng, own, found = np.random.default_rng(seed), cell_losses(cells), []
    for _ in range(replicates):
        if cells.cluster is None:
            counts = rng.poisson(cells.count)
            mass = counts.astype(np.float64) if cells.weight is None else counts * cells.weight
        else:
            mass = rng.poisson(1.0, cells.clusters())[cells.cluster] * cells.mass
        if mass.sum() > 0.0:
            used = mass > 0.0
            score = float((mass[used] * own[used]).sum() / mass.sum())
            found.append(means(cells, score, recalibrated(cells, mass), mass))
    with np.errstate(invalid="ignore"):
        deviations = [float(np.std(np.array(column), ddof=1)) for column in zip(*found, strict=True)]
    return Means(*(d if math.isfinite(d) else math.nan for d in deviations))


def excess(cells: Cells, blocks: Recalibrated) -> Excess:
    """Return by how much the rows flatter a recalibration that was fitted to them.

    A fitted share of events is off by a chi-square of one degree of freedom: each block adds 1/2 nat, with variance
    1/2. Where forecasts differ, the blocks themselves are found in the rows. The sum of squares of an increasing fit
    then has n - 1.5 blocks degrees of freedom rather than n - blocks, and a block adds 3/4. An end block of one
    outcome adds the hazard of the rows before the first exception, an exponential of mean 1. Blocks of dependent or
    weighted rows add more, by `dispersion`.

    Source: M. Meyer and M. Woodroofe, On the degrees of freedom in shape-restricted regression, Annals of Statistics
    28 (2000), for 1.5.
    """
    last = np.append(blocks.first[1:], cells.forecast.size) - 1
    alone = (cells.forecast[blocks.first] == cells.forecast[last]) | (blocks.first.size == 1)
    pure = (blocks.events == 0.0) | (blocks.events == blocks.weight)
    counts = [int(np.count_nonzero(which)) for which in (alone, ~alone & ~pure, ~alone & pure)]
    kinds = (ONE_FORECAST, MANY_FORECASTS, ONE_OUTCOME)
    mean, variance = (sum(n * kind[i] for n, kind in zip(counts, kinds, strict=True)) for i in (0, 1))
    ratio = dispersion(cells, blocks) / math.fsum(blocks.weight)
    return Excess(ratio * mean, ratio * math.sqrt(variance))


def dispersion(cells: Cells, blocks: Recalibrated) -> float:
    """Return how many times the variance of sums of events within blocks is that of independent rows of weight 1.

    Clusters count for at least as much as their rows would on their own: sums over few clusters a block come out too
    small, since the block's share was fitted to them.

    Source: the trace of J^-1 V of K. Takeuchi's criterion, as in H. White, Maximum likelihood estimation of
    misspecified models, Econometrica 50 (1982), with J and V summed over the blocks.
    """
    if cells.weight is None and cells.cluster is None:
        return 1.0
    sizes = np.diff(np.append(blocks.first, cells.forecast.size))
    block = np.repeat(np.arange(sizes.size), sizes)
    residual = cells.happened - blocks.share[block]
    squares = float((cells.mass * residual**2).sum())
    weight = 1.0 if cells.weight is None else cells.weight
    found = float((cells.count * (weight * residual) ** 2).sum())
    alike = float((cells.count * np.square(weight)).sum())
    if cells.cluster is not None:
        which = np.unique(block * cells.clusters() + cells.cluster, return_inverse=True)[1]
        found = max(found, float((np.bincount(which, cells.mass * residual) ** 2).sum()))
        alike = max(alike, float((np.bincount(which, cells.mass) ** 2).sum()))
    # Where each block has one outcome nothing is left to compare: then as if the rows of a unit were alike.
    return found / squares if squares > 0.0 else alike / float(cells.mass.sum())


def parts(mean: Means, error: Means, fitted: Excess, constant: Excess, quantile: float) -> dict[str, Part]:
    """Return the parts by name, with intervals about the corrected means, which are not cut at 0.

    Parameters
    ----------
    fitted, constant : of the recalibrated forecasts, and of the share of events as a forecast for every row.
    quantile : by how many standard errors intervals go to either side.
    """
    bias = Means(fitted.mean, fitted.mean - constant.mean, -constant.mean, -fitted.mean)
    apart = math.sqrt(max(fitted.sd**2 - constant.sd**2, 0.0))  # the constant is part of both
    spread = Means(fitted.sd, apart, constant.sd, fitted.sd)
    out = {}
    for name, m, e, b, s in zip(Means._fields, mean, error, bias, spread, strict=True):
        total = math.hypot(e, s)
        out[name] = Part(m, total, m - b - quantile * total, m - b + quantile * total, b)
    return out


def error_of(cells: Cells, x: Array, mean: float) -> float:
    """Return the standard error of the mean of a number a row."""
    t, clusters = x - mean, cells.clusters()
    units = clusters or int(cells.count.sum())
    if units < 2:
        return math.nan
    if clusters:
        assert cells.cluster is not None
        squares = float((np.bincount(cells.cluster, cells.mass * t, clusters) ** 2).sum())
    else:
        squares = float((cells.count * (t if cells.weight is None else cells.weight * t) ** 2).sum())
    return math.sqrt(units / (units - 1.0) * squares) / float(cells.mass.sum())
