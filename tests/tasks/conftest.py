"""Ways to run a score: in chunks of any size, compiled or as plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import pytest

from nll.kernels.kernel import Kernel

# Kernels of their own, so that tests choose whether they compile, and do not hinder each other.
plain_kernel = cache(lambda form: Kernel(form, seconds_left=1e9))
compiled_kernel = cache(lambda form: Kernel(form, seconds_left=0.0))


@contextmanager
def running_(compiled: bool | None = None, rows: int | None = None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if compiled is not None:
            patch.setattr("nll.tasks.tally.kernel", compiled_kernel if compiled else plain_kernel)
        if rows is not None:
            patch.setattr("nll.tasks.chunks.ROWS_IN_CHUNK", rows)
            patch.setattr("nll.sources.frames.BATCH_ROWS", rows)
        yield


@pytest.fixture(scope="session")
def running() -> Callable[..., AbstractContextManager[None]]:
    """running(compiled=True | False, rows=n): scores run compiled or not, in chunks of n rows."""
    return running_


def bits_(score: Any) -> Any:
    """Every number of a result as text that tells any two doubles apart, but for NaN."""
    if hasattr(score, "groups"):
        return {key: bits_(each) for key, each in score.items()}, bits_(score.total)
    numbers = tuple(float(x).hex() for x in (score.sum, score.mean, score.stderr, score.weight, score.largest_clipped))
    counts = (score.n, score.read, score.missing, score.unweighted, score.impossible, score.clipped, score.clusters)
    return numbers, counts


@pytest.fixture(scope="session")
def bits() -> Callable[[Any], Any]:
    return bits_
