"""What a form is as plain data, from which it is made again: families by name, combined ones by their parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nll.errors import DataError, UsageError, nearest
from nll.families.combined import COMBINATORS, DEEPEST, MOST_PARTS, Combined
from nll.families.family import Family


def describe(form: type[Family]) -> dict[str, Any]:
    """Return what a form is, as plain JSON types, for `build`.

    Examples
    --------
    >>> import nll
    >>> describe(nll.ZeroInflated(nll.Poisson))["parts"]
    [{'family': 'Poisson', 'parameters': ['rate']}]
    """
    from nll.families.own import OwnFamily

    if issubclass(form, Combined):
        parts = [describe(part) for part in form.parts]
        options = form.combinator.options_data(form.options)
        return {"combinator": form.combinator.name, "parts": parts, "options": options}
    if issubclass(form, OwnFamily):
        return {"own": form.to_dict()}
    return {"family": form.family.__name__, "parameters": list(form.parameters)}


def build(description: Any, nested: int = 0) -> type[Family]:
    """Return the form that `describe` described."""
    from nll.families import families

    if not isinstance(description, Mapping) or nested > DEEPEST:
        raise DataError("the description of a family is a mapping, not too deeply nested")
    keys = set(description)
    if keys == {"combinator", "parts", "options"}:
        return _combination(description, nested)
    if keys == {"own"}:
        from nll.families.own import family

        return _ours(family.from_dict, description["own"])
    if keys != {"family", "parameters"}:
        raise DataError("a family is described by family and parameters, by own, or by combinator, parts and options")
    name, parameters = description["family"], description["parameters"]
    found = families().get(name) if isinstance(name, str) else None
    if found is None or not isinstance(parameters, list):
        raise DataError(f"the description of an unknown family {str(name)[:60]!r}")
    for form in found.forms:
        if list(form.parameters) == parameters:
            return form
    raise DataError(f"{name} has no form with the parameters {str(parameters)[:60]}")


def _combination(description: Mapping[str, Any], nested: int) -> type[Family]:
    from nll.families import families

    families()  # imports the combinators
    name, parts, options = description["combinator"], description["parts"], description["options"]
    combinator = COMBINATORS.get(name) if isinstance(name, str) else None
    if combinator is None:
        hint = nearest(name, COMBINATORS) if isinstance(name, str) else ""
        raise DataError(f"the description of an unknown combinator {str(name)[:60]!r}{hint}")
    if not isinstance(parts, list) or len(parts) > MOST_PARTS or not isinstance(options, Mapping):
        raise DataError(f"{name} is described by a list of 1 to {MOST_PARTS} parts, and options by name")
    found = [build(part, nested + 1) for part in parts]
    return _ours(combinator.form, found, combinator.options_of(options))


def _ours(make: Callable[..., Any], *arguments: Any) -> Any:
    """Return what is made; what a saved text says wrongly is an error of data."""
    try:
        return make(*arguments)
    except UsageError as error:
        raise DataError(str(error)) from error


def again(description: dict[str, Any], theta: dict[str, Any]) -> Family:
    """Return the instance of a described form with these parameters."""
    return build(description)(**theta)
