"""A chunk as kernels take it: labels as classes, missing rows out, soft targets, class weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.categorical import SKIPPED
from nll.families.family import Family
from nll.kernels.kernel import observed, parameter, read_only
from nll.numerics.single import BFLOAT16, widened
from nll.tasks.chunks import Chunk
from nll.tasks.labels import Labels, is_text, need_labels

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """The arrays of a chunk as kernels take them; `index` maps rows back where some were dropped.

    `missing` and `ignored` mark rows of the chunk that are counted as such. `skipped` marks rows that are still here
    and that the form leaves out: their loss is 0.
    """

    form: type[Family]
    y: Array
    theta: tuple[Any, ...]
    weights: Array | None
    missing: Array | None
    index: Array | None
    first: int
    ignored: Array | None = None
    skipped: Array | None = None

    @property
    def size(self) -> int:
        """The number of rows that are left."""
        return len(self.y)

    def number(self, row: Any) -> int:
        """Return the number of a row in the source."""
        return self.first + int(row if self.index is None else self.index[row])

    def described(self, rows: list[int]) -> list[tuple[int, Any, list[Any]]]:
        """Return rows as (number, y, parameters)."""
        return [(self.number(i), self.y[i], [t[i] if np.ndim(t) else t for t in self.theta]) for i in rows]


@dataclass(frozen=True, slots=True)
class Preparation:
    """How chunks are made ready; `names` and `locate` are for messages."""

    form: type[Family]
    names: dict[str, str]
    locate: Callable[[int], str]
    drop: bool = False
    labels: Labels | None = None
    smoothing: float = 0.0
    class_weight: Array | None = None

    def __call__(self, chunk: Chunk) -> Ready:
        """Return a chunk as kernels take it."""
        skipped, lost = either(chunk.ignored, chunk.outside), self.missing(chunk)
        lost = lost if lost is None or skipped is None else lost & ~skipped
        gone = either(lost, skipped)
        y, theta, weights = self.classes(chunk, gone), chunk.theta, chunk.weights
        index = None
        if skipped is not None and lost is None and self.leaves_out(y):
            y, gone = marked(y, skipped), None
        else:
            skipped = None
        if gone is not None:
            index = np.flatnonzero(~gone)
            y = y[index]
            theta = tuple(t[index] if np.ndim(t) else t for t in theta)
            weights = None if weights is None else weights[index]
        form, y = self.form, observed(y)
        theta = form.prepare(theta) if hasattr(form, "prepare") else tuple(map(parameter, theta))  # type: ignore[attr-defined]
        self.check_classes(theta)
        if skipped is not None:
            theta = form.leaving_out(theta)  # type: ignore[attr-defined]
        if self.class_weight is not None:
            weights = class_weights(self.class_weight, y, weights)
        if (y.ndim > 1 or self.smoothing) and hasattr(form, "soft_form"):
            form, y = form.soft_form(), form.soft_targets(y, theta, self.smoothing)  # type: ignore[attr-defined]
        if weights is not None:
            weights = weights if skipped is None else np.where(skipped, 0.0, weights)
            weights = read_only(np.ascontiguousarray(weights, np.float64))
        return Ready(form, y, theta, weights, lost, index, chunk.first, chunk.ignored, skipped)

    def leaves_out(self, y: Array) -> bool:
        """Whether the kernel itself passes over rows that are not scored, so that nothing need be copied."""
        return getattr(self.form, "skips", False) and y.ndim == 1 and not self.smoothing

    def classes(self, chunk: Chunk, lost: Array | None) -> Array:
        """Return the observations, labels as the classes 0, 1, ..."""
        y = chunk.y
        if y.ndim > 1 and (self.labels is not None or self.class_weight is not None):
            raise UsageError("labels and class_weight need one class a row; y is a matrix")
        if self.labels is None:
            if is_text(y):
                raise need_labels(self.names["y"], y, self.form.family.__name__)
            return y
        codes, wrong = self.labels.encode(y, lost)
        if wrong >= 0:
            where, found = self.locate(chunk.first + wrong), np.asarray(y[wrong]).item()
            known = self.labels.labels
            raise DataError(f"{self.names['y']} holds {found!r} at {where}, which is none of the labels {known!r}")
        return codes

    def check_classes(self, theta: tuple[Any, ...]) -> None:
        """Refuse labels or class weights that are not one a class."""
        classes = theta[0].shape[1] if self.form.event else 2
        for name, given in (("labels", self.labels and self.labels.labels), ("class_weight", self.class_weight)):
            if given is not None and len(given) != classes:
                raise UsageError(f"{name} has {len(given)} entries, {self.form.family.__name__} has {classes} classes")

    def missing(self, chunk: Chunk) -> Array | None:
        """Return which rows are dropped, or refuse the first that has an empty cell."""
        lost = chunk.missing
        if self.drop:
            masks = [] if lost is None else [lost]
            masks += [empty(v) for v in (chunk.y, *chunk.theta, chunk.weights) if isinstance(v, np.ndarray) and v.ndim]
            lost = np.logical_or.reduce(masks)
            return lost if lost.any() else None
        if lost is not None and lost.any():
            row = int(np.argmax(lost))
            column = next((name for name, mask in chunk.holes if mask[row]), "a value")
            raise DataError(
                f"{column} is missing at {self.locate(chunk.first + row)} ({int(lost.sum())} such rows near it): "
                "pass missing='drop' to leave such rows out and count them"
            )
        return None


def class_weights(own: Array, y: Array, weights: Array | None) -> Array:
    """Return the weight of each row's class, times its own."""
    valid = (y >= 0) & (y < len(own)) & (y == np.floor(y))
    of_class = own[np.where(valid, y, 0).astype(np.int64)]
    return of_class if weights is None else of_class * weights


def either(*masks: Array | None) -> Array | None:
    """Return which rows any of the masks marks; None is a mask without a mark."""
    given = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(given) if given else None


def class_index(y: Array) -> Array:
    """Return observations as classes, -1 where one is no whole number from 0 on."""
    valid = (y >= 0) & (y < 2**62) & (y == np.floor(y))
    return np.where(valid, y, -1).astype(np.int64)


def marked(y: Array, skipped: Array) -> Array:
    """Return classes with SKIPPED in rows that are not scored."""
    y = y.astype(np.int64 if y.dtype.kind in "bui" else np.float64)
    y[skipped] = SKIPPED
    return y


def empty(values: Array) -> Array:
    """Return which rows hold NaN or None."""
    if values.dtype == object:
        return np.array([v is None for v in values], bool)
    if values.dtype == BFLOAT16:
        values = widened(values.view(np.uint16))
    lost: Array = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    return lost if lost.ndim == 1 else np.logical_or.reduce(lost, axis=1)
