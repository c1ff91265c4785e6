"""Check the rows of a table: every rule of every parameter and of y, counted, with the first rows that break it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.engines.local import Local, Progress
from nll.engines.progress import RowProgress
from nll.errors import UsageError
from nll.families.categorical import TOLERANCE, Categorical
from nll.families.family import Family
from nll.numerics.formula import quiet
from nll.results.check import Finding, TableCheck
from nll.states.tally import EXAMPLES
from nll.tasks.chunks import Chunk, Inputs, inputs
from nll.tasks.observed import BOUNDS, Observed, opened

Array = npt.NDArray[Any]
Key = tuple[str, str]  # a name and a rule
MISSING, NUMBER = "present", "a number, not NaN"


@dataclass(slots=True)
class Offences:
    """How many rows break each rule, and the first of them as (row, value)."""

    read: int = 0
    counts: dict[Key, int] = field(default_factory=dict)
    first: dict[Key, list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, key: Key, at: int, wrong: Array, said: Callable[[int], str]) -> None:
        """Count the rows of a chunk that break a rule, and note what is `said` of the first; it begins at row `at`."""
        count = int(np.count_nonzero(wrong))
        self.counts[key] = self.counts.get(key, 0) + count
        if count:
            rows = np.flatnonzero(wrong)[:EXAMPLES].tolist()
            self._keep(key, [(at + row, said(row)) for row in rows])

    def merge(self, other: Offences) -> None:
        """Add what other rows broke."""
        self.read += other.read
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
            self._keep(key, other.first.get(key, []))

    def _keep(self, key: Key, found: list[tuple[int, str]]) -> None:
        self.first[key] = sorted([*self.first.get(key, []), *found])[:EXAMPLES]


def shown(values: Array, wrong: Array | None = None) -> Callable[[int], str]:
    """Return what tells the value of a row; of a matrix, the first wrong one and its class (or label)."""

    def said(row: int) -> str:
        if values.ndim < 2 or wrong is None:
            return repr(values[row].item()).removesuffix(".0")
        column = int(np.argmax(wrong[row]))
        return f"{values[row, column].item()!r} for {column}"

    return said


def check_table(
    dist: Family, data: Any, y: Any, where: Any, threads: int | None, progress: Progress | bool
) -> TableCheck:
    """Check the parameters of every row, and y where it is given, in one pass."""
    observed = y is not None
    if data is not None and not observed:
        y = next((name for value in dist.theta.values() for name in _columns(value)), None)
        if y is None:
            raise UsageError(f"{dist!r} names no column, and there is no y: nothing of the table is to be checked")
    seen = y if isinstance(y, Observed) else None
    given, model = (0 if y is None else y, dist) if seen is None else (seen.y, seen.distribution(dist))
    bound = inputs(given, model, data, sample_weight=None, by=None, cluster=None, where=where)
    bound = bound if seen is None else replace(bound, names=seen.named(bound.names))
    step = Step(bound, model, observed, tuple(_columns(given)), seen)
    with RowProgress("checking", wanted=progress is True) as shown_:
        called = progress if callable(progress) else shown_
        found = Local(threads).reduce(bound.chunks(), step, Offences, Offences.merge, called)
    findings = []
    order = [*bound.form.parameters, "y"]
    for name, rule in sorted(found.counts or step.rules(), key=lambda key: (order.index(key[0]), key[1])):
        first = tuple((bound.locate(row), value) for row, value in found.first.get((name, rule), []))
        column = bound.names.get(name, name)
        findings.append(Finding(name, "" if column == name else column, rule, found.counts.get((name, rule), 0), first))
    notes = () if observed else ("no y was given: only parameters were checked",)
    return TableCheck(repr(dist), bound.description or "the arrays", found.read, tuple(findings), notes)


def _columns(value: Any) -> list[str]:
    """Return the columns that a parameter names."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return [each for each in values if isinstance(each, str)]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with a chunk."""

    bound: Inputs
    dist: Family
    observed: bool
    y_columns: tuple[str, ...]
    seen: Observed | None = None

    def rules(self) -> list[Key]:
        """Return the rules that stand for every table, in order."""
        form = self.bound.form
        return [(name, constraint.words) for name, constraint in form.parameters.items()]

    def __call__(self, offences: Offences, chunk: Chunk) -> None:
        """Count what is wrong in the rows of a chunk."""
        form = self.bound.form
        offences.read += chunk.size
        chunk = chunk if self.seen is None else self._ends(offences, chunk, self.seen)
        for (name, constraint), given in zip(form.parameters.items(), chunk.theta, strict=True):
            values = given if np.ndim(given) > 1 else np.broadcast_to(np.asarray(given), (chunk.size,))
            lost = self._lost(offences, chunk, name, _columns(self.dist.theta.get(name)))
            fit = self._rule(offences, chunk, name, constraint, values, lost)
            if issubclass(form, Categorical):
                self._sums(offences, chunk, name, values, fit & ~lost)
        if self.observed:
            self._observations(offences, chunk)

    def _ends(self, offences: Offences, chunk: Chunk, seen: Observed) -> Chunk:
        """Count what is wrong with events and ends of intervals; return the rows with ends that are numbers."""
        places = {name: k for k, name in enumerate(self.bound.form.parameters) if name in BOUNDS}
        chunk = seen.with_open_ends(chunk, places, self.bound.names)
        if "upper" in places:
            y, theta = np.asarray(chunk.y, np.float64), list(chunk.theta)
            given = np.broadcast_to(np.asarray(theta[places["upper"]], np.float64), y.shape)
            if seen.kind == "interval":
                rule, instead = "at least the lower end", opened(y, -np.inf)
                wrong = ~(instead <= opened(given, np.inf))
            else:
                rule, instead = "1 (seen) or 0 (censored)", np.ones(y.shape)
                wrong = (given != 0.0) & (given != 1.0) & ~np.isnan(given)
            offences.add(("upper", rule), chunk.first, wrong, shown(given))
            theta[places["upper"]] = np.where(wrong, instead, given)
            chunk = seen.chunk(replace(chunk, theta=tuple(theta)), places, self.bound.names, self.bound.locate)
            if seen.kind != "interval":  # a time that is not there is one fault, not also one of the event
                theta = list(chunk.theta)
                theta[places["upper"]] = np.where(np.isnan(y) & ~np.isnan(given), np.inf, theta[places["upper"]])
                chunk = replace(chunk, theta=tuple(theta))
            return chunk
        return seen.chunk(chunk, places, self.bound.names, self.bound.locate)

    def _lost(self, offences: Offences, chunk: Chunk, name: str, columns: Sequence[str]) -> Array:
        """Return which rows have an empty cell, and count them."""
        called = {f"column {column!r}" for column in columns}
        masks = [mask for column, mask in chunk.holes if column in called]
        lost: Array = np.logical_or.reduce(masks) if masks else np.zeros(chunk.size, bool)
        if masks:
            offences.add((name, MISSING), chunk.first, lost, lambda row: "an empty cell")
        return lost

    def _rule(self, offences: Offences, chunk: Chunk, name: str, constraint: Any, values: Array, lost: Array) -> Array:
        """Count NaN and values out of their set; return which rows are neither."""
        out = lost[:, None] if values.ndim > 1 else lost
        nan: Array = np.isnan(values) & ~out if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        wrong: Array = ~contained(constraint, values) & ~nan & ~out
        for rule, broken in ((constraint.words, wrong), (NUMBER, nan)):
            rows = by_row(broken)
            if rule == NUMBER and not rows.any():
                continue
            offences.add((name, rule), chunk.first, rows, shown(values, broken))
        return ~by_row(wrong | nan)

    def _sums(self, offences: Offences, chunk: Chunk, name: str, values: Array, good: Array) -> None:
        """Count rows of probabilities that do not sum to 1, and rows of logits without a class."""
        if name == "logits":
            best = values.max(axis=1)
            wrong = good & ~(np.abs(best) < np.inf)
            offences.add((name, "rows with a largest logit that is finite"), chunk.first, wrong, shown(best))
            return
        tolerance = TOLERANCE.get(values.dtype.name, TOLERANCE["float64"])
        wide = values.astype(np.float64, copy=False)
        total = (wide if name == "probs" else np.exp(wide)).sum(axis=1)
        what = "rows" if name == "probs" else "rows of exp(log_probs)"
        rule = f"{what} that sum to 1 (tolerance {tolerance:g})"
        offences.add((name, rule), chunk.first, good & ~(np.abs(total - 1.0) <= tolerance), shown(total))

    def _observations(self, offences: Offences, chunk: Chunk) -> None:
        form, y = self.bound.form, np.asarray(chunk.y)
        lost = self._lost(offences, chunk, "y", self.y_columns)
        if y.dtype.kind not in "biuf" or (y.ndim > 1 and issubclass(form, Categorical)):
            return  # labels as text, or soft targets: `score` says what it thinks of them
        good = self._rule(offences, chunk, "y", form.observations, y, lost) & ~lost
        if issubclass(form, Categorical):
            classes = np.shape(chunk.theta[0])[-1]
            offences.add(("y", f"a class of 0 .. {classes - 1}"), chunk.first, good & ~(y < classes), shown(y))
            return
        if self.seen is not None and self.seen.kind != "exact":  # an exact value is one of the part's
            form = form.parts[0]  # type: ignore[attr-defined]
            good &= y == chunk.theta[list(self.bound.form.parameters).index("upper")]
        if form.support is not form.observations and y.ndim == 1:
            impossible = good & ~contained(form.support, y)
            offences.add(("y", f"possible: {form.support.words}"), chunk.first, impossible, shown(y))


def by_row(found: Array) -> Array:
    """Return which rows have any."""
    return np.logical_or.reduce(found, axis=1) if found.ndim > 1 else found


def contained(constraint: Any, values: Array) -> Array:
    """Return which numbers meet a constraint, whose formula serves for arrays too."""
    with quiet():
        numbers = values.astype(np.float64, copy=False)
        return np.asarray(constraint.contains(numbers), bool) | np.zeros(values.shape, bool)
