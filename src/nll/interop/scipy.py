"""SciPy's counterparts of distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.errors import MissingExtraError, UsageError
from nll.families.family import Family
from nll.families.values import numbers
from nll.numerics.formula import quiet


def frozen(dist: Family) -> Any:
    """Return the frozen distribution of scipy.stats that a distribution is.

    Arrays of parameters broadcast as they do here.

    Parameters
    ----------
    dist : a distribution whose parameters are numbers or arrays.

    Raises
    ------
    MissingExtraError : SciPy is not installed.
    UsageError : SciPy has no such distribution, or a parameter is the name of a column.

    Examples
    --------
    >>> import nll
    >>> float(nll.Exponential(rate=2.0).to_scipy().mean())
    0.5
    """
    form = type(dist)
    if form.scipy is None:
        raise UsageError(f"scipy.stats has no counterpart of {dist.signature()}")
    try:
        from scipy import stats
    except ImportError as error:
        raise MissingExtraError("scipy", "scipy") from error
    with quiet():
        name, arguments = form.scipy(*numbers(dist))
    plain = {k: v if np.ndim(v) else float(v) for k, v in arguments.items()}
    return getattr(stats, name)(**plain)
