"""The parts of a score against scikit-learn and SciPy, and their laws: edges, weights, clusters, order, files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from scipy import optimize, stats
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss

import nll
from nll.cli.commands import main
from nll.errors import DataError, UsageError
from nll.tasks.decompose import isotonic as pav
from nll.tasks.decompose.cells import Counted, Pair
from nll.tasks.decompose.corp import recalibrated

Array = Any


def events(n: int, seed: int = 1, decimals: int | None = None) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    p = 1.0 / (1.0 + np.exp(-1.5 * z))
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-(0.8 * z + 0.3)))).astype(int)
    return y, p if decimals is None else np.round(p, decimals)


def entropy(p: float) -> float:
    return -sum(q * math.log(q) for q in (p, 1.0 - p) if q)


@pytest.mark.parametrize("decimals", [None, 2])
def test_the_parts_are_those_of_scikit_learns_isotonic_fit(decimals: int | None) -> None:
    y, p = events(1500, decimals=decimals)
    d = nll.decompose(y, nll.Bernoulli(probs=np.clip(p, 0.01, 0.99)))
    c = IsotonicRegression().fit(np.clip(p, 0.01, 0.99), y).predict(np.clip(p, 0.01, 0.99))
    terms = [-math.log(x if happened else 1.0 - x) for x, happened in zip(c, y, strict=True)]
    after = math.fsum(terms) / len(y)
    assert d.entropy.mean == pytest.approx(after, rel=1e-13)
    assert d.score.mean == pytest.approx(log_loss(y, np.clip(p, 0.01, 0.99)), rel=1e-13)
    assert d.miscalibration.mean == pytest.approx(d.score.mean - after, rel=1e-11)
    assert d.uncertainty.mean == pytest.approx(entropy(y.mean()), rel=1e-14)
    total = d.miscalibration.mean - d.discrimination.mean + d.uncertainty.mean
    assert total == pytest.approx(d.score.mean, rel=1e-15)
    assert sum(d.weight) == len(y)
    assert list(d.observed) == pytest.approx(np.unique(np.round(c, 12)), rel=1e-9)
    assert d.distinct == len(np.unique(np.clip(p, 0.01, 0.99)))


def test_logits_give_the_parts_of_their_probabilities() -> None:
    y, p = events(800)
    a = nll.decompose(y, nll.Bernoulli(probs=p))
    b = nll.decompose(y, nll.Bernoulli(logits=np.log(p) - np.log1p(-p)))
    for name, part in a.parts.items():
        assert b.parts[name].mean == pytest.approx(part.mean, rel=1e-12)
        assert b.parts[name].stderr == pytest.approx(part.stderr, rel=1e-9)
    assert b.forecast == pytest.approx(a.forecast, rel=1e-12)


def test_pure_blocks_cost_nothing_and_nothing_is_nan() -> None:
    d = nll.decompose([0, 0, 1, 1], nll.Bernoulli(probs=[0.1, 0.4, 0.6, 1.0]))
    assert d.entropy.mean == 0.0
    assert d.discrimination.mean == d.uncertainty.mean == math.log(2.0)
    assert d.miscalibration.mean == d.score.mean
    assert d.observed == (0.0, 1.0)
    assert any("no finite optimum" in note for note in d.notes)


def test_one_outcome_has_no_uncertainty() -> None:
    d = nll.decompose([1, 1, 1], nll.Bernoulli(probs=[0.5, 0.9, 0.8]))
    assert (d.uncertainty.mean, d.discrimination.mean, d.entropy.mean) == (0.0, 0.0, 0.0)
    assert math.isnan(d.skill)
    assert any("always happened" in note for note in d.notes)


def test_an_impossible_row_makes_only_score_and_miscalibration_infinite() -> None:
    d = nll.decompose([0, 1, 0, 1], nll.Bernoulli(probs=[0.0, 0.0, 0.5, 0.9]), folds=2)
    assert d.score.mean == d.miscalibration.mean == math.inf
    assert math.isnan(d.miscalibration.stderr)
    assert math.isfinite(d.discrimination.mean)
    assert math.isfinite(d.discrimination.stderr)
    assert json.loads(d.to_json())["miscalibration"]["mean"] == "inf"


def test_no_rows_give_nan_and_say_so() -> None:
    d = nll.decompose(np.array([], int), nll.Bernoulli(probs=np.array([])))
    assert math.isnan(d.miscalibration.mean)
    assert any("no rows" in note for note in d.notes)


def test_the_delta_errors_are_those_of_row_differences() -> None:
    y, p = events(700)
    d = nll.decompose(y, nll.Bernoulli(probs=p))
    c = IsotonicRegression().fit(p, y).predict(p)
    own = -np.where(y, np.log(p), np.log1p(-p))
    with np.errstate(divide="ignore"):
        best = -np.where(y, np.log(c), np.log1p(-c))
    same = -np.where(y, np.log(y.mean()), np.log1p(-y.mean()))
    # What the correction is unsure of comes on top: 1/2 for the constant, the variances of blocks for the map.
    first = np.flatnonzero(np.r_[True, np.diff(c[np.argsort(p)]) > 0.0])
    sizes = np.diff(np.r_[first, 700])
    share = c[np.argsort(p)][first]
    pure = (share == 0.0) | (share == 1.0)
    kinds = [(0.5, 0.5) if n == 1 else (1.0, 1.0) if end else (0.75, 0.63) for n, end in zip(sizes, pure, strict=True)]
    mean, variance = (math.fsum(kind[i] for kind in kinds) for i in (0, 1))
    for part, x, more, bias in (
        (d.miscalibration, own - best, variance, mean),
        (d.discrimination, same - best, variance - 0.5, mean - 0.5),
        (d.uncertainty, same, 0.5, -0.5),
    ):
        sampling = np.std(x, ddof=1) / math.sqrt(700)
        assert part.stderr == pytest.approx(math.hypot(sampling, math.sqrt(more) / 700), rel=1e-9)
        assert part.bias == pytest.approx(bias / 700, rel=1e-9)
        assert part.corrected == part.mean - part.bias
        assert (part.low + part.high) / 2.0 == pytest.approx(part.corrected, rel=1e-9)
    cluster = np.arange(700) // 7
    e = nll.decompose(y, nll.Bernoulli(probs=p), cluster=cluster)
    sums = np.bincount(cluster, (own - best) - (own - best).mean())
    assert e.miscalibration.mean == d.miscalibration.mean
    times = e.miscalibration.bias / d.miscalibration.bias  # how dependent the rows of clusters look: here, hardly
    assert 1.0 <= times < 1.5
    sampling = math.sqrt(100 / 99 * (sums**2).sum()) / 700
    assert e.miscalibration.stderr == pytest.approx(math.hypot(sampling, times * math.sqrt(variance) / 700), rel=1e-9)


def test_calibrated_forecasts_that_all_differ_may_be_calibrated() -> None:
    # Before the correction no interval held the true miscalibration, 0: the isotonic fit follows the noise.
    rng = np.random.default_rng(12)
    held = 0
    for _ in range(60):
        p = rng.uniform(0.02, 0.98, 500)
        m = nll.decompose(rng.random(500) < p, nll.Bernoulli(probs=p), recalibrate=False, progress=False).miscalibration
        held += m.low <= 0.0 <= m.high
    assert held >= 52  # of 60 at 95 %: fewer than 1 time in 1,000


def test_draws_give_a_p_value_of_calibration() -> None:
    rng = np.random.default_rng(13)
    p = rng.uniform(0.02, 0.98, 400)
    good = nll.decompose(rng.random(400) < p, nll.Bernoulli(probs=p), band=99)
    bad = nll.decompose(rng.random(400) < p**3, nll.Bernoulli(probs=p), band=99)
    assert good.calibration_p > 0.05
    assert bad.calibration_p == 0.01
    assert any("p = 0.01" in note for note in bad.notes)
    assert math.isnan(nll.decompose(rng.random(400) < p, nll.Bernoulli(probs=p)).calibration_p)
    assert math.isnan(
        nll.decompose(rng.random(400) < p, nll.Bernoulli(probs=p), band=20, cluster=np.arange(400) // 2).calibration_p
    )


def test_the_bootstrap_agrees_with_the_delta_method() -> None:
    y, p = events(3000, decimals=1)
    p = np.clip(p, 0.05, 0.95)
    delta = nll.decompose(y, nll.Bernoulli(probs=p))
    drawn = nll.decompose(y, nll.Bernoulli(probs=p), replicates=400)
    assert drawn.method == "bootstrap"
    for name in ("miscalibration", "discrimination", "uncertainty"):
        assert drawn.parts[name].stderr == pytest.approx(delta.parts[name].stderr, rel=0.15)
    again = nll.decompose(y[::-1], nll.Bernoulli(probs=p[::-1]), replicates=400)
    assert again.miscalibration == drawn.miscalibration


def test_a_weight_of_two_is_the_row_twice() -> None:
    y, p = events(300)
    w = np.random.default_rng(3).integers(0, 4, 300)
    a = nll.decompose(y, nll.Bernoulli(probs=p), sample_weight=w.astype(float))
    b = nll.decompose(np.repeat(y, w), nll.Bernoulli(probs=np.repeat(p, w)))
    for name, part in b.parts.items():
        assert a.parts[name].mean == pytest.approx(part.mean, rel=1e-12)
    assert a.observed == b.observed
    assert a.score.unweighted == (w == 0).sum()


def test_platt_and_temperature_are_the_maximum_likelihood_fits() -> None:
    y, p = events(900)
    z = np.log(p) - np.log1p(-p)

    def loss(theta: Array) -> float:
        return float(np.mean(np.logaddexp(0.0, np.where(y, -1.0, 1.0) * (theta[0] * z + theta[1]))))

    best = optimize.minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-10})
    single = optimize.minimize_scalar(lambda b: loss([b, 0.0]), bounds=(0.01, 5.0), method="bounded")
    d = nll.decompose(y, nll.Bernoulli(probs=p))
    temperature, platt, isotonic = d.recalibrations
    assert (platt.slope, platt.intercept) == pytest.approx(tuple(best.x), rel=1e-6)
    assert platt.gain == pytest.approx(d.score.mean - best.fun, rel=1e-10)
    assert temperature.slope == pytest.approx(single.x, rel=1e-4)
    assert temperature.gain == pytest.approx(d.score.mean - single.fun, rel=1e-8)
    assert isotonic.gain == d.miscalibration.mean
    assert 0.0 < temperature.gain < platt.gain < isotonic.gain


def test_held_out_gains_are_less_and_repeat() -> None:
    y, p = events(2000, decimals=1)
    p = np.clip(p, 0.05, 0.95)
    d = nll.decompose(y, nll.Bernoulli(probs=p), folds=5, seed=4)
    for each in d.recalibrations:
        assert 0.0 < each.held_out < each.gain
    order = np.random.default_rng(0).permutation(2000)
    again = nll.decompose(y[order], nll.Bernoulli(probs=p[order]), folds=5, seed=4)
    assert again.recalibrations == d.recalibrations


def test_calibrated_forecasts_lie_in_the_band_and_others_do_not() -> None:
    rng = np.random.default_rng(5)
    p = rng.integers(1, 10, 4000) / 10.0
    y = rng.random(4000) < p
    d = nll.decompose(y, nll.Bernoulli(probs=p), band=200, level=0.99)
    curve = d.curve()
    assert curve.select(
        ((pl.col("observed") >= pl.col("band_low")) & (pl.col("observed") <= pl.col("band_high"))).all()
    ).item()
    off = nll.decompose(rng.random(4000) < p**2, nll.Bernoulli(probs=p), band=200, level=0.99).curve()
    assert off.select((pl.col("observed") < pl.col("band_low")).sum()).item() >= 5


def test_groups_are_decomposed_as_if_alone() -> None:
    y, p = events(600)
    g = np.array(["x", "y", "z"])[np.arange(600) % 3]
    d = nll.decompose(y, nll.Bernoulli(probs=p), by=g)
    assert list(d) == ["x", "y", "z"]
    alone = nll.decompose(y[g == "y"], nll.Bernoulli(probs=p[g == "y"]))
    assert d["y"].parts == alone.parts
    assert d.total.parts == nll.decompose(y, nll.Bernoulli(probs=p)).parts
    assert d.to_polars().height == 15


def test_files_and_any_order_give_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = events(3000, decimals=2)
    p = np.clip(p, 0.01, 0.99)
    a = nll.decompose(y, nll.Bernoulli(probs=p))
    order = np.random.default_rng(2).permutation(3000)
    for k, rows in enumerate(np.array_split(order, 3)):
        pl.DataFrame({"y": y[rows], "p": p[rows], "g": 1}).write_parquet(tmp_path / f"{k}.parquet")
    monkeypatch.setattr("nll.tasks.chunks.ROWS_IN_CHUNK", 100)
    b = nll.decompose("y", nll.Bernoulli(probs="p"), tmp_path / "*.parquet")
    grouped = nll.decompose("y", nll.Bernoulli(probs="p"), tmp_path / "*.parquet", by="g")
    assert b.parts == a.parts == grouped[1].parts
    assert b.recalibrations == a.recalibrations == grouped[1].recalibrations
    assert (b.low, b.observed, b.weight) == (a.low, a.observed, a.weight)


def test_counted_numbers_keep_to_the_distinct_ones() -> None:
    counted, other = Counted(limit=50), Counted(limit=50)
    values = np.random.default_rng(0).integers(0, 7, (40, 20)).astype(float)
    for row in values[:30]:
        counted.add(row)
        assert counted.size <= 70
    for row in values[30:]:
        other.add(row)
    counted.merge(other)
    counted.settle()
    found, counts = np.unique(values, return_counts=True)
    assert counted.values.tolist() == found.tolist()
    assert counted.counts.tolist() == counts.tolist()


def test_pooling_is_the_same_compiled() -> None:
    y, p = events(2000, decimals=2)
    pair = Pair()
    pair.add(p, y != 0)
    cells = pair.cells(False)
    plain = recalibrated(cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pav, "CELLS_BEFORE_COMPILING", 0)
        compiled = recalibrated(cells)
    for a, b in zip(plain, compiled, strict=True):
        assert a.tolist() == b.tolist()


def test_missing_rows_are_refused_or_dropped() -> None:
    y, p = [1.0, 0.0, math.nan, 1.0], [0.5, 0.2, 0.3, 0.9]
    with pytest.raises(DataError, match="row 2"):
        nll.decompose(y, nll.Bernoulli(probs=p))
    d = nll.decompose(y, nll.Bernoulli(probs=p), missing="drop")
    assert (d.n, d.score.missing, sum(d.weight)) == (3, 1, 3.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"level": 1.0}, "between 0 and 1"), ({"folds": 1}, "folds is 0"), ({"replicates": -1}, "replicates is 0")],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        nll.decompose([1, 0], nll.Bernoulli(probs=0.5), **options)


def test_a_categorical_is_decomposed_by_class_and_top_label() -> None:
    rng = np.random.default_rng(6)
    probs = np.round(rng.dirichlet([1, 1, 1], size=300), 3)
    probs[:, 2] = 1.0 - probs[:, 0] - probs[:, 1]
    c = np.array([rng.choice(3, p=p) for p in np.clip(probs, 0, None) / np.clip(probs, 0, None).sum(1, keepdims=True)])
    d = nll.decompose(c, nll.Categorical(probs=np.clip(probs, 0, 1)))
    one = nll.decompose(c == 1, nll.Bernoulli(probs=np.clip(probs, 0, 1)[:, 1]))
    for name, part in one.parts.items():
        assert d[1].parts[name].mean == pytest.approx(part.mean, rel=1e-12)
        assert d[1].parts[name].stderr == pytest.approx(part.stderr, rel=1e-9)
    top = nll.decompose(c == probs.argmax(1), nll.Bernoulli(probs=probs.max(1)))
    assert d.total.miscalibration.mean == pytest.approx(top.miscalibration.mean, rel=1e-12)
    assert d.score.mean == nll.score(c, nll.Categorical(probs=np.clip(probs, 0, 1))).mean
    named = nll.decompose(
        np.array(["a", "b", "c"])[c], nll.Categorical(probs=np.clip(probs, 0, 1)), labels=["a", "b", "c"]
    )
    assert named["b"].parts == d[1].parts


def test_the_pit_of_a_density_has_scipys_tests() -> None:
    y = 1.3 * np.random.default_rng(7).normal(size=400) + 0.2
    d = nll.decompose(y, nll.Normal(loc=0.0, scale=1.0))
    u = stats.norm.cdf(y)
    assert d.ks == pytest.approx(stats.kstest(u, "uniform").statistic, rel=1e-12)
    assert d.ks_p == pytest.approx(stats.kstest(u, "uniform").pvalue, rel=0.05)
    assert d.residual_sd == pytest.approx(y.std(), rel=1e-12)
    assert d.normality == pytest.approx(stats.jarque_bera(y).statistic, rel=1e-9)
    assert d.normality_p == pytest.approx(stats.jarque_bera(y).pvalue, rel=1e-9)
    assert d.mean_p == pytest.approx(2 * stats.norm.sf(abs(u.mean() - 0.5) * math.sqrt(12 * 400)), rel=1e-9)
    assert (d.sharpness, d.error) == (1.0, pytest.approx(math.sqrt((y**2).mean()), rel=1e-12))
    assert any("too narrow" in note for note in d.notes)
    assert sum(d.histogram) == pytest.approx(1.0)


def test_far_tails_keep_their_residuals() -> None:
    y = np.array([-30.0, -3.0, 0.5, 12.0, 30.0])
    d = nll.decompose(y, nll.Normal(loc=0.0, scale=1.0))
    assert d.residual_mean == pytest.approx(y.mean(), rel=1e-12)
    assert d.residual_sd == pytest.approx(y.std(), rel=1e-12)


def test_the_randomised_pit_of_counts_is_uniform_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.random.default_rng(8).poisson(0.7, 1500)
    d = nll.decompose(y, nll.Poisson(rate=0.7), seed=3)
    assert d.randomised
    assert min(d.ks_p, d.mean_p, d.variance_p, d.normality_p) > 0.01
    assert nll.decompose(y, nll.Poisson(rate=1.1), seed=3).ks_p < 1e-10
    each = nll.decompose(y[:60], nll.Poisson(rate=np.full(60, 0.7)), seed=3)
    assert each.ks == nll.decompose(y[:60], nll.Poisson(rate=0.7), seed=3).ks
    monkeypatch.setattr("nll.tasks.chunks.ROWS_IN_CHUNK", 100)
    assert nll.decompose(y, nll.Poisson(rate=0.7), seed=3).ks == d.ks
    assert nll.decompose(y, nll.Poisson(rate=0.7), seed=4).ks != d.ks
    with pytest.raises(UsageError, match="go with"):
        nll.decompose(y, nll.Poisson(rate=0.7), cluster=y)


def test_contributions_add_up_to_the_difference_that_compare_finds() -> None:
    rng = np.random.default_rng(9)
    y, p = events(500)
    q, k, x = np.clip(p + rng.normal(size=500) * 0.1, 0.02, 0.98), np.arange(500) % 4, rng.normal(size=500)
    models = {"a": nll.Bernoulli(probs=p), "b": nll.Bernoulli(probs=q)}
    c = nll.contributions(y, models, by={"k": k, "x": x}, bins=5, top=3)
    found = nll.compare(y, models, reference="a")["b"]
    d = nll.rows(y, models["b"]) - nll.rows(y, models["a"])
    assert c.mean == pytest.approx(found.difference, rel=1e-12)
    assert c.stderr == pytest.approx(found.stderr, rel=1e-9)
    for column, groups in (("k", 4), ("x", 5)):
        assert len(c.of(column)) == groups
        assert math.fsum(g.sum for g in c.of(column)) == pytest.approx(c.sum, rel=1e-12)
        assert sum(g.n for g in c.of(column)) == 500
    two = next(g for g in c.of("k") if g.value == "2")
    assert two.sum == math.fsum(d[k == 2])
    assert two.stderr == pytest.approx(np.std(d[k == 2], ddof=1) / math.sqrt(125), rel=1e-12)
    assert [r.row for r in c.rows] == [*np.argsort(-d)[:3], *np.argsort(d)[:3]]
    halves = np.sort(np.abs(d))[::-1]
    assert halves[: c.rows_for_half].sum() >= halves.sum() / 2 > halves[: c.rows_for_half - 1].sum()


def test_contributions_count_what_no_difference_has() -> None:
    models = {"a": nll.Bernoulli(probs=[0.5, 0.0, 0.5, 0.2]), "b": nll.Bernoulli(probs=[0.5, 0.5, 0.25, math.nan])}
    c = nll.contributions([1, 1, 1, 0], models, missing="drop", by={"g": [1, 1, 2, 2]})
    assert (c.n, c.impossible_a, c.impossible_b, c.missing) == (2, 1, 0, 1)
    assert c.sum == math.log(2.0)
    assert [r.row for r in c.rows] == [2]
    same = nll.contributions([1, 0], {"a": nll.Bernoulli(probs=0.3), "b": nll.Bernoulli(probs=0.3)})
    assert (same.sum, same.rows, same.rows_for_half) == (0.0, (), 0)
    assert "no row differs" in same.notes
    with pytest.raises(UsageError, match="two models"):
        nll.contributions([1], {"a": nll.Bernoulli(probs=0.3)})


def test_contributions_of_files_name_their_rows(tmp_path: Path) -> None:
    frame = pl.DataFrame({"y": [1, 0, 1], "p": [0.5, 0.5, 0.9], "q": [0.4, 0.5, 0.1], "g": ["<u>", None, "v"]})
    frame.write_parquet(tmp_path / "a.parquet")
    c = nll.contributions(
        "y", {"p": nll.Bernoulli(probs="p"), "q": nll.Bernoulli(probs="q")}, tmp_path / "a.parquet", by="g"
    )
    assert c.rows[0].row == 2
    assert {g.value for g in c.groups} == {"<u>", "missing", "v"}
    assert "&lt;u&gt;" in c._repr_html_()
    assert "<u>" not in c._repr_html_()
    assert json.loads(c.to_json())["n"] == 3


def test_results_print_in_every_form() -> None:
    y, p = events(200)
    g = np.where(np.arange(200) % 2, "<b>", "c")
    d = nll.decompose(y, nll.Bernoulli(probs=p), by=g)
    assert "&lt;b&gt;" in d._repr_html_()
    assert "<b>" not in d._repr_html_()
    assert "miscalibration" in repr(d.total)
    assert json.loads(d.to_json())["by"] == ["by"]
    assert d.total.to_polars()["part"].to_list() == list(d.total.parts)
    pit = nll.decompose([0.1, 0.2], nll.Normal(loc=0, scale=1))
    assert "Jarque" in repr(pit)
    assert json.loads(pit.to_json())["n"] == 2


def test_the_command_prints_parts_and_json(tmp_path: Path) -> None:
    y, p = events(200)
    path = str(tmp_path / "p.csv")
    pl.DataFrame({"y": y, "p": p, "g": np.arange(200) % 2}).write_csv(path)
    run = CliRunner().invoke(main, ["decompose", path, "-y", "y", "-d", "Bernoulli(probs=p)", "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout.splitlines()[0])
    assert found["miscalibration"]["mean"] == nll.decompose(y, nll.Bernoulli(probs=p)).miscalibration.mean
    assert (
        "+ miscalibration"
        in CliRunner().invoke(main, ["decompose", path, "-y", "y", "-d", "Bernoulli(probs=p)"]).output
    )
    by = CliRunner().invoke(main, ["decompose", path, "-y", "y", "-d", "Bernoulli(probs=p)", "--by", "g", "--csv"])
    assert by.stdout.startswith("g,part,mean")
    assert CliRunner().invoke(main, ["decompose", path, "-y", "y"]).exit_code == 2


def test_certain_forecasts_keep_their_loss_under_a_slope() -> None:
    y, p = events(400)
    a = nll.decompose(y, nll.Bernoulli(probs=p))
    b = nll.decompose(np.append(y, [0, 1]), nll.Bernoulli(probs=np.append(p, [0.0, 1.0])))
    assert b.recalibrations[0].slope == pytest.approx(a.recalibrations[0].slope, rel=1e-12)
    assert b.recalibrations[1].gain == pytest.approx(a.recalibrations[1].gain * 400 / 402, rel=1e-9)
