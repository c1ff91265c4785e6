"""The model without information: one distribution for all rows, fitted to the rows that are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.categorical import Categorical
from nll.families.family import Family
from nll.numerics.exact import ExactSums, rounded
from nll.tasks.compare.inputs import Bound, Rows
from nll.tasks.compare.step import PairedStep
from nll.tasks.observed import BOUNDS, Observed
from nll.tasks.passes import reduce

Array = npt.NDArray[Any]
NAME = "baseline"


def family_of(baseline: Any, first: Family) -> type[Family]:
    """Return the family of the baseline: that of the first model, or the one that was asked for."""
    family = first.family if baseline is True else baseline
    if not (isinstance(family, type) and issubclass(family, Family)):
        raise UsageError(f"baseline is True, or a family such as nll.Poisson, which is fitted; got {baseline!r}")
    return family


def marginal(
    baseline: Any, bound: Bound, step: PairedStep, arguments: dict[str, Any], data: Any, where: Any, threads: int | None
) -> Family:
    """Return one distribution for all rows, at its smallest NLL.

    Classes have their frequencies. Other families are fitted; what a model knows of each row beforehand (the number
    of trials) stays known.

    Parameters
    ----------
    baseline : True for the family of the first model, or a family.
    bound, step : the rows that are compared, and what is done with them.
    arguments, data, where : of `compare.begin`, which made these two.
    """
    first: Family = next(iter(arguments["models"].values()))
    family = family_of(baseline, first)
    if family.family is Categorical:
        return frequencies(bound, step, arguments, threads)
    from nll.tasks.fit.again import seen_again
    from nll.tasks.fit.fit import fit

    if first.event:
        raise UsageError(f"a baseline is of numbers or classes; {first.family.__name__} observes rows of numbers here")
    counts = {name for name, constraint in family.parameters.items() if constraint.discrete}
    known = {name: value for name, value in first.theta.items() if name in counts}
    y, weights = arguments["y"], arguments["sample_weight"]
    if step.steps[0].prepare.drop:
        seen = isinstance(y, Observed)
        y, weights, theta = used(bound, step)
        places = {name: i for i, name in enumerate(bound.each[0].form.parameters)}
        known = {name: theta[places[name]] for name in known}
        y = seen_again(y, {name: theta[i] for name, i in places.items() if name in BOUNDS} if seen else {})
        data = where = None
    return fit(y, family, data, sample_weight=weights, fixed=known, where=where, threads=threads).dist


def used(bound: Bound, step: PairedStep) -> tuple[Array, Array | None, list[Any]]:
    """Return observations, weights and parameters of the first model in memory, of the rows that no model lacks."""
    ys: list[Array] = []
    weights: list[Array] = []
    columns: list[tuple[Any, ...]] = []
    for rows in bound.chunks():
        ready = step.steps[0].prepare(step.without_missing(rows)[0])
        ys.append(ready.y)
        columns.append(ready.theta)
        if ready.weights is not None:
            weights.append(ready.weights)
    if not ys:
        raise DataError("there are no rows to fit a baseline to")
    theta = [v[0] if np.ndim(v[0]) == 0 else np.concatenate(v) for v in zip(*columns, strict=True)]
    return np.concatenate(ys), np.concatenate(weights) if weights else None, theta


@dataclass(slots=True)
class Frequencies:
    """The exact sum of the weights of each class; `classes` are at least as many as the models have."""

    sums: ExactSums = field(default_factory=lambda: ExactSums.zeros(0, 1))
    classes: int = 1
    read: int = 0

    def merge(self, other: Frequencies) -> Self:
        """Add those of other rows."""
        self.classes = max(self.classes, other.classes)
        self.sums.grow(len(other.sums.words))
        self.sums.merge(other.sums)
        self.read += other.read
        return self

    follow = merge


@dataclass(frozen=True, slots=True)
class Counting:
    """Counts the classes in the rows that are compared."""

    step: PairedStep

    def zero(self) -> Frequencies:
        """Return the state of no rows."""
        return Frequencies()

    def __call__(self, state: Frequencies, rows: Rows) -> None:
        """Add the rows of a chunk."""
        prepare = self.step.steps[0].prepare
        ready = prepare((self.step.without_missing(rows) if prepare.drop else rows.parts)[0])
        y = np.asarray(ready.y)
        state.classes = max([state.classes, *(t.shape[-1] for t in ready.theta if np.ndim(t))])
        if y.ndim > 1:
            raise DataError("a baseline of classes needs one class 0, 1, ... a row; y is a matrix")
        wrong = np.flatnonzero(~((y >= 0) & (y < state.classes) & (y == np.floor(y))))
        if wrong.size:
            place = prepare.locate(ready.number(wrong[0]))
            raise DataError(f"a baseline of classes needs one class 0, 1, ... a row; {place} has {y[wrong[0]]!r}")
        state.sums.grow(state.classes)
        weights = np.ones(len(y)) if ready.weights is None else ready.weights
        state.sums.add_values(np.ascontiguousarray(weights), y.astype(np.int64), 0)
        state.read += rows.size


def begin_counting(**arguments: Any) -> tuple[Bound, Counting]:
    """Return what a comparison reads, to count its classes."""
    from nll.tasks.compare.compare import begin

    bound, step = begin(**arguments)
    return bound, Counting(step)


def frequencies(bound: Bound, step: PairedStep, arguments: dict[str, Any], threads: int | None) -> Family:
    """Return the distribution of the classes in the rows that are compared, from exact sums."""
    found = reduce(begin_counting, arguments, bound, Counting(step), threads)
    counts = np.array([rounded(found.sums.count(k, 0)) for k in range(found.classes)]) if found.read else np.zeros(1)
    total = counts.sum()
    if not total > 0.0:
        raise DataError("there are no rows to fit a baseline to")
    return Categorical(probs=counts / total)
