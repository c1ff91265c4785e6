"""Masses of intervals far out, at infinite ends and off the support, and the bits of both ways to run them."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from numba import njit

import nll
from nll.errors import UsageError
from nll.families import families
from nll.families.interval import Interval, flows
from nll.families.intervals import (
    log_cdf_total,
    log_mass,
    log_mass_gradient,
    log_mass_hessian,
    log_sf_total,
    triangle,
)
from nll.kernels.kernel import kernel, prepared
from nll.numerics.formula import compiled, quiet


def at(formula: Any, *row: float) -> Any:
    with quiet():
        return formula(*map(np.float64, row))


def test_a_far_interval_of_the_normal_keeps_its_derivatives():
    with mpmath.workdps(60):

        def mass(loc: Any, scale: Any) -> Any:
            first, last = ((mpmath.mpf(y) - loc) / scale for y in (40, 41))
            return mpmath.log((mpmath.erfc(first / mpmath.sqrt(2)) - mpmath.erfc(last / mpmath.sqrt(2))) / 2)

        slopes = [float(mpmath.diff(mass, (0, 1), order)) for order in ((1, 0), (0, 1))]
        bends = [float(mpmath.diff(mass, (0, 1), order)) for order in ((2, 0), (1, 1), (0, 2))]
        assert at(log_mass(nll.Normal), 40, 41, 0, 1) == pytest.approx(float(mass(0, 1)), rel=1e-15)
    assert at(log_mass_gradient(nll.Normal), 40, 41, 0, 1) == pytest.approx(slopes, rel=1e-12)
    assert at(log_mass_hessian(nll.Normal), 40, 41, 0, 1) == pytest.approx(bends, rel=1e-9)


def test_a_censored_weibull_has_the_derivatives_of_its_hazard():
    scale, shape, y = 1.5, 2.5, 7.0
    r = np.log(y / scale)
    e = np.exp(shape * r)
    row = (y, np.inf, scale, shape)
    assert at(log_mass(nll.Weibull), *row) == pytest.approx(-e, rel=1e-14)
    assert at(log_mass_gradient(nll.Weibull), *row) == pytest.approx([shape * e / scale, -e * r], rel=1e-13)
    bends = [-shape * (shape + 1.0) * e / scale**2, e / scale * (1.0 + shape * r), -e * r * r]
    assert at(log_mass_hessian(nll.Weibull), *row) == pytest.approx(bends, rel=1e-11)


def test_a_censored_gamma_has_the_derivatives_of_the_incomplete_gamma_function():
    row = (30.0, np.inf, 2.5, 0.7)
    with mpmath.workdps(40):

        def mass(a: Any, rate: Any) -> Any:
            return mpmath.log(mpmath.gammainc(a, rate * 30, regularized=True))

        slopes = [float(mpmath.diff(mass, row[2:], order)) for order in ((1, 0), (0, 1))]
        bends = [float(mpmath.diff(mass, row[2:], order)) for order in ((2, 0), (1, 1), (0, 2))]
    assert at(log_mass_gradient(nll.Gamma), *row) == pytest.approx(slopes, rel=1e-10)
    assert at(log_mass_hessian(nll.Gamma), *row) == pytest.approx(bends, rel=1e-8)


def test_tails_are_defined_everywhere():
    assert at(log_cdf_total(nll.Exponential), -1.0, 2.0) == -np.inf
    assert at(log_sf_total(nll.Exponential), -1.0, 2.0) == 0.0
    assert at(log_cdf_total(nll.Uniform), 5.0, 0.0, 1.0) == 0.0
    assert at(log_sf_total(nll.Uniform), 5.0, 0.0, 1.0) == -np.inf
    assert at(log_cdf_total(nll.Poisson), 3.9, 2.0) == at(log_cdf_total(nll.Poisson), 3.0, 2.0)
    assert at(log_mass(nll.Poisson), -0.5, 0.5, 2.0) == pytest.approx(-2.0, rel=1e-15)


def test_a_whole_number_has_no_derivative():
    slopes = at(log_mass_gradient(nll.Binomial), 1.0, 5.0, 12.0, 0.3)
    assert np.isnan(slopes[0])
    assert np.isfinite(slopes[1])


FLOWING = [form for each in families().values() for form in each.forms if flows(form)]


@pytest.mark.parametrize("form", FLOWING, ids=lambda form: form.signature())
def test_what_is_censored_on_the_right_needs_one_tail(form: Any):
    theta = {"Uniform": (-1.0, 8.0), "GeneralizedPareto": (0.4, 1.5, 0.2)[-len(form.parameters) :]}
    row = theta.get(form.__name__, (0.4, 0.7, 0.3)[: len(form.parameters)])
    y = np.array([1.0, 1.0, 0.0, -np.inf, 3.0, 2.0])
    upper = np.where([True, False, False, False, False, True], y, np.inf)
    low = np.array([-np.inf, -np.inf, 1.0, 0.0, 1.0, 2.0])
    for options, other, bounds in (
        (("right",), (), ((), ())),
        (("right", "entry"), ("truncated",), ((low,), (low, np.full(6, np.inf)))),
    ):
        right, general = Interval.form([form], options), Interval.form([form], other)
        for i in range(6):
            one, two = ([y[i], *row, upper[i], *(b[i] for b in ends)] for ends in bounds)
            if not at(general.inside, *two):
                assert not at(right.inside, *one)
                continue
            assert at(right.loss, *one) == pytest.approx(at(general.loss, *two), rel=1e-14, abs=1e-15, nan_ok=True)
            size = len(row)
            slopes, expected = at(right.gradient, *one)[:size], at(general.gradient, *two)[:size]
            assert slopes == pytest.approx(expected, rel=1e-10, abs=1e-12)
            places, all_places = triangle(len(one) - 1), triangle(len(two) - 1)
            bends = dict(zip(places, at(right.hessian, *one), strict=True))
            others = dict(zip(all_places, at(general.hessian, *two), strict=True))
            for place in triangle(size):
                assert bends[place] == pytest.approx(others[place], rel=1e-9, abs=1e-11)


def test_the_right_option_is_for_closed_tails():
    assert not flows(nll.Gamma)  # its derivatives are differences
    assert not flows(nll.Poisson)  # its tails have loops
    assert not flows(nll.SkewNormal)
    with pytest.raises(UsageError, match="no closed derivatives"):
        Interval.form([nll.Gamma], ("right",))


def test_a_formula_that_stands_alone_has_the_bits_of_its_plain_self():
    generator = np.random.default_rng(5)
    n = 300
    y, a, rate = generator.gamma(2.0, 3.0, n), generator.uniform(0.1, 60.0, n), generator.uniform(0.1, 9.0, n)
    upper = np.where(generator.random(n) < 0.3, y, np.where(generator.random(n) < 0.5, np.inf, y + 1.0))
    form = kernel(Interval.form([nll.Gamma]))
    y, theta = prepared(y, (a, rate, upper))
    out = np.empty(n)
    form._loop("rows")(y, theta, out)
    np.testing.assert_array_equal(out.view(np.int64), form.plain_rows(y, theta).view(np.int64))


def _each(first, second, third, fourth, out):
    for i in range(first.size):
        out[i, 0], out[i, 1] = slopes(first[i], second[i], third[i], fourth[i])  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("form", [nll.Weibull, nll.Normal])
def test_plain_and_compiled_gradients_have_the_same_bits(form: Any):
    generator = np.random.default_rng(3)
    low, high = generator.choice([-np.inf, -1.0, 0.3, 2.0], 200), generator.choice([0.5, 2.0, 9.0, np.inf], 200)
    theta = generator.uniform(0.5, 3.0, (2, 200))
    out = np.empty((200, 2))
    formula = log_mass_gradient(form)
    scope = {**globals(), "slopes": compiled(formula)}
    loop = njit(error_model="numpy")(type(_each)(_each.__code__, scope))
    loop(low, high, *theta, out)
    expected = np.array([at(formula, *row) for row in zip(low, high, *theta, strict=True)])
    np.testing.assert_array_equal(out.view(np.int64), expected.view(np.int64))
