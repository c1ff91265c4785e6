"""Fits of families that observe rows: closed forms, errors by differences of SciPy's densities, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

import nll

rng = np.random.default_rng(11)
COVARIANCE = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
VECTORS = rng.multivariate_normal([1.0, -2.0, 3.0], COVARIANCE, 60)
CLASSES = rng.choice(4, 80, p=[0.1, 0.2, 0.3, 0.4])
LABELS = (rng.random((50, 3)) < [0.2, 0.5, 0.9]).astype(int)
MANY = [f"loc_{j}" for j in range(99999)]
WEIGHTS = rng.integers(0, 4, 60).astype(float)


def test_classes_are_their_shares():
    f = nll.fit(CLASSES, nll.Categorical)
    p = np.bincount(CLASSES) / 80
    assert list(f.params) == ["probs_0", "probs_1", "probs_2", "probs_3"]
    assert list(f.params.values()) == pytest.approx(p, rel=1e-15)
    assert list(f.stderr.values()) == pytest.approx(np.sqrt(p * (1 - p) / 80), rel=1e-14)
    assert f.cov[0, 1] == pytest.approx(-p[0] * p[1] / 80, rel=1e-14)
    assert f.nll == nll.score(CLASSES, f.dist).sum
    assert f.nll == pytest.approx(-(np.bincount(CLASSES) * np.log(p)).sum(), rel=1e-14)
    assert (f.k, f.n, f.cov_ok, f.converged, f.at_boundary) == (3, 80, True, True, ())
    assert f.aic == pytest.approx(2 * f.nll + 6)


def test_classes_with_weights_are_rows_repeated():
    weights = np.arange(80) % 3
    f, g = nll.fit(CLASSES, nll.Categorical, sample_weight=weights), nll.fit(CLASSES.repeat(weights), nll.Categorical)
    assert f.params == pytest.approx(g.params, rel=1e-14)
    assert f.stderr == pytest.approx(g.stderr, rel=1e-14)
    assert f.unweighted == 27
    assert f.n == 53
    assert f.nll == nll.score(CLASSES, f.dist, sample_weight=weights).sum


def test_a_class_that_no_row_has_is_at_the_boundary():
    f = nll.fit([0, 2, 2, 0, 2], nll.Categorical)
    assert f.params["probs_1"] == 0.0
    assert f.at_boundary == ("probs_1",)
    assert (f.converged, f.cov_ok) == (True, False)
    assert math.isnan(f.stderr["probs_1"])
    assert f.stderr["probs_0"] == pytest.approx(math.sqrt(0.4 * 0.6 / 5))
    assert "probs_1 lies at its boundary" in f.warnings[0]


def test_a_multivariate_normal_has_its_moments():
    f = nll.fit(VECTORS, nll.MultivariateNormal)
    mean, matrix = VECTORS.mean(axis=0), np.cov(VECTORS.T, bias=True)
    assert np.asarray(f.dist.theta["loc"]) == pytest.approx(mean, rel=1e-14)
    assert np.asarray(f.dist.theta["covariance_matrix"]) == pytest.approx(matrix, rel=1e-13)
    assert f.params["covariance_0_2"] == pytest.approx(matrix[0, 2], rel=1e-12)
    assert f.nll == nll.score(VECTORS, f.dist).sum
    assert f.nll == pytest.approx(-stats.multivariate_normal(mean, matrix).logpdf(VECTORS).sum(), rel=1e-13)
    assert (f.k, f.n) == (9, 60)


def test_errors_of_a_multivariate_normal_are_those_of_the_hessian():
    f = nll.fit(VECTORS[:, :2], nll.MultivariateNormal)
    at, y = np.array(list(f.params.values())), VECTORS[:, :2]

    def loss(x):
        return -stats.multivariate_normal(x[:2], [[x[2], x[3]], [x[3], x[4]]]).logpdf(y).sum()

    steps = 1e-3 * np.array(list(f.stderr.values()))
    eye = np.diag(steps)
    hessian = np.array([
        [(loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)) / (4 * a.sum() * b.sum())
         for b in eye] for a in eye
    ])  # fmt: skip
    assert f.cov == pytest.approx(np.linalg.inv(hessian), rel=1e-4, abs=1e-6)


def test_vectors_with_weights_are_rows_repeated():
    f = nll.fit(VECTORS, nll.MultivariateNormal, sample_weight=WEIGHTS)
    g = nll.fit(VECTORS.repeat(WEIGHTS.astype(int), axis=0), nll.MultivariateNormal)
    assert f.params == pytest.approx(g.params, rel=1e-12)
    assert f.stderr == pytest.approx(g.stderr, rel=1e-12)
    assert f.weight == g.n


def test_vectors_move_and_scale_and_come_in_parts(running):
    f = nll.fit(VECTORS, nll.MultivariateNormal)
    moved = nll.fit(1e6 + 1e-3 * VECTORS, nll.MultivariateNormal)
    assert moved.params["loc_0"] == pytest.approx(1e6 + 1e-3 * f.params["loc_0"], rel=1e-15)
    assert moved.params["covariance_0_1"] == pytest.approx(1e-6 * f.params["covariance_0_1"], rel=1e-5)
    with running(rows=7):
        parts = nll.fit(VECTORS, nll.MultivariateNormal)
    assert parts.params == pytest.approx(f.params, rel=1e-12)


def test_columns_of_a_table():
    table = pl.DataFrame({"a": VECTORS[:, 0], "b": VECTORS[:, 1], "w": WEIGHTS, "k": CLASSES[:60]})
    f = nll.fit(["a", "b"], nll.MultivariateNormal, table, sample_weight="w")
    g = nll.fit(VECTORS[:, :2], nll.MultivariateNormal, sample_weight=WEIGHTS)
    assert f.params == pytest.approx(g.params, rel=1e-14)
    assert f.nll == nll.score(["a", "b"], f.dist, table, sample_weight="w").sum
    assert nll.fit("k", nll.Categorical, table, where="k > 0").params["probs_0"] == 0.0
    pair = nll.fit(["a", "b"], nll.Independent(nll.Normal), table)
    assert pair.nll == nll.score(["a", "b"], pair.dist, table).sum


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (VECTORS[:3], "3 numbers a row need at least 4 rows; there are 3"),
        (np.c_[VECTORS, np.ones(60)], "number 3 is the same in all rows"),
        (np.c_[VECTORS, VECTORS[:, 0] - 2.0 * VECTORS[:, 2]], "number 3 is a linear function"),
    ],
)
def test_a_singular_covariance_is_refused(y, words):
    with pytest.raises(nll.errors.FitError, match=words):
        nll.fit(y, nll.MultivariateNormal)
    f = nll.fit(y, nll.MultivariateNormal, throw=False)
    assert not f.converged
    assert all(math.isnan(e) for e in f.stderr.values())
    with pytest.raises(nll.errors.UsageError, match="no fitted distribution"):
        _ = f.dist


def test_nearly_singular_is_not_singular():
    y = np.c_[VECTORS[:, 0], VECTORS[:, 0] + 1e-5 * VECTORS[:, 1]]
    f = nll.fit(y, nll.MultivariateNormal)
    assert f.converged
    assert f.nll == nll.score(y, f.dist).sum


def test_labels_are_fits_of_their_own():
    f = nll.fit(LABELS, nll.Bernoulli)
    p = LABELS.mean(axis=0)
    assert list(f.params) == ["probs_0", "probs_1", "probs_2"]
    assert list(f.params.values()) == pytest.approx(p, rel=1e-15)
    assert list(f.stderr.values()) == pytest.approx(np.sqrt(p * (1 - p) / 50), rel=1e-9)
    assert f.nll == nll.score(LABELS, f.dist).sum
    assert nll.fit(LABELS, nll.Bernoulli, start={"logits": 0.0}).free == ("logits_0", "logits_1", "logits_2")


def test_independent_columns_are_fits_of_their_own():
    f = nll.fit(VECTORS, nll.Independent(nll.StudentT), fixed={"df": [4.0, 6.0, 8.0]}, sample_weight=WEIGHTS)
    for j, df in enumerate([4.0, 6.0, 8.0]):
        alone = nll.fit(VECTORS[:, j], nll.StudentT, fixed={"df": df}, sample_weight=WEIGHTS)
        for name in ("loc", "scale"):
            assert f.params[f"{name}_{j}"] == pytest.approx(alone.params[name], rel=1e-12)
            assert f.stderr[f"{name}_{j}"] == pytest.approx(alone.stderr[name], rel=1e-12)
        at = f.free.index(f"loc_{j}")
        assert f.cov[at, at + 1] == pytest.approx(alone.cov[0, 1], rel=1e-9)
    assert f.cov[0, 2] == 0.0
    assert f.nll == nll.score(VECTORS, f.dist, sample_weight=WEIGHTS).sum
    assert (f.k, f.params["df_1"]) == (6, 6.0)


def test_columns_with_an_open_bound():
    f = nll.fit(np.abs(VECTORS), nll.Independent(nll.Truncated(nll.Normal, low=0.0)))
    alone = nll.fit(np.abs(VECTORS[:, 1]), nll.Truncated(nll.Normal, low=0.0))
    assert f.params["loc_1"] == pytest.approx(alone.params["loc"], rel=1e-9)
    assert f.nll == nll.score(np.abs(VECTORS), f.dist).sum


def test_a_column_without_a_maximum_is_named():
    f = nll.fit(np.c_[VECTORS[:, 0], np.ones(60)], nll.Independent(nll.Normal), throw=False)
    assert not f.converged
    assert f.warnings[0].startswith("number 1 of a row: the likelihood is unbounded")
    assert f.params["loc_0"] == pytest.approx(VECTORS[:, 0].mean())


def test_missing_rows_are_dropped_whole():
    y = VECTORS.copy()
    y[[3, 8], [0, 2]] = math.nan
    kept = np.delete(VECTORS, [3, 8], axis=0)
    for family in (nll.MultivariateNormal, nll.Independent(nll.Normal)):
        with pytest.raises(nll.errors.DataError, match="row 3 has nan for number 0"):
            nll.fit(y, family)
        f = nll.fit(y, family, missing="drop")
        assert f.params == pytest.approx(nll.fit(kept, family).params, rel=1e-13)
        assert (f.n, f.missing, f.read) == (58, 2, 60)


def test_rows_are_named_as_they_were_read():
    y = LABELS.astype(float)
    y[7, 1] = 2.0
    weights = np.r_[np.zeros(5), np.ones(45)]
    with pytest.raises(nll.errors.DataError, match=r"0 or 1 for Bernoulli; row 7 has 2.0 for number 1"):
        nll.fit(y, nll.Bernoulli, sample_weight=weights)
    with pytest.raises(nll.errors.DataError, match=r"row 2 has 1.5"):
        nll.fit([0, 1, 1.5], nll.Categorical)
    with pytest.raises(nll.errors.DataError, match=r"sample_weight must be at least 0.*row 1 has -1.0"):
        nll.fit([0, 1], nll.Categorical, sample_weight=[1.0, -1.0])
    with pytest.raises(nll.errors.DataError, match="holds text"):
        nll.fit(["a", "b"], nll.Categorical)


def test_what_follows_from_the_estimates():
    f = nll.fit(VECTORS, nll.MultivariateNormal)
    r = f.derive("covariance_0_1 / sqrt(covariance_0_0 * covariance_1_1)")
    exact = np.corrcoef(VECTORS.T)[0, 1]
    assert r.estimate == pytest.approx(exact, rel=1e-12)
    assert r.stderr == pytest.approx((1 - exact**2) / math.sqrt(60), rel=1e-6)  # the delta method by hand
    low, high = f.ci()["covariance_0_0"]
    assert 0.0 < low < f.params["covariance_0_0"] < high
    assert f.row_losses() == pytest.approx(nll.rows(VECTORS, f.dist))
    assert json.loads(f.to_json())["params"] == f.params
    assert "covariance_1_2" in f.summary()
    assert f.sample(5, 1).shape == (5, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nll.fit(VECTORS, nll.MultivariateNormal, by=np.arange(60) % 2), "without by="),
        (lambda: nll.fit(VECTORS, nll.MultivariateNormal, cov="robust"), "cov='observed'"),
        (lambda: nll.fit(VECTORS, nll.MultivariateNormal, fixed={"loc": 0.0}), "takes no fixed="),
        (lambda: nll.fit(CLASSES, nll.Categorical, start={"logits": 0.0}), "Categorical by its probs"),
        (lambda: nll.fit(VECTORS, nll.Categorical), r"classes \(n,\)"),
        (lambda: nll.fit(VECTORS, nll.Independent(nll.StudentT), fixed={"df": [1.0, 2.0]}), "one for each of 3"),
        (lambda: nll.fit(nll.censored([1.0], [True]), nll.Categorical), "neither censored"),
        (lambda: nll.fit(CLASSES, nll.Categorical).ci(method="profile"), "no profiles"),
        (lambda: nll.fit(CLASSES, nll.Categorical).goodness(), "observes rows"),
        (lambda: nll.fit(CLASSES, nll.Categorical, missing="skip"), "missing is"),
    ],
)
def test_calls_that_mean_nothing_are_refused(call, words):
    with pytest.raises(nll.errors.UsageError, match=words):
        call()


@pytest.mark.parametrize(
    ("y", "family", "fixed"),
    [
        (CLASSES, nll.Categorical, {}),
        ([0, 2, 2, 0], nll.Categorical, {}),
        (VECTORS, nll.MultivariateNormal, {}),
        (LABELS, nll.Bernoulli, {}),
        (VECTORS, nll.Independent(nll.StudentT), {"df": [4.0, 6.0, 8.0]}),
        (np.abs(VECTORS), nll.Independent(nll.Truncated(nll.Normal, low=0.0)), {}),
    ],
)
def test_a_loaded_fit_has_all_but_the_data(y, family, fixed):
    f = nll.fit(y, family, fixed=fixed)
    again = nll.load(f.to_json())
    assert json.dumps(again.to_dict()) == json.dumps(f.to_dict())
    assert (again.k, again.family) == (f.k, f.family)
    assert str(again.ci()) == str(f.ci())  # NaN where there is no error
    assert nll.score(y, again.dist).sum == f.nll
    with pytest.raises(nll.errors.UsageError, match="needs the data"):
        again.row_losses()


def test_a_loaded_fit_without_a_maximum_has_no_distribution():
    f = nll.load(nll.fit(VECTORS[:3], nll.MultivariateNormal, throw=False).to_json())
    assert not f.converged
    with pytest.raises(nll.errors.UsageError, match="no fitted distribution: the likelihood is unbounded"):
        _ = f.dist


def test_weights_of_each_column_count_one_less():
    y = np.abs(VECTORS[:, :2]) + 9.0 * (np.arange(60) % 2)[:, None]
    f = nll.fit(y, nll.Independent(nll.Mixture(nll.Normal, 2)), throw=False)
    assert (f.k, len(f.free)) == (10, 12)


@pytest.mark.parametrize(
    ("family", "change", "words"),
    [
        (nll.Categorical, lambda d: d["params"].pop("probs_1"), "not those of rows"),
        (nll.Categorical, lambda d: d.update(params={}), "not those of rows"),
        (nll.Categorical, lambda d: d["params"].update(probs_0="1; import os"), "broken fit"),
        (nll.Categorical, lambda d: d.update(free=["probs_0", "probs_9"]), "broken fit"),
        (nll.Categorical, lambda d: d["family"]["form"].update(family="os.system"), "os.system"),
        (nll.Categorical, lambda d: d["family"].update(form={"family": "Gamma", "parameters": ["rate"]}), "Gamma"),
        (nll.Categorical, lambda d: d["family"]["form"].update(parameters=["logits"]), "no fit of rows"),
        (nll.Categorical, lambda d: d.pop("fitted"), "broken fit"),
        (nll.Categorical, lambda d: d.update(version=2), "version 2"),
        (nll.MultivariateNormal, lambda d: d.update(params=dict.fromkeys(MANY, 0.0)), "not those of rows"),
        (nll.MultivariateNormal, lambda d: d["params"].update(covariance_1_0=1.0), "not those of rows"),
        (nll.MultivariateNormal, lambda d: d.update(cov=[[1.0]]), "shape"),
        (nll.Independent(nll.Normal), lambda d: d["params"].pop("scale_1"), "not those of rows"),
        (nll.Independent(nll.Normal), lambda d: d.update(params=[["loc_0", 1.0]]), "broken fit"),
    ],
)
def test_a_changed_fit_is_no_fit(family, change, words):
    y = CLASSES if family is nll.Categorical else VECTORS[:, :2]
    document = json.loads(nll.fit(y, family).to_json())
    change(document)
    with pytest.raises(nll.errors.DataError, match=words):
        nll.load(json.dumps(document))


def test_probabilities_that_were_changed_do_not_score():
    document = json.loads(nll.fit(CLASSES, nll.Categorical).to_json())
    document["params"]["probs_0"] = 0.9
    with pytest.raises(nll.errors.DataError, match="must sum to 1"):
        nll.score(CLASSES, nll.load(json.dumps(document)).dist)
