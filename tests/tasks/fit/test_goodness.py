import json
import math

import numpy as np
import pytest
from scipy import stats

from nll.errors import UsageError
from nll.families.binomial import Binomial
from nll.families.exponential import Exponential
from nll.families.gamma import Gamma
from nll.families.normal import Normal
from nll.families.poisson import Poisson
from nll.results.goodness import quantiles
from nll.tasks.fit.fit import fit
from nll.tasks.fit.goodness import statistics

Y = stats.gamma.ppf((np.arange(24) + 0.5) / 24.0, 2.0, scale=3.0)[np.argsort(np.sin(np.arange(24)))]
COUNTS = np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 8, 9, 11, 0, 0] * 3, float)


def test_statistics_are_those_of_scipy():
    f = fit(Y, Normal)
    g = f.goodness(replicates=0)
    fitted = stats.norm(*f.params.values())
    assert g["kolmogorov_smirnov"].statistic == pytest.approx(stats.kstest(Y, fitted.cdf).statistic, rel=1e-12)
    assert g["cramer_von_mises"].statistic == pytest.approx(stats.cramervonmises(Y, fitted.cdf).statistic, rel=1e-12)
    y, i = np.sort(Y), np.arange(1, 25)
    darling = -24.0 - np.sum((2 * i - 1) * (fitted.logcdf(y) + fitted.logsf(y[::-1]))) / 24.0
    assert g["anderson_darling"].statistic == pytest.approx(darling, rel=1e-12)
    assert math.isnan(g["anderson_darling"].p_value)


def test_statistics_of_several_samples_are_those_of_each():
    u = np.random.default_rng(3).random((4, 9))
    together = statistics(np.log(u), np.log1p(-u))
    for j in range(4):
        alone = statistics(np.log(u[j]), np.log1p(-u[j]))
        assert {name: value[j] for name, value in together.items()} == pytest.approx(alone, rel=1e-14)


def test_p_values_are_those_of_fits_to_samples():
    """The distance of an exponential distribution with its rate estimated, simulated with NumPy alone."""
    f = fit(Y, Exponential)
    g = f.goodness(replicates=199, rng=4)
    random = np.random.default_rng(0)
    y = np.sort(random.exponential(size=(4000, 24)), axis=1)
    u, i = -np.expm1(-y / y.mean(axis=1, keepdims=True)), np.arange(1, 25)
    drawn = np.maximum(i / 24 - u, u - (i - 1) / 24).max(axis=1)
    p = np.mean(drawn >= g["kolmogorov_smirnov"].statistic)
    assert 0.001 < p < 0.5
    assert abs(g["kolmogorov_smirnov"].p_value - p) < 4.0 * math.sqrt(p * (1.0 - p) / 199.0) + 0.01
    assert g.failed == 0


def test_the_right_family_passes_and_a_wrong_one_does_not():
    wrong = fit(np.r_[Y, Y + 0.01, 60.0 + Y], Normal).goodness(replicates=39)
    assert {t.p_value for t in wrong.tests.values()} == {1.0 / 40.0}
    right = fit(Y, Gamma).goodness(replicates=39)
    assert min(t.p_value for t in right.tests.values()) > 0.2


def test_the_same_seed_gives_the_same_and_batches_do_not_matter(monkeypatch):
    f = fit(COUNTS, Poisson)
    first = f.goodness(replicates=12, rng=3)
    monkeypatch.setattr("nll.tasks.fit.again.ROWS_AT_ONCE", 5 * len(COUNTS))
    monkeypatch.setattr("nll.tasks.fit.goodness.AT_ONCE", 4 * len(COUNTS))
    assert f.goodness(replicates=12, rng=3).to_dict() == first.to_dict()
    assert (f.goodness(replicates=0, rng=4).residuals != first.residuals).any()


def test_residuals_are_normal_quantiles_and_keep_the_order_of_rows():
    y = np.append(Y, 1e3)
    f = fit(y, Exponential)
    residuals = f.goodness(replicates=0).residuals
    fitted = stats.expon(scale=1.0 / f.params["rate"])
    assert residuals[:-1] == pytest.approx(stats.norm.ppf(fitted.cdf(Y)), abs=1e-9)
    assert residuals[-1] == pytest.approx(stats.norm.isf(fitted.sf(1e3)), rel=1e-12)
    far = fit(np.append(Y, 1e3), Exponential, fixed={"rate": 1.0}).goodness(replicates=0).residuals[-1]
    assert 44.0 < far < 45.0  # sf = e**-1000


def test_residuals_of_counts_lie_in_their_step():
    f = fit(COUNTS, Poisson)
    fitted = stats.poisson(f.params["rate"])
    residuals = f.goodness(replicates=0, rng=1).residuals
    assert (residuals > stats.norm.ppf(fitted.cdf(COUNTS - 1.0))).all()
    assert (residuals < stats.norm.ppf(fitted.cdf(COUNTS))).all()
    assert len(np.unique(residuals)) == len(COUNTS)


