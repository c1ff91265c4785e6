"""One step of a comparison: the losses of a chunk under every model, and their differences, into a PairedTally."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.families.normal import Normal
from nll.kernels.kernel import kernel, read_only
from nll.numerics.window import WORDS
from nll.states.paired import PairedTally
from nll.states.tally import Key, Tallies
from nll.tasks.compare.inputs import Rows
from nll.tasks.keys import group_codes
from nll.tasks.ready import Ready
from nll.tasks.tally import ROWS, Step, count_missing, uncount

Array = npt.NDArray[Any]

BLOCK = 2**16  # rows of a block with weights or a limit
LOSSES = 2**18  # of all models together in one compiled pass: 2 MiB. Fewer rows cost calls, more cost cache
FAST = 2**13  # rows from which that pass pays


def copy(y: Array, theta: Any, out: Array) -> None:
    """Fill `out` with y."""
    for i in range(out.size):
        out[i] = y[i]


class Losses(Normal, register=False):
    """Rows whose loss is known: y itself, infinite ones included."""

    fill = copy


@dataclass(frozen=True, slots=True)
class PairedStep:
    """What to do with the rows of a chunk under all models; `steps` has one Step a model.

    `clustered` says that the last key of a row is its cluster; `base` is the model of which all pairs are, or None.
    """

    steps: tuple[Step, ...]
    weighted: bool = False
    clustered: bool = False
    base: int | None = None

    def zero(self) -> PairedTally:
        """Return the state of no rows."""
        return PairedTally(len(self.steps), self.weighted, self.base)

    def __call__(self, state: PairedTally, rows: Rows) -> None:
        """Add the rows of a chunk to a state."""
        state.losses[0].read += rows.size
        keys_of = rows.parts[0].keys
        codes, keys = (None, [()]) if keys_of is None else group_codes(keys_of)
        parts = rows.parts
        if self.steps[0].prepare.drop:
            parts = self.without_missing(rows)
        ready = [step.prepare(part) for step, part in zip(self.steps, parts, strict=True)]
        if ready[0].missing is not None:
            left = [count_missing(losses, ready[0].missing, codes, keys) for losses in state.losses]
            codes = left[0]
        if ready[0].size == 0:
            return
        if codes is None and ready[0].weights is None and self.steps[0].limit == np.inf and ready[0].size >= FAST:
            self.add_at_once(ready, state)
            return
        rows_in_block = BLOCK if codes is None else ready[0].size  # the table of all groups is made anew for each
        for start in range(0, ready[0].size, rows_in_block):
            stop = min(start + rows_in_block, ready[0].size)
            self.add([block(each, start, stop) for each in ready], state, codes, keys, start, stop)

    def without_missing(self, rows: Rows) -> tuple[Any, ...]:
        """Mark a row that any model lacks as missing for all: they are compared on the same rows."""
        masks = [step.prepare.missing(part) for step, part in zip(self.steps, rows.parts, strict=True)]
        lost = [mask for mask in masks if mask is not None]
        if not lost:
            return rows.parts
        together = np.logical_or.reduce(lost)
        return tuple(replace(part, missing=together) for part in rows.parts)

    def add(
        self, ready: list[Ready], state: PairedTally, codes: Array | None, keys: list[Key], start: int, stop: int
    ) -> None:
        """Add a block of rows."""
        codes = None if codes is None else read_only(codes[start:stop])
        losses: list[Array] = []
        for step, own in zip(self.steps, ready, strict=True):
            losses.append(kernel(own.form).rows(own.y, own.theta))
            step.refuse(own, np.flatnonzero(np.isnan(losses[-1])))
        limit, weights = self.steps[0].limit, ready[0].weights
        for step, own, tally, values in zip(self.steps, ready, state.losses, losses, strict=True):
            deposit(step, tally, own, values, codes, keys)
        if limit < np.inf:
            losses = [np.minimum(values, limit) for values in losses]
        counted = None if weights is None or (weights > 0.0).all() else weights > 0.0
        groups = self.groups(state, codes, keys)
        for p, (i, j) in enumerate(state.pairs):
            count(state, p, losses[i], losses[j], groups, counted)
            self.add_pair(p, losses[i], losses[j], ready[0], state, (codes, keys, groups, counted))

    def add_at_once(self, ready: list[Ready], state: PairedTally) -> None:
        """Add rows without weights and groups in compiled passes over few rows, and what these cannot add."""
        from nll.kernels import paired

        state.place([()])
        first, second = np.array(state.pairs, np.int64).T.copy()
        n, models = ready[0].size, len(ready)
        table = np.zeros((models + len(first), 2, WORDS), np.int64)
        done = np.zeros((-(-n // paired.BLOCK), len(table)), np.bool_)
        rows = max(1, LOSSES // models // paired.BLOCK) * paired.BLOCK
        room, flat = np.empty(models * min(rows, n)), table.reshape(-1)
        for start in range(0, n, rows):
            stop = min(start + rows, n)
            part = room[: models * (stop - start)].reshape(models, -1)
            for own, out in zip(ready, part, strict=True):
                fill(own, slice(start, stop), out)
            which = done[start // paired.BLOCK :]
            paired.paired(part, first, second, flat, state.counts[0], state.largest[0], which)
            if not which[: -(-(stop - start) // paired.BLOCK)].all():
                self.add_rest(ready, part, state, start, which)
        sizes = np.full(len(done), paired.BLOCK)
        sizes[-1] = n - paired.BLOCK * (len(done) - 1)
        for k, tally in enumerate((*state.losses, *state.differences)):
            at, added = tally.places([()]), int(sizes[done[:, k]].sum())
            tally.sums.add_table(table[k : k + 1], added, at)
            tally.counters[at, ROWS] += added

    def add_rest(self, ready: list[Ready], losses: Array, state: PairedTally, offset: int, done: Array) -> None:
        """Add the blocks that a compiled pass over `losses` (models, n), from row `offset` on, left out."""
        from nll.kernels import paired

        models, size = losses.shape
        for b, k in np.argwhere(~done[: -(-size // paired.BLOCK)]).tolist():
            start = b * paired.BLOCK
            stop = min(start + paired.BLOCK, size)
            own = block(ready[k if k < models else 0], offset + start, offset + stop)
            if k < models:
                deposit(self.steps[k], state.losses[k], own, losses[k, start:stop], None, [()])
            else:
                i, j = state.pairs[k - models]
                about = (None, [()], None, None)
                self.add_pair(k - models, losses[i, start:stop], losses[j, start:stop], own, state, about)

    def add_pair(
        self,
        pair: int,
        a: Array,
        b: Array,
        ready: Ready,
        state: PairedTally,
        about: tuple[Array | None, list[Key], Array | None, Array | None],
    ) -> None:
        """Add the differences of a pair, of the rows possible under both models."""
        codes, keys, groups, counted = about
        use = np.isfinite(a) & np.isfinite(b)
        if not use.all():
            a, b = a[use], b[use]
            index = np.flatnonzero(use) if ready.index is None else ready.index[use]
            weights = None if ready.weights is None else read_only(ready.weights[use])
            ready = replace(ready, weights=weights, index=index)
            codes, groups, counted = (
                None if each is None else read_only(each[use]) for each in (codes, groups, counted)
            )
        if len(a):
            difference = b - a
            largest(state, pair, difference, groups, counted)
            deposit(replace(self.steps[0], limit=np.inf), state.differences[pair], ready, difference, codes, keys)

    def groups(self, state: PairedTally, codes: Array | None, keys: list[Key]) -> Array | None:
        """Return the place of each row's group, without its cluster; None where there is one group."""
        width = len(keys[0]) - self.clustered
        if codes is None or width == 0:
            state.place([()])
            return None
        present = np.unique(codes)
        at = np.zeros(len(keys), np.int64)
        at[present] = state.place([keys[i][:width] for i in present.tolist()])
        return at[codes]


