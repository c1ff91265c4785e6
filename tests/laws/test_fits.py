"""Laws that a fit obeys whatever the family: weights, groups, observations seen in part, curvature, files, failures."""

from __future__ import annotations

import math
import re

import numpy as np
import polars as pl
import pytest

import nll

from .fits import ALL, COMBINED, assert_same, differences, few, fitted, sampled, seen_in_part

SOME = ["Normal", "StudentT", "Gamma", "Weibull", "Beta", "VonMises", "Poisson", "NegativeBinomial", "Binomial"]
SLOW = {"StudentT", "VonMises"}  # a df of few rows runs off; tails are integrals
PARTLY = [*sorted({*SOME} - SLOW), "Logistic", "GEV", "LogNormal", "GeneralizedPareto", "Geometric"]
LIGHT = ["ZeroInflated(Poisson)", "Hurdle(Gamma)", "Mixture(Normal)", "Transformed(exp)", "Transformed(affine)"]
CUT = ["Normal", "Weibull", "Logistic", "Poisson"]
LOCATED = ["Normal", "StudentT", "Logistic", "Gumbel", "GumbelMin", "GEV", "Cauchy", "SkewNormal", "Mixture(Normal)"]
SCALES = {"scale", "loc", "mean", "scale_1", "scale_2", "loc_1", "loc_2"}
EXTENT = {"Gamma": {"rate": -1}, "InverseGamma": {"rate": 1}, "Exponential": {"rate": -1}, "LogNormal": {}}
EXTENT |= {"InverseGaussian": {"mean": 1, "shape": 1}} | {
    name: dict.fromkeys(SCALES, 1) for name in [*LOCATED, "Weibull", "LogLogistic", "GeneralizedPareto", "Rayleigh"]
}
SEVERAL = ["Normal", "Cauchy", "GEV", "Gamma", "Weibull", "InverseGaussian", "Beta", "VonMises", "NegativeBinomial"]
SEVERAL += ["ZeroInflated(Poisson)", "Hurdle(Gamma)", "Mixture(Normal)", "Transformed(exp)", "Transformed(affine)"]


@pytest.mark.parametrize("name", [*SOME, *LIGHT])
def test_a_weight_of_two_is_the_row_twice_and_one_of_zero_the_row_dropped(name):
    case, y = ALL[name], sampled(name)
    twice = case.near(np.r_[y, y[:7]])
    weights = np.r_[np.full(7, 2.0), np.ones(y.size - 7), np.zeros(2)]
    weighted = case.near(np.r_[y, y[:2] * 3.0], sample_weight=weights)
    assert_same(twice, weighted, 1e-9)
    assert weighted.nll == pytest.approx(twice.nll, rel=1e-14)
    assert (weighted.n, weighted.weight, weighted.unweighted) == (y.size, y.size + 7.0, 2)
    assert weighted.nll == nll.score(np.r_[y, y[:2] * 3.0], weighted.dist, sample_weight=weights).sum


def test_a_row_of_weight_zero_may_be_impossible():
    y = sampled("Gamma")
    f = ALL["Gamma"].fit(np.r_[y, -1.0], sample_weight=np.r_[np.ones(y.size), 0.0])
    assert_same(f, fitted("Gamma"))


@pytest.mark.parametrize("name", PARTLY)
@pytest.mark.parametrize("side", ["right", "left"])
def test_censored_is_an_interval_without_end(name, side):
    case, y = ALL[name], few(name)
    event = np.arange(y.size) % 3 > 0
    a = case.near(nll.censored(y, event, side=side))
    ends = (y, np.where(event, y, np.inf)) if side == "right" else (np.where(event, y, -np.inf), y)
    b = case.near(nll.interval(*ends))
    assert_same(a, b)
    beyond = a.dist.log_sf if side == "right" else a.dist.log_cdf
    by_hand = -np.sum(a.dist.log_prob(y[event])) - np.sum(beyond(y[~event]))
    assert a.nll == pytest.approx(float(by_hand), rel=1e-12)
    for f, seen in ((a, nll.censored(y, event, side=side)), (b, nll.interval(*ends))):
        assert f.nll == nll.score(seen, f.dist).sum


