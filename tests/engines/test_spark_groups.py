"""Tables of groups on Spark: the numbers of one process to the bit, for files and for frames."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import nll

pytest.importorskip("pyspark.sql", reason="Spark is not installed: pip install 'nll[spark]'")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:pyspark", "ignore::DeprecationWarning:pyspark")

DIST = nll.Bernoulli(probs="p")
CASES: dict[str, dict[str, Any]] = {
    "plain": {"by": "user"},
    "two keys, weights": {"by": ["g", "user"], "sample_weight": "w"},
    "where, bits": {"by": "user", "where": "q > 0.25 AND x < 4", "units": "bits"},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["files", "frame"])
def test_the_numbers_are_those_of_one_process(
    spark, folder: str, table: pl.DataFrame, tmp_path: Path, name: str, kind: str
):
    expected = nll.score("y", DIST, table, **CASES[name])
    data, engine = (folder, nll.engines.Spark(spark, rows=400)) if kind == "files" else (
        spark.createDataFrame(table.to_arrow()).repartition(5), None
    )  # fmt: skip
    found = nll.score_groups("y", DIST, data, into=tmp_path / "groups", engine=engine, **CASES[name])
    assert (found.groups, found.total.sum, found.total.stderr) == (
        len(expected), expected.total.sum, expected.total.stderr,
    )  # fmt: skip
    assert_frame_equal(found.to_polars(), expected.to_polars(), check_exact=True)


def test_both_zeros_are_one_group(spark):
    rows = [(1, 0.5, 0.0), (0, 0.5, -0.0), (1, 0.5, None), (1, 0.5, float("nan"))] * 20
    frame = spark.createDataFrame(rows, "y int, p double, g double").repartition(7)
    found = nll.score_groups("y", DIST, frame, by="g").toArrow()
    assert sorted(found["n"].to_pylist()) == [20, 20, 40]


def test_an_error_names_the_row_where_it_lies(spark, folder: str, tmp_path: Path):
    with pytest.raises(nll.errors.DataError, match=r"row \d+ of .*\.parquet"):
        nll.score_groups("x", DIST, folder, by="user", into=tmp_path / "o", engine=nll.engines.Spark(spark, rows=400))
    assert not (tmp_path / "o").exists()
