"""The isotonic fit of events to forecasts, by pooling neighbours that are out of order."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.numerics.formula import bind

Array = npt.NDArray[Any]
CELLS_BEFORE_COMPILING = 50_000  # a cell takes a microsecond as plain Python


def pool(forecast: Array, happened: Array, mass: Array, start: Array, weight: Array, events: Array) -> int:
    """Pool adjacent forecasts until their shares of events increase; return how many blocks are left.

    Shares are compared by cross products: exact for whole numbers up to 9e7 rows, and no division.
    """
    top, i, n = -1, 0, forecast.size
    while i < n:
        first, w, s = i, 0.0, 0.0
        while i < n and forecast[i] == forecast[first]:
            w += mass[i]
            s += mass[i] if happened[i] else 0.0
            i += 1
        if w > 0.0:
            while top >= 0 and events[top] * w >= s * weight[top]:
                w += weight[top]
                s += events[top]
                first = start[top]
                top -= 1
            top += 1
            start[top], weight[top], events[top] = first, w, s
    return top + 1


@cache
def _compiled() -> Any:
    return bind(pool)


def isotonic(forecast: Array, happened: Array, mass: Array) -> tuple[Array, Array, Array]:
    """Return first cell, weight and events (blocks,) of the blocks of equal share in the increasing fit.

    The fit is the best increasing one under every proper score, the log score included. Forecasts of no weight
    join the block before them.

    Parameters
    ----------
    forecast, happened, mass : (m,) of cells in increasing order of the forecast.

    Source: R. E. Barlow, D. J. Bartholomew, J. M. Bremner and H. D. Brunk, Statistical Inference under Order
    Restrictions (1972), section 1.2.

    Examples
    --------
    >>> isotonic(np.array([0.1, 0.2, 0.3]), np.array([True, False, True]), np.array([1.0, 1.0, 2.0]))[0]
    array([0, 2])
    """
    columns = (
        np.ascontiguousarray(forecast, np.float64),
        np.ascontiguousarray(happened, np.bool_),
        np.ascontiguousarray(mass, np.float64),
    )
    room = [np.empty(columns[0].size, kind) for kind in (np.int64, np.float64, np.float64)]
    if columns[0].size < CELLS_BEFORE_COMPILING:
        plain: list[Any] = [_Plain(each) for each in (*columns, *room)]
        found = pool(*plain)
        room = [np.array(each[:found], kind.dtype) for each, kind in zip(plain[3:], room, strict=True)]
    else:
        found = _compiled()(*columns, *room)
    first, weight, events = (each[:found].copy() for each in room)
    first[:1] = 0
    return first, weight, events


class _Plain(list[Any]):
    """A list with the size of an array: its numbers are Python's own, which plain loops read ten times faster."""

    def __init__(self, values: Array) -> None:
        super().__init__(values.tolist())
        self.size = len(self)
