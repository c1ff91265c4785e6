"""Rank families by how well they fit: all that are plausible, by likelihood and never by the shape of a histogram."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nll.errors import DataError, NllError, UsageError, first_line, listing, unknown
from nll.families import families as every_family
from nll.families.constraints import Constraint
from nll.families.family import Family
from nll.families.normal import Normal
from nll.numerics.formula import quiet
from nll.results.fit import Fit
from nll.results.ranking import CRITERIA, Ranking
from nll.tasks.chunks import inputs

Criterion = Literal["aic", "aicc", "bic"]


def fit_best(
    y: Any,
    families: Literal["auto"] | Iterable[str | type[Family]] = "auto",
    data: Any = None,
    *,
    criterion: Criterion = "aic",
    discrete: bool | None = None,
    sample_weight: Any = None,
    fixed: Mapping[str, Any] | None = None,
    missing: Literal["error", "drop"] = "error",
    where: Any = None,
    threads: int | None = None,
) -> Ranking:
    """Fit families to the same observations and rank them by an information criterion.

    Parameters
    ----------
    y, data, sample_weight, missing, where, threads : as in `nll.fit`.
    families : the families, by name or class; "auto" takes all whose support holds the observations, densities or
        distributions of counts and not both, since their likelihoods have different units.
    criterion : "aic", "aicc" or "bic"; smaller is better.
    discrete : with "auto": True takes distributions of counts, False densities; by default counts where all
        observations are whole numbers, and the notes of the result say so.
    fixed : parameters that are not fitted, for those families that have them, such as a Binomial's total_count.

    Returns
    -------
    Ranking : fits by name, best first, with differences and weights; failures with their reasons.

    Raises
    ------
    UsageError : a family or a criterion is unknown, or densities are mixed with distributions of counts.

    Examples
    --------
    >>> import nll
    >>> from nll.tasks.fit.rank import fit_best
    >>> y = nll.Gamma(concentration=3.0, rate=2.0).sample(300, rng=1)
    >>> fit_best(y, ["Normal", "Gamma", "Uniform"]).best.family.__name__
    'Gamma'
    """
    from nll.tasks.fit.fit import fit

    if criterion not in CRITERIA:
        raise UsageError(unknown("criterion", criterion, CRITERIA))
    fixed = dict(fixed or {})
    if families == "auto":
        found, notes = _plausible(_seen(y, data, sample_weight, where, missing), discrete, fixed)
    else:
        found, notes = _chosen(families), []
    options = {"data": data, "sample_weight": sample_weight, "missing": missing, "where": where, "threads": threads}
    options = {name: value for name, value in options.items() if value is not None}
    fits: dict[str, Fit] = {}
    failed: dict[str, str] = {}
    for name, form in found.items():
        own = {parameter: value for parameter, value in fixed.items() if parameter in form.parameters}
        result = _attempt(fit, y, form, own, options)
        if isinstance(result, str):
            failed[name] = result
        else:
            fits[name] = result
    order = sorted(fits, key=lambda name: (math.isnan(getattr(fits[name], criterion)), getattr(fits[name], criterion)))
    return Ranking(criterion, {name: fits[name] for name in order}, failed, tuple(notes))


def _attempt(
    fit: Callable[..., Fit], y: Any, form: type[Family], fixed: dict[str, Any], options: dict[str, Any]
) -> Fit | str:
    """Return a usable fit, or why there is none."""
    known = {*fixed, *getattr(form, "defaults", {})}
    unset = [name for name, constraint in form.parameters.items() if not constraint.link and name not in known]
    if unset:
        return f"{listing(unset)} must be known: pass fixed="
    try:
        found = fit(y, form, fixed=fixed, throw=False, **options)
    except DataError as error:
        return first_line(error)
    except UsageError:
        raise
    except NllError as error:
        return first_line(error)
    if not math.isfinite(found.nll):
        return (
            f"{found.impossible or 'some'} observations are impossible" if found.nll > 0.0 else "unbounded likelihood"
        )
    if not found.converged:
        return "; ".join(found.warnings) or "the fit did not converge"
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """What the choice of families may know of the observations: their ends, and whether all are whole."""

    low: float
    high: float
    whole: bool


def _seen(y: Any, data: Any, sample_weight: Any, where: Any, missing: str) -> Seen:
    """Go over the observations once."""
    bound = inputs(y, Normal(0.0, 1.0), data, sample_weight=sample_weight, by=None, cluster=None, where=where)
    low, high, whole = math.inf, -math.inf, True
    for chunk in bound.chunks():
        values = np.asarray(chunk.y)
        if values.dtype.kind not in "biuf" or values.ndim != 1:
            raise UsageError("fit_best needs numbers, one a row; name the families for other observations")
        values = values[np.isfinite(values)] if missing == "drop" or chunk.missing is not None else values
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            whole = whole and bool((np.floor(values) == values).all())
    if not low <= high:
        raise DataError("fit_best found no observations to choose families by, or NaN among them")
    return Seen(low, high, whole)


def _plausible(
    seen: Seen, discrete: bool | None, fixed: Mapping[str, Any]
) -> tuple[dict[str, type[Family]], list[str]]:
    """Return the families whose support holds the observations."""
    notes: list[str] = []
    if discrete is None:
        discrete = seen.whole
        if seen.whole:
            notes.append("All observations are whole numbers: distributions of counts; discrete=False ranks densities")
    if discrete and not seen.whole:
        raise UsageError("discrete=True needs whole numbers, and some observations are not")
    found: dict[str, type[Family]] = {}
    for name, family in every_family().items():
        if family.event or family.observations.discrete != discrete or hasattr(family, "soft_form"):
            continue
        form = next((form for form in family.forms if {*fixed} & {*form.parameters}), family)
        known = all(constraint.link or parameter in fixed for parameter, constraint in form.parameters.items())
        if known and all(_holds(c, seen) for c in (form.observations, form.support)):
            found[name] = form
    if not found:
        raise UsageError(f"no family holds observations from {seen.low:g} to {seen.high:g}")
    return found, notes


def _holds(constraint: type[Constraint], seen: Seen) -> bool:
    with quiet():
        return all(bool(constraint.contains(np.float64(end))) for end in (seen.low, seen.high))


def _chosen(chosen: Iterable[str | type[Family]]) -> dict[str, type[Family]]:
    """Return the families that were named, of one kind."""
    if isinstance(chosen, str):
        raise UsageError(f"families is 'auto' or a list; got {chosen!r}")
    found: dict[str, type[Family]] = {}
    for each in chosen:
        if isinstance(each, str) and each not in every_family():
            raise UsageError(unknown("family", each, every_family()))
        form = every_family()[each] if isinstance(each, str) else each
        if not (isinstance(form, type) and issubclass(form, Family)):
            raise UsageError(f"families are named, or classes such as nll.Gamma; got {each!r}")
        name = form.family.__name__ if form is form.family else form.signature()
        found[name] = form
    kinds = {form.observations.discrete or getattr(form, "mixed", False) for form in found.values()}
    if len(kinds) > 1:
        counts: Sequence[str] = [name for name, form in found.items() if form.observations.discrete]
        raise UsageError(f"densities and probabilities have different units: {listing(counts)} are of counts")
    if not found:
        raise UsageError("fit_best needs at least one family")
    return found
