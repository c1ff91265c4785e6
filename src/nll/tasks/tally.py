"""One step of a score: a chunk of rows becomes Tallies. Rows that the kernel set aside are understood here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.family import Family
from nll.kernels.kernel import kernel, observed, parameter, read_only
from nll.states.tally import COUNTERS, EXAMPLES, Tallies
from nll.tasks.chunks import Chunk
from nll.tasks.keys import group_codes
from nll.tasks.labels import Labels, is_text, need_labels

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with a chunk; `names` and `locate` are for messages."""

    form: type[Family]
    names: dict[str, str]
    locate: Callable[[int], str]
    drop: bool = False
    limit: float = np.inf
    labels: Labels | None = None
    smoothing: float = 0.0
    class_weight: Array | None = None
    weighted: bool = False

    def __call__(self, chunk: Chunk) -> Tallies:
        """Return the Tallies of a chunk."""
        state = Tallies(self.weighted or self.class_weight is not None)
        state.read = chunk.size
        keys: list[tuple[Any, ...]] = [()]
        codes = None
        if chunk.keys is not None:
            codes, keys = group_codes(chunk.keys)
        ready = self.ready(chunk)
        if ready.missing is not None:
            codes = self.count_missing(state, ready.missing, codes, keys)
        if ready.size == 0:
            return state
        deposit = kernel(ready.form).tally(ready.y, ready.theta, ready.weights, codes, len(keys), self.limit)
        used = np.flatnonzero(deposit.counts) if codes is not None else np.arange(1)
        if deposit.odd.size and codes is not None:
            used = np.union1d(used, codes[deposit.odd])
        at = np.full(len(keys), -1)
        at[used] = state.places([keys[i] for i in used.tolist()])
        state.sums.add_table(deposit.table[used], ready.size, at[used])
        state.counters[at[used], COUNTERS.index("rows")] += deposit.counts[used]
        if ready.weights is not None:
            self.uncount(state, ready.weights, deposit.odd, codes, at)
        if deposit.odd.size:
            where = np.zeros(deposit.odd.size, np.int64) if codes is None else at[codes[deposit.odd]]
            self.absorb(state, ready, deposit.odd, deposit.losses, where)
        return state

    @staticmethod
    def count_missing(state: Tallies, lost: Array, codes: Array | None, keys: list[Any]) -> Array | None:
        """Count the rows that are dropped, by group; return the codes of the others."""
        if codes is None:
            state.count("missing", np.repeat(state.places(keys), lost.sum()))
            return None
        present, which = np.unique(codes[lost], return_inverse=True)
        state.count("missing", state.places([keys[i] for i in present.tolist()])[which])
        return codes[~lost]

    @staticmethod
    def uncount(state: Tallies, weights: Array, odd: Array, codes: Array | None, at: Array) -> None:
        """Count rows of weight 0 as dropped, which the kernel added (as 0) and counted like the others."""
        dropped = weights == 0.0
        dropped[odd] = False
        if dropped.any():
            groups = np.repeat(at[0], dropped.sum()) if codes is None else at[codes[dropped]]
            state.count("unweighted", groups)
            state.counters[:, COUNTERS.index("rows")] -= np.bincount(groups, minlength=len(state.counters))

    def rows(self, chunk: Chunk) -> Array:
        """Return the row losses of a chunk, NaN for a row that is dropped as missing."""
        ready = self.ready(chunk)
        losses = kernel(ready.form).rows(ready.y, ready.theta)
        wrong = np.flatnonzero(np.isnan(losses))
        if wrong.size:
            raise self.refusal(ready, wrong)
        losses = np.minimum(losses, self.limit)
        if ready.missing is None:
            return losses
        out = np.full(chunk.size, np.nan)
        out[~ready.missing] = losses
        return out

    def ready(self, chunk: Chunk) -> Ready:
        """Return a chunk as kernels take it: labels as classes, missing rows out, soft targets, class weights."""
        y, theta, weights = chunk.y, chunk.theta, chunk.weights
        lost = self.missing(chunk)
        if y.ndim > 1 and (self.labels is not None or self.class_weight is not None):
            raise UsageError("labels and class_weight need one class a row; y is a matrix")
        if self.labels is not None:
            y, wrong = self.labels.encode(y, lost)
            if wrong >= 0:
                found = np.asarray(chunk.y[wrong]).item()
                raise DataError(
                    f"{self.names['y']} holds {found!r} at {self.locate(chunk.first + wrong)}, which is none of "
                    f"the labels {self.labels.labels!r}"
                )
        elif is_text(y):
            raise need_labels(self.names["y"], y)
        index = None
        if lost is not None:
            index = np.flatnonzero(~lost)
            y = y[index]
            theta = tuple(t[index] if np.ndim(t) else t for t in theta)
            weights = None if weights is None else weights[index]
        form, y = self.form, observed(y)
        theta = form.prepare(theta) if hasattr(form, "prepare") else tuple(map(parameter, theta))  # type: ignore[attr-defined]
        classes = theta[0].shape[1] if form.event else 2
        for name, given in (("labels", self.labels and self.labels.labels), ("class_weight", self.class_weight)):
            if given is not None and len(given) != classes:
                raise UsageError(f"{name} has {len(given)} entries, {form.family.__name__} has {classes} classes")
        if self.class_weight is not None:
            weights = self.class_weights(y, weights)
        if (y.ndim > 1 or self.smoothing) and hasattr(form, "soft_form"):
            form, y = form.soft_form(), form.soft_targets(y, theta, self.smoothing)  # type: ignore[attr-defined]
        if weights is not None:
            weights = read_only(np.ascontiguousarray(weights, np.float64))
        return Ready(form, y, theta, weights, lost, index, chunk.first)

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

    def class_weights(self, y: Array, weights: Array | None) -> Array:
        """Return the weight of each row's class, times its own."""
        assert self.class_weight is not None
        valid = (y >= 0) & (y < len(self.class_weight)) & (y == np.floor(y))
        own = self.class_weight[np.where(valid, y, 0).astype(np.int64)]
        return own if weights is None else own * weights

    def absorb(self, state: Tallies, ready: Ready, odd: Array, losses: Array, groups: Array) -> None:
        """Add the rows that a kernel set aside: refuse invalid ones, count impossible and clipped ones."""
        invalid = np.flatnonzero(np.isnan(losses))
        if invalid.size:
            raise self.refusal(ready, odd[invalid])
        weights = None if ready.weights is None else ready.weights[odd]
        if weights is not None:
            wrong = np.flatnonzero(~(weights >= 0.0) | (weights == np.inf))
            if wrong.size:
                row = odd[wrong[0]]
                raise DataError(
                    f"{self.names['sample_weight']} must be at least 0 and finite; "
                    f"{self.locate(ready.row(row))} has {float(weights[wrong[0]])!r}"
                )
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
        state.first = [ready.row(i) for i in odd[impossible][:EXAMPLES]]
        if impossible.any() and weights is not None:
            state.sums.add_values(weights[impossible], groups[impossible], 0)
        finite = ~impossible
        state.count("rows", groups[finite])
        _add(state, losses[finite], None if weights is None else weights[finite], groups[finite])

    def refusal(self, ready: Ready, rows: Array) -> DataError:
        """Say what is wrong with the first invalid rows."""
        explain = getattr(ready.form, "explain", explain_matrix if ready.form.event else explain_row)
        said = []
        for row in rows[:EXAMPLES].tolist():
            part = ready.take(np.array([row]))
            said.append(explain(ready.form, part.y[0], [t[0] if np.ndim(t) else t for t in part.theta], self.names))
        what, value = said[0]
        where = [self.locate(ready.row(row)) for row in rows[:EXAMPLES].tolist()]
        same = [f"{w} ({v})" for w, (other, v) in zip(where[1:], said[1:], strict=True) if other == what]
        more = f"; so have {', '.join(same)}" if same else ""
        hint = "; missing='drop' leaves out and counts such rows" if value == "nan" else ""
        return DataError(f"{what}; {where[0]} has {value}{more}{hint}")


