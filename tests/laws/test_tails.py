"""log_cdf and log_sf belong to the density and to each other, however far out."""

from __future__ import annotations

import numpy as np
import pytest

from nll.families.family import Family
from nll.families.intervals import log_cdf_total, log_sf_total
from nll.kernels.kernel import support
from nll.numerics.formula import quiet

from .points import FORMS, Theta, loss, observations, parameters

# Tails so heavy, or ends so near, that no probability tried is as small as e**-40.
NOT_FAR = {
    *("Bernoulli", "BetaBinomial", "Binomial", "Cauchy", "GeneralizedPareto", "Pareto", "StudentT", "Uniform"),
    "VonMises",
}
TAILED = [form for form in FORMS if form.log_cdf is not None]


def tails(form: type[Family], y: float, theta: Theta) -> tuple[float, float]:
    numbers = [np.float64(x) for x in (y, *theta)]
    with quiet():
        return float(log_cdf_total(form)(*numbers)), float(log_sf_total(form)(*numbers))


def test_some_families_have_tails():
    assert {form.family.__name__ for form in TAILED} >= {"Exponential", "Geometric", "Laplace", "Logistic", "Weibull"}


@pytest.mark.parametrize("form", TAILED, ids=lambda form: form.signature())
def test_the_tails_add_up_to_one_and_the_density_is_their_slope(form: type[Family]):
    step = 1.0 if form.observations.discrete else 2.0**-13
    for theta in parameters(form, 5):
        for y in observations(form, theta):
            below, above = tails(form, y, theta)
            assert np.exp(below) + np.exp(above) == pytest.approx(1.0, abs=1e-15)
            if form.observations.discrete:
                mass = np.exp(tails(form, y - step, theta)[1]) - np.exp(above) if y > 0.0 else np.exp(below)
            else:
                if not (form.support.low < y - step and y + step < form.support.high):
                    continue  # a slope across an end of the support is none
                mass = np.exp(tails(form, y + step, theta)[0]) - np.exp(tails(form, y - step, theta)[0])
            assert mass / (step if form.observations.discrete else 2.0 * step) == pytest.approx(
                np.exp(-loss(form, y, *theta)), rel=1e-4
            )


@pytest.mark.parametrize("form", TAILED, ids=lambda form: form.signature())
def test_far_tails_are_accurate(form: type[Family]):
    tried = 0
    for theta in parameters(form, 8):
        for y in (1e-30, 60.0, 300.0):
            if form.observations.contains(y) and support(form)(y, *theta):
                below, above = tails(form, y, theta)
                small, other = min(below, above), max(below, above)
                if small < -40.0:  # log(1 - e**small) is -e**small as far as a double tells
                    assert other == pytest.approx(-np.exp(small), rel=1e-12, abs=0.0), (y, theta)
                    tried += 1
    assert tried > 0 or form.family.__name__ in NOT_FAR
