"""Compare fits to the same rows: criteria, weights, and the test that fits each pair; refuse what does not compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nll.errors import NllError, UsageError, first_line
from nll.results.evidence import LikelihoodRatioTest, VuongTest
from nll.results.fit import Fit
from nll.results.fit_comparison import FitComparison, FittedModel
from nll.results.joint_fit import JointFit
from nll.tasks.compare.gradients import of_fit
from nll.tasks.compare.losses import DIFFERENT_MEASURES, discreteness
from nll.tasks.compare.lrt import lrt
from nll.tasks.compare.nesting import nesting
from nll.tasks.compare.same_rows import refuse_rows
from nll.tasks.compare.vuong import vuong


def compare_fits(fits: Mapping[str, Fit]) -> FitComparison:
    """Return fits in order of AIC, each tested against the best.

    TIC is 2 NLL + 2 trace(J inv(H)), with J the sum of the outer products of the rows' gradients and H the Hessian:
    the penalty that AIC has where the model is true, without supposing that it is.

    Source: K. P. Burnham and D. R. Anderson, Model Selection and Multimodel Inference (2002), sections 2.2 to 2.9
    (AIC, AICc, weights) and 2.3 (TIC).
    """
    if len(fits) < 2:
        raise UsageError("compare takes at least two fits")
    names = list(fits)
    for name, fit in fits.items():
        if not isinstance(fit, Fit):
            raise UsageError(f"{name!r} is no fit: {type(fit).__name__}; fits of groups are compared group by group")
    first = fits[names[0]]
    for name in names[1:]:
        _refuse_measures(names[0], first, name, fits[name])
        refuse_rows(names[0], first, name, fits[name])
    remarks = [f"{n} has not converged: {f.warnings[0]}" for n, f in fits.items() if not f.converged]
    if any(f.again is None for f in fits.values()):
        remarks.append("a loaded fit has no data: that the fits are of the same rows was checked by their number only")
    remarks += _small(fits)
    order = sorted(names, key=lambda n: (math.isnan(fits[n].aic), fits[n].aic))
    smallest = fits[order[0]].aic
    differences = {n: fits[n].aic - smallest if fits[n].aic != smallest else 0.0 for n in order}
    total = math.fsum(math.exp(-0.5 * d) for d in differences.values())
    models: list[FittedModel] = []
    for name in order:
        fit = fits[name]
        test, why = (None, "") if name == order[0] else tested(fit, fits[order[0]])
        criteria = (fit.k, fit.nll, fit.aic, differences[name], math.exp(-0.5 * differences[name]) / total)
        more = (fit.aicc, fit.bic, takeuchi(fit))
        models.append(FittedModel(name, fit.family.family.__name__, *criteria, *more, test, why))
    return FitComparison(tuple(models), first.n, first.weight, tuple(remarks))


def _small(fits: Mapping[str, Fit]) -> list[str]:
    """Say where n, in AICc and BIC, is too small, or is not what it looks like."""
    said = [f"AICc of {name} is infinite: it needs more than k + 1 rows" for name, f in fits.items() if f.n <= f.k + 1]
    first = next(iter(fits.values()))
    if first.weight != first.n:
        said.append(f"n of AICc and BIC is {first.n:,}, the number of rows; their weights sum to {first.weight:g}")
    return said


def named(fits: tuple[Any, ...]) -> dict[str, Any]:
    """Return fits by the names of their families, numbered where several have the same."""
    every = [f.family.family.__name__ if isinstance(f, Fit) else type(f).__name__ for f in fits]
    return {
        n if every.count(n) == 1 else f"{n} {every[: i + 1].count(n)}": f
        for i, (n, f) in enumerate(zip(every, fits, strict=True))
    }


def tested(fit: Fit, best: Fit) -> tuple[LikelihoodRatioTest | VuongTest | None, str]:
    """Return the test of a fit and the best one, or why there is none."""
    if isinstance(fit, JointFit):
        return None, "it is a joint fit; if one contains the other, nll.lrt(a.nll, b.nll, df=...) tests it"
    try:
        for restricted, full in ((fit, best), (best, fit)):
            if restricted.k < full.k and _nested(restricted, full):
                return lrt(restricted, full), ""
        if fit.again is None or best.again is None:
            return None, "Vuong's test needs the data"
        return vuong(fit, best), ""
    except NllError as error:
        return None, first_line(error)


def _nested(restricted: Fit, full: Fit) -> bool:
    try:
        return nesting(restricted, full) is not None
    except UsageError:
        return False


def takeuchi(fit: Fit) -> float:
    """Return 2 NLL + 2 trace(J inv(H)); NaN without data, gradients or a usable covariance."""
    if fit.again is None or not fit.cov_ok or fit.cov_type != "observed" or not math.isfinite(fit.nll):
        return math.nan
    try:
        rows = fit.again.rows(fit)  # type: ignore[attr-defined]
        g = of_fit(fit, rows)
    except UsageError:  # of rows, joint, or without a formula for the gradient
        return math.nan
    weighed = g if rows.weights is None else g * rows.weights[:, None]
    return 2.0 * fit.nll + 2.0 * float(np.trace(weighed.T @ g @ fit.cov))


def _refuse_measures(a: str, fit_a: Fit, b: str, fit_b: Fit) -> None:
    both = [fit.dists if isinstance(fit, JointFit) else {"": fit.dist} for fit in (fit_a, fit_b)]
    for name in [name for name in both[0] if name in both[1]]:
        kinds = [discreteness(dists[name]) for dists in both]
        if kinds[0] != kinds[1]:
            where = f"problem {name!r} of " if name else ""
            raise UsageError(f"{where}{a} is {kinds[0]} and {where}{b} {kinds[1]}: {DIFFERENT_MEASURES}")
