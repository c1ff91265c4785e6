"""Rows of many classes: float32 where float32 holds the numbers, double where it does not or where it matters."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import nll
from nll.numerics.softmax import CONFIDENT, WIDE


def truth(z: np.ndarray, k: int) -> Any:
    with mpmath.workdps(80):
        exact = [mpmath.mpf(float(x)) if np.isfinite(x) else mpmath.ninf for x in z]
        return mpmath.log(mpmath.fsum(mpmath.exp(x - exact[k]) for x in exact))


@pytest.mark.parametrize("width", [WIDE - 1, WIDE, WIDE + 1, 100, 257])
def test_float32_logits_are_right_to_1e_7_and_their_doubles_give_the_same_bits(width):
    rng = np.random.default_rng(width)
    z = (rng.standard_normal((40, width)) * 4).astype(np.float32)
    z[::5, 3] = -np.inf
    y = rng.integers(4, width, 40)
    losses = nll.rows(y, nll.Categorical(logits=z))
    np.testing.assert_array_equal(losses, nll.rows(y, nll.Categorical(logits=z.astype(np.float64))))
    errors = [abs(mpmath.mpf(float(x)) - truth(row, k)) for x, row, k in zip(losses, z, y, strict=True)]
    assert max(errors) < (1e-7 if width >= WIDE else 1e-14)


def test_a_confident_row_keeps_its_digits():
    z = np.zeros((30, 100), np.float32)
    y = np.arange(30)
    z[y, y] = np.linspace(12.0, 80.0, 30, dtype=np.float32)
    losses = nll.rows(y, nll.Categorical(logits=z))
    assert losses.max() < CONFIDENT
    for x, row, k in zip(losses, z, y, strict=True):
        assert abs(mpmath.mpf(float(x)) / truth(row, k) - 1) < 1e-15


def test_doubles_that_float32_does_not_hold_go_through_double():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((20, 100)) * 4
    y = rng.integers(0, 100, 20)
    for x, row, k in zip(nll.rows(y, nll.Categorical(logits=z)), z, y, strict=True):
        assert abs(mpmath.mpf(float(x)) - truth(row, k)) < 1e-14


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [5, 100])
@pytest.mark.parametrize("wrong", [np.nan, -np.nan, np.inf])
def test_nan_and_infinity_are_refused_wherever_they_stand(width, dtype, wrong):
    for place in (0, width // 2, width - 1):
        z = np.zeros((4, width), dtype)
        z[2, place] = wrong
        if np.isnan(wrong):
            z[2, place] = np.copysign(z[2, place], -1.0) if np.signbit(wrong) else z[2, place]
        with pytest.raises(nll.errors.DataError, match=rf"logits.*row 2 has .* for class {place}"):
            nll.score([0, 1, 0, 1], nll.Categorical(logits=z))


@pytest.mark.parametrize("width", [5, 100])
def test_excluded_classes(width):
    z = np.zeros((2, width), np.float32)
    z[:, 1:] = -np.inf
    assert nll.rows([0, 0], nll.Categorical(logits=z)).tolist() == [0.0, 0.0]
    assert nll.score([0, 1], nll.Categorical(logits=z)).impossible == 1
    with pytest.raises(nll.errors.DataError, match="at least one finite"):
        nll.score([0, 0], nll.Categorical(logits=np.full((2, width), -np.inf)))


@pytest.mark.parametrize("shift", [-700.0, -60.0, -30.0, 0.0, 60.0, 78.0, 80.0, 1000.0, 3e38])
def test_logits_of_any_size(shift):
    rng = np.random.default_rng(1)
    z = (rng.standard_normal((12, 131)) * 4 + shift).astype(np.float32)
    z[:6, 100:] = -np.inf
    z[3, :60] = -300.0 + shift
    y = rng.integers(0, 100, 12)
    losses = nll.rows(y, nll.Categorical(logits=z))
    assert max(abs(mpmath.mpf(float(x)) - truth(row, k)) for x, row, k in zip(losses, z, y, strict=True)) < 1e-7
    np.testing.assert_array_equal(losses, nll.rows(y, nll.Categorical(logits=z.astype(np.float64))))


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFC00001, 0xFFFFFFFF, 0xFF80007F])
def test_every_kind_of_nan_is_found(bits):
    nan = np.array([bits], np.uint32).view(np.float32)[0]
    for place in (0, 15, 31, 64, 78):
        z = np.zeros((1, 79), np.float32)
        z[0, place] = nan
        with pytest.raises(nll.errors.DataError, match=f"nan for class {place}"):
            nll.score([1], nll.Categorical(logits=z))


@pytest.mark.parametrize("width", [64, 71, 80, 95])
def test_the_last_classes_of_a_row_count_once_and_the_next_row_does_not(width):
    z = np.zeros((3, width), np.float32)
    z[1] = 40.0
    z[2, 0] = np.nan
    losses = nll.rows([0, 0], nll.Categorical(logits=z[:2]))
    np.testing.assert_allclose(losses, np.log(width), rtol=1e-7)
    z[:, -1] = 5.0
    losses = nll.rows([0, width - 1], nll.Categorical(logits=z[[0, 0]]))
    np.testing.assert_allclose(losses, np.log(width - 1 + np.exp(5.0)) - [0.0, 5.0], rtol=1e-7)
