"""The likelihood ratio test of nested models, on the boundary too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.errors import DataError, UsageError
from nll.results.evidence import LikelihoodRatioTest
from nll.tasks.compare.losses import fitted, losses_of, refuse_mixed
from nll.tasks.compare.nesting import nesting
from nll.tasks.compare.tails import log_chi_square_sf

NOISE = 1e-9  # of the NLL: two fits of the same maximum differ by so much


def lrt(restricted: Any, full: Any, *, df: int | None = None, boundary: int | None = None) -> LikelihoodRatioTest:
    """Test a restricted model against a full one that contains it.

    statistic = 2 (NLL restricted - NLL full), chi-square with df degrees of freedom under the restriction. Where the
    restriction puts `boundary` of the parameters at the end of their range (a variance or a dispersion of 0), it is a
    mixture: with weight C(boundary, j) / 2**boundary chi-square of df - boundary + j degrees of freedom. That is exact
    for one such parameter, and for several whose estimates are uncorrelated.

    Parameters
    ----------
    restricted, full : fits to the same rows, arrays (n,) of row losses in nats, or numbers, the NLL of each.
    df : how many parameters the restriction takes away; the difference of the free parameters of two fits.
    boundary : how many of these lie on the boundary under the restriction; known of two fits whose families are cases
        of each other (a Poisson in a NegativeBinomial: 1), else 0.

    Returns
    -------
    LikelihoodRatioTest

    Raises
    ------
    UsageError : the models are not nested, or not of the same rows.
    DataError : the full model has the larger NLL, so that it is not at its maximum, or does not contain the other.

    Source: S. G. Self and K.-Y. Liang, Asymptotic properties of maximum likelihood estimators and likelihood ratio
    tests under nonstandard conditions, Journal of the American Statistical Association 82 (1987), case 5.

    Examples
    --------
    >>> import nll
    >>> t = nll.lrt(113.561694218556, 105.888919550999, df=3)
    >>> round(t.statistic, 6), round(t.p_value, 8)
    (15.345549, 0.00154394)
    """
    losses = [_nll_and_rows(restricted, "restricted"), _nll_and_rows(full, "full")]
    rows = [n for _, n in losses]
    if None not in rows and rows[0] != rows[1]:
        raise UsageError(f"restricted has {rows[0]:,} rows and full {rows[1]:,}: both must be of the same rows")
    fits = fitted(restricted), fitted(full)
    if fits[0] is not None and fits[1] is not None:
        refuse_mixed(restricted, full)
        known = nesting(restricted, full)
        boundary = known if boundary is None else boundary
        df = fits[1].k - fits[0].k if df is None else df
    boundary = 0 if boundary is None else boundary
    if df is None:
        raise UsageError("df= is needed: how many parameters the restriction takes away")
    if not isinstance(df, int) or df < 1:
        raise UsageError(f"df is a whole number of at least 1: the full model has more free parameters; got {df!r}")
    if not isinstance(boundary, int) or not 0 <= boundary <= df:
        raise UsageError(f"boundary is from 0 to df = {df}: parameters at the end of their range; got {boundary!r}")
    small, large = losses[1][0], losses[0][0]
    statistic = 2.0 * (large - small)
    if statistic < 0.0:
        if statistic < -NOISE * max(1.0, abs(small)):
            raise DataError(
                f"the full model has the larger NLL ({small!r} against {large!r}): it does not contain the "
                "restricted one, or its fit did not reach the maximum; fit it again, from the restricted estimates"
            )
        statistic = 0.0
    # Half the mixture may lie at 0: a statistic of 0 is then the least that can be found, and no evidence at all.
    log_p = log_mixture_sf(statistic, df, boundary) if statistic > 0.0 else 0.0
    return LikelihoodRatioTest(statistic, df, math.exp(log_p), log_p, boundary)


def log_mixture_sf(x: float, df: int, boundary: int) -> float:
    """Return log P(X > x) of the mixture of chi-squares."""
    terms = [
        math.log(math.comb(boundary, j)) - boundary * math.log(2.0) + log_chi_square_sf(x, df - boundary + j)
        for j in range(boundary + 1)
    ]
    largest = max(terms)
    if largest == -math.inf:
        return largest
    return min(0.0, largest + math.log(math.fsum(math.exp(t - largest) for t in terms)))


def _nll_and_rows(model: Any, name: str) -> tuple[float, int | None]:
    """Return the NLL of a fit, of row losses or of a number, and its rows where they are known."""
    fit = fitted(model)
    if fit is not None:
        value, n = float(fit.nll), int(fit.n)
    elif np.ndim(model) == 0:
        try:
            value, n = float(model), None
        except (TypeError, ValueError):
            raise DataError(f"{name} must be a fit, row losses, or an NLL; got {type(model).__name__}") from None
    else:
        losses = losses_of(model, name)
        value, n = (math.fsum(losses) if np.isfinite(losses).all() else math.inf), len(losses)
    if not math.isfinite(value):
        raise DataError(f"{name} has no finite NLL: {value!r}, so there is no likelihood ratio")
    return value, n
