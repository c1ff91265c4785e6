"""Two models as pairs of row losses: from arrays or from fits, checked to be of the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError
from nll.numerics.arrays import NOT_NUMBERS, doubles
from nll.results.score import Score, Scores

Array = npt.NDArray[Any]


@runtime_checkable
class Fitted(Protocol):
    """What a fitted model says of itself: its loss by row, its free parameters, its negative log-likelihood."""

    def row_losses(self) -> Array:
        """Return the losses of the rows that it was fitted to, in nats."""
        ...

    @property
    def k(self) -> int:
        """The number of free parameters."""
        ...

    @property
    def nll(self) -> float:
        """The sum of the row losses."""
        ...

    @property
    def n(self) -> int:
        """The number of rows."""
        ...


def fitted(value: Any) -> Fitted | None:
    """Return a value as a fit, if it is one; an array is not."""
    if isinstance(value, (np.ndarray, type)):
        return None
    return value if all(hasattr(value, name) for name in ("row_losses", "k", "nll", "n")) else None


@dataclass(frozen=True, slots=True)
class Pair:
    """The losses of two models for the same rows; `difference` is l_b - l_a, positive where a is better.

    `used` says which of the rows of two fits these are: without those of weight 0; None for all.
    """

    a: Array
    b: Array
    k: tuple[int, int] | None
    weights: Array | None = None
    used: Array | None = None

    @property
    def difference(self) -> Array:
        """Return l_b - l_a, row by row."""
        return self.b - self.a

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.a)


def losses_of(value: Any, name: str, weighted: bool = False) -> Array:
    """Return row losses (n,) of an array or a fit; NaN where the fit dropped a row as missing.

    Fits with weights are refused unless the caller is `weighted`, and takes these into account.
    """
    fit = fitted(value)
    refuse_scores({name: value})
    given = value if fit is None else fit.row_losses()  # which may say why there are none
    try:
        array = np.asarray(given, np.float64)
    except NOT_NUMBERS:
        raise DataError(f"{name} must be row losses (n,), or a fit; got {type(value).__name__}") from None
    if array.ndim != 1:
        raise DataError(f"{name} must be row losses (n,), one a row; got shape {array.shape}")
    if fit is not None and not weighted:
        total = math.fsum(array[np.isfinite(array)])
        if np.isfinite(array[~np.isnan(array)]).all() and not math.isclose(total, fit.nll, rel_tol=1e-9, abs_tol=1e-9):
            raise UsageError(f"{name} was fitted with weights: this test is of rows that count once each")
    return array


def paired(
    a: Any, b: Any, k: tuple[int, int] | None = None, least: int = 2, weighted: bool = False, sample_weight: Any = None
) -> Pair:
    """Return the losses of two models on the same rows; refuse what cannot be compared.

    Parameters
    ----------
    weighted : whether the caller takes weights into account, those of fits or `sample_weight` (n,); else fits with
        weights are refused.
    """
    of_a, of_b = losses_of(a, "a", weighted), losses_of(b, "b", weighted)
    if len(of_a) != len(of_b):
        raise DataError(f"a has {len(of_a):,} rows and b {len(of_b):,}: models are compared on the same rows only")
    refuse_mixed(a, b)
    fit_a, fit_b = fitted(a), fitted(b)
    weights = None
    if fit_a is not None and fit_b is not None:
        of_a, of_b = _same_rows(of_a, of_b)
        k = (int(fit_a.k), int(fit_b.k)) if k is None else k
        weights = weights_of(a, b)
    if sample_weight is not None:
        weights = _given_weights(sample_weight, len(of_a), (fit_a, fit_b))
    used = None
    if weights is not None and not (weights > 0.0).all():
        used = weights > 0.0
        of_a, of_b, weights = of_a[used], of_b[used], weights[used]
    if len(of_a) < least:
        raise DataError(f"a comparison needs at least {least} rows; got {len(of_a)}")
    _refuse_infinite(of_a, "a")
    _refuse_infinite(of_b, "b")
    return Pair(of_a, of_b, k, weights, used)


def weights_of(a: Any, b: Any) -> Array | None:
    """Return the weights of two fits, of the same rows, which have data; None without weights, or without data."""
    from nll.results.fit import Fit
    from nll.tasks.compare.same_rows import refuse_rows

    if not (isinstance(a, Fit) and isinstance(b, Fit)) or a.again is None or b.again is None:
        return None
    refuse_rows("a", a, "b", b)
    weights = a.again.read(a).weights  # type: ignore[attr-defined]
    return None if weights is None or (weights == 1.0).all() else weights


def _given_weights(values: Any, n: int, fits: tuple[Any, Any]) -> Array:
    if fits != (None, None):
        raise UsageError("fits bring their weights: sample_weight= goes with arrays of row losses")
    weights = doubles(values, "sample_weight")
    if weights.shape != (n,):
        raise DataError(f"sample_weight has shape {weights.shape}; there are {n:,} rows")
    wrong = np.flatnonzero(~((weights >= 0.0) & (weights < np.inf)))
    if wrong.size:
        raise DataError(f"weights are finite and at least 0; row {wrong[0]} has {float(weights[wrong[0]])!r}")
    return weights


def _same_rows(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the losses of the rows that both fits used; refuse fits that dropped different ones."""
    lost = np.isnan(a)
    differ = np.flatnonzero(lost != np.isnan(b))
    if differ.size:
        used, dropped = ("b", "a") if lost[differ[0]] else ("a", "b")
        raise DataError(
            f"{used} was fitted to row {differ[0]} and {dropped} dropped it ({differ.size} such rows in all): "
            "fit both to the same rows"
        )
    return a[~lost], b[~lost]


