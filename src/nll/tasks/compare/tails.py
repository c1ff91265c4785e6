"""Tails of the distributions of test statistics, as logs, from the families' own formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nll.families.binomial import Binomial
from nll.families.gamma import Gamma
from nll.families.studentt import StudentT
from nll.numerics.formula import quiet
from nll.numerics.normal_tails import log_ndtr
from nll.results.student import t_quantile

__all__ = ["formula_at", "log_chi_square_sf", "t_quantile", "two_sided_normal", "two_sided_sign", "two_sided_t"]

LOG_2 = math.log(2.0)


def formula_at(function: Any, *arguments: float) -> float:
    """Return the value of a formula at numbers."""
    with quiet():
        return float(function(*map(np.float64, arguments)))


def two_sided_normal(z: float) -> float:
    """Return P(|Z| >= |z|) of a standard normal Z; NaN of NaN."""
    if math.isnan(z):
        return math.nan
    return math.exp(min(0.0, formula_at(log_ndtr, -abs(z)) + LOG_2))


def two_sided_t(t: float, df: float) -> float:
    """Return P(|T| >= |t|) of Student's T; NaN of NaN."""
    if math.isnan(t):
        return math.nan
    if math.isinf(t):
        return 0.0
    return math.exp(min(0.0, formula_at(StudentT.log_sf, abs(t), df, 0.0, 1.0) + LOG_2))


def log_chi_square_sf(x: float, df: float) -> float:
    """Return log P(chi-square of df degrees of freedom > x); of 0 degrees, which is the point 0, -inf for x > 0."""
    if x <= 0.0:
        return 0.0 if df > 0 else -math.inf
    if df == 0:
        return -math.inf
    return formula_at(Gamma.log_sf, x, 0.5 * df, 0.5)


def two_sided_sign(wins: int, losses: int) -> float:
    """Return the two-sided exact p of wins ~ Binomial(wins + losses, 1/2)."""
    n, fewer = wins + losses, min(wins, losses)
    if 2 * fewer >= n - 1:
        return 1.0
    return math.exp(min(0.0, formula_at(Binomial.log_cdf, fewer, n, 0.5) + LOG_2))
