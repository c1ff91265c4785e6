"""Sums of losses and derivatives: plain and compiled, whole and in pieces, weighted, with rows that are none."""

from __future__ import annotations

import numpy as np
import pytest

import nll
from nll.kernels.curvature import CurvatureKernel, width
from nll.kernels.kernel import kernel
from nll.states.curvature import Curvature

rng = np.random.default_rng(0)
Y = rng.gamma(2.0, 3.0, 700)
TABLE = np.array([[2.0, 0.3], [1.5, 0.7]])
LOWER, UPPER = np.array([0, 300]), np.array([700, 650])


def passed(form, y, columns, table, weights=None, lower=LOWER, upper=UPPER, free=(0, 1), compiled=False):
    run = CurvatureKernel(form, free)
    run.seconds_left = -1.0 if compiled else 1e9
    state = Curvature.zeros(len(lower), len(free))
    state.add(run(y, columns, table, weights, lower, upper), slice(None))
    return state


def test_sums_are_those_of_the_row_losses():
    state = passed(nll.Gamma, Y, (None, None), TABLE)
    for s in range(2):
        losses = kernel(nll.Gamma).plain_rows(Y[LOWER[s] : UPPER[s]], tuple(TABLE[s]))
        assert state.nll[s] == pytest.approx(losses.sum(), rel=1e-14)


def test_derivatives_are_those_of_the_sum():
    step = 1e-5
    at = lambda table: passed(nll.Gamma, Y, (None, None), table)  # noqa: E731
    state = at(TABLE)
    for k in range(2):
        up, down = (at(TABLE + sign * step * np.eye(2)[k]) for sign in (1.0, -1.0))
        assert (up.nll - down.nll) / (2 * step) == pytest.approx(state.gradient[:, k], rel=1e-6)
        assert (up.gradient - down.gradient) / (2 * step) == pytest.approx(state.hessian[:, :, k], rel=1e-6)


def test_some_derivatives_are_a_part_of_all():
    every, one = passed(nll.Gamma, Y, (None, None), TABLE), passed(nll.Gamma, Y, (None, None), TABLE, free=(1,))
    assert one.gradient[:, 0] == pytest.approx(every.gradient[:, 1], rel=1e-15)
    assert one.hessian[:, 0, 0] == pytest.approx(every.hessian[:, 1, 1], rel=1e-15)
    assert width(2) == every.sums.shape[1] == 6


def test_compiled_code_gives_the_same():
    weights, column = rng.random(700), rng.random(700) + 0.1
    y = np.r_[Y[:-2], -1.0, np.inf]
    plain, state = (
        passed(nll.Gamma, y, (None, column), TABLE, weights, compiled=compiled) for compiled in (False, True)
    )
    assert state.values == pytest.approx(plain.values, rel=1e-13)
    assert (state.counts == plain.counts).all()
    assert (state.firsts == plain.firsts).all()
    assert state.counts[0].tolist() == [1, 1]
    assert state.firsts[0].tolist() == [698, 699]
    assert state.nll[0] == np.inf
    assert np.isfinite(state.values).all()


def test_pieces_merge_to_the_whole():
    whole = passed(nll.Gamma, Y, (None, None), TABLE[:1], None, np.array([0]), np.array([700]))
    merged = Curvature.zeros(1, 2)
    for start in range(0, 700, 70):
        merged.merge(passed(nll.Gamma, Y, (None, None), TABLE[:1], None, np.array([start]), np.array([start + 70])))
    assert merged.values == pytest.approx(whole.values, rel=1e-15)
