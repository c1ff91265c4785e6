"""Scores, fits and compares in a loop, with random sizes, and asserts that nothing grows: `make soak`.

    python tools/soak.py                  20 minutes
    python tools/soak.py --minutes 2

The first quarter of the time warms up: allocators, compiled kernels and pools of threads grow there and then stay. In
the rest resident memory, threads and open files must be flat. The table has a row every twentieth of the time.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

import nll

SMALLEST, LARGEST = 50, 200_000  # rows of a table
WARM = 0.25  # of the time
GROWTH = 48 << 20  # bytes of resident memory from the second quarter to the last, of which half is one large table
MORE_THREADS = 3  # a pool of Polars starts threads when it first needs them, and never ends them
ROWS = 20  # of the printed table


class Sample(NamedTuple):
    """What the process holds at one time."""

    seconds: float
    calls: int
    resident: int
    threads: int
    files: int


def main() -> int:
    """Run, print a table, and return 1 if something grew."""
    parser = argparse.ArgumentParser(
        description="Score, fit and compare in a loop; memory, threads and files stay flat."
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples, calls = soak(options.minutes * 60.0, options.seed, Path(folder))
    print("calls: " + ", ".join(f"{name} {count:,}" for name, count in sorted(calls.items())))
    grown = growth(samples)
    print("\n".join(grown) or "memory, threads and files are flat")
    return int(bool(grown))


def soak(seconds: float, seed: int, folder: Path) -> tuple[list[Sample], Counter[str]]:
    """Run tasks for so long; return what was held, some twice a second, and how often each task ran."""
    generator, draw = np.random.default_rng(seed), random.Random(seed)
    begun = shown = time.monotonic()
    samples: list[Sample] = []
    calls: Counter[str] = Counter()
    print(f"{'minutes':>8}{'calls':>9}{'resident MB':>13}{'threads':>9}{'files':>7}", flush=True)
    while (now := time.monotonic() - begun) < seconds:
        name, task = draw.choice(TASKS)
        # The first call is of the largest size, so that buffers do not grow later.
        size = LARGEST if not samples else int(10 ** draw.uniform(np.log10(SMALLEST), np.log10(LARGEST)))
        task(table(generator, size), folder / f"{calls.total()}")
        calls[name] += 1
        if not samples or now - samples[-1].seconds > 0.5:
            gc.collect()
            samples.append(held(now, calls.total()))
        if time.monotonic() - shown > seconds / ROWS:
            shown = time.monotonic()
            show(samples[-1])
    show(samples[-1])
    return samples, calls


def table(generator: np.random.Generator, rows: int) -> pl.DataFrame:
    """Return a table with outcomes y, probabilities p and q, numbers x, groups g."""
    p = generator.uniform(0.05, 0.95, rows)
    return pl.DataFrame(
        {
            "y": (generator.uniform(size=rows) < p).astype(np.int64),
            "p": p,
            "q": generator.uniform(0.05, 0.95, rows),
            "x": generator.gamma(2.0, 1.5, rows) + 1e-9,
            "g": generator.integers(0, 7, rows),
        }
    )


def _score_arrays(frame: pl.DataFrame, path: Path) -> None:
    nll.score(frame["y"].to_numpy(), nll.Bernoulli(probs=frame["p"].to_numpy()))


def _score_file(ending: str) -> Callable[[pl.DataFrame, Path], None]:
    def run(frame: pl.DataFrame, path: Path) -> None:
        file = path.with_suffix(ending)
        write: dict[str, Callable[[Path], Any]] = {
            ".csv": frame.write_csv,
            ".parquet": frame.write_parquet,
            ".arrow": frame.write_ipc,
            ".jsonl": frame.write_ndjson,
        }
        write[ending](file)
        result: Any = nll.score("y", nll.Bernoulli(probs="p"), file, by="g", where="q > 0.25")
        result.to_json()
        file.unlink()

    return run


def _refused(frame: pl.DataFrame, path: Path) -> None:
    """Read a broken file: an error, too, must give back what it held."""
    file = path.with_suffix(".parquet")
    frame.write_parquet(file)
    file.write_bytes(file.read_bytes()[:-9])
    try:
        nll.score("y", nll.Bernoulli(probs="p"), file)
    except nll.errors.DataError:
        file.unlink()
        return
    raise AssertionError("a truncated file was scored")


def _fit(frame: pl.DataFrame, path: Path) -> None:
    fit: Any = nll.fit("x", nll.Gamma, frame)
    nll.load(fit.to_json())


def _fit_groups(frame: pl.DataFrame, path: Path) -> None:
    nll.fit("x", nll.Exponential, frame, by="g")


def _compare(frame: pl.DataFrame, path: Path) -> None:
    nll.compare("y", {"p": nll.Bernoulli(probs="p"), "q": nll.Bernoulli(probs="q")}, data=frame).to_json()


def _tokens(frame: pl.DataFrame, path: Path) -> None:
    file = path.with_suffix(".jsonl")
    values = np.log(frame["p"].to_numpy()).tolist()
    lines = [{"id": i, "token_logprobs": values[i : i + 50]} for i in range(0, len(values), 50)]
    file.write_text("\n".join(map(json.dumps, lines)))
    nll.tokens(file)
    file.unlink()


TASKS: tuple[tuple[str, Callable[[pl.DataFrame, Path], None]], ...] = (
    ("score arrays", _score_arrays),
    ("score CSV", _score_file(".csv")),
    ("score Parquet", _score_file(".parquet")),
    ("score Arrow", _score_file(".arrow")),
    ("score JSON lines", _score_file(".jsonl")),
    ("refuse", _refused),
    ("fit", _fit),
    ("fit groups", _fit_groups),
    ("compare", _compare),
    ("tokens", _tokens),
)


def held(seconds: float, calls: int) -> Sample:
    """Return what this process holds."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (as cheap as can be)
    return Sample(seconds, calls, int(status["VmRSS"].split()[0]) << 10, int(status["Threads"]), files)


def show(sample: Sample) -> None:
    """Print a row of the table."""
    minutes, megabytes = sample.seconds / 60.0, sample.resident / 2**20
    print(f"{minutes:>8.1f}{sample.calls:>9,}{megabytes:>13,.0f}{sample.threads:>9}{sample.files:>7}", flush=True)


def growth(samples: list[Sample]) -> list[str]:
    """Return a sentence for each thing that grew after the warm-up."""
    warm = [sample for sample in samples if sample.seconds >= WARM * samples[-1].seconds]
    if len(warm) < 6:
        return ["too few calls after the warm-up to say anything: give it more minutes"]
    early, late = warm[: len(warm) // 3], warm[-(len(warm) // 3) :]
    found: list[str] = []
    before, after = (statistics.median(s.resident for s in part) for part in (early, late))
    if after - before > GROWTH:
        found.append(f"resident memory grew from {before / 2**20:,.0f} to {after / 2**20:,.0f} MB")
    for name in ("threads", "files"):
        before, after = (max(getattr(s, name) for s in part) for part in (early, late))
        if after > before + (MORE_THREADS if name == "threads" else 0):
            found.append(f"{name} grew from {before} to {after}")
    return found


if __name__ == "__main__":
    sys.exit(main())
