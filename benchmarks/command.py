"""Fresh processes: `import nll`, and `nll score` on a small CSV; the files are in the page cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from benchmarks.bernoulli import events
from benchmarks.report import Table, compared, most
from benchmarks.setting import Setting
from benchmarks.timing import Work, alternate

ROWS = 1_000
MORE_ROWS = 100_000  # enough that kernels are compiled


def run(setting: Setting) -> list[Table]:
    python = [sys.executable, "-c"]
    works = [
        Work("python -c 'import nll'", lambda: _run([*python, "import nll"])),
        Work("python -c 'pass'", lambda: _run([*python, "pass"])),
        Work("python -c 'import polars'", lambda: _run([*python, "import polars"])),
    ]
    alternate(works, seconds=2.0)
    tables = [_with_limits("Import", works, {works[0].name: 0.25})]
    if find_spec("nll.cli") is None or find_spec("nll.__main__") is None:
        return [*tables, Table("nll score: no command in this version")]
    small, large = (_csv(setting.folder, n) for n in (ROWS, MORE_ROWS))
    with tempfile.TemporaryDirectory(dir=setting.folder) as kept:
        works = [
            Work("1,000 rows, warm caches", _scoring(small, lambda: kept)),
            Work("1,000 rows, empty kernel cache", _scoring(small, lambda: _empty(setting.folder))),
            Work("100,000 rows, warm caches", _scoring(large, lambda: kept)),
            Work("100,000 rows, empty kernel cache", _scoring(large, lambda: _empty(setting.folder))),
        ]
        alternate(works, seconds=3.0)
    limits = {works[0].name: 0.7, works[1].name: 1.0}
    return [*tables, _with_limits("`nll score` on a CSV, whole process", works, limits)]


def _with_limits(title: str, works: list[Work], limits: dict[str, float]) -> Table:
    """Return the table of works, some of which may take so many seconds."""
    table = compared(title, works)
    for i, work in enumerate(works):
        if work.name in limits:
            target = most("median", limits[work.name], work.median, "s")
            table.targets.append(target)
            table.rows[i] = (*table.rows[i][:-1], str(target))
    return table


def _csv(folder: Path, n: int) -> Path:
    y, p = events(n)
    path = folder / f"events_{n}.csv"
    pl.DataFrame({"y": y, "p": p}).write_csv(path)
    return path


def _empty(folder: Path) -> str:
    return tempfile.mkdtemp(dir=folder)


def _scoring(path: Path, cache: Callable[[], str]) -> Callable[[], None]:
    command = [sys.executable, "-m", "nll", "score", str(path), "-y", "y", "-d", "Bernoulli(probs=p)"]
    return lambda: _run(command, NUMBA_CACHE_DIR=cache())


def _run(command: list[str], **environment: str) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
