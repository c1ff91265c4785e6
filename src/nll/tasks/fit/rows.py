"""Fits of families that observe rows: classes, vectors that vary together, and columns that are independent.

Their maxima are closed: shares of classes, means and covariances; independent columns are fits of their own. Errors are
those of the information at the maximum, which is the expected one here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, FitError, UsageError
from nll.families.bernoulli import Bernoulli
from nll.families.categorical import Categorical
from nll.families.family import Family
from nll.families.multivariatenormal import MultivariateNormal
from nll.numerics.arrays import dimensions
from nll.results.fit import Fit
from nll.results.rows_fit import RowsFit, assembled, names_of, part_of
from nll.tasks.chunks import array_of, inputs
from nll.tasks.fit.again import Again, Rows
from nll.tasks.labels import is_text
from nll.tasks.observed import Observed
from nll.tasks.ready import Preparation
from nll.tasks.score import score

Array = npt.NDArray[Any]
MOST_CLASSES = 2048  # their covariances are a matrix
SINGULAR = 1e-13  # share of a column's variance that the columns before it leave, below which none is left


@dataclass(frozen=True, slots=True)
class RowsAgain(Again):
    """The data of a fit of rows, whose losses can be asked for."""

    def refit(self, fit: Fit, fixed: Mapping[str, float], start: Mapping[str, float]) -> Fit:
        """Refuse: single numbers of a row's parameters are not fixed."""
        raise UsageError(f"{fit.family.family.__name__} of rows has no profiles: take method='wald'")

    def rows(self, fit: Fit) -> Rows:
        """Refuse: one observation is several numbers."""
        raise UsageError(f"{fit.family.family.__name__} observes rows; this is for single numbers")


@dataclass(slots=True)
class Given:
    """The arguments of a fit of rows, and counts of what was read."""

    y: Any
    form: type[Family]
    data: Any
    sample_weight: Any
    fixed: dict[str, Any]
    start: dict[str, Any]
    options: dict[str, Any]
    cov: str
    dist: Family
    n: int = 0
    weight: float = 0.0
    missing: int = 0
    unweighted: int = 0
    source: str = ""

    def parts(self) -> Iterator[tuple[Array, Array, Any]]:
        """Yield observations, weights, and what tells the place of a row in messages; no row of weight 0."""
        where = self.options["where"]
        bound = inputs(
            self.y, self.dist, self.data, sample_weight=self.sample_weight, by=None, cluster=None, where=where
        )
        self.source = bound.description
        prepare = Preparation(bound.form, bound.names, bound.locate, self.options["missing"] == "drop")
        for chunk in bound.chunks():
            if is_text(chunk.y):
                raise DataError(f"{bound.names['y']} holds text: fit takes numbers, and classes as 0, 1, ...")
            ready = prepare(chunk)
            weights = np.ones(ready.size) if ready.weights is None else np.asarray(ready.weights)
            wrong = np.flatnonzero(~(weights >= 0.0) | (weights == np.inf))
            if wrong.size:
                found = f"{bound.locate(ready.number(wrong[0]))} has {float(weights[wrong[0]])!r}"
                raise DataError(f"{bound.names['sample_weight']} must be at least 0 and finite; {found}")
            kept = np.flatnonzero(weights > 0.0)
            self.missing += 0 if ready.missing is None else int(ready.missing.sum())
            self.unweighted += ready.size - kept.size
            self.n += kept.size
            self.weight += math.fsum(weights[kept])
            yield np.asarray(ready.y, np.float64)[kept], weights[kept], _Places(bound.locate, ready, kept)
        if not self.n:
            raise DataError(f"there are no rows to fit in {self.source}")


@dataclass(frozen=True, slots=True)
class _Places:
    locate: Any
    ready: Any
    kept: Array

    def __call__(self, i: int) -> str:
        return self.locate(self.ready.number(self.kept[i]))


def observes_rows(y: Any, form: type[Family], data: Any) -> bool:
    """Whether one observation is several numbers or one of several classes."""
    matrix = isinstance(y, (list, tuple)) if data is not None else dimensions(y) == 2
    return bool(form.event) or (issubclass(form, Bernoulli) and not isinstance(y, Observed) and matrix)


