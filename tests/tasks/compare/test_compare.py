"""Comparisons against NumPy, against scores, and against themselves in other orders and splits."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

import nll
from nll.errors import DataError, UsageError
from nll.states.paired import PairedTally
from nll.tasks.compare.inputs import bind_models
from nll.tasks.compare.step import PairedStep
from nll.tasks.score import make_step

N = 600


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    mu = rng.gamma(2.0, 2.0, N)
    return pl.DataFrame(
        {
            "y": rng.poisson(mu),
            "a": mu * np.exp(0.1 * rng.standard_normal(N)),
            "b": mu * np.exp(0.5 * rng.standard_normal(N)),
            "w": rng.integers(0, 4, N) * 0.5,
            "g": rng.integers(0, 3, N),
            "c": rng.integers(0, 40, N),
        }
    )


def models() -> dict[str, Any]:
    return {
        "a": nll.Poisson(rate="a"),
        "b": nll.Poisson(rate="b"),
        "nb": nll.NegativeBinomial(mean="b", dispersion=0.4),
    }


def losses(table: pl.DataFrame) -> dict[str, np.ndarray]:
    return {name: nll.rows("y", dist, table) for name, dist in models().items()}


def test_numbers_are_those_of_numpy(table: pl.DataFrame) -> None:
    found, by_row = nll.compare("y", models(), table), losses(table)
    means = {name: each.mean() for name, each in by_row.items()}
    assert list(found) == sorted(means, key=lambda name: means[name])
    assert found.best == "a"
    for name in ("b", "nb"):
        d, s = by_row[name] - by_row["a"], found[name]
        assert s.difference == pytest.approx(d.mean(), rel=1e-13)
        assert s.stderr == pytest.approx(d.std(ddof=1) / math.sqrt(N), rel=1e-12)
        test = stats.ttest_1samp(d, 0.0)
        assert s.p_value == pytest.approx(test.pvalue, rel=1e-9)
        assert (s.low, s.high) == pytest.approx(tuple(test.confidence_interval(0.95)), rel=1e-9)
        assert (s.wins, s.ties) == ((d < 0).sum(), (d == 0).sum())
        assert s.score.sum == math.fsum(by_row[name])
    p = [found[name].p_value for name in ("b", "nb")]
    assert [found[name].p_holm for name in ("b", "nb")] == nll.holm(p).tolist()


def test_difference_is_exact(table: pl.DataFrame) -> None:
    by_row = losses(table)
    d = by_row["b"] - by_row["a"]
    exact = sum(map(Fraction, d.tolist())) / N
    assert nll.compare("y", models(), table)["b"].difference == float(exact)


def test_weights_and_clusters(table: pl.DataFrame) -> None:
    by_row = losses(table)
    d, w, c = by_row["b"] - by_row["a"], table["w"].to_numpy(), table["c"].to_numpy()
    found = nll.compare("y", models(), table, sample_weight="w", reference="a")["b"]
    n, mean = (w > 0).sum(), (w * d).sum() / w.sum()
    assert found.difference == pytest.approx(mean, rel=1e-12)
    expected = math.sqrt(n / (n - 1) * ((w * (d - mean)) ** 2).sum()) / w.sum()
    assert found.stderr == pytest.approx(expected, rel=1e-11)
    assert found.wins == ((d < 0) & (w > 0)).sum()
    found = nll.compare("y", models(), table, cluster="c", reference="a")["b"]
    sums = np.bincount(c, d - d.mean())
    expected = math.sqrt(40 / 39 * (sums**2).sum()) / N
    assert found.stderr == pytest.approx(expected, rel=1e-11)
    h = np.bincount(c) / N
    m = np.eye(40) - np.outer(h, np.ones(40))
    k = m @ np.diag(h**2) @ m.T
    assert found.df == pytest.approx(np.trace(k) ** 2 / np.trace(k @ k), rel=1e-12)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, found.df, d.mean(), expected), rel=1e-9)


def test_groups_are_comparisons_of_their_rows(table: pl.DataFrame) -> None:
    found = nll.compare("y", models(), table, by="g", cluster="c")
    assert list(found) == [0, 1, 2]
    for key in found:
        alone = nll.compare("y", models(), table.filter(pl.col("g") == key), cluster="c")
        assert {k: v for k, v in found[key].to_dict().items() if k != "source"} == {
            k: v for k, v in alone.to_dict().items() if k != "source"
        }
    assert found.total.to_dict() == nll.compare("y", models(), table, cluster="c").to_dict()
    assert found.to_polars().height == 9


def test_same_bits_in_any_order_and_split(table: pl.DataFrame, running: Any) -> None:
    expected = nll.compare("y", models(), table, by="g", sample_weight="w").to_json()
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=1)
    with running(rows=37):
        for threads in (1, 2):
            got = nll.compare("y", models(), shuffled, by="g", sample_weight="w", threads=threads)
            assert got.to_json() == expected


def test_compiled_is_plain(table: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    from nll.kernels.kernel import Kernel

    expected = nll.compare("y", models(), table).to_json()
    kernels: dict[Any, Any] = {}
    monkeypatch.setattr(
        "nll.tasks.compare.step.kernel", lambda form: kernels.setdefault(form, Kernel(form, seconds_left=0.0))
    )
    assert nll.compare("y", models(), table).to_json() == expected
    assert all(each._compiled for each in kernels.values())


def test_swapped_models_are_mirrored(table: pl.DataFrame) -> None:
    one = nll.compare("y", {k: models()[k] for k in "ab"}, table, reference="a")["b"]
    two = nll.compare("y", {k: models()[k] for k in "ba"}, table, reference="b")["a"]
    assert (one.difference, one.low, one.high) == (-two.difference, -two.high, -two.low)
    assert (one.stderr, one.p_value, one.ties) == (two.stderr, two.p_value, two.ties)
    assert one.wins + two.wins + one.ties == N


def test_a_model_against_itself_is_exactly_0(table: pl.DataFrame) -> None:
    found = nll.compare("y", {"a": nll.Poisson(rate="a"), "again": nll.Poisson(rate="a")}, table)
    s = found["again"]
    assert (s.difference, s.stderr, s.low, s.high, s.p_value, s.ties) == (0.0, 0.0, 0.0, 0.0, 1.0, N)
    assert "in every row: the difference is exactly 0" in found.notes[0]


def test_arrays_and_tables_agree(table: pl.DataFrame) -> None:
    arrays = {"a": nll.Poisson(rate=table["a"].to_numpy()), "b": nll.Poisson(rate=table["b"].to_numpy())}
    one = nll.compare(table["y"].to_numpy(), arrays, cluster=table["c"].to_numpy())
    two = nll.compare("y", {k: models()[k] for k in "ab"}, table, cluster="c")
    assert [s.stderr for s in one.values()] == [s.stderr for s in two.values()]


def test_models_of_other_widths_share_rows() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(50)
    both = np.column_stack([1.0 - p, p])
    y = (rng.random(50) < p).astype(int)
    found = nll.compare(y, {"bernoulli": nll.Bernoulli(probs=p), "categorical": nll.Categorical(probs=both)})
    assert max(abs(s.difference) for s in found.values()) < 1e-15


def test_impossible_rows_are_named() -> None:
    y, sure, safe = [1, 0, 1, 1], [1.0, 0.0, 0.0, 1.0], [0.7, 0.3, 0.6, 0.7]
    found = nll.compare(y, {"sure": nll.Bernoulli(probs=sure), "safe": nll.Bernoulli(probs=safe)})
    s = found["sure"]
    assert s.difference == math.inf
    assert math.isnan(s.stderr)
    assert math.isnan(s.p_value)
    assert s.wins == 3
    assert "1 of 4 rows impossible under 'sure' (infinite loss): row 2" in found.notes
    clipped = nll.compare(y, {"sure": nll.Bernoulli(probs=sure), "safe": nll.Bernoulli(probs=safe)}, clip=1e-3)
    assert clipped["sure"].score.clipped == 1
    assert math.isfinite(clipped["sure"].stderr)


def test_rows_that_one_model_lacks_are_left_out_of_all() -> None:
    y, a, b = [1.0, 2.0, 3.0, 4.0], [1.0, np.nan, 3.0, 2.0], [1.5, 2.0, np.nan, 3.0]
    both = {"a": nll.Normal(loc=a, scale=1.0), "b": nll.Normal(loc=b, scale=1.0)}
    with pytest.raises(DataError, match="row 1"):
        nll.compare(y, both)
    found = nll.compare(y, both, missing="drop")
    assert [s.score.n for s in found.values()] == [2, 2]
    assert found["a"].score.sum == nll.score([1.0, 4.0], nll.Normal(loc=[1.0, 2.0], scale=1.0)).sum
    assert "2 of 4 rows dropped: a value is missing" in found.notes


def test_one_heavy_row_is_flagged() -> None:
    y = np.zeros(200)
    a, b = np.full(200, 0.1), np.full(200, 0.2)
    b[7] = 30.0
    found = nll.compare(y, {"a": nll.Normal(loc=a, scale=1.0), "b": nll.Normal(loc=b, scale=1.0)})
    assert found["b"].heavy == pytest.approx(1.0, abs=1e-3)
    assert any("one row makes up 100 % of the squared differences" in note for note in found.notes)


def test_what_is_no_comparison_is_refused(table: pl.DataFrame) -> None:
    y = [1, 2, 3]
    a = nll.Poisson(rate=1.0)
    with pytest.raises(UsageError, match="'a' is discrete and 'b' continuous"):
        nll.compare(y, {"a": a, "b": nll.Normal(loc=0.0, scale=1.0)})
    with pytest.raises(UsageError, match="at least two models"):
        nll.compare(y, {"a": a})
    with pytest.raises(UsageError, match=r"no model 'c'"):
        nll.compare(y, {"a": a, "b": a}, reference="c")
    with pytest.raises(UsageError, match="give it parameters"):
        nll.compare(y, {"a": a, "b": nll.Poisson})
    with pytest.raises(DataError, match="same rows"):
        nll.compare(1, {"a": nll.Poisson(rate=[1.0, 2.0]), "b": nll.Poisson(rate=[1.0, 2.0, 3.0])})


def test_results_print_and_save(table: pl.DataFrame) -> None:
    found = nll.compare("y", models(), table, by=["g"])
    assert "differences to the best, 'a'" in repr(found)
    assert "<table>" in found._repr_html_()
    saved = json.loads(found.to_json())
    assert [g["g"] for g in saved["groups"]] == [0, 1, 2]
    assert [m["model"] for m in saved["total"]["models"]] == list(found.total)


def test_one_pass_of_all_models_has_the_bits_of_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    n = 5000
    p = rng.uniform(0.1, 0.9, n)
    near, sure = p * (1.0 + 1e-9 * rng.standard_normal(n)), p.copy()
    y = (rng.random(n) < p).astype(int)
    sure[[7, 3000]] = 1.0 - y[[7, 3000]]
    all_models = {name: nll.Bernoulli(probs=q) for name, q in (("p", p), ("near", near), ("sure", sure), ("half", 0.5))}
    results = []
    for rows in (1, 2**40):
        monkeypatch.setattr("nll.tasks.compare.step.FAST", rows)
        results.append(nll.compare(y, all_models).to_dict())
    assert repr(results[0]) == repr(results[1])
    assert results[0]["models"][-1]["impossible"] == 2


def test_paired_intervals_cover() -> None:
    rng = np.random.default_rng(3)
    covered, runs = 0, 100
    truth = (0.3**2 - 0.2**2) / 2.0  # E[(y - loc)**2] / 2 differs by so much
    for _ in range(runs):
        y = rng.standard_normal(40)
        s = nll.compare(y, {"a": nll.Normal(0.2, 1.0), "b": nll.Normal(0.3, 1.0)}, reference="a")["b"]
        covered += s.low <= truth <= s.high
    assert covered / runs > 0.88


@pytest.mark.parametrize("options", [{}, {"by": "g", "cluster": "c"}, {"sample_weight": "w", "by": ["g", "c"]}])
def test_states_go_through_json(table: pl.DataFrame, options: dict[str, Any]) -> None:
    saved: list[dict[str, Any]] = []
    parts = [table[:200], table[200:]]
    whole = PairedTally(3, "sample_weight" in options)
    for part in parts:
        given = {"sample_weight": None, "by": None, "cluster": None, "where": None, **options}
        bound = bind_models("y", models(), part, **given)
        steps = tuple(make_step(each, "error", None, None, 0.0, None) for each in bound.each)
        step = PairedStep(steps, bound.each[0].weighted, bound.each[0].cluster)
        state = step.zero()
        for rows in bound.chunks():
            step(state, rows)
        saved.append(json.loads(json.dumps(state.to_dict())))
        whole.merge(state)
    read = PairedTally.from_dict(saved[1]).merge(PairedTally.from_dict(saved[0]))
    by_key = [{k: t.sums.count(i, 0) for k, i in t.keys.items()} for t in (*read.losses, *read.differences)]
    assert by_key == [{k: t.sums.count(i, 0) for k, i in t.keys.items()} for t in (*whole.losses, *whole.differences)]
    for key, at in whole.places.items():
        assert (read.counts[read.places[key]] == whole.counts[at]).all()
        assert (read.largest[read.places[key]] == whole.largest[at]).all()


def test_what_is_no_state_is_refused() -> None:
    good = PairedTally(2).to_dict()
    for wrong in ({"nll": "tally"}, {**good, "version": 2}, {**good, "models": 3}, {**good, "losses": None}):
        with pytest.raises(DataError, match="paired tally"):
            PairedTally.from_dict(wrong)


@pytest.mark.parametrize("turn", [False, True])
def test_a_guess_of_the_best_changes_no_bit(monkeypatch: pytest.MonkeyPatch, turn: bool) -> None:
    rng = np.random.default_rng(8)
    p = rng.uniform(0.1, 0.9, 900)
    y = (rng.random(900) < p).astype(int)
    b = np.where(np.arange(900) < 100, 0.5, p) if turn else 0.5 * p + 0.25  # b is the worse at first, then the better
    a = np.where(np.arange(900) < 100, p, 0.5) if turn else p
    models = {"half": nll.Bernoulli(probs=0.5), "a": nll.Bernoulli(probs=a), "b": nll.Bernoulli(probs=b)}
    plain = nll.compare(y, models)
    monkeypatch.setattr("nll.tasks.compare.compare.MANY", 500)
    monkeypatch.setattr("nll.tasks.compare.compare.SAMPLE", 100)
    found = nll.compare(y, models)
    assert found.best == ("b" if turn else "a")
    assert found.to_json() == plain.to_json()


def test_forecasts_of_rain_are_mirrored_and_differ_from_themselves_by_exactly_0() -> None:
    """Three forecasts of rain in Seattle on 1,458 days, in weeks."""
    from nll.data import path

    rain = pl.read_parquet(path("rain"))
    forecasts = {name: nll.Bernoulli(probs=f"p_{name}") for name in ("month", "logistic", "boosting")}
    options: dict[str, Any] = {"by": "season", "cluster": "week", "progress": False}
    one = nll.compare("y", forecasts, rain, reference="month", **options)
    two = nll.compare("y", dict(reversed(forecasts.items())), rain, reference="boosting", **options)
    for key in [*one, None]:
        a, b = (found.total if key is None else found[key] for found in (one, two))
        a, b = a["boosting"], b["month"]
        assert (a.difference, a.low, a.high) == (-b.difference, -b.high, -b.low)
        assert (a.stderr, a.p_value, a.df, a.wins, a.ties) == (
            b.stderr,
            b.p_value,
            b.df,
            a.score.n - b.wins - b.ties,
            b.ties,
        )
    same = nll.compare("y", {"a": forecasts["month"], "b": forecasts["month"]}, rain, cluster="week", progress=False)
    assert (same["b"].difference, same["b"].stderr, same["b"].p_value) == (0.0, 0.0, 1.0)
    assert "'b' has the loss of 'a' in every row: the difference is exactly 0" in same.notes


def test_real_fits_are_mirrored() -> None:
    data = Path(__file__).parents[2] / "data"
    for name, column, families in (
        ("precip", "inches", (nll.Gamma, nll.LogNormal)),
        ("quine", "Days", (nll.Poisson, nll.Geometric)),
    ):
        y = pl.read_csv(data / f"{name}.csv")[column].to_numpy().astype(float)
        a, b = (nll.fit(y, family) for family in families)
        one, two = nll.compare({"a": a, "b": b}), nll.compare({"b": b, "a": a})
        assert one.to_dict() == two.to_dict()
        s, t = nll.vuong(a, b), nll.vuong(b, a)
        assert (s.z, s.z_bic, s.omega2, s.mean_difference) == (-t.z, -t.z_bic, t.omega2, -t.mean_difference)
        assert s.p_distinguishable == pytest.approx(t.p_distinguishable, rel=1e-9)
        assert nll.vuong(a, a).notes[0].endswith("have the same loss in every row: the difference is exactly 0")
