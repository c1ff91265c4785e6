"""Row losses as a stream: for tables whose losses do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.families.family import Family
from nll.tasks.chunks import inputs
from nll.tasks.score import Missing, make_step


def row_batches(
    y: Any,
    dist: Family,
    data: Any = None,
    *,
    missing: Missing = "error",
    clip: float | None = None,
    labels: Sequence[Any] | None = None,
    label_smoothing: float = 0.0,
    where: Any = None,
) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Yield the row losses of `nll.rows`, in nats, a batch at a time and in order: (index of its first row, losses).

    Memory does not grow with the rows. Takes what `nll.rows` takes, and raises the same.
    """
    bound = inputs(y, dist, data, sample_weight=None, by=None, cluster=None, where=where)
    step = make_step(bound, missing, clip, labels, label_smoothing, None)
    for chunk in bound.chunks():
        yield chunk.first, step.rows(chunk)