def _refuse_infinite(values: Array, name: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        found = float(values[wrong[0]])
        what = "impossible under the model (infinite loss)" if found == np.inf else f"no loss: {found!r}"
        raise DataError(
            f"row {wrong[0]} of {name} is {what}, and {wrong.size} rows in all are not finite: no mean difference "
            "and no test exists; look at these rows, or compare clipped losses of both models"
        )


def refuse_scores(scores: Mapping[str, Any]) -> None:
    """Refuse Scores in the place of models: they are sums, of which no paired difference can be made."""
    found = {name: score for name, score in scores.items() if isinstance(score, (Score, Scores))}
    if not found:
        return
    totals = {name: score.total if isinstance(score, Scores) else score for name, score in found.items()}
    clipped = [name for name, total in totals.items() if total.clipped]
    if clipped and len(clipped) < len(totals):
        first, other = clipped[0], next(name for name in totals if name not in clipped)
        raise UsageError(
            f"{first} is a Score with {totals[first].clipped:,} clipped rows and {other} one with none: a cut loss "
            "does not compare with an uncut one; nll.compare(y, {'a': dist, 'b': dist}, clip=...) cuts all alike"
        )
    raise UsageError(
        f"{next(iter(found))} is a Score, a sum: the error of a difference needs the rows; "
        "nll.compare(y, {'a': dist, 'b': dist}) scores all models in one pass"
    )


def refuse_mixed(a: Any, b: Any) -> None:
    """Refuse the comparison of a density with a mass."""
    kinds = [discreteness(getattr(model, "dist", model)) for model in (a, b)]
    if None not in kinds and kinds[0] != kinds[1]:
        raise UsageError(f"a is {kinds[0]} and b {kinds[1]}: {DIFFERENT_MEASURES}")


DIFFERENT_MEASURES = (
    "their losses do not have the same measure, and a difference means nothing; "
    "bin the continuous one (log_interval), or compare models of one kind"
)


def discreteness(dist: Any) -> str | None:
    """Return "discrete", "continuous" or "mixed" of a distribution; None where it does not say."""
    if getattr(dist, "mixed", False):
        return "mixed"
    discrete = getattr(dist, "discrete", None)
    return None if not isinstance(discrete, (bool, np.bool_)) else "discrete" if discrete else "continuous"
