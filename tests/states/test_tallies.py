"""Tallies: groups find their place, states merge to the same bits, and what is saved can be read."""

from __future__ import annotations

import datetime as dt
import json
import math
import pickle
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from nll.errors import DataError
from nll.numerics.exact import rounded
from nll.states.plain import NAN
from nll.states.tally import COUNTERS, Tallies

KEYS: list[Any] = [
    None,
    True,
    3,
    -(2**40),
    0.25,
    math.inf,
    -math.inf,
    NAN,
    "a",
    "",
    "null",
    dt.date(2024, 2, 29),
    dt.datetime(2024, 2, 29, 12, 30, 0, 17),
    dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC),
    dt.time(23, 59, 59, 1),
    dt.timedelta(days=-3, microseconds=5),
    Decimal("1.50"),
    b"\x00\xff",
]


def tallies(keys: list[tuple[Any, ...]], values: list[float]) -> Tallies:
    state = Tallies()
    at = state.places(keys)
    state.sums.add_values(np.array(values), at, 0)
    state.count("rows", at)
    state.read = len(keys)
    return state


def sums(state: Tallies) -> dict[Any, float]:
    return {repr(key): rounded(state.sums.count(place, 0)) for key, place in state.keys.items()}


def test_places_are_found_again():
    state = Tallies()
    assert state.places([("a",), ("b",)]).tolist() == [0, 1]
    assert state.places([("c",), ("b",), ("c",)]).tolist() == [2, 1, 2]
    assert state.counters.shape[1] == len(COUNTERS)
    assert len(state.counters) >= 3


def test_every_nan_is_one_group():
    state = tallies([(NAN,)], [1.0]).merge(tallies([(NAN,), (1.0,)], [2.0, 4.0]))
    state.merge(pickle.loads(pickle.dumps(state)))
    state.merge(Tallies.from_dict(json.loads(json.dumps(state.to_dict(), allow_nan=False))))
    assert sums(state) == {repr((NAN,)): 12.0, "(1.0,)": 16.0}


def test_any_key_survives_json():
    state = tallies([(key, i) for i, key in enumerate(KEYS)], [float(i) for i in range(len(KEYS))])
    saved = json.loads(json.dumps(state.to_dict(), allow_nan=False))
    again = Tallies.from_dict(saved)
    assert sums(again) == sums(state)
    assert [type(key[0]) for key in again.keys] == [type(key) for key in KEYS]
    assert again.to_dict() == state.to_dict()
    assert sums(again.merge(state)) == {key: 2 * value for key, value in sums(state).items()}


def test_a_key_that_json_cannot_hold_is_refused():
    with pytest.raises(DataError, match="complex"):
        tallies([(1j,)], [1.0]).to_dict()


def test_empty_is_the_zero():
    state = tallies([("a",)], [1.5])
    assert sums(Tallies().merge(state)) == sums(state.merge(Tallies())) == {"('a',)": 1.5}
    assert Tallies.from_dict(Tallies().to_dict()).read == 0


def test_merging_with_itself_doubles():
    state = tallies([("a",), ("b",)], [1.5, 1e300])
    assert sums(state.merge(state)) == {"('a',)": 3.0, "('b',)": 2e300}
    assert state.counters[:2, 0].tolist() == [2, 2]


def test_weighted_and_unweighted_do_not_merge():
    with pytest.raises(DataError, match="weighted"):
        Tallies(weighted=True).merge(Tallies())


def test_the_first_impossible_rows_are_kept():
    one, other = Tallies(first=[3, 9]), Tallies(first=[1, 4, 5, 8])
    assert one.merge(other).first == [1, 3, 4, 5, 8]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        [],
        {"nll": "tally", "version": 99},
        {"nll": "tally", "version": 1},
        {**tallies([("a",)], [1.0]).to_dict(), "groups": [{"key": ["a"]}]},
        {**tallies([("a",)], [1.0]).to_dict(), "groups": [{"key": ["a"], "counts": [1] * 5, "sums": ["zz", "0x0"]}]},
        {**tallies([("a",)], [1.0]).to_dict(), "groups": [{"key": ["a"], "counts": [1] * 5, "sums": ["0x0"] * 7}]},
        {**tallies([("a",)], [1.0]).to_dict(), "groups": [{"key": ["a"], "counts": [1] * 3, "sums": ["0x0"] * 2}]},
        {**tallies([("a",)], [1.0]).to_dict(), "groups": [{"key": [{"x": 1}], "counts": [1] * 5, "sums": ["0x0"] * 2}]},
        {**tallies([("a",)], [1.0]).to_dict(), "groups": [{"key": 7, "counts": [1] * 5, "sums": ["0x0"] * 2}]},
        {**tallies([("a",)], [1.0]).to_dict(), "groups": [{"key": ["a"], "counts": [1] * 5, "sums": ["0x0"] * 2}] * 2},
        {**tallies([("a",)], [1.0]).to_dict(), "first": None},
    ],
)
def test_what_is_no_tally_is_refused(broken):
    with pytest.raises(DataError, match="tally"):
        Tallies.from_dict(broken)
