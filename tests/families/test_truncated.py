"""Truncation and censoring: bounds, masses far out, what is exact and what is not."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import nll
from nll.errors import DataError, UsageError
from nll.families.interval import Interval
from nll.kernels.kernel import kernel, prepared


def test_far_out_nothing_is_lost():
    dist = nll.Truncated(nll.Normal(0.0, 1.0), low=40.0, high=41.0)
    with mpmath.workdps(40):
        expected = mpmath.log(mpmath.npdf(mpmath.mpf("40.5"))) - mpmath.log(mpmath.ncdf(-40) - mpmath.ncdf(-41))
    assert abs(dist.log_prob(40.5) - expected) < 1e-12
    assert dist.log_prob(39.9) == -np.inf
    assert (dist.cdf(40.0), dist.cdf(41.0)) == (0.0, 1.0)


def test_bounds_are_inclusive_and_whole_for_counts():
    dist = nll.Truncated(nll.Poisson(2.0), low=0.5, high=3.7)
    assert dist.prob([0, 1, 2, 3, 4]).tolist()[0::4] == [0.0, 0.0]
    assert dist.prob([1, 2, 3]).sum() == pytest.approx(1.0, rel=1e-14)
    assert set(dist.sample(50, 1)) == {1.0, 2.0, 3.0}


def test_no_bounds_change_nothing():
    y = np.array([0.1, 2.0, 30.0])
    np.testing.assert_array_equal(nll.Truncated(nll.Gamma(2.0, 1.0)).log_prob(y), nll.Gamma(2.0, 1.0).log_prob(y))


def test_bounds_of_a_family_are_defaults():
    family = nll.Truncated(nll.Poisson, low=1)
    assert family.signature() == "Truncated(Poisson, low=1)(rate, low=1, high=inf)"
    assert family(2.0).theta == {"rate": 2.0, "low": 1.0, "high": np.inf}
    assert family(rate=2.0, high=5.0).theta["high"] == 5.0
    per_row = nll.Truncated(nll.Poisson(2.0), low=np.array([0.0, 1.0]))
    rows = nll.rows([1, 1], per_row)
    assert rows[0] - rows[1] == pytest.approx(-np.log1p(-np.exp(-2.0)), rel=1e-14)


def test_bounds_that_are_none():
    with pytest.raises(UsageError):
        nll.Truncated(nll.Poisson, low="a")
    with pytest.raises(UsageError):
        nll.Truncated(nll.Poisson, low=3, high=2)
    with pytest.raises(DataError, match="low must be below high"):
        nll.Truncated(nll.Normal(0, 1), low=2.0, high=1.0).log_prob(1.5)
    with pytest.raises(UsageError):
        nll.Truncated(nll.Hurdle(nll.Gamma))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.0, 1.0, -nll.Weibull(scale=2.0, concentration=1.5).log_prob(1.0)),
        (1.0, np.inf, 0.5**1.5),
        (-np.inf, 1.0, -np.log(-np.expm1(-(0.5**1.5)))),
        (1.0, 3.0, -np.log(np.exp(-(0.5**1.5)) - np.exp(-(1.5**1.5)))),
        (-np.inf, np.inf, 0.0),
        (-3.0, -3.0, np.inf),
    ],
)
def test_an_interval_is_exact_or_censored(low, high, expected):
    form = Interval(nll.Weibull(scale=2.0, concentration=1.5), upper=high)
    y, theta = prepared([low], [[2.0], [1.5], [high]])
    assert kernel(type(form)).plain_rows(y, theta)[0] == pytest.approx(expected, rel=1e-14)
