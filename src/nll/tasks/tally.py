"""One step of a score: a chunk of rows is added to Tallies. Rows that the kernel set aside are understood here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.kernels.kernel import Deposit, kernel
from nll.states.tally import COUNTERS, EXAMPLES, Tallies
from nll.tasks.chunks import Chunk
from nll.tasks.keys import group_codes
from nll.tasks.ready import Preparation, Ready
from nll.tasks.refusal import refusal

Array = npt.NDArray[Any]
ROWS = COUNTERS.index("rows")


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with a chunk: losses above `limit` are clipped to it."""

    prepare: Preparation
    limit: float = np.inf
    weighted: bool = False

    def zero(self) -> Tallies:
        """Return the state of no rows."""
        return Tallies(self.weighted)

    def __call__(self, state: Tallies, chunk: Chunk) -> None:
        """Add the rows of a chunk to a state."""
        state.read += chunk.size if chunk.outside is None else chunk.size - int(chunk.outside.sum())
        codes, keys = (None, [()]) if chunk.keys is None else group_codes(chunk.keys)
        ready = self.prepare(chunk)
        for what, mask in (("missing", ready.missing), ("ignored", ready.ignored)):
            if mask is not None:
                count_left_out(state, what, mask, codes, keys)
        if codes is not None and ready.index is not None:
            codes = codes[ready.index]
        if ready.size == 0:
            return
        deposit = kernel(ready.form).tally(ready.y, ready.theta, ready.weights, codes, len(keys), self.limit)
        if codes is None:
            at = state.places(keys)
            state.sums.add_table(deposit.table, ready.size, at)
            state.counters[at, ROWS] += deposit.counts
        else:
            used = np.flatnonzero(deposit.counts)
            used = np.union1d(used, codes[deposit.odd]) if deposit.odd.size else used
            at = np.full(len(keys), -1)
            at[used] = state.places([keys[i] for i in used.tolist()])
            state.sums.add_table(deposit.table[used], ready.size, at[used])
            state.counters[at[used], ROWS] += deposit.counts[used]
        if ready.skipped is not None:
            deposit = uncount_skipped(state, ready.skipped, deposit, codes, at)
        if ready.weights is not None:
            uncount(state, ready.weights, deposit.odd, codes, at, ready.skipped)
        if deposit.odd.size:
            groups = np.repeat(at[0], deposit.odd.size) if codes is None else at[codes[deposit.odd]]
            self.absorb(state, ready, deposit.odd, deposit.losses, groups)

    def rows(self, chunk: Chunk) -> Array:
        """Return the row losses of a chunk, NaN for a row that is dropped as missing or ignored."""
        ready = self.prepare(chunk)
        losses = kernel(ready.form).rows(ready.y, ready.theta)
        self.refuse(ready, np.flatnonzero(np.isnan(losses)))
        losses = np.minimum(losses, self.limit)
        if ready.skipped is not None:
            losses[ready.skipped] = np.nan
        if ready.index is not None:
            out = np.full(chunk.size, np.nan)
            out[ready.index] = losses
            losses = out
        return losses if chunk.outside is None else losses[~chunk.outside]

    def absorb(self, state: Tallies, ready: Ready, odd: Array, losses: Array, groups: Array) -> None:
        """Add the rows that a kernel set aside: refuse invalid ones, count impossible and clipped ones."""
        self.refuse(ready, odd[np.isnan(losses)])
        weights = None if ready.weights is None else ready.weights[odd]
        if weights is not None:
            self.check_weights(ready, odd, weights)
            dropped = weights == 0.0
            state.count("unweighted", groups[dropped])
            odd, losses, weights, groups = odd[~dropped], losses[~dropped], weights[~dropped], groups[~dropped]
        above = losses > self.limit
        if above.any():
            state.count("clipped", groups[above])
            state.excess = max(state.excess, float(losses[above].max()))
            losses = np.where(above, self.limit, losses)
        impossible = losses == np.inf
        state.count("impossible", groups[impossible])
        state.first = sorted([*state.first, *map(ready.number, odd[impossible][:EXAMPLES])])[:EXAMPLES]
        if weights is not None:
            state.sums.add_values(weights[impossible], groups[impossible], 0)
        finite = ~impossible
        state.count("rows", groups[finite])
        add_exactly(state, losses[finite], None if weights is None else weights[finite], groups[finite])

    def refuse(self, ready: Ready, invalid: Array) -> None:
        """Raise the error for invalid rows, if there are any."""
        if invalid.size:
            prepare, rows = self.prepare, ready.described(invalid[:EXAMPLES].tolist())
            raise refusal(ready.form, rows, prepare.names, prepare.locate)

    def check_weights(self, ready: Ready, odd: Array, weights: Array) -> None:
        """Refuse a weight that is negative, infinite or NaN."""
        wrong = np.flatnonzero(~(weights >= 0.0) | (weights == np.inf))
        if wrong.size:
            where, found = self.prepare.locate(ready.number(odd[wrong[0]])), float(weights[wrong[0]])
            name = self.prepare.names["sample_weight"]
            raise DataError(f"{name} must be at least 0 and finite; {where} has {found!r}")


