"""Several labels a row: a matrix of Bernoulli observations, scored jointly and each by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nll.tasks.chunks import Chunk, Inputs
from nll.tasks.ready import empty
from nll.tasks.tally import Step


def by_label(bound: Inputs, step: Step) -> tuple[Inputs, Step]:
    """Return a score of several labels a row as one of each label by itself."""
    single = bound.form.__bases__[0]
    each = replace(step, prepare=replace(step.prepare, form=single))
    return replace(bound, form=single, chunks=lambda: map(flattened, bound.chunks())), each


def flattened(chunk: Chunk) -> Chunk:
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
