"""The Beta's tails against 60 digits, in every region and far out."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from nll.numerics.beta_tails import log_beta_start, log_beta_tails
from nll.numerics.formula import bind, quiet

INF, NAN = math.inf, math.nan
SHAPES = [1e-6, 0.5, 1.0, 3.0, 20.0, 40.0, 3e3, 1e6]
PLACES = [1e-9, 1e-3, 0.3, 0.9, 1.0, 1.05, 1.6]


@pytest.fixture(autouse=True)
def many_digits():
    with mp.workdps(60), quiet():
        yield


def fraction(a: Any, b: Any, x: Any, terms: int) -> Any:
    """DLMF 8.17.22, from its end."""
    terms = int(min(terms, 2 * b - 1)) if b == int(b) else terms  # where it ends; beyond may stand 0 / 0
    rest = mp.mpf(0)
    for j in range(terms, 0, -1):
        m = j // 2
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)) if m else 0
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        rest = (odd if j % 2 else even) / (1 + rest)
    return 1 / (1 + rest)


def exact(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
    a, b, x = mp.mpf(a), mp.mpf(b), mp.mpf(x)
    y = 1 - x
    swap = x > (a + 1) / (a + b + 2)
    if swap:
        a, b, x, y = b, a, y, x
    front = a * mp.log(x) + b * mp.log(y) - mp.log(a) - mp.loggamma(a) - mp.loggamma(b) + mp.loggamma(a + b)
    own = front + mp.log(fraction(a, b, x, 200 + int(20 * math.sqrt(min(a, b)))))
    other = mp.log1p(-mp.exp(own))
    return (other, own) if swap else (own, other)


def tails(a: float, b: float, x: Any) -> tuple[float, float]:
    """The formula's value at an x whose complement and gap are known."""
    x = mp.mpf(x)
    gap = (mp.mpf(a) + mp.mpf(b)) * x - mp.mpf(a)
    return log_beta_tails(*(np.float64(float(v)) for v in (a, b, x, 1 - x, gap)))


def check(values: tuple[float, float], truths: tuple[Any, Any], bound: float) -> None:
    """The smaller logarithm (far out) within `bound`; the larger is -exp of it, whose error is that times its size."""
    far = min(truths)
    for value, truth in zip(values, truths, strict=True):
        if abs(truth) > 1e-300:
            allowed = bound if truth == far else bound * max(1.0, float(-far))
            assert abs(mp.mpf(float(value)) - truth) <= allowed * abs(truth)


@pytest.mark.parametrize(("a", "b"), [pair for pair in product(SHAPES, SHAPES) if min(pair) < 1e4])
def test_both_tails(a: float, b: float):
    for place in PLACES:
        x = a / (a + b) * place
        if 1e-300 < x < 1.0:
            check(tails(a, b, x), exact(a, b, x), 8e-15)


@pytest.mark.parametrize("b", [1e12, 1e40])
@pytest.mark.parametrize("a", [0.02, 0.5, 1.0, 7.0, 31.0])
def test_very_different_shapes(a: float, b: float):
    for mean in (0.01, 0.5, 1.0, 3.0, 40.0):
        x = a * mean / b
        truths = exact(a, b, x)
        check(tails(a, b, x), truths, 8e-15)
        check(tails(b, a, 1 - mp.mpf(x)), truths[::-1], 8e-15)


@pytest.mark.parametrize("deviations", [-1e3, -30.0, -5.0, -0.5, 0.0, 0.5, 5.0, 30.0, 1e3])
@pytest.mark.parametrize(("a", "b"), [(1e12, 3e11), (50.0, 1e13)])
def test_large_shapes_against_an_integral(a: float, b: float, deviations: float):
    mean = mp.mpf(a) / (mp.mpf(a) + b)
    spread = mp.sqrt(mean * (1 - mean) / (mp.mpf(a) + b))
    x = mp.mpf(float(mean + deviations * spread))
    if not 0 < x < 1:
        return
    front = a * mp.log(x) + b * mp.log(1 - x) - mp.loggamma(a) - mp.loggamma(b) + mp.loggamma(mp.mpf(a) + b)
    sign = -1 if x <= mean else 1
    scale = spread / max(1, abs(deviations)) / mean / (1 - mean)
    logit = mp.log(x / (1 - x))

    def density(u: Any) -> Any:
        z = 1 / (1 + mp.exp(-logit - sign * u * scale))
        return mp.exp(a * mp.log(z / x) + b * mp.log((1 - z) / (1 - x)))

    smaller = front + mp.log(mp.quad(density, [0, 2, 8, 40, 1000]) * scale)
    larger = mp.log1p(-mp.exp(smaller))
    check(tails(a, b, x), (smaller, larger) if sign < 0 else (larger, smaller), 1e-14)


def test_special_values():
    def at(*row: float) -> tuple[float, float]:
        return log_beta_tails(*map(np.float64, row))

    assert at(2.0, 3.0, 0.0, 1.0, -2.0) == (-INF, 0.0)
    assert at(2.0, 3.0, 1.0, 0.0, 3.0) == (0.0, -INF)
    assert at(2.0, 0.0, 0.5, 0.5, -1.0) == (-INF, 0.0)
    assert at(0.0, 2.0, 0.5, 0.5, 1.0) == (0.0, -INF)
    for row in ((NAN, 1.0, 0.5, 0.5, 0.5), (1.0, NAN, 0.5, 0.5, 0.5), (1.0, 1.0, NAN, NAN, NAN)):
        assert np.isnan(at(*row)).all()


def test_an_x_below_all_doubles():
    for a, b in ((0.3, 2.0), (1.0, 1.0), (12.0, 0.5), (3.0, 1e6)):
        truth = exact(a, b, mp.exp(-2000))[0]
        value = log_beta_start(np.float64(a), np.float64(b), np.float64(-2000.0))
        assert abs(mp.mpf(float(value)) - truth) <= 1e-15 * abs(truth)


def loop(a, b, x, out):
    for i in range(x.size):
        y = 1.0 - x[i]
        out[i, 0], out[i, 1] = f(a[i], b[i], x[i], y, b[i] * x[i] - a[i] * y)  # type: ignore[name-defined]  # noqa: F821


def test_compiled_bits():
    rows = [(a, b, a / (a + b) * place) for a, b, place in product(SHAPES, SHAPES, PLACES[1::3])]
    rows += [(NAN, 1.0, 0.5), (1.0, 1.0, NAN), (1.0, INF, 0.5), (1.0, 2.0, 0.0), (1.0, 2.0, 1.0)]
    a, b, x = (np.ascontiguousarray(column) for column in np.array([row for row in rows if not row[2] > 1.0]).T)
    out = np.empty((x.size, 2))
    bind(loop, f=log_beta_tails)(a, b, x, out)
    plain = [log_beta_tails(p, q, z, 1.0 - z, q * z - p * (1.0 - z)) for p, q, z in zip(a, b, x, strict=True)]
    assert np.array_equal(out, plain, equal_nan=True)
