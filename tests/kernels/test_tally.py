"""The loop that adds losses: every path of the exact sums, and which rows it sets aside."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nll.families.constraints import ExtendedReal, Real
from nll.families.family import Family
from nll.kernels.deposit import BLOCK
from nll.kernels.kernel import Kernel, prepared
from nll.numerics.window import HIGHEST_ROOT, LOWEST_ROOT, UNITS


class Given(Family):
    """A family whose loss is y, so that losses are what a test wants."""

    shift: Real
    observations = ExtendedReal
    support = ExtendedReal

    def loss(y, shift):  # noqa: N805  # pyright: ignore
        return y + shift


KERNEL = Kernel(Given, 0)
INF = float("inf")
MANY_SECONDS = 1e9


def value_of(words: np.ndarray) -> Fraction:
    return sum((Fraction(w) * Fraction(2) ** unit for w, unit in zip(words.tolist(), UNITS, strict=True)), Fraction(0))


def fits(x: np.ndarray) -> np.ndarray:
    return (np.abs(x) < HIGHEST_ROOT) & ((np.abs(x) >= LOWEST_ROOT) | (x == 0.0))


def check(y, weights=None, codes=None, groups=1, limit=INF):
    """Compare a pass with sums of fractions over the rows that it should add."""
    y, theta = prepared(np.asarray(y, np.float64), (0.0,))
    deposit = KERNEL.tally(y, theta, weights, codes, groups, limit)
    regular = fits(y) & (y <= limit)
    if weights is not None:
        with np.errstate(all="ignore"):
            regular &= fits(weights) & (weights >= 0.0) & fits(weights * y)
    assert deposit.odd.tolist() == np.flatnonzero(~regular).tolist()
    for group in range(groups):
        rows = regular if codes is None else regular & (codes == group)
        assert deposit.counts[group] == rows.sum()
        x = y[rows]
        if weights is None:
            streams = [x, x * x]
        else:
            w = weights[rows]
            streams = [w, w * x, w * w, w * (w * x), (w * x) * (w * x)]
        for index, stream in enumerate(streams):
            want = sum(map(Fraction, stream.tolist()), Fraction(0))
            assert value_of(deposit.table[group, index]) == want


RANGES = {
    "two slices": (-19, 5),  # exponents of the losses: squares then lie in two slices too
    "four slices": (-60, 5),
    "one by one": (-67, 24),
    "zeros": None,
}


def losses(random: np.random.Generator, name: str, n: int) -> np.ndarray:
    exponents = RANGES[name]
    if exponents is None:
        return random.choice([0.0, -0.0, 1.0], n)
    low, high = exponents
    return np.ldexp(random.uniform(-1, 1, n), random.integers(low, high, n))


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("n", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_every_slice_is_exact(name, n):
    random = np.random.default_rng(n)
    y = losses(random, name, n)
    check(y)
    for codes in (random.integers(0, 4, n), np.zeros(n), np.sort(random.integers(0, 4, n)), random.random(n) < 0.001):
        check(y, codes=codes.astype(np.int32), groups=5)
    w = random.choice([0.0, 0.5, 1.0, 3.0], n) * random.random(n)
    check(y, weights=w)
    check(y, weights=w, codes=random.integers(0, 4, n).astype(np.int32), groups=5)


ODD = [INF, -INF, np.nan, 1e300, -1e300, 1e-300, 5e-324, HIGHEST_ROOT, LOWEST_ROOT / 2, 50.0]


@pytest.mark.parametrize("limit", [INF, 34.5])
@pytest.mark.parametrize("share", [0.001, 0.3, 1.0])
def test_odd_rows_are_set_aside_and_listed(limit, share):
    random = np.random.default_rng(1)
    n = 2 * BLOCK + 100
    y = random.exponential(size=n)
    odd = random.random(n) < share
    y[odd] = random.choice(ODD, odd.sum())
    codes = random.integers(0, 3, n).astype(np.int32)
    w = random.random(n)
    w[::500] = random.choice([np.nan, -1.0, INF, 1e200, 1e-200, 0.0], len(w[::500]))
    check(y, limit=limit)
    check(y, codes=codes, groups=3, limit=limit)
    check(y, weights=w, limit=limit)
    check(y, weights=w, codes=codes, groups=3, limit=limit)


EDGES = [LOWEST_ROOT, np.nextafter(HIGHEST_ROOT, 0), 1.0, 2.0**-39, 2.0**11, 2.0**-20, np.nextafter(2.0**11, 0), 0.0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(EDGES + [-x for x in EDGES] + ODD) | st.floats(-1e8, 1e8) | st.floats(-1e-12, 1e-12),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 10**6),
)
def test_any_mixture(values, seed):
    random = np.random.default_rng(seed)
    codes = random.integers(0, 3, len(values)).astype(np.int32)
    check(values)
    check(values, codes=codes, groups=3)
    check(values, weights=np.ldexp(random.random(len(values)), random.integers(-70, 26, len(values))))


@settings(max_examples=60, deadline=None)
@given(st.integers(-42, 14), st.integers(0, 10**6), st.booleans())
def test_both_sides_of_every_edge(exponent, seed, grouped):
    """Losses around one power of two, with all their digits: the first that a slice cannot hold must be seen."""
    random = np.random.default_rng(seed)
    y = np.ldexp(1.0 + random.uniform(-(2.0**-50), 2.0**-50, 20), exponent) * random.choice([-1.0, 1.0], 20)
    codes = random.integers(0, 3, 20).astype(np.int32) if grouped else None
    check(y[:1], codes=None if codes is None else codes[:1], groups=3 if grouped else 1)
    check(y, codes=codes, groups=3 if grouped else 1)


def test_the_largest_block_does_not_overflow():
    for value in (np.nextafter(HIGHEST_ROOT, 0), -np.nextafter(HIGHEST_ROOT, 0), np.nextafter(2.0**11, 0) * 2.0**-6):
        check(np.full(BLOCK, value))
        check(np.full(BLOCK, value), codes=np.zeros(BLOCK, np.int32))


@pytest.mark.parametrize("value", [31.99, -31.99, 45.2, 1000.0])
def test_a_group_of_many_blocks_does_not_overflow(value):
    n = 10 * BLOCK
    codes = (np.arange(n) % 1000 == 5).astype(np.int32)
    check(np.full(n, value), codes=codes, groups=2)
    check(np.full(n, value))
    check(np.full(n, value), weights=np.ones(n), codes=codes, groups=2)


def test_rows_are_the_losses_and_few_rows_need_no_compiler():
    y = np.array([1.5, -2.0, INF, np.nan])
    patient = Kernel(Given, MANY_SECONDS)
    got = patient.rows(*prepared(y, (0.25,)))
    assert not patient._compiled
    assert got.tobytes() == KERNEL.rows(*prepared(y, (0.25,))).tobytes()
    assert got[:3].tolist() == [1.75, -1.75, INF]
    assert np.isnan(got[3])
    patient.seconds_left = 0.0
    assert patient.rows(*prepared(y, (0.25,))).tobytes() == got.tobytes()
    assert patient._compiled
