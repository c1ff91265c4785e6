"""The Diebold-Mariano test: two series of forecasts, whose losses may be autocorrelated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.results.evidence import DieboldMarianoTest
from nll.tasks.compare.losses import paired
from nll.tasks.compare.tails import two_sided_t

Array = npt.NDArray[Any]


def diebold_mariano(a: Any, b: Any, *, horizon: int = 1, lags: int | None = None) -> DieboldMarianoTest:
    """Test whether two series of forecasts have the same expected loss; rows are in the order of time.

    With d_t = l_b,t - l_a,t and the autocovariances g_j (divisor n) the variance of the mean is

        (g_0 + 2 sum_(j = 1 .. L) w_j g_j) / n

    By default L = horizon - 1 and w_j = 1, for forecasts that far ahead have errors dependent so long; with `lags`
    L = lags and w_j = 1 - j / (L + 1) (Newey and West), which is never negative. The statistic is multiplied by
    sqrt((n + 1 - 2 h + h (h - 1) / n) / n) and compared with Student's t of n - 1 degrees of freedom.

    Parameters
    ----------
    a, b : arrays (n,) of row losses in nats, or fits.
    horizon : how many steps ahead the forecasts look.
    lags : autocovariances that count, with Newey-West weights.

    Returns
    -------
    DieboldMarianoTest : positive statistics favour a.

    Source: F. X. Diebold and R. S. Mariano, Comparing predictive accuracy, Journal of Business & Economic Statistics 13
    (1995); D. Harvey, S. Leybourne and P. Newbold, Testing the equality of prediction mean squared
    errors, International Journal of Forecasting 13 (1997); W. K. Newey and K. D. West, A simple, positive
    semi-definite, heteroskedasticity and autocorrelation consistent covariance matrix, Econometrica 55 (1987).

    Examples
    --------
    >>> import nll
    >>> t = nll.diebold_mariano([1.0, 1.2, 0.9, 1.1, 1.3], [1.1, 1.5, 1.0, 1.0, 1.7])
    >>> round(t.statistic, 4), round(t.p_value, 4)
    (1.8353, 0.1404)
    """
    for name, value, least in (("horizon", horizon, 1), ("lags", 0 if lags is None else lags, 0)):
        if not isinstance(value, int) or value < least:
            raise UsageError(f"{name} is a whole number of at least {least}; got {value!r}")
    pair = paired(a, b)
    d, n = pair.difference, pair.n
    reach = horizon - 1 if lags is None else lags
    if max(reach, horizon) >= n:
        raise UsageError(f"horizon and lags must be below the number of rows, {n}; got {horizon} and {lags}")
    mean = math.fsum(d) / n
    kernel, remarks = ("rectangular" if lags is None else "Newey-West"), []
    g = autocovariances(d, mean, reach)
    weights = np.ones(reach) if lags is None else 1.0 - np.arange(1, reach + 1) / (reach + 1.0)
    variance = g[0] + 2.0 * float(weights @ g[1:])
    if g[0] > 0.0 and variance <= 0.0:
        variance = g[0] + 2.0 * float((1.0 - np.arange(1, reach + 1) / (reach + 1.0)) @ g[1:])
        kernel = "Newey-West"
        remarks.append("the autocovariances, all with weight 1, add up to no positive variance: Newey-West weights")
    stderr = math.sqrt(max(variance, 0.0) / n)
    correction = math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    statistic = correction * mean / stderr if stderr > 0.0 else math.nan
    if stderr == 0.0:
        remarks.append("the differences do not vary: no standard error, and no test")
    p_value = two_sided_t(statistic, n - 1)
    return DieboldMarianoTest(
        statistic, p_value, mean, stderr, horizon, reach, kernel, correction, n, remarks=tuple(remarks)
    )


def autocovariances(d: Array, mean: float, reach: int) -> Array:
    """Return the autocovariances of lags 0 to reach, with divisor n."""
    e = np.zeros_like(d) if (d == d[0]).all() else d - mean
    return np.array([math.fsum(e[j:] * e[: len(e) - j]) for j in range(reach + 1)]) / len(d)
