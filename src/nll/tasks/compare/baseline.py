"""The model without information: one distribution for all rows, fitted to the rows that are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.families.categorical import Categorical
from nll.families.family import Family
from nll.numerics.exact import ExactSums, rounded
from nll.tasks.compare.inputs import Bound
from nll.tasks.compare.step import PairedStep

Array = npt.NDArray[Any]
NAME = "baseline"


def family_of(baseline: Any, first: Family) -> type[Family]:
    """Return the family of the baseline: that of the first model, or the one that was asked for."""
    family = first.family if baseline is True else baseline
    if not (isinstance(family, type) and issubclass(family, Family)):
        raise UsageError(f"baseline is True, or a family such as nll.Poisson, which is fitted; got {baseline!r}")
    return family


def marginal(family: type[Family], first: Family, bound: Bound, step: PairedStep, arguments: dict[str, Any]) -> Family:
    """Return one distribution for all rows, at its smallest NLL.

    Classes have their frequencies. Other families are fitted; what a model knows of each row beforehand (the number
    of trials) stays known.

    Parameters
    ----------
    family : what to fit. first : the first model.
    bound, step : the rows that are compared, and what is done with them.
    arguments : of `fit`: y, data, sample_weight, where, threads.
    """
    if family.family is Categorical:
        return frequencies(bound, step)
    from nll.tasks.fit.fit import fit

    if first.event:
        raise UsageError(f"a baseline is of numbers or classes; {first.family.__name__} observes rows of numbers here")
    counts = {name for name, constraint in family.parameters.items() if constraint.discrete}
    known = {name: value for name, value in first.theta.items() if name in counts}
    if step.steps[0].prepare.drop:
        y, weights, theta = used(bound, step)
        known = {name: theta[list(first.theta).index(name)] for name in known}
        return fit(y, family, sample_weight=weights, fixed=known, threads=arguments["threads"]).dist
    return fit(fixed=known, family=family, **arguments).dist


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


def frequencies(bound: Bound, step: PairedStep) -> Family:
    """Return the distribution of the classes in the rows that are compared, from exact sums."""
    sums, classes = ExactSums.zeros(0, 1), 1
    for rows in bound.chunks():
        parts = step.without_missing(rows) if step.steps[0].prepare.drop else rows.parts
        ready = step.steps[0].prepare(parts[0])
        y = np.asarray(ready.y)
        classes = max([classes, *(t.shape[-1] for t in ready.theta if np.ndim(t))])
        wrong = np.flatnonzero(~((y >= 0) & (y < classes) & (y == np.floor(y)))) if y.ndim == 1 else np.zeros(1)
        if wrong.size:
            raise DataError(
                "a baseline of classes needs one class 0, 1, ... a row"
                + (f"; row {ready.number(wrong[0])} has {y[wrong[0]]!r}" if y.ndim == 1 else "; y is a matrix")
            )
        sums.grow(classes)
        weights = np.ones(len(y)) if ready.weights is None else ready.weights
        sums.add_values(np.ascontiguousarray(weights), y.astype(np.int64), 0)
    counts = np.array([rounded(sums.count(k, 0)) for k in range(classes)])
    total = counts.sum()
    if not total > 0.0:
        raise DataError("there are no rows to fit a baseline to")
    return Categorical(probs=counts / total)
