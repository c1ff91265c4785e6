"""The default engine: threads of this process over batches, reading ahead while kernels run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from nll.errors import UsageError


class Chunk(Protocol):
    """Consecutive rows: the number of the first, and how many."""

    @property
    def first(self) -> int:
        """The number of the first row."""
        ...

    @property
    def size(self) -> int:
        """How many rows there are."""
        ...


C = TypeVar("C", bound=Chunk)
S = TypeVar("S")
Progress = Callable[[int], None]  # called with the rows done since the last call
SECONDS_DEAF = 0.1  # the longest that an interruption waits to be seen


class Local:
    """Runs a step on every chunk and merges the states; knows no statistics.

    Parameters
    ----------
    threads : how many threads run steps; all CPUs that this process may use by default.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise UsageError(f"threads is a whole number of at least 1; got {threads!r}")
        self.threads = threads or _usable_cpus()

    def reduce(
        self,
        chunks: Iterator[C],
        step: Callable[[S, C], Any],
        zero: Callable[[], S],
        merge: Callable[[S, S], Any],
        progress: Progress | None = None,
    ) -> S:
        """Return a state to which a step has added every chunk.

        Each thread has a state of its own, begun by `zero`; they merge in the end. Raises what the first failing
        chunk raised. An interruption stops all threads after their chunk.
        """
        head = list(islice(chunks, 2))
        every = chain(head, chunks)
        if self.threads == 1 or len(head) < 2:
            state = zero()
            for chunk in every:
                step(state, chunk)
                if progress is not None:
                    progress(chunk.size)
            return state
        return _Pass(every, step, zero, merge, progress).run(self.threads)


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Pass:
    """One pass by several threads, which take chunks from one iterator."""

    def __init__(
        self,
        chunks: Iterator[Any],
        step: Callable[[Any, Any], Any],
        zero: Callable[[], Any],
        merge: Callable[[Any, Any], Any],
        progress: Progress | None,
    ) -> None:
        self.chunks, self.step, self.zero, self.merge, self.progress = chunks, step, zero, merge, progress
        self.reading, self.stop = threading.Lock(), threading.Event()
        self.failures: list[tuple[int, BaseException]] = []
        self.read_to = 0

    def run(self, threads: int) -> Any:
        """Return the merged state of all threads."""
        with ThreadPoolExecutor(threads, thread_name_prefix="nll") as pool:
            futures = [pool.submit(self.work) for _ in range(threads)]
            running = set(futures)
            try:
                # Polars' handler of SIGINT restarts a wait without end, so that this thread would never look up.
                while running:
                    running = wait(running, timeout=SECONDS_DEAF).not_done
            finally:
                self.stop.set()  # also on KeyboardInterrupt, which only this thread sees
        if self.failures:
            raise min(self.failures, key=lambda failure: failure[0])[1]
        state = futures[0].result()
        for future in futures[1:]:
            self.merge(state, future.result())
        return state

    def work(self) -> Any:
        """Add chunks to a state until there are none, or one fails."""
        state = self.zero()
        while not self.stop.is_set():
            try:
                with self.reading:
                    chunk = None if self.stop.is_set() else next(self.chunks, None)
                    if chunk is not None:
                        self.read_to = chunk.first + chunk.size
            except BaseException as error:
                self.fail(self.read_to, error)
                break
            if chunk is None:
                break
            try:
                self.step(state, chunk)
                if self.progress is not None:
                    self.progress(chunk.size)
            except BaseException as error:
                self.fail(chunk.first, error)
                break
        return state

    def fail(self, first: int, error: BaseException) -> None:
        """Note a failure and stop the pass."""
        # Chunks are taken in order, so every chunk before this one is done or in work: the first failure is found.
        self.failures.append((first, error))
        self.stop.set()
