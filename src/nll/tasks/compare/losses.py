"""Two models as pairs of row losses: from arrays or from fits, checked to be of the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError

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
    """The losses of two models for the same rows; `difference` is l_b - l_a, positive where a is better."""

    a: Array
    b: Array
    k: tuple[int, int] | None

    @property
    def difference(self) -> Array:
        """Return l_b - l_a, row by row."""
        return self.b - self.a

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.a)


def losses_of(value: Any, name: str) -> Array:
    """Return row losses (n,) of an array or a fit; NaN where the fit dropped a row as missing."""
    fit = fitted(value)
    try:
        array = np.asarray(value if fit is None else fit.row_losses(), np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be row losses (n,), or a fit; got {type(value).__name__}") from None
    if array.ndim != 1:
        raise DataError(f"{name} must be row losses (n,), one a row; got shape {array.shape}")
    if fit is not None:
        total = math.fsum(array[np.isfinite(array)])
        if np.isfinite(array[~np.isnan(array)]).all() and not math.isclose(total, fit.nll, rel_tol=1e-9, abs_tol=1e-9):
            raise UsageError(f"{name} was fitted with weights: this test is of rows that count once each")
    return array


def paired(a: Any, b: Any, k: tuple[int, int] | None = None, least: int = 2) -> Pair:
    """Return the losses of two models on the same rows; refuse what cannot be compared."""
    of_a, of_b = losses_of(a, "a"), losses_of(b, "b")
    if len(of_a) != len(of_b):
        raise DataError(f"a has {len(of_a):,} rows and b {len(of_b):,}: models are compared on the same rows only")
    refuse_mixed(a, b)
    fit_a, fit_b = fitted(a), fitted(b)
    if fit_a is not None and fit_b is not None:
        of_a, of_b = _same_rows(of_a, of_b)
        k = (int(fit_a.k), int(fit_b.k)) if k is None else k
    if len(of_a) < least:
        raise DataError(f"a comparison needs at least {least} rows; got {len(of_a)}")
    _refuse_infinite(of_a, "a")
    _refuse_infinite(of_b, "b")
    return Pair(of_a, of_b, k)


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
