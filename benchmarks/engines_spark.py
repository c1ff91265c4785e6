"""Binary log loss of Parquet files on Spark, two threads: against one process, and the same mean in Spark SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import polars as pl

import nll
from benchmarks.bernoulli import events
from benchmarks.report import Table, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

ROWS, FILES = 100_000_000, 10
SQL_MEAN = "avg(-(y * ln(p) + (1 - y) * ln(1 - p))) as mean"
OPTIONS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "OFF",
    "spark.driver.memory": "4g",
}


def run(setting: Setting) -> list[Table]:
    folder = setting.folder / "spark"
    folder.mkdir()
    for k in range(FILES):
        y, p = events(setting.rows(ROWS) // FILES, seed=k)
        pl.DataFrame({"y": y, "p": p}).write_parquet(folder / f"{k}.parquet")
    session = begun()
    try:
        works = compared_works(session, folder)
        alternate(works, seconds=20.0)
    finally:
        session.stop()
    notes = [f"{FILES} files, in the page cache; Spark local[2] of version {session.version}, its workers warm."]
    return [compared(f"Spark, {setting.size(ROWS)}, two columns", works, notes)]


def begun() -> Any:
    """Return a session of two threads."""
    from pyspark.sql import SparkSession

    builder: Any = SparkSession.builder
    for name, value in OPTIONS.items():
        builder = builder.config(name, value)
    session = builder.master("local[2]").getOrCreate()
    session.sparkContext.pythonExec = sys.executable
    return session


def compared_works(session: Any, folder: Path) -> list[Work]:
    """Return the ways of doing it."""
    engine, frame = nll.engines.Spark(session), session.read.parquet(str(folder))
    files, dist = str(folder / "*.parquet"), nll.Bernoulli(probs="p")
    return [
        Work("nll.score, engine=Spark: files", lambda: nll.score("y", dist, files, engine=engine), value=mean),
        Work("nll.score, in this process", lambda: nll.score("y", dist, files), at_most=2.5, value=mean),
        Work("nll.score of a Spark DataFrame", lambda: nll.score("y", dist, frame), value=mean),
        Work(
            "Spark SQL, a mean alone",
            lambda: frame.selectExpr(SQL_MEAN).first(),
            at_least=1.5,
            value=lambda row: row[0],
        ),
    ]


def mean(score: Any) -> float:
    return score.mean
