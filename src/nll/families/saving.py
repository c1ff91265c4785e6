"""Distributions and families as plain JSON types and back; what is read is data and runs nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from nll.errors import DataError, UsageError, first_line
from nll.families import families
from nll.families.description import build, describe
from nll.families.family import Family

VERSION = 1
DEEPEST = 8  # lists in lists
MOST_NUMBERS = 2**24
NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}  # no numbers in JSON


def to_dict(dist: Family) -> dict[str, Any]:
    """Return a distribution as plain data: its form, and its parameters as numbers, lists or names of columns.

    A built-in family is named; one of your own or a combined one is described, so it is read where it is not known.

    Raises
    ------
    UsageError : the family is made of a Python function, or a parameter is neither numbers nor names of columns.

    Examples
    --------
    >>> import nll
    >>> from nll.families.saving import to_dict
    >>> to_dict(nll.Gamma(concentration=2.0, rate=0.5))["parameters"]
    {'concentration': 2.0, 'rate': 0.5}
    """
    parameters = {name: _written(name, value) for name, value in dist.theta.items()}
    form = type(dist)
    family = form.family.__name__ if families().get(form.family.__name__) is form.family else describe(form)
    return {"nll": "distribution", "version": VERSION, "family": family, "parameters": parameters}


def from_dict(saved: Any) -> Family:
    """Return the distribution that `to_dict` wrote.

    Raises
    ------
    DataError : it is no such thing, or of a version or a family that is not known.

    Examples
    --------
    >>> from nll.families.saving import from_dict, to_dict
    >>> import nll
    >>> from_dict(to_dict(nll.Gamma(concentration=2.0, rate=0.5)))
    Gamma(concentration=2.0, rate=0.5)
    >>> from_dict(to_dict(nll.ZeroInflated(nll.Poisson(rate="mu"), gate=0.2)))
    ZeroInflated(Poisson(rate='mu'), gate=0.2)
    """
    _need(saved, "distribution")
    family, parameters = saved.get("family"), saved.get("parameters")
    if not isinstance(parameters, Mapping) or not all(isinstance(name, str) for name in parameters):
        raise DataError("the parameters of a saved distribution are a mapping of names to values")
    values = {name: _read(name, value) for name, value in parameters.items()}
    if isinstance(family, str):
        if family not in families():
            raise DataError(f"a saved distribution of the unknown family {family[:60]!r}")
        form = families()[family]
    else:
        form = _built(family)
        if set(form.parameters) != set(values):
            raise DataError(f"a saved {form.__name__} has the parameters {', '.join(form.parameters)}")
    try:
        return form(**values)
    except UsageError as error:
        raise DataError(str(error)) from error


def form_to_dict(form: type[Family]) -> dict[str, Any]:
    """Return a family, in one parametrisation, as plain data.

    Examples
    --------
    >>> import nll
    >>> from nll.families.saving import form_from_dict, form_to_dict
    >>> form_from_dict(form_to_dict(nll.Mixture(nll.Normal, 2))) is nll.Mixture(nll.Normal, 2)
    True
    """
    return {"nll": "form", "version": VERSION, "form": describe(form)}


def form_from_dict(saved: Any) -> type[Family]:
    """Return the form that `form_to_dict` wrote; DataError if it is none."""
    _need(saved, "form")
    return _built(saved.get("form"))


def _built(description: Any) -> type[Family]:
    try:
        return build(description)
    except UsageError as error:
        raise DataError(str(error)) from error
    except RecursionError as error:  # even to say what it is
        raise DataError("the description of a saved family is nested too deeply") from error


def read_json(text: str) -> Any:
    """Return what a JSON text holds; DataError if it is none, or nested beyond all use."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is no JSON of a distribution: {first_line(error)}") from error


def _need(saved: Any, kind: str) -> None:
    if not isinstance(saved, Mapping) or saved.get("nll") != kind or saved.get("version") != VERSION:
        raise DataError(f'this is no saved {kind}: expected "nll": "{kind}", "version": {VERSION}')


def _written(name: str, value: Any) -> Any:
    """Return a parameter as plain JSON types."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and any(isinstance(v, str) for v in value):
        if not all(isinstance(v, str) for v in value):
            raise UsageError(f"{name} is a list of numbers or of names of columns, not both")
        return list(value)
    try:
        array = np.asarray(value)
        array = array if array.dtype.kind in "iu" else np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} holds no numbers: {first_line(error)}") from error
    return _finite(array.tolist())


def _finite(value: Any) -> Any:
    """Return numbers with those that JSON does not have as text in a mapping."""
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, int) or math.isfinite(value):
        return value
    return {"number": next(text for text, number in NOT_FINITE.items() if str(number) == str(value))}


def _read(name: str, value: Any) -> Any:
    """Return a parameter from plain JSON types."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return value
    found, shape = _numbers(name, value, 0)
    if math.prod(shape) > MOST_NUMBERS:
        raise DataError(f"{name} holds more than {MOST_NUMBERS:,} numbers")
    return found


def _numbers(name: str, value: Any, depth: int) -> tuple[Any, tuple[int, ...]]:
    """Return numbers, or lists of lists of them, and their shape."""
    if isinstance(value, list) and depth < DEEPEST and len(value) <= MOST_NUMBERS:
        found = [_numbers(name, each, depth + 1) for each in value]
        shapes = {shape for _, shape in found}
        if len(shapes) > 1:
            raise DataError(f"{name} is a list of rows that are not of one length")
        return [each for each, _ in found], (len(value), *(shapes.pop() if shapes else ()))
    if isinstance(value, Mapping) and list(value) == ["number"]:
        text = value["number"]
        if isinstance(text, str) and text in NOT_FINITE:
            return NOT_FINITE[text], ()
    elif (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and (isinstance(value, float) or abs(value) < 2**1023)
    ):
        return value, ()
    raise DataError(f"{name} of a saved distribution is numbers or names of columns; got {_shown(value)}")


def _shown(value: Any) -> str:
    return type(value).__name__ if isinstance(value, (list, Mapping)) else repr(value)[:40]
