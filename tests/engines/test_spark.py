"""Spark gives the bits of a local pass, for any partitions, of DataFrames and of files."""

import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import nll
from nll.engines.spark import levels_of
from nll.engines.spark_where import terms
from nll.engines.spark_work import together
from nll.errors import DataError, MissingExtraError, UsageError
from nll.sources import open_source
from nll.sources.condition import condition
from nll.sources.files import FileSource
from nll.sources.formats import PARQUET

pytest.importorskip("pyspark.sql", reason="Spark is not installed: pip install 'nll[spark]'")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:pyspark", "ignore::DeprecationWarning:pyspark")

BERNOULLI = nll.Bernoulli(probs="p")
SCORES: dict[str, Callable[..., Any]] = {
    "plain": lambda **where: nll.score("y", BERNOULLI, **where),
    "weights": lambda **where: nll.score("y", BERNOULLI, by=["g", "seen"], sample_weight="w", clip=0.2, **where),
    "clusters": lambda **where: nll.score("y", BERNOULLI, cluster="user", by="g", sample_weight="w", **where),
    "labels": lambda **where: nll.score(["y", "t"], nll.Bernoulli(probs=["p", "q"]), **where),
    "classes": lambda **where: nll.score("y", nll.Categorical(logits=["q", "x"]), label_smoothing=0.1, **where),
    "part of the rows": lambda **where: nll.score("x", nll.Weibull(1.5, "q"), where="g <> 'red' AND p > 0.2", **where),
    "censored": lambda **where: nll.score(
        nll.censored("x", "seen"), nll.Gamma(concentration=2.0, rate="q"), where=pl.col("p").sqrt() > 0.3, **where
    ),
}  # fmt: skip


def record(found: Any) -> Any:
    """Return all numbers of a score, without the name of the table and without the place of a row."""
    total = getattr(found, "total", found)
    groups = {} if total is found else {key: {**found[key].to_dict(), "source": ""} for key in found}
    return {**total.to_dict(), "source": ""}, groups


@pytest.fixture(scope="module")
def frame(spark, folder: str) -> Any:
    """The rows as a DataFrame of four partitions, in memory."""
    kept = spark.createDataFrame(pl.read_parquet(f"{folder}/*.parquet").to_arrow()).repartition(4).persist()
    kept.count()
    yield kept
    kept.unpersist()


@pytest.mark.parametrize("name", SCORES)
def test_frames_give_the_same_bits(frame, table: pl.DataFrame, name: str):
    assert record(SCORES[name](data=frame)) == record(SCORES[name](data=table))


@pytest.mark.parametrize("name", ["weights", "labels", "part of the rows"])
def test_files_give_the_same_bits(spark, folder: str, name: str):
    found = SCORES[name](data=folder, engine=nll.engines.Spark(spark, rows=2_000))
    assert record(found) == record(SCORES[name](data=folder))


def test_97_partitions_give_the_bits_of_4(spark, frame, table: pl.DataFrame):
    many = spark.createDataFrame(table.to_arrow()).repartition(97)
    found = SCORES["clusters"](data=many)
    assert found.total == SCORES["clusters"](data=frame).total
    assert record(found) == record(SCORES["clusters"](data=table))


def test_many_parts_merge_in_a_tree(spark, table: pl.DataFrame, folder: str, tmp_path: Path):
    for k in range(40):
        table.slice(k * 50, 50).write_csv(tmp_path / f"{k:02}.csv")
    for data in (folder, os.fspath(tmp_path / "*.csv")):
        options = {"data": data, "missing": "drop", "by": "g"}
        local = nll.score("x", nll.Uniform(low=0.0, high=5.0), **options)
        found = nll.score("x", nll.Uniform(low=0.0, high=5.0), engine=nll.engines.Spark(spark, rows=100), **options)
        assert local.total.impossible > 5
        assert repr(record(found)) == repr(record(local))  # with the places of the first impossible rows


def test_rows_are_numbered_in_the_order_of_partitions(spark):
    ordered = spark.range(0, 1_000, 1, 20).selectExpr("id", "double(id) as x")
    found = nll.score("x", nll.Uniform(low=0.0, high=777.5), data=ordered)
    assert (found.impossible, found.first_impossible[0]) == (222, "row 778 of the Spark DataFrame")


