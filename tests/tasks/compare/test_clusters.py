"""Intervals of clusters: their degrees of freedom, for scores and differences, and whether they cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import nll
from nll.results.student import cluster_df, t_quantile

RNG = np.random.default_rng(3)
SIZES = np.ceil(RNG.lognormal(1.0, 1.0, 40)).astype(int)
CODE = np.repeat(np.arange(40), SIZES)
N = len(CODE)
P = RNG.uniform(0.1, 0.9, N)
Y = (RNG.random(N) < P).astype(int)


def by_matrices(weights: np.ndarray) -> float:
    """Return Satterthwaite's degrees of freedom of sum(r**2), r = M T, Var T = diag(h**2)."""
    h = weights / weights.sum()
    m = np.eye(len(h)) - np.outer(h, np.ones(len(h)))
    k = m @ np.diag(h**2) @ m.T
    return float(np.trace(k) ** 2 / np.trace(k @ k))


@pytest.mark.parametrize("weights", [[1, 2], [3, 3, 3], [1, 2, 3, 4], [100, 1, 1, 1], [7, 0, 7], list(range(1, 60))])
def test_degrees_of_freedom_are_those_of_the_matrices(weights: list[int]) -> None:
    positive = np.array([w for w in weights if w], float)
    expected = max(1.0, min(len(positive) - 1.0, by_matrices(positive)))
    assert cluster_df(weights) == pytest.approx(expected, rel=1e-8)
    assert cluster_df(weights[::-1]) == cluster_df(weights)  # the same bits in any order
    assert cluster_df([w << 1074 for w in weights]) == cluster_df(weights)


def test_clusters_of_one_size_have_one_less() -> None:
    assert [cluster_df([5] * count) for count in (0, 1, 2, 60)] == [0.0, 0.0, 1.0, 59.0]


@pytest.mark.parametrize(("level", "df"), [(0.95, 1.0), (0.99, 2.7), (0.5, 13.9), (0.95, 59.0), (0.999, 1e5)])
def test_the_quantile_is_scipys(level: float, df: float) -> None:
    assert t_quantile(level, df) == pytest.approx(stats.t.ppf(0.5 + 0.5 * level, df), rel=1e-9)


def test_the_interval_of_a_clustered_score() -> None:
    found = nll.score(Y, nll.Bernoulli(probs=P), cluster=CODE)
    df = by_matrices(SIZES.astype(float))
    assert found.df == pytest.approx(df, rel=1e-10)
    assert found.ci(0.9) == pytest.approx(stats.t.interval(0.9, df, found.mean, found.stderr), rel=1e-9)
    assert found.to("bits").df == found.df
    assert any(f"the 40 clusters differ in size, and count for {df:.3g} degrees" in note for note in found.notes)
    plain = nll.score(Y, nll.Bernoulli(probs=P))
    assert plain.df is None
    assert plain.ci(0.9) == pytest.approx(stats.norm.interval(0.9, plain.mean, plain.stderr), rel=1e-12)
    even = nll.score(Y[:200], nll.Bernoulli(probs=P[:200]), cluster=np.arange(200) // 4)
    assert even.df == 49.0
    assert not even.notes


def test_weights_of_rows_are_those_of_clusters() -> None:
    w = RNG.uniform(0.5, 2.0, N)
    found = nll.score(Y, nll.Bernoulli(probs=P), cluster=CODE, sample_weight=w)
    assert found.df == pytest.approx(by_matrices(np.bincount(CODE, w)), rel=1e-10)
    assert nll.score([1], nll.Bernoulli(probs=0.5), cluster=[1]).df == 0.0


def test_differences_and_groups_have_their_own() -> None:
    models = {"a": nll.Bernoulli(probs=P), "b": nll.Bernoulli(probs=0.6 * P + 0.2)}
    group = np.arange(N) % 2
    found = nll.compare(Y, models, cluster=CODE, by=group, reference="a")
    for key in (0, 1):
        sizes = np.bincount(CODE[group == key])
        assert found[key]["b"].df == pytest.approx(by_matrices(sizes[sizes > 0].astype(float)), rel=1e-10)
    b = found.total["b"]
    expected = 2.0 * stats.t.sf(abs(b.difference / b.stderr), b.df)
    assert b.p_value == pytest.approx(expected, rel=1e-9)
    assert any("differ in size" in note for note in found.total.notes)


def test_one_heavy_cluster_is_flagged() -> None:
    p = P.copy()
    p[CODE == 7] = np.where(Y[CODE == 7] == 1, 1e-4, 1.0 - 1e-4)
    weights = RNG.uniform(1.0, 2.0, N)
    models = {"a": nll.Bernoulli(probs=P), "b": nll.Bernoulli(probs=p)}
    for w in (None, weights):
        found = nll.compare(Y, models, cluster=CODE, reference="a", sample_weight=w)
        own = np.ones(N) if w is None else w
        q = np.log(np.where(Y == 1, P, 1.0 - P)) - np.log(np.where(Y == 1, p, 1.0 - p))
        sums = np.bincount(CODE, own * (q - np.average(q, weights=own)))
        assert found["b"].heavy == pytest.approx((sums**2).max() / (sums**2).sum(), rel=1e-9)
        assert any("one cluster makes up" in note for note in found.notes)


def test_unequal_clusters_cover() -> None:
    """20 clusters of very different sizes, rows alike within each: too few with G - 1 degrees of freedom."""
    rng = np.random.default_rng(8)
    held = [0, 0]
    for _ in range(400):
        sizes = np.ceil(rng.lognormal(1.8, 1.0, 20)).astype(int)
        code = np.repeat(np.arange(20), sizes)
        d = rng.normal(size=len(code)) * 0.4 + rng.normal(size=20)[code]
        mean, w = d.mean(), sizes / sizes.sum()
        sums = np.bincount(code, d - mean)
        error = math.sqrt(20.0 / 19.0 * (sums**2).sum()) / len(code)
        for i, df in enumerate((cluster_df(sizes.tolist()), 19.0)):
            held[i] += abs(mean) <= stats.t.ppf(0.975, df) * error
        assert w.sum() == pytest.approx(1.0)
    assert held[0] >= 0.94 * 400
    assert held[1] <= 0.93 * 400
