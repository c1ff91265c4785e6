"""Special functions: the error bounds of their docstrings against mpmath, special values, the same bits compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import pytest

from nll.numerics import deviance, gamma_ratios, special
from nll.numerics.formula import bind, quiet

INF, NAN = math.inf, math.nan
LARGEST, SMALLEST_NORMAL = 1.7976931348623157e308, 2.2250738585072014e-308
Array = np.ndarray[Any, np.dtype[np.float64]]


class Case(NamedTuple):
    """A formula, its true value, the bound of its relative error, and the size below which it is absolute."""

    function: Callable[..., Any]
    truth: Callable[..., Any]
    bound: float
    floor: Callable[..., float] = lambda *_: 0.0
    cancels: bool = True  # terms of size x log(x) leave one of size 1/x, or less


def binet(x: Any) -> Any:
    return mp.loggamma(x) - (x - 0.5) * mp.log(x) + x - mp.log(2 * mp.pi) / 2


def student(df: Any) -> Any:
    return mp.loggamma(df / 2) - mp.loggamma((df + 1) / 2) + mp.log(mp.pi * df) / 2


def student_d1(df: Any) -> Any:
    return (mp.digamma(df / 2) - mp.digamma((df + 1) / 2) + 1 / df) / 2


def student_d2(df: Any) -> Any:
    return (mp.psi(1, df / 2) - mp.psi(1, (df + 1) / 2) - 2 / df**2) / 4


ONE = [
    Case(special.lgamma, mp.loggamma, 8e-16, cancels=False),
    Case(special.stirling_error, binet, 1.2e-15),
    Case(special.digamma, mp.digamma, 5e-16, lambda x: 0.6, cancels=False),
    Case(special.log_minus_digamma, lambda x: mp.log(x) - mp.digamma(x), 1.2e-15),
    Case(special.trigamma, lambda x: mp.psi(1, x), 1.2e-15, cancels=False),
    Case(gamma_ratios.student_constant, student, 8e-16),
    Case(gamma_ratios.student_constant_d1, student_d1, 1.2e-15),
    Case(gamma_ratios.student_constant_d2, student_d2, 1.2e-15),
]
TWO = [
    Case(deviance.deviance, lambda x, m: x * mp.log(x / m) + m - x, 1.2e-15),
    Case(
        gamma_ratios.log_beta,
        lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b),
        6e-16,
        lambda a, b: 1.0,
    ),
    Case(
        gamma_ratios.log_gamma_ratio,
        lambda x, d: mp.loggamma(x + d) - mp.loggamma(x),
        1.2e-15,
        lambda x, d: 4.0 * min(d, 1.0),
    ),
    Case(gamma_ratios.digamma_difference, lambda x, d: mp.digamma(x + d) - mp.digamma(x), 1.2e-15),
    Case(gamma_ratios.trigamma_difference, lambda x, d: mp.psi(1, x + d) - mp.psi(1, x), 1.2e-15),
]
CASES = [pytest.param(case, id=case.function.__name__) for case in ONE + TWO]


def one_in(x: Array, out: Array) -> None:
    for i in range(x.size):
        out[i] = function(x[i])  # type: ignore[name-defined]  # noqa: F821


def two_in(a: Array, b: Array, out: Array) -> None:
    for i in range(a.size):
        out[i] = function(a[i], b[i])  # type: ignore[name-defined]  # noqa: F821


@cache
def kernel(function: Callable[..., Any]) -> Any:
    return bind(one_in if function.__code__.co_argcount == 1 else two_in, function=function)


def apply(function: Callable[..., Any], *columns: Array) -> Array:
    out = np.empty_like(columns[0])
    kernel(function)(*columns, out)
    return out


@cache
def points() -> Array:
    """All sizes, the middle more densely, both sides of each branch, and the neighbourhood of the zeros."""
    rng = np.random.default_rng(2)
    branches = np.array([0.25, 0.5, 1.0, 1.4616321449683622, 2.0, 6.0, 8.0, 12.0, 1e18, 2.0**54])
    near = np.concatenate([branches, np.nextafter(branches, 0.0), np.nextafter(branches, INF)])
    around = np.concatenate([1.0 + 2.0 ** rng.uniform(-50, -2, 40), 2.0 - 2.0 ** rng.uniform(-50, -2, 40)])
    middle = np.exp(rng.uniform(-3.0, 6.0, 300))
    return np.concatenate([near, around, middle, 10.0 ** rng.uniform(-60, 60, 30), 10.0 ** rng.uniform(-10, 15, 80)])


@cache
def pairs() -> tuple[Array, Array]:
    """Two of all sizes, and two that are near to each other."""
    rng = np.random.default_rng(3)
    a = np.concatenate(
        [10.0 ** rng.uniform(-100, 60, 12), 10.0 ** rng.uniform(-5, 15, 90), np.exp(rng.uniform(-3, 4, 90))]
    )
    b = np.concatenate(
        [10.0 ** rng.uniform(-60, 60, 12), 10.0 ** rng.uniform(-8, 15, 90), np.exp(rng.uniform(-3, 4, 90))]
    )
    x = 10.0 ** rng.uniform(-3, 12, 90)
    m = x * (1.0 + 10.0 ** rng.uniform(-15, 0, 90) * rng.choice([-0.6, 1.1], 90))
    return np.concatenate([a, x]), np.concatenate([b, m])


def columns(case: Case) -> tuple[Array, ...]:
    return (points(),) if case in ONE else pairs()


def error(case: Case, value: float, *arguments: float) -> float:
    """The error relative to the true value or the floor; a value beyond the range of a normal double passes as such."""
    digits = 50 + 3 * case.cancels * int(max(abs(math.log10(t)) for t in arguments))
    with mp.workdps(digits):
        truth = case.truth(*(mp.mpf(t) for t in arguments))
        if abs(truth) > LARGEST or abs(truth) < SMALLEST_NORMAL:
            return 0.0 if abs(value) == INF or abs(value) <= SMALLEST_NORMAL else INF
        size = max(abs(truth), case.floor(*arguments))
        return float(abs(mp.mpf(value) - truth) / size)


@pytest.mark.parametrize("case", CASES)
def test_error_is_below_the_stated_bound(case: Case) -> None:
    rows = [tuple(map(float, row)) for row in zip(*columns(case), strict=True)]
    values = apply(case.function, *columns(case))
    errors = [error(case, float(value), *row) for value, row in zip(values, rows, strict=True)]
    worst = int(np.argmax(errors))
    assert errors[worst] <= case.bound, f"{case.function.__name__}{rows[worst]} is off by {errors[worst]:.2e}"


@pytest.mark.parametrize("case", CASES)
def test_plain_and_compiled_have_the_same_bits(case: Case) -> None:
    arrays = [np.concatenate([c[::3], [0.0, 5e-324, 1.0, LARGEST, INF]]) for c in columns(case)]
    with quiet():
        plain = np.array([case.function(*row) for row in zip(*arrays, strict=True)])
    np.testing.assert_array_equal(plain, apply(case.function, *arrays))


@pytest.mark.parametrize("case", CASES)
def test_nan_in_is_nan_out(case: Case) -> None:
    count = case.function.__code__.co_argcount
    for place in range(count):
        arguments = [np.float64(NAN if place == k else 3.0) for k in range(count)]
        with quiet():
            assert np.isnan(case.function(*arguments))


def test_log_excess_takes_a_difference_known_better_than_its_parts() -> None:
    rng = np.random.default_rng(4)
    m = 10.0 ** rng.uniform(-6, 6, 300)
    x = m * (1.0 + 10.0 ** rng.uniform(-12, 1, 300) * rng.choice([-0.0999, 1.0], 300))
    values = apply(deviance.log_excess, (m - x) / x, m / x)
    for value, t, s in zip(values, x, m, strict=True):
        with mp.workdps(50):
            ratio = mp.mpf(float(s)) / mp.mpf(float(t))
            truth = ratio - 1 - mp.log(ratio)
            assert abs(mp.mpf(float(value)) - truth) <= 2e-15 * truth


@pytest.mark.parametrize(
    ("function", "arguments", "value"),
    [
        (special.lgamma, (1.0,), 0.0),
        (special.lgamma, (2.0,), 0.0),
        (special.lgamma, (0.0,), INF),
        (special.lgamma, (INF,), INF),
        (special.lgamma, (-0.5,), NAN),
        (special.stirling_error, (0.0,), INF),
        (special.stirling_error, (INF,), 0.0),
        (special.digamma, (0.0,), -INF),
        (special.digamma, (INF,), INF),
        (special.log_minus_digamma, (0.0,), INF),
        (special.log_minus_digamma, (INF,), 0.0),
        (special.trigamma, (0.0,), INF),
        (special.trigamma, (INF,), 0.0),
        (gamma_ratios.student_constant, (INF,), 0.9189385332046728),
        (gamma_ratios.student_constant, (0.0,), INF),
        (gamma_ratios.student_constant_d1, (INF,), -0.0),
        (gamma_ratios.student_constant_d2, (INF,), 0.0),
        (gamma_ratios.log_gamma_ratio, (7.5, 0.0), 0.0),
        (gamma_ratios.digamma_difference, (0.5, 0.0), 0.0),
        (gamma_ratios.trigamma_difference, (0.5, 0.0), -0.0),
        (deviance.deviance, (0.0, 0.0), 0.0),
        (deviance.deviance, (0.0, 3.5), 3.5),
        (deviance.deviance, (0.0, INF), INF),
        (deviance.deviance, (3.5, 0.0), INF),
        (deviance.deviance, (3.5, INF), INF),
        (deviance.deviance, (3.5, 3.5), 0.0),
        (deviance.deviance, (LARGEST, LARGEST), 0.0),
        (deviance.deviance, (5e-324, 1e308), 1e308),
        (deviance.log_excess, (INF, INF), INF),
        (deviance.log_excess, (-1.0, 0.0), INF),
    ],
)
def test_special_values(function: Callable[..., Any], arguments: tuple[float, ...], value: float) -> None:
    with quiet():
        np.testing.assert_equal(function(*map(np.float64, arguments)), value)


@pytest.mark.parametrize(
    ("function", "arguments", "value"),
    [
        (special.lgamma, (1e300,), 1e300 * (math.log(1e300) - 1.0)),
        (special.lgamma, (1e-300,), -math.log(1e-300)),
        (special.stirling_error, (1e300,), 1.0 / 12e300),
        (special.stirling_error, (1e-300,), -0.5 * math.log(1e-300) - 0.9189385332046728),
        (special.digamma, (1e300,), math.log(1e300)),
        (special.digamma, (1e-300,), -1e300),
        (special.log_minus_digamma, (1e300,), 0.5e-300),
        (special.log_minus_digamma, (1e-300,), 1e300),
        (special.trigamma, (1e300,), 1e-300),
        (special.trigamma, (1e-150,), 1e300),
        (gamma_ratios.student_constant, (1e300,), 0.9189385332046728),
        (
            gamma_ratios.student_constant,
            (1e-300,),
            -0.5 * math.log(1e-300) + 0.5 * math.log(math.pi) + math.log(2.0 / math.sqrt(math.pi)),
        ),
        (gamma_ratios.student_constant_d1, (1e150,), -0.25e-300),
        (gamma_ratios.student_constant_d1, (1e-299,), -0.5e299),
        (gamma_ratios.student_constant_d2, (1e100,), 0.5e-300),
        (gamma_ratios.student_constant_d2, (1e-149,), 0.5e298),
        (gamma_ratios.log_gamma_ratio, (1e300, 1e-20), 1e-20 * math.log(1e300)),
        (gamma_ratios.log_gamma_ratio, (1e-300, 1e300), 1e300 * (math.log(1e300) - 1.0)),
        (gamma_ratios.digamma_difference, (1e300, 2.0), 2e-300),
        (gamma_ratios.digamma_difference, (1e-300, 1e300), 1e300),
        (gamma_ratios.trigamma_difference, (1e-150, 1e300), -1e300),
        (gamma_ratios.log_beta, (1e-300, 2.0), -math.log(1e-300)),
        (gamma_ratios.log_beta, (1e260, 1e260), -2e260 * math.log(2.0)),
        (gamma_ratios.log_beta, (0.5, 1e260), 0.5 * math.log(math.pi) - 0.5 * math.log(1e260)),
        (deviance.deviance, (1e300, 1e-300), 1e300 * (math.log(1e300) - math.log(1e-300) - 1.0)),
        (deviance.deviance, (1e-300, 1e300), 1e300),
        (deviance.deviance, (1e308, 1.7e308), 1e308 * (0.7 - math.log(1.7))),
    ],
)
def test_leading_terms_far_out(function: Callable[..., Any], arguments: tuple[float, ...], value: float) -> None:
    with quiet():
        assert float(function(*map(np.float64, arguments))) == pytest.approx(value, rel=2e-15)


def test_overflowing_product_is_scaled() -> None:
    with quiet():
        rise = gamma_ratios.log_gamma_ratio(np.float64(1e-300), np.float64(1e15))
    assert float(rise) == pytest.approx(float(mp.loggamma(mp.mpf(1e15)) - mp.loggamma(mp.mpf(1e-300))), rel=1e-15)
