"""Fits: never above the truth, the laws of weights, groups and scales, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import nll

from .truths import LOCATED, SCALED, everything, known, truth

GRID = [dist for scale in (1.0, 1e-6, 1e6) for dist in everything([0.0], [scale]) if scale == 1.0 or dist.theta]
GRID = list({repr(dist): dist for dist in GRID}.values())
rng = np.random.default_rng(0)
GAMMA = rng.gamma(2.0, 3.0, 60)


@pytest.mark.parametrize("dist", GRID, ids=repr)
def test_a_fit_is_never_above_the_truth(dist):
    y = dist.sample(30, 7)
    f = nll.fit(y, type(dist), fixed=known(dist), throw=False)
    assert f.converged
    assert f.nll <= nll.score(y, dist).sum + 1e-9
    assert f.nll == nll.score(y, f.dist).sum
    regular = f.cov_ok and not f.at_boundary
    assert regular == all(math.isfinite(e) for e in f.stderr.values())


@pytest.mark.parametrize("name", ["Normal", "StudentT", "GEV", "Logistic", "Gumbel"])
@pytest.mark.parametrize(("shift", "factor"), [(0.0, 1e-6), (0.0, 1e6), (1e4, 1.0)])
def test_a_fit_moves_with_the_data(name, shift, factor):
    y = truth(name, LOCATED[name](0.3, 1.0)).sample(80, 3)
    a, b = nll.fit(y, getattr(nll, name)), nll.fit(shift + factor * y, getattr(nll, name))
    for parameter in a.params:
        moved = {"loc": shift + factor * a.params["loc"], "scale": factor * a.params["scale"]}.get(
            parameter, a.params[parameter]
        )
        size = {"loc": factor, "scale": factor}.get(parameter, 1.0) * a.stderr[parameter]
        assert abs(b.params[parameter] - moved) < 1e-6 * size
        assert math.isclose(b.stderr[parameter], size, rel_tol=1e-6)


@pytest.mark.parametrize("name", ["Gamma", "Weibull", "InverseGaussian", "LogLogistic"])
def test_a_fit_scales_with_the_data(name):
    y = truth(name, SCALED[name](1.0)).sample(50, 3)
    a, b = nll.fit(y, getattr(nll, name)), nll.fit(1e6 * y, getattr(nll, name))
    assert math.isclose(b.nll, a.nll + 50 * math.log(1e6), rel_tol=1e-10)


def test_weights_count_rows():
    y = GAMMA[:12]
    twice = nll.fit(np.r_[y, y[:3]], nll.Gamma)
    weights = np.r_[np.full(3, 2.0), np.ones(9)]
    weighted = nll.fit(np.r_[y, 1e3], nll.Gamma, sample_weight=np.r_[weights, 0.0])
    assert weighted.params == pytest.approx(twice.params, rel=1e-12)
    assert weighted.stderr == pytest.approx(twice.stderr, rel=1e-10)
    assert (weighted.n, weighted.weight, weighted.unweighted) == (12, 15.0, 1)


def test_groups_are_separate_fits():
    groups = np.arange(60) % 4
    together = nll.fit(GAMMA, nll.Gamma, by=groups)
    for g in range(4):
        alone = nll.fit(GAMMA[groups == g], nll.Gamma)
        assert together[g].params == pytest.approx(alone.params, rel=1e-12)
        assert together[g].stderr == pytest.approx(alone.stderr, rel=1e-10)
        assert together[g].nll == pytest.approx(alone.nll, rel=1e-13)
        assert together[g].n == 15


def test_a_group_that_fails_leaves_the_others_alone():
    f = nll.fit([1.0, 1.0, 1.0, 2.0, 3.0, 5.0], nll.Normal, by=["a", "a", "a", "b", "b", "b"])
    assert not f["a"].converged
    assert "all y are the same value" in f["a"].warnings[0]
    assert f["b"].params["loc"] == pytest.approx(10 / 3)


def test_a_table_is_fitted_like_arrays(tmp_path):
    pl.DataFrame({"y": GAMMA, "w": rng.random(60), "g": np.arange(60) % 2}).write_parquet(tmp_path / "t.parquet")
    table = pl.read_parquet(tmp_path / "t.parquet")
    arrays = nll.fit(GAMMA, nll.Gamma, sample_weight=table["w"].to_numpy())
    file = nll.fit("y", nll.Gamma, data=str(tmp_path / "t.parquet"), sample_weight="w")
    assert file.params == pytest.approx(arrays.params, rel=1e-13)
    half = nll.fit("y", nll.Gamma, data=table, where="g = 1")
    assert half.params == pytest.approx(nll.fit(GAMMA[1::2], nll.Gamma).params, rel=1e-12)


def test_rows_that_memory_does_not_hold_are_read_again(tmp_path, monkeypatch):
    from nll.tasks.fit import problem

    pl.DataFrame({"y": GAMMA, "g": np.arange(60) % 3}).write_parquet(tmp_path / "t.parquet")
    path = str(tmp_path / "t.parquet")
    kept, groups = nll.fit("y", nll.Gamma, data=path), nll.fit("y", nll.Gamma, data=path, by="g")
    monkeypatch.setattr(problem, "BYTES_KEPT", 0)
    assert nll.fit("y", nll.Gamma, data=path).params == pytest.approx(kept.params, rel=1e-12)
    again = nll.fit("y", nll.Gamma, data=path, by="g")
    assert again[2].params == pytest.approx(groups[2].params, rel=1e-12)


def test_a_warm_start_changes_nothing(monkeypatch):
    from nll.tasks.fit import solve

    cold = nll.fit(GAMMA, nll.Gamma)
    monkeypatch.setattr(solve, "WARM", 40)
    warm = nll.fit(GAMMA, nll.Gamma)
    assert warm.params == pytest.approx(cold.params, rel=1e-12)


def test_fixed_parameters_make_the_smaller_model():
    f = nll.fit(GAMMA, nll.Gamma, fixed={"concentration": 1.0})
    assert f.params["rate"] == pytest.approx(1.0 / GAMMA.mean(), rel=1e-12)
    assert (f.free, f.k) == (("rate",), 1)
    assert f.nll == pytest.approx(nll.fit(GAMMA, nll.Exponential).nll, rel=1e-12)


def test_fixed_parameters_may_differ_by_row():
    trials = np.array([5, 6, 7, 8])
    f = nll.fit([1, 2, 3, 4], nll.Binomial, fixed={"total_count": trials})
    assert f.params == {"probs": pytest.approx(10 / 26, rel=1e-12)}
    with pytest.raises(nll.errors.UsageError, match=r"total_count .* is not fitted"):
        nll.fit([1, 2], nll.Binomial)


def test_missing_rows():
    y = np.r_[GAMMA, np.nan]
    with pytest.raises(nll.errors.DataError, match="row 60"):
        nll.fit(y, nll.Gamma)
    f = nll.fit(y, nll.Gamma, missing="drop")
    assert (f.n, f.missing, f.read) == (60, 1, 61)


@pytest.mark.parametrize(
    ("y", "family", "why"),
    [
        ([2.0, 2.0, 2.0], nll.Normal, "all y are the same value"),
        ([2.0, 2.0, 2.0], nll.Uniform, "all y are the same value"),
        ([0.5, 0.5], nll.Beta, "all y are the same value"),
        ([1.0, 2.0, 2.9, 3.0], nll.GEV, "shape runs to -1"),
        (1.0 - np.linspace(0.01, 0.99, 40) ** 4, nll.GeneralizedPareto, "shape runs to -1"),
        ([1.0] * 8 + [2.0, 3.0], nll.StudentT, "scale runs to"),
        ([1.0, -1.0, 3.0], nll.Gamma, "1 row is impossible under Gamma, the first at row 1"),
        ([0.0, 0.0, 3.0], nll.Gamma, "2 rows are impossible under Gamma, the first at row 0"),
    ],
    ids=str,
)
def test_what_has_no_maximum_is_refused(y, family, why):
    with pytest.raises(nll.errors.FitError, match=why):
        nll.fit(y, family)
    f = nll.fit(y, family, throw=False)
    assert not f.converged
    assert not f.cov_ok
    assert why in f.warnings[0]
    assert all(math.isnan(e) for e in f.stderr.values())


@pytest.mark.parametrize(
    ("y", "family", "name", "value"),
    [
        ([0, 0, 0], nll.Poisson, "rate", 0.0),
        ([1, 1, 1], nll.Bernoulli, "probs", 1.0),
        ([4, 5, 6, 5, 5, 4, 6, 5], nll.NegativeBinomial, "dispersion", 0.0),
        (np.linspace(-1.0, 1.0, 40), nll.StudentT, "df", math.inf),
    ],
    ids=str,
)
def test_a_boundary_is_named_and_has_no_standard_error(y, family, name, value):
    f = nll.fit(y, family)
    assert f.converged
    assert not f.cov_ok
    assert name in f.at_boundary
    assert math.isnan(f.stderr[name])
    assert f.params[name] == value if math.isfinite(value) else f.params[name] > 1e6
    for other in set(f.free) - {name}:
        assert math.isfinite(f.stderr[other])


def test_wrong_calls_are_refused():
    with pytest.raises(nll.errors.UsageError, match=r"has no parameter 'rat' .did you mean 'rate'"):
        nll.fit(GAMMA, nll.Gamma, fixed={"rat": 1.0})
    with pytest.raises(nll.errors.UsageError, match="takes the family"):
        nll.fit(GAMMA, nll.Gamma(concentration=1.0, rate=1.0))
    with pytest.raises(nll.errors.DataError, match="rate must be positive"):
        nll.fit(GAMMA, nll.Gamma, fixed={"rate": -1.0})
    with pytest.raises(nll.errors.DataError, match="whole number"):
        nll.fit([0.5, 1.0], nll.Poisson)
    with pytest.raises(nll.errors.DataError, match="no rows"):
        nll.fit([], nll.Poisson)
    with pytest.raises(nll.errors.DataError, match="at least 0"):
        nll.fit([1.0, 2.0], nll.Normal, sample_weight=[1.0, -1.0])


@pytest.mark.parametrize(
    ("y", "family", "message"),
    [
        (GAMMA, "Gamma", "got 'Gamma': pass nll.Gamma itself"),
        (GAMMA, "Gama", "got 'Gama' .did you mean 'Gamma'"),
        (nll.Gamma, GAMMA, "got ndarray$"),
        (pl.DataFrame({"a": [1.0], "b": [2.0]}), nll.Gamma, "y is a table: pass it as data="),
    ],
)
def test_arguments_that_are_not_what_they_should_be_are_named(y, family, message):
    with pytest.raises(nll.errors.UsageError, match=message):
        nll.fit(y, family)


def test_text_is_no_number_of_a_density():
    with pytest.raises(nll.errors.DataError, match="y must hold numbers for Normal; got text, such as 'a'"):
        nll.fit(["a", "b"], nll.Normal)


def test_values_whose_squares_overflow_are_no_crash():
    with pytest.raises(nll.errors.FitError):
        nll.fit([1e300, 2e300, 3e300], nll.Normal)


def test_a_group_that_is_none_is_answered_by_those_that_are():
    with pytest.raises(KeyError, match="no group 'c'; present: 'a', 'b'"):
        nll.fit([1.0, 2.0, 3.0], nll.Exponential, by=["a", "a", "b"])["c"]
