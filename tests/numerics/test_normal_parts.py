"""Differences and integrals of normal tails against mpmath, and the tails that are made of them."""

from __future__ import annotations

from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest

from nll.families.inversegaussian import InverseGaussian
from nll.families.skewnormal import SkewNormal
from nll.numerics.formula import bind, quiet
from nll.numerics.normal_parts import central, tail_fall, tail_integral, tail_slope


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(60), quiet():
        yield


def scaled(t: Any) -> Any:
    return mpmath.exp(t * t / 2) * mpmath.erfc(t / mpmath.sqrt(2)) / 2


def test_one_argument():
    for x in np.geomspace(1e-10, 30.0, 60):
        exact = mpmath.mpf(float(x))
        assert abs(central(x) / (mpmath.erf(exact / mpmath.sqrt(2)) / 2) - 1) < 1e-15
        assert abs(tail_slope(x) / (1 / mpmath.sqrt(2 * mpmath.pi) - exact * scaled(exact)) - 1) < 3e-15


@pytest.mark.parametrize("a", [0.0, 0.5, 2.0, 2.99, 20.0, 500.0])
def test_falls(a: float):
    for width in (1e-9, 1e-3, 0.1, 0.49, 1.0, 30.0, 0.49 * (1.0 + a)):
        expected = scaled(mpmath.mpf(a)) - scaled(mpmath.mpf(a) + mpmath.mpf(width))
        assert abs(tail_fall(np.float64(a), np.float64(width)) / expected - 1) < 3e-15


@pytest.mark.parametrize("q", [0.0, 1.0, 30.0, 1e3])
def test_integrals(q: float):
    pieces = [mpmath.mpf(k) / (1 + mpmath.mpf(q)) for k in (0, 1, 2, 4, 8, 16, 32, 70)]
    with mpmath.workdps(20):
        for start, slope in product((0.0, 3.0), (0.0, 1.0)):
            expected = mpmath.quad(lambda u: mpmath.exp(-q * u - u * u / 2) * scaled(start + slope * u), pieces)  # noqa: B023
            assert abs(tail_integral(np.float64(q), np.float64(start), np.float64(slope)) / expected - 1) < 3e-15


@pytest.mark.parametrize("shape", [1e-20, 1e-6, 0.3, 5.0, 1e5])
def test_tails_of_the_inverse_gaussian(shape: float):
    tried = 0
    for y, mean in product((1e-8, 0.05, 0.999, 1.3, 30.0, 1e6), (1e-3, 1.0, 1e10)):
        if shape * (y - mean) ** 2 / (2.0 * mean * mean * y) < 1e5:
            with mpmath.workdps(120):
                m, x = mpmath.mpf(mean), mpmath.mpf(y)
                r, factor = mpmath.sqrt(shape / x), mpmath.exp(2 * shape / m)
                a, b = r * (x / m - 1) / mpmath.sqrt(2), r * (x / m + 1) / mpmath.sqrt(2)
                below = mpmath.log((mpmath.erfc(-a) + factor * mpmath.erfc(b)) / 2)
                above = mpmath.log((mpmath.erfc(a) - factor * mpmath.erfc(b)) / 2)
            row = tuple(map(np.float64, (y, mean, shape)))
            assert abs(InverseGaussian.log_cdf(*row) - below) <= 2e-15 * max(1, abs(below)), row
            assert abs(InverseGaussian.log_sf(*row) - above) <= 2e-15 * max(1, abs(above)), row
            tried += 1
    assert tried > 5


@pytest.mark.parametrize("shape", [0.0, 0.3, -1.0, 5.0, -100.0])
def test_tails_of_the_skew_normal_are_those_by_owens_function(shape: float):
    def density(x: Any, h: Any) -> Any:
        return mpmath.exp(-h * h * (1 + x * x) / 2) / (1 + x * x) / (2 * mpmath.pi)

    for z in (-6.0, -1.0, -0.01, 0.0, 0.5, 2.0, 6.0):
        if abs(shape * z) < 10.0:  # beyond, Owen's function leaves too few of the digits
            h = mpmath.mpf(z)
            ends = [0, *(mpmath.mpf(shape) * k / 40 for k in range(1, 41))]
            owen = mpmath.quad(lambda x: density(x, h), ends)  # noqa: B023
            below, above = mpmath.log(mpmath.ncdf(h) - 2 * owen), mpmath.log(mpmath.ncdf(-h) + 2 * owen)
            row = tuple(map(np.float64, (z, 0.0, 1.0, shape)))
            assert abs(SkewNormal.log_cdf(*row) - below) <= 2e-15 * max(1, abs(below)), row
            assert abs(SkewNormal.log_sf(*row) - above) <= 2e-15 * max(1, abs(above)), row


ONE, TENTH = np.float64(1.0), np.float64(0.1)
inverse_gaussian, skew_normal = InverseGaussian.log_sf, SkewNormal.log_cdf


def tails(x, out):
    for i in range(x.size):
        out[i] = inverse_gaussian(x[i], ONE, TENTH) + skew_normal(x[i], TENTH, ONE, ONE + ONE)


def test_compiled_tails_have_the_same_bits():
    x = np.geomspace(1e-3, 50.0, 40)
    compiled, plain = np.empty(x.size), np.empty(x.size)
    bind(tails)(x, compiled)
    tails(x, plain)
    np.testing.assert_array_equal(compiled, plain)
