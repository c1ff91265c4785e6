"""Dask gives the bits of a local pass, for any partitions, and survives its workers."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import nll
from nll.errors import DataError, EngineError, UsageError

dd = pytest.importorskip("dask.dataframe", reason="Dask is not installed: pip install 'nll[dask]'")

BERNOULLI = nll.Bernoulli(probs="p")
SCORES: dict[str, Callable[..., Any]] = {
    "plain": lambda **where: nll.score("y", BERNOULLI, **where),
    "groups": lambda **where: nll.score("y", BERNOULLI, by=["g", "seen"], **where),
    "weights": lambda **where: nll.score("y", BERNOULLI, by="g", sample_weight="w", **where),
    "clusters": lambda **where: nll.score("y", BERNOULLI, cluster="user", sample_weight="w", **where),
    "labels": lambda **where: nll.score(["y", "t"], nll.Bernoulli(probs=["p", "q"]), **where),
    "classes": lambda **where: nll.score("y", nll.Categorical(logits=["q", "x"]), label_smoothing=0.1, **where),
    "censored": lambda **where: nll.score(nll.censored("x", "seen"), nll.Gamma(concentration=2.0, rate="q"), **where),
    "part of the rows": lambda **where: nll.score("x", nll.Weibull(1.5, "q"), where="g <> 'red' AND p > 0.2", **where),
    "one label a group": lambda **where: nll.score("y", BERNOULLI, by="user", class_weight=[1.0, 3.0], **where),
}


def record(found: Any) -> Any:
    """Return all numbers of a score, without the name of the table."""
    total = getattr(found, "total", found)
    groups = {} if total is found else {key: {**found[key].to_dict(), "source": ""} for key in found}
    return {**total.to_dict(), "source": ""}, groups


@pytest.mark.parametrize("name", SCORES)
def test_files_give_the_same_bits(cluster, folder: str, name: str):
    local = SCORES[name](data=folder)
    for rows in (400, 10**9):
        assert record(SCORES[name](data=folder, engine=nll.engines.Dask(cluster, rows=rows))) == record(local)


@pytest.mark.parametrize("name", SCORES)
def test_frames_give_the_same_bits(cluster, table: pl.DataFrame, name: str):
    local = SCORES[name](data=table)
    for partitions in (1, 7):
        assert record(SCORES[name](data=dd.from_pandas(table.to_pandas(), npartitions=partitions))) == record(local)


def test_many_parts_merge_in_a_tree(cluster, table: pl.DataFrame):
    many = dd.from_pandas(table.to_pandas(), npartitions=97)
    few = dd.from_pandas(table.to_pandas(), npartitions=4)
    assert SCORES["groups"](data=many).total == SCORES["groups"](data=few).total


@pytest.mark.parametrize(
    ("y", "family", "options"),
    [
        ("x", nll.Gamma, {}),
        ("x", nll.Gamma, {"by": "g"}),
        ("p", nll.Beta, {"sample_weight": "w"}),
        ("x", nll.Uniform, {}),
        (nll.censored("x", "seen"), nll.Weibull, {}),
        ("x", nll.Normal, {"where": "g = 'red'"}),
    ],
)
def test_fits_agree(cluster, folder: str, table: pl.DataFrame, y: Any, family: Any, options: dict[str, Any]):
    local = nll.fit(y, family, data=folder, **options)
    for where in (
        {"data": folder, "engine": nll.engines.Dask(cluster, rows=800)},
        {"data": dd.from_pandas(table.to_pandas(), npartitions=3)},
    ):
        found = nll.fit(y, family, **where, **options)
        each = [(found[key], local[key]) for key in local] if "by" in options else [(found, local)]
        for one, other in each:
            assert (one.n, one.read, one.unweighted, one.converged) == (
                other.n,
                other.read,
                other.unweighted,
                other.converged,
            )
            assert one.nll == pytest.approx(other.nll, rel=1e-12)
            for parameter in other.params:
                assert one.params[parameter] == pytest.approx(other.params[parameter], rel=1e-10)
                if other.cov_ok:
                    assert one.stderr[parameter] == pytest.approx(other.stderr[parameter], rel=1e-8)


def test_impossible_rows_are_named_as_in_one_pass(cluster, folder: str, table: pl.DataFrame):
    local = nll.score("t", nll.Uniform(low=0.0, high="seen"), data=table.with_columns(seen=pl.col("seen") + 0.5))
    assert local.impossible > 5
    where = {"data": folder, "where": "seen < 9"}
    found = nll.score("x", nll.Uniform(low=0.0, high=5.0), engine=nll.engines.Dask(cluster, rows=400), **where)
    assert found.first_impossible == nll.score("x", nll.Uniform(low=0.0, high=5.0), **where).first_impossible


def test_errors_of_the_data_arrive_as_they_are_raised(cluster, folder: str, table: pl.DataFrame):
    engine = nll.engines.Dask(cluster, rows=400)
    with pytest.raises(DataError, match=r"must be 0 or 1 for Bernoulli; row 0 of .*0\.parquet has"):
        nll.score("user", BERNOULLI, data=folder, engine=engine)
    broken = table.with_columns(p=pl.when(pl.int_range(pl.len()) == 5_000).then(2.0).otherwise("p"))
    with pytest.raises(DataError, match=r"row 500 of partition 3 of the Dask DataFrame has 2"):
        nll.score("y", BERNOULLI, data=dd.from_pandas(broken.to_pandas(), chunksize=1_500))
    with pytest.raises(UsageError, match="no column 'r'"):
        nll.score("y", nll.Bernoulli(probs="r"), data=folder, engine=engine)
    with pytest.raises(UsageError, match="looks at the whole table"):
        nll.score("y", BERNOULLI, data=dd.from_pandas(table.to_pandas(), npartitions=2), where="p > AVG(p)")
    with pytest.raises(UsageError, match="this needs the rows"):
        nll.rows("y", BERNOULLI, data=dd.from_pandas(table.to_pandas(), npartitions=2))
    with pytest.raises(UsageError, match="is in this process"):
        nll.score("y", BERNOULLI, data=table, engine=engine)
    with pytest.raises(UsageError, match="engine is"):
        nll.score("y", BERNOULLI, data=folder, engine="dask")


def test_a_truncated_file_is_an_error(cluster, folder: str, tmp_path: Path):
    whole = Path(folder, "0.parquet").read_bytes()
    (tmp_path / "0.parquet").write_bytes(whole)
    (tmp_path / "1.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1\.parquet cannot be read as Parquet"):
        nll.score("y", BERNOULLI, data=str(tmp_path / "*.parquet"), engine=nll.engines.Dask(cluster))


def slow(frame: Any, marks: str) -> Any:
    """Note this worker, once, so that the test can kill it, and give it the time to."""
    Path(marks, str(os.getpid())).touch()
    time.sleep(0.2)
    return frame


def test_a_killed_worker_loses_nothing(cluster, table: pl.DataFrame, tmp_path: Path):
    frame = dd.from_pandas(table.to_pandas(), npartitions=12)
    frame = frame.map_partitions(slow, os.fspath(tmp_path), meta=frame._meta)
    future = cluster.submit(lambda: None)  # the cluster is awake
    future.result()
    import threading

    def kill() -> None:
        while not (marks := sorted(tmp_path.iterdir())):
            time.sleep(0.01)
        os.kill(int(marks[0].name), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = nll.score("y", BERNOULLI, data=frame, by="g")
    killer.join()
    assert record(found) == record(nll.score("y", BERNOULLI, data=table, by="g"))


def fatal(frame: Any) -> Any:
    """Die as a process out of memory does."""
    os.kill(os.getpid(), signal.SIGKILL)
    return frame


def test_a_part_that_kills_every_worker_is_an_error(cluster, table: pl.DataFrame):
    frame = dd.from_pandas(table.to_pandas(), npartitions=1)
    from dask.config import set as configured

    with (
        configured({"distributed.scheduler.allowed-failures": 1}),
        pytest.raises(EngineError, match="workers died"),
    ):
        nll.score("y", BERNOULLI, data=frame.map_partitions(fatal, meta=frame._meta))


def raising(frame: Any) -> Any:
    """Fail as a user's own function does."""
    raise ZeroDivisionError("of the user")


