"""The data of a fit, kept so that a Fit can go over them again: profiles, bootstraps, tests of the fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import UsageError
from nll.results.fit import Fit, Interval
from nll.results.fits import Fits
from nll.results.goodness import Goodness
from nll.results.profile import Profile
from nll.tasks.chunks import inputs
from nll.tasks.observed import BOUNDS, Observed
from nll.tasks.ready import Preparation

Array = npt.NDArray[Any]
ROWS_AT_ONCE = 2**21  # of replicates that are fitted together


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a fit in memory: observations, fixed parameters (a number, or one a row), weights.

    Of observations that are seen in part, y is the lower end, and `bounds` has the others (upper, low, high).
    """

    y: Array
    fixed: Mapping[str, Any]
    weights: Array | None
    bounds: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.y)

    @property
    def observations(self) -> Any:
        """What was observed, as tasks take it."""
        return seen_again(self.y, self.bounds)

    def tiled(self, times: int) -> dict[str, Any]:
        """Return the fixed parameters for so many copies of the rows, one after the other."""
        return {name: np.tile(v, times) if np.ndim(v) else v for name, v in self.fixed.items()}

    def part(self, use: Array) -> Rows:
        """Return some of the rows."""
        fixed, bounds = (
            {name: v[use] if np.ndim(v) else v for name, v in values.items()} for values in (self.fixed, self.bounds)
        )
        return Rows(self.y[use], fixed, None if self.weights is None else self.weights[use], bounds)


def seen_again(y: Array, bounds: Mapping[str, Any]) -> Any:
    """Return numbers, or observations that are seen in part, from lower ends and the other bounds."""
    if not bounds:
        return y
    upper, low, high = (bounds.get(name) for name in BOUNDS)
    return Observed(y, upper, low, high, kind="exact" if upper is None else "interval")


@dataclass(frozen=True, slots=True)
class Again:
    """The arguments of `fit`, and `fit` itself.

    Attributes
    ----------
    fit : the function to call.
    y, family, data, sample_weight : its arguments.
    options : the rest of them, by name.
    by, key : of a fit of one group: the columns that make groups, and the key of this one.
    """

    fit: Callable[..., Any]
    y: Any
    family: Any
    data: Any = None
    sample_weight: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    by: Any = None
    key: Any = None

    def refit(self, fit: Fit, fixed: Mapping[str, float], start: Mapping[str, float]) -> Fit:
        """Return the fit of the same rows with more parameters fixed."""
        source = self if self.by is None else self._alone(fit)
        given = {**source.options.get("fixed", {}), **fixed}
        start = {name: value for name, value in start.items() if name not in given}
        options = {**source.options, "fixed": given, "start": start, "throw": False, "cov": "observed", "cluster": None}
        return source.fit(source.y, fit.family, data=source.data, sample_weight=source.sample_weight, **options)

    def _alone(self, fit: Fit) -> Again:
        """Return the rows of this group as arrays."""
        rows = self.rows(fit)
        options = {**self.options, "fixed": dict(rows.fixed)}
        options.pop("where", None)
        return replace(self, y=rows.observations, data=None, sample_weight=rows.weights, options=options, by=None)

    def rows(self, fit: Fit) -> Rows:
        """Return the rows that were fitted, in memory."""
        if fit.family.event:
            raise UsageError(f"{fit.family.family.__name__} observes rows; this is for single numbers")
        return self.read(fit)

    def read(self, fit: Fit) -> Rows:
        """Return the rows that were fitted, in memory, of any kind; without fixed parameters where these are rows."""
        where = self.options.get("where")
        bound = inputs(
            self.y, fit.dist, self.data, sample_weight=self.sample_weight, by=self.by, cluster=None, where=where
        )
        prepare = Preparation(bound.form, bound.names, bound.locate, self.options.get("missing") == "drop")
        ys: list[Array] = []
        weights: list[Array] = []
        values: list[tuple[Any, ...]] = []
        for chunk in bound.chunks():
            ready = prepare(chunk)
            keep = self._of_group(chunk.keys, ready.index)
            ys.append(ready.y[keep])
            values.append(tuple(t[keep] if np.ndim(t) else t for t in ready.theta))
            if ready.weights is not None:
                weights.append(ready.weights[keep])
        columns = [v[0] if np.ndim(v[0]) == 0 else np.concatenate(v) for v in zip(*values, strict=True)]
        known = dict(zip(bound.form.parameters, columns, strict=False)) if not bound.form.event else {}
        fixed = {name: known[name] for name in fit.family.parameters if name in known and name not in fit.free}
        bounds = {name: value for name, value in known.items() if name not in fit.family.parameters}
        return Rows(np.concatenate(ys), fixed, np.concatenate(weights) if weights else None, bounds)

    def _of_group(self, keys: Any, index: Array | None) -> Any:
        if keys is None:
            return slice(None)
        wanted = self.key if len(keys) > 1 else (self.key,)
        mask = np.logical_and.reduce([k.eq_missing(value).to_numpy() for k, value in zip(keys, wanted, strict=True)])
        return mask if index is None else mask[index]

    def many(self, fit: Fit, rows: Rows, copies: Callable[[Array], tuple[Array, Array | None]], count: int) -> Fits:
        """Return `count` fits like this one, a group each.

        Parameters
        ----------
        copies : given the numbers of replicates, returns observations (replicates, n) and weights, or None.
        """
        from nll.results.fits import joined

        each = max(1, ROWS_AT_ONCE // max(1, rows.size))
        start = {name: fit.params[name] for name in fit.free}
        found: list[Fits] = []
        for first in range(0, count, each):
            numbers = np.arange(first, min(first + each, count))
            y, weights = copies(numbers)
            bounds = {name: np.tile(v, len(numbers)) if np.ndim(v) else v for name, v in rows.bounds.items()}
            fixed, codes = rows.tiled(len(numbers)), np.repeat(numbers, rows.size)
            options = {**self.options, "fixed": fixed, "start": start, "throw": False}
            options = {name: value for name, value in options.items() if name not in ("where", "cov", "cluster")}
            flat = None if weights is None else weights.reshape(-1)
            observed = seen_again(y.reshape(-1), bounds)
            found.append(self.fit(observed, fit.family, sample_weight=flat, by=codes, **options))
        return joined(found)

    def intervals(
        self, fit: Fit, level: float, method: str, names: Sequence[str], **options: Any
    ) -> dict[str, Interval]:
        """Return an interval for each name."""
        from nll.tasks.fit import intervals

        return getattr(intervals, f"{method}_intervals")(self, fit, level, names, **options)

    def profile(self, fit: Fit, name: str, **options: Any) -> Profile:
        """Return the smallest NLL at each value of a parameter."""
        from nll.tasks.fit.intervals import profile

        return profile(self, fit, name, **options)

    def goodness(self, fit: Fit, **options: Any) -> Goodness:
        """Return tests of the fitted distribution on its data."""
        from nll.tasks.fit.goodness import goodness_of

        return goodness_of(self, fit, **options)

    def row_losses(self, fit: Fit) -> Array:
        """Return the loss of each row."""
        from nll.tasks.score import rows

        if self.by is not None:
            found = self.rows(fit)
            return rows(found.observations, fit.family(**{**fit.params, **found.fixed}))
        options = {name: self.options[name] for name in ("missing", "where") if name in self.options}
        return rows(self.y, fit.dist, self.data, **options)

    def row_gradients(self, fit: Fit) -> Array:
        """Return the derivatives (n, k) of the losses of the rows that were used."""
        from nll.tasks.compare.gradients import of_fit

        return of_fit(fit, self.rows(fit))
