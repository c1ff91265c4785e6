"""Tables of groups on Dask: the numbers of one process to the bit, for files and for frames."""

import logging
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import nll

DIST = nll.Bernoulli(probs="p")
CASES: dict[str, dict[str, Any]] = {
    "plain": {"by": "user"},
    "two keys, weights": {"by": ["g", "user"], "sample_weight": "w"},
    "where, bits": {"by": "user", "where": "q > 0.25 AND x < 4", "units": "bits"},
    "clusters": {"by": "g", "cluster": "user"},
}


@pytest.fixture(autouse=True)
def calm():
    """Keep back what the scheduler says of every shuffle."""
    logging.getLogger("distributed.shuffle").setLevel(logging.ERROR)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["files", "frame"])
def test_the_numbers_are_those_of_one_process(
    cluster, folder: str, table: pl.DataFrame, tmp_path: Path, name: str, kind: str
):
    import dask.dataframe as dd

    expected = nll.score("y", DIST, table, **CASES[name])
    data, engine = (folder, nll.engines.Dask(cluster, rows=400)) if kind == "files" else (
        dd.from_pandas(table.to_pandas(), npartitions=5), None
    )  # fmt: skip
    found = nll.score_groups("y", DIST, data, into=tmp_path / "groups", engine=engine, **CASES[name])
    assert (found.groups, found.total.sum, found.total.stderr) == (
        len(expected), expected.total.sum, expected.total.stderr,
    )  # fmt: skip
    assert_frame_equal(found.to_polars(), expected.to_polars(), check_exact=True)
    assert not list((tmp_path / "groups").glob("*.partial"))


def test_without_a_file_the_table_is_a_frame_of_dask(cluster, folder: str, table: pl.DataFrame):
    found = nll.score_groups("y", DIST, folder, by="user", engine=nll.engines.Dask(cluster, rows=400))
    made = pl.DataFrame(pl.from_pandas(found.compute())).sort("user")
    assert_frame_equal(made, nll.score("y", DIST, table, by="user").to_polars(), check_exact=True)


def test_an_error_names_the_row_where_it_lies(cluster, folder: str, tmp_path: Path):
    with pytest.raises(nll.errors.DataError, match=r"row \d+ of .*\.parquet"):
        nll.score_groups("x", DIST, folder, by="user", into=tmp_path / "o", engine=nll.engines.Dask(cluster, rows=400))
    assert not (tmp_path / "o").exists()


def test_a_folder_with_something_in_it_is_refused(cluster, folder: str, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(nll.errors.UsageError, match="not empty"):
        nll.score_groups("y", DIST, folder, by="user", into=tmp_path, engine=nll.engines.Dask(cluster))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