def fit_rows(
    y: Any, form: type[Family], data: Any, *, sample_weight: Any, by: Any, fixed: dict[str, Any],
    start: dict[str, Any], cov: str, throw: bool, **options: Any,
) -> RowsFit:  # fmt: skip
    """Fit a family that observes rows.

    Parameters
    ----------
    form : the parametrisation; the other parameters are those of `fit`, `options` being missing, where and threads.

    Raises
    ------
    UsageError : the form has no such fit, or an option does not go with it.
    """
    name = form.family.__name__
    if isinstance(y, Observed):
        y.form(form)  # refuses
    if options["missing"] not in ("error", "drop"):
        raise UsageError(f"missing is 'error' or 'drop'; got {options['missing']!r}")
    if by is not None:
        raise UsageError(f"{name} of rows is fitted without by=: fit each group by itself, with where= or its rows")
    if cov not in ("observed", "expected"):
        raise UsageError(f"{name} of rows has the errors of its information, cov='observed'; got {cov!r}")
    make, dist = method(y, form, data, fixed, start)
    given = Given(y, form, data, sample_weight, fixed, start, options, cov, dist)
    result = make(given)
    again = {"fixed": fixed, "start": start, "cov": cov, "cluster": None, **options}
    result = replace(
        result, n=given.n, weight=given.weight, cov_type=cov, passes=1, source=given.source,
        read=given.n + given.missing + given.unweighted, missing=given.missing, unweighted=given.unweighted,
        again=RowsAgain(fit_rows, y, form, data, sample_weight, again),
    )  # fmt: skip
    if result.fitted is not None and result.converged:
        exact = score(y, result.fitted, data, sample_weight=sample_weight, progress=False, **options)
        result = replace(result, nll=exact.sum, passes=2)
    if throw and not result.converged:
        raise FitError(f"no fit of {form.signature()}: {result.warnings[0]}", result)
    return result


def method(y: Any, form: type[Family], data: Any, fixed: dict[str, Any], start: dict[str, Any]) -> Any:
    """Return the function that fits a form, and a distribution of it by which rows are read."""
    if issubclass(form, Bernoulli) or hasattr(form, "columnwise"):
        return columns, form(**dict.fromkeys(form.parameters, 1.0))
    if form not in (Categorical, MultivariateNormal):
        known = "MultivariateNormal by its covariance_matrix, Categorical by its probs"
        raise UsageError(f"{form.signature()} is not fitted. Of rows, fit does {known}, Bernoulli and Independent")
    if fixed or start:
        raise UsageError(f"{form.signature()} has a closed fit of all its parameters: it takes no fixed= and no start=")
    if form is Categorical:
        if data is None and np.ndim(y) != 1:
            raise UsageError(f"a fit of Categorical takes classes (n,); y has the shape {np.shape(y)}")
        return classes, form(probs=[1.0])
    if data is None:
        shape = array_of(y, "y").shape
        if len(shape) != 2 or shape[1] == 0:
            raise DataError(f"y must hold rows of numbers, a matrix (n, k); got shape {shape}")
    width = len(y) if data is not None else np.shape(y)[1]
    return vectors, form(loc=np.zeros(width), covariance_matrix=np.eye(width))


# Classes


