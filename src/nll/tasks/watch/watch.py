"""`nll watch`: files of a folder, each scored once, in tallies by window."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nll.errors import DataError, NllError, UsageError
from nll.families.family import Family
from nll.results.score import Score
from nll.sources.formats import format_of
from nll.states.saved import read_sealed, write_sealed
from nll.tasks.compare.losses import discreteness
from nll.tasks.compare.sequential import ConfidenceSequence
from nll.tasks.rows import row_batches
from nll.tasks.running import Tally
from nll.tasks.watch.drift import Baseline, begin, bounds_of, excess

VERSION = 1
KIND = "watch"
COUNTS = ("begun", "files", "failures", "changed")
WINDOWS_KEPT = 1000  # older ones are in the total alone

Stamp = list[int]  # size in bytes, and time of the last change in nanoseconds


@dataclass(slots=True)
class Window:
    """The rows of the files that last changed in [start, start + width).

    Attributes
    ----------
    number : 1, 2, ..., in the order of arrival.
    tally, sequence : of its rows; no sequence without a baseline.
    alert : why there is an alert; "" if there is none.
    """

    number: int
    tally: Tally = field(default_factory=Tally)
    sequence: ConfidenceSequence | None = None
    alert: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one file."""

    path: str
    window: str
    score: Score | None = None
    error: str = ""
    alert: str = ""


