"""Sequences as a task takes them: observations end to end, and where each sequence begins and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.tasks.chunks import array_of
from nll.tasks.labels import Labels, is_text
from nll.tasks.ready import empty

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Sequences:
    """Observations of several sequences, one after the other.

    Attributes
    ----------
    y : (n,), or (n, k) where one observation is a row of numbers.
    bounds : (S + 1,) int64: sequence s is the rows [bounds[s], bounds[s + 1]).
    missing : which rows have no observation (n,), or None.
    locate : where a row lies, for messages.
    names : the name of each sequence in a table; empty for arrays.
    name : what y is called.
    listed : whether they came as a list, so that what is said of each step goes back as one.
    """

    y: Array
    bounds: Array
    missing: Array | None
    locate: Callable[[int], str]
    description: str
    names: tuple[Any, ...] = ()
    name: str = "y"
    listed: bool = False

    @property
    def lengths(self) -> Array:
        """The length of each sequence (S,)."""
        return np.diff(self.bounds)

    @property
    def lost(self) -> int:
        """How many observations are missing."""
        return 0 if self.missing is None else int(self.missing.sum())

    def observed(self) -> Array:
        """Return which rows have an observation (n,)."""
        return np.ones(len(self.y), bool) if self.missing is None else ~self.missing

    def step(self, k: int) -> Array:
        """Return which rows are at least k steps after the first of their sequence (n,)."""
        out = np.ones(len(self.y), bool)
        for first in range(k):
            at = self.bounds[:-1] + first
            out[at[at < self.bounds[1:]]] = False
        return out

    def split(self, values: Array) -> Any:
        """Return something of each row (n, ...) as the sequences came: a list of arrays, or one array."""
        return [values[a:b] for a, b in self.spans()] if self.listed else values

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last + 1 row of each sequence."""
        ends = self.bounds.tolist()
        yield from pairwise(ends)


def sequences(
    y: Any, data: Any = None, *, lengths: Any = None, sequence: Any = None, labels: Any = None,
    missing: str = "error", where: Any = None, vectors: bool = False,
) -> Sequences:  # fmt: skip
    """Bind the arguments of a task to sequences.

    Parameters
    ----------
    y : one array of observations with `lengths`, a list of arrays, or with `data` the name of a column, or a list of
        columns where one observation is a row of numbers (`vectors`).
    lengths : the length of each sequence in y, as hmmlearn has it; without, y is one sequence.
    sequence : with `data`, the column that names the sequence of a row; the rows of one follow each other.
    labels : the values of y in the order of the classes.
    missing : "error" refuses a missing observation; "drop" leaves it out, and its step keeps its place.
    """
    if missing not in ("error", "drop"):
        raise UsageError(f"missing is 'error' or 'drop'; got {missing!r}")
    if data is not None:
        if lengths is not None:
            raise UsageError("lengths= is for arrays: with data=, sequence= names the column of sequences")
        found = _of_table(y, data, sequence, where, vectors)
    else:
        if sequence is not None or where is not None:
            raise UsageError("sequence= and where= are about a table: pass data=, or lengths= with arrays")
        if isinstance(y, str):
            if labels is None:
                raise UsageError(
                    f"y={y!r:.40} names a column, and there is no table: pass data=; or labels= of its letters"
                )
            y = np.array(list(y))  # a text is the sequence of its letters
        found = _of_arrays(y, lengths, vectors)
    if not len(found.y):
        raise DataError(f"there are no observations in {found.description}")
    return _labelled(_without_missing(found, missing), labels)


def _of_arrays(y: Any, lengths: Any, vectors: bool) -> Sequences:
    listed = lengths is None and isinstance(y, (list, tuple)) and len(y) > 0 and all(map(_is_array, y))
    if listed:
        parts = [_column(array_of(part, "y"), vectors) for part in y]
        if not all(map(len, parts)):
            at = next(i for i, part in enumerate(parts) if not len(part))
            raise DataError(f"a sequence has at least one observation; sequence {at} is empty")
        if len({part.shape[1:] for part in parts}) > 1 or len({is_text(part) for part in parts}) > 1:
            raise DataError("the sequences are not of one kind: all numbers, all text, or rows of equally many numbers")
        whole, sizes = np.concatenate(parts), np.array([len(part) for part in parts], np.int64)
    else:
        whole = _column(array_of(y, "y"), vectors)
        sizes = _lengths(lengths, len(whole))
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    def locate(row: int) -> str:
        at = int(np.searchsorted(bounds, row, side="right")) - 1
        return f"row {row}" if len(sizes) == 1 else f"sequence {at}, step {row - int(bounds[at])}"

    description = f"arrays of {len(whole):,} rows in {_sequences(len(sizes))}"
    return Sequences(whole, bounds, None, locate, description, listed=listed)


def _is_array(value: Any) -> bool:
    return not isinstance(value, str) and np.ndim(value) >= 1


