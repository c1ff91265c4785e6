"""Fits of the same rows: criteria and tests against NumPy, SciPy and each other, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

import nll
from nll.errors import DataError, UsageError
from nll.results.evidence import LikelihoodRatioTest, VuongTest
from nll.tasks.compare.gradients import gradients

Y = nll.Gamma(concentration=2.0, rate=1.0).sample(200, rng=1)
W = 1.0 + np.arange(len(Y)) % 2
COUNTS = nll.NegativeBinomial(mean=3.0, dispersion=0.3).sample(200, rng=2)


@pytest.fixture(scope="module")
def gamma() -> nll.Fit:
    return nll.fit(Y, nll.Gamma)


@pytest.fixture(scope="module")
def exponential() -> nll.Fit:
    return nll.fit(Y, nll.Exponential)


@pytest.fixture(scope="module")
def lognormal() -> nll.Fit:
    return nll.fit(Y, nll.LogNormal)


def test_criteria_and_weights(gamma: nll.Fit, exponential: nll.Fit, lognormal: nll.Fit) -> None:
    found = nll.compare(exponential, gamma, lognormal)
    assert next(iter(found)) == found.best == "Gamma"
    aic = {name: 2.0 * m.nll + 2.0 * m.k for name, m in found.items()}
    raw = {name: math.exp(-0.5 * (value - aic["Gamma"])) for name, value in aic.items()}
    for name, model in found.items():
        assert model.aic == pytest.approx(aic[name], rel=1e-14)
        assert model.difference == pytest.approx(aic[name] - aic["Gamma"], abs=1e-11)
        assert model.weight == pytest.approx(raw[name] / sum(raw.values()), rel=1e-12)
        assert model.bic == pytest.approx(2.0 * model.nll + model.k * math.log(200.0), rel=1e-14)


def test_takeuchi_is_its_formula(exponential: nll.Fit, gamma: nll.Fit) -> None:
    # Exponential: gradient y - 1/r, Hessian n / r**2 in all, so that the penalty is 2 var(y) r**2.
    rate = 1.0 / Y.mean()
    found = nll.compare(exponential, gamma)["Exponential"]
    assert found.tic == pytest.approx(2.0 * found.nll + 2.0 * Y.var() * rate**2, rel=1e-10)
    a, b = (nll.fit(Y, family, sample_weight=W) for family in (nll.Exponential, nll.Gamma))
    mean = np.average(Y, weights=W)
    penalty = 2.0 * np.average((Y - mean) ** 2, weights=W) / mean**2
    assert nll.compare(a, b)["Exponential"].tic == pytest.approx(2.0 * a.nll + penalty, rel=1e-9)


def test_nested_fits_have_a_likelihood_ratio_and_others_vuong(
    gamma: nll.Fit, exponential: nll.Fit, lognormal: nll.Fit
) -> None:
    found = nll.compare({"e": exponential, "g": gamma, "l": lognormal})
    ratio, vuong = found["e"].test, found["l"].test
    assert isinstance(ratio, LikelihoodRatioTest)
    assert ratio.p_value == pytest.approx(stats.chi2.sf(2.0 * (exponential.nll - gamma.nll), 1), rel=1e-9)
    assert isinstance(vuong, VuongTest)
    m = gamma.row_losses() - lognormal.row_losses()
    assert vuong.z == pytest.approx(m.sum() / math.sqrt(200.0 * m.var()), rel=1e-9)
    assert 0.0 < vuong.p_distinguishable < 1.0
    assert found["g"].test is None


def test_a_parameter_at_its_end_is_a_mixture() -> None:
    poisson, full = nll.fit(COUNTS, nll.Poisson), nll.fit(COUNTS, nll.NegativeBinomial)
    found = nll.lrt(poisson, full)
    assert (found.df, found.boundary) == (1, 1)
    assert found.p_value == pytest.approx(0.5 * stats.chi2.sf(2.0 * (poisson.nll - full.nll), 1), rel=1e-9)
    assert nll.lrt(poisson, full, boundary=0).p_value == pytest.approx(2.0 * found.p_value, rel=1e-12)
    assert nll.lrt(nll.fit(COUNTS, nll.Geometric), full).boundary == 0


def test_no_gain_is_no_evidence() -> None:
    assert nll.lrt(10.0, 10.0, df=1, boundary=1).p_value == 1.0
    assert nll.lrt(10.0 + 1e-6, 10.0, df=1, boundary=1).p_value == pytest.approx(0.5, abs=1e-3)


def test_fixed_parameters_nest() -> None:
    free, held = nll.fit(Y, nll.Gamma), nll.fit(Y, nll.Gamma, fixed={"concentration": 2.0})
    assert isinstance(
        nll.compare(free, held)["Gamma 2"].test or nll.compare(free, held)["Gamma 1"].test, LikelihoodRatioTest
    )
    other = nll.fit(Y, nll.Gamma, fixed={"rate": 1.0})
    with pytest.raises(UsageError, match="free parameters that the full one has not"):
        nll.lrt(other, held, df=1)
    with pytest.raises(UsageError, match="rate is fixed in the fit of Gamma"):
        nll.lrt(nll.fit(Y, nll.Exponential), other, df=1)
    with pytest.raises(UsageError, match="different families"):
        nll.lrt(nll.fit(Y, nll.LogNormal), free, df=1)


def test_row_gradients_are_difference_quotients(gamma: nll.Fit) -> None:
    found = gamma.row_gradients()
    for k, name in enumerate(gamma.free):
        h = 1e-5
        up, down = ({**gamma.params, name: gamma.params[name] + s * h} for s in (1.0, -1.0))
        quotient = (nll.rows(Y, nll.Gamma(**up)) - nll.rows(Y, nll.Gamma(**down))) / (2.0 * h)
        assert found[:, k] == pytest.approx(quotient, abs=1e-7)
    assert found.sum(axis=0) == pytest.approx([0.0, 0.0], abs=1e-6)
    held = nll.fit(Y[:60], nll.Exponential)
    assert held.row_gradients()[:, 0] == pytest.approx(Y[:60] - Y[:60].mean(), abs=1e-12)


def test_compiled_gradients_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = gradients(nll.Exponential, Y, (0.7,))
    monkeypatch.setattr("nll.tasks.compare.gradients.ROWS_BEFORE_COMPILING", 0)
    assert (gradients(nll.Exponential, Y, (0.7,)) == plain).all()


def test_loaded_fits_say_that_rows_were_not_checked(gamma: nll.Fit, lognormal: nll.Fit) -> None:
    found = nll.compare(gamma.with_data(None), lognormal)
    assert any("loaded fit" in note for note in found.notes)
    assert found["LogNormal"].test is None
    assert math.isnan(found["Gamma"].tic)
    assert "null" in found.to_json()
    assert [m["name"] for m in json.loads(found.to_json())["models"]] == ["Gamma", "LogNormal"]
    assert "by AIC" in repr(found)


def test_other_rows_are_refused(gamma: nll.Fit) -> None:
    def message(other: nll.Fit) -> str:
        with pytest.raises(DataError) as caught:
            nll.compare(gamma, other)
        return str(caught.value)

    assert "the log of the observations" in message(nll.fit(np.log(Y), nll.Normal))
    assert "another order" in message(nll.fit(Y[::-1].copy(), nll.LogNormal))
    assert "different weights" in message(nll.fit(Y, nll.LogNormal, sample_weight=W))
    assert "1 of 200 rows differ" in message(nll.fit(np.r_[Y[:-1], 1.5], nll.LogNormal))
    assert "to 199" in message(nll.fit(Y[1:], nll.LogNormal))
    holed = np.where(np.arange(201) == 7, np.nan, np.insert(Y, 7, 0.0))
    assert "1 dropped" in message(nll.fit(holed, nll.LogNormal, missing="drop"))
    assert len(nll.compare(gamma, nll.fit(Y, nll.LogNormal, sample_weight=np.ones(200)))) == 2


def test_a_mass_and_a_density_are_refused() -> None:
    with pytest.raises(UsageError, match="Poisson is discrete and Normal continuous"):
        nll.compare(nll.fit(COUNTS, nll.Poisson), nll.fit(COUNTS, nll.Normal))


def test_a_transformed_fit_compares() -> None:
    moved = nll.fit(Y, nll.Transformed(nll.Normal, "exp"))
    plain = nll.fit(Y, nll.LogNormal)
    assert moved.nll == pytest.approx(plain.nll, rel=1e-9)
    assert nll.compare(moved, plain).n == 200


def test_what_is_no_fit_is_refused(gamma: nll.Fit) -> None:
    with pytest.raises(UsageError, match="at least two fits"):
        nll.compare(gamma)
    with pytest.raises(UsageError, match="is no fit"):
        nll.compare(gamma, nll.Gamma(2.0, 1.0))
    groups = nll.fit(Y, nll.Gamma, by=np.arange(200) % 2)
    with pytest.raises(UsageError, match="group by group"):
        nll.compare(groups, groups)
    assert nll.compare(groups[0], nll.fit(Y[::2], nll.LogNormal)).n == 100
    with pytest.raises(UsageError, match="as they are"):
        nll.compare(gamma, gamma, clip=0.1)
    with pytest.raises(UsageError, match="by position"):
        nll.compare([1, 0], {"a": nll.Bernoulli(probs=0.5)}, None, None)


def test_cross_validation_is_fits_of_the_rest() -> None:
    found = nll.cross_validate(Y, nll.Exponential, k=4, seed=3)
    assert sorted(np.bincount(found.fold)) == [50] * 4
    expected = np.empty(200)
    for part in range(4):
        out = found.fold == part
        rate = 1.0 / Y[~out].mean()
        expected[out] = rate * Y[out] - math.log(rate)
    assert found.losses == pytest.approx(expected, rel=1e-10)
    assert found.nll == pytest.approx(expected.sum(), rel=1e-12)
    assert found.stderr == pytest.approx(expected.std(ddof=1) / math.sqrt(200.0), rel=1e-10)
    assert found.params[1]["rate"] == pytest.approx(1.0 / Y[found.fold != 1].mean(), rel=1e-9)
    assert (nll.cross_validate(Y, nll.Gamma, k=4, seed=3).fold == found.fold).all()
    assert (nll.cross_validate(Y, nll.Exponential, k=4, seed=4).fold != found.fold).any()


def test_leave_one_out_and_weights() -> None:
    y = Y[:12]
    found = nll.cross_validate(y, nll.Exponential, k=12, sample_weight=W[:12])
    rest = [(W[:12] @ y - w * v) / (W[:12].sum() - w) for w, v in zip(W[:12], y, strict=True)]
    expected = [v / m + math.log(m) for v, m in zip(y, rest, strict=True)]
    assert found.losses == pytest.approx(expected, rel=1e-10)
    assert found.mean == pytest.approx(np.average(expected, weights=W[:12]), rel=1e-10)


def test_clusters_stay_together() -> None:
    c = np.arange(200) // 8
    found = nll.cross_validate(Y, nll.Exponential, k=5, cluster=c)
    assert found.clusters == 25
    assert all(len(set(found.fold[c == j])) == 1 for j in range(25))
    sums = np.bincount(c, found.losses - found.mean)
    assert found.stderr == pytest.approx(math.sqrt(25.0 / 24.0 * (sums**2).sum()) / 200.0, rel=1e-9)
    with pytest.raises(UsageError, match="5 parts of 4 clusters"):
        nll.cross_validate(Y, nll.Exponential, k=5, cluster=np.arange(200) % 4)


def test_known_parameters_go_with_their_rows() -> None:
    trials = np.arange(30) % 5 + 1.0
    y = np.floor(0.4 * trials)
    found = nll.cross_validate(y, nll.Binomial, k=2, fixed={"total_count": trials})
    out = found.fold == 0
    p = y[~out].sum() / trials[~out].sum()
    assert found.losses[out] == pytest.approx(nll.rows(y[out], nll.Binomial(trials[out], p)), rel=1e-9)


def test_held_out_losses_stack() -> None:
    parts = {name: nll.cross_validate(Y, family, k=4) for name, family in (("g", nll.Gamma), ("e", nll.Exponential))}
    assert nll.stacking(parts).weights[0] > 0.9
    assert nll.vuong(parts["g"].losses, parts["e"].losses).z > 0.0


def test_wrong_parts_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 2"):
        nll.cross_validate(Y, nll.Gamma, k=1)
    with pytest.raises(UsageError, match="201 parts of 200 rows"):
        nll.cross_validate(Y, nll.Gamma, k=201)
    with pytest.raises(UsageError, match="no option 'by'"):
        nll.cross_validate(Y, nll.Gamma, by=Y)
