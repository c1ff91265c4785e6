"""Tables of groups: the numbers of `score(by=)` to the bit, whether one pass made them or the rows were dealt first."""

import datetime
import os
import signal
import threading

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import nll
from nll.numerics.exact import ExactSums
from nll.states.tally import Tallies
from nll.tasks import buckets, groups
from nll.tasks.finish import Groups
from nll.tasks.group_table import table_of

N = 3_000
DIST = nll.Bernoulli(probs="p")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    p, k = rng.random(N), rng.integers(0, 700, N)
    return pl.DataFrame({
        "y": (rng.random(N) < p).astype(np.int64),
        "p": p,
        "p0": np.where(np.arange(N) % 13 == 0, 0.0, p),
        "pm": pl.Series(p).set(pl.Series(np.arange(N) % 17 == 0), None),
        "x": rng.normal(size=N),
        "w": rng.integers(0, 4, N) * 0.25,
        "w2": rng.random(N),
        "user": k,
        "real": np.where(k % 7 == 0, np.nan, np.where(k % 5 == 0, np.where(k % 2 == 0, 0.0, -0.0), k / 3)),
        "text": [f"u{i % 400}" if i % 11 else None for i in k],
        "day": [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(i) % 300) for i in k],
        "kind": pl.Series([f"x{i % 3}" for i in k], dtype=pl.Categorical),
        "session": rng.integers(0, 5, N),
        "seen": rng.integers(0, 2, N),
    })  # fmt: skip


@pytest.fixture(params=["one pass", "dealt"])
def way(request, monkeypatch):
    """Both ways: the second with so low a limit that the rows go through several buckets."""
    if request.param == "dealt":
        monkeypatch.setattr(groups, "MOST_HELD", 100)
        monkeypatch.setattr(groups, "GROUPS_IN_BUCKET", 150)
        monkeypatch.setattr(buckets, "BYTES_HELD", 50_000)
    return request.param


def there(folder):
    """Return the names of what is in a folder."""
    return [path.name for path in folder.iterdir()]