def count_missing(state: Tallies, lost: Array, codes: Array | None, keys: list[Any]) -> Array | None:
    """Count the rows that are dropped, by group; return the codes of the others."""
    count_left_out(state, "missing", lost, codes, keys)
    return None if codes is None else codes[~lost]


def count_left_out(state: Tallies, what: str, mask: Array, codes: Array | None, keys: list[Any]) -> None:
    """Count rows that are not scored, by group."""
    if codes is None:
        state.count(what, np.repeat(state.places(keys), mask.sum()))
    else:
        present, which = np.unique(codes[mask], return_inverse=True)
        state.count(what, state.places([keys[i] for i in present.tolist()])[which])


def uncount_skipped(state: Tallies, skipped: Array, deposit: Deposit, codes: Array | None, at: Array) -> Deposit:
    """Take rows that the form left out, which the kernel added (as 0), from the counts; return the other odd rows."""
    added = skipped.copy()
    added[deposit.odd] = False
    groups = np.repeat(at[0], added.sum()) if codes is None else at[codes[added]]
    state.counters[:, ROWS] -= np.bincount(groups, minlength=len(state.counters))
    kept = ~skipped[deposit.odd]
    return deposit._replace(odd=deposit.odd[kept], losses=deposit.losses[kept])


def uncount(
    state: Tallies, weights: Array, odd: Array, codes: Array | None, at: Array, skipped: Array | None = None
) -> None:
    """Count rows of weight 0 as dropped, which the kernel added (as 0) and counted like the others."""
    dropped = weights == 0.0
    dropped[odd] = False
    if skipped is not None:
        dropped[skipped] = False
    if dropped.any():
        groups = np.repeat(at[0], dropped.sum()) if codes is None else at[codes[dropped]]
        state.count("unweighted", groups)
        state.counters[:, ROWS] -= np.bincount(groups, minlength=len(state.counters))


def add_exactly(state: Tallies, losses: Array, weights: Array | None, groups: Array) -> None:
    """Add rows to the exact sums, of any finite size, in the order of kernels.loops.tally."""
    loss = Scaled.of(losses)
    if weights is None:
        streams = [loss, loss * loss]
    else:
        weight = Scaled.of(weights)
        product = weight * loss
        streams = [weight, product, weight * weight, weight * product, product * product]
    for index, stream in enumerate(streams):
        state.sums.add_values(stream.values, groups, index, stream.scale)


class Scaled(NamedTuple):
    """Numbers values * 2**scale: doubles, and products of them that are rounded as doubles but do not overflow."""

    values: Array
    scale: Array

    @classmethod
    def of(cls, values: Array) -> Scaled:
        """Return doubles as they are."""
        return cls(values, np.zeros(len(values), np.int64))

    def __mul__(self, other: Scaled) -> Scaled:  # type: ignore[override]
        with np.errstate(over="ignore", under="ignore"):
            values = self.values * other.values
        scale = self.scale + other.scale
        over = np.isinf(values)
        if over.any():
            (f, e), (g, h) = np.frexp(self.values[over]), np.frexp(other.values[over])
            values[over], scale[over] = f * g, scale[over] + e + h
        return Scaled(values, scale)
