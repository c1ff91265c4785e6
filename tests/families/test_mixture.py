"""Mixtures: far tails, weights, parts off whose support an observation lies."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import nll
from nll.errors import DataError, UsageError


def test_far_from_every_part_the_nearest_one_counts():
    dist = nll.Mixture([nll.Normal(-50.0, 1.0), nll.Normal(60.0, 2.0)], weights=[0.3, 0.7])
    assert abs(dist.log_prob(0.0) + 451.96876065770335041424) < 1e-12
    assert abs(dist.log_prob(1e8) / -1249998500000451.9687606 - 1.0) < 1e-15
    assert dist.mean() == pytest.approx(27.0)
    assert dist.variance() == pytest.approx(0.3 * (1 + 77.0**2) + 0.7 * (4 + 33.0**2))


def test_parts_that_do_not_count():
    one = nll.Gamma(2.0, 1.0)
    assert nll.Mixture([one, nll.Gamma(5.0, 1.0)], weights=[1.0, 0.0]).log_prob(3.0) == one.log_prob(3.0)
    half = nll.Mixture([one, nll.Normal(0.0, 1.0)], weights=[0.5, 0.5])
    assert half.log_prob(-1.0) == pytest.approx(nll.Normal(0.0, 1.0).log_prob(-1.0) + np.log(0.5), rel=1e-15)
    assert nll.Mixture([one, nll.Gamma(5.0, 1.0)], weights=[0.5, 0.5]).log_prob(-1.0) == -np.inf


def test_a_probability_near_one_has_all_its_digits():
    dist = nll.Mixture([nll.Poisson(1e-10), nll.Poisson(1e-12)], weights=[0.5, 0.5])
    with mpmath.workdps(40):
        missing = (mpmath.expm1(-mpmath.mpf(1e-10)) + mpmath.expm1(-mpmath.mpf(1e-12))) / 2
        expected = -mpmath.log1p(missing)
    assert abs(nll.score(0, dist).sum / expected - 1) < 1e-15
    assert abs(dist.sf(0) / -missing - 1) < 1e-14


@pytest.mark.parametrize("weights", [[0.3, 0.6], [1.1, -0.1], [0.5, 0.5 + 1e-8]])
def test_weights_sum_to_one(weights):
    dist = nll.Mixture([nll.Normal(0, 1), nll.Normal(1, 1)], weights=weights)
    for use in (lambda: dist.log_prob(0.0), lambda: nll.score([0.0], dist)):
        with pytest.raises(DataError, match="weight_"):
            use()


@pytest.mark.parametrize(
    "made",
    [
        lambda: nll.Mixture(nll.Normal),
        lambda: nll.Mixture(nll.Normal, 0),
        lambda: nll.Mixture(nll.Normal(0, 1), 2),
        lambda: nll.Mixture([]),
        lambda: nll.Mixture([nll.Normal, nll.Poisson]),
        lambda: nll.Mixture([nll.Normal, nll.Normal(0, 1)]),
        lambda: nll.Mixture([nll.Normal(0, 1), nll.Normal(0, 1)]),
        lambda: nll.Mixture([nll.Normal(0, 1), nll.Normal(0, 1)], weights=[1.0]),
        lambda: nll.Mixture([nll.Hurdle(nll.Gamma), nll.Gamma]),
    ],
)
def test_what_is_no_mixture(made):
    with pytest.raises(UsageError):
        made()
