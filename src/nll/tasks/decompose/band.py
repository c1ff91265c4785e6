"""What calibrated forecasts would look like: the band of a reliability diagram, and the p-value of miscalibration."""

from __future__ import annotations

import math

import numpy as np

from nll.tasks.decompose.cells import Cells
from nll.tasks.decompose.corp import Means, Recalibrated
from nll.tasks.decompose.isotonic import isotonic


def consistency_band(
    cells: Cells, blocks: Recalibrated, mean: Means, draws: int, level: float, seed: int
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Return the pointwise band of observed shares at the middle forecast of each block, and a p-value of calibration.

    Outcomes are drawn from the forecasts, row by row and independent of each other, and recalibrated as the data are.
    The p-value is the share of draws, with the data among them, of at least as much miscalibration; NaN where rows of
    clusters depend on each other, as drawn ones do not.

    Source: T. Dimitriadis, T. Gneiting and A. I. Jordan, Stable reliability diagrams for probabilistic classifiers,
    PNAS 118 (2021), section "Uncertainty quantification" (resampling under the hypothesis of calibration).
    """
    if not draws:
        return (), (), math.nan
    from nll.tasks.decompose.decompose import probabilities

    rng = np.random.default_rng(seed)
    p, weight = probabilities(cells), 1.0 if cells.weight is None else cells.weight
    middle = (blocks.first + np.append(blocks.first[1:], cells.forecast.size) - 1) // 2
    sides, found = np.tile([False, True], cells.forecast.size), np.empty((draws, middle.size))
    forecasts, losses, beyond = np.repeat(cells.forecast, 2), both_losses(p), 1
    for k in range(draws):
        events = rng.binomial(cells.count, p)
        outcomes = np.stack([weight * (cells.count - events), weight * events], axis=1).reshape(-1)
        first, mass, happened = isotonic(forecasts, sides, outcomes)
        score = float((outcomes * losses).sum() / outcomes.sum())
        beyond += score - Recalibrated(first, mass, happened).entropy() >= mean.miscalibration
        first //= 2
        found[k] = (happened / mass)[np.searchsorted(first, middle, side="right") - 1]
    low, high = np.quantile(found, [0.5 - level / 2.0, 0.5 + level / 2.0], axis=0)
    p_value = math.nan if cells.cluster is not None else beyond / (draws + 1)
    return tuple(low.tolist()), tuple(high.tolist()), p_value


def both_losses(p: np.ndarray) -> np.ndarray:
    """Return the loss of a row of each cell without the event, and with it; 0 of what cannot be drawn."""
    with np.errstate(divide="ignore"):
        both = -np.stack([np.log1p(-p), np.log(p)], axis=1).reshape(-1)
    return np.where(np.isfinite(both), both, 0.0)
