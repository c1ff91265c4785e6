"""Binary log loss by 1,000 groups: whole numbers and text, in memory and in Parquet."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

import nll
from benchmarks.bernoulli import MEAN, events
from benchmarks.report import Table, compared
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

ROWS = 10_000_000
GROUPS = 1_000


def run(setting: Setting) -> list[Table]:
    y, p = events(setting.rows(ROWS))
    group = np.random.default_rng(4).integers(0, GROUPS, len(y))
    names = pl.Series([f"group {i:04d}" for i in range(GROUPS)])
    frame = pl.DataFrame({"y": y, "p": p, "number": group, "text": names.gather(group)})
    path = setting.folder / "groups.parquet"
    frame.write_parquet(path)
    tables: list[Table] = []
    for source, data, lazy in (("in memory", frame, frame.lazy()), ("in Parquet", path, pl.scan_parquet(path))):
        for column in ("number", "text"):
            works = _works(data, lazy, column)
            alternate(works, seconds=2.0)
            what = "whole numbers" if column == "number" else "text"
            tables.append(compared(f"By {GROUPS:,} groups, {what} {source}, {setting.size(ROWS)}", works))
    path.unlink()
    return tables


def _works(data: Any, lazy: pl.LazyFrame, column: str) -> list[Work]:
    dist = nll.Bernoulli(probs="p")
    grouped = lazy.group_by(column).agg(MEAN.alias("mean"))
    return [
        Work(
            "nll.score by=: each group's exact sum, standard error",
            lambda: nll.score("y", dist, data=data, by=column),
            value=lambda scores: sum(scores[key].mean for key in scores) / GROUPS,
        ),
        Work("nll.score, ungrouped", lambda: nll.score("y", dist, data=data), at_most=2.0, value=lambda _: None),
        Work("Polars group_by", grouped.collect, at_least=1.0, value=_mean),
        Work("Polars group_by, streaming", lambda: grouped.collect(engine="streaming"), at_least=1.0, value=_mean),
    ]


def _mean(frame: pl.DataFrame) -> float:
    return float(frame["mean"].sum()) / GROUPS
