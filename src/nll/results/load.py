"""Fits as plain JSON types and back; what is read is data and runs nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nll.errors import DataError, UsageError, first_line
from nll.families.family import Family
from nll.families.saving import form_from_dict, form_to_dict
from nll.results.fit import Fit

if TYPE_CHECKING:
    from nll.results.fits import Fits

VERSION = 1
MOST_CHARACTERS = 1 << 29
KINDS = ("fit", "fits", "fit of rows", "joint fit", "sequence fit", "sequence model")
COUNTS = ("n", "iterations", "passes", "read", "missing", "unweighted", "impossible")
FLAGS = ("converged", "cov_ok")
NAMES = ("at_boundary", "warnings")


def load(saved: str | Path) -> Fit | Fits:
    """Read a fit that was saved as JSON.

    Parameters
    ----------
    saved : the path of a file, or the JSON text itself.

    Returns
    -------
    Fit, or Fits by group, a RowsFit or a JointFit: with all numbers, and without the observations.

    Raises
    ------
    DataError : the text is no saved fit, or one of a version that is not known.

    Examples
    --------
    >>> import numpy as np
    >>> import nll
    >>> from nll.results.fit import Fit
    >>> from nll.results.load import load
    >>> f = Fit(nll.Exponential, {"rate": 0.5}, ("rate",), np.array([[0.01]]), 42.3, 25, 25.0)
    >>> load(f.to_json()).stderr
    {'rate': 0.1}
    """
    if isinstance(saved, str) and saved.lstrip().startswith("{"):
        text, place = saved, "the text"
    else:
        place = str(saved)
        try:
            with Path(saved).open(encoding="utf-8") as file:
                text = file.read(MOST_CHARACTERS + 1)
        except (OSError, ValueError) as error:  # bytes that are not UTF-8, and a NUL in the name
            raise DataError(f"cannot read {place}: {first_line(error)}") from error
    if len(text) > MOST_CHARACTERS:
        raise DataError(f"{place} is longer than {MOST_CHARACTERS:,} characters, which no saved fit is")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is no JSON: {first_line(error)}") from error
    kind = document.get("nll") if isinstance(document, dict) else None
    if kind not in KINDS:
        raise DataError(f'{place} is no saved fit: it should begin with "nll": "fit"')
    if document.get("version") != VERSION:
        raise DataError(f"{place} is of version {document.get('version')!r}; this nll reads version {VERSION}")
    try:
        return _of_kind(kind, document)
    except DataError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        found = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
        raise DataError(f"{place} is a broken fit: {found}{first_line(error)}") from error


def _of_kind(kind: str, document: Mapping[str, Any]) -> Fit | Fits:
    if kind == "fits":
        from nll.results.fits import fits_from_dict

        return fits_from_dict(document)
    if kind == "fit of rows":
        from nll.results.rows_fit import rows_fit_from_dict

        return rows_fit_from_dict(document)
    if kind == "joint fit":
        from nll.results.joint_fit import joint_fit_from_dict

        return joint_fit_from_dict(document)
    if kind in ("sequence fit", "sequence model"):
        # By name: the layer above this one knows the models, and this one does not.
        saving = import_module("nll.tasks.sequences.saving")
        return saving.fit_from_dict(document) if kind == "sequence fit" else saving.model_from_dict(document)
    return fit_from_dict(document)


def fit_to_dict(fit: Fit) -> dict[str, Any]:
    """Return a fit as plain types; what follows from the rest, such as aic, is for readers of the file."""
    return {"nll": "fit", "version": VERSION, "family": form_to_dict(fit.family)} | numbers_to_dict(fit)


def numbers_to_dict(fit: Fit) -> dict[str, Any]:
    """Return what is in a fit of any kind, but not its family."""
    out: dict[str, Any] = {"params": {name: float(value) for name, value in fit.params.items()}, "free": list(fit.free)}
    out |= {"stderr": fit.stderr, "cov": fit.cov.tolist(), "cov_type": fit.cov_type}
    out |= {"loss": float(fit.nll), "weight": float(fit.weight)}
    out |= {name: int(getattr(fit, name)) for name in COUNTS}
    out |= {"k": fit.k, "aic": fit.aic, "aicc": fit.aicc, "bic": fit.bic}
    out |= {name: bool(getattr(fit, name)) for name in FLAGS}
    out |= {name: list(getattr(fit, name)) for name in NAMES}
    # Values by row are data, and stay behind; a column's name is found again in another table.
    out |= {"by_row": {name: value if isinstance(value, str) else None for name, value in fit.by_row.items()}}
    return out | {"source": fit.source}


def fit_from_dict(saved: Mapping[str, Any]) -> Fit:
    """Return the fit that `fit_to_dict` wrote; a KeyError, TypeError or ValueError tells that it did not."""
    form = form_from_dict(saved["family"])
    for name in saved["params"]:
        _known(form, name)
    rest = numbers_from_dict(saved, form.parameters)
    by_row = {_known(form, name): value for name, value in saved["by_row"].items() if isinstance(value, str)}
    return Fit(form, **rest, by_row=by_row)


def numbers_from_dict(saved: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return what `numbers_to_dict` wrote, but not what is by row, of parameters with known names."""
    params = {str(name): number_of(value) for name, value in saved["params"].items()}
    free = tuple(map(str, saved["free"]))
    cov = np.array([[number_of(value) for value in row] for row in saved["cov"]], np.float64).reshape(-1, len(free))
    if cov.shape != (len(free), len(free)) or not {*free} <= {*params} & {*known} or len({*free}) < len(free):
        raise ValueError(f"cov has the shape {cov.shape} for the free parameters {free}")
    rest: dict[str, Any] = {"params": params, "free": free, "cov": cov}
    rest |= {name: whole_of(saved[name]) for name in COUNTS}
    rest |= {name: saved[name] is True for name in FLAGS}
    rest |= {name: tuple(map(str, saved[name])) for name in NAMES}
    rest |= {"nll": number_of(saved["loss"]), "weight": number_of(saved["weight"])}
    return rest | {"cov_type": str(saved["cov_type"]), "source": str(saved["source"])}


def _known(form: type[Family], name: Any) -> str:
    if name not in form.parameters:
        raise ValueError(f"{form.family.__name__} has no parameter {name!r}")
    return str(name)


def number_of(value: Any) -> float:
    """Return a number as JSON has it: NaN is null, an infinity text."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        return {"inf": math.inf, "-inf": -math.inf}[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def whole_of(value: Any) -> int:
    """Return a count."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError(f"{value!r} is no count")
    return value
