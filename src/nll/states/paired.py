"""The state of a comparison: exact sums of losses by model, and of their differences by pair of models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.states.plain import plain, restored
from nll.states.tally import Key, Tallies

Array = npt.NDArray[Any]
VERSION = 1


@dataclass(slots=True)
class PairedTally:
    """Sums of the losses of several models on the same rows, and of the differences of each pair.

    An empty PairedTally is the zero of `merge`. Sums are integers, and extremes are the same in any order, so order,
    split and engine cannot change a bit of the result.

    Attributes
    ----------
    models : how many there are.
    weighted : whether rows have weights.
    base : the model of which all pairs are; None for the pairs of any two.
    losses : the Tallies of each model.
    differences : the Tallies of each of `pairs` (i, j), i < j, of l_j - l_i over the rows possible under both.
    places : {key of a group, without its cluster: its index in the next two}.
    counts : (groups, pairs, 2), rows in which l_i < l_j, and in which they are equal.
    largest : (groups, pairs), the largest squared difference.
    """

    models: int
    weighted: bool = False
    base: int | None = None
    losses: list[Tallies] = field(default_factory=list)
    differences: list[Tallies] = field(default_factory=list)
    places: dict[Key, int] = field(default_factory=dict)
    counts: Array = field(default=None)  # type: ignore[assignment]
    largest: Array = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        pairs = len(self.pairs)
        self.losses = self.losses or [Tallies(self.weighted) for _ in range(self.models)]
        self.differences = self.differences or [Tallies(self.weighted) for _ in range(pairs)]
        if self.counts is None:
            self.counts, self.largest = np.zeros((0, pairs, 2), np.int64), np.zeros((0, pairs))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The models of each pair."""
        return [pair for pair in combinations(range(self.models), 2) if self.base is None or self.base in pair]

    def place(self, keys: list[Key]) -> Array:
        """Return the indices of groups, making those that are new."""
        at = [self.places.setdefault(key, len(self.places)) for key in keys]
        missing = len(self.places) - len(self.counts)
        if missing > 0:
            extra = max(missing, len(self.counts))
            self.counts = np.concatenate([self.counts, np.zeros((extra, *self.counts.shape[1:]), np.int64)])
            self.largest = np.concatenate([self.largest, np.zeros((extra, self.largest.shape[1]))])
        return np.array(at, np.int64)

    @property
    def read(self) -> int:
        """Rows read, of every kind."""
        return self.losses[0].read

    def merge(self, other: PairedTally) -> Self:
        """Add another state, of the same models, to this one."""
        return self._add(other, Tallies.merge)

    def follow(self, other: PairedTally) -> Self:
        """Add the state of the rows that come after this one's, whose numbers count from them."""
        return self._add(other, Tallies.follow)

    def _add(self, other: PairedTally, add: Callable[[Tallies, Tallies], Any]) -> Self:
        for own, part in zip((*self.losses, *self.differences), (*other.losses, *other.differences), strict=True):
            add(own, part)
        at, groups = self.place(list(other.places)), len(other.places)
        self.counts[at] += other.counts[:groups]
        self.largest[at] = np.maximum(self.largest[at], other.largest[:groups])
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain JSON types; sums are hexadecimal counts of 2**-1074."""
        groups = len(self.places)
        return {
            "nll": "paired tally",
            "version": VERSION,
            "models": self.models,
            "weighted": self.weighted,
            "base": self.base,
            "losses": [tally.to_dict() for tally in self.losses],
            "differences": [tally.to_dict() for tally in self.differences],
            "places": [list(map(plain, key)) for key in self.places],
            "counts": self.counts[:groups].tolist(),
            "largest": [[repr(x) for x in row] for row in self.largest[:groups].tolist()],
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        if not isinstance(saved, dict) or saved.get("nll") != "paired tally" or saved.get("version") != VERSION:
            raise DataError(f"not a paired tally of version {VERSION}: it should begin with nll, version")
        try:
            base = None if saved["base"] is None else int(saved["base"])
            losses, differences = (list(map(Tallies.from_dict, saved[name])) for name in ("losses", "differences"))
            state = cls(int(saved["models"]), bool(saved["weighted"]), base, losses, differences)
            if (len(losses), len(differences)) != (state.models, len(state.pairs)):
                raise ValueError(f"{len(losses)} models and {len(differences)} pairs")
            at = state.place([tuple(map(restored, key)) for key in saved["places"]])
            if len(set(at.tolist())) < len(at):
                raise ValueError("a group stands there twice")
            counts = np.array(saved["counts"], np.int64).reshape(len(at), len(state.pairs), 2)
            largest = np.array([[float(x) for x in row] for row in saved["largest"]]).reshape(len(at), -1)
            if len(at):
                state.counts[at], state.largest[at] = counts, largest
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"a paired tally that cannot be read: {error}") from error
        return state
