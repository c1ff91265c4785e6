"""Quantiles of counts: the right ones, without a walk through the tails of enormous counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import nll
from nll.families.inversion import inverted


def quantiles(peer, p, low=0.0, high=np.inf):
    p = np.asarray(p)
    seen = []

    def log_cdf(y):
        seen.append(y)
        return peer.logcdf(y)

    found = inverted(
        log_cdf, peer.logsf, np.log(p), np.log1p(-p), np.full(p.shape, low), np.full(p.shape, high), discrete=True
    )
    return found, seen


@pytest.mark.parametrize("peer", [stats.poisson(0.01), stats.poisson(3.0), stats.poisson(4e5), stats.geom(1e-3)])
def test_counts_have_the_quantiles_of_scipy(peer):
    p = np.array([1e-9, 0.01, 0.5, 0.9, 1.0 - 1e-9])
    found, _ = quantiles(peer, p, low=peer.support()[0])
    assert found.tolist() == peer.ppf(p).tolist()


def test_small_counts_take_few_steps_near_them():
    _, seen = quantiles(stats.poisson(3.0), [0.1, 0.5, 0.99])
    assert len(seen) < 12
    assert max(y.max() for y in seen) < 64


def test_a_bounded_count_is_never_looked_for_above_its_bound():
    found, seen = quantiles(stats.binom(5, 0.9), [0.2, 0.999999], high=5.0)
    assert found.tolist() == stats.binom(5, 0.9).ppf([0.2, 0.999999]).tolist()
    assert max(y.max() for y in seen) <= 5


def test_a_quantile_at_zero_has_no_sign():
    found = nll.Hurdle(nll.Exponential(1.0), gate=0.5).quantile(0.1)
    assert found == 0.0
    assert not np.signbit(found)