@dataclass(frozen=True, slots=True)
class Ready:
    """The arrays of a chunk as kernels take them; `index` maps rows back where some were dropped."""

    form: type[Family]
    y: Array
    theta: tuple[Any, ...]
    weights: Array | None
    missing: Array | None
    index: Array | None
    first: int

    @property
    def size(self) -> int:
        """The number of rows that are left."""
        return len(self.y)

    def row(self, i: Any) -> int:
        """Return the number of a row in the source."""
        return self.first + int(i if self.index is None else self.index[i])

    def take(self, rows: Array) -> Ready:
        """Return some of the rows."""
        theta = tuple(t[rows] if np.ndim(t) else t for t in self.theta)
        weights = None if self.weights is None else self.weights[rows]
        return Ready(self.form, self.y[rows], theta, weights, None, rows, self.first)


def empty(values: Array) -> Array:
    """Return which rows hold NaN or None."""
    if values.dtype == object:
        return np.array([v is None for v in values], bool)
    lost: Array = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    return lost if lost.ndim == 1 else np.logical_or.reduce(lost, axis=1)


DEFECT = "defect of nll: please report it"


def _add(state: Tallies, losses: Array, weights: Array | None, groups: Array) -> None:
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


def explain_row(form: type[Family], y: float, theta: list[float], names: dict[str, str]) -> tuple[str, str]:
    """Return what one invalid row breaks, and the value it has."""
    checks = [(form.observations, "y", y)]
    checks += [(c, name, value) for (name, c), value in zip(form.parameters.items(), theta, strict=True)]
    for constraint, name, value in checks:
        if not constraint.contains(np.float64(value)):
            called = names.get(name, name)
            called = called if called == name else f"column {called!r} ({name})"
            what = f"{called} must be {constraint.words} for {form.family.__name__}"
            return what, repr(float(value)).removesuffix(".0")
    return f"the loss of {form.signature()} is not a number, which is a {DEFECT}", f"y = {y}, {theta}"


def explain_matrix(form: type[Family], y: Array, theta: list[Array], names: dict[str, str]) -> tuple[str, str]:
    """Return what the first invalid label of a row breaks, and the value it has."""
    said = [explain_row(form, value, [p], names) for value, p in zip(y, theta[0], strict=True)]
    wrong = next((j for j, (what, _) in enumerate(said) if DEFECT not in what), 0)
    return said[wrong][0], f"{said[wrong][1]} for label {wrong}"
