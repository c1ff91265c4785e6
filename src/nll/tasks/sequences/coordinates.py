"""The parameters of a hidden Markov model as a point, and its coordinates: each on the whole real line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.tasks.sequences.emissions import Classes, Numbers
from nll.tasks.sequences.probabilities import stationary

Array = npt.NDArray[Any]


class Point(NamedTuple):
    """Numbers of a hidden Markov model: probabilities (K,), (K, K), and the table of its emissions (K, p)."""

    initial: Array
    transition: Array
    table: Array

    def ordered(self, order: Array) -> Point:
        """Return the same model with its states in another order."""
        return Point(self.initial[order], self.transition[np.ix_(order, order)], self.table[order])


class Expected(NamedTuple):
    """What a model and sequences say of the states: the NLL, P(state) of each step, and expected transitions."""

    nll: float
    weights: Array  # (n, K)
    first: Array  # (K,), summed over sequences
    moves: Array  # (K, K)


class Block(NamedTuple):
    """Probabilities that sum to one: a row of one of a point's arrays, those of it that are not held at 0."""

    array: int  # of the Point
    row: int
    support: Array  # indices of the row
    reference: int  # place in `support` of the one without a coordinate


@dataclass(frozen=True)
class Layout:
    """How a point lies in its coordinates: softmax of each block, then the links of the emissions.

    Attributes
    ----------
    held : whether the initial distribution is the stationary one, and so has no coordinates.
    """

    emissions: Numbers | Classes
    blocks: tuple[Block, ...]
    held: bool

    @classmethod
    def of(cls, emissions: Numbers | Classes, point: Point, held: bool) -> Layout:
        """Return the layout around a point; probabilities that are 0 stay so."""
        arrays = [] if held else [0]
        arrays += [1] + ([2] if isinstance(emissions, Classes) else [])
        blocks: list[Block] = []
        for array in arrays:
            for row, p in enumerate(np.atleast_2d(point[array])):
                support = np.flatnonzero(p > 0.0)
                blocks.append(Block(array, row, support, int(np.argmax(p[support]))))
        return cls(emissions, tuple(blocks), held)

    def inward(self, point: Point) -> Array:
        """Return the coordinates (k,) of a point."""
        out: list[Array] = []
        for block, p in self.rows(point):
            logs = np.log(p)
            out.append(np.delete(logs - logs[block.reference], block.reference))
        if isinstance(self.emissions, Numbers):
            out.append(self.emissions.inward(point.table).reshape(-1))
        return np.concatenate(out) if out else np.empty(0)

    def outward(self, coordinates: Array, near: Point) -> Point:
        """Return the point at some coordinates; what has none is as in `near`."""
        arrays = [np.array(near.initial), np.array(near.transition), np.array(near.table)]
        at = 0
        for block in self.blocks:
            size = len(block.support) - 1
            logs = np.insert(coordinates[at : at + size], block.reference, 0.0)
            powers = np.exp(logs - logs.max())
            np.atleast_2d(arrays[block.array])[block.row, block.support] = powers / powers.sum()
            at += size
        if isinstance(self.emissions, Numbers):
            arrays[2] = self.emissions.outward(coordinates[at:].reshape(-1, self.emissions.size))[0]
        if self.held:
            arrays[0] = stationary(arrays[1])
        return Point(*arrays)

    def rows(self, point: Point) -> Iterator[tuple[Block, Array]]:
        """Yield each block with its probabilities."""
        for block in self.blocks:
            yield block, np.atleast_2d(point[block.array])[block.row, block.support]

    def slopes(self, point: Point, found: Expected) -> tuple[Array, Array]:
        """Return the gradient (k,) of the NLL, and about how far a coordinate is known (k,), at most a factor e.

        The gradient is that of the expected loss of observations and states together: R. A. Fisher's identity, as in
        O. Cappé, E. Moulines and T. Rydén, Inference in Hidden Markov Models (2005), chapter 10.
        """
        counts = [found.first, found.moves, np.empty(0)]
        if self.held:
            counts[1] = found.moves + through_stationary(point, found.first)
        if isinstance(self.emissions, Classes):
            counts[2] = self.emissions.gathered(found.weights)
        gradient: list[Array] = []
        bends: list[Array] = []
        for block, p in self.rows(point):
            n = np.atleast_2d(counts[block.array])[block.row, block.support]
            keep = np.delete(np.arange(len(p)), block.reference)
            gradient.append((p * n.sum() - n)[keep])
            bends.append((abs(n.sum()) * p * (1.0 - p))[keep])
        if isinstance(self.emissions, Numbers):
            own = self.emissions.slopes(self.emissions.inward(point.table), found.weights)
            gradient.append(own[0].reshape(-1))
            bends.append(own[1].reshape(-1))
        bend = np.abs(np.concatenate(bends))
        unit = 1.0 / np.sqrt(np.where(bend > 0.0, bend, 1.0))
        return np.concatenate(gradient), np.where(self.ratios(), np.minimum(unit, 1.0), unit)

    def ratios(self) -> Array:
        """Return which coordinates are logs of ratios (k,), in which one unit is a factor e, and not a length."""
        own = [True] * sum(len(block.support) - 1 for block in self.blocks)
        if isinstance(self.emissions, Numbers):
            link = self.emissions.link
            own += [link.kinds[place] != "identity" for place in link.coordinates] * self.emissions.states
        return np.array(own, bool)

    def jacobian(self, point: Point) -> tuple[list[str], Array, Array]:
        """Return the names of all parameters, their values, and their derivatives in the coordinates."""
        k = len(point.initial)
        size = len(self.inward(point))
        names: list[str] = []
        values: list[Array] = []
        slopes: list[Array] = []
        at = 0
        for block, p in self.rows(point):
            whole = np.atleast_2d(point[block.array])[block.row]
            width, count = len(whole), len(p) - 1
            lead = ("initial", f"transition_{block.row}", f"probs_{block.row}")[block.array]
            names += [f"{lead}_{j}" for j in range(width)]
            values.append(whole)
            own = np.zeros((width, size))
            inner = np.delete(np.diag(p) - np.outer(p, p), block.reference, axis=1)
            own[block.support, at : at + count] = inner
            slopes.append(own)
            at += count
        if isinstance(self.emissions, Numbers):
            each = self.emissions.inward(point.table)
            jacobian = self.emissions.outward(each)[1]
            free = point.table[:, self.emissions.places]
            for state in range(k):
                names += [f"{name}_{state}" for name in self.emissions.names]
                values.append(free[state])
                own = np.zeros((free.shape[1], size))
                own[:, at : at + each.shape[1]] = jacobian[state]
                slopes.append(own)
                at += each.shape[1]
        return names, np.concatenate(values), np.concatenate(slopes)


def through_stationary(point: Point, first: Array) -> Array:
    """Return what the first states say of the transition, as expected moves, where they begin in equilibrium.

    With p = p A, dp = p dA (I - A + U)**-1, U being all ones.
    """
    k = len(first)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(first > 0.0, first / point.initial, 0.0)
    h = np.linalg.solve(np.eye(k) - point.transition + np.ones((k, k)), weight)
    return point.transition * np.outer(point.initial, h)
