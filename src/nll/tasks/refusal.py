"""What is wrong with rows that are refused: which number breaks which rule, and where it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.families.family import Family
from nll.states.tally import EXAMPLES

Array = npt.NDArray[Any]
DEFECT = "defect of nll: please report it"


def refusal(
    form: type[Family],
    rows: list[tuple[int, Any, list[Any]]],
    names: dict[str, str],
    locate: Callable[[int], str],
) -> DataError:
    """Return the error for the first invalid rows, each as (its number, y, its parameters)."""
    explain = getattr(form, "explain", explain_matrix if form.event else explain_row)
    said = [(locate(row), *explain(form, y, theta, names)) for row, y, theta in rows[:EXAMPLES]]
    where, what, value = said[0]
    same = [f"{w} ({v})" for w, other, v in said[1:] if other == what]
    more = f"; so have {', '.join(same)}" if same else ""
    hint = "; missing='drop' leaves out and counts such rows" if value == "nan" else ""
    return DataError(f"{what}; {where} has {value}{more}{hint}")


def explain_row(form: type[Family], y: float, theta: list[float], names: dict[str, str]) -> tuple[str, str]:
    """Return what one invalid row breaks, and the value it has."""
    checks = [(form.observations, "y", y)]
    checks += [(c, name, value) for (name, c), value in zip(form.parameters.items(), theta, strict=True)]
    for constraint, name, value in checks:
        if not constraint.contains(np.float64(value)):
            called = names.get(name, name)
            called = called if called in (name, "event") else f"column {called!r} ({name})"  # `nll.censored` has events
            what = f"{called} must be {constraint.words} for {form.family.__name__}"
            return what, repr(float(value)).removesuffix(".0")
    if form.consistent is not None and not form.consistent(*map(np.float64, theta)):
        values = ", ".join(f"{n}={float(v)!r}" for n, v in zip(form.parameters, theta, strict=True))
        return f"{form.together} for {form.family.__name__}", values
    return f"the loss of {form.signature()} is not a number, which is a {DEFECT}", f"y = {y}, {theta}"


def explain_matrix(form: type[Family], y: Array, theta: list[Array], names: dict[str, str]) -> tuple[str, str]:
    """Return what the first invalid label of a row breaks, and the value it has."""
    said = [explain_row(form, value, [p], names) for value, p in zip(y, theta[0], strict=True)]
    wrong = next((j for j, (what, _) in enumerate(said) if DEFECT not in what), 0)
    return said[wrong][0], f"{said[wrong][1]} for label {wrong}"
