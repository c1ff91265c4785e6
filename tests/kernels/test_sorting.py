"""Sorting and merging against NumPy, below and above the size from which they are compiled."""

from __future__ import annotations

import numpy as np
import pytest

from nll.kernels import sorting

N = 5_000


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "probabilities": rng.random(N),
        "few values": rng.integers(0, 7, N) / 7.0,
        "all the same": np.full(N, 0.25),
        "log-odds": np.concatenate([rng.normal(0.0, 1e3, N - 4), [np.inf, -np.inf, 0.0, -5e-324]]),
    }


@pytest.fixture(params=[1, N + 1], ids=["compiled", "NumPy"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "FEW", request.param)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", list(columns()))
def test_sorts_like_numpy(name: str) -> None:
    values = columns()[name]
    expected = np.array(sorted(values.tolist()))
    assert (sorting.sort(values.copy()) == expected).all()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("sizes", [(0, 9), (9, 0), (300, 700)])
def test_merges_equal_numbers_the_first_column_first(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    first, second = (np.sort(rng.integers(0, 40, n) / 8.0) for n in sizes)
    own, others = np.arange(sizes[0]), 1000 + np.arange(sizes[1])
    rows = sorted(
        [(v, False, c) for v, c in zip(first.tolist(), own.tolist(), strict=True)]
        + [(v, True, c) for v, c in zip(second.tolist(), others.tolist(), strict=True)]
    )
    found = sorting.merged(first, second, own, others)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == rows
