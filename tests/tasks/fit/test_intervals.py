import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

from nll.errors import UsageError
from nll.families.binomial import Binomial
from nll.families.exponential import Exponential
from nll.families.normal import Normal
from nll.families.studentt import StudentT
from nll.families.uniform import Uniform
from nll.tasks.draws import mixed, poisson_weights, uniforms
from nll.tasks.fit.fit import fit

Y = stats.gamma.ppf((np.arange(30) + 0.5) / 30.0, 2.0, scale=3.0)
N = len(Y)


def ends(rise, estimate, low, high, level=0.95):
    """Where a closed form of twice the rise of a profile meets the quantile, by SciPy."""
    wanted = stats.chi2.ppf(level, 1)
    return tuple(
        optimize.brentq(lambda v: rise(v) - wanted, a, b, xtol=1e-14) for a, b in ((low, estimate), (estimate, high))
    )


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_one_parameter(level):
    f = fit(Y, Exponential)
    rate = 1.0 / Y.mean()
    wanted = ends(lambda v: 2.0 * N * (v / rate - 1.0 - math.log(v / rate)), rate, rate / 20.0, rate * 20.0, level)
    assert f.ci(level, "profile")["rate"] == pytest.approx(wanted, rel=1e-7)


def test_two_parameters_each_with_the_other_fitted_again():
    found = fit(Y, Normal).ci(method="profile")
    mean, sd = Y.mean(), Y.std()
    half = sd * math.sqrt(math.expm1(stats.chi2.ppf(0.95, 1) / N))
    assert found["loc"] == pytest.approx((mean - half, mean + half), rel=1e-7)
    wanted = ends(lambda s: N * (2.0 * math.log(s / sd) + (sd / s) ** 2 - 1.0), sd, sd / 5.0, sd * 5.0)
    assert found["scale"] == pytest.approx(wanted, rel=1e-7)


def test_scale_of_the_data_does_not_matter():
    f = fit(Y * 1e-6 + 1e-3, Normal)
    mean, sd = 1e-6 * Y.mean() + 1e-3, 1e-6 * Y.std()
    half = sd * math.sqrt(math.expm1(stats.chi2.ppf(0.95, 1) / N))
    assert f.ci(method="profile", names="loc")["loc"] == pytest.approx((mean - half, mean + half), rel=1e-9)


def test_the_ends_of_a_support_have_one_sided_profiles():
    low, high = fit(Y, Uniform).ci(method="profile")["low"]
    span = Y.max() - Y.min()
    assert high == pytest.approx(Y.min(), rel=1e-8)
    assert low == pytest.approx(Y.max() - span * math.exp(stats.chi2.ppf(0.95, 1) / (2.0 * N)), rel=1e-7)


def test_an_open_profile_has_an_infinite_end_and_a_warning():
    y = stats.t.ppf((np.arange(40) + 0.5) / 40.0, 4.0)
    f = fit(y, StudentT, fixed={"loc": 0.0})
    with pytest.warns(UserWarning, match="do not bound df at this level: its profile is open above"):
        low, high = f.ci(0.99, "profile", names=["df"])["df"]
    assert high == math.inf
    df = f.params["df"]
    lost = lambda scale: -stats.t.logpdf(y, low, 0.0, scale).sum()  # noqa: E731
    best = optimize.minimize_scalar(lost, bounds=(0.3, 3.0), method="bounded", options={"xatol": 1e-9})
    assert 1.0 < low < df
    assert 2.0 * (best.fun - f.nll) == pytest.approx(stats.chi2.ppf(0.99, 1), rel=1e-5)


def test_options_that_profiles_have_not_are_refused():
    with pytest.raises(UsageError, match="replicates"):
        fit(Y, Exponential).ci(method="profile", replicates=20)


def test_the_curve_is_the_profile():
    f = fit(Y, Normal)
    p = f.profile("loc", points=6)
    assert len(p.grid) == 7
    assert p.grid[3] == f.params["loc"]
    assert (np.diff(p.grid) > 0.0).all()
    assert p.rise == pytest.approx(N * np.log1p(((Y.mean() - p.grid) / Y.std()) ** 2), abs=1e-9)
    assert (np.diff(p.root) > 0.0).all()
    assert p.converged.all()
    given = f.profile("scale", grid=[4.0, 3.0])
    assert given.grid.tolist() == [3.0, 4.0]
    closed = [N * (2.0 * math.log(s / Y.std()) + (Y.std() / s) ** 2 - 1.0) for s in (3.0, 4.0)]
    assert given.rise == pytest.approx(closed, rel=1e-9)
    assert given.to_polars()["scale"].to_list() == [3.0, 4.0]


def test_a_group_is_as_a_fit_of_its_rows():
    codes = np.arange(N) % 2
    fits = fit(Y, Exponential, by=codes)
    alone = fit(Y[codes == 1], Exponential)
    assert fits[1].ci(method="profile")["rate"] == pytest.approx(alone.ci(method="profile")["rate"], rel=1e-9)
    assert fits[1].row_losses() == pytest.approx(alone.row_losses(), rel=1e-12)


