"""Sums are those of math.fsum; means and standard errors are those of their formulas, in longer arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nll

numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1e-200, 1e100, -1e100, 1e150, 5e-324])
widths = st.floats(1e-6, 1e6) | st.sampled_from([1e-150, 1e150, 0.3989422804014327])


@pytest.mark.parametrize("compiled", [False, True])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(numbers, numbers, widths), min_size=1, max_size=30))
def test_the_sum_is_fsum_of_the_rows(running, compiled, rows):
    y, loc, scale = np.array(rows).T
    dist = nll.Normal(loc=loc, scale=scale)
    with running(compiled=compiled):
        losses, score = nll.rows(y, dist), nll.score(y, dist)
    if np.isfinite(losses).all():
        assert score.sum == math.fsum(losses)
        assert score.mean == float(sum(map(Fraction, losses.tolist())) / len(losses))
    else:
        assert score.sum == score.mean == math.inf
        assert score.impossible == np.isinf(losses).sum()


@pytest.mark.parametrize("compiled", [False, True])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(numbers, st.floats(1e-300, 1e300) | st.floats(0.1, 10.0)), min_size=1, max_size=30))
def test_the_weighted_sum_is_fsum_of_the_products(running, compiled, rows):
    y, weights = np.array(rows).T
    dist = nll.Normal(loc=np.zeros(len(y)), scale=np.ones(len(y)))
    with running(compiled=compiled):
        losses = nll.rows(y, dist)
        assume(np.isfinite(losses).all())
        score = nll.score(y, dist, sample_weight=weights)
    with np.errstate(over="ignore"):
        products = weights * losses
    if np.isfinite(products).all():
        assert score.sum == math.fsum(products)
        assert score.weight == math.fsum(weights)
        assert score.mean == float(sum(map(Fraction, products.tolist())) / sum(map(Fraction, weights.tolist())))
    else:
        assert score.sum == math.inf
        mean = sum(Fraction(w) * Fraction(x) for w, x in zip(weights, losses, strict=True)) / sum(
            map(Fraction, weights)
        )
        assert score.mean == pytest.approx(float(mean), rel=1e-14)


def test_large_losses_have_a_standard_error(running):
    for compiled in (False, True):
        with running(compiled=compiled):
            score = nll.score(np.array([0.0, 1e150, 2e150]), nll.Normal(loc=np.zeros(3), scale=np.ones(3)))
        losses = np.array([0.0, 5e299, 2e300], np.longdouble)
        assert score.stderr == pytest.approx(float(losses.std(ddof=1) / np.sqrt(np.longdouble(3))), rel=1e-13)


def test_unweighted_standard_error_is_that_of_numpy(running):
    random = np.random.default_rng(0)
    for n in (2, 3, 10, 5000):
        y, p = random.integers(0, 2, n), random.random(n)
        with running(compiled=True):
            losses, score = nll.rows(y, nll.Bernoulli(probs=p)), nll.score(y, nll.Bernoulli(probs=p))
        assert score.stderr == pytest.approx(losses.std(ddof=1) / np.sqrt(n), rel=1e-12)
        assert score.n == score.weight == n


@pytest.mark.parametrize("compiled", [False, True])
def test_weighted_standard_error(running, compiled):
    random = np.random.default_rng(1)
    y, scale, w = random.normal(size=400), random.random(400) + 0.5, random.exponential(size=400)
    dist = nll.Normal(loc=np.zeros(400), scale=scale)
    with running(compiled=compiled):
        losses, score = nll.rows(y, dist).astype(np.longdouble), nll.score(y, dist, sample_weight=w)
    wide = w.astype(np.longdouble)
    mean = (wide * losses).sum() / wide.sum()
    error = np.sqrt(np.longdouble(400) / 399 * ((wide * (losses - mean)) ** 2).sum()) / wide.sum()
    assert score.mean == pytest.approx(float(mean), rel=1e-15)
    assert score.stderr == pytest.approx(float(error), rel=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_clustered_standard_error(running, compiled, weighted):
    random = np.random.default_rng(2)
    n, groups = 300, 17
    cluster = random.integers(0, groups, n)
    y, scale = random.normal(size=n) + cluster, random.random(n) + 0.5
    w = random.exponential(size=n) if weighted else np.ones(n)
    dist = nll.Normal(loc=np.zeros(n), scale=scale)
    with running(compiled=compiled, rows=23):
        losses = nll.rows(y, dist).astype(np.longdouble)
        score = nll.score(y, dist, sample_weight=w if weighted else None, cluster=cluster)
    wide = w.astype(np.longdouble)
    mean = (wide * losses).sum() / wide.sum()
    parts = np.array([(wide * (losses - mean))[cluster == g].sum() for g in range(groups)])
    error = np.sqrt(np.longdouble(groups) / (groups - 1) * (parts**2).sum()) / wide.sum()
    assert score.clusters == groups
    assert score.stderr == pytest.approx(float(error), rel=1e-12)


def test_clusters_cut_by_groups_are_whole_in_the_total():
    random = np.random.default_rng(3)
    table = {"y": random.normal(size=60), "g": random.integers(0, 2, 60), "c": random.integers(0, 9, 60)}
    scores = nll.score("y", nll.Normal(0.0, 1.0), table, by="g", cluster="c")
    whole = nll.score("y", nll.Normal(0.0, 1.0), table, cluster="c")
    assert (scores.total.stderr, scores.total.clusters) == (whole.stderr, 9)


def test_every_row_its_own_cluster_is_no_cluster():
    y = np.random.default_rng(4).normal(size=50)
    by_row = nll.score(y, nll.Normal(0.0, 1.0), cluster=np.arange(50))
    assert by_row.stderr == pytest.approx(nll.score(y, nll.Normal(0.0, 1.0)).stderr, rel=1e-13)


def test_equal_weights_change_nothing():
    y = np.random.default_rng(5).normal(size=50)
    plain = nll.score(y, nll.Normal(0.0, 1.0))
    for weight in (1.0, 0.25, 2.0**-40, 1e-100, 1e100):
        score = nll.score(y, nll.Normal(0.0, 1.0), sample_weight=np.full(50, weight))
        assert score.mean == pytest.approx(plain.mean, rel=1e-15)
        assert score.stderr == pytest.approx(plain.stderr, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 40.0, 1e-9, 1e150])
@pytest.mark.parametrize("compiled", [False, True])
def test_constant_losses_have_no_error_at_all(running, compiled, value):
    n = 37
    random = np.random.default_rng(6)
    w, cluster = random.exponential(size=n), random.integers(0, 5, n)
    y, dist = np.full(n, value), nll.Normal(loc=np.zeros(n), scale=np.ones(n))
    with running(compiled=compiled):
        for options in ({}, {"sample_weight": w}, {"cluster": cluster}, {"sample_weight": w, "cluster": cluster}):
            assert nll.score(y, dist, **options).stderr == 0.0
        sure = nll.score(np.ones(n, np.int64), nll.Bernoulli(probs=np.ones(n)))
    assert (sure.sum, sure.mean, sure.stderr, sure.perplexity) == (0.0, 0.0, 0.0, 1.0)
    assert math.copysign(1.0, sure.sum) == 1.0


def test_weights_too_small_to_square_give_no_error_and_say_so():
    score = nll.score([1.0, 2.0], nll.Normal(0.0, 1.0), sample_weight=[1e-300, 1e-300])
    assert score.mean == pytest.approx(2.1689385332046727, rel=1e-15)
    assert math.isnan(score.stderr)
    assert any("weights are so small" in note for note in score.notes)


def test_densities_above_one_give_losses_below_zero():
    score = nll.score([0.0, 0.0], nll.Normal(0.0, 1e-9))
    assert score.mean == pytest.approx(math.log(1e-9) + 0.5 * math.log(2 * math.pi), rel=1e-15)
    assert score.mean < 0.0
    assert score.notes == []
    assert score.perplexity == pytest.approx(math.exp(score.mean))


def test_weight_two_is_the_row_twice():
    y = np.random.default_rng(7).normal(size=8)
    twice = nll.score(np.concatenate([y, y]), nll.Normal(0.0, 1.0))
    weighted = nll.score(y, nll.Normal(0.0, 1.0), sample_weight=np.full(8, 2.0))
    assert (weighted.sum, weighted.mean, weighted.weight) == (twice.sum, twice.mean, 16.0)
    table = pl.DataFrame({"y": y, "w": 2})
    assert nll.score("y", nll.Normal(0.0, 1.0), table, sample_weight="w").sum == twice.sum
