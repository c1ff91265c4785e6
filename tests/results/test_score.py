"""Results: units, intervals, notes, and conversions that hold whatever a column or a group is called."""

from __future__ import annotations

import datetime as dt
import json
import math
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import UsageError

NORMAL = nll.Normal(0.0, 1.0)
HOSTILE = "<script>alert('x')</script>[bold]&amp;"


def strict(text: str) -> Any:
    """Read JSON as the standard has it: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def score() -> nll.Score:
    return nll.score([0.5, 1.0, -2.0], NORMAL)


@pytest.mark.parametrize(("units", "size"), [("nats", 1.0), ("bits", math.log(2)), ("bans", math.log(10))])
def test_units(score, units, size):
    other = score.to(units)
    assert other.units == units
    for name in ("sum", "mean", "stderr"):
        assert getattr(other, name) == pytest.approx(getattr(score, name) / size, rel=1e-15)
    assert other.perplexity == pytest.approx(score.perplexity, rel=1e-14)
    assert other.to("nats").mean == pytest.approx(score.mean, rel=1e-15)
    assert nll.score([0.5, 1.0, -2.0], NORMAL, units=units).mean == other.mean
    assert (other.n, other.weight) == (3, 3.0)


def test_a_fair_coin_is_one_bit():
    coin = nll.score([0, 1], nll.Bernoulli(probs=0.5)).to("bits")
    assert (coin.mean, coin.sum, coin.perplexity) == (1.0, 2.0, 2.0)


def test_unknown_units(score):
    with pytest.raises(UsageError, match="did you mean 'bits'"):
        score.to("bit")
    with pytest.raises(UsageError, match="nats, bits or bans"):
        nll.score(0.0, NORMAL, units="")


def test_interval(score):
    for level in (0.5, 0.95, 0.999):
        low, high = score.ci(level)
        z = NormalDist().inv_cdf(0.5 + level / 2)
        assert (low, high) == pytest.approx((score.mean - z * score.stderr, score.mean + z * score.stderr))
    for level in (0.0, 1.0, -1.0, 95.0, math.nan):
        with pytest.raises(UsageError, match="between 0 and 1"):
            score.ci(level)


def test_perplexity(score):
    assert score.perplexity == math.exp(score.mean)
    assert nll.score(1e10, NORMAL).perplexity == math.inf
    assert nll.score(0, nll.Bernoulli(probs=1.0)).perplexity == math.inf
    assert math.isnan(nll.score([], NORMAL).perplexity)


# What is defined where there is little or nothing to score, and what is said of it.


def test_one_row():
    one = nll.score(1.0, NORMAL)
    assert (one.n, one.sum) == (1, one.mean)
    assert math.isnan(one.stderr)
    assert one.notes == ["one row: no standard error (NaN)"]
    assert nll.score([1.0, 2.0], NORMAL, cluster=["a", "a"]).notes == ["one cluster: no standard error (NaN)"]


@pytest.mark.parametrize(
    ("y", "options", "said"),
    [
        ([], {}, ""),
        ([math.nan, None], {"missing": "drop"}, "2 of 2 rows dropped: a value is missing"),
        ([1.0, 2.0], {"sample_weight": [0.0, 0.0]}, "2 of 2 rows dropped: the weight is 0"),
        ([], {"sample_weight": []}, ""),
        ([], {"cluster": []}, ""),
        ([1.0, 2.0], {"sample_weight": [0.0, 0.0], "cluster": [1, 2]}, "the weight is 0"),
    ],
)
def test_nothing_to_score(y, options, said):
    score = nll.score(y, NORMAL, **options)
    assert (score.n, score.sum, score.weight, score.read) == (0, 0.0, 0.0, len(y))
    assert math.isnan(score.mean)
    assert math.isnan(score.stderr)
    assert any("no rows were scored" in note for note in score.notes)
    assert any(said in note for note in score.notes)
    assert strict(score.to_json())["mean"] is None
    assert "no rows were scored" in repr(score)


def test_nothing_by_group():
    scores = nll.score([], NORMAL, by=[])
    assert (len(scores), scores.total.n) == (0, 0)
    assert strict(scores.to_json())["groups"] == []
    assert scores.to_polars().height == 0
    assert "no rows" in repr(scores)
    assert "no rows" in scores._repr_html_()
    dropped = nll.score([1.0, math.nan], NORMAL, by=["a", "b"], missing="drop")
    assert (dropped["b"].n, dropped["b"].missing, dropped["a"].n) == (0, 1, 1)
    assert "no rows were scored" in dropped["b"].notes[0]


def test_one_class_only():
    score = nll.score(np.ones(4, int), nll.Bernoulli(probs=0.75))
    assert score.mean == pytest.approx(-math.log(0.75))
    assert score.stderr == 0.0
    assert score.notes == []


def test_everything_impossible():
    score = nll.score([0, 0, 0], nll.Bernoulli(probs=1.0))
    assert score.sum == score.mean == score.stderr == score.perplexity == math.inf
    assert (score.n, score.impossible) == (3, 3)
    assert score.first_impossible == ("row 0", "row 1", "row 2")
    assert score.notes == ["3 of 3 rows impossible under the model (infinite loss): row 0, row 1, row 2"]
    saved = strict(score.to_json())
    assert (saved["sum"], saved["impossible"], saved["ci95"]) == ("inf", 3, [None, "inf"])
    assert "impossible" in score._repr_html_()


def test_impossible_rows_are_counted_by_group_and_the_first_five_named():
    y = np.array([1, 0] * 20)
    scores = nll.score(y, nll.Bernoulli(probs=1.0), by=np.repeat(["a", "b"], 20))
    assert (scores["a"].impossible, scores["b"].impossible, scores.total.impossible) == (10, 10, 20)
    assert scores.total.first_impossible == ("row 1", "row 3", "row 5", "row 7", "row 9")


def test_clipped_rows_are_counted_and_the_largest_is_said():
    scores = nll.score([1, 1, 0], nll.Bernoulli(probs=[1e-300, 0.0, 0.5]), clip=1e-15, by=["a", "b", "b"])
    total = scores.total
    assert (total.clipped, total.impossible, total.largest_clipped) == (2, 0, math.inf)
    assert total.sum == pytest.approx(-2 * math.log(1e-15) + math.log(2))
    assert total.notes == ["clip changed 2 rows; the largest loss before was inf nats"]
    assert scores["b"].notes == ["clip changed 1 row"]
    assert strict(scores.to_json())["total"]["largest_clipped"] == "inf"
    one = nll.score(1, nll.Bernoulli(probs=1e-300), clip=1e-15).to("bits")
    assert one.largest_clipped == pytest.approx(300 * math.log2(10))
    assert "996.578 bits" in one.notes[-1]


# Groups.

KEYS = [
    [math.inf, -math.inf, math.nan, 0.0],
    [dt.date(2024, 1, 2), dt.date(1900, 1, 1), None, dt.date(2030, 1, 1)],
    [dt.datetime(2024, 1, 2, 3, 4), None, dt.datetime(2024, 1, 2), dt.datetime(2025, 1, 1)],
    [HOSTILE, "", None, "z"],
    [True, False, None, True],
    [3, None, -1, 2**40],
]


@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: type(keys[0]).__name__)
def test_any_group_key(keys):
    y = [0.0, 1.0, 2.0, 3.0]
    scores = nll.score("y", NORMAL, pl.DataFrame({"y": y, HOSTILE: keys}), by=HOSTILE)
    found = list(scores)
    assert set(map(repr, found)) == set(map(repr, keys))
    real = [key for key in found if key is not None and key == key]
    assert real == sorted(real)
    assert found == [*real, *found[len(real) :]]  # NaN and missing come last
    assert sum(score.n for score in scores.values()) == 4
    saved = strict(scores.to_json())
    assert saved["by"] == [HOSTILE]
    assert len(saved["groups"]) == len(found)
    frame = scores.to_polars()
    assert frame[HOSTILE].to_list()[: len(real)] == real
    assert frame["mean"].to_list() == pytest.approx([score.mean for score in scores.values()])
    text, page = repr(scores), scores._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert text.count("\n") >= len(found)
    assert HOSTILE[:20] in text.replace("\n", "") or "[bold]" in text


def test_hostile_columns_in_a_single_score():
    score = nll.score(HOSTILE, NORMAL, {HOSTILE: [1.0, 2.0]})
    assert "<script" not in score._repr_html_()
    assert strict(score.to_json())["n"] == 2
    multi = nll.score([HOSTILE, "b"], nll.Bernoulli(probs=[HOSTILE, "b"]), {HOSTILE: [0, 1], "b": [1, 0]})
    assert "<script" not in multi._repr_html_()


def test_scores_are_a_mapping():
    scores = nll.score([1.0, 2.0, 3.0], NORMAL, by={"g": ["b", "a", "b"], "h": [1, 1, 1]})
    assert list(scores) == [("a", 1), ("b", 1)]
    assert dict(scores.items())["b", 1].n == 2
    assert ("a", 1) in scores
    assert "a" not in scores
    assert scores.by == ("g", "h")
    with pytest.raises(KeyError):
        scores["c"]
    bits = scores.to("bits")
    assert bits.units == bits["a", 1].units == "bits"
    assert bits["b", 1].mean == pytest.approx(scores["b", 1].mean / math.log(2))
    frame = scores.to_polars()
    assert frame.columns[:3] == ["g", "h", "n"]
    assert frame["n"].to_list() == [1, 2]
    assert frame["sum"].to_list() == [scores["a", 1].sum, scores["b", 1].sum]


def test_a_group_column_may_be_named_as_a_number_is():
    scores = nll.score("y", NORMAL, {"y": [1.0, 2.0], "sum": ["p", "q"]}, by="sum")
    assert [row["sum"] for row in scores.to_dict()["groups"]] == ["p", "q"]
    assert scores.to_polars()["sum"].to_list() == ["p", "q"]
    assert [row["mean"] for row in scores.to_dict()["groups"]] == [scores["p"].mean, scores["q"].mean]


def test_many_groups_print_the_first():
    scores = nll.score(np.zeros(100), NORMAL, by=np.arange(100))
    assert "60 more groups" in repr(scores)
    assert scores.to_polars().height == 100


def test_dictionary_and_table_say_the_same(score):
    saved, row = score.to_dict(), score.to_polars().row(0, named=True)
    assert strict(score.to_json()) == saved
    for name in ("sum", "mean", "stderr", "n", "weight", "perplexity", "units", "impossible", "missing"):
        assert saved[name] == row[name] == getattr(score, name)
    assert saved["ci95"] == [row["ci95_low"], row["ci95_high"]] == list(score.ci())
    assert saved["distribution"] == "Normal(loc=0.0, scale=1.0)"
    assert saved["source"] == "arrays of 3 rows"


def test_results_say_what_they_were_made_from():
    table = pl.DataFrame({"y": [1.0, None, 3.0, 4.0], "w": [1.0, 1.0, 0.0, 2.0]})
    score = nll.score("y", NORMAL, table, sample_weight="w", missing="drop", where="y is null or y < 4 or w = 2")
    assert (score.read, score.n, score.missing, score.unweighted, score.weight) == (4, 2, 1, 1, 3.0)
    assert "where" in score.source
    assert "1 of 4 rows dropped: a value is missing" in score.notes
    assert "1 of 4 rows dropped: the weight is 0" in score.notes


def test_results_cannot_be_changed(score):
    with pytest.raises(AttributeError):
        score.mean = 0.0