def _column(y: Array, vectors: bool) -> Array:
    """Return observations as (n,), or with `vectors` as (n, k)."""
    if y.ndim == 0:
        y = y.reshape(1)
    if y.ndim == 2 and y.shape[1] == 1 and not vectors:
        return y[:, 0]  # a matrix of one feature, as hmmlearn has it
    if y.ndim != (2 if vectors else 1):
        want = "rows of numbers, a matrix (n, k)" if vectors else "one number a step, (n,)"
        hint = "" if vectors else ": several sequences are a list of arrays, or one array with lengths="
        raise DataError(f"y must hold {want}; got the shape {y.shape}{hint}")
    return y


def _lengths(lengths: Any, n: int) -> Array:
    if lengths is None:
        return np.array([n] if n else [], np.int64)
    given = np.asarray(lengths)
    if given.ndim != 1 or given.dtype.kind not in "iu" or not (given > 0).all():
        raise DataError(f"lengths must be whole numbers, at least 1, one a sequence; got {lengths!r:.80}")
    if int(given.sum()) != n:
        raise DataError(f"lengths add up to {int(given.sum()):,}; y has {n:,} rows")
    return given.astype(np.int64)


def _of_table(y: Any, data: Any, sequence: Any, where: Any, vectors: bool) -> Sequences:
    import polars as pl

    from nll.engines.placing import open_table

    columns = list(y) if isinstance(y, (list, tuple)) else [y]
    for name in [*columns, *([] if sequence is None else [sequence])]:
        if not isinstance(name, str):
            raise UsageError(f"with data=, y and sequence are names of columns; got {name!r:.60}")
    if isinstance(y, (list, tuple)) != vectors:
        raise UsageError(f"with data=, y is {'a list of columns' if vectors else 'the name of a column'}; got {y!r}")
    source = open_table(data, where)
    needed: list[str] = list(dict.fromkeys([*columns, *([] if sequence is None else [sequence])]))
    source.require(needed)
    frames = [batch.frame for batch in source.batches(needed)]
    if not frames or not sum(frame.height for frame in frames):
        raise DataError(f"there are no observations in {source.description}")
    frame = pl.concat(frames, how="vertical_relaxed")
    found = [_values(frame[name]) for name in columns]
    whole = np.column_stack([values for values, _ in found]) if vectors else found[0][0]
    masks = [mask for _, mask in found if mask is not None]
    bounds, names = _runs(frame[sequence], sequence, source.locate) if sequence else (np.array([0, frame.height]), ())
    lost = np.logical_or.reduce(masks) if masks else None
    described = f"{source.description}, {_sequences(len(bounds) - 1)}"
    name = f"column {y!r}" if isinstance(y, str) else "y"
    return Sequences(whole, bounds.astype(np.int64), lost, source.locate, described, names, name)


def _values(series: pl.Series) -> tuple[Array, Array | None]:
    import polars as pl

    from nll.sources import numbers

    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        return series.cast(pl.String).to_numpy(), series.is_null().to_numpy() if series.null_count() else None
    return numbers(series)


def _runs(series: pl.Series, name: str, locate: Callable[[int], str]) -> tuple[Array, tuple[Any, ...]]:
    """Return the bounds of sequences in a column that names them, and their names."""
    runs = series.rle_id().to_numpy()
    starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(runs)) + 1])
    names = series.gather(starts).to_list()
    if len(set(names)) < len(names):
        seen: set[Any] = set()
        at = next(i for i, value in enumerate(names) if value in seen or seen.add(value))
        raise DataError(
            f"the rows of a sequence follow each other; {locate(int(starts[at]))} goes back to {name} = {names[at]!r}: "
            "sort the table by it, and within it by time"
        )
    return np.append(starts, len(series)), tuple(names)


def _sequences(count: int) -> str:
    return f"{count:,} sequence" if count == 1 else f"{count:,} sequences"


def _without_missing(found: Sequences, missing: str) -> Sequences:
    """Mark the observations that are missing, or refuse the first of them."""
    lost = empty(found.y) if found.y.dtype.kind in "fO" else np.zeros(len(found.y), bool)
    lost = lost if found.missing is None else lost | found.missing
    if not lost.any():
        return replace(found, missing=None)
    if missing == "error":
        raise DataError(
            f"{found.name} is missing at {found.locate(int(np.argmax(lost)))} ({int(lost.sum()):,} such rows): pass "
            "missing='drop' to leave such observations out and count them; their steps keep their place"
        )
    return replace(found, missing=lost)


def _labelled(found: Sequences, labels: Sequence[Any] | None) -> Sequences:
    """Return labels as the classes 0, 1, ..."""
    if labels is None:
        if is_text(found.y):
            sample = next((v for v in found.y.tolist() if v is not None), None)
            raise DataError(
                f"{found.name} holds text, such as {sample!r}: pass labels=[...] in the order of the classes"
            )
        return found
    codes, wrong = Labels(labels).encode(found.y, found.missing)
    if wrong >= 0:
        value = np.asarray(found.y[wrong]).item()
        raise DataError(
            f"{found.name} holds {value!r} at {found.locate(wrong)}, which is none of the labels {list(labels)!r}"
        )
    return replace(found, y=codes)
