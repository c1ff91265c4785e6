"""Compare fits to the same rows: criteria, weights, and the test that fits each pair; refuse what does not compare."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nll.errors import DataError, NllError, UsageError, first_line
from nll.results.evidence import LikelihoodRatioTest, VuongTest
from nll.results.fit import Fit
from nll.results.fit_comparison import FitComparison, FittedModel
from nll.tasks.compare.gradients import of_fit
from nll.tasks.compare.losses import DIFFERENT_MEASURES, discreteness
from nll.tasks.compare.lrt import lrt
from nll.tasks.compare.nesting import nesting
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


def named(fits: tuple[Any, ...]) -> dict[str, Any]:
    """Return fits by the names of their families, numbered where several have the same."""
    every = [f.family.family.__name__ if isinstance(f, Fit) else type(f).__name__ for f in fits]
    return {
        n if every.count(n) == 1 else f"{n} {every[: i + 1].count(n)}": f
        for i, (n, f) in enumerate(zip(every, fits, strict=True))
    }


def tested(fit: Fit, best: Fit) -> tuple[LikelihoodRatioTest | VuongTest | None, str]:
    """Return the test of a fit and the best one, or why there is none."""
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
    except UsageError:
        return math.nan
    weighed = g if rows.weights is None else g * rows.weights[:, None]
    return 2.0 * fit.nll + 2.0 * float(np.trace(weighed.T @ g @ fit.cov))


def _refuse_measures(a: str, fit_a: Fit, b: str, fit_b: Fit) -> None:
    kinds = [discreteness(fit.dist) for fit in (fit_a, fit_b)]
    if kinds[0] != kinds[1]:
        raise UsageError(f"{a} is {kinds[0]} and {b} {kinds[1]}: {DIFFERENT_MEASURES}")


def refuse_rows(a: str, fit_a: Fit, b: str, fit_b: Fit) -> None:
    """Refuse two fits that are not of the same rows, with the same weights, in the same order."""
    if fit_a.n != fit_b.n or fit_a.missing != fit_b.missing:
        raise DataError(
            f"{a} was fitted to {fit_a.n:,} rows ({fit_a.missing:,} dropped as missing) and {b} to {fit_b.n:,} "
            f"({fit_b.missing:,} dropped): likelihoods compare on the same rows only; fit both to the same"
        )
    if fit_a.again is None or fit_b.again is None:
        if fit_a.weight != fit_b.weight:
            raise DataError(f"the weights of {a} sum to {fit_a.weight!r}, those of {b} to {fit_b.weight!r}")
        return
    rows_a, rows_b = (f.again.rows(f) for f in (fit_a, fit_b))  # type: ignore[union-attr]
    if digest(rows_a.weights) != digest(rows_b.weights) and not _all_one(rows_a.weights, rows_b.weights):
        raise DataError(f"{a} and {b} were fitted with different weights: fit both with the same")
    y_a, y_b = (np.asarray(r.y, np.float64) for r in (rows_a, rows_b))
    if digest(y_a) == digest(y_b):
        return
    if y_a.shape == y_b.shape and digest(np.sort(y_a, axis=0)) == digest(np.sort(y_b, axis=0)):
        raise DataError(f"{a} and {b} were fitted to the same observations in another order: row by row they differ")
    if y_a.shape == y_b.shape:
        with np.errstate(all="ignore"):
            for plain, moved, name in ((y_a, y_b, b), (y_b, y_a, a)):
                for change, word in ((np.log, "log"), (np.sqrt, "sqrt"), (np.log1p, "log1p"), (np.log10, "log10")):
                    if np.allclose(change(plain), moved, rtol=1e-9, atol=1e-12):
                        raise DataError(
                            f"{name} was fitted to the {word} of the observations: its density is of another unit, and "
                            "lacks the Jacobian; fit nll.Transformed to the observations themselves"
                        )
    differ = int((y_a != y_b).sum()) if y_a.shape == y_b.shape else len(y_a)
    raise DataError(f"{a} and {b} were fitted to different observations: {differ:,} of {len(y_a):,} rows differ")


def digest(values: Any) -> bytes:
    """Return a hash of numbers in their order; -0.0 and 0.0 are the same."""
    if values is None:
        return b""
    return hashlib.blake2b((np.asarray(values, np.float64) + 0.0).tobytes()).digest()


def _all_one(*weights: Any) -> bool:
    return all(w is None or bool((np.asarray(w) == 1.0).all()) for w in weights)
