"""The Gamma's tails against 50 digits, in every region and far out."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from nll.numerics.elementary import log
from nll.numerics.formula import bind, quiet
from nll.numerics.gamma_tails import log_gamma_p, log_gamma_q, log_gamma_tails

INF, NAN = math.inf, math.nan
CONCENTRATIONS = [1e-10, 1e-3, 0.3, 0.999, 1.0, 1.6, 7.9, 8.0, 31.9, 32.0, 500.0, 2e4]
RATIOS = [1e-200, 1e-3, 0.4, 0.9, 1.0, 1.1, 1.5, 4.0, 1e3]


@pytest.fixture(autouse=True)
def many_digits():
    with mp.workdps(50), quiet():
        yield


def exact(a: float, x: Any) -> tuple[Any, Any]:
    """log P and log Q: series DLMF 8.11.4 up to a, else fraction 8.9.2 from far back, or mpmath for small x."""
    a, x = mp.mpf(a), mp.mpf(x)
    front = a * mp.log(x) - x - mp.loggamma(a)
    if x <= a:
        total = term = 1 / a
        n = a
        while term > total * mp.mpf(10) ** -40:
            n += 1
            term *= x / n
            total += term
        smaller = front + mp.log(total)
        return smaller, mp.log1p(-mp.exp(smaller))
    if x < 30:
        q = mp.gammainc(a, x, mp.inf) / mp.gamma(a)
        return mp.log1p(-q), mp.log(q)
    rest = mp.mpf(0)
    for i in range(2000, 0, -1):
        rest = i * (i - a) / (x + 2 * i + 1 - a - rest)
    smaller = front - mp.log(x + 1 - a - rest)
    return mp.log1p(-mp.exp(smaller)), smaller


def check(values: tuple[float, float], truths: tuple[Any, Any], bound: float, of_smaller: float) -> None:
    """The smaller logarithm (far out) within `bound`; the larger is -exp of it, whose error is that times its size."""
    far = min(truths)
    for value, truth in zip(values, truths, strict=True):
        if abs(truth) > 1e-300:
            allowed = bound if truth == far else of_smaller * max(1.0, float(-far))
            assert abs(mp.mpf(float(value)) - truth) <= allowed * abs(truth)


@pytest.mark.parametrize("a", CONCENTRATIONS)
def test_both_tails(a: float):
    for ratio in RATIOS:
        x = np.float64(a * ratio)
        if x > 1e-305:
            values = log_gamma_tails(np.float64(a), x, x - np.float64(a), log(x))
            check(values, exact(a, x), 5e-15, 5e-15)


@pytest.mark.parametrize("a", [1e-10, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("x", [1e-300, 1e-20, 1e-4, 0.1, 1.0, 1.49, 1.51, 3.0, 40.0, 700.0])
def test_small_concentrations(a: float, x: float):
    values = log_gamma_tails(np.float64(a), np.float64(x), np.float64(x - a), log(np.float64(x)))
    check(values, exact(a, x), 5e-15, 5e-15)


@pytest.mark.parametrize("deviations", [-1e4, -300.0, -30.0, -5.0, -0.5, 0.0, 0.5, 5.0, 30.0, 300.0, 1e4])
def test_a_large_concentration_against_an_integral(deviations: float):
    a = 1e12
    x = a + deviations * 1e6
    values = log_gamma_tails(np.float64(a), np.float64(x), np.float64(x - a), log(np.float64(x)))
    sign = -1 if x <= a else 1
    front = a * mp.log(x) - x - mp.loggamma(a)
    scale = mp.sqrt(a) / max(1, abs(deviations))
    knots = [0, 1, 2, 4, 8, 16, 40, 100]

    def density(u: Any) -> Any:
        z = x + sign * u * scale
        return mp.exp((a - 1) * mp.log(z) - z - mp.loggamma(a) - front)

    smaller = front + mp.log(mp.quad(density, knots) * scale)
    larger = mp.log1p(-mp.exp(smaller))
    check(values, (smaller, larger) if sign < 0 else (larger, smaller), 3e-15, 3e-15)


def test_digits_that_a_product_lost_are_taken():
    a, x, low = 1e12, 1e12 + 2e7, 6e-5
    values = log_gamma_tails(np.float64(a), np.float64(x), np.float64(2e7 + low), log(np.float64(x)))
    slope = -low * 2e7 / a  # of log Q in x: minus the hazard
    plain = log_gamma_q(np.float64(a), np.float64(x))
    assert values[1] - plain == pytest.approx(slope, rel=0.1)


def test_special_values():
    def tails(a: float, x: float) -> tuple[float, float]:
        return log_gamma_tails(np.float64(a), np.float64(x), np.float64(x - a), log(np.float64(x)))

    assert tails(2.0, 0.0) == (-INF, 0.0)
    assert tails(2.0, INF) == (0.0, -INF)
    assert tails(1e300, 1e300) == pytest.approx((-math.log(2.0), -math.log(2.0)))
    assert tails(5.0, 1e300) == (0.0, -1e300)
    assert np.isnan(tails(NAN, 1.0)).all()
    assert np.isnan(tails(1.0, NAN)).all()
    assert np.isnan(tails(-1.0, 1.0)).all()


def test_log_x_of_a_product_below_all_doubles():
    values = log_gamma_tails(np.float64(0.001), np.float64(0.0), np.float64(-0.001), np.float64(-2000.0))
    check(values, exact(0.001, mp.exp(-2000)), 5e-15, 5e-15)


def loop(a, x, p, q):
    for i in range(x.size):
        p[i] = lower(a[i], x[i])  # type: ignore[name-defined]  # noqa: F821
        q[i] = upper(a[i], x[i])  # type: ignore[name-defined]  # noqa: F821


def test_compiled_bits():
    pairs = [(a, a * r) for a in CONCENTRATIONS for r in RATIOS] + [(NAN, 1.0), (1.0, NAN), (2.0, INF), (2.0, 0.0)]
    a, x = np.array(pairs).T.copy()
    p, q = np.empty_like(a), np.empty_like(a)
    bind(loop, lower=log_gamma_p, upper=log_gamma_q)(a, x, p, q)
    assert np.array_equal(p, [log_gamma_p(*row) for row in zip(a, x, strict=True)], equal_nan=True)
    assert np.array_equal(q, [log_gamma_q(*row) for row in zip(a, x, strict=True)], equal_nan=True)
