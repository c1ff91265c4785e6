"""The rows of a fit: read once and kept, or read again in every pass where memory does not hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.engines.local import Local
from nll.errors import DataError, UsageError
from nll.families.family import Family
from nll.kernels.curvature import curvature_kernel
from nll.numerics.formula import quiet
from nll.states.curvature import Curvature
from nll.tasks.chunks import Inputs
from nll.tasks.keys import group_codes
from nll.tasks.ready import Preparation, Ready
from nll.tasks.refusal import refusal

Array = npt.NDArray[Any]
BYTES_KEPT = 2**31
ROWS_IN_TASK = 2**18
SAMPLE = 2**16


# What is known of each group before it is fitted: its value for no rows, and how those of two stretches of rows merge.
COUNTS: dict[str, tuple[Any, Callable[[Array, Array], Array]]] = {
    "rows": (0, np.add),
    "weight": (0.0, np.add),
    "missing": (0, np.add),
    "unweighted": (0, np.add),
    "low": (np.inf, np.minimum),
    "high": (-np.inf, np.maximum),
    "outside": (0, np.add),
    "first_outside": (-1, lambda first, later: np.where(first >= 0, first, later)),
}


@dataclass(slots=True)
class Part:
    """Consecutive rows, sorted by group.

    `columns` holds None for a parameter that is a number; `groups` are the groups that have rows here, in [lower,
    upper) each; `rows` are the numbers of the rows in the source.
    """

    y: Array
    columns: tuple[Any, ...]
    weights: Array | None
    groups: Array
    lower: Array
    upper: Array
    first: int = 0
    rows: Array | None = None

    @property
    def nbytes(self) -> int:
        """The memory that this takes."""
        arrays = [self.y, self.weights, self.rows, *self.columns]
        return sum(a.nbytes for a in arrays if a is not None)

    def number(self, i: int) -> int:
        """Return the number of a row in the source."""
        return self.first + i if self.rows is None else int(self.rows[i])


class Task(NamedTuple):
    """Some segments of a part: rows [lower, upper) with parameter vector `vector`."""

    part: Part
    vectors: Array
    lower: Array
    upper: Array
    first: int
    size: int


@dataclass(slots=True)
class Problem:
    """What is fitted: a form, which of its parameters are free, and rows in groups.

    Attributes
    ----------
    form : the parametrisation whose loss is summed.
    base : the parametrisation that is fitted: the same, but where observations are censored or truncated.
    free, fixed : names of free parameters; numbers of the fixed ones that are the same in every row.
    bound, prepare, threads : the source, how chunks are made ready, and how many threads go over them.
    keys : of the groups.
    rows, weight, read, missing, unweighted : of each group (G,).
    low, high : the smallest and the largest y of each group.
    outside : rows off the support whatever the parameters are, and the first of them, of each group.
    kept : the rows, where memory holds them.
    sample : some of the rows, at equal distances.
    passes, lines : times that the rows were gone over; the rows of the source, of every kind, in the last of these.
    """

    form: type[Family]
    base: type[Family]
    free: tuple[str, ...]
    fixed: dict[str, float]
    bound: Inputs
    prepare: Preparation
    threads: int | None
    grouped: bool
    keys: list[Any] = field(default_factory=list)
    rows: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    weight: Array = field(default_factory=lambda: np.zeros(0))
    missing: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    unweighted: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    low: Array = field(default_factory=lambda: np.zeros(0))
    high: Array = field(default_factory=lambda: np.zeros(0))
    outside: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    first_outside: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    kept: list[Part] | None = field(default_factory=list[Part])
    places: dict[Any, int] = field(default_factory=dict)
    passes: int = 0
    lines: int = 0

    @property
    def names(self) -> list[str]:
        """The parameters of the form."""
        return list(self.form.parameters)

    def load(self) -> None:
        """Go over the rows once: count them, and keep them where they fit."""
        size = 0
        for part in self.read(count=True):
            if self.kept is not None:
                size += part.nbytes
                self.kept = [*self.kept, part] if size <= BYTES_KEPT else None
        self.passes += 1
        if self.kept is not None and self.grouped and self.kept:
            self.kept = [regrouped(self.kept)]

    def read(self, count: bool = False) -> Iterator[Part]:
        """Yield the rows of the source as parts."""
        self.lines = 0
        for chunk in self.bound.chunks():
            self.lines += chunk.size
            codes = None
            if chunk.keys is not None:
                codes, keys = group_codes(chunk.keys)
                codes = np.asarray(codes, np.int64)
                present = np.flatnonzero(np.bincount(codes, minlength=len(keys)))
                table = np.full(len(keys), -1)
                table[present] = [self.places.setdefault(keys[i], len(self.places)) for i in present.tolist()]
                codes = table[codes]
            elif not self.places:
                self.places[()] = 0
            ready = self.prepare(chunk)
            lost = ready.missing
            if count:
                self.grow()
                if lost is not None:
                    self.missing += np.bincount(_codes(codes, lost), minlength=len(self.places))
            yield from self.parts(ready, codes if lost is None or codes is None else codes[~lost], count)

    def grow(self) -> None:
        """Make room for new groups."""
        more = len(self.places) - len(self.rows)
        if more > 0:
            for name, (blank, _) in COUNTS.items():
                setattr(self, name, np.concatenate([getattr(self, name), np.full(more, blank)]))

    def parts(self, ready: Ready, codes: Array | None, count: bool) -> Iterator[Part]:
        """Yield the rows of a chunk, without those of weight 0, sorted by group."""
        y, weights = np.ascontiguousarray(ready.y, np.float64), ready.weights
        index = ready.index
        columns = tuple(np.ascontiguousarray(t, np.float64) if np.ndim(t) else None for t in ready.theta)
        if weights is not None:
            self.check_weights(ready, weights)
            zero = weights == 0.0
            if zero.any():
                if count:
                    self.unweighted += np.bincount(_codes(codes, zero), minlength=len(self.places))
                index = np.flatnonzero(~zero) if index is None else index[~zero]
                y, weights, codes = y[~zero], weights[~zero], None if codes is None else codes[~zero]
                columns = tuple(None if c is None else c[~zero] for c in columns)
        if y.size == 0:
            return
        rows = None if index is None else index + ready.first
        if codes is None:
            part = Part(y, columns, weights, np.zeros(1, np.int64), np.zeros(1, np.int64), np.array([y.size]),
                        ready.first, rows)  # fmt: skip
        else:
            part = sorted_part(y, columns, weights, codes, np.arange(y.size) + ready.first if rows is None else rows)
        if count:
            self.count(part)
        yield part

    def count(self, part: Part) -> None:
        """Add a part to what is known of each group."""
        g, lower = part.groups, part.lower
        least = np.minimum.reduceat(part.y, lower)
        self.check_values(part, least)
        self.rows[g] += part.upper - lower
        self.weight[g] += part.upper - lower if part.weights is None else np.add.reduceat(part.weights, lower)
        self.low[g] = np.minimum(self.low[g], least)
        self.high[g] = np.maximum(self.high[g], np.maximum.reduceat(part.y, lower))
        support = self.form.support
        with quiet():
            ends = support.low, support.high
            excluded = [np.isfinite(end) and not support.contains(np.float64(end)) for end in ends]
            low, high = self.low[g].min(), self.high[g].max()
            if not (
                low < ends[0] or high > ends[1] or (excluded[0] and low == ends[0]) or (excluded[1] and high == ends[1])
            ):
                return
            off = (part.y < ends[0]) | (part.y > ends[1])
            off |= (excluded[0] & (part.y == ends[0])) | (excluded[1] & (part.y == ends[1]))
        if off.any():
            inside = np.repeat(g, part.upper - lower)[off]
            self.outside += np.bincount(inside, minlength=len(self.outside))
            rows = np.flatnonzero(off)
            groups = part.groups[np.searchsorted(part.upper, rows, "right")]
            for group, at in zip(*np.unique(groups, return_index=True), strict=True):
                if self.first_outside[group] < 0:
                    self.first_outside[group] = part.number(int(rows[at]))

    def check_values(self, part: Part, least: Array) -> None:
        """Refuse an observation that is NaN, or infinite where it must not be."""
        wrong = np.isnan(part.y) if np.isnan(least).any() else np.isinf(part.y)
        for i in np.flatnonzero(wrong)[:1].tolist():
            if np.isnan(part.y[i]) or not self.form.observations.contains(np.float64(part.y[i])):
                self.refuse(part, i)

    def check_weights(self, ready: Ready, weights: Array) -> None:
        """Refuse a weight that is negative, infinite or NaN."""
        wrong = np.flatnonzero(~(weights >= 0.0) | (weights == np.inf))
        if wrong.size:
            where, found = self.prepare.locate(ready.number(wrong[0])), float(weights[wrong[0]])
            name = self.prepare.names["sample_weight"]
            raise DataError(f"{name} must be at least 0 and finite; {where} has {found!r}")

    def refuse(self, part: Part, i: int, vector: Array | None = None) -> None:
        """Raise the error for a row whose values are not valid, under parameters where they were tried."""
        tried = [self.fixed.get(name, 1.0) for name in self.names] if vector is None else vector
        theta = [
            float(value) if column is None else column[i] for value, column in zip(tried, part.columns, strict=True)
        ]
        raise refusal(self.form, [(part.number(i), part.y[i], theta)], self.prepare.names, self.prepare.locate)

    def table(self, theta: Array) -> Array:
        """Return all parameters (n, p) from the free ones (n, free), zeros where they are columns."""
        out = np.zeros((len(theta), len(self.names)))
        for k, name in enumerate(self.names):
            if name in self.free:
                out[:, k] = theta[:, self.free.index(name)]
            elif name in self.fixed:
                out[:, k] = self.fixed[name]
        return out

    def evaluate(
        self, table: Array, groups: Array, derivatives: Sequence[str], parts: list[Part] | None = None
    ) -> Curvature:
        """Return the sums over rows of each group, under a parameter vector each.

        Parameters
        ----------
        table : (n, p) parameters. groups : (n,), whose rows they are for; a group may stand there several times.
        derivatives : the parameters in which to differentiate.
        parts : other rows than the problem's own.
        """
        free = tuple(self.names.index(name) for name in derivatives)
        run = curvature_kernel(self.form, free)
        zero = lambda: Curvature.zeros(len(table), len(free))  # noqa: E731

        def step(state: Curvature, task: Task) -> None:
            part = task.part
            found = run(part.y, part.columns, table[task.vectors], part.weights, task.lower, task.upper)
            for kind in (1, 0):
                bad = np.flatnonzero(found.counts[:, kind])
                if bad.size and kind == 1:
                    self.refuse(part, int(found.firsts[bad[0], 1]), table[task.vectors[bad[0]]])
                for s in bad.tolist():
                    found.firsts[s, kind] = part.number(int(found.firsts[s, kind]))
            state.add(found, task.vectors)

        if parts is None:
            self.passes += 1
        source = parts if parts is not None else self.kept if self.kept is not None else self.read()
        return Local(self.threads).reduce(tasks(source, groups), step, zero, Curvature.merge)

    def sampled(self, most: int = SAMPLE) -> list[Part]:
        """Return at most so many rows of a problem of one group, at equal distances."""
        every = max(1, -(-int(self.rows.sum()) // most))
        return list(self.every(every, self.kept if self.kept is not None else self.read()))

    def every(self, step: int, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield each so-many-th row of parts of one group."""
        offset = 0
        for part in parts:
            cut = slice((-offset) % step, None, step)
            offset += part.y.size
            y = np.ascontiguousarray(part.y[cut])
            if y.size:
                columns = tuple(None if c is None else np.ascontiguousarray(c[cut]) for c in part.columns)
                weights = None if part.weights is None else np.ascontiguousarray(part.weights[cut])
                rows = np.arange(part.y.size)[cut] + part.first if part.rows is None else part.rows[cut]
                bounds = np.zeros(1, np.int64), np.array([y.size])
                yield Part(y, columns, weights, np.zeros(1, np.int64), *bounds, rows=rows)


