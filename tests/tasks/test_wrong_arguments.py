"""Arguments that are no numbers, no names and no files: each call says so by an error of ours."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import nll
from nll.errors import NllError

HUGE = 10**400  # a whole number that no double holds
HUGER = 10**10_000  # and one that Python does not write out
LONG = "a" * 5_000
Normal, Bernoulli = nll.Normal, nll.Bernoulli

CALLS: dict[str, Any] = {
    "ragged y": lambda: nll.score([1, [0]], Bernoulli(0.5)),
    "huge y": lambda: nll.score([HUGE, 1], Normal(0, 1)),
    "huger y": lambda: nll.score([HUGER, 1], Bernoulli(0.5)),
    "huge parameter": lambda: nll.score([1, 1], Normal(HUGE, 1)),
    "huge weight": lambda: nll.score([1, 1], Normal(0, 1), sample_weight=[HUGE, 1]),
    "text and none": lambda: nll.score([1, 2], Normal([None, "a"], 1)),
    "mappings as groups": lambda: nll.score([1, 1], Normal(0, 1), by=[{}, 1]),
    "lists as groups": lambda: nll.score("y", Normal(0, 1), pl.DataFrame({"y": [1.0], "g": [[1]]}), by="g"),
    "structs as groups": lambda: nll.score("y", Normal(0, 1), pl.DataFrame({"y": [1.0], "g": [{"a": 1}]}), by="g"),
    "lists as labels": lambda: nll.score([1, 1], Bernoulli(0.5), labels=[[1], 1]),
    "mixed labels": lambda: nll.score([1, 1], Bernoulli(0.5), labels=[None, 1]),
    "half a surrogate pair": lambda: nll.score("y", Normal(0, 1), {"y": [1.0]}, where='"\ud800" > 1'),
    "fit of huge y": lambda: nll.fit([HUGE, 1, 2], Normal),
    "fit of ragged y": lambda: nll.fit([[1], 1, 2], Normal),
    "fit with a huge fixed value": lambda: nll.fit([1.0, 1, 2], Normal, fixed={"loc": HUGE}),
    "fit with a huge start": lambda: nll.fit([1.0, 1, 2], nll.StudentT, start={"loc": HUGE}),
    "decompose": lambda: nll.decompose([1, [2]], Bernoulli(0.5)),
    "compare": lambda: nll.compare([1, HUGE], {"a": Normal(0, 1), "b": Normal(1, 1)}),
    "kl": lambda: nll.kl(Normal(HUGE, 1), Normal(0, 1)),
    "entropy of a list": lambda: nll.entropy([[1], 1]),
    "confidence sequence": lambda: nll.ConfidenceSequence().update([[1], 2]),
    "diebold_mariano": lambda: nll.diebold_mariano([1, HUGE], [1, 2]),
    "holm of text": lambda: nll.holm([1, "a"]),
    "holm of huge": lambda: nll.holm([1, HUGE]),
    "censored": lambda: nll.censored([1, [2]], [1, 0]),
    "interval": lambda: nll.score(nll.interval([HUGE], [1]), Normal(0, 1)),
    "binned": lambda: nll.binned([1, HUGE], [3]),
    "a long name": lambda: nll.score("y", Normal(0, 1), LONG + ".csv"),
    "a long name of logs": lambda: nll.tokens(LONG + ".jsonl"),
    "a NUL in a name": lambda: nll.load("a\0b"),
    "an endless device": lambda: nll.tokens("/dev/zero"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_wrong_argument_is_an_error_of_ours(call):
    with pytest.raises(NllError) as found:
        call()
    assert str(found.value).strip()


@pytest.mark.parametrize(
    "dtype", [pl.Int128, pl.UInt128, pl.Decimal(30, 2), pl.Float16, pl.Boolean, pl.String, pl.Null]
)
def test_a_column_without_a_value_is_missing_whatever_its_type(dtype):
    table = pl.DataFrame({"y": [0, 1], "p": pl.Series([None, None]).cast(dtype)})
    assert nll.score("y", Bernoulli(probs="p"), table, missing="drop").missing == 2


@pytest.mark.parametrize("rows", [4, 6_000])
def test_groups_of_wide_integers(rows):
    big = 10**30
    table = pl.DataFrame({"y": [1.0] * rows, "g": pl.Series([big, 1] * (rows // 2), dtype=pl.Int128)})
    found: Any = nll.score("y", Normal(0, 1), table, by="g")
    assert {key: score.n for key, score in found.items()} == {1: rows // 2, big: rows // 2}


def test_tallies_whose_groups_are_of_different_types_have_an_order():
    parts = [nll.Tally() for _ in range(2)]
    parts[0].update([1.0, 2.0], Normal(0, 1), by=["b", "a"])
    parts[1].update([1.0, 2.0], Normal(0, 1), by=[3, 2])
    assert list((parts[0] + parts[1]).score()) == [2, 3, "a", "b"]
