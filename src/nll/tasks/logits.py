"""Sequences of class ids and their logits: which positions count, and which row of logits belongs to which id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.categorical import SKIPPED, Categorical, CategoricalLogits, ShapedLogits
from nll.tasks.chunks import NUMBERS_IN_CHUNK, ROWS_IN_CHUNK, Chunk, Inputs, array_keys, array_of, inputs

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]

COPIED_NUMBERS = 2**18  # of a chunk whose logits are copied, so that the copies stay in cache


@dataclass(frozen=True, slots=True)
class Options:
    """What `nll.score` takes for sequences; see there."""

    ignore_index: int | None = None
    mask: Any = None
    shift: bool = False
    temperature: float | None = None
    softcap: float | None = None

    @property
    def chosen(self) -> list[str]:
        """The names of the options that are not at their defaults."""
        found = {"ignore_index": self.ignore_index, "mask": self.mask, "shift": self.shift or None}
        found |= {"temperature": self.temperature, "softcap": self.softcap}
        return [name for name, value in found.items() if value is not None]

    def described(self, distribution: str) -> str:
        """Return the text of a distribution with what is done to its logits."""
        shaped = [f"{k}={v:g}" for k in ("temperature", "softcap") if (v := getattr(self, k)) is not None]
        return f"{distribution[:-1]}, {', '.join(shaped)})" if shaped else distribution

    def check(self, dist: Any, data: Any) -> None:
        """Refuse options that do not go with a distribution, and values that are none."""
        name = self.chosen[0]
        if not isinstance(dist, Categorical):
            raise UsageError(f"{name}= needs a Categorical distribution; got {dist!r}")
        if data is not None:
            raise UsageError(f"{name}= goes with arrays, not with data=; use where= to leave rows of a table out")
        for name, value in (("temperature", self.temperature), ("softcap", self.softcap)):
            if value is None:
                continue
            if not isinstance(dist, CategoricalLogits):
                raise UsageError(f"{name}= needs Categorical(logits=...); got {dist!r}")
            number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
            if not number or not 0.0 < value < np.inf:
                raise UsageError(f"{name} is a finite number above 0; got {value!r}")
        if not isinstance(self.shift, (bool, np.bool_)):
            raise UsageError(f"shift is True or False; got {self.shift!r}")
        whole = isinstance(self.ignore_index, (int, np.integer)) and not isinstance(self.ignore_index, bool)
        if self.ignore_index is not None and not whole:
            raise UsageError(f"ignore_index is a whole number, such as -100; got {self.ignore_index!r}")


DEFAULTS = Options()


def bind(y: Any, dist: Any, data: Any, options: Options, **rest: Any) -> Inputs:
    """Bind the arguments of a score to rows, as `inputs` does, with the options of sequences."""
    if options.chosen:
        options.check(dist, data)
    elif not isinstance(dist, Categorical) or data is not None or not _is_batch(dist):
        return inputs(y, dist, data, **rest)
    return Positions.of(y, dist, options, rest.pop("sample_weight")).bound(**rest)


def _is_batch(dist: Categorical) -> bool:
    (value,) = dist.theta.values()
    return getattr(value, "ndim", 0) > 2


@dataclass(frozen=True, slots=True)
class Positions:
    """All positions of sequences, in order, and the logits.

    Attributes
    ----------
    shape : of the ids: (positions,), or (sequences, positions), or more axes before the last.
    y : ids (n,) or soft targets (n, K).
    matrix : logits, probabilities or their logarithms, (*shape, K).
    skipped : which positions are not scored, or None.
    """

    dist: Categorical
    options: Options
    shape: tuple[int, ...]
    y: Array
    matrix: Array
    skipped: Array | None
    weights: Array | None

    @classmethod
    def of(cls, y: Any, dist: Categorical, options: Options, weights: Any) -> Positions:
        """Check shapes, and find what is not to be scored."""
        ((name, given),) = dist.theta.items()
        matrix, y = array_of(given, name), array_of(y, "y")
        if matrix.ndim < 1:
            raise DataError(f"{name} needs one number a class; got a single one")
        soft = y.ndim == matrix.ndim and y.ndim > 1
        shape = y.shape[:-1] if soft else y.shape
        if not shape or (matrix.ndim > 1 and matrix.shape[:-1] != shape):
            hint = ""
            if shape and matrix.ndim == len(shape) + 1 and matrix.shape[-2] == shape[-1] - 1:
                hint = "; score y[..., 1:], or all logits with shift=True"
            raise DataError(
                f"{name} needs the shape {(*shape, 'classes')} for y of {y.shape}; got {matrix.shape}{hint}"
            )
        matrix = np.broadcast_to(matrix, (*shape, matrix.shape[-1])) if matrix.ndim == 1 else matrix
        n = int(np.prod(shape, dtype=np.int64))
        if soft and options.ignore_index is not None:
            raise UsageError("ignore_index= is one of the ids; y holds soft targets: pass mask=")
        flat = y.reshape(n, -1) if soft else y.reshape(n)
        skipped = skipped_of(flat, options, shape)
        if weights is not None:
            weights = by_position(array_of(weights, "sample_weight"), shape, "sample_weight")
        return cls(dist, options, shape, flat, matrix, skipped, weights)

    def bound(self, by: Any, cluster: Any, where: Any) -> Inputs:
        """Return what a score reads."""
        if where is not None:
            raise UsageError("where= filters a table: it needs data=")
        keys, names = array_keys(
            _flat_columns(by, self.shape), _flat_column(cluster, self.shape, "cluster"), len(self.y)
        )
        keys = self.shifted(keys)
        form, length = self.form(), self.shape[-1]
        shape = (*self.shape[:-1], max(length - self.options.shift, 0))
        return Inputs(
            form,
            lambda: self.chunks(form, keys),
            {"y": "y", **{name: name for name in self.dist.theta}, "sample_weight": "sample_weight"},
            self.locate(),
            names,
            cluster is not None,
            self.weights is not None,
            self.options.described(repr(self.dist)),
            self.description(),
            shape,
        )

    def shifted(self, keys: list[pl.Series] | None) -> list[pl.Series] | None:
        """Return keys in which the first of each sequence, which a shift leaves out, has the group of the second."""
        length = self.shape[-1]
        if keys is None or not self.options.shift or length < 2:
            return keys
        at = np.arange(len(self.y))
        return [key.gather(at + (at % length == 0)) for key in keys]

    def form(self) -> type[Categorical]:
        """Return the form that scores the rows."""
        if self.options.temperature is not None or self.options.softcap is not None:
            return ShapedLogits
        return type(self.dist)

    def description(self) -> str:
        """Return a text for results."""
        if len(self.shape) == 1:
            what = f"arrays of {self.shape[0]:,} rows"
        else:
            what = f"arrays of {int(np.prod(self.shape[:-1])):,} sequences of {self.shape[-1]:,} ids"
        return f"{what}, each by the row before it (shift)" if self.options.shift else what

    def locate(self) -> Callable[[int], str]:
        """Return what says where a position lies."""
        shape = self.shape
        if len(shape) == 1:
            return lambda row: f"row {row}"

        def where(row: int) -> str:
            *sequence, position = map(int, np.unravel_index(row, shape))
            return f"sequence {', '.join(map(str, sequence))}, position {position}"

        return where

    def pieces(self) -> Iterator[tuple[int, Array]]:
        """Yield (number of the first position, logits (m, K) of as many from there), as few as go without a copy."""
        matrix, back, classes = self.matrix, int(self.options.shift), self.matrix.shape[-1]
        if 0 in matrix.shape[:-1] or self.shape[-1] <= back:
            return
        strides, shape = matrix.strides, matrix.shape
        if all(strides[i] == strides[i + 1] * shape[i + 1] for i in range(matrix.ndim - 2)):
            # Views of one block; with a shift, the first position of a sequence meets the last row of the one before.
            yield back, matrix.reshape(-1, classes)[: len(self.y) - back]
            return
        length = shape[-2]
        for number, index in enumerate(np.ndindex(shape[:-2])):
            yield number * length + back, matrix[index][: length - back]

    def chunks(self, form: type[Categorical], keys: list[pl.Series] | None) -> Iterator[Chunk]:
        """Yield the positions that are scored or ignored."""
        classes, length = self.matrix.shape[-1], self.shape[-1]
        extra: tuple[float, ...] = ()
        if issubclass(form, ShapedLogits):
            given = self.options
            extra = (given.temperature or 1.0, np.inf if given.softcap is None else given.softcap)
        whole = self.matrix.strides[-1] == self.matrix.itemsize and (form.skips or self.skipped is None)
        step = max(1, min(ROWS_IN_CHUNK, (NUMBERS_IN_CHUNK if whole else COPIED_NUMBERS) // max(classes, 1)))
        for first, matrix in self.pieces():
            for row in range(0, len(matrix), step):
                part = matrix[row : row + step]
                here = slice(first + row, first + row + len(part))
                outside = np.arange(here.start, here.stop) % length == 0 if self.options.shift else None
                outside = outside if outside is not None and outside.any() else None
                yield Chunk(
                    here.start,
                    len(part),
                    self.y[here],
                    (part, *extra),
                    None if self.weights is None else self.weights[here],
                    None if keys is None else [k.slice(here.start, len(part)) for k in keys],
                    ignored=self._ignored(here, outside),
                    outside=outside,
                )

    def _ignored(self, here: slice, outside: Array | None) -> Array | None:
        if self.skipped is None:
            return None
        found = self.skipped[here] if outside is None else self.skipped[here] & ~outside
        return found if found.any() else None


def skipped_of(y: Array, options: Options, shape: tuple[int, ...]) -> Array | None:
    """Return which positions are not scored."""
    found = None if options.ignore_index is None else y == options.ignore_index
    if options.mask is not None:
        mask = by_position(array_of(options.mask, "mask"), shape, "mask")
        if mask.dtype != np.bool_ and not ((mask == 0) | (mask == 1)).all():
            raise DataError("mask must hold True or False (or 1 and 0), True where a position is scored")
        found = mask == 0 if found is None else found | (mask == 0)
    if y.ndim == 1 and y.dtype.kind in "if":
        strange = y == SKIPPED if found is None else (y == SKIPPED) & ~found
        if strange.any():
            raise DataError(f"y must be a class, 0 or above; position {int(np.argmax(strange))} has {SKIPPED:.0f}")
    return found


def by_position(value: Array, shape: tuple[int, ...], name: str) -> Array:
    """Return values (n,) of an array that has the shape of the ids, or broadcasts to it."""
    try:
        return np.broadcast_to(value, shape).reshape(-1)
    except ValueError:
        raise DataError(f"{name} has shape {value.shape}, the ids {shape}") from None


def _flat_columns(by: Any, shape: tuple[int, ...]) -> Any:
    if isinstance(by, dict):
        return {name: _flat_column(values, shape, str(name)) for name, values in by.items()}
    return _flat_column(by, shape, "by")


def _flat_column(values: Any, shape: tuple[int, ...], name: str) -> Any:
    """Return group keys of the shape of the ids, or such that broadcast to it, as a column."""
    if values is None or len(shape) == 1 or hasattr(values, "to_physical"):  # a Series is flat
        return values
    array = np.asarray(array_of(values, name) if hasattr(values, "__dlpack__") else values)
    if array.shape == (int(np.prod(shape, dtype=np.int64)),) and array.shape != shape[-1:]:
        return array
    return by_position(array, shape, name)
