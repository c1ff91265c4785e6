"""Time several ways of doing one piece of work, in turn, so that a change of the machine's mood meets them all."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

PAUSE = 0.01  # seconds between runs: the threads of an OpenMP library spin for a while after their work
MOST_RUNS = 25
LEAST_RUNS = 3


def unchanged(result: Any) -> Any:
    """Return a result as it is: the value of work that gives a number."""
    return result


@dataclass(slots=True)
class Work:
    """One way of doing the work, and what is asked of it.

    Attributes
    ----------
    name : what the table calls it.
    call : does the work; it is timed.
    at_least : the base must be this many times as fast.
    at_most : the base may take this many times as long; for work that does less, such as reading.
    base : the name of the work that it is compared with; the first of a table by default.
    value : makes a number of the result, to see that all did the same work; not timed.
    first, runs : seconds of the first call, which may compile and fill caches, and of the others.
    """

    name: str
    call: Callable[[], Any]
    at_least: float | None = None
    at_most: float | None = None
    base: str = ""
    value: Callable[[Any], float | None] = unchanged
    first: float = 0.0
    runs: list[float] = field(default_factory=list)
    found: float | None = None

    @property
    def median(self) -> float:
        return median(self.runs)

    @property
    def fastest(self) -> float:
        return min(self.runs)


def alternate(works: Sequence[Work], seconds: float = 5.0) -> None:
    """Call each work once, then all in turn, and keep the times in them.

    A work that has run at least three times and for `seconds` altogether leaves; the others go on.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for work in works:
            work.first, result = timed(work.call)
            work.found = work.value(result)
            del result
        for _ in range(MOST_RUNS):
            for work in works:
                if len(work.runs) < LEAST_RUNS or sum(work.runs) < seconds:
                    time.sleep(PAUSE)
                    work.runs.append(timed(work.call)[0])


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that a call took, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result
