"""Tables of times and ratios, in Markdown, and the machine and versions behind them."""

from __future__ import annotations

import hashlib
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nll
from benchmarks.timing import Work

PACKAGES = (
    "numpy", "numba", "polars", "pyarrow", "scikit-learn", "scipy", "torch", "duckdb", "numba-stats", "scoringrules",
    "iminuit", "statsmodels", "lifelines",
)  # fmt: skip
HEAD = ("work", "median", "fastest", "first call", "time / nll", "target")
BUSY = 0.25  # load by core above which times are not worth quoting
SAME = 1e-6  # relative difference above which a peer did other work, or did it wrong


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked, what was found, and whether that is enough: None where medians and fastest runs disagree."""

    asked: str
    found: str
    met: bool | None

    def __str__(self) -> str:
        verdict = "met" if self.met else "**unsure**" if self.met is None else "**missed**"
        return f"{self.asked}; {self.found}: {verdict}"


@dataclass(slots=True)
class Table:
    """Rows of text under a title; the targets among them; sentences to go below."""

    title: str
    head: Sequence[str] = HEAD
    rows: list[Sequence[str]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"### {self.title}", ""]
        if self.rows:
            lines += [_line(self.head), _line(["---", *["--:"] * (len(self.head) - 2), "---"])]
            lines += [_line(row) for row in self.rows]
            lines.append("")
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def compared(title: str, works: Sequence[Work], notes: Sequence[str] = ()) -> Table:
    """Return the table of works that have run; the first is ours, and the value that the others must have."""
    table = Table(title, notes=list(notes))
    by_name = {work.name: work for work in works}
    for work in works:
        base = by_name[work.base] if work.base else works[0]
        target = _target(work, base)
        if target is not None:
            table.targets.append(target)
        ratio = "" if work is base else f"{figures(work.median / base.median)} ({figures(work.fastest / base.fastest)})"
        cells = (time_text(work.median), time_text(work.fastest), time_text(work.first), ratio)
        table.rows.append((work.name + _wrong(work, base), *cells, "" if target is None else str(target)))
    return table


def _target(work: Work, base: Work) -> Target | None:
    if work.at_least is not None:
        ratio, fastest = work.median / base.median, work.fastest / base.fastest
        asked, met = f"≥ {work.at_least:g} ×", [r >= work.at_least for r in (ratio, fastest)]
    elif work.at_most is not None:
        ratio, fastest = base.median / work.median, base.fastest / work.fastest
        asked, met = f"nll ≤ {work.at_most:g} × this", [r <= work.at_most for r in (ratio, fastest)]
    else:
        return None
    return Target(asked, f"{figures(ratio)} (fastest {figures(fastest)})", met[0] if met[0] == met[1] else None)


def _wrong(work: Work, base: Work) -> str:
    """Say so where a peer's number is another one."""
    if work.found is None or base.found is None or math.isclose(work.found, base.found, rel_tol=SAME):
        return ""
    return f" (**gives {work.found:.7g}**, nll {base.found:.7g})"


def most(asked: str, limit: float, found: float, unit: str) -> Target:
    """Return the target of a number that may be at most `limit`."""
    return Target(f"{asked} ≤ {limit:g} {unit}", f"{figures(found)} {unit}", found <= limit)


def figures(value: float) -> str:
    """Return a number with three figures, without an exponent where people would not write one."""
    if value == 0.0 or not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def time_text(seconds: float) -> str:
    return f"{figures(seconds)} s" if seconds >= 1.0 else f"{figures(1e3 * seconds)} ms"


def machine() -> list[str]:
    """Return sentences on the date, the machine and the versions; no names of hosts."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    busy = os.getloadavg()[0]
    warning = " **The machine was busy: do not quote these times.**" if cores and busy > BUSY * cores else ""
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {cores} cores, {memory:.0f} GiB of memory, "
        f"{platform.system()}, {platform.python_implementation()} {platform.python_version()}.",
        f"Load of the machine from other work at the start: {busy:.1f} of {cores} cores.{warning}",
        f"nll {nll.__version__} (sources {_sources()}); " + ", ".join(map(_version, PACKAGES)) + ".",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    about = f"family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"
    return f"{facts.get('model name', platform.machine())} ({about})"


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} not installed"


def _sources() -> str:
    """Return a short hash of the library's code: which code gave these numbers."""
    folder = Path(nll.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
