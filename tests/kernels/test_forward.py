"""The passes over hidden states, against sums over all paths in 30 digits."""

import itertools

import mpmath as mp
import numpy as np
import pytest

from nll.kernels import forward as passes
from nll.kernels.forward import Filtered, decoded, filtered, logs_of, smoothed

mp.mp.dps = 30


def model(states, seed, zeros=False):
    rng = np.random.default_rng(seed)
    initial, transition = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states), states)
    if zeros:  # from left to right
        transition = np.triu(transition)
        transition /= transition.sum(axis=1, keepdims=True)
        initial = np.eye(states)[0]
    return initial, transition


def paths(losses, initial, transition):
    """Yield each path of states with its probability and that of the observations together."""
    for path in itertools.product(range(len(initial)), repeat=len(losses)):
        p = mp.mpf(initial[path[0]]) * mp.exp(-mp.mpf(losses[0, path[0]]))
        for t in range(1, len(losses)):
            p *= mp.mpf(transition[path[t - 1], path[t]]) * mp.exp(-mp.mpf(losses[t, path[t]]))
        yield path, p


def through_logs(losses, bounds, initial, transition):
    """Return what the passes by logs make of all sequences."""
    steps, found = np.empty(len(losses)), np.empty(losses.shape)
    rough = np.ones(len(bounds) - 1, np.uint8)
    passes.FORWARD_LOGS(1, 1, losses, bounds, logs_of(initial), logs_of(transition), True, steps, found, rough)
    return Filtered(steps, found, rough)


@pytest.mark.parametrize(("states", "length", "zeros"), [(1, 4, False), (2, 7, False), (3, 6, False), (3, 6, True)])
@pytest.mark.parametrize("by_logs", [False, True])
def test_sums_over_all_paths(states, length, zeros, by_logs):
    initial, transition = model(states, length, zeros)
    losses = np.random.default_rng(5).gamma(1.0, 3.0, (length, states))
    bounds = np.array([0, length])
    found = (through_logs if by_logs else lambda *a: filtered(*a, keep=True))(losses, bounds, initial, transition)
    every = list(paths(losses, initial, transition))
    total = sum(p for _, p in every)
    assert found.steps.sum() == pytest.approx(float(-mp.log(total)), rel=1e-14)
    weights, moves = smoothed(found, bounds, transition)
    for t in range(length):
        for state in range(states):
            exact = sum(p for path, p in every if path[t] == state) / total
            assert weights[t, state] == pytest.approx(float(exact), rel=1e-12, abs=1e-15)
    for i, j in itertools.product(range(states), repeat=2):
        times = [(sum(path[t : t + 2] == (i, j) for t in range(length - 1)), p) for path, p in every]
        assert moves[i, j] == pytest.approx(float(sum(n * p for n, p in times) / total), rel=1e-12, abs=1e-15)
    best = max(every, key=lambda each: each[1])[0]
    assert tuple(decoded(losses, bounds, initial, transition)) == best


def test_a_step_is_the_ratio_of_two_sums():
    initial, transition = model(2, 1)
    losses = np.random.default_rng(2).gamma(1.0, 3.0, (5, 2))
    steps = filtered(losses, np.array([0, 5]), initial, transition).steps
    for t in range(1, 5):
        before, after = (sum(p for _, p in paths(losses[:n], initial, transition)) for n in (t, t + 1))
        assert steps[t] == pytest.approx(float(mp.log(before / after)), rel=1e-13)


def test_a_path_that_underflows_is_not_lost():
    # State 1 is left behind by e**-2000, then only it goes on: a path of log-probability -2000 - 2 log 2 in all.
    losses = np.array([[0.0, 2000.0], [np.inf, 0.0]])
    initial, transition = np.array([0.5, 0.5]), np.array([[1.0, 0.0], [0.5, 0.5]])
    found = filtered(losses, np.array([0, 2]), initial, transition)
    assert found.steps.sum() == pytest.approx(2000.0 + 2.0 * np.log(2.0), rel=1e-15)
    assert found.rough.tolist() == [1]


def test_slowly_forgotten_states_are_not_lost_either():
    # 100 nats a step against state 1 until e**-1000, then as many for it: both paths end alike.
    losses = np.zeros((20, 2))
    losses[:10, 1], losses[10:, 0] = 100.0, 100.0
    found = filtered(losses, np.array([0, 20]), np.array([0.5, 0.5]), np.eye(2))
    assert found.steps.sum() == pytest.approx(1000.0, rel=1e-14)


def test_tiny_probabilities_of_the_model_keep_their_digits():
    initial, transition = np.array([1.0, 0.0]), np.array([[1.0, 1e-300], [0.0, 1.0]])
    losses = np.array([[0.0, np.inf], [np.inf, 0.0]])
    assert filtered(losses, np.array([0, 2]), initial, transition).steps.sum() == pytest.approx(
        -np.log(1e-300), rel=1e-14
    )


def test_impossible_steps_and_those_after_them():
    losses = np.array([[0.0, 0.0], [np.inf, np.inf], [0.0, 0.0], [1.0, 1.0]])
    bounds = np.array([0, 3, 4])
    for found in (filtered(losses, bounds, *model(2, 1)), through_logs(losses, bounds, *model(2, 1))):
        assert found.steps[1] == np.inf
        assert np.isnan(found.steps[2])
        assert found.steps[3] == pytest.approx(1.0, rel=1e-15)
    assert decoded(losses, bounds, *model(2, 1)).tolist()[:3] == [-1, -1, -1]


def test_sequences_do_not_touch_each_other():
    initial, transition = model(3, 4)
    losses = np.random.default_rng(3).gamma(2.0, 2.0, (30, 3))
    together = filtered(losses, np.array([0, 10, 11, 30]), initial, transition, keep=True)
    apart = filtered(losses[11:], np.array([0, 19]), initial, transition, keep=True)
    assert together.steps[11:].tobytes() == apart.steps.tobytes()
    assert together.probabilities[11:].tobytes() == apart.probabilities.tobytes()


def test_compiled_passes_give_the_same_bits():
    initial, transition = model(3, 7)
    losses = np.random.default_rng(8).gamma(2.0, 30.0, (40, 3))
    bounds, rough = np.array([0, 25, 40]), np.zeros(2, np.uint8)
    turned = np.ascontiguousarray(transition.T)

    def run(ready):
        steps, found, out = np.empty(40), np.empty((40, 3)), np.empty((40, 3))
        moves, path, back = np.zeros((3, 3)), np.empty(40, np.int64), np.empty((40, 3), np.int16)
        one = passes.Pass(passes.forward, seconds_left=1e9, ready=ready)
        two = passes.Pass(passes.backward, seconds_left=1e9, ready=ready)
        three = passes.Pass(passes.best_path, seconds_left=1e9, ready=ready)
        one(0, 0, losses, bounds, initial, transition, True, steps, found, rough)
        two(0, 0, found, bounds, transition, turned, rough, out, moves)
        three(0, 0, losses, bounds, -logs_of(initial), -logs_of(transition), path, back)
        return [a.tobytes() for a in (steps, found, out, moves, path)]

    assert run(False) == run(True)


def test_a_long_sequence_keeps_its_digits():
    initial, transition = model(2, 9)
    block = np.random.default_rng(10).gamma(2.0, 2.0, (1000, 2))
    steps = filtered(np.tile(block, (200, 1)), np.array([0, 200_000]), initial, transition).steps
    # Beyond the first block the filter has forgotten its start: each block costs the same.
    sums = steps.reshape(200, 1000).sum(axis=1)
    assert np.ptp(sums[1:]) < 1e-9