def _codes(codes: Array | None, which: Array) -> Array:
    return np.zeros(int(which.sum()), np.int64) if codes is None else codes[which]


def sorted_part(y: Array, columns: Sequence[Any], weights: Array | None, codes: Array, rows: Array) -> Part:
    """Return rows sorted by group, in the order they had within it."""
    order = np.argsort(codes.astype(np.int16) if codes.max() < 2**15 else codes, kind="stable")
    codes = codes[order]
    lower = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    upper = np.r_[lower[1:], len(codes)]
    picked = tuple(None if c is None else c[order] for c in columns)
    return Part(
        y[order], picked, None if weights is None else weights[order], codes[lower], lower, upper, 0, rows[order]
    )


def regrouped(parts: list[Part]) -> Part:
    """Return several parts as one, sorted by group."""
    if len(parts) == 1:
        return parts[0]
    codes = np.concatenate([np.repeat(p.groups, p.upper - p.lower) for p in parts])
    columns = [None if c[0] is None else np.concatenate(c) for c in zip(*(p.columns for p in parts), strict=True)]
    weights = None if parts[0].weights is None else np.concatenate([p.weights for p in parts])  # type: ignore[misc]
    rows = np.concatenate([p.rows for p in parts])  # type: ignore[misc]
    return sorted_part(np.concatenate([p.y for p in parts]), columns, weights, codes, rows)


