"""Sums of the losses of mapped log-odds and of their derivatives, of cells that are too many for NumPy."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.numerics.elementary import exp, log1p
from nll.numerics.formula import bind

Array = npt.NDArray[Any]
WIDE = 512  # partial sums of each term: a loop with one sum a term would not vectorise


def add_terms(z, happened, mass, slope, shift, sums):
    """Add loss, gradient (2) and Hessian (3) of log(1 + e**-t) or log(1 + e**t), t = slope z + shift, of cells.

    Parameters
    ----------
    z, happened, mass : (n,) of each cell its log-odds, whether the event did happen, and its weight.
    sums : (6 * WIDE,), which grow.
    """
    for start in range(0, z.size, WIDE):
        stop = min(start + WIDE, z.size)
        a, b, c = z[start:stop], happened[start:stop], mass[start:stop]
        for i in range(a.size):
            t = slope * a[i] + shift
            e = exp(-abs(t))
            q = 1.0 / (1.0 + e)
            r = c[i] * ((q if t >= 0.0 else e * q) - (1.0 if b[i] else 0.0))
            w = c[i] * (e * q * q)
            wz = w * a[i]
            u = -t if b[i] else t
            sums[i] += c[i] * ((u if u > 0.0 else 0.0) + log1p(e))  # max() kept the loop from vectorising: 27 ns, not 4
            sums[i + WIDE] += r * a[i]
            sums[i + 2 * WIDE] += r
            sums[i + 3 * WIDE] += wz * a[i]
            sums[i + 4 * WIDE] += wz
            sums[i + 5 * WIDE] += w


@cache
def _compiled() -> Any:
    return bind(add_terms)


def slope_sums(z: Array, happened: Array, mass: Array, slope: float, shift: float) -> Array:
    """Return the sums (6,) over cells of loss, gradient (2) and Hessian (3)."""
    sums = np.zeros(6 * WIDE)
    _compiled()(z, happened, mass, float(slope), float(shift), sums)
    return sums.reshape(6, WIDE).sum(axis=1)
