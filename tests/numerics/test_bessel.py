"""Bessel functions and half angles against mpmath."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from nll.numerics.bessel import bessel_ratio, half_angle, log_i0_scaled
from nll.numerics.formula import bind, quiet

POINTS = np.concatenate([[0.0, 5e-324, 1e-300, 1e-20], np.geomspace(1e-10, 16.0, 60), [16.000001],
                         np.geomspace(16.0, 1e6, 60), [1e15, 1e100, 1e300, 1.7e308]])  # fmt: skip


def exact(k: float) -> tuple[Any, ...]:
    x = mpmath.mpf(float(k))
    if x > 1e7:  # DLMF 10.40.1, as far as 1 / k**3
        v = 1 / x
        rest = v / 2 + v * v / 8
        return -mpmath.log(2 * mpmath.pi * x) / 2 + v / 8 + v * v / 16, 1 - rest, rest, v * v / 2 + v**3 / 4
    i0, i1 = mpmath.besseli(0, x), mpmath.besseli(1, x)
    ratio = i1 / i0
    return mpmath.log(i0) - x, ratio, 1 - ratio, 1 - ratio**2 - (ratio / x if x else mpmath.mpf(0.5))


@pytest.mark.parametrize("k", POINTS)
def test_they_are_those_of_mpmath(k: float):
    with mpmath.workdps(60), quiet():
        scaled, whole, rest, slope = exact(k)
        found = log_i0_scaled(np.float64(k))
        ratio, below, bend = bessel_ratio(np.float64(k))
        assert abs(found - scaled) <= 1e-15 * max(1, abs(scaled))
        far = k > 16.0
        assert abs(below - rest) <= (5e-16 if far else 2e-14) * rest
        assert abs(bend - slope) <= (5e-16 if far else 5e-13) * slope + mpmath.mpf(2) ** -1074
        assert abs(ratio - whole) <= 5e-16 * whole + mpmath.mpf(2) ** -1074


def sums(x, out):
    for i in range(x.size):
        out[i] = log_i0_scaled(x[i]) + bessel_ratio(x[i])[2]


def test_compiled_they_have_the_same_bits():
    compiled, plain = np.empty(POINTS.size), np.empty(POINTS.size)
    bind(sums)(POINTS, compiled)
    with quiet():
        sums(POINTS, plain)
    np.testing.assert_array_equal(compiled, plain)


@pytest.mark.parametrize("loc", [0.0, 1.0, -6.28, 3.141592653589793])
def test_the_sine_and_cosine_of_half_an_angle(loc: float):
    angles = np.concatenate(
        [np.linspace(-6.283, 6.283, 101), [1e-300, -1e-8, np.pi, -np.pi, loc, np.nextafter(loc, 9.0)]]
    )
    with mpmath.workdps(60), quiet():
        for y in angles:
            h = (mpmath.mpf(float(y)) - mpmath.mpf(loc)) / 2
            sine, low, cosine = half_angle(np.float64(y), np.float64(loc))
            s, c = mpmath.sin(h), mpmath.cos(h)
            sign = 1 if s * sine >= 0 else -1  # a multiple of pi is left out: both may have changed their sign
            assert (
                abs(mpmath.mpf(float(sine)) + mpmath.mpf(float(low)) - sign * s)
                <= 2e-16 * abs(s) + mpmath.mpf(2) ** -1074
            )
            assert abs(cosine - sign * c) <= 2.5e-16 * abs(c)
