"""Binary log loss of a Parquet file: a column of float64 probabilities and one of int64 labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

import nll
from benchmarks.bernoulli import MEAN, events
from benchmarks.report import Table, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

ROWS = 20_000_000
DUCKDB_MEAN = "avg(case when y = 1 then -ln(p) else -ln(1.0 - p) end)"


def run(setting: Setting) -> list[Table]:
    import duckdb

    path = setting.folder / "events.parquet"
    y, p = events(setting.rows(ROWS))
    pl.DataFrame({"y": y, "p": p}).write_parquet(path)
    lazy = pl.scan_parquet(path)
    works = [
        Work("nll.score: exact sum, standard error", lambda: ours(path), value=lambda s: s.mean),
        Work("decode alone: Polars, batch by batch", lambda: decode(lazy), at_most=1.3),
        Work("decode alone: pl.read_parquet, all in memory", lambda: read(path)),
        Work("Polars expression", lambda: lazy.select(MEAN).collect(), at_least=1.5, value=lambda f: f.item()),
        Work(
            "Polars expression, streaming",
            lambda: lazy.select(MEAN).collect(engine="streaming"),
            at_least=1.5,
            value=lambda f: f.item(),
        ),
    ]
    with duckdb.connect() as connection:
        query = f"select {DUCKDB_MEAN} from read_parquet(?)"

        def database() -> Any:
            return connection.execute(query, [str(path)]).fetchone()

        works.append(Work("DuckDB expression", database, at_least=1.5, value=lambda row: row[0]))
        alternate(works)
    size = path.stat().st_size / 2**20
    path.unlink()
    notes = [f"One file of {size:.0f} MiB, written by Polars with its defaults, in the page cache."]
    return [compared(f"Parquet, {setting.size(ROWS)}, two columns", works, notes)]


def ours(path: Path) -> Any:
    return nll.score("y", nll.Bernoulli(probs="p"), data=path)


def decode(lazy: pl.LazyFrame) -> None:
    """Decode the two columns through the batches that nll reads, and drop them."""
    for _ in lazy.select("y", "p").collect_batches(maintain_order=True, engine="streaming"):
        pass


def read(path: Path) -> None:
    pl.read_parquet(path, columns=["y", "p"])
