"""The same rows give the same bits, whatever their order, their split, their threads and what brings them."""

from __future__ import annotations

import json
import math
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nll

EXTREMES = [0.0, 5e-324, 1e-300, 2.0**-53, 0.1, 0.5, 1.0 - 2.0**-53, 1.0]
WEIGHTS = [0.0, 1e-300, 1e-20, 0.5, 1.0, 3.0, 1e20, 1e300]
chances = st.sampled_from(EXTREMES) | st.floats(0.0, 1.0)
weights = st.sampled_from(WEIGHTS) | st.floats(0.0, 10.0)
events = st.lists(
    st.tuples(st.integers(0, 1), chances, weights, st.sampled_from("abc"), st.integers(0, 3)), max_size=40
)
places = st.sampled_from([0.0, 1e-200, 1e-8, 1.0, 1e8, 1e150, -1e150]) | st.floats(-1e3, 1e3)
scales = st.sampled_from([1e-150, 0.3989422804014327, 1.0, 1e150]) | st.floats(1e-3, 1e3)
measures = st.lists(st.tuples(places, places, scales, weights, st.sampled_from("abc"), st.integers(0, 3)), max_size=40)

WAYS = {
    "plain": {},
    "weighted": {"sample_weight": "w"},
    "by": {"by": "g"},
    "by weighted": {"by": "g", "sample_weight": "w"},
    "clustered": {"cluster": "c"},
    "clustered by, weighted": {"cluster": "c", "by": ["g"], "sample_weight": "w"},
    "clipped": {"clip": 1e-9},
}


def bernoulli(rows: list[Any]) -> tuple[pl.DataFrame, nll.Bernoulli]:
    names = {"y": pl.Int64, "p": pl.Float64, "w": pl.Float64, "g": pl.String, "c": pl.Int64}
    return pl.DataFrame(rows, schema=names, orient="row"), nll.Bernoulli(probs="p")


def normal(rows: list[Any]) -> tuple[pl.DataFrame, nll.Normal]:
    names = {"y": pl.Float64, "m": pl.Float64, "s": pl.Float64, "w": pl.Float64, "g": pl.String, "c": pl.Int64}
    return pl.DataFrame(rows, schema=names, orient="row"), nll.Normal(loc="m", scale="s")


