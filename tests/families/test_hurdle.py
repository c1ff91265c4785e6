"""Hurdles: what lies at zero, beyond it and below it."""

from __future__ import annotations

import numpy as np
import pytest

import nll
from nll.errors import UsageError


def test_counts_and_densities():
    counts, rain = nll.Hurdle(nll.Poisson(2.0), gate=0.3), nll.Hurdle(nll.Gamma(2.0, 1.0), gate=0.3)
    assert (counts.mixed, rain.mixed) == (False, True)
    for dist in (counts, rain):
        assert dist.prob(0.0) == pytest.approx(0.3, rel=1e-15)
        assert dist.cdf(0.0) == pytest.approx(0.3, rel=1e-15)
        assert dist.log_prob(-1.0) == -np.inf
        assert dist.cdf(-1.0) == 0.0
    assert counts.prob(np.arange(60.0)).sum() == pytest.approx(1.0, rel=1e-14)
    assert rain.quantile(0.2) == 0.0
    assert rain.cdf(rain.quantile(0.8)) == pytest.approx(0.8, rel=1e-14)


def test_what_is_below_zero_is_left_out():
    dist = nll.Hurdle(nll.Normal(0.5, 1.0), gate=0.25)
    part = nll.Normal(0.5, 1.0)
    assert dist.log_prob(-0.1) == -np.inf
    assert dist.prob(1.0) == pytest.approx(0.75 * part.prob(1.0) / part.sf(0.0), rel=1e-14)
    y = dist.sample(500, 3)
    assert y.min() == 0.0
    assert abs((y == 0.0).mean() - 0.25) < 0.07


def test_a_hurdle_of_a_hurdle_is_none():
    with pytest.raises(UsageError):
        nll.Hurdle(nll.Hurdle(nll.Gamma))
    with pytest.raises(UsageError):
        nll.Hurdle(nll.Gamma, gate=0.1)
