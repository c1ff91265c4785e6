"""Tails, quantiles, samples and logits of a single event."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

import nll


@pytest.mark.parametrize("p", [0.0, 1e-300, 1e-20, 0.2, 0.5, 1.0 - 2.0**-53, 1.0])
def test_the_tails_are_logs_of_the_shares(p):
    dist = nll.Bernoulli(probs=p)
    with mpmath.workdps(40):
        lower = float(mpmath.log1p(-mpmath.mpf(p))) if p < 1.0 else -math.inf
        upper = float(mpmath.log(p)) if p > 0.0 else -math.inf
    assert dist.log_cdf(0) == pytest.approx(lower, rel=1e-15)
    assert dist.log_sf(0) == pytest.approx(upper, rel=1e-15)
    assert dist.log_cdf([-1.0, 0.5, 1.0]) == pytest.approx([-math.inf, lower, 0.0], rel=1e-15)
    assert dist.log_sf([-1.0, 1.0]).tolist() == [0.0, -math.inf]


@pytest.mark.parametrize("z", [-math.inf, -800.0, -40.0, -1.3, 0.0, 40.0, 800.0, math.inf])
def test_the_tails_of_logits_keep_their_digits(z):
    dist = nll.Bernoulli(logits=z)
    with mpmath.workdps(400):
        lower = 0.0 if z == -math.inf else -z if z == math.inf else float(-mpmath.log1p(mpmath.exp(z)))
        upper = 0.0 if z == math.inf else z if z == -math.inf else float(-mpmath.log1p(mpmath.exp(-z)))
    assert dist.log_cdf(0) == pytest.approx(lower, rel=1e-15)
    assert dist.log_sf(0) == pytest.approx(upper, rel=1e-15)
    assert dist.variance() == pytest.approx(math.exp(lower + upper), rel=1e-13)
    assert dist.entropy() >= 0.0


def test_quantiles_are_the_events():
    dist = nll.Bernoulli(probs=[0.0, 0.3, 1.0])
    assert dist.quantile(0.69).tolist() == [0.0, 0.0, 1.0]
    assert dist.quantile(0.71).tolist() == [0.0, 1.0, 1.0]
    assert nll.Bernoulli(logits=2.0).quantile([0.05, 0.5]).tolist() == [0.0, 1.0]


def test_samples_have_the_share():
    probs = np.array([0.0, 0.3, 1.0])
    for dist in (nll.Bernoulli(probs=probs), nll.Bernoulli(logits=[-np.inf, math.log(3 / 7), np.inf])):
        share = dist.sample(4_000, np.random.default_rng(1)).mean(axis=0)
        assert share[[0, 2]].tolist() == [0.0, 1.0]
        assert share[1] == pytest.approx(0.3, abs=4.0 * math.sqrt(0.21 / 4_000))


def test_forms_agree():
    assert nll.Bernoulli(probs=0.3).kl(nll.Bernoulli(probs=0.6)) == pytest.approx(
        nll.Bernoulli(logits=math.log(3 / 7)).kl(nll.Bernoulli(logits=math.log(1.5))), rel=1e-14
    )
