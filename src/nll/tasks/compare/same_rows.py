"""Whether two fits are of the same rows, in the same order, with the same weights: if not, they do not compare."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.results.fit import Fit
from nll.results.joint_fit import JointFit

Array = npt.NDArray[Any]
ENDS = {"low": -np.inf, "high": np.inf}
CHANGES = ((np.log, "log"), (np.sqrt, "sqrt"), (np.log1p, "log1p"), (np.log10, "log10"))


def refuse_rows(a: str, fit_a: Fit, b: str, fit_b: Fit) -> None:
    """Refuse two fits that are not of the same rows, with the same weights, in the same order."""
    if isinstance(fit_a, JointFit) != isinstance(fit_b, JointFit):
        joint, other = (a, b) if isinstance(fit_a, JointFit) else (b, a)
        raise UsageError(f"{joint} is a joint fit of several problems, and {other} is of one: they have different rows")
    if isinstance(fit_a, JointFit) and isinstance(fit_b, JointFit) and list(fit_a.terms) != list(fit_b.terms):
        raise UsageError(
            f"{a} is a joint fit of the problems {', '.join(fit_a.terms)}, and {b} of {', '.join(fit_b.terms)}: "
            "they compare with the same names, in the same order"
        )
    if fit_a.n != fit_b.n or fit_a.missing != fit_b.missing:
        raise DataError(
            f"{a} was fitted to {fit_a.n:,} rows ({fit_a.missing:,} dropped as missing) and {b} to {fit_b.n:,} "
            f"({fit_b.missing:,} dropped): likelihoods compare on the same rows only; fit both to the same"
        )
    if fit_a.again is None or fit_b.again is None:
        if fit_a.weight != fit_b.weight:
            raise DataError(
                f"the weights of {a} sum to {fit_a.weight!r}, those of {b} to {fit_b.weight!r}: fit both with the same"
            )
        return
    for of_a, of_b in zip(samples(fit_a), samples(fit_b), strict=True):
        _refuse_sample(a, of_a, b, of_b)


def samples(fit: Any) -> list[Any]:
    """Return the rows of a fit in memory, for each problem of a joint one."""
    return [each.again.read(each) for each in ([fit] if not isinstance(fit, JointFit) else single_fits(fit))]


def single_fits(fit: JointFit) -> list[Any]:
    """Return the problems of a joint fit as fits, with their data and estimates but without errors."""
    from nll.tasks.fit.again import Again
    from nll.tasks.fit.joint import arguments

    found: list[Any] = []
    for name, given in arguments(fit.again.y).items():  # type: ignore[union-attr]
        term = fit.terms[name]
        params = {own: fit.params[title] for own, title in term.titles.items()}
        options = {key: given[key] for key in ("missing", "where")}
        again = Again(joint_has_none, given["y"], term.family, given["data"], given["sample_weight"], options)
        about = (np.empty((0, 0)), fit.losses[name], fit.n, fit.weight)
        found.append(Fit(term.family, params, tuple(term.titles), *about, by_row=term.fixed, again=again))
    return found


def joint_has_none(*_: Any, **__: Any) -> Any:
    """Refuse to fit one problem again."""
    raise UsageError("a problem of a joint fit is not fitted by itself")


def _refuse_sample(a: str, rows_a: Any, b: str, rows_b: Any) -> None:
    if digest(rows_a.weights) != digest(rows_b.weights) and not _all_one(rows_a.weights, rows_b.weights):
        raise DataError(f"{a} and {b} were fitted with different weights: fit both with the same")
    y_a, y_b = (np.asarray(r.y, np.float64) for r in (rows_a, rows_b))
    if digest(y_a) != digest(y_b):
        raise DataError(_difference(a, y_a, b, y_b))
    for name in ("upper", "low", "high"):
        ends = [_end(name, rows) for rows in (rows_a, rows_b)]
        if digest(ends[0]) != digest(ends[1]):
            differ = int((ends[0] != ends[1]).sum())
            how = "censored" if name == "upper" else "truncated"
            raise DataError(
                f"{a} and {b} were fitted to the same values, {how} in different ways in {differ:,} of {len(y_a):,} "
                "rows: fit both to the same observations"
            )


def _difference(a: str, y_a: Array, b: str, y_b: Array) -> str:
    """Say in what way observations differ."""
    if y_a.shape != y_b.shape:
        return f"{a} and {b} were fitted to observations of different shape: {y_a.shape} and {y_b.shape}"
    if digest(np.sort(y_a, axis=0)) == digest(np.sort(y_b, axis=0)):
        return (
            f"{a} and {b} were fitted to the same observations in another order: row by row they differ; "
            "sort both by the same key"
        )
    with np.errstate(all="ignore"):
        for plain, moved, name in ((y_a, y_b, b), (y_b, y_a, a)):
            for change, word in CHANGES:
                if np.allclose(change(plain), moved, rtol=1e-9, atol=1e-12):
                    return (
                        f"{name} was fitted to the {word} of the observations: its density is of another unit, and "
                        "lacks the Jacobian; fit nll.Transformed to the observations themselves"
                    )
    differ = int((y_a != y_b).reshape(len(y_a), -1).any(axis=1).sum())
    return (
        f"{a} and {b} were fitted to different observations: {differ:,} of {len(y_a):,} rows differ; fit both to the "
        "same"
    )


def _end(name: str, rows: Any) -> Array:
    """Return a bound of each row: where there is none, the value itself, or an open end."""
    known = rows.bounds.get(name, ENDS.get(name))
    y = np.asarray(rows.y, np.float64)
    return y if known is None else np.broadcast_to(np.asarray(known, np.float64), y.shape)


def digest(values: Any) -> bytes:
    """Return a hash of numbers in their order; -0.0 and 0.0 are the same."""
    if values is None:
        return b""
    return hashlib.blake2b((np.asarray(values, np.float64) + 0.0).tobytes()).digest()


def _all_one(*weights: Any) -> bool:
    return all(w is None or bool((np.asarray(w) == 1.0).all()) for w in weights)
