"""How the driver asks Spark for outcomes: with an eye on interruptions, and in words when Spark fails."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from nll.engines.dask import merged
from nll.engines.local import SECONDS_DEAF, Progress
from nll.errors import DataError, EngineError, NllError, first_line

RAISED = re.compile(r"^\s*((?:\w+\.)*\w+(?:Error|Exception|Exit|Interrupt))(?::\s*(.*))?$", re.MULTILINE)
LAST = re.compile(r"most recent failure: Lost task [^)]*\) \([^)]*\): (.*)")
PACKAGE = re.compile(r"^(?:(?:[a-z]\w*\.)+[A-Z]\w*: )+")
UNREADABLE = ("FAILED_READ_FILE", "CANNOT_READ", "FILE_NOT_EXIST", "PATH_NOT_FOUND")
WORKERS = (
    "the Python of Spark's workers cannot run nll: {}; install nll[spark] there, and set PYSPARK_PYTHON to that Python "
    "before the session starts"
)
OLDEST_JAVA = 17


def gathered(session: Any, outcomes: Any, progress: Progress | None) -> tuple[Any, int]:
    """Return the merged state of the outcomes that a frame holds, None without any, and the number of parts.

    Raises
    ------
    NllError : what the first failing part raised, or in a sentence why Spark failed.
    """
    rows = sorted(watched(session, outcomes.collect, progress), key=lambda row: row["part"])
    if not rows:
        return None, 0
    state = merged([pickle.loads(row["state"]) for row in rows])
    if hasattr(state, "error"):
        raise state.error
    if progress is not None:
        progress(state.read)
    return state, rows[-1]["last"] + 1


def watched(session: Any, work: Callable[[], Any], progress: Progress | None) -> Any:
    """Return what an action of Spark returns; an interruption cancels its jobs."""
    from pyspark.util import inheritable_thread_target

    tag = f"nll-{uuid4().hex}"
    # The tags of a classic session are known to the thread that gives them alone, and those of its context to all.
    remote = "connect" in type(session).__module__
    mark, cancel = (
        (session.addTag, session.interruptTag)
        if remote
        else (session.sparkContext.addJobTag, session.sparkContext.cancelJobsWithTag)
    )
    done, results, failures = threading.Event(), [], []

    def run() -> None:
        try:
            mark(tag)
            with quietly():
                results.append(work())
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    target = inheritable_thread_target(session)(run)
    # A thread of its own: this one must look up to see an interruption, which an answer of the JVM would keep waiting.
    threading.Thread(target=target, name="nll-spark", daemon=True).start()
    try:
        while not done.wait(SECONDS_DEAF):
            if progress is not None:
                progress(0)
    except BaseException:
        cancel(tag)
        raise
    if failures:
        raise explained(failures[0]) from failures[0]
    return results[0]


def explained(error: BaseException) -> BaseException:
    """Return our error for one of Spark."""
    if not isinstance(error, Exception) or isinstance(error, NllError):
        return error
    text, why = str(error), said(error)
    if "ModuleNotFoundError" in text or "PYTHON_VERSION_MISMATCH" in text or "ImportError" in text:
        return EngineError(WORKERS.format(why))
    if any(word in text for word in UNREADABLE):
        return DataError(f"the Spark DataFrame cannot be read: {why}")
    return EngineError(f"Spark could not finish the pass: {why}")


def said(error: BaseException) -> str:
    """Return in one sentence why Spark failed."""
    text = str(getattr(error, "java_exception", None) or error)
    if "Traceback (most recent call last)" in text:
        raised = RAISED.findall(text[text.index("Traceback (most recent call last)") :].partition("\n\n")[0])
        if raised:
            kind, message = raised[-1]
            return f"{kind.rpartition('.')[2]}: {message}".rstrip(": ")
    last = LAST.search(text)
    return first_line(RuntimeError(PACKAGE.sub("", text if last is None else last.group(1))))


@contextmanager
def quietly() -> Iterator[None]:
    """Keep back what Spark has to say of the versions of pandas and Arrow, which nll does not use there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="pyspark")
        yield


@contextmanager
def spoken() -> Iterator[None]:
    """Turn what Spark raises of a plan, or of a session that has ended, into our errors."""
    try:
        with quietly():
            yield
    except Exception as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # it came while the bridge to Java was at work
            raise KeyboardInterrupt from error
        if type(error).__module__.partition(".")[0] in ("pyspark", "py4j"):
            raise explained(error) from error
        raise


@contextmanager
def own_python(session: Any) -> Iterator[None]:
    """Let the workers of a session on this machine run the Python of this process, unless another one is set."""
    context = None if "connect" in type(session).__module__ else session.sparkContext
    chosen = "PYSPARK_PYTHON" in os.environ or "PYSPARK_DRIVER_PYTHON" in os.environ
    if context is None or chosen or not context.master.startswith("local"):
        yield
        return
    before, context.pythonExec = context.pythonExec, sys.executable
    try:
        yield
    finally:
        context.pythonExec = before


def java_missing() -> str:
    """Return why there is no Java for Spark; "" if there is one."""
    home = os.environ.get("JAVA_HOME")
    command = os.path.join(home, "bin", "java") if home else shutil.which("java")  # noqa: PTH118
    if command is None:
        return "none is on the PATH, and JAVA_HOME is not set"
    try:
        shown = subprocess.run([command, "-version"], capture_output=True, text=True, check=True, timeout=60).stderr
    except (OSError, subprocess.SubprocessError):
        return f"{command} does not run"
    version = re.search(r'version "(?:1\.)?(\d+)', shown)
    if version is not None and int(version.group(1)) < OLDEST_JAVA:
        return f"{command} is Java {version.group(1)}"
    return ""