@pytest.mark.parametrize("name", PARTLY)
def test_an_interval_without_width_is_exact_and_an_empty_truncation_changes_nothing(name):
    case, y = ALL[name], few(name)
    exact = case.near(y)
    assert_same(exact, case.near(nll.interval(y, y)))
    assert_same(exact, case.near(nll.truncated(y, low=-math.inf)))
    assert_same(exact, case.near(nll.truncated(nll.censored(y, np.ones(y.size)), -math.inf, math.inf)))


@pytest.mark.parametrize("name", CUT)
def test_truncated_rows_are_those_of_the_truncated_family(name):
    case, y = ALL[name], sampled(name)
    low = float(np.ceil(np.quantile(y, 0.2)) if case.discrete else np.quantile(y, 0.2))
    y = y[y >= low]
    a, b = case.near(nll.truncated(y, low=low)), nll.fit(y, nll.Truncated(case.form, low=low))
    assert a.params == pytest.approx({k: b.params[k] for k in a.params}, rel=1e-6)
    assert a.nll == nll.score(nll.truncated(y, low=low), a.dist).sum
    assert a.nll == pytest.approx(b.nll, rel=1e-12)
    mass = a.dist.log_sf(low) if not case.discrete else a.dist.log_sf(low - 1.0)
    assert a.nll == pytest.approx(float(-np.sum(a.dist.log_prob(y)) + y.size * mass), rel=1e-12)


@pytest.mark.parametrize("name", ["Normal", "Weibull", "Poisson", "Mixture(Normal)"])
def test_weights_count_rows_that_are_seen_in_part(name):
    case, (seen, more) = ALL[name], seen_in_part(sampled(name))
    weights = np.r_[np.full(5, 3.0), np.ones(sampled(name).size - 5)]
    a, b = case.near(seen, sample_weight=weights), case.near(more)
    assert_same(a, b)
    assert a.nll == nll.score(seen, a.dist, sample_weight=weights).sum
    assert a.nll == pytest.approx(b.nll, rel=1e-13)


@pytest.mark.parametrize("name", SEVERAL)
def test_a_fixed_parameter_makes_a_smaller_model(name):
    case, y, whole = ALL[name], sampled(name), fitted(name)
    first = whole.free[0]
    at = case.near(y, fixed={first: whole.params[first]})
    assert at.free == whole.free[1:]
    assert at.nll == pytest.approx(whole.nll, rel=1e-12)
    off = case.near(y, fixed={first: case.truth.theta[first]})
    assert off.nll >= whole.nll - 1e-9
    assert off.k == whole.k - 1


@pytest.mark.parametrize("name", [*SOME, "Mixture(Normal)", "ZeroInflated(Poisson)"])
def test_groups_are_separate_fits(name):
    case, y = ALL[name], sampled(name)
    groups = np.where(np.arange(y.size) % 2, "b", "a")
    together = case.near(y, by=groups)
    for key in "ab":
        alone = case.near(y[groups == key])
        assert_same(together[key], alone)
        assert together[key].n == alone.n
        assert together[key].nll == pytest.approx(alone.nll, rel=1e-13)