CASES = {
    "plain": ("y", DIST, "user", {}),
    "bits": ("y", DIST, "user", {"units": "bits"}),
    "two keys, nulls": ("y", DIST, ["text", "kind"], {}),
    "NaN and both zeros": ("y", DIST, "real", {}),
    "dates": ("y", DIST, ["day", "text"], {}),
    "weights of few digits": ("y", DIST, "user", {"sample_weight": "w"}),
    "weights": ("x", nll.Normal(loc=0.0, scale="w2"), "user", {"sample_weight": "w2"}),
    "impossible": ("y", nll.Bernoulli(probs="p0"), "user", {}),
    "clipped": ("y", nll.Bernoulli(probs="p0"), "user", {"clip": 1e-3}),
    "missing": ("y", nll.Bernoulli(probs="pm"), "user", {"missing": "drop"}),
    "where": ("y", DIST, "user", {"where": "p > 0.5"}),
    "censored": (nll.censored("x", "seen"), nll.Normal(loc=0.0, scale=1.0), "user", {}),
    "clusters": ("y", DIST, "user", {"cluster": "session", "where": "w2 < 0.15"}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_table_has_the_bits_of_scores_by_group(name, table, way, tmp_path):
    y, dist, by, options = CASES[name]
    expected = nll.score(y, dist, table, by=by, **options)
    out = tmp_path / "groups.parquet"
    found = nll.score_groups(y, dist, table, by=by, into=out, **options)
    assert there(tmp_path) == ["groups.parquet"]
    assert found.ordered == (way == "one pass")
    assert (len(found), found.total) == (len(expected), expected.total)
    frame = found.to_polars()
    keys = [pl.col(key).cast(frame.schema[key]) for key in found.by]
    assert_frame_equal(frame, expected.to_polars().with_columns(keys), check_exact=True)


def test_sums_in_the_window_of_kernels_are_finished_by_arrays(monkeypatch):
    """What kernels leave, words and not Python integers, with a few groups that arrays do not settle."""
    rng, size = np.random.default_rng(2), 500
    rows = rng.integers(1, 9, size)
    codes = np.repeat(np.arange(size), rows)
    loss = -np.log(rng.random(len(codes)))
    state = Tallies()
    state.places([(f"g{i:03d}",) for i in range(size)])
    state.counters[:size, 0] = rows
    exact = ExactSums.zeros(size, 2)
    for index, stream in enumerate((loss, loss * loss)):
        exact.add_values(stream, codes, index)
    for (group, index), count in exact.far.items():
        if group % 50:
            words = [count >> 1086, *((count >> s) & (2**40 - 1) for s in range(1046, 880, -40))]
            state.sums.words[group, index] = words
        else:
            state.sums.far[group, index] = count
    scores = Groups(state, 1, False, ("", ""))
    expected = nll.Scores(("g",), scores, nll.score(1, nll.Bernoulli(probs=0.5))).to_polars()
    alone = []
    monkeypatch.setattr("nll.tasks.group_table._four", lambda score: alone.append(1) or _four(score))
    assert_frame_equal(table_of(scores, ("g",), {}, "nats"), expected, check_exact=True)
    assert len(alone) == 10


def _four(score):
    return score.sum, score.weight, score.mean, score.stderr


def test_keys_have_the_types_of_the_table(table, way, tmp_path):
    kind = pl.Enum([f"u{i}" for i in range(400)])
    narrow = table.with_columns(pl.col("user").cast(pl.Int16), pl.col("text").cast(kind))
    found = nll.score_groups("y", DIST, narrow, by=["user", "text"], into=tmp_path / "o.parquet").to_polars()
    assert (found.schema["user"], found.schema["text"]) == (pl.Int16, kind)


def test_a_whole_number_that_becomes_a_float_later_in_a_file_stays_one_group(tmp_path, way):
    path = tmp_path / "t.csv"
    lines = (
        [f"{i % 2},0.5,{i % 300}" for i in range(2_000)] + [f"1,0.5,{i % 300}.0" for i in range(2_000)] + ["1,0.5,2.5"]
    )
    path.write_text("y,p,g\n" + "\n".join(lines) + "\n")
    found = nll.score_groups("y", DIST, path, by="g", into=tmp_path / "o.parquet").to_polars()
    assert found.height == 301
    assert found["n"].sum() == 4_001


def test_an_error_names_the_row_where_it_lay_and_leaves_nothing_behind(table, way, tmp_path):
    wrong = table.with_columns(p=pl.when(pl.int_range(N) == 2_345).then(1.5).otherwise("p"))
    (tmp_path / "o.parquet").write_bytes(b"what was there")
    with pytest.raises(nll.errors.DataError, match=r"row 2345\b.*1\.5"):
        nll.score_groups("y", DIST, wrong, by="user", into=tmp_path / "o.parquet")
    assert there(tmp_path) == ["o.parquet"]
    assert (tmp_path / "o.parquet").read_bytes() == b"what was there"


def test_an_interruption_leaves_nothing_behind(table, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "MOST_HELD", 100)
    monkeypatch.setattr(groups, "GROUPS_IN_BUCKET", 20)
    seen = []

    def stopped(self, totals, bucket):
        seen.extend(there(tmp_path))
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.3)

    monkeypatch.setattr(groups.BucketPass, "__call__", stopped)
    with pytest.raises(KeyboardInterrupt):
        nll.score_groups("y", DIST, table, by="user", into=tmp_path / "o.parquet")
    assert seen
    assert there(tmp_path) == []


def test_a_full_disk_is_a_clear_error(table, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "MOST_HELD", 100)

    def full(self, frame):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(buckets.Bucket, "append", full)
    with pytest.raises(nll.errors.DataError, match="No space left on device"):
        nll.score_groups("y", DIST, table, by="user", into=tmp_path / "o.parquet")
    assert there(tmp_path) == []


def test_one_giant_group_is_read_piece_by_piece(table, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "MOST_HELD", 100)
    monkeypatch.setattr(buckets, "BYTES_HELD", 10_000)
    monkeypatch.setattr(buckets, "BYTES_AT_ONCE", 20_000)
    skewed = table.with_columns(user=pl.when(pl.int_range(N) % 5 == 0).then("user").otherwise(-1))
    expected = nll.score("y", DIST, skewed, by="user")
    found = nll.score_groups("y", DIST, skewed, by="user", into=tmp_path / "o.parquet")
    assert found.total == expected.total
    assert_frame_equal(found.to_polars(), expected.to_polars(), check_exact=True)


@pytest.mark.parametrize("true", [10, 4_000, 300_000])
def test_a_sketch_counts_different_values(true):
    rng, sketch = np.random.default_rng(1), buckets.Sketch()
    for _ in range(5):
        sketch.add(buckets.key_hashes([pl.Series(rng.permutation(true))]))
    assert abs(sketch.estimate() - true) <= 0.06 * true
    assert true > 4_000 or sketch.estimate() == true


def test_equal_keys_have_equal_hashes_in_any_batch():
    same = [([1, 0], [1.0, -0.0]), (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]), ([True], [1])]
    for one, other in same:
        hashes = [buckets.key_hashes([pl.Series(values)]).tolist() for values in (one, other)]
        assert hashes[0] == hashes[1]


def test_calls_that_cannot_be_are_refused(table, tmp_path):
    with pytest.raises(nll.errors.UsageError, match="into= names"):
        nll.score_groups("y", DIST, table, by="user")
    with pytest.raises(nll.errors.UsageError, match="by= names"):
        nll.score_groups("y", DIST, table, by=None, into=tmp_path / "o.parquet")
    with pytest.raises(nll.errors.UsageError, match="No such file"):
        nll.score_groups("y", DIST, table, by="user", into=tmp_path / "none" / "o.parquet")
    with pytest.raises(nll.errors.UsageError, match="several labels"):
        nll.score_groups(["y", "y"], nll.Bernoulli(probs=["p", "p"]), table, by="user", into=tmp_path / "o.parquet")


def test_many_carried_sums_do_not_overflow():
    """Tables that were carried merge without another carry for a long time: their coarsest words must be small."""
    merged = ExactSums.zeros(1, 1)
    for _ in range(40):
        part = ExactSums(np.array([[[2**59, 0, 0, 0, 0, 0]]]))
        part.carry()
        merged.merge(part)
    assert merged.count(0, 0) == 40 * 2**59 << (1074 + 12)
