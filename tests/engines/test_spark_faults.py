"""What goes wrong under Spark ends in the right number or in a clear error, soon, and without a job left over."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import nll
from nll.engines.spark import spark_frame
from nll.errors import DataError, EngineError, UsageError

pytest.importorskip("pyspark.sql", reason="Spark is not installed: pip install 'nll[spark]'")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:pyspark", "ignore::DeprecationWarning:pyspark")

BERNOULLI = nll.Bernoulli(probs="p")


def thousand(spark) -> Any:
    return spark.range(0, 1_000, 1, 3).selectExpr("cast(id % 2 as int) as y", "(id + 1) / 1002 as p")


def local() -> Any:
    return nll.score(
        "y", BERNOULLI, data={"y": [i % 2 for i in range(1_000)], "p": [(i + 1) / 1002 for i in range(1_000)]}
    )


def through(frame: Any, what: str, marks: Path, times: int) -> Any:
    """Return a DataFrame whose second partition fails so many times before it gives its rows."""

    def rows(batches):
        from pyspark import TaskContext

        if TaskContext.get().partitionId() == 1:
            for i in range(times):
                try:
                    os.close(os.open(f"{marks}/{i}", os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    continue
                if what == "dies":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise ZeroDivisionError("of the user")
        yield from batches

    from nll.engines.spark import mapped

    return mapped(frame, rows, "y int, p double")


@pytest.mark.parametrize("what", ["raises", "dies"])
def test_a_task_that_fails_twice_loses_nothing(spark, tmp_path: Path, what: str):
    found = nll.score("y", BERNOULLI, data=through(thousand(spark), what, tmp_path, 2))
    assert (found.sum, found.stderr, found.n) == (local().sum, local().stderr, 1_000)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_task_that_goes_on_failing_is_an_error(spark, tmp_path: Path):
    with pytest.raises(EngineError, match=r"^Spark could not finish the pass: ZeroDivisionError: of the user$"):
        nll.score("y", BERNOULLI, data=through(thousand(spark), "raises", tmp_path, 99))
    assert len(list(tmp_path.iterdir())) == 4  # the tries of the session


def test_a_worker_that_goes_on_dying_is_an_error(spark, tmp_path: Path):
    with pytest.raises(EngineError, match=": Python worker exited unexpectedly") as raised:
        nll.score("y", BERNOULLI, data=through(thousand(spark), "dies", tmp_path, 99))
    assert "\n" not in str(raised.value)


def test_an_expression_of_the_user_that_fails_is_an_error(spark):
    frame = spark.range(3).selectExpr("if(id = 2, raise_error('third row'), 1) as y", "0.5d as p")
    with pytest.raises(EngineError, match="third row"):
        nll.score("y", BERNOULLI, data=frame)


def test_an_error_of_the_data_is_not_tried_again(spark, tmp_path: Path):
    marks = os.fspath(tmp_path)

    def run(part, threads=1, progress=None):
        import tempfile

        tempfile.mkstemp(dir=marks)
        raise UsageError(f"not in {part.description}")

    with pytest.raises(UsageError, match=r"^not in partition 0 of the Spark DataFrame$"):
        spark_frame(thousand(spark)).reduce(run, ["y"])
    assert len(list(tmp_path.iterdir())) == 3  # one try a partition


def test_a_module_that_workers_lack_is_an_error(spark):
    def run(part, threads=1, progress=None):
        import nowhere_to_be_found  # noqa: F401 # type: ignore[import-not-found]

    with pytest.raises(EngineError, match=r"No module named 'nowhere_to_be_found'; install nll\[spark\] there"):
        spark_frame(thousand(spark)).reduce(run, ["y"])


def test_a_file_that_is_cut_is_an_error(spark, tmp_path: Path):
    rows = pl.DataFrame({"y": [0, 1] * 20_000, "p": [0.25, 0.5] * 20_000})
    for k in range(2):
        rows.write_parquet(tmp_path / f"{k}.parquet", row_group_size=5_000, compression="uncompressed")
    pattern = os.fspath(tmp_path / "*.parquet")
    frame, engine = spark.read.parquet(os.fspath(tmp_path)), nll.engines.Spark(spark)
    placed = engine.place(pattern)
    assert nll.score("y", BERNOULLI, data=placed).n == nll.score("y", BERNOULLI, data=frame).n == 80_000
    whole = (tmp_path / "1.parquet").read_bytes()
    (tmp_path / "1.parquet").write_bytes(whole[: len(whole) // 2])
    for data in (placed, frame):
        with pytest.raises(DataError, match=r"cannot be read.*") as raised:
            nll.score("y", BERNOULLI, data=data)
        assert "1.parquet" in str(raised.value)


@pytest.mark.parametrize("how", ["signal", "exception"])
def test_an_interruption_ends_the_job(spark, how: str):
    from nll.engines.spark import mapped

    frame = mapped(thousand(spark), slow_rows(), "y int, p double")
    begun: list[float] = []

    def stop(rows: int) -> None:
        if not begun and spark.sparkContext.statusTracker().getActiveStageIds():
            begun.append(time.monotonic())
            if how == "exception":
                raise KeyboardInterrupt
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        nll.score("y", BERNOULLI, data=frame, progress=stop)
    assert time.monotonic() - begun[0] < 20
    deadline = time.monotonic() + 20
    while spark.sparkContext.statusTracker().getActiveStageIds() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(spark.sparkContext.statusTracker().getActiveStageIds()) == []
    assert nll.score("y", BERNOULLI, data=thousand(spark)).sum == local().sum


def slow_rows() -> Any:
    """Return a function that the workers get as code, since they cannot import this module."""

    def rows(batches):
        import time

        for batch in batches:
            time.sleep(60)
            yield batch

    return rows
