"""What stands in a saved tally is checked before it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

import nll
from nll.errors import DataError


def saved() -> dict[str, Any]:
    tally = nll.Tally()
    tally.update([1, 0, 1], nll.Bernoulli(probs=[0.5, 0.25, 0.75]), by=["a", "b", "a"])
    return json.loads(json.dumps(tally.to_dict()))


def test_a_saved_tally_gives_the_same_score():
    tally: Any = nll.Tally.from_dict(saved())
    assert tally.score()["a"].n == 2
    assert tally.to_dict() == saved()


def group(**changes: Any) -> dict[str, Any]:
    document = saved()
    document["groups"][0] |= changes
    return document


WRONG = {
    "by is null": lambda: saved() | {"by": None},
    "by is a number": lambda: saved() | {"by": 3},
    "by has numbers": lambda: saved() | {"by": [3]},
    "by has more names than keys have values": lambda: saved() | {"by": ["g", "h"]},
    "cluster is text": lambda: saved() | {"cluster": "no"},
    "weighted is text": lambda: saved() | {"weighted": "yes"},
    "read is negative": lambda: saved() | {"read": -1},
    "read is beyond 2**63": lambda: saved() | {"read": 2**64},
    "excess is NaN": lambda: saved() | {"excess": "nan"},
    "first has fractions": lambda: saved() | {"first": [0.5]},
    "a group twice": lambda: saved() | {"groups": saved()["groups"] * 2},
    "a negative count": lambda: group(counts=[-1, 0, 0, 0, 0]),
    "a count of truth": lambda: group(counts=[True, 0, 0, 0, 0]),
    "too few sums": lambda: group(sums=["0x1"]),
    "too many sums": lambda: group(sums=["0x1"] * 3),
    "a negative square": lambda: group(sums=["0x1", "-0x1"]),
    "a sum of a million digits": lambda: group(sums=["0x" + "f" * 10**6, "0x1"]),
    "a sum that is a number": lambda: group(sums=[1, 1]),
    "a key of lists": lambda: group(key=[[1]]),
    "a key of an unknown kind": lambda: group(key=[{"__class__": "x"}]),
    "a key that is no decimal": lambda: group(key=[{"decimal": "x"}]),
    "a key that signals": lambda: group(key=[{"decimal": "sNaN"}]),
    "keys of other lengths": lambda: group(key=["a", "b"]),
}


@pytest.mark.parametrize("document", WRONG.values(), ids=WRONG)
def test_a_wrong_tally_is_refused(document):
    with pytest.raises(DataError, match="tally"):
        nll.Tally.from_dict(document())
