"""Fits against maxima of the likelihood computed to 60 digits, on data that have been published."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import nll
from nll.kernels.curvature import curvature_kernel

DATA = Path(__file__).parents[1] / "data"
CASES = {case["id"]: case for case in json.loads((DATA / "mle.json").read_text())}
OTHER = ("event", "interval", "left_censor_at", "entry", "truncation", "trunc_lower")  # not exact observations
MIXTURE = "normmix2-faithful-waiting"
EXACT = [i for i, case in CASES.items() if not set(OTHER) & set(case["options"]) and i != MIXTURE]
SEEN = [i for i, case in CASES.items() if set(OTHER) & set(case["options"])]


def table(case: dict[str, Any]) -> pl.DataFrame:
    """The rows of a case, with the columns that its options make."""
    path, options = DATA / case["data"], case["options"]
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, null_values=["NA", ""])
    if "mult" in options:
        frame = frame.with_columns(pl.col(case["column"]) / (1.0 / options["mult"]))
    if "total" in options:
        frame = frame.with_columns((pl.col("ncases") + pl.col("ncontrols")).alias("total"))
    return frame


def arguments(case: dict[str, Any]) -> dict[str, Any]:
    """The options of `nll.fit` for a case."""
    options = case["options"]
    found: dict[str, Any] = {"where": options.get("where"), "sample_weight": options.get("weights")}
    found["missing"] = "drop" if options.get("dropna") else "error"
    fixed: dict[str, Any] = {"loc": options["loc"]} if "loc" in options else {}
    found["fixed"] = fixed | ({"total_count": "total"} if "total" in options else {})
    return found


def form_of(case: dict[str, Any], fixed: dict[str, Any]) -> Any:
    """The parametrisation of a case, whose names are those of its parameters."""
    name = case["family"]
    family = nll.ZeroInflated(getattr(nll, name[12:])) if name.startswith("ZeroInflated") else getattr(nll, name)
    return family.form_for((), {**case["params"], **fixed})


@pytest.mark.parametrize("name", EXACT)
def test_a_fit_is_the_maximum(name):
    case = CASES[name]
    made = arguments(case)
    f = nll.fit(case["column"], form_of(case, made["fixed"]), data=table(case), **made)
    compare(f, case)


def observed(case: dict[str, Any], frame: pl.DataFrame) -> tuple[Any, pl.DataFrame]:
    """The observations of a case that are not exact, and the table with the columns that they name."""
    options, column = case["options"], case["column"]
    if "event" in options:
        frame = frame.with_columns((pl.col(options["event"]) == options["event_value"]).alias("seen"))
        found = nll.censored(column, "seen")
        return (nll.truncated(found, low=options["entry"]) if "entry" in options else found), frame
    if "left_censor_at" in options:
        frame = frame.with_columns((pl.col(column) > options["left_censor_at"]).alias("seen"))
        return nll.censored(column, "seen", side="left"), frame
    if "truncation" in options:
        return nll.truncated(column, low=1), frame
    return nll.interval(*column), frame


@pytest.mark.parametrize("name", SEEN)
def test_a_fit_to_what_was_seen_is_the_maximum(name):
    case = CASES[name]
    made = arguments(case)
    y, frame = observed(case, table(case))
    family = getattr(nll, case["family"].removeprefix("ZeroTruncated"))
    compare(nll.fit(y, family.form_for((), case["params"]), data=frame, **made), case)


def compare(f: Any, case: dict[str, Any]) -> None:
    """Hold a fit to a case: the parameters to the digits on which its tools agree, at most 8."""
    digits = min(8.0, case["agreement_digits"] - 0.5)
    assert f.converged
    assert f.k == case["n_free"]
    assert f.n + f.unweighted == case["n"]
    for name, value in case["params"].items():
        error = abs(f.params[name] - value) / max(abs(value), 1e-3 * (case["stderr"][name] or 0.0))
        assert error < 10.0**-digits, (name, f.params[name], value)
    assert math.isclose(f.loglik, case["loglik"], rel_tol=1e-9)
    for name, value in case["stderr"].items():
        if value is None:
            assert math.isnan(f.stderr[name])
        else:
            assert math.isclose(f.stderr[name], value, rel_tol=1e-6), (name, f.stderr[name], value)
    assert math.isclose(f.sum_weights, case["sum_weights"], rel_tol=1e-12)
    assert np.isclose(f.aic, case["aic"], rtol=1e-9)


def test_a_mixture_is_the_maximum():
    case, form = CASES[MIXTURE], nll.Mixture(nll.Normal, 2)
    curvature_kernel(form, tuple(range(6))).seconds_left = math.inf  # compiling takes longer
    f = nll.fit("waiting", form, data=table(case))
    names = {"loc_1": "loc1", "scale_1": "scale1", "loc_2": "loc2", "scale_2": "scale2", "weight_1": "weight"}
    for ours, theirs in names.items():
        assert f.params[ours] == pytest.approx(case["params"][theirs], rel=1e-8)
        assert f.stderr[ours] == pytest.approx(case["stderr"][theirs], rel=1e-6)
    assert f.loglik == pytest.approx(case["loglik"], rel=1e-9)
    assert f.k == 5
