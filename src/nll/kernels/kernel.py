"""A family's kernels: its formulas bound to the loops, compiled when enough rows have come to pay for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.families.family import Family
from nll.numerics.formula import bind, formula, quiet
from nll.numerics.softmax import WIDE as COMPILED_WIDTH
from nll.numerics.window import WORDS

Array = npt.NDArray[Any]
Theta = tuple[Any, ...]

# Loading Numba and compiling a kernel takes 1 to 2 s; a row as plain Python takes 20 to 400 microseconds. So each
# kernel may spend this long as plain Python, at a cost a number that is measured as it goes.
SECONDS_BEFORE_COMPILING = 0.5
SECONDS_A_NUMBER = 50e-6  # before the first measurement
FEW = 64  # rows for which a kernel of their own does not compile


class Deposit(NamedTuple):
    """What a pass over a batch left: exact sums by group, rows by group, and the rows it could not add."""

    table: Array  # (groups, sums, WORDS) int64
    counts: Array  # (groups,) int64
    odd: Array  # indices of rows
    losses: Array  # of the odd rows


@dataclass(slots=True)
class Kernel:
    """The passes of one parametrisation of a family."""

    form: type[Family]
    seconds_left: float = SECONDS_BEFORE_COMPILING
    seconds_a_number: float = SECONDS_A_NUMBER
    _compiled: dict[str, Any] = field(default_factory=dict)
    _filling: Any = None

    def rows(self, y: Array, theta: Theta) -> Array:
        """Return the row losses of a batch (n,): infinite where impossible, NaN where the input is not valid."""
        if self._plain(y, theta):
            return self._timed_rows(y, theta)
        out = np.empty(y.shape[0])
        self._loop("rows")(y, theta, out)
        return out

    def tally(
        self, y: Array, theta: Theta, weights: Array | None, codes: Array | None, groups: int, limit: float
    ) -> Deposit:
        """Add the losses of a batch to exact sums; see `loops.tally`."""
        n = y.shape[0]
        table = np.zeros((groups, 2 if weights is None else 5, WORDS), np.int64)
        counts = np.zeros(groups, np.int64)
        if self._plain(y, theta):
            return Deposit(table, counts, np.arange(n), self._timed_rows(y, theta))
        odd = np.empty(n, np.int64)
        found = self._loop("tally")(y, theta, weights, codes, limit, table.reshape(-1), counts, odd)
        odd = odd[:found].copy()
        return Deposit(table, counts, odd, self._losses(y, theta, odd))

    def _losses(self, y: Array, theta: Theta, odd: Array) -> Array:
        if odd.size == 0:
            return np.empty(0)
        y, theta = y[odd], tuple(t[odd] if np.ndim(t) else t for t in theta)
        if odd.size <= FEW and _width(theta) < COMPILED_WIDTH:
            return self.plain_rows(y, theta)
        out = np.empty(odd.size)
        self._loop("rows")(read_only(y), tuple(read_only(t) if np.ndim(t) else t for t in theta), out)
        return out

    def plain_rows(self, y: Array, theta: Theta) -> Array:
        """Return the row losses by running the formulas as they stand: the same bits, without a compiler."""
        out = np.empty(y.shape[0])
        with quiet():
            if self.form.fill is not None:
                self.form.fill(y, theta, out)
                return out
            loss, valid, supported = self.form.loss, validity(self.form), support(self.form)
            assert loss is not None
            if self.form.event:
                for i, row in enumerate(y.astype(np.float64)):
                    cells = list(zip(row, *(t[i] for t in theta), strict=True))
                    losses = [loss(*cell) if supported(*cell) else np.inf for cell in cells]
                    out[i] = sum(losses) if all(valid(*cell) for cell in cells) else np.nan
                return out
            columns = [t if np.ndim(t) else np.full(y.shape[0], t) for t in theta]
            for i, row in enumerate(zip(y.astype(np.float64), *columns, strict=True)):
                out[i] = np.nan if not valid(*row) else loss(*row) if supported(*row) else np.inf
        return out

    def _plain(self, y: Array, theta: Theta) -> bool:
        """Whether to do without a compiler: for few numbers, and none that only compiled code can do."""
        width = _width(theta)
        if self._compiled or width >= COMPILED_WIDTH:
            return False
        return y.shape[0] * width * self.seconds_a_number <= self.seconds_left

    def _timed_rows(self, y: Array, theta: Theta) -> Array:
        start = time.perf_counter()
        losses = self.plain_rows(y, theta)
        spent = time.perf_counter() - start
        numbers = y.shape[0] * _width(theta)
        if numbers >= FEW:
            self.seconds_a_number = spent / numbers
        self.seconds_left -= spent
        return losses

    def _loop(self, name: str) -> Any:
        if name not in self._compiled:
            from nll.kernels import loops

            self._compiled[name] = bind(getattr(loops, name), fill=self._fill())
        return self._compiled[name]

    def _fill(self) -> Any:
        """Return what fills a block with losses, one for all loops: the second to compile takes half the time."""
        if self._filling is None:
            from nll.kernels import loops

            if self.form.fill is not None:
                self._filling = bind(self.form.fill, inline=True)
            else:
                formulas = {"loss": self.form.loss, "valid": validity(self.form), "supported": support(self.form)}
                loop = loops.fill_by_matrix if self.form.event else loops.fill_by_row
                self._filling = bind(loop, inline=True, **formulas)
        return self._filling


def _width(theta: Theta) -> int:
    """Return how many parameters of one kind a row has."""
    return max([1, *(t.shape[1] for t in theta if np.ndim(t) == 2)])


@cache
def kernel(form: type[Family]) -> Kernel:
    """Return the kernels of a parametrisation; made once in a process."""
    return Kernel(form)


def support(form: type[Family]) -> Callable[..., bool]:
    """Return the formula supported(y, *theta)."""
    if form.inside is not None:
        return form.inside
    contains = form.support.contains

    @formula
    def supported(y, *theta):
        return contains(y)

    return supported


@cache
def validity(form: type[Family]) -> Callable[..., bool]:
    """Return the formula valid(y, *theta): y may be observed, and each parameter meets its constraint."""
    observable = form.observations.contains

    @formula
    def valid(y, *theta):
        return observable(y)

    for k, constraint in enumerate(form.parameters.values()):
        valid = _both(valid, constraint.contains, k)
    return valid if form.consistent is None else _together(valid, form.consistent)


def _together(first: Callable[..., bool], consistent: Callable[..., bool]) -> Callable[..., bool]:
    @formula
    def valid(y, *theta):
        return first(y, *theta) & consistent(*theta)

    return valid


def _both(first: Callable[..., bool], contains: Callable[[float], bool], k: int) -> Callable[..., bool]:
    @formula
    def valid(y, *theta):
        return first(y, *theta) & contains(theta[k])

    return valid


def prepared(y: Any, theta: Sequence[Any]) -> tuple[Array, Theta]:
    """Return y and parameters as the kernels take them: contiguous, of few types, so that few kernels compile."""
    return observed(y), tuple(parameter(t) for t in theta)


def observed(y: Any) -> Array:
    """Return observations as read-only uint8, int64 or float64."""
    y = np.ascontiguousarray(y)
    if y.dtype == np.bool_:
        y = y.view(np.uint8)
    elif y.dtype not in (np.float64, np.int64, np.uint8):
        whole = y.dtype.kind == "i" or (y.dtype.kind == "u" and y.dtype.itemsize < 8)
        y = y.astype(np.int64 if whole else np.float64)
    return read_only(y)


def parameter(value: Any) -> Any:
    """Return a parameter as a double, or a read-only array of them."""
    return read_only(np.ascontiguousarray(value, np.float64)) if np.ndim(value) else float(value)


def read_only(array: Array) -> Array:
    """Return a view that cannot be written: tables give such arrays, and Numba compiles for each kind of array."""
    view = array.view()
    view.flags.writeable = False
    return view
