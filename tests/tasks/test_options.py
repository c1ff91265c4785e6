"""Options of score and rows: missing values, clipping, weights, groups, conditions, progress."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, UsageError

NORMAL = nll.Normal(0.0, 1.0)
BOTH = pytest.mark.parametrize("compiled", [False, True])

HOLES = pl.DataFrame(
    {
        "y": [0.5, None, 1.5, float("nan"), 2.5, 3.5, -1.0],
        "m": [0.0, 0.0, None, 0.0, 0.0, 0.0, 0.0],
        "s": [1.0, 1.0, 1.0, 1.0, float("nan"), 1.0, 1.0],
        "w": [1.0, 1.0, 1.0, 1.0, 1.0, None, 2.0],
        "g": ["a", "a", "b", "b", "c", "c", "c"],
    }
)


@BOTH
def test_missing_rows_are_dropped_and_counted(running, bits, compiled):
    dist, options = nll.Normal(loc="m", scale="s"), {"sample_weight": "w", "by": "g"}
    with running(compiled=compiled, rows=3):
        scores = nll.score("y", dist, HOLES, missing="drop", **options)
        kept = nll.score("y", dist, HOLES.drop_nulls().drop_nans(), **options)
        for threads in (1, 4):
            assert bits(nll.score("y", dist, HOLES, missing="drop", threads=threads, **options)) == bits(scores)
    assert (scores.total.n, scores.total.missing, scores.total.read) == (2, 5, 7)
    assert scores.total.sum == kept.total.sum
    assert scores.total.stderr == kept.total.stderr
    assert {g: (s.n, s.missing) for g, s in scores.items()} == {"a": (1, 1), "b": (0, 2), "c": (1, 2)}
    assert "5 of 7 rows dropped: a value is missing" in scores.total.notes


@pytest.mark.parametrize(("hole", "row"), [("y", 1), ("m", 2), ("w", 5)])
def test_an_empty_cell_is_an_error_unless_dropped(hole, row):
    table = HOLES.with_columns(pl.col(c).fill_null(1.0).fill_nan(1.0) for c in ("y", "m", "s", "w") if c != hole)
    with pytest.raises(DataError, match=rf"column '{hole}' is missing at row {row} .*missing='drop'"):
        nll.score("y", nll.Normal(loc="m", scale="s"), table, sample_weight="w")


@pytest.mark.parametrize(("column", "row"), [("y", 3), ("s", 4)])
def test_nan_is_an_error_unless_dropped(column, row):
    table = HOLES.with_columns(pl.col(c).fill_null(1.0) for c in ("y", "m", "w"))
    table = table.with_columns(pl.col(c).fill_nan(1.0) for c in ("y", "s") if c != column)
    with pytest.raises(DataError, match=rf"(^y|column 's') .*row {row} has nan; missing='drop'"):
        nll.score("y", nll.Normal(loc="m", scale="s"), table, sample_weight="w")


def test_rows_keep_their_places_when_some_are_dropped():
    y = [1.0, math.nan, 2.0, None]
    losses = nll.rows(y, NORMAL, missing="drop")
    assert losses.shape == (4,)
    assert np.isnan(losses).tolist() == [False, True, False, True]
    assert losses[[0, 2]].tolist() == nll.rows([1.0, 2.0], NORMAL).tolist()
    masked = np.ma.masked_array([1.0, 99.0, 2.0], mask=[False, True, False])
    assert nll.rows(masked, NORMAL, missing="drop")[[0, 2]].tolist() == losses[[0, 2]].tolist()


def test_missing_in_matrices():
    logits = np.zeros((3, 2))
    logits[1, 1] = math.nan
    score = nll.score([0, 1, 1], nll.Categorical(logits=logits), missing="drop")
    assert (score.n, score.missing) == (2, 1)
    y = np.array([[0.0, 1.0], [math.nan, 1.0], [1.0, 0.0]])
    score = nll.score(y, nll.Bernoulli(probs=0.5), missing="drop")
    assert (score.n, score.missing) == (2, 1)
    assert score.labels is not None
    assert [each.n for each in score.labels.values()] == [2, 2]


def test_missing_has_two_values():
    with pytest.raises(UsageError, match="'error' or 'drop'"):
        nll.score(0.0, NORMAL, missing="ignore")


@BOTH
def test_clip(running, compiled):
    p = np.array([0.5, 1e-3, 1e-20, 0.0])
    with running(compiled=compiled):
        score = nll.score(np.ones(4, int), nll.Bernoulli(probs=p), clip=1e-10)
        losses = nll.rows(np.ones(4, int), nll.Bernoulli(probs=p), clip=1e-10)
        finite = nll.score(np.ones(3, int), nll.Bernoulli(probs=p[:3]), clip=1e-10)
    assert losses.tolist() == pytest.approx([-math.log(max(x, 1e-10)) for x in p])
    assert (score.sum, score.clipped, score.impossible) == (math.fsum(losses), 2, 0)
    assert score.largest_clipped == math.inf
    assert finite.largest_clipped == pytest.approx(-math.log(1e-20))
    for clip in (0.0, 1.0, -1.0, 2.0, math.nan):
        with pytest.raises(UsageError, match="clip is a probability"):
            nll.score(1, nll.Bernoulli(probs=0.5), clip=clip)


def test_nothing_is_clipped_unasked():
    score = nll.score([1, 1], nll.Bernoulli(probs=[1e-300, 5e-324]))
    assert score.sum == pytest.approx(690.775527898 + 744.440071921, rel=1e-11)
    assert (score.clipped, score.impossible, score.notes) == (0, 0, [])


@BOTH
@pytest.mark.parametrize("bad", [-1.0, -1e-300, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("grouped", [False, True])
def test_weights_that_are_none_are_refused(running, compiled, bad, grouped):
    w = np.ones(20)
    w[[13, 17]] = bad
    options = {"by": np.zeros(20, int)} if grouped else {}
    with running(compiled=compiled, rows=6), pytest.raises(DataError, match=rf"sample_weight .* row 13 has {bad!r}"):
        nll.score(np.zeros(20), nll.Normal(np.zeros(20), np.ones(20)), sample_weight=w, **options)


@BOTH
def test_weight_zero_is_the_row_dropped(running, bits, compiled):
    y, w = np.array([1.0, 2.0, 1e200, 3.0]), np.array([1.0, 0.0, 0.0, 0.5])
    dist = nll.Normal(loc=np.zeros(4), scale=np.ones(4))
    with running(compiled=compiled):
        score = nll.score(y, dist, sample_weight=w, by=["a", "a", "b", "b"])
        kept = nll.score(y[[0, 3]], NORMAL, sample_weight=w[[0, 3]])
    total = score.total
    assert (total.n, total.unweighted, total.read, total.impossible) == (2, 2, 4, 0)
    assert (total.sum, total.mean, total.stderr, total.weight) == (kept.sum, kept.mean, kept.stderr, kept.weight)
    assert (score["a"].unweighted, score["b"].unweighted) == (1, 1)
    assert "2 of 4 rows dropped: the weight is 0" in total.notes


def test_weights_may_be_one_number():
    assert nll.score([1.0, 2.0], NORMAL, sample_weight=3).weight == 6.0


def test_by_several_columns_and_kinds():
    table = pl.DataFrame({"y": [0.0, 1.0, 2.0, 3.0], "a": ["x", "x", None, "z"], "b": [True, False, True, True]})
    scores = nll.score("y", NORMAL, table, by=["a", "b"])
    assert list(scores) == [("x", False), ("x", True), ("z", True), (None, True)]
    assert scores.by == ("a", "b")
    assert scores["x", True].sum == nll.score(0.0, NORMAL).sum
    enum = table.with_columns(pl.col("a").cast(pl.Enum(["z", "x"])))
    assert list(nll.score("y", NORMAL, enum, by="a")) == ["x", "z", None]


def test_by_arrays():
    y = [1.0, 2.0, 3.0]
    assert list(nll.score(y, NORMAL, by=np.array(["b", "a", "b"]))) == ["a", "b"]
    assert list(nll.score(y, NORMAL, by=["b", None, "b"])) == ["b", None]
    assert nll.score(y, NORMAL, by=pl.Series("site", [1, 2, 1])).by == ("site",)
    assert nll.score(y, NORMAL, by={"p": [1, 1, 2], "q": ["a", "b", "a"]}).by == ("p", "q")
    sparse = nll.score(y, NORMAL, by=np.array([10**15, -5, 10**15]))
    assert {key: score.n for key, score in sparse.items()} == {-5: 1, 10**15: 2}


def test_by_arrays_that_do_not_fit():
    with pytest.raises(DataError, match="by has 3 rows, the observations 2"):
        nll.score([1.0, 2.0], NORMAL, by=[1, 2, 3])
    with pytest.raises(DataError, match="by must be an array"):
        nll.score([1.0, 2.0], NORMAL, by=[[1, 2], [3, 4]])
    with pytest.raises(DataError, match="cluster has 1 rows"):
        nll.score([1.0, 2.0], NORMAL, cluster=[1])


def test_groups_in_many_chunks_that_come_and_go(running, bits):
    y, g = np.arange(60.0), np.repeat(np.arange(12), 5)
    with running(compiled=False):
        want = bits(nll.score(y, NORMAL, by=g))
    with running(compiled=True, rows=7):
        assert bits(nll.score(y, NORMAL, by=g, threads=3)) == want
    with running(compiled=False, rows=7):
        assert bits(nll.score(y, NORMAL, by=g)) == want
        named = nll.score(y, NORMAL, by=np.array([f"group {i}" for i in g]))
    assert [score.sum for score in named.values()] == [
        nll.score(y[g == int(key.split()[1])], NORMAL).sum for key in named
    ]


def test_where():
    table = pl.DataFrame({"y": [1.0, 2.0, 3.0], "g": ["a", "b", "a"]})
    want = nll.score([1.0, 3.0], NORMAL).sum
    assert nll.score("y", NORMAL, table, where="g = 'a'").sum == want
    assert nll.score("y", NORMAL, table, where=pl.col("g") == "a").sum == want
    assert nll.rows("y", NORMAL, table, where="g = 'a'").shape == (2,)
    assert nll.score("y", NORMAL, table, where="g = 'z'").n == 0
    with pytest.raises(UsageError, match="needs data="):
        nll.score([1.0], NORMAL, where="g = 'a'")


def test_progress_tells_every_row(running):
    seen: list[int] = []
    with running(compiled=False, rows=7):
        nll.score(np.zeros(40), NORMAL, threads=2, progress=seen.append)
    assert sum(seen) == 40
    assert len(seen) == 6


def test_shapes_broadcast():
    assert nll.rows(1.0, NORMAL).shape == ()
    assert nll.rows(0.0, nll.Normal([1.0, 2.0], 1.0)).shape == (2,)
    grid = nll.rows(np.zeros((3, 1)), nll.Normal(np.zeros(4), 1.0))
    assert grid.shape == (3, 4)
    assert nll.score(np.zeros((3, 1)), nll.Normal(np.zeros(4), 1.0)).n == 12
    assert nll.rows([], NORMAL).shape == (0,)
    assert nll.rows(np.zeros((0, 3)), nll.Normal(0.0, np.ones(3))).shape == (0, 3)
    tokens = nll.rows(np.zeros((2, 5), int), nll.Categorical(logits=np.zeros((2, 5, 4))))
    assert tokens.shape == (2, 5)
    assert tokens == pytest.approx(math.log(4))
    assert nll.rows([0, 1, 0], nll.Categorical(probs=[0.25, 0.75])).tolist() == pytest.approx(
        [math.log(4), -math.log(0.75), math.log(4)]
    )


def test_rows_of_a_table_are_in_its_order(running):
    y = np.random.default_rng(0).normal(size=100)
    with running(compiled=False, rows=7):
        assert nll.rows("y", NORMAL, {"y": y}, threads=4).tolist() == nll.rows(y, NORMAL).tolist()


def test_parameters_may_be_numbers_beside_columns():
    table = {"y": [1.0, 2.0], "m": [0.5, 0.25]}
    assert (
        nll.score("y", nll.Normal(loc="m", scale=2.0), table).sum
        == nll.score([1.0, 2.0], nll.Normal([0.5, 0.25], 2.0)).sum
    )


def test_tally_takes_what_score_takes(bits):
    table = pl.DataFrame({"y": ["a", "b", None], "p": [0.3, 0.6, 0.5], "g": [1, 2, 1], "w": [1.0, 2.0, 3.0]})
    options = {"by": "g", "sample_weight": "w", "missing": "drop", "labels": ["a", "b"], "clip": 0.45, "where": "p < 1"}
    tally = nll.Tally()
    tally.update("y", nll.Bernoulli(probs="p"), table, class_weight=[1, 3], threads=1, **options)
    assert bits(tally.score()) == bits(nll.score("y", nll.Bernoulli(probs="p"), table, class_weight=[1, 3], **options))
    assert "Tally of 3 rows" in repr(tally)


def test_tallies_that_do_not_belong_together():
    def tally(y, dist, **options):
        made = nll.Tally()
        made.update(y, dist, **options)
        return made

    one = tally([1.0], NORMAL)
    for other in (
        tally([1.0], nll.Laplace(0.0, 1.0)),
        tally([1.0], NORMAL, by=["a"]),
        tally([1.0], NORMAL, cluster=["a"]),
        tally([1.0], NORMAL, sample_weight=[2.0]),
    ):
        before = one.to_dict()
        with pytest.raises(nll.errors.NllError):
            one.merge(other)
        assert one.to_dict() == before
    for wrong in ({"by": ["a"]}, {"cluster": ["a"]}, {"sample_weight": [1.0]}):
        with pytest.raises(nll.errors.NllError):
            one.update([1.0], NORMAL, **wrong)
        assert one.score().n == 1
    with pytest.raises(UsageError, match="holds rows of Normal"):
        one.update([1.0], nll.Laplace(0.0, 1.0))
    with pytest.raises(UsageError, match="no option 'smoothing'"):
        one.update([1.0], NORMAL, smoothing=1)
    with pytest.raises(DataError):
        one.update([1.0, math.nan], NORMAL)
    assert one.score().n == 1


def test_an_empty_tally():
    empty = nll.Tally()
    assert empty.score().n == 0
    assert empty.merge(nll.Tally()).score().n == 0
    assert nll.Tally.from_dict(empty.to_dict()).score().n == 0
    some = nll.Tally()
    some.update([1.0, 2.0], NORMAL)
    assert (empty + some).score().sum == (some + empty).score().sum == some.score().sum
    assert empty.score().n == 0
