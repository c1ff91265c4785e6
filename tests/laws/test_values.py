"""What instances say: tails, quantiles, samples and densities agree with each other and with the rows."""

from __future__ import annotations

import copy
import json
import math
import pickle

import numpy as np
import pytest

import nll
from nll.families.family import Family
from nll.families.saving import from_dict, to_dict
from nll.families.values import log_difference
from nll.numerics.formula import quiet

from .points import FORMS, observations, parameters

TAILED = [form for form in FORMS if form.log_cdf is not None and form.log_sf is not None]
# Bisection is the same for all, and slow in plain Python: two families stand for those without a closed quantile.
QUICK = [form for form in TAILED if form.quantile is not None or form.family.__name__ in ("Exponential", "Geometric")]
PROBABILITIES = [1e-12, 0.3, 0.9, 1.0 - 1e-9]


def instances(forms: list[type[Family]], most: int):
    return [
        pytest.param(form(**dict(zip(form.parameters, theta, strict=True))), id=f"{form.signature()}{theta}")
        for form in forms
        for theta in parameters(form, most)
    ]


@pytest.mark.parametrize("dist", instances(FORMS, 1))
def test_log_prob_is_minus_the_row_loss(dist: Family):
    y = observations(type(dist), tuple(dist.theta.values()))
    np.testing.assert_array_equal(-dist.log_prob(y), nll.rows(y, dist))
    assert dist.prob(y[0]) == pytest.approx(math.exp(dist.log_prob(y[0])), rel=1e-14)


@pytest.mark.parametrize("dist", instances(FORMS, 1))
def test_instances_go_through_json(dist: Family):
    other = from_dict(json.loads(json.dumps(to_dict(dist))))
    assert type(other) is type(dist)
    assert other.theta == dist.theta


@pytest.mark.parametrize(
    "saved",
    [
        None,
        {},
        {"nll": "distribution", "version": 2},
        {"nll": "distribution", "version": 1, "family": "__import__", "parameters": {}},
        {"nll": "distribution", "version": 1, "family": ["Normal"], "parameters": {}},
        {"nll": "distribution", "version": 1, "family": "Normal", "parameters": {"loc": {"a": 1}, "scale": 1.0}},
        {"nll": "distribution", "version": 1, "family": "Normal", "parameters": {"loc": 0.0, "scael": 1.0}},
    ],
)
def test_a_saved_distribution_that_is_none_is_refused(saved):
    with pytest.raises(nll.errors.NllError):
        from_dict(saved)


@pytest.mark.parametrize("dist", instances(FORMS, 1))
def test_instances_copy_and_pickle(dist: Family):
    for other in (copy.copy(dist), copy.deepcopy(dist), pickle.loads(pickle.dumps(dist))):
        assert type(other) is type(dist)
        assert other.theta == dist.theta


@pytest.mark.parametrize("dist", instances(QUICK, 1))
def test_quantiles_invert_the_distribution_function(dist: Family):
    for p, y in zip(PROBABILITIES, dist.quantile(PROBABILITIES), strict=True):
        # The inverse of a steep or a flat piece is as good as y's last bit lets it be.
        if dist.discrete:
            assert dist.cdf(y) >= p * (1.0 - 1e-12)
            assert dist.cdf(y - 1.0) < p * (1.0 + 1e-12)
        else:
            near = [dist.cdf(t) for t in (np.nextafter(y, -np.inf), y, np.nextafter(y, np.inf))]
            assert near[0] * (1.0 - 1e-11) <= p <= near[2] * (1.0 + 1e-11)


@pytest.mark.parametrize("dist", instances(QUICK, 1))
def test_the_upper_quantile_keeps_a_small_probability(dist: Family):
    y = dist.quantile(1e-30, upper=True)
    if not dist.discrete and np.isfinite(y) and np.nextafter(y, -np.inf) > dist.quantile(0.999):
        near = sorted(dist.log_sf(t) for t in (np.nextafter(y, -np.inf), y, np.nextafter(y, np.inf)))
        assert near[0] - 1e-9 <= math.log(1e-30) <= near[-1] + 1e-9
    assert dist.quantile(math.log(0.2), log_scale=True) == pytest.approx(dist.quantile(0.2), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dist", instances(QUICK, 1))
def test_samples_follow_the_distribution(dist: Family):
    quick = type(dist).sample is not None or type(dist).quantile is not None
    n = 400 if quick else 40  # bisection takes 64 steps, here in plain Python
    y = np.sort(dist.sample(n, np.random.default_rng(7)))
    assert np.isfinite(dist.log_prob(y)).all()
    steps = np.arange(1, n + 1) / n
    upper = np.abs(dist.cdf(y) - steps)
    if dist.discrete:  # at the last of equal values only
        upper = upper[np.append(y[1:] != y[:-1], True)]
    assert upper.max() < 1.95 / math.sqrt(n)  # Kolmogorov's 0.1 % point


def test_an_interval_far_out_keeps_its_digits():
    dist = nll.Logistic(loc=0.0, scale=1.0)
    assert dist.log_interval(40.0, 41.0) == pytest.approx(-40.0 + math.log(1.0 - math.exp(-1.0)), rel=1e-14)
    assert dist.log_interval(-41.0, -40.0) == pytest.approx(dist.log_interval(40.0, 41.0), rel=1e-14)
    assert dist.log_interval(1.0, 1.0) == -np.inf
    with quiet():
        assert log_difference(np.float64(0.0), np.float64(-np.inf)) == 0.0


def test_beyond_the_ends_of_the_support():
    dist = nll.Exponential(rate=2.0)
    assert dist.log_cdf([-1.0, np.inf]).tolist() == [-np.inf, 0.0]
    assert dist.log_sf([-1.0, np.inf]).tolist() == [0.0, -np.inf]
    assert dist.log_prob(-1.0) == -np.inf


def test_arrays_broadcast_and_many_rows_give_the_same_bits():
    dist = nll.Weibull(scale=[[1.0], [2.0]], concentration=1.5)
    assert dist.log_sf([0.5, 1.0, 2.0]).shape == (2, 3)
    y = np.random.default_rng(0).exponential(size=30_000)
    one = nll.Weibull(scale=1.3, concentration=0.7)
    many = one.log_cdf(y)  # compiled
    np.testing.assert_array_equal(many[:50], one.log_cdf(y[:50]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nll.Normal("mu", 1.0).log_prob(0.0), "names a column"),
        (lambda: nll.Exponential(rate=-1.0).log_sf(1.0), "rate must be positive"),
        (lambda: nll.Exponential(rate=1.0).log_sf(np.nan), "NaN"),
        (lambda: nll.Exponential(rate=1.0).quantile(1.5), "probability"),
        (lambda: nll.Poisson(rate=1.0).log_prob(2.5), "whole number"),
        (lambda: nll.Categorical(probs=[0.5, 0.5]).log_prob(1), "nll.rows"),
    ],
)
def test_what_cannot_be_said_is_refused(call, words):
    with pytest.raises(nll.errors.NllError, match=words):
        call()


def test_a_power_that_underflows_still_has_a_tail():
    dist = nll.GeneralizedNormal(loc=0.0, scale=1.0, shape=623.5)  # nearly uniform on (-1, 1)
    expected = [0.5 * (1.0 - z / math.gamma(1.0 + 1.0 / 623.5)) for z in (0.27, 0.0, -0.27)]
    np.testing.assert_allclose(dist.cdf([-0.27, 0.0, 0.27]), expected, rtol=1e-13)