@pytest.mark.parametrize("name", ["Normal", "Gamma", "Cauchy", "NegativeBinomial", "Mixture(Normal)"])
def test_order_files_chunks_and_threads_leave_the_estimate(name, tmp_path, monkeypatch):
    from nll.tasks import chunks

    case, y = ALL[name], sampled(name)
    whole = fitted(name)
    for i, piece in enumerate(np.split(y, [7, y.size // 2])):
        pl.DataFrame({"y": piece}).write_parquet(tmp_path / f"{i}.parquet")
    others = [
        case.fit("y", data=str(tmp_path / "*.parquet")),
        case.fit(np.random.default_rng(1).permutation(y)),
        case.fit(y[::-1], threads=1),
    ]
    monkeypatch.setattr(chunks, "ROWS_IN_CHUNK", 11)
    others += [case.fit(y, threads=2)]
    for other in others:
        assert other.params == pytest.approx(whole.params, rel=1e-12)
        assert other.nll == pytest.approx(whole.nll, rel=1e-15)


@pytest.mark.parametrize("name", ALL)
def test_the_loss_of_a_fit_is_its_score(name):
    f, y = fitted(name), sampled(name)
    assert f.converged
    assert f.nll == nll.score(y, f.dist).sum
    assert f.nll <= nll.score(y, ALL[name].truth).sum
    assert (f.n, f.k) == (y.size, len(f.free) - name.startswith("Mixture"))


@pytest.mark.parametrize("name", ALL)
def test_a_maximum_is_level_and_its_covariance_is_the_inverse_of_the_curvature(name):
    """In coordinates z with theta = estimate + L z and L L' = cov, the slope is 0 and the Hessian the identity."""
    slope, curvature = differences(fitted(name), sampled(name))
    assert np.abs(slope).max() < 2e-5
    assert curvature == pytest.approx(np.eye(len(slope)), abs=2e-5)


@pytest.mark.parametrize("name", ["Normal", "Weibull", "Logistic", "Mixture(Normal)"])
def test_fine_bins_are_nearly_the_values(name):
    case, y = ALL[name], sampled(name)
    f = case.near(y)
    width = 1e-4
    lower = np.floor(np.unique(y) / width) * width
    edges = np.unique(np.r_[lower, lower + width])
    counts = np.histogram(y, edges)[0]
    binned = case.near(nll.binned(edges, counts))
    for free in f.free:
        assert abs(binned.params[free] - f.params[free]) < 1e-2 * f.stderr[free]
        assert binned.stderr[free] == pytest.approx(f.stderr[free], rel=1e-2)
    assert binned.nll + y.size * math.log(width) == pytest.approx(f.nll, abs=1e-2)


@pytest.mark.parametrize("name", EXTENT)
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_a_fit_scales_with_the_data(name, factor):
    case, y, f = ALL[name], sampled(name), fitted(name)
    scaled = case.fit(factor * y)
    assert scaled.nll == pytest.approx(f.nll + y.size * math.log(factor), rel=1e-10)
    for free in f.free:
        if name == "LogNormal":
            expected, size = f.params[free] + (free == "loc") * math.log(factor), 1.0
        else:
            size = factor ** EXTENT[name].get(free, 0)
            expected = size * f.params[free]
        assert abs(scaled.params[free] - expected) < 1e-6 * size * f.stderr[free]
        assert scaled.stderr[free] == pytest.approx(size * f.stderr[free], rel=1e-6)


@pytest.mark.parametrize("name", LOCATED)
def test_a_fit_moves_with_the_data(name):
    case, f = ALL[name], fitted(name)
    moved = case.fit(sampled(name) + 1024.0)
    for free in f.free:
        expected = f.params[free] + (1024.0 if free.startswith("loc") else 0.0)
        assert abs(moved.params[free] - expected) < 1e-6 * f.stderr[free]
        assert moved.stderr[free] == pytest.approx(f.stderr[free], rel=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_a_saved_fit_keeps_everything(name, tmp_path):
    f = fitted(name)
    (tmp_path / "fit.json").write_text(f.to_json())
    for saved in (f.to_json(), tmp_path / "fit.json"):
        g = nll.load(saved)
        assert (g.family, g.params, g.free, g.stderr) == (f.family, f.params, f.free, f.stderr)
        assert g.cov.tolist() == f.cov.tolist()
        for what in ("nll", "n", "k", "weight", "converged", "cov_ok", "at_boundary", "warnings", "aic", "aicc", "bic"):
            assert getattr(g, what) == getattr(f, what)
        assert g.ci() == f.ci()
        assert repr(g.dist) == repr(f.dist)
        assert g.to_json() == f.to_json()


@pytest.mark.parametrize("name", COMBINED)
def test_a_combined_family_is_fitted_near_the_truth(name):
    f, truth = fitted(name), ALL[name].truth.theta
    for free in f.free:
        assert abs(f.params[free] - truth[free]) < 4.0 * f.stderr[free]


WEIBULL = nll.Transformed(nll.Weibull, "affine")
ONE_VALUE = "all y are the same value"
UNBOUNDED = {
    "two values": ([1.0] * 10 + [2.0] * 10, nll.Mixture(nll.Normal, 2), {}, "scale_. runs to"),
    "a mixture of few values": ([1.0, 2.0, 3.0, 10.0], nll.Mixture(nll.Normal, 2), {}, "scale_. runs to"),
    "GEV": (nll.GEV(0.0, 1.0, -1.4).sample(40, 1), nll.GEV, {}, "shape runs to -1"),
    "GeneralizedPareto": (nll.GeneralizedPareto(1.0, -1.4).sample(40, 1), nll.GeneralizedPareto, {}, "runs to -1"),
    "Weibull to Gumbel": (nll.GumbelMin(0.0, 1.0).sample(60, 3), WEIBULL, {"factor": 1.0}, "shift runs to"),
    "Weibull at its edge": (5.0 + nll.Weibull(2.0, 0.6).sample(60, 1), WEIBULL, {"factor": 1.0}, "shift runs to 5"),
    "one failure, the last": (nll.censored([1.0, 2.0, 3.0], [0, 0, 1]), nll.Weibull, {}, "concentration runs to"),
    "impossible": ([1.0, 2.0, -3.0], nll.Gamma, {}, "1 row is impossible under Gamma, the first at row 2"),
    "impossible bounds": ([1.0, 9.0], nll.Uniform, {"low": 2.0}, "1 row is impossible under Uniform"),
    "impossible and known": ([1.0, 9.0], nll.Uniform, {"low": 2.0, "high": 3.0}, "2 rows are impossible"),
    "bounds in disorder": ([1.0, 1.5], nll.Uniform, {"low": 2.0}, r"row 0 has low=2.0, high=1.5"),
    "one row": ([0.5], nll.Normal, {}, ONE_VALUE),
    "one row of two": ([0.5], nll.Mixture(nll.Normal, 2), {}, ONE_VALUE),
    "truncated constant": ([0.5, 0.5], nll.Truncated(nll.Normal, low=0.0), {}, ONE_VALUE),
} | {
    f"constant {family.__name__}": ([0.5] * 4, family, {}, why)
    for family, why in [
        *((family, ONE_VALUE) for family in (nll.LogNormal, nll.Gamma, nll.Cauchy, nll.Weibull, nll.Beta, nll.Uniform)),
        (nll.GEV, "shape runs to -1"),
    ]
}


@pytest.mark.parametrize("what", UNBOUNDED)
def test_what_has_no_maximum_fails_by_name_and_invents_no_error(what):
    y, family, fixed, why = UNBOUNDED[what]
    f = nll.fit(y, family, fixed=fixed, throw=False)
    assert (f.converged, f.cov_ok) == (False, False)
    assert all(math.isnan(error) for error in f.stderr.values())
    with pytest.raises(nll.errors.FitError, match=why) as caught:
        nll.fit(y, family, fixed=fixed)
    assert re.search(why, f.warnings[0])
    assert not caught.value.fit.converged


LEVEL = {
    "all censored": (nll.censored([1.0, 2.0, 3.0], [0, 0, 0]), nll.Exponential, {"rate"}),
    "all censored, two": (nll.censored([1.0, 2.0, 3.0], [0, 0, 0]), nll.Normal, {"loc", "scale"}),
    "all below": (nll.censored([1.0, 2.0], [0, 0], side="left"), nll.Weibull, {"scale", "concentration"}),
    "one bin": (nll.binned([0.0, 1.0, 2.0], [5, 0]), nll.Exponential, {"rate"}),
    "nothing known": (nll.interval([-math.inf] * 3, [math.inf] * 3), nll.Normal, {"loc", "scale"}),
    "no zeros": ([1, 2, 3, 2, 4, 3], nll.ZeroInflated(nll.Poisson), {"gate"}),
    "zeros alone": ([0, 0, 0, 0], nll.ZeroInflated(nll.Poisson), {"rate", "gate"}),
    "zeros behind a hurdle": ([0, 0, 0, 0], nll.Hurdle(nll.Poisson), {"rate", "gate"}),
    "zeros and ones": ([0, 0, 1, 1, 1], nll.Hurdle(nll.Poisson), {"rate"}),
    "ones alone": ([1, 1, 1], nll.Truncated(nll.Poisson, low=1), {"rate"}),
    "less spread than Poisson": ([4, 5, 6, 5, 5, 4, 6, 5], nll.NegativeBinomial, {"dispersion"}),
    "falling towards the cut": (nll.truncated([0.9, 0.8, 0.95], high=1.0), nll.Exponential, {"rate"}),
}


@pytest.mark.parametrize("what", LEVEL)
def test_a_level_likelihood_is_named_and_has_no_error(what):
    y, family, names = LEVEL[what]
    f = nll.fit(y, family)
    assert f.converged
    assert not f.cov_ok
    assert set(f.at_boundary) == names
    for name in f.free:
        assert math.isnan(f.stderr[name]) == (name in names)
    for name in names:
        assert any(name in warning and "no standard error" in warning for warning in f.warnings)
    assert f.nll == nll.score(y, f.dist).sum


@pytest.mark.parametrize(
    ("y", "options", "why"),
    [
        ([], {}, "no rows"),
        ([1.0, 2.0], {"sample_weight": [0.0, 0.0]}, "no rows"),
        ([math.nan, math.nan], {"missing": "drop"}, "no rows"),
        ([1.0, math.nan], {}, "row 1 has nan"),
        ([1.0, math.inf], {}, "y must be finite for Normal; row 1 has inf"),
        ([1.0, 2.0], {"sample_weight": [1.0, math.nan]}, "row 1"),
    ],
)
@pytest.mark.parametrize("throw", [True, False])
def test_what_is_no_data_is_refused_either_way(y, options, why, throw):
    with pytest.raises(nll.errors.DataError, match=why):
        nll.fit(y, nll.Normal, throw=throw, **options)


def test_groups_that_fail_leave_the_others_alone():
    groups = ["a", "a", "a", "b", "b", "b"]
    for family in (nll.Uniform, nll.LogNormal, nll.Normal, nll.Laplace):
        f = nll.fit([0.5, 0.5, 0.5, 2.0, 3.0, 5.0], family, by=groups)
        assert (f["a"].converged, f["b"].converged) == (False, True)
        assert ONE_VALUE in f["a"].warnings[0]
        assert f["b"].nll == pytest.approx(nll.fit([2.0, 3.0, 5.0], family).nll, rel=1e-14)


def test_angles_all_around_have_a_concentration_near_zero():
    f = nll.fit(np.linspace(-3.1, 3.1, 40), nll.VonMises)
    assert 0.0 <= f.params["concentration"] < 0.05
    assert abs(f.params["loc"]) <= 3.2


def test_a_mixture_that_closes_in_on_a_repeated_value():
    y, form = np.r_[np.linspace(-2.0, 2.0, 30), np.full(30, 0.5)], nll.Mixture(nll.Normal, 2)
    start = {"loc_1": 0.5, "scale_1": 0.01, "loc_2": 0.0, "scale_2": 1.2, "weight_1": 0.5, "weight_2": 0.5}
    f = nll.fit(y, form, start=start, throw=False)
    assert not f.converged
    assert "unbounded" in f.warnings[0]
    assert "scale_1 runs to" in f.warnings[0]
    assert all(math.isnan(error) for error in f.stderr.values())
    local = nll.fit(y, form)  # wide parts have a maximum too, which is not the highest
    assert local.converged
    assert "30 of 60 rows have y = 0.5" in local.warnings[0]
    assert fitted("Mixture(Normal)").warnings == nll.fit(np.round(y[:30], 1), form).warnings == ()
