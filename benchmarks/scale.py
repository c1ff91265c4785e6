"""What a run past this machine is made of: rows a second and core, states of 10**5 parts, small files, many groups.

The parts are real: each is scored as a worker would, and its state goes through the bytes that would travel.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import nll
from benchmarks.bernoulli import events
from benchmarks.memory import peak
from benchmarks.report import Table, figures, most, time_text
from benchmarks.setting import Setting
from nll.engines.placed import FAN_IN, followed
from nll.sources.frames import FrameSource
from nll.states.tally import Tallies
from nll.tasks.passes import Pass
from nll.tasks.score import begin

PARTS, ROWS_IN_PART, GROUPS = 100_000, 100, 10
SECONDS = 2.0  # for the merge of all parts
FILES, ROWS_IN_FILE = 10_000, 100
MANY_GROUPS, ROWS_IN_GROUP = 1_000_000, 5
SPEED_ROWS = 20_000_000
DIST = nll.Bernoulli(probs="p")
OPTIONS: dict[str, Any] = {
    "y": "y", "dist": DIST, "sample_weight": None, "cluster": None, "missing": "error", "clip": None, "labels": None,
    "label_smoothing": 0.0, "class_weight": None,
}  # fmt: skip


def run(setting: Setting) -> list[Table]:
    return [speeds(setting), merging(setting), sizes(setting), small_files(setting), many_groups(setting)]


def table_of(rows: int, groups: int, seed: int = 0) -> pl.DataFrame:
    """Return events with groups 0, 1, ..."""
    y, p = events(rows, seed=seed)
    return pl.DataFrame({"y": y, "p": p, "g": np.random.default_rng(seed).integers(0, groups, rows)})


def speeds(setting: Setting) -> Table:
    """Return rows a second of one core: by the time of the processor, since Polars decodes in threads of its own."""
    frame = table_of(setting.rows(SPEED_ROWS), 1_000)
    path = setting.folder / "scale.parquet"
    frame.write_parquet(path)
    table = Table("Rows a second and core", head=("work", "rows/s", "10¹² rows, hours of one core"))
    for what, data in (("in memory", frame), ("Parquet", path)):
        for grouped, by in (("", None), (", 1,000 groups", "g")):
            seconds = fastest(
                lambda data=data, by=by: nll.score("y", DIST, data, by=by, threads=1, progress=False),
                clock=time.process_time,
            )
            speed = frame.height / seconds
            table.rows.append((f"{what}{grouped}", f"{speed / 1e6:.0f} M", figures(1e12 / speed / 3600)))
    size = path.stat().st_size / frame.height
    table.notes.append(f"Two columns, float64 and int64; with g, {size:.1f} bytes a row in Parquet, in the page cache.")
    path.unlink()
    return table


def fastest(call: Callable[[], Any], runs: int = 4, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds of the fastest of several calls, after one that compiles."""
    call()
    found: list[float] = []
    for _ in range(runs):
        start = clock()
        call()
        found.append(clock() - start)
    return min(found)


def states_of(frame: pl.DataFrame, parts: int, by: Any) -> list[bytes]:
    """Return the state of each part, as it travels."""
    work = Pass(begin, {**OPTIONS, "by": by})
    rows = frame.height // parts
    return [
        pickle.dumps(work(FrameSource(frame.slice(part * rows, rows), "a part")), pickle.HIGHEST_PROTOCOL)
        for part in range(parts)
    ]