def test_a_failing_part_is_an_error(cluster, table: pl.DataFrame):
    frame = dd.from_pandas(table.to_pandas(), npartitions=1)
    with pytest.raises(EngineError, match="ZeroDivisionError: of the user"):
        nll.score("y", BERNOULLI, data=frame.map_partitions(raising, meta=frame._meta))


def test_without_a_client_the_error_says_what_to_do(cluster, monkeypatch):
    import distributed

    def none() -> None:
        raise ValueError

    monkeypatch.setattr(distributed, "get_client", none)
    with pytest.raises(UsageError, match="there is no Dask client"):
        nll.engines.Dask()
    with pytest.raises(UsageError, match="client is"):
        nll.engines.Dask(3)


def test_progress_counts_all_rows(cluster, folder: str):
    seen: list[int] = []
    found = nll.score("y", BERNOULLI, data=folder, engine=nll.engines.Dask(cluster, rows=400), progress=seen.append)
    assert sum(seen) == found.read == 6_000


def test_an_interrupted_pass_is_cancelled(cluster, table: pl.DataFrame, tmp_path: Path):
    frame = dd.from_pandas(table.to_pandas(), npartitions=40)
    frame = frame.map_partitions(slow, os.fspath(tmp_path), meta=frame._meta)

    def stop(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nll.score("y", BERNOULLI, data=frame, progress=stop)
    begun = time.monotonic()
    assert cluster.submit(np.add, 1, 2).result(timeout=30) == 3
    assert time.monotonic() - begun < 4.0  # 40 parts of 0.2 s on two workers would take as long