def test_chi_square_of_counts():
    f = fit(COUNTS, Poisson)
    g = f.goodness(replicates=19)
    fitted = stats.poisson(f.params["rate"])
    df = int(g["chi_square"].df)
    # The cells are those about equally probable; find them again by SciPy.
    wanted = min(int(2.0 * 60.0**0.4), 12)
    edges = np.unique(fitted.ppf(np.arange(1, wanted) / wanted))
    kept, before = [], 0.0
    for e in edges:
        if 60.0 * (fitted.cdf(e) - before) >= 5.0 and 60.0 * fitted.sf(e) >= 5.0:
            kept.append(e)
            before = fitted.cdf(e)
    expected = 60.0 * np.diff([0.0, *fitted.cdf(kept), 1.0])
    observed = np.bincount(np.searchsorted(kept, COUNTS), minlength=len(kept) + 1)
    assert g["chi_square"].statistic == pytest.approx(stats.chisquare(observed, expected).statistic, rel=1e-10)
    assert df == len(kept) + 1 - 1 - 1
    assert (expected >= 5.0).all()
    assert g["chi_square"].p_value == pytest.approx(stats.chi2.sf(g["chi_square"].statistic, df), abs=0.15)


def test_parameters_by_row_are_used_row_by_row():
    trials = 3.0 + np.arange(40) % 5
    y = np.floor(trials * (np.arange(40) % 3) / 3.0)
    f = fit(y, Binomial, fixed={"total_count": trials})
    g = f.goodness(replicates=9)
    fitted = stats.binom(trials, f.params["probs"])
    assert (g.residuals > stats.norm.ppf(fitted.cdf(y - 1.0))).all()
    assert (g.residuals < stats.norm.ppf(fitted.cdf(y))).all()
    assert "chi_square" not in g.tests
    with pytest.raises(UsageError, match="differ by row"):
        _ = g.qq
    assert len(g.pp["observed"]) == 40


def test_a_weight_of_two_is_a_row_twice():
    times = 1 + np.arange(24) % 3
    weighted = fit(Y, Exponential, sample_weight=times).goodness(replicates=9)
    plain = fit(np.repeat(Y, times), Exponential).goodness(replicates=9)
    assert weighted.n == plain.n
    assert weighted["anderson_darling"].statistic == pytest.approx(plain["anderson_darling"].statistic, rel=1e-11)
    assert weighted["anderson_darling"].p_value == plain["anderson_darling"].p_value


def test_data_of_the_plots():
    f = fit(Y, Gamma)
    g = f.goodness(replicates=0)
    fitted = stats.gamma(f.params["concentration"], scale=1.0 / f.params["rate"])
    p = (np.arange(24) + 0.5) / 24.0
    assert g.qq["theoretical"] == pytest.approx(fitted.ppf(p), rel=1e-10)
    assert g.qq["observed"].tolist() == np.sort(Y).tolist()
    assert g.pp["observed"] == pytest.approx(fitted.cdf(np.sort(Y)), rel=1e-10)
    assert g.worm["theoretical"] == pytest.approx(stats.norm.ppf(p), abs=1e-12)
    assert g.worm["deviation"] == pytest.approx(np.sort(g.residuals) - stats.norm.ppf(p), abs=1e-12)
    z = stats.norm.ppf(p)
    assert g.worm["band95"] == pytest.approx(1.959964 * np.sqrt(p * (1 - p) / 24) / stats.norm.pdf(z), rel=1e-6)


def test_long_samples_are_thinned_for_plots(monkeypatch):
    monkeypatch.setattr("nll.tasks.fit.goodness.MOST_PLOTTED", 7)
    g = fit(Y, Exponential).goodness(replicates=0)
    assert len(g.residuals) == 24
    assert len(g.qq["observed"]) == 7
    assert (g.qq["observed"][0], g.qq["observed"][-1]) == (Y.min(), Y.max())


@pytest.mark.parametrize("options", [{"replicates": -1}, {"rng": -1}, {"rng": np.random.default_rng(0)}])
def test_options_are_checked(options):
    with pytest.raises(UsageError, match="a seed rng and replicates"):
        fit(Y, Exponential).goodness(**options)


def test_weights_that_count_no_rows_are_refused():
    with pytest.raises(UsageError, match="whole weights"):
        fit(Y, Exponential, sample_weight=np.full(24, 0.5)).goodness()


def test_the_record_prints_and_saves():
    g = fit(Y, Exponential).goodness(replicates=9)
    assert "Anderson-Darling A2" in g.summary()
    assert "9 replicates" in g.summary()
    assert "<table>" in g._repr_html_()
    assert "\n" not in repr(g)
    assert json.loads(g.to_json())["tests"]["cramer_von_mises"]["p_value"] == g["cramer_von_mises"].p_value
    assert g.to_polars()["test"].to_list() == ["kolmogorov_smirnov", "anderson_darling", "cramer_von_mises"]


def test_quantiles_of_counts_reach_beyond_the_observations():
    d, p = Poisson(rate=3.0), np.array([0.001, 0.02, 0.5, 0.9, 0.9999])
    for low, high in ((2.0, 3.0), (5.0, 9.0), (0.0, 0.0)):
        assert quantiles(d, p, low, high).tolist() == stats.poisson.ppf(p, 3.0).tolist()
