"""Families of families of families: they integrate to one, their tails agree, and they come back from what is saved."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nll
from nll.families.expression import parse_distribution
from nll.families.family import Family
from nll.families.saving import from_dict, to_dict

Make = Callable[[Callable[[Any], Any]], Family]
FEW = settings(max_examples=2, deadline=None, derandomize=True, database=None)


def between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False).map(lambda x: round(x, 3))


shares, sizes, places = between(0.05, 0.95), between(0.4, 4.0), between(-3.0, 3.0)


def inflated_truncated(draw: Any) -> Family:
    part = nll.Truncated(nll.Poisson(rate=draw(sizes)), low=draw(st.integers(0, 2)), high=draw(st.integers(4, 40)))
    return nll.ZeroInflated(part, gate=draw(shares))


def mixture_of_transformed(draw: Any) -> Family:
    first = nll.Transformed(nll.Normal(loc=draw(places), scale=draw(between(0.3, 1.0))), "exp")
    shift, factor = draw(places), draw(st.sampled_from([-2.0, 0.5, 3.0]))
    part = nll.Weibull(scale=draw(sizes), concentration=draw(between(1.2, 4.0)))
    second, weight = nll.Transformed(part, "affine", shift=shift, factor=factor), draw(shares)
    return nll.Mixture([first, second], weights=[weight, 1.0 - weight])


def two(draw: Any) -> Family:
    weight = draw(shares)
    parts = [nll.Normal(loc=draw(places), scale=draw(sizes)), nll.Logistic(loc=draw(places), scale=draw(sizes))]
    return nll.Mixture(parts, weights=[weight, 1.0 - weight])


def truncated_mixture(draw: Any) -> Family:
    low = draw(places)
    return nll.Truncated(two(draw), low=low, high=low + draw(sizes))


def transformed_mixture(draw: Any) -> Family:
    return nll.Transformed(two(draw), draw(st.sampled_from(["exp", "sigmoid"])))


NESTED = [inflated_truncated, mixture_of_transformed, truncated_mixture, transformed_mixture]
nested = pytest.mark.parametrize("make", NESTED, ids=lambda make: make.__name__)


@nested
@FEW
@given(data=st.data())
def test_the_density_integrates_to_one_and_the_tails_and_derivatives_belong_to_it(make: Make, data: Any):
    dist = make(data.draw)
    found = nll.check(dist)
    assert found.verdict == "normalised", dist
    assert found.regions, dist
    for region in found.regions:
        assert abs(region.mass - region.expected) <= 1e-8, (dist, region)
    assert found.derivatives > 0
    assert not found.faults, dist


@nested
@FEW
@given(data=st.data(), u=st.floats(0.02, 0.98))
def test_both_tails_add_up_and_the_quantile_inverts_them(make: Make, data: Any, u: float):
    dist = make(data.draw)
    y = dist.quantile(u)
    assert dist.cdf(y) + dist.sf(y) == pytest.approx(1.0, abs=1e-14)
    if dist.discrete:
        assert dist.cdf(y) >= u * (1.0 - 1e-14)
        assert y == 0.0 or dist.cdf(y - 1.0) < u
    else:
        assert dist.cdf(y) == pytest.approx(u, rel=1e-9)


@nested
@FEW
@given(data=st.data())
def test_it_comes_back_from_json_from_a_pickle_and_from_its_text(make: Make, data: Any):
    dist = make(data.draw)
    y = dist.sample(5, 3)
    for again in (from_dict(to_dict(dist)), pickle.loads(pickle.dumps(dist)), parse_distribution(repr(dist))):
        assert type(again) is type(dist)
        assert again.theta == dist.theta
        np.testing.assert_array_equal(again.log_prob(y), dist.log_prob(y))
