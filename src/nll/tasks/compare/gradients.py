"""The gradient of each row's loss in the free parameters of a fit, for sandwiches and for Vuong's test."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.families.family import Family
from nll.numerics.formula import bind, quiet

Array = npt.NDArray[Any]
ROWS_BEFORE_COMPILING = 5_000  # a row as plain Python takes 20 to 100 microseconds, and a compiler 1 to 3 s


def gradients(form: type[Family], y: Array, theta: tuple[Any, ...]) -> Array:
    """Return the derivatives (n, parameters) of the row losses; parameters are numbers or arrays (n,)."""
    if form.gradient is None or form.event:
        raise UsageError(f"{form.signature()} has no gradient of a row")
    y = np.asarray(y, np.float64)
    out = np.empty((len(y), len(theta)))
    columns = tuple(np.ascontiguousarray(np.broadcast_to(np.asarray(t, np.float64), y.shape)) for t in theta)
    if len(y) < ROWS_BEFORE_COMPILING:
        with quiet():
            for i, row in enumerate(zip(y, *columns, strict=True)):
                out[i] = form.gradient(*row)
    else:
        _loop(form)(y, columns, out)
    return out


@cache
def _loop(form: type[Family]) -> Any:
    from nll.kernels import paired

    return bind(paired.slopes, gradient=form.gradient)  # type: ignore[arg-type]


def of_fit(fit: Any, rows: Any) -> Array:
    """Return the derivatives (n, k) in the free parameters of a fit, of its rows in memory."""
    names = list(fit.family.parameters)
    theta = tuple(fit.params[n] if n in fit.free else rows.fixed[n] for n in names)
    form = fit.family if not rows.bounds else rows.observations.form(fit.family)
    bounds = tuple(rows.bounds[n] for n in form.parameters if n not in names)
    return gradients(form, rows.y, (*theta, *bounds))[:, [names.index(n) for n in fit.free]]
