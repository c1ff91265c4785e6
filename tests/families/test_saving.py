"""Distributions and families as JSON and back; what is hostile is refused as data."""

import doctest
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nll
from nll.errors import DataError, UsageError
from nll.families import families
from nll.families.saving import form_from_dict, form_to_dict, from_dict, read_json, to_dict

MINE = nll.family(
    "SavedGamma",
    log_prob="a*log(b) - lgamma(a) + (a-1)*log(y) - b*y",
    parameters={"a": "positive", "b": "positive"},
    support="positive",
)
COMBINED = [
    nll.ZeroInflated(nll.NegativeBinomial(mean="mu", size=2.0), gate=0.1),
    nll.Hurdle(nll.Gamma(2.0, 1.0), gate="g"),
    nll.Mixture([nll.Normal(0, 1), MINE(a=2.0, b=[1.0, 3.0])], weights=[0.25, 0.75]),
    nll.Truncated(nll.Mixture([nll.Gamma(1.0, 2.0), nll.LogNormal(0.0, 1.0)], weights=[0.5, 0.5]), low=1),
    nll.Truncated(nll.Poisson, low=1)(rate=3.0),
    nll.Transformed(nll.Normal(0.0, 1.0), "affine", factor=-2.0),
    nll.Transformed(nll.Gamma, "power", exponent=2)(concentration=1.0, rate=2.0),
    nll.Independent(nll.Normal(["a", "b"], 1.0)),
    nll.ZeroInflated(nll.Truncated(nll.Poisson(2.0), high=9), gate=0.5),
    MINE(a="shape", b=1.0),
]


def through(data):
    return read_json(json.dumps(data, allow_nan=False))


@pytest.mark.parametrize("dist", COMBINED, ids=repr)
def test_a_distribution_comes_back(dist):
    again = from_dict(through(to_dict(dist)))
    assert type(again) is type(dist)
    assert repr(again) == repr(dist)
    assert form_from_dict(through(form_to_dict(type(dist)))) is type(dist)


def test_every_form_of_every_family_comes_back():
    for family in families().values():
        for form in family.forms:
            assert form_from_dict(through(form_to_dict(form))) is form
            again = from_dict(through(to_dict(form(**{name: f"{name} 1" for name in form.parameters}))))
            assert type(again) is form


