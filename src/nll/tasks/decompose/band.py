"""The consistency band of a reliability diagram: where shares of events would lie if forecasts meant what they say."""

from __future__ import annotations

import numpy as np

from nll.tasks.decompose.cells import Cells
from nll.tasks.decompose.corp import Recalibrated
from nll.tasks.decompose.isotonic import isotonic


def consistency_band(
    cells: Cells, blocks: Recalibrated, draws: int, level: float, seed: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the pointwise band of observed shares at the middle forecast of each block.

    Outcomes are drawn from the forecasts, row by row and independent of each other, and recalibrated as the data are.

    Source: T. Dimitriadis, T. Gneiting and A. I. Jordan, Stable reliability diagrams for probabilistic classifiers,
    PNAS 118 (2021), section "Uncertainty quantification" (resampling under the hypothesis of calibration).
    """
    if not draws:
        return (), ()
    from nll.tasks.decompose.decompose import probabilities

    rng = np.random.default_rng(seed)
    p, weight = probabilities(cells), 1.0 if cells.weight is None else cells.weight
    middle = (blocks.first + np.append(blocks.first[1:], cells.forecast.size) - 1) // 2
    sides, found = np.tile([False, True], cells.forecast.size), np.empty((draws, middle.size))
    for k in range(draws):
        events = rng.binomial(cells.count, p)
        outcomes = np.concatenate([weight * (cells.count - events), weight * events])
        first, mass, happened = isotonic(np.repeat(cells.forecast, 2), sides, outcomes.reshape(2, -1).T.reshape(-1))
        first //= 2
        found[k] = (happened / mass)[np.searchsorted(first, middle, side="right") - 1]
    low, high = np.quantile(found, [0.5 - level / 2.0, 0.5 + level / 2.0], axis=0)
    return tuple(low.tolist()), tuple(high.tolist())
