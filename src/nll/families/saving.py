"""Distributions as plain JSON types and back; what is read is data and runs nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.errors import DataError, UsageError
from nll.families import families
from nll.families.family import Family

VERSION = 1


def to_dict(dist: Family) -> dict[str, Any]:
    """Return a built-in distribution with its parameters: numbers, lists of them, or names of columns."""
    if dist.family.__name__ not in families():
        raise UsageError(f"{dist.family.__name__} is no built-in family: save its definition by its own to_dict")
    parameters = {name: np.asarray(v).tolist() if hasattr(v, "shape") else v for name, v in dist.theta.items()}
    return {"nll": "distribution", "version": VERSION, "family": dist.family.__name__, "parameters": parameters}


def from_dict(saved: Any) -> Family:
    """Return the distribution that `to_dict` wrote.

    Examples
    --------
    >>> from nll.families.saving import from_dict, to_dict
    >>> import nll
    >>> from_dict(to_dict(nll.Gamma(concentration=2.0, rate=0.5)))
    Gamma(concentration=2.0, rate=0.5)
    """
    if not isinstance(saved, dict) or saved.get("nll") != "distribution" or saved.get("version") != VERSION:
        raise DataError(f"not a distribution of version {VERSION}: it should begin with nll, version")
    name, parameters = saved.get("family"), saved.get("parameters")
    if not isinstance(name, str) or name not in families():
        raise DataError(f"a saved distribution of the unknown family {name!r}")
    if not isinstance(parameters, dict) or not all(map(_plain, parameters.values())):
        raise DataError(f"the parameters of a saved {name} must be numbers, lists of numbers or names of columns")
    return families()[name](**{str(key): value for key, value in parameters.items()})


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_plain, value))
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)
