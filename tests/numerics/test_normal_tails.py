"""The normal's tails and their inverse against 60 digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from nll.numerics.formula import bind, quiet
from nll.numerics.normal_tails import log_ndtr, log_ndtr_pair, log_ndtri, ndtri_of_logs

INF, NAN = math.inf, math.nan
POINTS = [
    -40.0,
    -37.5,
    -20.0,
    -5.0,
    -1.0,
    -0.3,
    -1e-9,
    0.0,
    1e-300,
    0.1,
    0.5,
    1.0,
    2.0,
    3.2,
    6.0,
    8.3,
    20.0,
    34.7,
    37.4,
]


@pytest.fixture(autouse=True)
def many_digits():
    with mp.workdps(60), quiet():
        yield


def exact(x: Any) -> Any:
    """log Phi(x), far out by the series DLMF 7.12.1, else of the smaller tail."""
    x = mp.mpf(x)
    if x < -1e4:
        ratio = mp.fsum((-1) ** k * mp.fac2(2 * k - 1) / (-x) ** (2 * k + 1) for k in range(8))
        return -x * x / 2 + mp.log(ratio / mp.sqrt(2 * mp.pi))
    tail = mp.erfc(abs(x) / mp.sqrt(2)) / 2
    return mp.log(tail) if x < 0 else mp.log1p(-tail)


def error(value: float, truth: Any) -> float:
    return float(abs(mp.mpf(float(value)) - truth) / abs(truth))


@pytest.mark.parametrize("x", [*POINTS, -1e3, -1e5, -1e17, -3e142, -1e150])
def test_log_ndtr(x: float):
    assert error(log_ndtr(np.float64(x)), exact(x)) <= 8e-16


def test_log_ndtr_everywhere():
    for x in np.random.default_rng(1).uniform(-12.0, 12.0, 300):
        assert error(log_ndtr(x), exact(x)) <= 8e-16, x


@pytest.mark.parametrize("x", [-30.1, -3.3, 0.7, 4.1, 30.1])
def test_the_low_part_counts(x: float):
    small = 2.0**-53 * x
    below, above = log_ndtr_pair(np.float64(x), np.float64(small))
    assert error(below, exact(mp.mpf(x) + mp.mpf(small))) <= 1e-15
    assert error(above, exact(-mp.mpf(x) - mp.mpf(small))) <= 1e-15


@pytest.mark.parametrize("log_p", [-1e-30, -1e-3, -0.5, math.log(0.5), -0.7, -3.0, -50.0, -1e5, -1e41, -1e300])
def test_the_inverse_of_either_tail(log_p: float):
    log_q = float(mp.log1p(-mp.exp(mp.mpf(log_p))))
    x = ndtri_of_logs(np.float64(log_p), np.float64(log_q))
    smaller, near = (log_p, x) if log_p <= log_q else (log_q, -x)
    slope = max(abs(float(x)), 1.0) ** 2  # how far a relative error of x moves the logarithm
    assert abs(mp.mpf(smaller) - exact(near)) <= 8e-16 * slope
    assert ndtri_of_logs(np.float64(log_q), np.float64(log_p)) == -x or abs(log_p - log_q) < 1e-15


@pytest.mark.parametrize("x", [-1e100, -30.0, -2.0, -0.1, 0.1, 2.0, 5.0])
def test_the_inverse_goes_back(x: float):
    assert log_ndtri(log_ndtr(np.float64(x))) == pytest.approx(x, rel=1e-15 if x < 0 else 1e-9)


def test_special_values():
    assert log_ndtr(np.float64(-INF)) == log_ndtr(np.float64(-1e200)) == -INF
    assert log_ndtr(np.float64(INF)) == log_ndtr(np.float64(1e300)) == 0.0
    assert np.isnan(log_ndtr(np.float64(NAN)))
    assert ndtri_of_logs(np.float64(-INF), np.float64(0.0)) == -INF
    assert ndtri_of_logs(np.float64(0.0), np.float64(-INF)) == INF
    assert np.isnan(ndtri_of_logs(np.float64(NAN), np.float64(-1.0)))


def loop(x, out):
    for i in range(x.size):
        out[i] = f(x[i])  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("function", [log_ndtr, log_ndtri])
def test_compiled_bits(function: Callable[..., Any]):
    x = np.array([*POINTS, -1e150, -1e200, INF, -INF, NAN, *np.random.default_rng(2).uniform(-40.0, 1.0, 200)])
    out = np.empty_like(x)
    bind(loop, f=function)(x, out)
    assert np.array_equal(out, [function(v) for v in x], equal_nan=True)