@pytest.mark.parametrize(
    ("y", "family", "options"),
    [
        ("x", nll.Gamma, {}),
        ("p", nll.Beta, {"sample_weight": "w", "by": "g"}),
        ("x", nll.Normal, {"where": "g = 'red'"}),
    ],
)
def test_fits_agree(spark, frame, folder: str, y: str, family: Any, options: dict[str, Any]):
    local = nll.fit(y, family, data=folder, **options)
    places: list[dict[str, Any]] = [{"data": frame}]
    if not options:
        places.append({"data": folder, "engine": nll.engines.Spark(spark, rows=3_000)})
    for where in places:
        found = nll.fit(y, family, **where, **options)
        for one, other in [(found[key], local[key]) for key in local] if "by" in options else [(found, local)]:
            assert (one.n, one.read, one.unweighted, one.converged) == (other.n, other.read, other.unweighted, True)
            assert one.nll == pytest.approx(other.nll, rel=1e-12)
            for parameter in other.params:
                assert one.params[parameter] == pytest.approx(other.params[parameter], rel=1e-10)
                assert one.stderr[parameter] == pytest.approx(other.stderr[parameter], rel=1e-8)
    assert len(spark.sparkContext._jsc.getPersistentRDDs()) == 1  # what the fit kept is let go; `frame` stays


def test_columns_of_any_name_and_type(spark):
    rows = [(1, 0.5, Decimal("0.25"), date(2024, 1, 1), 3), (0, 0.5, Decimal("0.5"), date(2024, 1, 2), 4)]
    frame = spark.createDataFrame(rows, "`y.a` int, p double, P decimal(5, 2), day date, y int")
    found = nll.score("y.a", nll.Bernoulli(probs="P"), data=frame, by="day")
    assert [found[key].sum for key in found] == [float(-np.log(0.25)), float(-np.log(0.5))]
    assert nll.score("y.a", nll.Bernoulli(probs="P"), data=frame, where="P < 0.3").n == 1
    twice = frame.toDF("a", "p", "p", "day", "y")
    with pytest.raises(UsageError, match="two columns of the Spark DataFrame are named 'p'"):
        nll.score("a", BERNOULLI, data=twice)
    strange = frame.selectExpr("`y.a` as y", "interval 1 month as p")
    with pytest.raises((UsageError, DataError), match="column 'p'"):
        nll.score("y", BERNOULLI, data=strange)


def test_partitions_without_rows(spark, frame):
    empty = frame.filter("x < 0")
    with pytest.raises(DataError, match="no rows") as raised:
        nll.fit("x", nll.Gamma, data=empty)
    assert "Spark DataFrame" in str(raised.value)
    assert nll.score("y", BERNOULLI, data=empty).n == 0
    assert nll.score("y", BERNOULLI, data=spark.createDataFrame([], "y int, p double")).n == 0
    few = spark.range(0, 8, 1, 8).filter("id = 5").selectExpr("1 as y", "0.5d as p")
    assert nll.score("y", BERNOULLI, data=few).sum == float(np.log(2.0))
    assert nll.score("y", BERNOULLI, data=frame, where="p > 2").n == 0


def test_errors_say_where_and_what_to_do(spark, frame, folder: str, table: pl.DataFrame):
    engine = nll.engines.Spark(spark)
    with pytest.raises(DataError, match=r"must be 0 or 1 for Bernoulli; row 0 of .*0\.parquet has"):
        nll.score("user", BERNOULLI, data=folder, engine=engine)
    wrong = spark.range(0, 100, 1, 20).selectExpr("1 as y", "if(id = 63, 2.0d, 0.5d) as p")
    with pytest.raises(DataError, match="row 3 of partition 12 of the Spark DataFrame has 2"):
        nll.score("y", BERNOULLI, data=wrong)
    with pytest.raises(UsageError, match="no column 'r' in the Spark DataFrame"):
        nll.score("y", nll.Bernoulli(probs="r"), data=frame)
    with pytest.raises(UsageError, match=r"where='r = 1': no column 'r'"):
        nll.score("y", BERNOULLI, data=frame, where="r = 1")
    with pytest.raises(UsageError, match="looks at the whole table"):
        nll.score("y", BERNOULLI, data=frame, where="p > AVG(p)")
    with pytest.raises(UsageError, match="this needs the rows"):
        nll.rows("y", BERNOULLI, data=frame)
    with pytest.raises(UsageError, match="is in this process"):
        nll.score("y", BERNOULLI, data=table, engine=engine)
    with pytest.raises(UsageError, match="stream without end"):
        nll.score("value", nll.Poisson(1.0), data=spark.readStream.format("rate").load())


