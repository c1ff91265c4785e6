"""Binary log loss of Parquet files on Dask, two processes: against one process, and the same mean in Dask DataFrame."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import polars as pl

import nll
from benchmarks.bernoulli import events
from benchmarks.report import Table, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

ROWS, FILES = 100_000_000, 10


def run(setting: Setting) -> list[Table]:
    from distributed import Client, LocalCluster

    folder = setting.folder / "dask"
    folder.mkdir()
    for k in range(FILES):
        y, p = events(setting.rows(ROWS) // FILES, seed=k)
        pl.DataFrame({"y": y, "p": p}).write_parquet(folder / f"{k}.parquet")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with LocalCluster(**options) as workers, Client(workers) as client:
        works = compared_works(client, folder)
        alternate(works, seconds=20.0)
    for path in folder.iterdir():
        path.unlink()
    notes = [f"{FILES} files, in the page cache; two workers of one thread, warm. One process uses two threads."]
    return [compared(f"Dask, {setting.size(ROWS)}, two columns", works, notes)]


def compared_works(client: Any, folder: Path) -> list[Work]:
    """Return the ways of doing it."""
    import dask.array as da
    import dask.dataframe as dd

    engine, frame = nll.engines.Dask(client), dd.read_parquet(str(folder))
    files, dist = str(folder / "*.parquet"), nll.Bernoulli(probs="p")
    loss = -(frame["y"] * da.log(frame["p"]) + (1 - frame["y"]) * da.log(1.0 - frame["p"]))
    return [
        Work("nll.score, engine=Dask: files", lambda: nll.score("y", dist, files, engine=engine), value=mean),
        Work("nll.score, in this process", lambda: nll.score("y", dist, files), at_most=1.3, value=mean),
        Work("nll.score of a Dask DataFrame", lambda: nll.score("y", dist, frame), value=mean),
        Work("Dask DataFrame, a mean alone", lambda: loss.mean().compute(), at_least=1.5, value=float),
    ]


def mean(score: Any) -> float:
    return score.mean
