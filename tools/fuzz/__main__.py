"""Runs many cases of every target, one process at a time, and prints what became of them.

    python -m tools.fuzz                       100,000 cases, some ten minutes
    python -m tools.fuzz --cases 2000 --seed 7
    python -m tools.fuzz --target csv --again 1234      one case again, in this process

An input that ends in anything but an answer or an error of ours is kept under .fuzz/ with what happened.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tools.fuzz.targets import TARGETS
from tools.fuzz.worker import CURRENT, PROGRESS, make, run

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".fuzz"
BATCH = 4_000  # cases of one process
HANG = 60.0  # seconds without a case


@dataclass
class Outcome:
    """What became of the cases of a target."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)


def main() -> int:
    """Run; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.fuzz", description=__doc__.split("\n")[0] if __doc__ else None
    )
    parser.add_argument("--cases", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this one; may be repeated")
    parser.add_argument(
        "--again", type=int, metavar="INDEX", help="run one case of --target here, and raise what it raises"
    )
    parser.add_argument("--kept", type=Path, default=KEPT, help="where inputs of faults go")
    options = parser.parse_args()
    chosen = options.target or list(TARGETS)
    if options.again is not None:
        with tempfile.TemporaryDirectory() as folder:
            data = make(chosen[0], options.seed, options.again)
            print(data[:2000])
            os.chdir(folder)
            print(run(TARGETS[chosen[0]], data, Path(folder)))
        return 0
    shares = sum(TARGETS[name].share for name in chosen)
    total: Counter[str] = Counter()
    failed = False
    print(
        f"{'target':<14}{'cases':>8}{'answered':>10}{'refused':>9}{'faults':>8}{'cases/s':>9}{'slowest':>9}", flush=True
    )
    for name in chosen:
        cases = -(-options.cases * TARGETS[name].share // shares)
        outcome = fuzz(name, options.seed, cases, options.kept)
        counts = outcome.counts
        total += counts
        done = counts.total()
        print(
            f"{name:<14}{done:>8,}{counts['answered']:>10,}{counts['refused']:>9,}{counts['fault']:>8,}"
            f"{done / max(outcome.seconds, 1e-9):>9.0f}{outcome.slowest:>7.2f} s",
            flush=True,
        )
        for fault in outcome.faults[:5]:
            print(f"  {fault}", flush=True)
        failed |= counts["fault"] > 0
    print(f"{'all':<14}{total.total():>8,}{total['answered']:>10,}{total['refused']:>9,}{total['fault']:>8,}")
    return int(failed)


def fuzz(name: str, seed: int, cases: int, kept: Path) -> Outcome:
    """Run the cases of a target, in as many processes as it takes."""
    outcome = Outcome()
    begun = time.monotonic()
    first = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        while first < cases:
            (folder / PROGRESS).write_text("")
            last = min(first + BATCH, cases)
            worker = ["-m", "tools.fuzz.worker", name, str(seed), str(first), str(last), str(folder)]
            ended = watched(worker, folder, HANG)
            lines = [json.loads(line) for line in (folder / PROGRESS).read_text().splitlines()]
            for index, result, seconds in lines:
                outcome.slowest = max(outcome.slowest, seconds)
                kind = result.split(":")[0]
                outcome.counts[kind] += 1
                if kind == "fault":
                    data = make(name, seed, index)
                    outcome.faults.append(_keep(kept, name, seed, index, data, result))
            first += len(lines)
            if ended:
                data = (folder / CURRENT).read_bytes() if (folder / CURRENT).exists() else b""
                outcome.counts["fault"] += 1
                outcome.faults.append(_keep(kept, name, seed, first, data, ended))
                first += 1
    outcome.seconds = time.monotonic() - begun
    return outcome


def watched(arguments: list[str], folder: Path, hang: float) -> str:
    """Run Python in a process; return how it died, or ""; it hangs if PROGRESS does not grow for `hang` seconds."""
    command = [sys.executable, *arguments]
    environment = {
        **os.environ,
        "POLARS_MAX_THREADS": "2",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    with tempfile.TemporaryFile() as errors:
        worker = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
        size, seen = -1, time.monotonic()
        while worker.poll() is None:
            time.sleep(0.05)
            now = (folder / PROGRESS).stat().st_size
            if now != size:
                size, seen = now, time.monotonic()
            elif time.monotonic() - seen > hang:
                worker.send_signal(signal.SIGABRT)  # faulthandler says where it stood
                try:
                    worker.wait(10)
                except subprocess.TimeoutExpired:
                    worker.kill()
                worker.wait()
                return "hang" + _tail(errors)
        return "" if worker.returncode == 0 else f"died with {worker.returncode}" + _tail(errors)


def _tail(errors: object) -> str:
    errors.seek(0)  # type: ignore[attr-defined]
    return ": " + errors.read().decode("utf-8", "replace")[-3000:]  # type: ignore[attr-defined]


def _keep(kept: Path, name: str, seed: int, index: int, data: bytes, what: str) -> str:
    """Write the input of a fault and what happened; return a line about it."""
    kept.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace(' ', '-')}-{seed}-{index}"
    (kept / f"{stem}.input").write_bytes(data)
    (kept / f"{stem}.txt").write_text(what)
    last = what.strip().splitlines()[-1] if what.strip() else what
    return f"{stem}: {what.splitlines()[0][:60]} … {last[:160]}"


if __name__ == "__main__":
    sys.exit(main())