def test_progress_counts_all_rows(frame):
    seen: list[int] = []
    assert nll.score("y", BERNOULLI, data=frame, progress=seen.append).read == sum(seen) == 6_000


def test_without_a_session_the_error_says_what_to_do(spark, folder: str, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match="session is a SparkSession, a master"):
        nll.engines.Spark(3)
    monkeypatch.setattr(type(spark), "getActiveSession", lambda: None)
    with pytest.raises(UsageError, match="there is no Spark session: make one"):
        nll.score("y", BERNOULLI, data=folder, engine=nll.engines.Spark())


def test_without_java_the_error_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(UsageError, match="Spark needs Java 17 or later: none is on the PATH"):
        nll.engines.Spark("local[2]")
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_412\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", os.fspath(tmp_path))
    with pytest.raises(UsageError, match=r"Spark needs Java 17 or later: .* is Java 8"):
        nll.engines.Spark("local[2]")


def test_without_pyspark_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql", None)
    with pytest.raises(MissingExtraError, match=r"nll\[spark\]"):
        nll.engines.Spark("local[2]")


def test_levels_leave_the_driver_few_states():
    assert [levels_of(n) for n in (0, 1, 16, 17, 256, 257, 4_096, 10**5)] == [0, 0, 0, 1, 1, 2, 2, 4]


def test_small_files_are_the_work_of_one_task(tmp_path: Path):
    for k in range(24):
        pl.DataFrame({"x": [1.0]}).write_parquet(tmp_path / f"{k:02}.parquet")
    parts = open_source(os.fspath(tmp_path)).parts()
    large = FileSource([os.fspath(tmp_path / "00.parquet")], PARQUET, "a part of a file", span=(0, 1))
    groups = together([*parts[:2], large, *parts[2:]])
    assert [len(group) for group in groups] == [2, 1, 15, 7]
    assert [part for group in groups for part in group] == [*parts[:2], large, *parts[2:]]


# What Spark may test of a condition


SHOWN = {"i": pl.Int32(), "x": pl.Float64(), "s": pl.String(), "f": pl.Float32()}


@pytest.mark.parametrize(
    "where",
    ["i = 3", "i >= -2 and x < 0.3", "x <> 0", "s = 'a AND b'", "s > 'b' AND i != 1", "x >= 0.1", "x = 1.5", "i < 3"],
)
def test_spark_tests_what_polars_would(spark, where: str):
    values: dict[str, list[Any]] = {
        "i": [3, -2, None, 1, 0, 2**31 - 1, -(2**31), 3],
        "x": [0.1, -0.0, float("nan"), None, 0.3, float("inf"), float("-inf"), 1.5],
        "s": ["a AND b", "b", "", None, "é", "B", "b ", "a and b"],
    }
    rows = list(zip(*values.values(), strict=True))
    frame = spark.createDataFrame(rows, "i int, x double, s string")
    found = terms(condition(where), SHOWN)
    assert len(found) == 1 + where.lower().count("' and") + where.lower().count("2 and")
    for name, compare, value in found:
        frame = frame.filter(compare(frame[name], value))
    kept = [[repr(v) for v in row] for row in frame.collect()]
    local = pl.DataFrame(values, schema={k: SHOWN[k] for k in values}).filter(pl.sql_expr(where))
    assert kept == [[repr(v) for v in row] for row in local.rows()]


@pytest.mark.parametrize(
    "where",
    ["i = 3 OR x > 1", "i + 1 = 3", "x > 1e-3", "f > 0.1", "i > 0.5", "s = 'it''s'", "s = 3", "i = '3'", "i = 3 AND",
     "i = 3 AND x IS NULL", "z = 1", "x > 0.12345678901", "i = 3.", "i = 3x", "NOT i = 3", "i = x", "(i = 3)"],
)  # fmt: skip
def test_spark_leaves_to_polars_what_may_differ(where: str):
    class Given:
        given = where

    assert terms(Given(), SHOWN) == []


def test_an_expression_is_left_to_polars():
    assert terms(condition(pl.col("i") == 3), SHOWN) == []
