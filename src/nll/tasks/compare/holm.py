"""Holm's correction of p-values for how many of them there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.numerics.arrays import doubles


def holm(p_values: Any) -> npt.NDArray[np.float64]:
    """Return p-values adjusted so that rejecting those below alpha errs at all with probability at most alpha.

    The i-th smallest of m becomes the largest of (m - j + 1) p_(j) over j <= i, at most 1. NaN, no test, stays NaN
    and does not count.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979).

    Examples
    --------
    >>> import nll
    >>> nll.holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = doubles(p_values, "p-values")
    if p.ndim != 1 or ((p < 0.0) | (p > 1.0)).any():
        raise DataError(f"p-values are numbers (m,) in [0, 1]; got {p_values!r}")
    out = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")[: int((~np.isnan(p)).sum())]
    factors = np.arange(len(order), 0, -1)
    out[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return out
