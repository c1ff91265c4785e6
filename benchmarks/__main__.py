"""Run benchmarks and print their tables; a complete run at full size also writes benchmarks/results.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path

from benchmarks.report import Table, machine
from benchmarks.setting import Setting

NAMES = (
    "bernoulli",
    "categorical",
    "families",
    "registry",
    "fit",
    "parquet",
    "groups",
    "compare",
    "command",
    "tokens",
    "scale",
    "memory",
)
RESULTS = Path(__file__).parent / "results.md"
READING = (
    "Times are of runs in turn, all in one process: their median and the fastest, in milliseconds or seconds of wall "
    "time, after a first call, which may compile and fill caches and is given apart. “time / nll” is by medians, with "
    "that of the fastest runs in brackets; a target is met by both, and unsure where they disagree (a busy machine)."
)


def main() -> int:
    options = _options()
    names = options.names or NAMES
    parts = ["# Benchmarks", "", *machine(), "", READING, ""]
    print("\n".join(parts), flush=True)
    failures = 0
    targets = []
    with tempfile.TemporaryDirectory(prefix="nll-bench-") as folder:
        setting = Setting(options.scale, Path(folder))
        for name in names:
            start = time.perf_counter()
            try:
                tables: list[Table] = import_module(f"benchmarks.{name}").run(setting)
            except Exception:
                failures += 1
                traceback.print_exc()
                tables = [Table(f"{name}: failed")]
            text = "\n".join([f"## {name.capitalize()}", "", *(table.markdown() for table in tables)])
            targets += [(table.title, target) for table in tables for target in table.targets]
            parts.append(text)
            print(text, f"({name} took {time.perf_counter() - start:.0f} s)\n", sep="\n", flush=True)
    met = sum(target.met is True for _, target in targets)
    summary = ["## Targets", "", f"{met} of {len(targets)} met. The others:", ""]
    summary += [f"- {title}: {target}" for title, target in targets if not target.met] or ["- none"]
    print("\n".join(summary))
    complete = tuple(names) == NAMES and options.scale == 1.0 and not failures
    output = options.output or (RESULTS if complete else None)
    if output is not None:
        output.write_text("\n".join([*parts, *summary, ""]))
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which to run: {', '.join(NAMES)}; all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="a fraction of the rows, to see that everything runs")
    parser.add_argument("-o", "--output", type=Path, help="write the tables here")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
