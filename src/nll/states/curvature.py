"""The state of a pass of a fit: sums of losses and derivatives, compensated, for several parameter vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nll.kernels.curvature import Sums, width

Array = npt.NDArray[Any]


@dataclass(slots=True)
class Curvature:
    """Sums of w * (loss, gradient, Hessian) for each of several parameter vectors ("segments").

    Attributes
    ----------
    free : how many parameters derivatives are taken in.
    sums : (segments, pieces, 2): each sum and its rounding error, so that splits agree to the last digits.
    counts, firsts : (segments, 2): impossible and invalid rows, and the number of the first of each, -1 for none.
    """

    free: int
    sums: Array
    counts: Array
    firsts: Array

    @classmethod
    def zeros(cls, segments: int, free: int) -> Self:
        """Return the state of no rows."""
        return cls(free, *Sums.zeros(segments, width(free)))

    def add(self, found: Sums, at: Any) -> None:
        """Add the sums of some segments, which `at` places."""
        high, low = self.sums[at, :, 0], self.sums[at, :, 1]
        with np.errstate(invalid="ignore", over="ignore"):
            total = high + found.sums[:, :, 0]
            virtual = total - high
            error = (high - (total - virtual)) + (found.sums[:, :, 0] - virtual)
            self.sums[at, :, 0], self.sums[at, :, 1] = total, low + found.sums[:, :, 1] + error
        self.counts[at] += found.counts
        mine = self.firsts[at]
        earlier = (found.firsts >= 0) & ((mine < 0) | (found.firsts < mine))
        self.firsts[at] = np.where(earlier, found.firsts, mine)

    def merge(self, other: Curvature) -> Self:
        """Add another state of the same segments."""
        self.add(Sums(other.sums, other.counts, other.firsts), slice(None))
        return self

    @property
    def nll(self) -> Array:
        """The negative log-likelihood (segments,), infinite where a row is impossible."""
        values = self.values[:, 0]
        return np.where(self.counts[:, 0] > 0, np.inf, values)

    @property
    def values(self) -> Array:
        """The sums (segments, pieces)."""
        with np.errstate(invalid="ignore"):
            return self.sums[:, :, 0] + self.sums[:, :, 1]

    @property
    def gradient(self) -> Array:
        """The gradient (segments, free)."""
        return self.values[:, 1 : 1 + self.free]

    @property
    def hessian(self) -> Array:
        """The Hessian (segments, free, free)."""
        upper = np.triu_indices(self.free)
        full = np.empty((len(self.sums), self.free, self.free))
        full[:, upper[0], upper[1]] = full[:, upper[1], upper[0]] = self.values[:, 1 + self.free :]
        return full
