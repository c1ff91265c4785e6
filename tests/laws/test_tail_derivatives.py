"""The probability of an interval, its gradient and its Hessian are what the density between its ends says."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
import pytest

from nll.families.family import Family
from nll.families.intervals import log_mass, log_mass_gradient, log_mass_hessian
from nll.kernels.kernel import support
from nll.numerics.formula import quiet

from .points import FORMS, Theta, ends, parameters

TAILED = [form for form in FORMS if form.log_cdf is not None and form.gradient is not None]
forms = {"argvalues": TAILED, "ids": [form.signature() for form in TAILED]}
# No kink of a density lies inside one of these.
INTERVALS = ((0.3, 0.4), (0.65, 0.95), (1.1, 3.5), (-1.2, 0.5), (12.0, 12.5))
COUNTED = ((-1.0, 0.0), (0.0, 3.0), (2.0, 7.0), (9.0, 11.0))


def moving(form: type[Family]) -> list[int]:
    """The parameters in which there are derivatives."""
    return [j for j, constraint in enumerate(form.parameters.values()) if not constraint.discrete]


def found(form: type[Family], low: float, high: float, theta: Theta) -> tuple[float, npt.NDArray, npt.NDArray]:
    """log_mass, its gradient and its Hessian, in the moving parameters."""
    size, inner = len(form.parameters), moving(form)
    row = [np.float64(x) for x in (low, high, *theta)]
    with quiet():
        mass, slopes, bends = log_mass(form)(*row), log_mass_gradient(form)(*row), log_mass_hessian(form)(*row)
    hessian = np.empty((size, size))
    for (j, k), bend in zip(combinations_with_replacement(range(size), 2), bends, strict=True):
        hessian[j, k] = hessian[k, j] = bend
    return float(mass), np.array(slopes)[inner], hessian[np.ix_(inner, inner)]


def summed(form: type[Family], low: float, high: float, theta: Theta) -> tuple[float, npt.NDArray, npt.NDArray]:
    """The same from the density: the gradient is the mean of the scores, by Louis's formula for the Hessian.

    T. A. Louis, Finding the Observed Information Matrix when Using the EM Algorithm (1982), section 3.
    """
    if form.observations.discrete:
        values, weights = np.arange(low + 1.0, high + 1.0), np.ones(int(high - low))
    else:
        nodes, weights = np.polynomial.legendre.leggauss(60)
        values, weights = (low + high) / 2.0 + (high - low) / 2.0 * nodes, weights * (high - low) / 2.0
    inner, size = moving(form), len(form.parameters)
    losses, slopes, bends = [], [], []
    with quiet():
        for y in values:
            row = [np.float64(x) for x in (y, *theta)]
            inside = support(form)(*row)
            losses.append(form.loss(*row) if inside else np.inf)  # type: ignore[misc]
            slopes.append(np.array(form.gradient(*row))[inner] if inside else np.zeros(len(inner)))  # type: ignore[misc]
            full = np.empty((size, size))
            full[np.triu_indices(size)] = form.hessian(*row) if inside else 0.0  # type: ignore[misc]
            bends.append(np.where(np.tri(size, k=-1) > 0, full.T, full)[np.ix_(inner, inner)])
    least = min(losses)
    if least == np.inf:
        return -np.inf, np.zeros(len(inner)), np.zeros((len(inner), len(inner)))
    shares = weights * np.exp(least - np.array(losses))
    total = shares.sum()
    shares = shares / total
    gradient = -np.einsum("i,ij->j", shares, slopes)
    hessian = np.einsum("i,ij,ik->jk", shares, slopes, slopes) - np.einsum("i,ijk->jk", shares, bends)
    return np.log(total) - least, gradient, hessian - np.outer(gradient, gradient)


def within(form: type[Family], theta: Theta, low: float, high: float) -> bool:
    """Whether a density is smooth on the interval: it may not begin or end there."""
    first, last = ends(form, theta)
    return bool(form.observations.discrete or (first + 1e-9 < low and high < last - 1e-9))


@pytest.mark.parametrize("form", **forms)
def test_the_mass_of_an_interval_and_its_derivatives_are_those_of_the_density(form: type[Family]):
    tried = 0
    for theta in parameters(form, 1):
        for low, high in COUNTED if form.observations.discrete else INTERVALS:
            if within(form, theta, low, high):
                mass, gradient, hessian = found(form, low, high, theta)
                true, slopes, bends = summed(form, low, high, theta)
                if true == -np.inf:
                    assert mass == -np.inf
                    assert not gradient.any()
                    assert not hessian.any()
                    continue
                if true < -1e4:  # the density is so steep there that the nodes do not see it
                    continue
                assert mass == pytest.approx(true, rel=1e-11, abs=1e-11)
                # Of a narrow interval the difference of its ends keeps fewer digits; so do differences in theta.
                sizes = np.sqrt(np.abs(np.diag(bends))) + np.abs(slopes) + 1e-3
                assert np.abs((gradient - slopes) / sizes).max() < 1e-9, (theta, low, high)
                assert np.abs((hessian - bends) / np.outer(sizes, sizes)).max() < 1e-7, (theta, low, high)
                tried += 1
    assert tried


@pytest.mark.parametrize("form", **forms)
def test_what_is_censored_is_the_sum_of_its_parts(form: type[Family]):
    middle = 3.0 if form.observations.discrete else 0.45
    for theta in parameters(form, 1):
        for low, high in ((-np.inf, middle), (middle, np.inf)):
            if ends(form, theta)[0] < middle < ends(form, theta)[1]:
                cut = 1.0 if form.observations.discrete else 0.3
                cut = cut if high == middle else (5.0 if form.observations.discrete else 0.9)
                parts = [found(form, a, b, theta) for a, b in ((low, cut), (cut, high))]
                mass, gradient, _ = found(form, low, high, theta)
                shares = [np.exp(part[0] - mass) for part in parts]
                assert sum(shares) == pytest.approx(1.0, abs=1e-13)
                expected = sum(share * part[1] for share, part in zip(shares, parts, strict=True))
                np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("form", **forms)
def test_the_whole_line_is_certain_and_nothing_lies_in_an_empty_interval(form: type[Family]):
    (theta,) = parameters(form, 1)
    for low, high, expected in ((-np.inf, np.inf, 0.0), (2.0, 2.0, -np.inf), (np.inf, np.inf, -np.inf)):
        mass, gradient, hessian = found(form, low, high, theta)
        assert mass == expected
        assert not gradient.any()
        assert not hessian.any()
