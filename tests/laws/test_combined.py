"""The laws over combined families: values, derivatives, tails, samples, bits."""

from __future__ import annotations

from itertools import combinations_with_replacement

import mpmath
import numpy as np
import pytest

import nll
from nll.families.constraints import Bound
from nll.families.family import Family
from nll.kernels.kernel import kernel, prepared, support
from nll.numerics.formula import quiet

from .combined import COMBINED, INTERVALS, Case, every
from .densities import Number

# The mass of a truncation: its derivatives by differences (a mixture), or far out the difference of large terms.
LOOSE = {"Truncated(Mixture(Gamma, 2))", "Truncated(Normal)"}


def made(case: Case, theta: tuple[float, ...]) -> Family:
    return case.form(**dict(zip(case.form.parameters, map(float, theta), strict=True)))


def observed(case: Case, theta: tuple[float, ...]) -> list[float]:
    numbers = [np.float64(t) for t in theta]
    return [y for y in case.ys if support(case.form)(np.float64(y), *numbers)]


EVERYTHING = pytest.mark.parametrize("case", [*COMBINED, *INTERVALS], ids=lambda case: case.form.signature())


@EVERYTHING
def test_the_log_density_is_that_of_the_textbook(case: Case):
    tried = 0
    with mpmath.workdps(60):
        for theta in case.thetas:
            for y in observed(case, theta):
                expected = case.density(mpmath.mpf(y), *map(mpmath.mpf, theta))
                assert case.form.loss is not None
                with quiet():
                    found = -float(case.form.loss(*map(np.float64, (y, *theta))))
                assert abs(found - expected) <= 1e-13 * max(1, abs(expected)), (y, theta)
                tried += 1
    assert tried >= 3


@EVERYTHING
def test_derivatives_are_those_of_the_textbook(case: Case):
    form = case.form
    assert form.gradient is not None
    assert form.hessian is not None
    known = [i for i, c in enumerate(form.parameters.values()) if c is not Bound]
    pairs = list(combinations_with_replacement(range(len(form.parameters)), 2))
    first, second = (1e-8, 1e-6) if form.family.__name__ in LOOSE else (1e-11, 1e-10)
    for theta in case.thetas[: 1 if form_is_slow(case) else 2]:
        for y in observed(case, theta):
            numbers = [np.float64(v) for v in (y, *theta)]
            with quiet():
                gradient, hessian = form.gradient(*numbers), form.hessian(*numbers)
            with mpmath.workdps(50):
                expected = {(i,): slope(case, y, theta, i) for i in known}
                expected |= {p: slope(case, y, theta, *p) for p in pairs if set(p) <= {*known}}
            for i in known:
                assert abs(gradient[i] - expected[i,]) <= first * max(1, abs(expected[i,])), (y, theta, i)
            for pair, value in zip(pairs, hessian, strict=True):
                if pair in expected:
                    assert abs(value - expected[pair]) <= second * max(1, abs(expected[pair])), (y, theta, pair)


def slope(case: Case, y: float, theta: tuple[float, ...], *by: int) -> Number:
    free = sorted(set(by))

    def along(*values: Number) -> Number:
        full = [mpmath.mpf(t) for t in theta]
        for i, value in zip(free, values, strict=True):
            full[i] = value
        return -case.density(mpmath.mpf(y), *full)

    point, order = tuple(mpmath.mpf(theta[i]) for i in free), tuple(by.count(i) for i in free)
    return mpmath.diff(along, point, order, h=mpmath.mpf(10) ** -12 * max(1e-3, min(map(abs, point))))


@pytest.mark.parametrize("case", **every)
def test_they_are_normalised_and_agree_with_their_tails(case: Case):
    for theta in case.thetas[:2]:
        dist = made(case, theta)
        if dist.mixed:
            continue
        found = nll.check(dist)
        assert found.verdict == "normalised", (theta, found.integral)
        assert abs(found.integral - 1.0) <= 1e-9
        for region in found.regions:
            assert abs(region.mass - region.expected) <= 1e-9


def test_a_mixed_density_and_its_atom_make_one():
    dist = nll.Hurdle(nll.Gamma(concentration=2.0, rate=0.5), gate=0.3)
    y = np.linspace(1e-9, 80.0, 20_001)
    density = np.asarray(dist.prob(y))
    assert abs(np.trapezoid(density, y) + dist.prob(0.0) - 1.0) < 1e-5
    assert dist.mixed
    assert dist.atoms == (0.0,)


@pytest.mark.parametrize("case", **every)
def test_tails_are_sums_of_the_density(case: Case):
    dist = made(case, case.thetas[0])
    theta = case.thetas[0]
    for y in observed(case, theta)[-2:]:
        if dist.discrete:
            below = sum(
                np.exp(float(case.density(mpmath.mpf(k), *map(mpmath.mpf, theta))))
                for k in range(int(y) + 1)
                if support(case.form)(np.float64(k), *theta)
            )
            assert abs(dist.cdf(y) - below) <= 1e-13
        else:
            with mpmath.workdps(20):
                area = mpmath.quad(lambda v: mpmath.exp(case.density(v, *map(mpmath.mpf, theta))), [y, y + 0.05])
            assert abs(np.exp(dist.log_interval(y, y + 0.05)) - area) <= 1e-12
        assert abs(dist.cdf(y) + dist.sf(y) - 1.0) <= 1e-14


@pytest.mark.parametrize("case", **every)
def test_samples_follow_the_cdf(case: Case):
    dist = made(case, case.thetas[0])
    n = 2_000
    y = np.sort(dist.sample(n, 7))
    assert np.isfinite(dist.log_prob(y[:20])).all()
    values = np.unique(y[:: n // 40])  # the largest distance at these is at most that anywhere
    cdf = np.asarray(dist.cdf(values))
    empirical = np.searchsorted(y, values, side="right") / n
    assert np.abs(cdf - empirical).max() < 1.95 / np.sqrt(n)  # Kolmogorov's 0.1 % point, as there are many cases


def form_is_slow(case: Case) -> bool:
    return case.form.family.__name__.startswith("Truncated(")


@pytest.mark.parametrize("case", [COMBINED[0]], ids=[COMBINED[0].form.signature()])
def test_compiled_and_plain_give_the_same_bits(case: Case):
    rows = [(y, *theta) for theta in case.thetas for y in case.ys]
    rows += [(0.0, 3.0, gate) for gate in (0.0, 5e-324, 1e-300, 0.5, 1.0)] + [(2.0, 0.0, 0.5), (-1.0, 1.0, 0.5)]
    y, *theta = (np.array(column) for column in zip(*rows, strict=True))
    y, theta = prepared(y, theta)
    out = np.empty(y.size)
    kernel(case.form)._loop("rows")(y, theta, out)
    np.testing.assert_array_equal(out, kernel(case.form).plain_rows(y, theta))