def test_numbers_come_back_to_the_bit():
    values = [0.1, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
    saved = through(to_dict(nll.Truncated(nll.Normal(np.array(values), np.float64(3.0)), high=math.inf)))
    again = from_dict(saved)
    assert again.theta == {"loc": values, "scale": 3.0, "low": -math.inf, "high": math.inf}
    nan = from_dict(through(to_dict(nll.Normal(math.nan, 1))))
    assert math.isnan(nan.theta["loc"])
    assert nan.theta["scale"] == 1
    rows = from_dict(through(to_dict(nll.Categorical(probs=np.array([[0.25, 0.75], [1.0, 0.0]])))))
    assert nll.rows([0, 1], rows).tolist() == [-math.log(0.25), math.inf]


def test_what_is_no_data_is_not_saved():
    made = nll.family("Fromfunction", log_prob=lambda y, a: -a * y, parameters={"a": "positive"}, support="positive")
    with pytest.raises(UsageError, match="Python function"):
        to_dict(made(a=1.0))
    with pytest.raises(UsageError, match="not both"):
        to_dict(nll.Independent(nll.Normal(["a", 1.0], 1.0)))
    with pytest.raises(UsageError, match="no numbers"):
        to_dict(nll.Normal(object(), 1.0))


POISSON = {"family": "Poisson", "parameters": ["rate"]}


def combined(**changes) -> dict[str, Any]:
    form = {"combinator": "ZeroInflated", "parts": [POISSON], "options": {}, **changes}
    return {"nll": "distribution", "version": 1, "family": form, "parameters": {"rate": 1.0, "gate": 0.5}}


def plain(**parameters):
    return {"nll": "distribution", "version": 1, "family": "Normal", "parameters": parameters}


def deep(depth):
    form = POISSON
    for _ in range(depth):
        form = {"combinator": "Truncated", "parts": [form], "options": {}}
    return form


def rows(depth):
    value = 1.0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "saved",
    [
        None,
        [],
        3,
        {},
        {"nll": "distribution", "version": 2},
        {"nll": "distribution", "version": [1]},
        {"nll": "distribution", "version": 1},
        {"nll": "distribution", "version": 1, "family": "Zzz", "parameters": {}},
        {"nll": "distribution", "version": 1, "family": ["Normal"], "parameters": {}},
        {"nll": "distribution", "version": 1, "family": "Normal", "parameters": [1]},
        plain(),
        plain(loc=1.0),
        plain(loc=1.0, scale=1.0, extra=2.0),
        plain(loc=None, scale=1.0),
        plain(loc=True, scale=1.0),
        plain(loc={"number": "infinity"}, scale=1.0),
        plain(loc={"number": ["inf"]}, scale=1.0),
        plain(loc=[1.0, "a"], scale=1.0),
        plain(loc=[[1.0], [1.0, 2.0]], scale=1.0),
        plain(loc=[[1.0], 2.0], scale=1.0),
        plain(loc=10**400, scale=1.0),
        plain(loc=rows(900), scale=1.0),
        combined(combinator="Zzz"),
        combined(combinator=["ZeroInflated"]),
        combined(parts=None),
        combined(parts=[]),
        combined(parts=[POISSON] * 2),
        combined(parts=[POISSON] * 100_000),
        combined(parts=["Poisson"]),
        combined(parts=[{"family": "Normal", "parameters": ["loc", "scale"]}]),
        combined(parts=[{"family": "Poisson", "parameters": ["rat"]}]),
        combined(parts=[{"family": {"a": 1}, "parameters": ["rate"]}]),
        combined(parts=[{"own": {"nll": "family"}}]),
        combined(parts=[{"own": None}]),
        combined(parts=[deep(800)]),
        combined(options={"a": 1}),
        combined(options=[]),
        combined(combinator="Transformed", options={"transform": "exp"}),
        combined(combinator="Transformed", options={"transform": {}}),
        combined(combinator="Truncated", options={"low": "x"}),
        combined(combinator="Truncated", options={"low": [1] * 10}),
        {**combined(), "parameters": {"rate": 1.0}},
        {**combined(), "parameters": {"rate": 1.0, "gate": 0.5, "more": 1.0}},
    ],
    ids=lambda saved: "",
)
def test_what_is_hostile_is_refused_as_data(saved):
    with pytest.raises(DataError):
        from_dict(saved)
    with pytest.raises(DataError):
        form_from_dict(saved)


@pytest.mark.parametrize(
    "form", [None, "Normal", [], deep(800), {"combinator": rows(900), "parts": [], "options": {}}, 1.0]
)
def test_what_describes_no_form_is_refused_as_data(form):
    with pytest.raises(DataError):
        form_from_dict({"nll": "form", "version": 1, "form": form})


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nan?"])
def test_what_is_no_json_is_refused_as_data(text):
    with pytest.raises(DataError, match="no JSON"):
        read_json(text)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["Poisson", "rate", "exp", "inf"])
KEYS = st.sampled_from(["combinator", "parts", "options", "family", "parameters", "own", "number", "rate", "x"])
TREES = st.recursive(LEAVES, lambda each: st.lists(each, max_size=4) | st.dictionaries(KEYS, each, max_size=4))


@settings(deadline=None)
@given(TREES, st.sampled_from(["combinator", "parts", "options", "family", "parameters"]))
def test_any_tree_is_read_or_refused_as_data(tree, key):
    top = combined()
    for saved in ({**top, key: tree}, {**top, "family": {**top["family"], key: tree}}, plain(scale=1.0, loc=tree)):
        try:
            from_dict(saved)
        except DataError:
            continue


def test_the_page_of_combinators_is_true():
    page = Path(__file__).parents[2] / "docs" / "combinators.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried > 20) == (0, True)
