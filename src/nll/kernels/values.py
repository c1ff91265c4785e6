"""Formulas of one value a row, such as tails and quantiles, at arrays: compiled where there are many rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.families import values
from nll.numerics.formula import bind

Array = npt.NDArray[Any]
ROWS_BEFORE_COMPILING = 20_000


def apply(function: Callable[..., Any], columns: list[Array]) -> Array:
    """Return function(*row) of each row."""
    if columns[0].size < ROWS_BEFORE_COMPILING:
        return values.plain_apply(function, columns)
    out = np.empty(columns[0].size)
    _loop(function)(tuple(columns), out)
    return out


@cache
def _loop(function: Callable[..., Any]) -> Any:
    from nll.kernels import loops

    return bind(loops.each, value=function)


values.use(apply)
