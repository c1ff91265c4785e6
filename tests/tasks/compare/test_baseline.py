"""The model without information, and the skill of the others over it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import d2_log_loss_score

import nll
from nll.errors import DataError, UsageError

N = 400


def events(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, N)
    return (rng.random(N) < p).astype(np.int64), p


def blunt(p: np.ndarray) -> nll.Bernoulli:
    return nll.Bernoulli(probs=0.5 * p + 0.25)


def linearised(own: np.ndarray, base: np.ndarray, units: np.ndarray, w: np.ndarray) -> float:
    """The standard error of 1 - sum(w own) / sum(w base) for independent units, in NumPy."""
    total = w @ base
    parts = np.bincount(units, w * (own - (w @ own) / total * base))
    parts = parts[np.bincount(units) > 0]
    return math.sqrt(len(parts) / (len(parts) - 1) * (parts**2).sum()) / float(total)


def test_skill_of_classes_is_that_of_scikit_learn() -> None:
    y, p = events()
    found = nll.compare(y, {"p": nll.Bernoulli(probs=p), "q": blunt(p)}, baseline=True)
    assert found["p"].skill == pytest.approx(d2_log_loss_score(y, p), rel=1e-13)
    assert found["q"].skill == pytest.approx(d2_log_loss_score(y, 0.5 * p + 0.25), rel=1e-12)
    assert found["baseline"].skill == 0.0
    assert found["baseline"].score.mean == pytest.approx(-nll.Bernoulli(probs=y.mean()).log_prob(y).mean(), rel=1e-13)
    rng = np.random.default_rng(1)
    matrix = rng.dirichlet([1.0, 1.0, 1.0], N)
    classes = np.array([rng.choice(3, p=row) for row in matrix])
    found = nll.compare(classes, {"m": nll.Categorical(probs=matrix)}, baseline=True)
    assert found["m"].skill == pytest.approx(d2_log_loss_score(classes, matrix), rel=1e-13)


@pytest.mark.parametrize("kind", ["plain", "weighted", "clustered", "both"])
def test_its_error_is_linearised(kind: str) -> None:
    y, p = events(2)
    w = np.arange(1, N + 1) % 3 + 0.5 if kind in ("weighted", "both") else None
    c = np.arange(N) // 7 if kind in ("clustered", "both") else None
    found = nll.compare(y, {"p": nll.Bernoulli(probs=p)}, baseline=True, sample_weight=w, cluster=c)
    weights = np.ones(N) if w is None else w
    base = nll.rows(y, nll.Bernoulli(probs=float(weights @ y / weights.sum())))
    own = nll.rows(y, nll.Bernoulli(probs=p))
    expected = linearised(own, base, np.arange(N) if c is None else c, weights)
    assert found["p"].skill == pytest.approx(1.0 - weights @ own / (weights @ base), rel=1e-12)
    assert found["p"].skill_stderr == pytest.approx(expected, rel=1e-10)


def test_its_error_is_that_of_samples() -> None:
    y, p = events(3)
    found = nll.compare(y, {"p": nll.Bernoulli(probs=p)}, baseline=True)["p"]
    own, rng, draws = nll.rows(y, nll.Bernoulli(probs=p)), np.random.default_rng(4), []
    for _ in range(1000):
        at = rng.integers(0, N, N)
        rate = y[at].mean()  # the baseline is fitted again
        draws.append(1.0 + own[at].mean() / (rate * math.log(rate) + (1.0 - rate) * math.log(1.0 - rate)))
    assert found.skill_stderr == pytest.approx(np.std(draws), rel=0.08)


def test_groups_have_the_skill_of_their_rows() -> None:
    y, p = events()
    g = np.arange(N) % 3
    found = nll.compare(y, {"p": nll.Bernoulli(probs=p)}, baseline=True, by=g)
    base = nll.rows(y, nll.Bernoulli(probs=float(y.mean())))
    own = nll.rows(y, nll.Bernoulli(probs=p))
    for k in range(3):
        at = g == k
        assert found[k]["p"].skill == pytest.approx(1.0 - own[at].sum() / base[at].sum(), rel=1e-12)
        expected = linearised(own[at], base[at], np.arange(at.sum()), np.ones(at.sum()))
        assert found[k]["p"].skill_stderr == pytest.approx(expected, rel=1e-10)


def test_other_families_are_fitted_to_the_rows_that_are_compared() -> None:
    rng = np.random.default_rng(5)
    x = rng.poisson(3.0, N).astype(float)
    table = pl.DataFrame({"y": x, "m": np.full(N, 2.5)}).with_columns(
        y=pl.when(pl.arange(N) % 7 == 0).then(None).otherwise(pl.col("y")),
        m=pl.when(pl.arange(N) % 5 == 0).then(None).otherwise(pl.col("m")),
    )
    found = nll.compare("y", {"a": nll.Poisson(rate="m")}, table, baseline=True, missing="drop")
    used = x[(np.arange(N) % 7 > 0) & (np.arange(N) % 5 > 0)]
    assert found.n == len(used)
    assert found["baseline"].score.sum == pytest.approx(nll.score(used, nll.Poisson(rate=used.mean())).sum, rel=1e-12)
    trials = np.arange(N) % 4 + 1
    hits = rng.binomial(trials, 0.3)
    found = nll.compare(hits, {"a": nll.Binomial(total_count=trials, probs=0.5)}, baseline=True)
    expected = nll.score(hits, nll.Binomial(total_count=trials, probs=hits.sum() / trials.sum()))
    assert found["baseline"].score.sum == pytest.approx(expected.sum, rel=1e-12)


def test_a_reference_and_another_family() -> None:
    rng = np.random.default_rng(6)
    y = rng.poisson(3.0, N)
    given: dict[str, Any] = {"a": nll.NegativeBinomial(mean=3.0, dispersion=0.1), "b": nll.Poisson(rate=2.0)}
    found = nll.compare(y, given, baseline=nll.Poisson, reference="b")
    assert found["baseline"].score.mean == pytest.approx(nll.score(y, nll.Poisson(rate=y.mean())).mean, rel=1e-12)
    assert found["a"].skill == pytest.approx(1.0 - found["a"].score.sum / found["baseline"].score.sum, rel=1e-12)
    assert math.isnan(found["baseline"].p_holm)
    assert found["a"].p_holm == found["a"].p_value


def test_a_density_with_a_negative_nll_has_no_skill() -> None:
    y = np.random.default_rng(7).normal(0.0, 0.01, 50)
    found = nll.compare(y, {"a": nll.Normal(loc=0.0, scale=0.01)}, baseline=True)
    assert math.isnan(found["a"].skill)
    assert any("not above 0" in note for note in found.notes)


def test_an_impossible_row_leaves_no_skill() -> None:
    y, p = events()
    found = nll.compare(y, {"a": nll.Bernoulli(probs=np.where(np.arange(N) == 3, 1.0 - y, p))}, baseline=True)
    assert found["a"].skill == -math.inf
    assert math.isnan(found["a"].skill_stderr)


def test_what_is_no_baseline_is_refused() -> None:
    y, p = events()
    models = {"baseline": nll.Bernoulli(probs=p), "b": blunt(p)}
    with pytest.raises(UsageError, match="name yours another way"):
        nll.compare(y, models, baseline=True)
    with pytest.raises(UsageError, match="baseline is True, or a family"):
        nll.compare(y, {"p": blunt(p)}, baseline=0.5)
    with pytest.raises(DataError, match="one class"):
        nll.compare(np.eye(3)[[0, 1, 2]], {"p": nll.Categorical(probs=np.full((3, 3), 1 / 3))}, baseline=True)
    with pytest.raises(UsageError, match="at least two models"):
        nll.compare(y, {"p": blunt(p)})
