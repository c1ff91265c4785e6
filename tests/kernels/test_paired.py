"""The compiled pass over pairs of models against NumPy and exact rational sums, ties and odd numbers included."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from nll.kernels import paired
from nll.numerics.exact import ExactSums
from nll.numerics.window import WORDS

N = 3 * paired.BLOCK - 100


def passed(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Return the table, counts, largest and done of the pair (a, b)."""
    table, counts = np.zeros((3, 2, WORDS), np.int64), np.zeros((1, 2), np.int64)
    largest, done = np.zeros(1), np.zeros((3, 3), np.bool_)
    first, second = np.array([0]), np.array([1])
    paired.paired(np.array([a, b]), first, second, table.reshape(-1), counts, largest, done)
    return table, counts[0], float(largest[0]), done


def exact(table: np.ndarray, k: int) -> list[Fraction]:
    sums = ExactSums.zeros(1, 2)
    sums.add_table(table[k : k + 1], N, np.zeros(1, np.int64))
    return [Fraction(sums.count(0, j), 2**1074) for j in range(2)]


def cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    a, b = rng.exponential(size=N), rng.exponential(size=N)
    some = rng.random(N)
    return {
        "plain": (a, b),
        "ties": (a, np.where(some < 0.3, a, b)),
        "all the same": (a, a.copy()),
        "signed zeros": (np.where(some < 0.5, 0.0, a), np.where(some < 0.5, -0.0, b)),
        "tiny differences": (a, a + 1e-13 * b),
        "few small differences": (a, np.where(some < 0.01, np.where(b < 1.0, a, a + 2.0**-20 * b), b)),
        "few small losses": (np.where(some < 0.01, 2.0**-30 * a, a), np.where(some > 0.99, 2.0**-37 * b, b)),
        "few tiny losses": (np.where(some < 0.01, 2.0**-45 * a, a), b),
        "large": (a + 1000.0 * (some < 0.01), b),
    }


@pytest.mark.parametrize("name", list(cases()))
def test_sums_and_counts_are_exact(name: str) -> None:
    a, b = cases()[name]
    table, counts, largest, done = passed(a, b)
    assert done.all()
    d = b - a
    assert counts.tolist() == [(a < b).sum(), (a == b).sum()]
    assert largest == (np.abs(d).max()) ** 2
    for k, values in enumerate((a, b, d)):
        assert exact(table, k) == [sum(map(Fraction, v.tolist())) for v in (values, values * values)]


@pytest.mark.parametrize("odd", [np.inf, np.nan, 1e200])
def test_a_block_that_the_sums_cannot_take_is_left_out_and_counted(odd: float) -> None:
    a, b = cases()["ties"]
    b = b.copy()
    b[paired.BLOCK + 5] = odd
    table, counts, _, done = passed(a, b)
    assert done.tolist() == [[True] * 3, [True, False, False], [True] * 3]
    assert counts.tolist() == [(a < b).sum(), (a == b).sum()]
    rest = np.r_[0 : paired.BLOCK, 2 * paired.BLOCK : N]
    assert exact(table, 2)[0] == sum(map(Fraction, (b - a)[rest].tolist()))
    both = np.where(np.arange(N) == 7, np.inf, a)
    assert passed(both, both.copy())[1].tolist() == [0, N]
