"""Sums of losses, gradients and Hessians in the free parameters of a form: what a fit asks of its rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.families.family import Family
from nll.families.tracing import Value, Write, traced
from nll.kernels.kernel import support, validity
from nll.numerics.formula import bind, is_stored, quiet

Array = npt.NDArray[Any]
Columns = tuple[Any, ...]

# A kernel compiles in 2 to 10 s, and a row as plain Python takes 50 to 500 microseconds; see kernel.py.
SECONDS_BEFORE_COMPILING = 2.0
SECONDS_A_ROW = 300e-6
SECONDS_TO_LOOK = 0.2  # worth loading a compiler, to see whether a compiled kernel is on disk


class Sums(NamedTuple):
    """What a pass over segments left, one entry a segment.

    `sums` (segments, pieces, 2): the sums of w * (loss, gradient, upper triangle of the Hessian), each with its
    rounding error. `counts`, `firsts` (segments, 2): how many rows are impossible and invalid, and the first of each.
    """

    sums: Array
    counts: Array
    firsts: Array

    @classmethod
    def zeros(cls, segments: int, width: int) -> Sums:
        """Return the sums of no rows."""
        pairs = (np.zeros((segments, 2), np.int64), np.full((segments, 2), -1, np.int64))
        return cls(np.zeros((segments, width, 2)), *pairs)


def width(free: int) -> int:
    """Return how many sums there are of so many free parameters."""
    return 1 + free + free * (free + 1) // 2


@cache
def pieces(form: type[Family], free: tuple[int, ...], quick: bool = False) -> Callable[..., tuple[float, ...]]:
    """Return the formula of (loss, gradient, upper triangle of the Hessian), the derivatives in the free parameters.

    With `quick` by the form's own `curvature`, which is NaN where it does not hold.
    """
    loss, gradient, hessian = form.loss, form.gradient, form.hessian
    if loss is None or gradient is None or hessian is None:
        raise UsageError(f"{form.signature()} has no derivatives that a fit can use")
    p = len(form.parameters)
    triangle = {pair: k for k, pair in enumerate((i, j) for i in range(p) for j in range(i, p))}
    wanted = [triangle[i, j] for n, i in enumerate(free) for j in free[n:]]

    def all_of(write: Write, *row: Value) -> list[Value]:
        if quick:
            found = write.several(form.curvature, 1 + p + len(triangle), *row)
            value, slopes, bends = found[0], found[1 : 1 + p], found[1 + p :]
        else:
            value = write(loss, *row)
            slopes, bends = write.several(gradient, p, *row), write.several(hessian, len(triangle), *row)
        return [value, *(slopes[i] for i in free), *(bends[i] for i in wanted)]

    return traced("pieces", 1 + p, all_of)


@dataclass(slots=True)
class CurvatureKernel:
    """The pass of a fit, for one form and one choice of free parameters."""

    form: type[Family]
    free: tuple[int, ...]
    seconds_left: float = SECONDS_BEFORE_COMPILING
    seconds_a_row: float = SECONDS_A_ROW
    compiled: list[Any] = field(default_factory=list)
    stored: bool | None = None  # whether there is nothing left to compile; None before anyone looked

    def __call__(
        self, y: Array, columns: Columns, table: Array, weights: Array | None, lower: Array, upper: Array
    ) -> Sums:
        """Return the sums of each segment; see `curvature_loops.segments`."""
        found = Sums.zeros(len(lower), width(len(self.free)))
        rows = int((upper - lower).sum())
        if self._is_plain(rows):
            start = time.perf_counter()
            whole = self._plain(y, columns, table, weights, lower, upper, found, start + self.seconds_left)
            spent = time.perf_counter() - start
            self.seconds_left -= spent
            if whole:
                self.seconds_a_row = spent / rows if rows >= 16 else self.seconds_a_row
                return found
            found = Sums.zeros(len(lower), width(len(self.free)))
        self.stored = True
        table = np.ascontiguousarray(table, np.float64).reshape(-1)
        self._loop()(y, columns, table, weights, lower, upper, *found)
        return found

    def _is_plain(self, rows: int) -> bool:
        """Whether to do so many rows without a compiler: for few, and for more while nothing is compiled already."""
        seconds = rows * self.seconds_a_row
        if self.stored or seconds > self.seconds_left:
            return False
        if seconds > SECONDS_TO_LOOK and self.stored is None:
            self.stored = is_stored(self._loop())
        return not self.stored

    def _loop(self) -> Any:
        if not self.compiled:
            from nll.kernels import curvature_loops

            quick = self.form.curvature is not None
            again = curvature_loops.leave
            if quick:
                again = bind(curvature_loops.redo, careful=pieces(self.form, self.free))
            self.compiled.append(
                bind(
                    curvature_loops.segments,
                    pieces=pieces(self.form, self.free, quick),
                    again=again if quick else bind(again),
                    valid=validity(self.form),
                    supported=support(self.form),
                    WIDTH=width(len(self.free)),
                )
            )
        return self.compiled[0]

    def _plain(
        self, y: Array, columns: Columns, table: Array, weights: Array | None, lower: Array, upper: Array, found: Sums,
        deadline: float,
    ) -> bool:  # fmt: skip
        """Do the pass with the formulas as they stand; say whether it was done by the deadline."""
        value, valid, supported = pieces(self.form, self.free), validity(self.form), support(self.form)
        with quiet():
            for s in range(len(lower)):
                kept: list[Any] = []
                for i in range(int(lower[s]), int(upper[s])):
                    if time.perf_counter() > deadline:
                        return False
                    weight = 1.0 if weights is None else weights[i]
                    if weight == 0.0:
                        continue
                    theta = [np.float64(t) if c is None else c[i] for c, t in zip(columns, table[s], strict=True)]
                    row = (np.float64(y[i]), *theta)
                    kind = 1 if not valid(*row) else 0 if not supported(*row) else -1
                    if kind < 0:
                        of_row = value(*row)
                        if abs(of_row[0]) < np.inf:
                            kept.append(of_row if weights is None else [weight * x for x in of_row])
                            continue
                        kind = 0 if of_row[0] == np.inf else 1
                    if found.counts[s, kind] == 0:
                        found.firsts[s, kind] = i
                    found.counts[s, kind] += 1
                for j, column in enumerate(zip(*kept, strict=True)):
                    found.sums[s, j, 0] = _total(column)
        return True


def _total(values: tuple[float, ...]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # sums of infinities of both signs
        return math.nan


@cache
def curvature_kernel(form: type[Family], free: tuple[int, ...]) -> CurvatureKernel:
    """Return the pass of a fit of a form; made once in a process."""
    return CurvatureKernel(form, free)
