"""Exact sums: equal to math.fsum, whatever the numbers, the order and the split."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nll.numerics import exact
from nll.numerics.exact import ExactSums, exact_sum, rounded
from nll.numerics.window import UNITS, WORDS

UNIT = Fraction(1, 2**1074)
finite = st.floats(allow_nan=False, allow_infinity=False)
hard = st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, 1e-300, 2.0**-136, 1.0, -1.0, 1e16, 2.0**50, 1e300])


def true(values) -> Fraction:
    return sum(map(Fraction, np.asarray(values, np.float64).tolist()), Fraction(0))


@given(st.lists(finite | hard, max_size=50))
def test_equal_to_fsum(values):
    try:
        want = math.fsum(values)
    except OverflowError:  # of an intermediate sum: fsum gives up, the exact sum does not
        want = rounded(int(true(values) / UNIT))
    assert exact_sum(np.array(values, np.float64)) == want


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([], 0.0),
        ([1e16, 1.0, -1e16], 1.0),
        ([1e308, 1e308, -1e308], 1e308),
        ([1e308] * 10, math.inf),
        ([-1e308] * 10, -math.inf),
        ([5e-324] * 3, 1.5e-323),
        ([2.0**-1022, -5e-324], 2.0**-1022 - 5e-324),
        ([1.0, 2.0**-53], 1.0),  # a tie goes to the even neighbour
        ([1.0, 2.0**-53, 5e-324], 1.0 + 2.0**-52),
        ([1.0 + 2.0**-52, 2.0**-53], 1.0 + 2.0**-51),
        ([1.7976931348623157e308, 2.0**969], 1.7976931348623157e308),
        ([1.7976931348623157e308, 2.0**970], math.inf),
    ],
)
def test_rounded_once(values, want):
    assert exact_sum(np.array(values, np.float64)) == want


@given(st.lists(st.tuples(finite | hard, st.integers(0, 3), st.integers(-3000, 3000)), max_size=30))
def test_values_go_to_their_groups_and_may_be_scaled(rows):
    sums = ExactSums.zeros(4, 2)
    values = np.array([row[0] for row in rows])
    codes = np.array([row[1] for row in rows], np.int64)
    scale = np.array([max(row[2], 0) for row in rows], np.int64)
    sums.add_values(values, codes, 1, scale)
    for group in range(4):
        want = sum(
            (Fraction(v) * 2 ** int(s) for v, c, s in zip(values, codes, scale, strict=True) if c == group), Fraction(0)
        )
        assert sums.count(group, 1) * UNIT == want
        assert sums.count(group, 0) == 0


def random_table(random: np.random.Generator, groups: int, sums: int) -> np.ndarray:
    return random.integers(-(2**40), 2**40, (groups, sums, WORDS))


def value_of(table: np.ndarray) -> Fraction:
    return sum((Fraction(w) * Fraction(2) ** unit for w, unit in zip(table.tolist(), UNITS, strict=True)), Fraction(0))


@pytest.mark.parametrize("limit", [4, 7, 2**22])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), tables=st.integers(0, 12))
def test_carries_change_no_sum(limit, seed, tables):
    random = np.random.default_rng(seed)
    want: dict[tuple[int, int], Fraction] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "ADDITIONS_BEFORE_CARRY", limit)
        sums = ExactSums.zeros(3, 2)
        for _ in range(tables):
            at = random.permutation(3)[: random.integers(1, 4)]
            table = random_table(random, len(at), 2)
            sums.add_table(table, int(random.integers(1, 4)), at)
            for k, group in enumerate(at.tolist()):
                for index in range(2):
                    want[group, index] = want.get((group, index), Fraction(0)) + value_of(table[k, index])
            assert sums.additions <= limit
    for group in range(3):
        for index in range(2):
            assert sums.count(group, index) * UNIT == want.get((group, index), 0)


def test_words_never_overflow():
    """As many numbers as come before a carry, as large as they may be, many times."""
    sums, times = ExactSums.zeros(1, 1), 40
    largest = np.full((1, 1, WORDS), 2**62, np.int64)  # 2**22 numbers of 2**40 units
    for _ in range(times):
        sums.add_table(largest, exact.ADDITIONS_BEFORE_CARRY)
    assert sums.count(0, 0) * UNIT == times * value_of(largest[0, 0])
    other = ExactSums.zeros(1, 1)
    for _ in range(times):
        other.merge(sums, np.array([0]))
    assert other.count(0, 0) == times * sums.count(0, 0)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6))
def test_merging_puts_groups_where_they_belong(seed):
    random = np.random.default_rng(seed)
    one, other = ExactSums.zeros(2, 1), ExactSums.zeros(3, 1)
    for sums, groups in ((one, 2), (other, 3)):
        sums.add_table(random_table(random, groups, 1), 5)
        values = random.normal(size=9) * 10.0 ** random.integers(-250, 250, 9)
        sums.add_values(values, random.integers(0, groups, 9), 0)
    before = [one.count(g, 0) for g in range(2)] + [0, 0]
    one.grow(4)
    at = random.permutation(4)[:3]
    one.merge(other, at)
    for k, place in enumerate(at.tolist()):
        before[place] += other.count(k, 0)
    assert [one.count(g, 0) for g in range(4)] == before


def test_growing_keeps_sums():
    sums = ExactSums.zeros(0, 1)
    want = []
    for group in range(20):
        sums.grow(group + 1)
        sums.add_values(np.array([group + 0.5]), np.array([group]), 0)
        want.append(group + 0.5)
    assert [rounded(c[0]) for c in sums.counts(20)] == want


def test_many_equal_values_do_not_overflow():
    values = np.full(3000, -1.7976931348623157e308)
    sums = ExactSums.zeros(1, 1)
    for _ in range(3):
        sums.add_values(values, np.zeros(3000, np.int64), 0)
    assert sums.count(0, 0) * UNIT == 9000 * Fraction(-1.7976931348623157e308)
