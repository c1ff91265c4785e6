"""Logits that come in pieces of the vocabulary and of the rows."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest

import nll

N, V = 9, 23


@pytest.fixture
def z() -> np.ndarray:
    z = np.random.default_rng(0).standard_normal((N, V)) * 5.0
    z[1, 4:9] = -np.inf
    z[3] = -750.0
    z[3, 7] = 800.0  # a loss that is 0, or very large
    z[4, :5] = -np.inf  # the whole of a first piece
    z[5, 2] = 40.0
    return z


def truth(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    with mpmath.workdps(60):
        found = []
        for row, k in zip(z, y, strict=True):
            exact = [mpmath.mpf(float(x)) if x > -np.inf else mpmath.ninf for x in row]
            found.append(float(mpmath.log(mpmath.fsum(mpmath.exp(x - exact[k]) for x in exact))))
        return np.array(found)


def each(y: np.ndarray, pieces: list[np.ndarray], **options: Any) -> np.ndarray:
    by = nll.categorical_from_chunks(y, pieces, by=np.arange(len(y)), **options)
    return np.array([by[i].sum for i in range(len(y))])


@pytest.mark.parametrize("cuts", [[], [5], [1, 2, 3, 22], list(range(1, V))])
def test_losses_are_right_to_a_few_ulp_however_the_vocabulary_is_cut(z, cuts):
    y = np.array([0, 3, 22, 7, 9, 2, 11, 4, 22])
    found = each(y, np.split(z, cuts, axis=1))
    np.testing.assert_allclose(found, truth(z, y), rtol=1e-15, atol=1e-300)
    assert 0.0 < found[5] < 1e-12  # nearly certain, and all its digits


def test_a_row_at_a_distance(z):
    (loss,) = each(np.array([0]), [z[3:4, :4], z[3:4, 4:]])
    assert loss == 1550.0
    s = nll.categorical_from_chunks([0], [np.array([[-np.inf]]), np.array([[1.0]])])
    assert (s.impossible, s.sum) == (1, math.inf)


def test_blocks_of_rows_change_no_bit(z):
    y = np.random.default_rng(1).integers(0, V, N)
    y[1], y[3] = 0, 7
    weights = np.random.default_rng(2).uniform(0.5, 2.0, N)
    whole = nll.categorical_from_chunks(y, np.split(z, [4, 9], axis=1), sample_weight=weights, cluster=y % 2)
    for rows in (1, 2, 5, 100):
        found = nll.categorical_from_chunks(
            y, lambda r: iter(np.split(z[r], [4, 9], axis=1)), rows=rows, sample_weight=weights, cluster=y % 2
        )
        assert (found.sum, found.mean, found.stderr) == (whole.sum, whole.mean, whole.stderr)


def test_options_are_those_of_score(z):
    y = np.random.default_rng(1).integers(10, V, N)
    y[2] = -100
    z = z.clip(-300.0)
    z[3, 7] = 12.0
    for options in (
        {"ignore_index": -100},
        {"ignore_index": -100, "temperature": 2.0, "softcap": 20.0, "units": "bits"},
        {"mask": y > 0, "by": np.arange(N) % 2, "clip": 1e-4},
    ):
        found = nll.categorical_from_chunks(y, np.split(z, [6], axis=1), **options)
        expected = nll.score(y, nll.Categorical(logits=z), **options)
        pairs = [(found, expected)] if "by" not in options else [(found[k], expected[k]) for k in expected]
        for a, b in pairs:
            assert (a.n, a.ignored, a.clipped, a.units) == (b.n, b.ignored, b.clipped, b.units)
            assert a.sum == pytest.approx(b.sum, rel=2e-15)
            assert a.stderr == pytest.approx(b.stderr, rel=1e-13)
    assert nll.categorical_from_chunks([-100], [z[:1]], ignore_index=-100).mean is None


def test_types_and_threads_agree_with_plain_python():
    rng = np.random.default_rng(0)
    z = (rng.standard_normal((600, 500)) * 4).astype(np.float16)
    y = rng.integers(0, 500, 600)
    pieces = np.split(z, [450], axis=1)  # the first is large enough for threads
    found = nll.categorical_from_chunks(y, pieces)
    assert found.sum == nll.categorical_from_chunks(y, [p.astype(np.float64) for p in pieces], threads=1).sum
    few = slice(0, 6)
    from nll.kernels.pieces import absorb, begun, settled
    from nll.numerics.formula import quiet

    state, wrong = begun(6), np.full(6, -1)
    with quiet():
        absorb(z[few].astype(np.float64), 0, y[few], 1.0, np.inf, state, wrong)
    np.testing.assert_array_equal(settled(state), each(y[few], [z[few].astype(np.float64)]))


@pytest.mark.parametrize(
    ("ids", "pieces", "message"),
    [
        ([1, 2], [np.zeros((2, 2))], r"ids must be a class, a whole number in 0 .. 1.*row 1 has 2"),
        ([1, 0.5], [np.zeros((2, 2))], "row 1 has 0.5"),
        ([1, 1], [np.zeros((2, 2)), np.zeros((3, 2))], r"from 2 on, for rows 0 to 1, have the shape \(3, 2\)"),
        ([1, 1], [np.zeros((2, 2)), [[0.0, 1.0], [np.nan, 0.0]]], "row 1 has nan for class 2"),
        ([1, 1], [np.zeros((2, 2)), [[0.0, np.inf], [0.0, 0.0]]], "row 0 has inf for class 3"),
        ([0, 0], [[[0.0], [-np.inf]]], "at least one finite number in a row; row 1"),
        ([[0, 0]], [np.zeros((2, 2))], "ids must be classes"),
    ],
)
def test_errors_name_row_and_class(ids, pieces, message):
    with pytest.raises(nll.errors.DataError, match=message):
        nll.categorical_from_chunks(ids, pieces)


def test_blocks_need_a_callable():
    with pytest.raises(nll.errors.UsageError, match="callable"):
        nll.categorical_from_chunks([0], [np.zeros((1, 2))], rows=1)
    with pytest.raises(nll.errors.DataError, match="row 5 has nan for class 1"):
        nll.categorical_from_chunks(
            np.zeros(6, int), lambda r: [[[0.0, np.nan if r.start > 3 and i else 0.0] for i in range(2)]], rows=2
        )
