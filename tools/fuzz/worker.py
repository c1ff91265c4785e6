"""Runs the cases of one target in a process of its own, which may crash, hang or grow: the parent watches."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import resource
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path

from tools.fuzz.checks import no_canary
from tools.fuzz.targets import TARGETS, Target

from nll.errors import NllError

CURRENT, PROGRESS = "current", "progress"
ADDRESS_SPACE = 12 << 30  # bytes, most of which threads and mappings only reserve
MOST_GROWTH = 600 << 20  # bytes of one case
SLOW = 10.0  # seconds of one case that are a fault of their own


def make(name: str, seed: int, index: int) -> bytes:
    """Return the input of a case: the same for the same name, seed and index."""
    return TARGETS[name].make(random.Random(f"{name}:{seed}:{index}"))


def run(target: Target, data: bytes, folder: Path) -> str:
    """Run one case; return "answered" or "refused", or raise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.run(data, folder, random.Random(data))
        outcome = "answered"
    except NllError as error:
        if not str(error).strip():
            raise AssertionError("an error without a message") from error
        outcome = "refused"
    no_canary(folder)
    return outcome


def peak(reset: bool = False) -> int:
    """Return the largest resident size so far, in bytes; or begin to count anew."""
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


def main(name: str, seed: int, first: int, last: int, folder: Path) -> None:
    """Run cases first to last - 1; write each input before it runs, and a line after it."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    place = folder / "case"
    progress = (folder / PROGRESS).open("a", buffering=1)
    for index in range(first, last):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        os.chdir(place)
        data = make(name, seed, index)
        (folder / CURRENT).write_bytes(data)
        before, begun = peak(reset=True), time.monotonic()
        try:
            outcome = run(TARGETS[name], data, place)
        except BaseException as error:  # a panic of Polars is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome = "fault: " + "".join(traceback.format_exception(error))[-6000:]
        seconds, growth = time.monotonic() - begun, peak() - before
        if not outcome.startswith("fault") and seconds > SLOW:
            outcome = f"fault: it took {seconds:.1f} s"
        if not outcome.startswith("fault") and growth > MOST_GROWTH:
            outcome = f"fault: it took {growth >> 20} MB"
        progress.write(json.dumps([index, outcome, round(seconds, 4)]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