def merging(setting: Setting) -> Table:
    """Return how long states take to merge, in the tree of the engines and one after the other."""
    parts = max(FAN_IN + 1, int(PARTS * setting.scale))
    frame = table_of(parts * ROWS_IN_PART, GROUPS)
    start = time.perf_counter()
    sent = states_of(frame, parts, "g")
    made = time.perf_counter() - start
    states = [pickle.loads(each) for each in sent]
    start = time.perf_counter()
    tree, depth = merged(states)
    by_tree = time.perf_counter() - start
    start = time.perf_counter()
    line = Tallies()
    for state in states:
        line.follow(state)
    in_line = time.perf_counter() - start
    whole = Pass(begin, {**OPTIONS, "by": "g"})(FrameSource(frame, "all rows"))
    if not numbers(tree) == numbers(line) == numbers(whole):
        raise AssertionError("the states of parts do not add up to that of all rows")
    table = Table(f"States of {parts:,} parts with {GROUPS} groups each", head=("work", "time", "target"))
    limit = most("merge", SECONDS, by_tree, "s")
    table.targets.append(limit)
    table.rows.append((f"scoring them, {ROWS_IN_PART} rows each, and pickling the states", time_text(made), ""))
    table.rows.append((f"merging in a tree of {FAN_IN}, {depth} levels", time_text(by_tree), str(limit)))
    table.rows.append(("merging one after the other", time_text(in_line), ""))
    table.notes.append("Both are equal, by ==, to the state of one pass over all rows: exact sums, counts, groups.")
    table.notes.append(f"A state is {np.mean([len(each) for each in sent]):,.0f} bytes.")
    return table


def merged(states: list[Any]) -> tuple[Any, int]:
    """Return the states as one, and the levels of the tree."""
    depth = 0
    while len(states) > 1:
        states = [followed(states[i : i + FAN_IN]) for i in range(0, len(states), FAN_IN)]
        depth += 1
    return states[0], depth


def numbers(state: Tallies) -> dict[Any, Any]:
    """Return exact sums and counters by group."""
    places = state.keys.items()
    sums = state.sums.counts(len(state.keys))
    return {key: (sums[place], state.counters[place].tolist()) for key, place in places} | {"read": state.read}


def sizes(setting: Setting) -> Table:
    """Return the bytes of a state, as it travels, and how long two take to merge."""
    table = Table("A state, by its groups (or clusters, which are keys like them)", head=("groups", "bytes", "merge"))
    for groups in (1, 10, 1_000, 100_000):
        rows = max(5_000, 3 * groups)
        frame = table_of(rows, groups).with_columns(g=pl.int_range(rows) % groups)
        sent = states_of(frame, 1, "g")[0]
        state, other = pickle.loads(sent), pickle.loads(sent)
        seconds = fastest(lambda state=state, other=other: state.merge(other))
        table.rows.append((f"{groups:,}", f"{len(sent):,} ({len(sent) / groups:,.0f} a group)", time_text(seconds)))
    return table


def small_files(setting: Setting) -> Table:
    """Return what files cost beside their rows."""
    files = max(10, int(FILES * setting.scale))
    frame = table_of(files * ROWS_IN_FILE, GROUPS)
    folder = setting.folder / "small"
    folder.mkdir()
    for number in range(files):
        frame.slice(number * ROWS_IN_FILE, ROWS_IN_FILE).write_parquet(folder / f"{number:06d}.parquet")
    one = setting.folder / "one.parquet"
    frame.write_parquet(one)
    table = Table(f"{files:,} files of {ROWS_IN_FILE} rows", head=("work", "time", "a file"))
    for what, path, count in (("as they are", folder, files), ("as one file", one, 1)):
        seconds = fastest(lambda path=path: nll.score("y", DIST, path, progress=False), runs=2)
        table.rows.append((what, time_text(seconds), time_text(seconds / count)))
    for path in (*folder.iterdir(), one):
        path.unlink()
    return table


def many_groups(setting: Setting) -> Table:
    """Return what a table of very many groups costs."""
    groups = max(200_000, int(MANY_GROUPS * setting.scale))
    frame = table_of(groups * ROWS_IN_GROUP, groups)
    path, out = setting.folder / "many.parquet", setting.folder / "scores.parquet"
    frame.write_parquet(path)
    del frame
    start = time.perf_counter()
    found = nll.score_groups("y", DIST, path, by="g", into=out, progress=False)
    seconds = time.perf_counter() - start
    table = Table(f"nll.score_groups, {len(found):,} groups", head=("work", "time", "a group", "peak so far"))
    table.rows.append((_size(path, out), time_text(seconds), time_text(seconds / len(found)), f"{peak():.2f} GB"))
    path.unlink()
    out.unlink()
    return table


def _size(read: Path, written: Path) -> str:
    return f"{read.stat().st_size / 2**20:.0f} MiB read, {written.stat().st_size / 2**20:.0f} MiB written"