class Watch:
    """Scores files as they arrive, each once, and notes what it has in a file, which survives restarts.

    Parameters
    ----------
    y, dist : what happened, and what the model said: names of columns, as in `nll.score`.
    width : of a window, in seconds.
    state : the file of what is known, JSON; begun if it is not there.
    baseline : the mean loss above which there is an alert.
    alpha : the probability of an alert over all time where there is no drift, at most.
    missing, clip : as in `nll.score`.
    """

    def __init__(
        self,
        y: str,
        dist: Family,
        *,
        width: float,
        state: str | Path,
        baseline: Baseline | None = None,
        alpha: float = 0.01,
        missing: str = "error",
        clip: float | None = None,
    ) -> None:
        if not 0.0 < width < math.inf:
            raise UsageError(f"a window lasts some seconds; got {width!r}")
        if not 0.0 < alpha < 1.0:
            raise UsageError(f"alpha is a probability, such as 0.01; got {alpha!r}")
        self.y, self.dist, self.width, self.state = y, dist, float(width), Path(state)
        self.baseline, self.alpha = baseline, alpha
        self.options: dict[str, Any] = {"missing": missing, "clip": clip}
        self.total = Tally()
        self.windows: dict[str, Window] = {}
        self.begun = 0
        self.scored: dict[str, Stamp] = {}
        self.failed: dict[str, Stamp] = {}
        self.seen: dict[str, Stamp] = {}
        self.files = self.failures = self.changed = 0
        self.lock = threading.Lock()  # the numbers are read by another thread
        self._load()

    @property
    def identity(self) -> dict[str, Any]:
        """What makes a watch the same one after a restart."""
        baseline = None if self.baseline is None else [self.baseline.mean, self.baseline.stderr]
        about = {"y": repr(self.y), "dist": repr(self.dist), "window": self.width, "baseline": baseline}
        return {**about, "alpha": self.alpha, **self.options}

    @property
    def alerts(self) -> dict[str, str]:
        """The windows with an alert, and why."""
        return {start: window.alert for start, window in self.windows.items() if window.alert}

    def arrived(self, folder: str | Path, settled: bool = False) -> list[str]:
        """Return the files of a folder that are new, and that nobody has written to since the last look.

        Parameters
        ----------
        settled : take files at their first look: nobody writes into this folder but by renaming.
        """
        paths = {str(path): path for path in sorted(Path(folder).rglob("*")) if is_data(path, Path(folder))}
        now = {name: stamp for name, path in paths.items() if (stamp := stamp_of(path)) is not None}
        before, self.seen = self.seen, now
        # A file that is gone need not be remembered; one of its name that comes later is another.
        for known in (self.scored, self.failed):
            for name in [name for name in known if name not in now]:
                del known[name]
        found: list[str] = []
        for name, stamp in now.items():
            if name in self.scored:
                if self.scored[name] != stamp:
                    self.scored[name] = stamp
                    self.changed += 1
            elif self.failed.get(name) != stamp and (settled or before.get(name) == stamp):
                found.append(name)
        return found

    def take(self, path: str) -> Arrival:
        """Score a file, add it to its window and note that; or say why it cannot be."""
        stamp = stamp_of(Path(path))
        if stamp is None:
            return Arrival(path, "", error="it is gone")
        start = self.window_of(stamp[1] / 1e9)
        try:
            tally, losses = self._score(path, start)
            if stamp_of(Path(path)) != stamp:
                raise DataError(f"{path} changed while it was read")
        except NllError as error:
            self.failed[path] = stamp
            self.failures += 1
            self.save()
            return Arrival(path, start, error=str(error))
        with self.lock:
            window = self._window(start)
            window.tally.merge(tally)
            self.total.merge(tally)
            if window.sequence is not None:
                window.sequence.merge(losses)
            self.scored[path] = stamp
            self.failed.pop(path, None)
            self.files += 1
            alert = "" if window.alert else self._judge(window)
        self.save()
        return Arrival(path, start, tally.score(), alert=alert)

    def window_of(self, seconds: float) -> str:
        """Return the start of the window of a time, in UTC."""
        start = math.floor(seconds / self.width) * self.width
        return datetime.fromtimestamp(start, UTC).isoformat(timespec="seconds")

    def current(self) -> Window | None:
        """Return the latest window that has rows."""
        return self.windows[max(self.windows)] if self.windows else None

    def _score(self, path: str, start: str) -> tuple[Tally, ConfidenceSequence]:
        tally = Tally()
        tally.update(self.y, self.dist, path, **self.options)
        losses = self._sequence(self.windows[start].number if start in self.windows else self.begun + 1)
        if self.baseline is not None:
            for _, batch in row_batches(self.y, self.dist, path, **self.options):
                losses.update(excess(batch, self.baseline))
        return tally, losses

    def _window(self, start: str) -> Window:
        if start not in self.windows:
            self.begun += 1
            self.windows[start] = Window(self.begun, sequence=self._sequence(self.begun) if self.baseline else None)
            while len(self.windows) > WINDOWS_KEPT:
                del self.windows[min(self.windows)]
        return self.windows[start]

    def _sequence(self, number: int) -> ConfidenceSequence:
        baseline = self.baseline or Baseline(0.0)
        bounds = bounds_of(baseline, discreteness(self.dist) == "discrete", self.options["clip"])
        return begin(number, self.alpha, baseline, bounds)

    def _judge(self, window: Window) -> str:
        """Return why there is an alert now, "" if there is none."""
        if self.baseline is None or window.sequence is None:
            return ""
        score = window.tally.score()
        found = window.sequence.interval()
        if score.impossible:
            window.alert = f"{score.impossible:,} rows were impossible under the model"
        elif found.low > 0.0:
            mean, bound = found.mean_difference + self.baseline.bound, self.baseline.bound
            p_value = f"p = {found.p_value:.2g}" if found.p_value > 0.0 else "p < 1e-300"
            window.alert = f"the mean NLL is {mean:.6g} nats a row, above {bound:.6g} ({p_value})"
        return window.alert

    def save(self) -> None:
        """Write all that is known."""
        windows = [
            {
                "start": start,
                "number": window.number,
                "tally": window.tally.to_dict(),
                "sequence": None if window.sequence is None else window.sequence.to_dict(),
                "alert": window.alert,
            }
            for start, window in self.windows.items()
        ]
        counts = {name: getattr(self, name) for name in COUNTS}
        files = {"scored": self.scored, "failed": self.failed}
        about = {"nll": KIND, "version": VERSION, "identity": self.identity}
        write_sealed(self.state, {**about, **counts, **files, "total": self.total.to_dict(), "windows": windows})

    def _load(self) -> None:
        saved = read_sealed(self.state, "state of nll watch")
        again = "remove it to begin anew, or name another with --state"
        if saved is None:
            self.save()
            return
        if not isinstance(saved, dict) or saved.get("nll") != KIND:
            raise UsageError(f"{self.state} is no state of nll watch, and is not written over: {again}")
        if saved.get("version") != VERSION:
            raise DataError(f"{self.state} has version {saved.get('version')!r}, and this nll reads {VERSION}: {again}")
        try:
            for name, value in self.identity.items():
                if saved["identity"][name] != value:
                    was = saved["identity"][name]
                    raise UsageError(f"{self.state} was begun with {name} = {was}, and now it is {value}: {again}")
            for name in COUNTS:
                setattr(self, name, int(saved[name]))
            self.scored, self.failed = (
                {str(path): [int(x) for x in stamp] for path, stamp in saved[name].items()}
                for name in ("scored", "failed")
            )
            self.total = Tally.from_dict(saved["total"])
            for each in saved["windows"]:
                sequence = None if each["sequence"] is None else ConfidenceSequence.from_dict(each["sequence"])
                window = Window(int(each["number"]), Tally.from_dict(each["tally"]), sequence, str(each["alert"]))
                self.windows[str(each["start"])] = window
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if isinstance(error, NllError):
                raise
            raise DataError(f"{self.state} cannot be read as a state of nll watch ({error!r}): {again}") from error


def is_data(path: Path, folder: Path) -> bool:
    """Whether a file holds rows: of a known format, and neither hidden nor in a hidden folder."""
    parts = path.relative_to(folder).parts
    return format_of(path.name) is not None and not any(part.startswith((".", "_")) for part in parts)


def stamp_of(path: Path) -> Stamp | None:
    """Return size and time of a file; None if it is gone or no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns]


def keep_watching(
    watch: Watch, folder: str | Path, every: float, told: Callable[[Arrival], None], sleep: Any = time.sleep
) -> None:
    """Look at a folder until somebody stops it."""
    while True:
        for path in watch.arrived(folder):
            told(watch.take(path))
        sleep(every)
