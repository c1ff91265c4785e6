"""Work in processes: for passes that hold the interpreter's lock, such as those over JSON.

A process is started anew, with this one's search path, and asked for jobs over pipes. Nothing of the calling program is
imported or forked, so scripts need no guard, and threads and locks stay where they are.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from typing import Any

# The first thing a process does. Its own standard output is for answers; what its libraries print goes to stderr.
BEGIN = (
    "import sys, pickle; sys.path[:] = pickle.load(sys.stdin.buffer); from nll.engines.processes import serve; serve()"
)


class Processes:
    """Processes of this machine as an engine of jobs.

    Parameters
    ----------
    count : how many work, this one included.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def gather(self, run: Callable[[Any], Any], jobs: Iterable[Any]) -> Any:
        """Return the states of jobs, merged in their order by `follow`; the next are done meanwhile."""
        with closing(in_processes(run, iter(jobs), self.count)) as states:  # an interruption ends the processes at once
            whole: Any = next(states, None)
            for state in states:
                whole = whole.follow(state)
        return whole


def in_processes(run: Callable[[Any], Any], jobs: Iterator[Any], processes: int) -> Generator[Any, None, None]:
    """Return the answers to jobs in their order; this process does its share of them.

    Parameters
    ----------
    run : a function of a module, or an object, called with a job. It, jobs and answers are pickled.
    processes : how many work, this one included.

    Raises what the first failing job raised. A process that dies does no harm: its job is done here.
    """
    if processes < 2 or not sys.executable or getattr(sys, "frozen", False):  # frozen: the program, and no interpreter
        yield from map(run, jobs)
        return
    crew = _Crew(run, jobs)
    try:
        crew.start(processes - 1)
        yield from crew.answers()
    finally:
        crew.end()


class _Crew:
    """Processes, a thread for each that hands it jobs, and the answers."""

    def __init__(self, run: Callable[[Any], Any], jobs: Iterator[Any]) -> None:
        self.run = run
        self.jobs, self.handed = jobs, 0
        self.taking, self.stop, self.ready = threading.Lock(), threading.Event(), threading.Condition()
        self.done: dict[int, Any] = {}
        self.again: list[tuple[int, Any]] = []  # jobs of processes that died
        self.in_work = 0
        self.processes: list[subprocess.Popen[bytes]] = []
        self.threads: list[threading.Thread] = []

    def start(self, count: int) -> None:
        """Start processes."""
        for _ in range(count):
            try:
                process = subprocess.Popen([sys.executable, "-c", BEGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            except OSError:
                return  # then those that there are do it
            self.processes.append(process)
            self.threads.append(threading.Thread(target=self._lead, args=(process,), name="nll-process", daemon=True))
            self.threads[-1].start()

    def answers(self) -> Iterator[Any]:
        """Return answers in the order of the jobs, and do jobs as long as there are some."""
        wanted = 0
        while True:
            while (answer := self._taken(wanted)) is not None:
                kind, value = answer
                if kind == "error":
                    raise value
                yield value
                wanted += 1
            job = self._next()
            if job is not None:
                self._note(job[0], _answer(self.run, job[1]))
                continue
            with self.ready:
                if wanted in self.done or self.again:
                    continue
                if not self.in_work:
                    return
                self.ready.wait(0.1)

    def end(self) -> None:
        """Stop everything."""
        self.stop.set()
        for process in self.processes:
            process.kill()
        for thread in self.threads:
            thread.join()
        for process in self.processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # what was not sent is not wanted
                        pipe.close()

    def _taken(self, number: int) -> Any:
        with self.ready:
            return self.done.pop(number, None)

    def _next(self) -> tuple[int, Any] | None:
        with self.taking:
            if self.again:
                job = self.again.pop()
            elif self.stop.is_set():
                return None
            else:
                job = self._fresh()
            if job is not None:
                with self.ready:
                    self.in_work += 1
            return job

    def _fresh(self) -> tuple[int, Any] | None:
        """Return the next job; what making it raises is its answer."""
        number = self.handed
        try:
            job = next(self.jobs)
        except StopIteration:
            return None
        except Exception as error:
            with self.ready:
                self.done[number] = "error", error
            job = None
        self.handed += 1
        return None if job is None else (number, job)

    def _note(self, number: int, answer: Any) -> None:
        with self.ready:
            self.done[number] = answer
            self.in_work -= 1
            self.ready.notify_all()

    def _lead(self, process: subprocess.Popen[bytes]) -> None:
        """Hand jobs to a process until there are none, or it dies."""
        job = None
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.dump(sys.path, process.stdin)
            pickle.dump(self.run, process.stdin)
            process.stdin.flush()
            pickle.load(process.stdout)  # it is ready
            while (job := self._next()) is not None:
                pickle.dump(job[1], process.stdin)
                process.stdin.flush()
                self._note(job[0], pickle.load(process.stdout))
        except Exception:  # a broken pipe, or half an answer
            if job is not None:
                with self.ready:
                    self.again.append(job)
                    self.in_work -= 1
                    self.ready.notify_all()


def _answer(run: Callable[[Any], Any], job: Any) -> tuple[str, Any]:
    try:
        return "value", run(job)
    except Exception as error:
        return "error", error


def serve() -> None:
    """Answer jobs until there are no more: what a process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program that is interrupted ends this one
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    run = pickle.load(sys.stdin.buffer)
    pickle.dump("ready", answers)
    answers.flush()
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_answer(run, job), answers)
        answers.flush()
