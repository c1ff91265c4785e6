"""What combined families have in common: classes, names, forms, copies, descriptions."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import nll
from nll.errors import DataError, UsageError
from nll.families.description import build, describe


def test_the_same_call_gives_the_same_class():
    family = nll.ZeroInflated(nll.Poisson)
    assert nll.ZeroInflated(nll.Poisson) is family
    assert type(nll.ZeroInflated(nll.Poisson(rate=3.0), gate=0.2)) is family
    assert "ZeroInflated(Poisson)" not in dir(nll)


def test_a_form_is_chosen_by_its_parameters():
    family = nll.ZeroInflated(nll.NegativeBinomial)
    assert [tuple(form.parameters) for form in family.forms] == [
        ("mean", "dispersion", "gate"),
        ("mean", "size", "gate"),
        ("total_count", "probs", "gate"),
        ("total_count", "logits", "gate"),
    ]
    dist = family(mean=2.0, size=3.0, gate=0.1)
    assert repr(dist) == "ZeroInflated(NegativeBinomial(mean=2.0, size=3.0), gate=0.1)"
    assert type(dist) is family.forms[1]
    with pytest.raises(UsageError, match=r"ZeroInflated\(NegativeBinomial\)\(mean, dispersion, gate\)"):
        family(mean=1.0, foo=2.0)


def test_a_name_that_is_taken_gets_a_suffix():
    twice = nll.ZeroInflated(nll.ZeroInflated(nll.Poisson))
    assert list(twice.parameters) == ["rate", "gate", "gate_2"]
    assert twice(1.0, 0.1, 0.2).own() == {"gate": 0.2}
    nested = nll.Mixture(nll.Mixture(nll.Poisson, 2), 2)
    assert len(set(nested.parameters)) == 10
    assert len(nested.simplexes) == 3


@pytest.mark.parametrize(
    "dist",
    [
        nll.ZeroInflated(nll.Poisson(rate=3.0), gate="g"),
        nll.Mixture([nll.Gamma(2.0, 1.0), nll.LogNormal(0.0, 1.0)], weights=[0.5, 0.5]),
        nll.Truncated(nll.Poisson, low=1)(rate=2.0),
        nll.Truncated(nll.Mixture([nll.Normal(0, 1), nll.Normal(1, 1)], weights=["a", "b"]), low=1),
        nll.Hurdle(nll.Gamma(2.0, 1.0), gate=0.5),
    ],
    ids=repr,
)
def test_copies_pickles_and_descriptions_give_the_same(dist):
    for again in (pickle.loads(pickle.dumps(dist)), copy.copy(dist), copy.deepcopy(dist)):
        assert type(again) is type(dist)
        assert again.theta == dist.theta
        assert repr(again) == repr(dist)
    assert pickle.loads(pickle.dumps(type(dist))) is type(dist)
    assert build(describe(type(dist))) is type(dist)


@pytest.mark.parametrize(
    "saved",
    [
        None,
        [],
        {},
        {"family": "Nothing", "parameters": []},
        {"family": "Poisson", "parameters": ["scale"]},
        {"combinator": "Sum", "parts": [], "options": {}},
        {"combinator": "Mixture", "parts": [], "options": {}},
        {"combinator": "Mixture", "parts": [{"family": "Poisson", "parameters": ["rate"]}], "options": {"x": 1}},
        {"combinator": "ZeroInflated", "parts": [describe(nll.Gamma)], "options": {}},
        {"combinator": ["Mixture"], "parts": {}, "options": []},
    ],
)  # fmt: skip
def test_a_hostile_description_is_refused(saved):
    with pytest.raises(DataError):
        build(saved)


def test_nesting_ends_somewhere():
    saved = {"family": "Poisson", "parameters": ["rate"]}
    for _ in range(1000):
        saved = {"combinator": "ZeroInflated", "parts": [saved], "options": {}}
    with pytest.raises(DataError):
        build(saved)
    family = nll.Poisson
    for _ in range(8):
        family = nll.ZeroInflated(family)
    with pytest.raises(UsageError, match="nested"):
        nll.ZeroInflated(family)


def test_arrays_and_columns_are_parameters():
    import polars as pl

    table = pl.DataFrame({"y": [0, 1, 4], "mu": [1.0, 2.0, 3.0], "g": [0.1, 0.2, 0.3]})
    by_name = nll.score("y", nll.ZeroInflated(nll.Poisson(rate="mu"), gate="g"), table)
    by_array = nll.score(
        table["y"], nll.ZeroInflated(nll.Poisson)(rate=table["mu"].to_numpy(), gate=table["g"].to_numpy())
    )
    assert by_name.sum == by_array.sum
    assert np.isfinite(by_name.sum)
    with pytest.raises(DataError, match=r"gate must be in \[0, 1\]"):
        nll.score([1], nll.ZeroInflated(nll.Poisson)(rate=1.0, gate=1.5))
    with pytest.raises(DataError, match="low must be below high for Uniform"):
        nll.score([1.0], nll.Uniform(low=2.0, high=1.0))


@pytest.mark.parametrize("made", [lambda: nll.ZeroInflated(3), lambda: nll.Mixture(nll.MultivariateNormal, 2)])
def test_parts_that_are_none_are_refused(made):
    with pytest.raises(UsageError):
        made()
