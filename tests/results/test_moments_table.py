"""Estimates of many groups at once against those of one group, which rational arithmetic makes."""

import math

import numpy as np
import pytest

from nll.numerics.exact import ExactSums
from nll.results import moments
from nll.results.moments_table import estimates

GROUPS = 400


def losses(style, rng, size) -> np.ndarray:
    return {
        "logs": lambda: -np.log(rng.random(size)),
        "both signs": lambda: rng.normal(0.0, 1.0, size) * 10.0 ** rng.integers(-6, 6, size),
        "few digits": lambda: np.round(rng.random(size) * 8.0) / 8.0,
        "all alike": lambda: np.full(size, 0.1),
        "nearly alike": lambda: 1.0 + rng.random(size) * 1e-8,
        "zero": lambda: np.zeros(size),
    }[style]()


def words_of(sums):
    """Return exact sums, all of them kept as Python integers, as the words of the window."""
    words = np.zeros(sums.words.shape, np.int64)
    for (group, index), count in sums.far.items():
        assert count % 2 ** (1074 - 188) == 0, "outside the window"
        words[group, index] = [count >> 1086, *((count >> s) & (2**40 - 1) for s in range(1046, 880, -40))]
    return words


def sums_of(style, weights, rows, rng):
    """Return the exact sums of groups, as counts and as the words of the window."""
    codes = np.repeat(np.arange(GROUPS), rows)
    loss = losses(style, rng, len(codes))
    streams = [loss, loss * loss]
    if weights != "none":
        weight = rng.integers(1, 5, len(codes)) * 0.25 if weights == "quarters" else rng.random(len(codes)) + 1e-3
        streams = [weight, weight * loss, weight * weight, weight * (weight * loss), (weight * loss) ** 2]
    sums = ExactSums.zeros(GROUPS, len(streams))
    for index, stream in enumerate(streams):
        sums.add_values(stream, codes, index)
    return sums, words_of(sums)


@pytest.mark.parametrize("weights", ["none", "quarters", "any"])
@pytest.mark.parametrize("style", ["logs", "both signs", "few digits", "all alike", "nearly alike", "zero"])
@pytest.mark.parametrize("most", [2, 40])
def test_what_is_settled_has_the_bits_of_one_group(style, weights, most):
    rng = np.random.default_rng(most)
    rows = rng.integers(1, most + 1, GROUPS)
    sums, words = sums_of(style, weights, rows, rng)
    found = estimates(rows, words)
    assert found.unsettled.mean() < 0.05
    counts = sums.counts(GROUPS)
    alone = moments.unweighted if weights == "none" else moments.weighted
    for group in np.flatnonzero(~found.unsettled).tolist():
        expected = alone(int(rows[group]), *counts[group])
        got = (found.sum[group], found.weight[group], found.mean[group], found.stderr[group])
        for a, b in zip(got, expected, strict=True):
            assert a == b or (math.isnan(a) and math.isnan(b)), (group, got, expected)


def test_a_variance_at_the_edge_of_the_noise_is_left_to_one_group():
    """Squares of alike losses are rounded: what is below 2**-51 of them is 0, and what is near that is not settled."""
    low, high = 1.0, 1.0 + 2.0**-26
    rows = np.full(200, 4)
    step = (np.arange(200) - 100) * 2.0**-48
    sums = ExactSums.zeros(200, 2)
    for value in (np.full(200, low), np.full(200, low), high + step, high + step):
        for index, stream in enumerate((value, value * value)):
            sums.add_values(stream, np.arange(200), index)
    found = estimates(rows, words_of(sums))
    for group in np.flatnonzero(~found.unsettled).tolist():
        expected = moments.unweighted(4, sums.count(group, 0), sums.count(group, 1))
        assert found.stderr[group] == expected.stderr


def test_groups_without_rows_are_left_to_one_group():
    found = estimates(np.array([0, 1]), np.zeros((2, 2, 6), np.int64))
    assert found.unsettled.tolist() == [True, False]
