"""How far a pass is: on stderr, after a second, where somebody is there to see it."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any, Self

SECONDS_UNSEEN = 1.0  # shorter work shows no progress


class RowProgress:
    """Counts rows, and shows them on stderr once that takes longer than a second and somebody is there to see it.

    Called with the rows done since the last call, from any thread.
    """

    def __init__(self, what: str, wanted: bool = True) -> None:
        self.what = what
        self.wanted = wanted and sys.stderr.isatty()
        self.rows = 0
        self.begin = time.monotonic()
        self.lock = threading.Lock()
        self.display: Any = None
        self.task: Any = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, rows: int) -> None:
        """Add rows."""
        with self.lock:
            self.rows += rows
            if not self.wanted:
                return
            seconds = time.monotonic() - self.begin
            if self.display is None and seconds >= SECONDS_UNSEEN:
                self._start()
            if self.display is not None:
                said = f"{self.rows:,} rows, {self.rows / seconds / 1e6:.1f} million a second"
                self.display.update(self.task, said=said)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wanted = False
        if self.display is not None:
            self.display.stop()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[said]}"))
        self.display = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self.task = self.display.add_task(self.what, total=None, said="")
        self.display.start()