def test_mixed_bits_are_those_of_splitmix():
    # The first two outputs of SplitMix64 from the state 1234567, as published with its reference code.
    state = np.uint64(1234567) + np.array([1, 2], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert mixed(state).tolist() == [6457827717110365317, 3203168211198807973]


def test_weights_do_not_depend_on_how_rows_are_split():
    rows = np.arange(1000)
    whole = poisson_weights(7, np.arange(5), rows)
    parts = [poisson_weights(7, np.arange(5), part) for part in np.split(rows, [1, 300, 301])]
    assert (np.concatenate(parts, axis=1) == whole).all()
    assert (poisson_weights(7, np.array([3]), rows)[0] == whole[3]).all()
    assert (poisson_weights(8, np.arange(5), rows) != whole).mean() > 0.5


def test_weights_are_poisson_of_mean_one():
    weights = poisson_weights(1, np.arange(50), np.arange(2000)).reshape(-1).astype(int)
    counts = np.bincount(np.minimum(weights, 5), minlength=6)
    expected = weights.size * np.array([*stats.poisson.pmf(np.arange(5), 1.0), stats.poisson.sf(4, 1.0)])
    assert stats.chisquare(counts, expected).pvalue > 0.001
    drawn = uniforms(1, np.arange(50), np.arange(2000))
    assert stats.kstest(drawn.reshape(-1), "uniform").pvalue > 0.001
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 4.0 / math.sqrt(2000.0)
    assert abs(np.corrcoef(drawn[0, :-1], drawn[0, 1:])[0, 1]) < 4.0 / math.sqrt(2000.0)


@pytest.mark.parametrize("own", [None, 1.0 + np.arange(N) % 3])
def test_bootstrap_intervals_are_quantiles_of_weighted_fits(own):
    f = fit(Y, Exponential, sample_weight=own)
    weights = poisson_weights(5, np.arange(40), np.arange(N)) * (1.0 if own is None else own)
    rates = weights.sum(axis=1) / (weights @ Y)
    found = f.ci(0.8, "bootstrap", replicates=40, rng=5)
    assert found["rate"] == pytest.approx(tuple(np.quantile(rates, [0.1, 0.9])), rel=1e-9)


def test_bootstrap_takes_the_parameters_of_a_row_with_it():
    trials = 3.0 + np.arange(N) % 4
    y = np.floor(trials * 0.4)
    f = fit(y, Binomial, fixed={"total_count": trials})
    weights = poisson_weights(0, np.arange(20), np.arange(N))
    probs = (weights @ y) / (weights @ trials)
    found = f.ci(0.8, "bootstrap", replicates=20)
    assert found["probs"] == pytest.approx(tuple(np.quantile(probs, [0.1, 0.9])), rel=1e-8)


def test_batches_of_replicates_do_not_change_them(monkeypatch):
    f = fit(Y, Exponential)
    whole = f.ci(0.8, "bootstrap", replicates=25)
    monkeypatch.setattr("nll.tasks.fit.again.ROWS_AT_ONCE", 7 * N)
    assert f.ci(0.8, "bootstrap", replicates=25)["rate"] == pytest.approx(whole["rate"], rel=1e-12)


@pytest.mark.parametrize("options", [{"replicates": 5}, {"rng": np.random.default_rng(0)}])
def test_a_bootstrap_needs_a_seed_and_replicates(options):
    with pytest.raises(UsageError, match="a bootstrap needs"):
        fit(Y, Exponential).ci(method="bootstrap", **options)


def test_a_table_is_gone_over_again_as_arrays_are(tmp_path):
    path = tmp_path / "rows.csv"
    frame = pl.DataFrame({"y": [*Y, None, 1e9], "w": [1.0, 2.0] * 16, "keep": [1] * 31 + [0], "g": ["a", "b"] * 16})
    frame.write_csv(path)
    table = fit("y", Exponential, path, sample_weight="w", missing="drop", where="keep = 1")
    arrays = fit(Y, Exponential, sample_weight=frame["w"][:30].to_numpy())
    assert table.ci(method="profile")["rate"] == pytest.approx(arrays.ci(method="profile")["rate"], rel=1e-9)
    found, wanted = (f.ci(0.8, "bootstrap", replicates=20)["rate"] for f in (table, arrays))
    assert found == pytest.approx(wanted, rel=1e-9)
    goodness = [f.goodness(replicates=5).to_dict() | {"distribution": ""} for f in (table, arrays)]
    assert goodness[0]["tests"]["cramer_von_mises"] == pytest.approx(goodness[1]["tests"]["cramer_von_mises"])
    losses = table.row_losses()
    assert losses[:30] == pytest.approx(arrays.row_losses(), rel=1e-12)
    assert math.isnan(losses[30])
    grouped = fit("y", Exponential, path, by="g", missing="drop", where="keep = 1")
    alone = fit(Y[1::2], Exponential)
    assert grouped["b"].ci(method="profile")["rate"] == pytest.approx(alone.ci(method="profile")["rate"], rel=1e-9)
    assert grouped["b"].goodness(replicates=0).n == 15


def test_a_better_maximum_on_the_way_is_told():
    f = fit(Y, Normal)
    wrong = replace(f, params={"loc": f.params["loc"] + 1.0, "scale": f.params["scale"]}, nll=f.nll + 0.5)
    with pytest.warns(UserWarning, match=r"profile of loc has a smaller NLL.*fit again from near loc="):
        wrong.ci(method="profile", names="loc")
