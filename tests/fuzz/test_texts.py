"""What reads texts of others: any text is answered or refused, and none runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nll
from nll.errors import NllError
from nll.families.expression import parse_distribution, parse_family
from nll.families.saving import from_dict, read_json

SETTINGS = settings(max_examples=60, deadline=None, database=None, derandomize=True)
NAMES = ["Normal", "Mixture", "Truncated", "ZeroInflated", "Poisson", "y", "p", "exp", "log", "where", "lgamma", "real"]
PIECES = [
    *NAMES,
    "(",
    ")",
    "[",
    "]",
    ",",
    "=",
    "'",
    '"',
    "`",
    "**",
    "-",
    ";",
    ":",
    "1",
    "0.5",
    "1e400",
    " ",
    "<",
    "__import__",
]
texts = st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values: Any = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def ours(function: Any, *arguments: Any, **options: Any) -> Any:
    """Return what a function returns, or the error of ours that it raises."""
    try:
        found = function(*arguments, **options)
    except NllError as error:
        found = error
    assert not isinstance(found, NllError) or str(found).strip()
    return found


@SETTINGS
@given(texts)
def test_expressions(text):
    ours(parse_distribution, text)
    ours(parse_family, text)


@SETTINGS
@given(texts)
def test_own_families(text):
    ours(nll.family.from_text, text)
    ours(nll.family.from_text, f"A: {text}; a real")


@SETTINGS
@given(texts)
def test_conditions(text):
    ours(nll.score, "y", nll.Normal(0.0, 1.0), {"y": [1.0, 2.0], "p": [0.5, 0.25]}, where=text)


@SETTINGS
@given(values)
def test_saved_things(value):
    text = json.dumps(value)
    ours(nll.load, "{" + text)
    ours(nll.load, json.dumps({"nll": "fit", "version": 1, "family": value, "params": value}))
    ours(lambda: from_dict(read_json(text)))
    ours(nll.Tally.from_dict, value)
    saved = nll.Tally().to_dict()
    for name in saved:
        ours(nll.Tally.from_dict, {**saved, name: value})


@SETTINGS
@given(values, values)
def test_observations_and_parameters(y, loc):
    found = ours(nll.score, y if isinstance(y, list) else [y], nll.Normal(loc, 1.0))
    assert isinstance(found, NllError) or found.sum == found.sum or found.notes


@SETTINGS
@given(st.text(max_size=30), st.lists(st.text(max_size=12), min_size=2, max_size=2))
def test_names_of_columns_and_groups(name, groups):
    table = {"y": [1, 0], "p": [0.5, 0.25], name: groups}
    if name in ("y", "p"):
        return
    found = ours(nll.score, "y", nll.Bernoulli(probs="p"), table, by=name)
    if not isinstance(found, NllError):
        page = found._repr_html_()
        assert set(found) == set(groups)
        assert page.count("<th>") + page.count("<td>") == page.count("</th>") + page.count("</td>")


@pytest.mark.parametrize("tag", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=x>'])
def test_pages_escape_what_they_show(tag):
    table = {"y": [1, 0, 1], tag: [0.5, 0.25, 0.75], "g": [tag, "b", tag]}
    shown = [
        nll.score("y", nll.Bernoulli(probs=tag), table, by="g"),
        nll.compare("y", {tag: nll.Bernoulli(probs=tag), "b": nll.Bernoulli(probs=0.5)}, data=table),
        nll.fit(tag, nll.Normal, table),
        nll.Bernoulli(probs=tag),
        nll.decompose("y", nll.Bernoulli(probs=tag), table),
    ]
    for each in shown:
        page = each._repr_html_()
        assert tag not in page
        assert not any(opened in page for opened in ("<script", "<img", "<svg onload"))
