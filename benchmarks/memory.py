"""Peak resident memory of a fresh process that scores a Parquet set, by rows and by files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.report import Table, figures, most, time_text
from benchmarks.setting import Setting

ROWS = 20_000_000  # in one file
SETS = (1, 3, 10)  # files: 20, 60 and 200 million rows
MANY = 50
LIMIT = 1.0  # GB
FLAT = 1.25  # the largest peak over the smallest


def run(setting: Setting) -> list[Table]:
    n = setting.rows(ROWS)
    whole, pieces = setting.folder / "set", setting.folder / "pieces"
    whole.mkdir()
    pieces.mkdir()
    table = Table("Peak resident memory", head=("work", "peak", "wall time", "target"))
    _write(pieces, 1, n // MANY, 0)
    few = _child(pieces)
    table.rows.append((f"{n // MANY:,} rows, 1 file", _gigabytes(few[0]), time_text(few[1]), ""))
    _write(pieces, MANY, n // MANY, 0)
    peaks: list[float] = []
    written = 0
    for name, folder, files in [*((f"{f} files", whole, f) for f in SETS), (f"{MANY} files", pieces, MANY)]:
        if folder == whole:
            _write(whole, files, n, written)
            written = files
        rows = files * n if folder == whole else files * (n // MANY)
        peak, seconds = _child(folder)
        peaks.append(peak)
        target = most("peak", LIMIT, peak, "GB")
        table.targets.append(target)
        label = name.replace("1 files", "1 file")
        table.rows.append((f"{rows:,} rows, {label}", _gigabytes(peak), time_text(seconds), str(target)))
    flat = most("largest peak", FLAT, max(peaks) / min(peaks), "× the smallest")
    table.targets.append(flat)
    table.notes.append(f"Flat in rows and files: {flat}.")
    table.notes.append("The set is generated data, two columns, in the page cache; wall time is without imports.")
    shutil.rmtree(whole)
    shutil.rmtree(pieces)
    return [table]


def _gigabytes(value: float) -> str:
    return f"{figures(value)} GB"


def _write(folder: Path, files: int, rows: int, written: int) -> None:
    """Write the files that are not there yet."""
    for i in range(written, files):
        rng = np.random.default_rng(100 + i)
        p = rng.random(rows)
        frame = pl.DataFrame({"y": (rng.random(rows, np.float32) < p).astype(np.int64), "p": p})
        frame.write_parquet(folder / f"part_{i:03d}.parquet")


def _child(folder: Path) -> tuple[float, float]:
    """Return peak memory (GB) and seconds of a process that scores a folder."""
    command = [sys.executable, "-m", "benchmarks.memory", str(folder)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    found = json.loads(done.stdout)
    return found["peak"], found["seconds"]


def peak() -> float:
    """Return the peak resident memory of this process, in GB (1e9 bytes)."""
    # Linux hands the parent's peak on to getrusage of a child that is started by vfork: read the process's own.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e9
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def score(folder: str) -> None:
    """Score a folder and print the peak of memory: the child process."""
    import nll

    nll.score(1, nll.Bernoulli(probs=0.5))
    start = time.perf_counter()
    found = nll.score("y", nll.Bernoulli(probs="p"), data=folder)
    seconds = time.perf_counter() - start
    print(json.dumps({"peak": peak(), "seconds": seconds, "rows": found.n, "mean": found.mean}))


if __name__ == "__main__":
    score(sys.argv[1])
