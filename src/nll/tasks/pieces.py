"""`nll.categorical_from_chunks`: logits that never stand in memory whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.engines.local import Local
from nll.errors import DataError, UsageError
from nll.families.categorical import SKIPPED, CategoricalLogits
from nll.kernels.pieces import LARGEST, begun, pass_of, settled
from nll.numerics.single import widened
from nll.states.tally import Tallies
from nll.tasks.chunks import Inputs, array_keys, array_of
from nll.tasks.finish import finish
from nll.tasks.keys import group_codes
from nll.tasks.logits import Options, by_position, skipped_of
from nll.tasks.ready import Ready, class_index, marked
from nll.tasks.score import make_step
from nll.tasks.tally import Step, count_left_out

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
Pieces = Iterable[Any] | Callable[[slice], Iterable[Any]]

ROWS = 2_048  # of a block, where pieces are made for one
NUMBERS_FOR_THREADS = 2**18  # of a piece, from which threads share it


def categorical_from_chunks(
    ids: Any,
    pieces: Pieces,
    *,
    rows: int | None = None,
    ignore_index: int | None = None,
    mask: Any = None,
    sample_weight: Any = None,
    by: Any = None,
    cluster: Any = None,
    clip: float | None = None,
    temperature: float | None = None,
    softcap: float | None = None,
    units: str = "nats",
    threads: int | None = None,
) -> Any:
    """Score ids by logits that come in pieces of the vocabulary, and of the rows, so that they never stand whole.

    The log of the sum of exp is taken as the pieces come, in double precision whatever their type: the losses are those
    of the whole to a few ulp, however the vocabulary is cut. (`nll.score` takes wide float32 rows in float32, to 1e-7
    nats.) The sum over rows is exact, so blocks of rows do not change a bit.

    Parameters
    ----------
    ids : (n,) classes.
    pieces : an iterable of logits (n, k): of the first k classes, of the next, and so on, each array of any number of
        classes. Or a callable that returns such an iterable for a slice of the rows.
    rows : rows of a block, for which a callable is asked; 2,048 by default.
    ignore_index, mask, temperature, softcap, clip, sample_weight, by, cluster, units, threads : as in `nll.score`.

    Returns
    -------
    Score, or Scores by group.

    Raises
    ------
    DataError : a piece has the wrong shape, an id is no class, or a logit is NaN or infinite.
    UsageError : an option is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> import nll
    >>> hidden, head = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    >>> columns = [slice(0, 3), slice(3, 4)]
    >>> s = nll.categorical_from_chunks([3, 0], lambda rows: (hidden[rows] @ head[:, k] for k in columns), rows=1)
    >>> whole = nll.score([3, 0], nll.Categorical(logits=hidden @ head))
    >>> round(s.mean, 12), round(whole.mean, 12)
    (0.292633818761, 0.292633818761)
    """
    options = Options(ignore_index, mask, False, temperature, softcap)
    if options.chosen:
        options.check(CategoricalLogits(logits="pieces"), None)
    y = array_of(ids, "ids")
    if y.ndim != 1 or y.dtype.kind not in "biuf":
        raise DataError(f"ids must be classes (n,); got {y.dtype} of shape {y.shape}")
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1 or not callable(pieces)):
        raise UsageError(f"rows is a whole number of at least 1, with pieces that are a callable; got {rows!r}")
    keys, names = array_keys(by, cluster, len(y))
    name, weights = "sample_weight", None
    if sample_weight is not None:
        weights = by_position(array_of(sample_weight, name), y.shape, name)
    bound = _bound(len(y), names, cluster is not None, weights is not None, options)
    step = make_step(bound, "error", clip, None, 0.0, None)
    work = _Work(y, skipped_of(y, options, y.shape), weights, keys, step, options, Local(threads).threads)
    state = step.zero()
    for block in work.blocks(callable(pieces), rows or ROWS):
        work.add(state, block, pieces(block) if callable(pieces) else pieces)
    result = finish(state, names, bound.cluster, bound.distribution, bound.description, bound.locate)
    return result if units == "nats" else result.to(units)


def _bound(n: int, by: tuple[str, ...], cluster: bool, weighted: bool, options: Options) -> Inputs:
    """Return the words for messages and results; the rows come otherwise."""
    return Inputs(
        CategoricalLogits,
        lambda: iter(()),
        {"y": "ids", "logits": "logits", "sample_weight": "sample_weight"},
        lambda row: f"row {row}",
        by,
        cluster,
        weighted,
        options.described("Categorical(logits=<pieces>)"),
        f"arrays of {n:,} rows",
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """The rows, and what is done with a block of them."""

    y: Array
    skipped: Array | None
    weights: Array | None
    keys: list[pl.Series] | None
    step: Step
    options: Options
    threads: int

    def blocks(self, several: bool, rows: int) -> Iterator[slice]:
        n = len(self.y)
        yield from (slice(start, min(start + rows, n)) for start in range(0, n, rows)) if several else [slice(0, n)]

    def add(self, state: Tallies, block: slice, pieces: Iterable[Any]) -> None:
        """Add the rows of a block to a state."""
        y = self.y[block]
        ignored = None if self.skipped is None else self.skipped[block]
        losses = self.losses(y if ignored is None else marked(y, ignored), block.start, pieces)
        codes, keys = (None, [()]) if self.keys is None else group_codes([k[block] for k in self.keys])
        state.read += len(y)
        if ignored is not None and ignored.any():
            count_left_out(state, "ignored", ignored, codes, keys)
        scored = np.arange(len(y)) if ignored is None else np.flatnonzero(~ignored)
        if scored.size == 0:
            return
        at = state.places(keys)
        groups = np.repeat(at[0], scored.size) if codes is None else at[codes[scored]]
        weights = None if self.weights is None else self.weights[block].astype(np.float64)
        ready = Ready(self.step.prepare.form, y, (), weights, None, None, block.start)
        self.step.absorb(state, ready, scored, losses[scored], groups)

    def losses(self, y: Array, start: int, pieces: Iterable[Any]) -> Array:
        """Return the losses of rows, those of ids that are ignored without meaning."""
        classes = class_index(y)
        state, wrong, first = begun(len(y)), np.full(len(y), -1), 0
        temperature = self.options.temperature or 1.0
        softcap = np.inf if self.options.softcap is None else float(self.options.softcap)
        for piece in pieces:
            found = array_of(piece, "logits")
            if found.ndim != 2 or len(found) != len(y):
                raise DataError(
                    f"logits of the classes from {first} on, for rows {start} to {start + len(y) - 1}, have the shape "
                    f"{found.shape}; expected ({len(y)}, classes)"
                )
            if found.shape[1] == 0:
                continue
            matrix = CategoricalLogits.prepare((found,))[0]
            self.absorb(matrix, first, classes, (float(temperature), softcap), state, wrong)
            self.refuse(matrix, first, wrong, start)
            first += found.shape[1]
        unknown = (y != SKIPPED) & ((classes < 0) | (classes >= first))
        if unknown.any():
            row = int(np.argmax(unknown))
            what = f"a whole number in 0 .. {first - 1}, the classes of all pieces"
            raise DataError(f"ids must be a class, {what}; row {start + row} has {float(y[row]):g}")
        none = (y != SKIPPED) & (state[:, LARGEST] == -np.inf)
        if none.any():
            row = start + int(np.argmax(none))
            raise DataError(f"logits must have at least one finite number in a row; row {row} has none")
        return settled(state)

    def absorb(
        self, matrix: Array, first: int, classes: Array, shape: tuple[float, float], state: Array, wrong: Array
    ) -> None:
        """Add a piece to the states, by threads where it is large."""
        run = pass_of(matrix.size)
        threads = self.threads if matrix.size >= NUMBERS_FOR_THREADS else 1
        if threads == 1:
            run(matrix, first, classes, *shape, state, wrong)
            return
        edges = np.linspace(0, len(classes), threads + 1).astype(int)
        parts = [slice(a, b) for a, b in pairwise(edges)]
        with ThreadPoolExecutor(threads, thread_name_prefix="nll") as pool:
            list(pool.map(lambda s: run(matrix[s], first, classes[s], *shape, state[s], wrong[s]), parts))

    def refuse(self, matrix: Array, first: int, wrong: Array, start: int) -> None:
        """Raise the error for a logit that is none."""
        if (wrong >= 0).any():
            row = int(np.argmax(wrong >= 0))
            value = float(widened(matrix[row, wrong[row] - first]))
            raise DataError(f"logits must be below infinity; row {start + row} has {value} for class {wrong[row]}")
