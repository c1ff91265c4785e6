"""The loss is minus the log density of the textbook, on the support and off it, and the density integrates to one."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from nll.families.family import Family

from .densities import DENSITIES, Number
from .points import ENDS, EXTREMES, FORMS, Theta, extremes, loss, masses, names, parameters

# Here parameters of 1e300 or 5e-324 overflow on the way to a loss that does not.
SHORT_OF_THE_ENDS = {"Beta", "NegativeBinomial", "StudentT"}

BEYOND = (np.nan, np.inf, -np.inf, -2.0, -1e-300, 0.0, 0.5, 1.0, 1.5, 2.0)


def exact(form: type[Family], y: float, theta: Theta) -> Number:
    """The loss by the textbook."""
    named = {name: mpmath.mpf(float(value)) for name, value in zip(form.parameters, theta, strict=True)}
    return -DENSITIES[form.family.__name__](mpmath.mpf(float(y)), **named)


def test_the_table_has_the_families():
    assert set(DENSITIES) == {form.family.__name__ for form in FORMS}


@pytest.mark.parametrize("form", **names)
def test_the_loss_is_finite_on_the_support_and_infinite_off_it(form: type[Family]):
    finite: set[bool] = set()
    for theta in parameters(form, 3):
        for y in BEYOND:
            found = loss(form, y, *theta)
            observable = form.observations.contains(np.float64(y))
            assert not (observable and (not np.isfinite(y) or (form.observations.discrete and y % 1.0)))
            if not observable:
                assert np.isnan(found), (y, theta)
                continue
            finite.add(bool(np.isfinite(found)))
            if (expected := exact(form, y, theta)) == mpmath.inf:
                assert found == np.inf, (y, theta)
            else:
                assert abs(found - expected) < 1e-13 * max(1, abs(expected)), (y, theta)
    assert True in finite


@pytest.mark.parametrize("form", **names)
def test_a_parameter_out_of_its_set_is_marked(form: type[Family]):
    (theta,), tried = parameters(form, 1), 0
    for k, constraint in enumerate(form.parameters.values()):
        for value in BEYOND:
            if not constraint.contains(value):
                tried += 1
                assert np.isnan(loss(form, 1.0, *theta[:k], value, *theta[k + 1 :])), (k, value)
    assert tried >= len(theta)


def check(form: type[Family], values: tuple[float, ...]) -> None:
    with mpmath.workdps(700):  # the differences of log gammas of 1e300 cost 300 digits
        for y, *theta in extremes(form, values, 100):
            found, expected = loss(form, y, *theta), exact(form, y, tuple(theta))
            if abs(expected) > np.finfo(float).max:
                assert found == np.inf, (y, theta)
            else:
                assert abs(found - expected) <= 1e-13 * max(1, abs(expected)), (y, theta)


@pytest.mark.parametrize("form", **names)
def test_the_loss_is_right_at_extremes(form: type[Family]):
    check(form, EXTREMES)


def ends(form: type[Family]) -> Any:
    reason = "an intermediate result leaves the doubles"
    marks = pytest.mark.xfail(reason=reason, raises=AssertionError) if form.family.__name__ in SHORT_OF_THE_ENDS else ()
    return pytest.param(form, marks=marks, id=form.signature())


@pytest.mark.parametrize("form", [ends(form) for form in FORMS])
def test_the_loss_is_right_at_the_ends_of_the_doubles(form: type[Family]):
    check(form, ENDS)


@pytest.mark.parametrize("form", **names)
def test_the_density_integrates_to_one(form: type[Family]):
    for theta in parameters(form, 3):
        assert sum(mass for _, mass in masses(form, theta)) == pytest.approx(1.0, abs=1e-6), theta
