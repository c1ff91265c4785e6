"""The parts of saddle-point forms against 120 digits, and their limits."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

from nll.numerics.formula import quiet
from nll.numerics.gamma_terms import (
    dispersion_term,
    lgamma_rest,
    log_minus_digamma_fall,
    log_minus_digamma_slope_fall,
)
from nll.numerics.saddle import (
    excess_bend,
    exp_pair,
    lifted,
    lifted_product,
    log_of_ratio,
    scaled_excess,
    shares,
    squared_excess,
)

SHAPES = [0.01, 0.3, 1.0, 2.5, 7.99, 8.0, 11.9, 12.0, 40.0, 1e4, 1e9, 1e15]
COUNTS = [0.0, 1.0, 3.0, 50.0, 1e6]
RELATIVE = [-0.999, -0.51, -0.49, -1e-3, -1e-30, 1e-30, 1e-9, 0.2, 0.99, 1.01, 30.0, 1e12]


@pytest.fixture(autouse=True)
def many_digits():
    with mp.workdps(120), quiet():
        yield


def near(value: float, exact: Any, relative: float) -> bool:
    return abs(mp.mpf(float(value)) - exact) <= relative * abs(exact)


def numbers(*values: float) -> list[float]:
    return [np.float64(v) for v in values]


@pytest.mark.parametrize("r", RELATIVE)
def test_excess_and_its_relatives(r: float) -> None:
    x = 4.0  # a power of two, so that the gap is exact
    exact = mp.mpf(r) - mp.log1p(mp.mpf(r))
    size, gap, relative, logarithm = numbers(x, x * r, r, float(mp.log1p(mp.mpf(r))))
    assert near(scaled_excess(size, gap, relative, logarithm), x * exact, 4e-15)
    assert near(squared_excess(size, gap, relative, logarithm), x * x * exact, 4e-15)
    s = 0.75
    bend = x * (s - 2 * exact / mp.mpf(r) ** 2)
    value = excess_bend(size, gap, relative, logarithm, np.float64(s), np.float64(x * (1 - s)))
    assert abs(mp.mpf(float(value)) - bend) <= 4e-15 * x


def test_excess_of_nothing_and_of_everything() -> None:
    assert scaled_excess(*numbers(0.0, 3.0, np.inf, np.inf)) == 3.0
    assert scaled_excess(*numbers(np.inf, 3.0, 0.0, 0.0)) == 0.0
    assert squared_excess(*numbers(np.inf, 3.0, 0.0, 0.0)) == 4.5
    assert near(excess_bend(*numbers(np.inf, 3.0, 0.0, 0.0, 1.0, 0.5)), mp.mpf(1.5), 1e-15)


@pytest.mark.parametrize("r", RELATIVE)
def test_logarithm_of_a_ratio(r: float) -> None:
    assert near(log_of_ratio(*numbers(r, (1.0 + r) / 2.0**600, 415.88830833596717)), mp.log1p(mp.mpf(r)), 1e-13)


@pytest.mark.parametrize(("x", "y"), [(3.0, 0.5), (1e-200, 1e-200), (1e200, 1e200), (1e5, 5e-324), (3e-300, 1e300)])
def test_products_beyond_the_doubles_have_logarithms(x: float, y: float) -> None:
    product, offset = lifted_product(*numbers(x, y))
    assert near(float(mp.log(mp.mpf(float(product))) + offset), mp.log(mp.mpf(x) * mp.mpf(y)), 1e-15)
    small, offset = lifted(np.float64(y))
    assert near(float(mp.log(mp.mpf(float(small))) + offset), mp.log(mp.mpf(y)), 1e-15)


@pytest.mark.parametrize("x", [0.0, -1e-20, -0.3, -1.0, -17.5, -300.0, -700.0])
def test_exponential_as_a_pair(x: float) -> None:
    high, low = exp_pair(np.float64(x))
    assert abs(mp.mpf(float(high)) + mp.mpf(float(low)) - mp.exp(mp.mpf(x))) <= 2.0**-57 * mp.exp(mp.mpf(x))
    assert abs(low) <= abs(np.spacing(high))


@pytest.mark.parametrize("logits", [-900.0, -3.0, -1e-9, 0.0, 2.0, 36.0, 900.0])
def test_shares_of_a_logit(logits: float) -> None:
    p = 1 / (1 + mp.exp(-mp.mpf(logits)))
    gap, success, failure = shares(*numbers(3e11, 7e11, logits))
    assert near(gap, p * mp.mpf(7e11) - (1 - p) * mp.mpf(3e11), 1e-15)
    assert near(success, p, 4e-16) or p < 1e-300
    assert near(failure, 1 - p, 4e-16) or 1 - p < 1e-300


@pytest.mark.parametrize("x", SHAPES)
def test_lgamma_without_its_logarithms(x: float) -> None:
    z = mp.mpf(x)
    stirling = (z - mp.mpf(1) / 2) * mp.log(z) - z + mp.log(2 * mp.pi) / 2
    exact = mp.loggamma(z) - (stirling if x >= 8 else 0) + (mp.log(z) if x < 1 else 0)
    assert abs(mp.mpf(float(lgamma_rest(np.float64(x)))) - exact) <= 1e-15 * max(abs(exact), 1)


@pytest.mark.parametrize("d", COUNTS)
@pytest.mark.parametrize("x", SHAPES)
def test_falls_keep_their_digits(x: float, d: float) -> None:
    z, step = mp.mpf(x), mp.mpf(d)

    def fall(a: Any) -> Any:
        return mp.log(a) - mp.digamma(a)

    def slope(a: Any) -> Any:
        return 1 / a - mp.psi(1, a)

    first, second = fall(z) - fall(z + step), slope(z + step) - slope(z)
    assert near(log_minus_digamma_fall(*numbers(x, d)), first, 2e-14)
    assert near(log_minus_digamma_slope_fall(*numbers(x, d)), second, 5e-14)
    a = 1.0 / x
    z = 1 / mp.mpf(a)
    first, second = fall(z) - fall(z + step), slope(z + step) - slope(z)
    term, derivative = dispersion_term(*numbers(a, d))
    assert near(term, z**2 * first, 2e-14)
    assert near(derivative, z**3 * (z * second - 2 * first), 1e-12)


def test_dispersion_term_of_the_poisson_limit() -> None:
    term, derivative = dispersion_term(*numbers(0.0, 3.0))
    assert term == 1.5
    assert near(derivative, mp.mpf(-4.5) + mp.mpf(3) / 6, 1e-15)