def made(seed: int, n: int) -> pl.DataFrame:
    """A table with every kind of column, and rows that are odd: impossible, of weight 0, far away."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (n, 3)).astype(np.float32).astype(np.float64)
    p = np.float32(random.random(n)).astype(np.float64)
    p[::97] = 0.0
    return pl.DataFrame(
        {
            "y": random.integers(0, 2, n),
            "p": p,
            "x": random.normal(0, 1, n),
            "m": random.normal(0, 1, n),
            "s": np.where(np.arange(n) % 101 == 0, 1e-30, random.random(n) + 0.1),
            "k": random.integers(0, 3, n),
            "z0": logits[:, 0],
            "z1": logits[:, 1],
            "z2": logits[:, 2],
            "w": np.where(np.arange(n) % 31 == 0, 0.0, random.random(n)),
            "g": random.choice(["a", "b", "c"], n),
            "h": random.integers(0, 3, n),
            "c": random.integers(0, 50, n),
        }
    )


MODELS = {
    "bernoulli": ("y", nll.Bernoulli(probs="p")),
    "normal": ("x", nll.Normal(loc="m", scale="s")),
    "categorical": ("k", nll.Categorical(logits=["z0", "z1", "z2"])),
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=15, deadline=None)
@given(rows=events, order=st.randoms(), size=st.integers(1, 9), threads=st.integers(1, 8))
def test_bernoulli_in_any_order_split_and_mode(running, bits, way, rows, order, size, threads):
    table, dist = bernoulli(rows)
    with running(compiled=True):
        want = bits(nll.score("y", dist, table, **WAYS[way]))
    order.shuffle(rows)
    with running(compiled=False, rows=size):
        assert bits(nll.score("y", dist, bernoulli(rows)[0], threads=threads, **WAYS[way])) == want
    with running(compiled=True, rows=size):
        assert bits(nll.score("y", dist, bernoulli(rows)[0], threads=threads, **WAYS[way])) == want


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=15, deadline=None)
@given(rows=measures, order=st.randoms(), size=st.integers(1, 9), threads=st.integers(1, 8))
def test_normal_in_any_order_split_and_mode(running, bits, way, rows, order, size, threads):
    table, dist = normal(rows)
    with running(compiled=True):
        want = bits(nll.score("y", dist, table, **WAYS[way]))
    order.shuffle(rows)
    with running(compiled=False, rows=size):
        assert bits(nll.score("y", dist, normal(rows)[0], threads=threads, **WAYS[way])) == want
    with running(compiled=True, rows=size):
        assert bits(nll.score("y", dist, normal(rows)[0], threads=threads, **WAYS[way])) == want


@settings(max_examples=30, deadline=None)
@given(rows=events, cuts=st.lists(st.integers(0, 40), max_size=5), order=st.randoms(), weighted=st.booleans())
def test_tallies_merge_in_any_order_and_survive_saving(running, bits, rows, cuts, order, weighted):
    table, dist = bernoulli(rows)
    options = {"by": "g", "cluster": "c", "sample_weight": "w" if weighted else None}
    with running(compiled=False):
        want = bits(nll.score("y", dist, table, **options))
        ends = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
        parts = []
        for start, stop in pairwise(ends):
            part = nll.Tally()
            part.update("y", dist, table[start:stop], **options)
            parts.append(part)
    order.shuffle(parts)
    whole = nll.Tally()
    for i, part in enumerate(parts):
        saved = json.loads(json.dumps(part.to_dict(), allow_nan=False))
        whole.merge([part, pickle.loads(pickle.dumps(part)), nll.Tally.from_dict(saved)][i % 3])
    assert bits(whole.score()) == want


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", WAYS)
def test_large_table_in_one_piece_and_in_many(running, bits, model, way):
    table, (y, dist) = made(1, 7_000), MODELS[model]
    with running(compiled=True):
        want = bits(nll.score(y, dist, table, threads=1, **WAYS[way]))
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=2)
    for threads, size in ((1, 2049), (2, 700), (3, 2048), (8, 123)):
        with running(compiled=True, rows=size):
            assert bits(nll.score(y, dist, shuffled, threads=threads, **WAYS[way])) == want


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("weighted", [False, True])
def test_each_group_is_scored_as_if_alone(running, bits, model, weighted):
    table, (y, dist) = made(3, 6_000), MODELS[model]
    options = {"sample_weight": "w" if weighted else None}
    with running(compiled=True):
        scores = nll.score(y, dist, table, by=["g", "h"], **options)
        assert len(scores) == 9
        for (g, h), each in scores.items():
            alone = nll.score(y, dist, table.filter(pl.col("g") == g, pl.col("h") == h), **options)
            assert bits(each) == bits(alone)
            assert bits(nll.score(y, dist, table, where=f"g = '{g}' and h = {h}", **options)) == bits(alone)
        assert bits(scores.total) == bits(nll.score(y, dist, table, **options))


@pytest.mark.parametrize("model", MODELS)
def test_any_kind_of_table(running, bits, model, tmp_path):
    import duckdb
    import pyarrow.dataset as ds

    table, (y, dist) = made(4, 3_000), MODELS[model]
    options = {"by": "g", "sample_weight": "w", "cluster": "c"}
    with running(compiled=True):
        want = bits(nll.score(y, dist, table, **options))
    table.write_parquet(tmp_path / "a.parquet", row_group_size=311)
    table[:1000].write_parquet(tmp_path / "b0.parquet")
    table[1000:].write_parquet(tmp_path / "b1.parquet")
    table.write_csv(tmp_path / "a.csv")
    table.write_ndjson(tmp_path / "a.ndjson")
    table.write_ipc(tmp_path / "a.arrow")
    arrow = table.to_arrow()
    connection = duckdb.connect()
    kinds = {
        "lazy": table.lazy(),
        "pandas": table.to_pandas(),
        "arrow": arrow,
        "reader": arrow.to_reader(max_chunksize=500),
        "dataset": ds.dataset(arrow),
        "duckdb": connection.from_arrow(arrow),
        "dict": {name: table[name].to_numpy() for name in table.columns},
        "parquet": tmp_path / "a.parquet",
        "glob": str(tmp_path / "b*.parquet"),
        "list": [tmp_path / "b1.parquet", tmp_path / "b0.parquet"],
        "csv": tmp_path / "a.csv",
        "ndjson": tmp_path / "a.ndjson",
        "ipc": tmp_path / "a.arrow",
    }
    with running(compiled=True):
        for kind, data in kinds.items():
            assert bits(nll.score(y, dist, data, **options)) == want, kind


@pytest.mark.parametrize("compiled", [False, True])
def test_arrays_are_scored_as_tables_are(running, bits, compiled):
    table = made(5, 500)
    logits = table["z0", "z1", "z2"].to_numpy()
    arrays = {
        "bernoulli": (table["y"].to_numpy(), nll.Bernoulli(probs=table["p"].to_numpy())),
        "normal": (table["x"].to_list(), nll.Normal(table["m"].to_list(), table["s"])),
        "categorical": (table["k"], nll.Categorical(logits=logits)),
    }
    with running(compiled=compiled):
        for model, (y, dist) in arrays.items():
            want = nll.score(*MODELS[model], table, by="g", sample_weight="w", cluster="c")
            got = nll.score(y, dist, by=table["g"], sample_weight=table["w"], cluster=table["c"].to_numpy())
            assert bits(got) == bits(want)
            assert math.fsum(nll.rows(y, dist)) == nll.score(y, dist).sum
            assert nll.rows(y, dist).tolist() == nll.rows(*MODELS[model], table).tolist()


@pytest.mark.parametrize("compiled", [False, True])
def test_float32_is_read_as_its_float64_equal(running, bits, compiled):
    table = made(6, 500)
    single = table.cast(dict.fromkeys(("p", "z0", "z1", "z2"), pl.Float32))
    with running(compiled=compiled):
        for model in ("bernoulli", "categorical"):
            y, dist = MODELS[model]
            assert bits(nll.score(y, dist, single)) == bits(nll.score(y, dist, table))
        logits = np.random.default_rng(0).normal(0, 5, (50, 100)).astype(np.float32)
        assert bits(nll.score(7, nll.Categorical(logits=logits))) == bits(
            nll.score(7, nll.Categorical(logits=logits.astype(np.float64)))
        )


@pytest.mark.parametrize("form", ["probs", "logits", "log_probs"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), width=st.integers(1, 12), soft=st.booleans())
def test_categorical_compiled_and_plain(running, form, dtype, seed, width, soft):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 10.0 ** random.integers(-3, 3), (30, width))
    logits[random.random(logits.shape) < 0.05] = -40.0
    log_probs = (
        logits
        - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
        - logits.max(1, keepdims=True)
    )
    theta = {"logits": logits, "log_probs": np.minimum(log_probs, 0.0), "probs": np.exp(log_probs)}[form].astype(dtype)
    if form == "probs" and dtype is np.float32:
        theta *= np.float32(1.0 + random.uniform(0.99e-4, 1.01e-4))  # near the tolerance, both must decide alike
        theta = np.minimum(theta, np.float32(1.0))
    y = random.dirichlet(np.ones(width), 30) if soft else random.integers(0, width, 30)
    found = []
    for compiled in (False, True):
        with running(compiled=compiled):
            try:
                found.append(nll.rows(y, nll.Categorical(**{form: theta})).tobytes())
            except nll.errors.DataError as error:
                found.append(str(error))
    assert found[0] == found[1]


def test_types_of_observations_do_not_matter(running, bits):
    y = np.array([0, 1, 1, 0])
    with running(compiled=False):
        want = bits(nll.score(y, nll.Bernoulli(probs=0.3)))
        for dtype in (bool, np.int8, np.uint8, np.int32, np.uint64, np.float32, np.float64):
            assert bits(nll.score(y.astype(dtype), nll.Bernoulli(probs=0.3))) == want
        assert bits(nll.score([False, True, True, False], nll.Bernoulli(probs=0.3))) == want


def test_strides_and_views_do_not_matter(running, bits):
    y, p = np.random.default_rng(0).integers(0, 2, 20), np.random.default_rng(1).random(20)
    z = np.asfortranarray(np.random.default_rng(2).normal(size=(10, 4)))
    with running(compiled=False):
        want = bits(nll.score(y[::-2].copy(), nll.Bernoulli(probs=p[::-2].copy())))
        assert bits(nll.score(y[::-2], nll.Bernoulli(probs=p[::-2]))) == want
        want = bits(nll.score(1, nll.Categorical(logits=z.copy("C"))))
        assert bits(nll.score(1, nll.Categorical(logits=z))) == want
