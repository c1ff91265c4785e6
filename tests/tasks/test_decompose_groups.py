"""Decompositions by group of classes and of densities are those of the group's rows."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import polars as pl
import pytest

import nll

RNG = np.random.default_rng(0)
N = 300
PROBS = RNG.dirichlet([1.0, 1.0, 1.0], N)
CLASSES = (PROBS.cumsum(axis=1) < RNG.random((N, 1))).sum(axis=1)
GROUP = np.array(["a", "b"])[RNG.integers(0, 2, N)]
OTHER = RNG.integers(0, 2, N)
NUMBERS = 1.3 * RNG.normal(size=N)


def numbers(found: Any) -> str:
    """Return a result as text, without the words for what was read."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k not in ("source", "distribution", "notes")}
        return [plain(v) for v in value] if isinstance(value, list) else value

    return json.dumps(plain(json.loads(found.to_json())))


def test_classes_of_a_group_are_those_of_its_rows() -> None:
    found = nll.decompose(CLASSES, nll.Categorical(probs=PROBS), by={"g": GROUP})
    assert list(found) == ["a", "b"]
    for key in found:
        at = key == GROUP
        assert numbers(found[key]) == numbers(nll.decompose(CLASSES[at], nll.Categorical(probs=PROBS[at])))
    assert numbers(found.total) == numbers(nll.decompose(CLASSES, nll.Categorical(probs=PROBS)))
    assert found.to_polars().height == 2 * found.total.to_polars().height
    assert found.to_polars().columns[:2] == ["g", "class"]
    assert "top label" in repr(found)
    assert [group["g"] for group in json.loads(found.to_json())["groups"]] == ["a", "b"]


def test_a_class_that_a_group_lacks_has_its_forecasts_nevertheless() -> None:
    c, by = np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])
    found = nll.decompose(c, nll.Categorical(probs=PROBS[:4]), by=by)
    assert found[0][2].share == 0.0
    assert math.isfinite(found[0][2].score.mean)


def test_clusters_go_with_groups() -> None:
    c = np.arange(N) // 6
    found = nll.decompose(CLASSES, nll.Categorical(probs=PROBS), by=GROUP, cluster=c)
    at = GROUP == "b"
    alone = nll.decompose(CLASSES[at], nll.Categorical(probs=PROBS[at]), cluster=c[at])
    assert numbers(found["b"]) == numbers(alone)


@pytest.mark.parametrize("rows", [None, 37])
def test_the_pit_of_a_group_is_that_of_its_rows(rows: int | None, running: Any) -> None:
    with running(rows=rows):
        found = nll.decompose(NUMBERS, nll.Normal(0.0, 1.0), by={"g": GROUP, "h": OTHER})
    assert list(found) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    for g, h in found:
        at = (g == GROUP) & (h == OTHER)
        assert numbers(found[g, h]) == numbers(nll.decompose(NUMBERS[at], nll.Normal(0.0, 1.0)))
    assert numbers(found.total) == numbers(nll.decompose(NUMBERS, nll.Normal(0.0, 1.0)))
    assert found.to_polars().height == 16
    assert found.total.ks_p < 0.05
    assert "p (KS)" in repr(found)


def test_tables_missing_values_and_missing_keys() -> None:
    table = pl.DataFrame({"y": [0.1, None, -0.3, 1.0, 0.4], "g": ["a", "a", None, "b", "b"]})
    found = nll.decompose("y", nll.Normal(0.0, 1.0), table, by="g", missing="drop")
    assert {key: each.n for key, each in found.items()} == {"a": 1, "b": 2, None: 1}
    assert found["a"].mean == nll.decompose([0.1], nll.Normal(0.0, 1.0)).mean
    assert found.total.score.missing == 1


def test_keys_that_are_nan_are_one_group() -> None:
    found = nll.decompose(NUMBERS[:6], nll.Normal(0.0, 1.0), by=np.array([1.0, math.nan] * 3))
    assert [each.n for each in found.values()] == [3, 3]


def test_counts_are_drawn_by_the_number_of_the_row() -> None:
    y = RNG.poisson(2.0, N)
    found = nll.decompose(y, nll.Poisson(rate=2.0), by=GROUP, seed=5)
    whole = nll.decompose(y, nll.Poisson(rate=2.0), seed=5)
    weighted = sum(each.mean * each.n for each in found.values()) / N
    assert weighted == pytest.approx(whole.mean, rel=1e-12)
