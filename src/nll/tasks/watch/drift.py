"""Whether the losses of a window lie above a baseline, by a test that may be looked at after every file.

Window number k = 1, 2, ... has an anytime-valid confidence sequence of its own, at the level 1 - alpha / (k (k + 1)).
These error probabilities add up to alpha over all windows that will ever be, so that a stream which stays at its
baseline raises an alert with probability alpha at most, however often it is looked at (a union bound; the sequences
are those of `tasks/compare/sequential.py`). A window begins anew, so that a year of good rows does not hide a bad hour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.states.saved import read_json
from nll.tasks.compare.sequential import ConfidenceSequence

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The mean loss that is expected, in nats a row, and its standard error (0 where it is a number that is known)."""

    mean: float
    stderr: float = 0.0

    @property
    def bound(self) -> float:
        """The mean that a drift must exceed: two standard errors above what was measured."""
        return self.mean + 2.0 * self.stderr


def read_baseline(given: str) -> Baseline:
    """Return a baseline from a number, or from the JSON that `nll score --json` or `nll fit -o` wrote.

    Raises
    ------
    UsageError : there is neither such a number nor such a file.
    DataError : the file has no mean loss.
    """
    try:
        mean = float(given)
    except ValueError:
        pass
    else:
        if not math.isfinite(mean):
            raise UsageError(f"a baseline is a finite mean loss in nats, or a file; got {given}")
        return Baseline(mean)
    saved = read_json(Path(given), "score or fit of nll")
    if saved is None:
        raise UsageError(f"the baseline is a number of nats a row, or a file of a score or a fit; there is no {given}")
    found = saved.get("total", saved) if isinstance(saved, dict) else {}
    numbers = [found.get(name) for name in ("mean", "stderr", "loss", "weight")]
    mean, stderr, loss, weight = (x if isinstance(x, (int, float)) and math.isfinite(x) else None for x in numbers)
    if found.get("units", "nats") != "nats":
        raise DataError(f"{given} is in {found['units']}: a baseline is in nats")
    if mean is not None and stderr is not None:
        return Baseline(float(mean), float(stderr))
    if loss is not None and weight:
        return Baseline(loss / weight)
    raise DataError(f"{given} has no mean loss: it is the output of `nll score --json`, or a fit of `nll fit -o`")


def begin(k: int, alpha: float, baseline: Baseline, bounds: tuple[float, float] | None) -> ConfidenceSequence:
    """Return the sequence of window number k = 1, 2, ..."""
    level = 1.0 - alpha / (k * (k + 1))
    return ConfidenceSequence(level, bounds=bounds, tuned_for=10_000.0)


def bounds_of(baseline: Baseline, discrete: bool, clip: float | None) -> tuple[float, float] | None:
    """Return what losses less the baseline cannot leave: known where probabilities are clipped."""
    if not discrete or clip is None:
        return None
    low, high = -baseline.bound, -math.log(clip) - baseline.bound
    return (low, high * (1.0 + 1e-12)) if low <= 0.0 <= high else None


def excess(losses: Array, baseline: Baseline) -> Array:
    """Return by how much finite losses exceed the baseline."""
    finite = losses[np.isfinite(losses)]
    return finite - baseline.bound