def classes(given: Given) -> RowsFit:
    """Return the shares of the classes 0, 1, ... up to the largest one seen.

    The covariance is (diag(p) - p p') / n. Source: A. Agresti, Categorical Data Analysis, 2nd edition (2002),
    section 1.4.1.
    """
    counts = np.zeros(0)
    for y, weights, place in given.parts():
        wrong = np.flatnonzero(~((y >= 0.0) & (y < MOST_CLASSES) & (y == np.floor(y))))
        if wrong.size:
            found = f"{place(int(wrong[0]))} has {float(y[wrong[0]]):g}"
            raise DataError(f"y must be a class, a whole number in 0 .. {MOST_CLASSES - 1}; {found}")
        more = np.bincount(y.astype(np.int64), weights=weights, minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    p = counts / math.fsum(counts)
    names = tuple(names_of(given.form, len(p)))
    edge = (p == 0.0) | (p == 1.0)
    ends = tuple(name for name, at in zip(names, edge, strict=True) if at)
    cov = (np.diag(p) - np.outer(p, p)) / given.weight
    cov[edge], cov[:, edge] = math.nan, math.nan
    said = [f"{name} lies at its boundary, {v:g}: it has no standard error" for name, v in zip(names, p, strict=True)]
    return _record(
        given, dict(zip(names, map(float, p), strict=True)), names, cov,
        at_boundary=ends, cov_ok=not ends,
        warnings=tuple(text for text, at in zip(said, edge, strict=True) if at),
    )  # fmt: skip


# Vectors


def vectors(given: Given) -> RowsFit:
    """Return the mean and the covariance of rows, divided by the weight.

    Errors: K. V. Mardia, J. T. Kent and J. M. Bibby, Multivariate
    Analysis (1979), section 3.4: cov(S_ij, S_kl) = (S_ik S_jl + S_il S_jk) / n.
    """
    total, mean, scatter, constant = moments(given)
    d = len(mean)
    matrix = 0.5 * (scatter + scatter.T) / total
    pairs = list(combinations_with_replacement(range(d), 2))
    names = tuple(names_of(given.form, d))
    values = [*map(float, mean), *(float(matrix[pair]) for pair in pairs)]
    cov = np.zeros((len(names), len(names)))
    cov[:d, :d] = matrix / total
    i, j = np.array(pairs).T
    cov[d:, d:] = (matrix[np.ix_(i, i)] * matrix[np.ix_(j, j)] + matrix[np.ix_(i, j)] * matrix[np.ix_(j, i)]) / total
    why = singular(matrix, constant, given.n)
    params = dict(zip(names, values, strict=True))
    if why:
        return _record(given, params, names, np.full_like(cov, math.nan), False, converged=False, cov_ok=False,
                       warnings=(why,))  # fmt: skip
    return _record(given, params, names, cov)


def moments(given: Given) -> tuple[float, Array, Array, Array]:
    """Return the weight, the mean, the sum of w (y - mean)(y - mean)', and which numbers are the same in all rows.

    Parts merge as in T. F. Chan, G. H. Golub and R. J. LeVeque, Updating Formulae and a Pairwise Algorithm for
    Computing Sample Variances (1979), equation (2.1).
    """
    total, mean, scatter = 0.0, np.zeros(0), np.zeros((0, 0))
    low, high = np.zeros(0), np.zeros(0)
    for y, w, place in given.parts():
        wrong = np.argwhere(~np.isfinite(y))
        if wrong.size:
            i, j = map(int, wrong[0])
            raise DataError(f"y must be finite; {place(i)} has {float(y[i, j])!r} for number {j}")
        if not len(y):
            continue
        own, weight = np.average(y, axis=0, weights=w), math.fsum(w)
        own += np.average(y - own, axis=0, weights=w)  # the rounding of the first mean
        rest = y - own
        inner = (rest * w[:, None]).T @ rest
        if total:
            low, high = np.minimum(low, y.min(axis=0)), np.maximum(high, y.max(axis=0))
            gap = own - mean
            mean = mean + gap * (weight / (total + weight))
            scatter += inner + np.outer(gap, gap) * (total * weight / (total + weight))
        else:
            low, high, mean, scatter = y.min(axis=0), y.max(axis=0), own, inner
        total += weight
    return total, mean, scatter, low == high


def singular(matrix: Array, constant: Array, n: int) -> str:
    """Return why a covariance has no inverse, in words, or "" where it has one."""
    d = len(matrix)
    if n <= d:
        return f"the likelihood is unbounded: {d} numbers a row need at least {d + 1} rows; there are {n}"
    if constant.any():
        return f"the likelihood is unbounded: number {int(np.argmax(constant))} is the same in all rows"
    with np.errstate(all="ignore"):
        size = np.sqrt(np.diagonal(matrix))
        rest = matrix / size / size[:, None]
        for j in range(d):
            if not rest[j, j] > SINGULAR:
                return f"the likelihood is unbounded: number {j} is a linear function of those before it, to 13 digits"
            rest = rest - np.outer(rest[:, j], rest[j]) / rest[j, j]
    return ""


# Independent columns


def columns(given: Given) -> RowsFit:
    """Return the fits of the columns, side by side."""
    from nll.tasks.fit.fit import fit

    read: list[tuple[Array, Array]] = []
    for y, weights, place in given.parts():
        check_numbers(given.form, y, place)
        read.append((y, weights))
    y, weights = (np.concatenate(arrays) for arrays in zip(*read, strict=True))
    part = part_of(given.form)
    width = y.shape[1]
    fixed, start = spread(given.fixed, width, "fixed"), spread(given.start, width, "start")
    fits: list[Fit] = []
    for j in range(width):
        try:
            weight = None if given.sample_weight is None else weights
            threads = given.options["threads"]
            column = np.ascontiguousarray(y[:, j])
            fits.append(fit(column, part, sample_weight=weight, fixed=fixed[j], start=start[j], cov=given.cov,
                            threads=threads, throw=False))  # fmt: skip
        except (DataError, UsageError) as error:
            raise type(error)(f"number {j} of a row: {error}") from error
    return side_by_side(given, fits)


def check_numbers(form: type[Family], y: Array, place: Callable[[int], str]) -> None:
    """Refuse numbers that cannot be observed, here, where the places of rows are known."""
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere(~np.asarray(form.observations.contains(y), bool))  # type: ignore[arg-type]
    if wrong.size:
        i, j = map(int, wrong[0])
        words = f"{form.observations.words} for {form.family.__name__}"
        raise DataError(f"y must be {words}; {place(i)} has {float(y[i, j])!r} for number {j}")


def side_by_side(given: Given, fits: Sequence[Fit]) -> RowsFit:
    """Return the fits of columns as one, without covariances between them, which are 0."""
    free = tuple(f"{name}_{j}" for j, f in enumerate(fits) for name in f.free)
    cov, at = np.zeros((len(free), len(free))), 0
    for f in fits:
        cov[at : at + len(f.free), at : at + len(f.free)] = f.cov
        at += len(f.free)
    lost = np.isnan(np.diagonal(cov))
    cov[lost], cov[:, lost] = math.nan, math.nan
    params = {f"{name}_{j}": value for j, f in enumerate(fits) for name, value in f.params.items()}
    usable = all(math.isfinite(params[name]) for name in free)  # a bound that is known may be infinite
    failed = [f"number {j} of a row: {f.warnings[0]}" for j, f in enumerate(fits) if not f.converged]
    said = [f"number {j} of a row: {text}" for j, f in enumerate(fits) if f.converged for text in f.warnings]
    return _record(
        given, params, free, cov, usable,
        converged=not failed, cov_ok=all(f.cov_ok for f in fits), warnings=(*failed, *said),
        at_boundary=tuple(f"{name}_{j}" for j, f in enumerate(fits) for name in f.at_boundary),
        iterations=max(f.iterations for f in fits),
    )  # fmt: skip


def spread(values: Mapping[str, Any], width: int, what: str) -> list[dict[str, float]]:
    """Return what is fixed, or begun from, in each column: one number for all, or one each."""
    out: list[dict[str, float]] = [{} for _ in range(width)]
    for name, value in values.items():
        if isinstance(value, str) or np.shape(value) not in ((), (width,)):
            raise UsageError(f"{what} {name} of rows is a number, or one for each of {width} columns; got {value!r}")
        for own, number in zip(out, np.broadcast_to(np.asarray(value, np.float64), width), strict=True):
            own[name] = float(number)
    return out


def _record(
    given: Given, params: dict[str, float], free: tuple[str, ...], cov: Array, usable: bool = True, **rest: Any
) -> RowsFit:
    fitted = assembled(given.form, params) if usable else None
    return RowsFit(given.form, params, free, cov, math.nan, 0, 0.0, fitted=fitted, **rest)
