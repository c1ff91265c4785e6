"""Pairs: error-free transforms are exact, and the arithmetic keeps its bounds, in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nll.numerics.formula import bind, quiet
from nll.numerics.pairs import fast_two_sum, pair_add, pair_divide, pair_times, two_product, two_sum

U2 = Fraction(1, 2**106)
BOUNDS = {"add": (pair_add, Fraction(31, 10) * U2), "times": (pair_times, 5 * U2), "divide": (pair_divide, 16 * U2)}

moderate = st.floats(2.0**-300, 2.0**300) | st.floats(-(2.0**300), -(2.0**-300))
fractions_of_ulp = st.floats(-0.5, 0.5)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[float, float]:
    high = draw(moderate)
    return fast_two_sum(high, draw(fractions_of_ulp) * float(np.spacing(abs(high))))


def exact(pair: tuple[float, float]) -> Fraction:
    return Fraction(float(pair[0])) + Fraction(float(pair[1]))


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_sums_lose_nothing(a: float, b: float) -> None:
    total = Fraction(a) + Fraction(b)
    assert exact(two_sum(a, b)) == total
    large, small = (a, b) if abs(a) >= abs(b) else (b, a)
    assert exact(fast_two_sum(large, small)) == total
    assert two_sum(a, b)[0] == a + b


def test_a_sum_from_zero_loses_nothing() -> None:
    assert fast_two_sum(0.0, 1e-300) == (1e-300, 0.0)


@given(moderate, moderate)
def test_a_product_loses_nothing(a: float, b: float) -> None:
    assert exact(two_product(a, b)) == Fraction(a) * Fraction(b)


@pytest.mark.parametrize("name", BOUNDS)
@given(a=pairs(), b=pairs())
def test_pair_arithmetic_keeps_its_bound(name: str, a: tuple[float, float], b: tuple[float, float]) -> None:
    function, bound = BOUNDS[name]
    x, y = exact(a), exact(b)
    truth = x + y if name == "add" else x * y if name == "times" else x / y
    with quiet():
        result = function(*(np.float64(part) for part in (*a, *b)))
    assert abs(exact(result) - truth) <= bound * abs(truth)
    assert float(result[0]) + float(result[1]) == float(result[0])


def test_cancellation_keeps_the_bound() -> None:
    a, b = (1.0, 2.0**-54), (-1.0, 2.0**-60 + 2.0**-110)
    assert exact(pair_add(*a, *b)) == exact(a) + exact(b)


def loop(a: np.ndarray, out: np.ndarray) -> None:
    for i in range(a.shape[0]):
        out[i, 0], out[i, 1] = function(a[i, 0], a[i, 1], a[i, 2], a[i, 3])  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("name", BOUNDS)
def test_plain_and_compiled_have_the_same_bits(name: str) -> None:
    function, _ = BOUNDS[name]
    rng = np.random.default_rng(4)
    a = rng.normal(size=(101, 4)) * 10.0 ** rng.uniform(-50, 50, (101, 1))
    a[:, 1::2] = a[:, ::2] * rng.uniform(-0.5, 0.5, (101, 2)) * 2.0**-53
    out = np.empty((101, 2))
    bind(loop, function=function)(a, out)
    with quiet():
        plain = np.array([function(*row) for row in a])
    assert np.array_equal(plain.view(np.int64), out.view(np.int64))