def thinned(part: Part, most: int = 256) -> Part:
    """Return at most so many rows of each group."""
    picked = np.concatenate([
        np.arange(a, b, max(1, (b - a) // most)) for a, b in zip(part.lower, part.upper, strict=True)
    ])  # fmt: skip
    sizes = [len(range(a, b, max(1, (b - a) // most))) for a, b in zip(part.lower, part.upper, strict=True)]
    upper = np.cumsum(sizes)
    return Part(
        part.y[picked], tuple(None if c is None else c[picked] for c in part.columns),
        None if part.weights is None else part.weights[picked], part.groups, upper - sizes, upper, 0,
        None if part.rows is None else part.rows[picked],
    )  # fmt: skip


def tasks(parts: Any, groups: Array) -> Iterator[Task]:
    """Cut parts into pieces of work of about equal size."""
    order = np.argsort(groups, kind="stable")
    for part in parts:
        at = np.searchsorted(part.groups, groups[order])
        there = at < len(part.groups)
        there[there] = part.groups[at[there]] == groups[order][there]
        vectors, at = order[there], at[there]
        if vectors.size == 0:
            continue
        lower, upper = part.lower[at], part.upper[at]
        if len(part.groups) == 1:  # one group: cut its rows
            for start in range(0, part.y.size, ROWS_IN_TASK):
                stop = min(start + ROWS_IN_TASK, part.y.size)
                ends = np.full(vectors.size, start), np.full(vectors.size, stop)
                yield Task(part, vectors, *ends, part.first + start, stop - start)
            continue
        done = np.cumsum(upper - lower)
        cuts = np.searchsorted(done, np.arange(ROWS_IN_TASK, done[-1], ROWS_IN_TASK))
        for piece in np.split(np.arange(vectors.size), np.unique(cuts)):
            if piece.size:
                rows = int((upper[piece] - lower[piece]).sum())
                yield Task(part, vectors[piece], lower[piece], upper[piece], int(lower[piece[0]]), rows)


def free_names(form: type[Family], fixed: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the parameters that a fit finds; refuse one that must be known and is not."""
    free = tuple(name for name in form.parameters if not fixed(name))
    for name in free:
        if not form.parameters[name].link:
            raise UsageError(f"{name} of {form.signature()} is not fitted: give it in fixed={{{name!r}: ...}}")
    return free
