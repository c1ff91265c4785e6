"""Every reference point of tests/data/logpdf_mpmath.json of a family that exists, compiled and as plain Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpmath import isinf, mp, mpf

import nll
from nll.families import families
from nll.families.family import Family
from nll.kernels.kernel import kernel, prepared
from nll.numerics.formula import quiet

Array = npt.NDArray[np.float64]
Case = tuple[type[Family], str, list[dict[str, Any]]]

# Families of the file that nll makes of others.
COMBINED = {
    "NormalMixture2": nll.Mixture(nll.Normal, 2),
    "ZeroInflatedNegativeBinomial": nll.ZeroInflated(nll.NegativeBinomial),
    "ZeroInflatedPoisson": nll.ZeroInflated(nll.Poisson),
    "ZeroTruncatedPoisson": nll.Truncated(nll.Poisson),
}
# Families without a point in the file.
POINTLESS = {"BetaBinomial", "MultivariateNormal", "Uniform"}
FORMULAS = {"logpdf": "loss", "logpmf": "loss", "logcdf": "log_cdf", "logsf": "log_sf"}
RENAMED = {
    ("LogSeries", "p"): "probs",
    ("Kumaraswamy", "a"): "concentration1",
    ("Kumaraswamy", "b"): "concentration0",
}
CLOSE = 1e-13  # relative where |value| > 1, else absolute


def points() -> list[dict[str, Any]]:
    found = json.loads((Path(__file__).parents[1] / "data" / "logpdf_mpmath.json").read_text())
    for point in found:
        point["params"] = {RENAMED.get((point["family"], name), name): v for name, v in point["params"].items()}
        point["params"] = combined(point["family"], point["params"])
    return found


def combined(family: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a point under the names of the combined family."""
    if family == "ZeroTruncatedPoisson":
        return {**given, "low": 1.0, "high": np.inf}
    if family != "NormalMixture2":
        return given
    names = {"loc1": "loc_1", "scale1": "scale_1", "loc2": "loc_2", "scale2": "scale_2"}
    weights = {"weight_1": given["weight"], "weight_2": 1.0 - given["weight"]}
    return {**{new: given[old] for old, new in names.items()}, **weights}


def family_of(point: dict[str, Any]) -> str:
    return point["family"].removesuffix("Probs").removesuffix("Logits")


def cases() -> Iterator[Any]:
    def key(point: dict[str, Any]) -> tuple[str, str]:
        return point["family"], point["fn"]

    for (name, fn), group in groupby(sorted(points(), key=key), key):
        rows = list(group)
        family = COMBINED.get(name) or families().get(family_of(rows[0]))
        if family is not None and not family.event:
            parameters = rows[0]["params"]
            yield pytest.param((family.form_for((), parameters), FORMULAS[fn], rows), id=f"{name}-{fn}")


CASES = list(cases())


def columns(form: type[Family], rows: list[dict[str, Any]]) -> list[Array]:
    names = list(form.parameters)
    return [np.array([p["x"] for p in rows])] + [np.array([p["params"][name] for p in rows]) for name in names]


def errors(found: Array, rows: list[dict[str, Any]]) -> tuple[Array, Array]:
    """The errors of log densities: over max(1, |value|), and in units in the last place of the value."""
    mp.dps = 40
    relative, ulps = np.zeros(len(rows)), np.zeros(len(rows))
    for i, (value, point) in enumerate(zip(found, rows, strict=True)):
        exact = mpf(point["value"])
        if isinf(exact) or abs(exact) > np.finfo(float).max:
            relative[i] = ulps[i] = 0.0 if value == -np.inf else np.inf
        else:
            error = abs(mpf(float(value)) - exact) if np.isfinite(value) else mpf("inf")
            relative[i] = error / max(1, abs(exact))
            ulps[i] = error / float(np.spacing(abs(float(exact))))
    return relative, ulps


def test_no_family_is_left_out():
    known = {family_of(point) for point in points()}
    assert known - set(COMBINED) == set(families()) - POINTLESS


def test_no_point_is_left_out():
    categorical = [p for p in points() if family_of(p) == "Categorical"]
    tried = [point for case in CASES for point in case.values[0][2]]
    assert len(tried) + len(categorical) == len(points())


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_mpmath(case: Case, record_property: Callable[[str, object], None]):
    form, name, rows = case
    found = values(form, name, columns(form, rows))
    relative, ulps = errors(found, rows)
    share = float((ulps <= 2.0).mean())
    record_property("within_2_ulp", share)
    worst = rows[int(ulps.argmax())]
    assert relative.max() <= CLOSE, rows[int(relative.argmax())]
    # The loss of a count that is all but sure passes through 0, where it is a difference of two logs.
    if form is not COMBINED["ZeroTruncatedPoisson"]:
        assert share >= 0.95, (share, worst, ulps.max())


def values(form: type[Family], name: str, numbers: list[Array]) -> Array:
    """The log densities, as plain Python and compiled alike; tails as plain Python, since no loop runs over them."""
    if name == "loss":
        y, theta = prepared(numbers[0], numbers[1:])
        compiled, plain = np.empty(y.size), kernel(form).plain_rows(y, theta)
        kernel(form)._loop("rows")(y, theta, compiled)
        np.testing.assert_array_equal(compiled, plain)
        return -compiled
    with quiet():
        return np.array([getattr(form, name)(*row) for row in zip(*numbers, strict=True)])


@pytest.mark.parametrize("point", [p for p in points() if family_of(p) == "Categorical"], ids=lambda p: p["id"])
def test_categorical_values_are_those_of_mpmath(point: dict[str, Any]):
    name = "probs" if "probs" in point["params"] else "logits"
    form = families()["Categorical"].form_for((), {name: None})
    y, theta = prepared([point["x"]], [[point["params"][name]]])
    out = np.empty(1)
    kernel(form)._loop("rows")(y, form.prepare(theta), out)
    _, ulps = errors(-out, [point])
    assert ulps[0] <= 2.0
