"""Several labels a row: a matrix of Bernoulli observations, scored jointly and each by itself."""

from __future__ import annotations

import numpy as np

from nll.tasks.chunks import Chunk
from nll.tasks.ready import empty


def by_label(chunk: Chunk) -> Chunk:
    """Return a chunk of a matrix of labels as one observation a row, grouped by label."""
    import polars as pl

    n, width = chunk.y.shape
    lost = [] if chunk.missing is None else [chunk.missing]
    lost = np.logical_or.reduce([*lost, *(empty(v) for v in (chunk.y, *chunk.theta))])  # whole rows, as scored jointly
    return Chunk(
        chunk.first,
        n * width,
        chunk.y.reshape(-1),
        (chunk.theta[0].reshape(-1),),
        None if chunk.weights is None else np.repeat(chunk.weights, width),
        [pl.Series("label", np.tile(np.arange(width), n))],
        np.repeat(lost, width) if lost.any() else None,
    )
