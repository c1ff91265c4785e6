"""Clusters, begun once: the workers of Dask and Spark are processes of this machine."""

import os
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A Dask client of two worker processes."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'nll[dask]'")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as workers, distributed.Client(workers) as client:
        yield client


@pytest.fixture(scope="session")
def table() -> pl.DataFrame:
    """Rows of every kind of column that a score reads."""
    rng, n = np.random.default_rng(11), 6_000
    p = rng.random(n)
    return pl.DataFrame({
        "y": (rng.random(n) < p).astype(np.int64),
        "p": p,
        "q": np.clip(p + rng.normal(0.0, 0.1, n), 0.001, 0.999),
        "x": rng.gamma(2.0, 1.5, n),
        "w": rng.integers(0, 4, n) * 0.25,
        "g": rng.choice(["red", "green", "blue"], n),
        "user": rng.integers(0, 200, n),
        "seen": rng.integers(0, 2, n),
        "t": rng.integers(0, 2, n),
    })  # fmt: skip


@pytest.fixture(scope="session")
def folder(table: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The rows in files of several row groups."""
    path = tmp_path_factory.mktemp("table")
    for k, start in enumerate(range(0, table.height, 2_500)):
        table.slice(start, 2_500).write_parquet(path / f"{k}.parquet", row_group_size=400)
    return os.fspath(path)


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A Spark session of two threads on this machine, where a task may fail three times."""
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed: pip install 'nll[spark]'")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or later, and there is none on the PATH")
    options = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.log.level": "OFF",
        "spark.sql.shuffle.partitions": "4",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the versions of pandas and Arrow
        builder = sql.SparkSession.builder.master("local[2,4]")
        for name, value in options.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
    yield session
    session.stop()
