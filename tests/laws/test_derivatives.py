"""Gradient and Hessian are the derivatives of the textbook's log density, and obey the identities of likelihood."""

from __future__ import annotations

from itertools import combinations_with_replacement

import mpmath
import numpy as np
import numpy.typing as npt
import pytest

from nll.families.family import Family
from nll.numerics.formula import quiet

from .densities import DENSITIES, Number
from .points import FORMS, Theta, masses, names, observations, parameters

# The derivative of the loss in these jumps, so the mean of the second is not the variance of the first.
KINKED = {("Laplace", "loc")}
# An end of the support moves with these, where the density is not 0: the mean of the gradient is not 0.
MOVING = {("GeneralizedPareto", "loc"), ("Pareto", "scale"), ("Uniform", "high"), ("Uniform", "low")}


def derivatives(form: type[Family], y: float, theta: Theta) -> tuple[list[float], list[float]]:
    assert form.gradient is not None
    assert form.hessian is not None
    numbers = [np.float64(x) for x in (y, *theta)]
    with quiet():
        return list(form.gradient(*numbers)), list(form.hessian(*numbers))


def triangle(size: int) -> list[tuple[int, int]]:
    return list(combinations_with_replacement(range(size), 2))


@pytest.mark.parametrize("form", **names)
def test_they_are_the_derivatives_of_the_log_density(form: type[Family]):
    size, tried = len(form.parameters), 0

    def density(y: Number, *theta: Number) -> Number:
        return DENSITIES[form.family.__name__](y, **dict(zip(form.parameters, theta, strict=True)))

    def slope(y: float, theta: Theta, *by: int) -> Number:
        order = (0, *(by.count(k) for k in range(size)))
        return -mpmath.diff(density, tuple(map(mpmath.mpf, (y, *theta))), order)

    with mpmath.workdps(30):
        for theta in parameters(form, 5):
            for y in observations(form, theta):
                gradient, hessian = derivatives(form, y, theta)
                expected = [slope(y, theta, k) for k in range(size)] + [slope(y, theta, *jk) for jk in triangle(size)]
                found = gradient + hessian
                assert len(found) == len(expected)
                for a, b in zip(found, expected, strict=True):
                    assert abs(a - b) <= 1e-12 * max(1, abs(b)), (y, theta, found, expected)
                tried += 1
    assert tried >= 4


def regular(form: type[Family], theta: Theta) -> bool:
    """Whether the identities hold: not with too blunt an upper end, nor with the peak of a generalized Normal."""
    shape = dict(zip(form.parameters, theta, strict=True)).get("shape", 2.0)
    return shape > -0.5 if form.ends is not None else form.family.__name__ != "GeneralizedNormal" or shape > 1.0


@pytest.mark.parametrize("form", **names)
def test_the_mean_gradient_is_zero_and_its_variance_the_mean_hessian(form: type[Family]):
    steady = [(form.family.__name__, name) not in MOVING for name in form.parameters]
    inner = [k for k, constraint in enumerate(form.parameters.values()) if steady[k] and not constraint.discrete]
    pairs = [(j, k) for j, k in triangle(len(form.parameters)) if j in inner and k in inner]
    kinked = {k for k, name in enumerate(form.parameters) if (form.family.__name__, name) in KINKED}
    for theta in [theta for theta in parameters(form, 20) if regular(form, theta)][:2]:
        mean, information, variance = np.zeros((3, len(form.parameters), len(form.parameters)))
        for y, mass in masses(form, theta):
            gradient, hessian = derivatives(form, y, theta)
            mean[0] += mass * np.array(gradient)
            variance += mass * np.outer(gradient, gradient)
            for (j, k), value in zip(triangle(len(form.parameters)), hessian, strict=True):
                information[j, k] += mass * value
        close(mean[0][inner], 0.0)
        for j, k in pairs:
            if j == k and k in kinked:
                assert information[k, k] == 0.0
            else:
                close(information[j, k], variance[j, k])


def close(found: npt.ArrayLike, expected: npt.ArrayLike) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "form", [form for form in FORMS if form.curvature is not None], ids=lambda form: form.signature()
)
def test_the_quick_curvature_is_the_careful_one_or_says_that_it_is_not(form: type[Family]):
    assert form.loss is not None
    assert form.curvature is not None
    size, tried = len(form.parameters), 0
    for theta in parameters(form, 20):
        for y in (*observations(form, theta), 1e200):
            numbers = [np.float64(x) for x in (y, *theta)]
            with quiet():
                quick = list(form.curvature(*numbers))
                careful = [form.loss(*numbers), *(d for part in derivatives(form, y, theta) for d in part)]
            if np.isnan(quick[0]):
                continue
            units = [1.0, *([1.0 / abs(t) for t in theta])]
            units += [units[1 + j] * units[1 + k] for j, k in triangle(size)]
            for found, expected, unit in zip(quick, careful, units, strict=True):
                assert found == pytest.approx(expected, rel=1e-12, abs=1e-12 * unit)
            tried += 1
    assert tried > 5