def fill(ready: Ready, rows: slice, out: Array) -> None:
    """Write the losses of rows into `out`, which is used again for the next; slices of read-only arrays stay so."""
    own, y = kernel(ready.form), ready.y[rows]
    theta = tuple(t[rows] if np.ndim(t) else t for t in ready.theta)
    if own._plain(y, theta):
        out[:] = own.rows(y, theta)
    else:
        own._loop("rows")(y, theta, out)


def block(ready: Ready, start: int, stop: int) -> Ready:
    """Return some rows of a chunk, as kernels take them."""
    if start == 0 and stop == ready.size:
        return ready
    rows = slice(start, stop)
    return replace(
        ready,
        y=read_only(ready.y[rows]),
        theta=tuple(read_only(t[rows]) if np.ndim(t) else t for t in ready.theta),
        weights=None if ready.weights is None else read_only(ready.weights[rows]),
        index=None if ready.index is None else ready.index[rows],
        first=ready.first if ready.index is not None else ready.first + start,
    )


def count(state: PairedTally, pair: int, a: Array, b: Array, groups: Array | None, counted: Array | None) -> None:
    """Count in which rows a has the lower loss, and in which both are equal; rows of weight 0 do not count."""
    for column, found in enumerate((a < b, a == b)):
        which = found if counted is None else found & counted
        if groups is None:
            state.counts[0, pair, column] += np.count_nonzero(which)
        else:
            state.counts[:, pair, column] += np.bincount(groups[which], minlength=len(state.counts))


def largest(state: PairedTally, pair: int, d: Array, groups: Array | None, counted: Array | None) -> None:
    """Keep the largest squared difference; rows of weight 0 have none."""
    if counted is not None:
        d = np.where(counted, d, 0.0)
    if groups is None:
        state.largest[0, pair] = max(state.largest[0, pair], float(d.max()) ** 2, float(d.min()) ** 2)
    else:
        np.maximum.at(state.largest[:, pair], groups, d * d)


def deposit(step: Step, state: Tallies, ready: Ready, values: Array, codes: Array | None, keys: list[Key]) -> None:
    """Add known losses (n,) to exact sums, as `Step` adds those that a kernel makes."""
    found = kernel(Losses).tally(read_only(values), (0.0,), ready.weights, codes, len(keys), step.limit)
    if codes is None:
        at = state.places(keys)
        state.sums.add_table(found.table, len(values), at)
        state.counters[at, ROWS] += found.counts
    else:
        used = np.flatnonzero(found.counts)
        used = np.union1d(used, codes[found.odd]) if found.odd.size else used
        at = np.full(len(keys), -1)
        at[used] = state.places([keys[i] for i in used.tolist()])
        state.sums.add_table(found.table[used], len(values), at[used])
        state.counters[at[used], ROWS] += found.counts[used]
    if ready.weights is not None:
        uncount(state, ready.weights, found.odd, codes, at)
    if found.odd.size:
        groups = np.repeat(at[0], found.odd.size) if codes is None else at[codes[found.odd]]
        step.absorb(state, ready, found.odd, found.losses, groups)
