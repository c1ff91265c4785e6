"""Expansions against exact rational arithmetic: what is called sure is rounded right, and ties are."""

from fractions import Fraction

import numpy as np
import pytest

from nll.numerics.expansions import (
    add,
    divide,
    expansion,
    multiply,
    quotient,
    root,
    rounding,
    scale,
    subtract,
    two_product,
    two_sum,
)
from nll.numerics.window import UNITS

UNIT = Fraction(1, 2**188)


def words_of(counts):
    """Return whole multiples of 2**-188 as words after a carry."""
    shifts = [40 * place for place in range(len(UNITS) - 1, -1, -1)]
    return np.array([[count >> shifts[0], *((count >> s) & (2**40 - 1) for s in shifts[1:])] for count in counts])


@pytest.fixture(scope="module")
def counts():
    """Sums of few and of many digits, with ties, near ties, cancellation and zero."""
    rng = np.random.default_rng(0)
    doubles = [int(v) for v in rng.integers(2**52, 2**53, 300)]
    ties = [(2 * v + 1) << int(s) for v, s in zip(doubles, rng.integers(0, 180, 300), strict=True)]
    near = [t + d for t in ties for d in (-1, 1)]
    wide = [int.from_bytes(rng.bytes(k)) for k in rng.integers(1, 31, 300)]
    signs = [-1, 0, 1, -(2**40), 2**40 - 1, -(2**200) + 1, 2**200 - 1]
    return [*ties, *near, *wide, *[-w for w in wide], *signs]


def test_the_parts_of_an_expansion_add_up_to_it(counts):
    parts, sure = expansion(words_of(counts))
    assert sure.mean() > 0.9
    for row in np.flatnonzero(sure).tolist():
        whole = counts[row] * UNIT
        assert abs(sum(Fraction(float(part[row])) for part in parts) - whole) <= abs(whole) / 2**200


def test_a_rounding_that_is_sure_is_right_ties_too(counts):
    number, _ = expansion(words_of(counts))
    found, sure = rounding(number)
    ties = slice(0, 300)
    assert sure[ties].all()  # nothing is left over: the processor rounded them to even
    assert [float(f) for f, s in zip(found, sure, strict=True) if s] == [
        c / 2**188 for c, s in zip(counts, sure, strict=True) if s
    ]


def test_near_ties_that_two_parts_cannot_tell_are_not_called_sure():
    count = ((2 * (2**52 + 5) + 1) << 130) + 1  # the third part decides
    _, sure = rounding(expansion(words_of([count]))[0])
    assert not sure[0]


@pytest.mark.parametrize("divisor", [1, 2, 3, 7, 12, 1_000_003, 2**40 + 1])
def test_a_quotient_that_is_sure_is_right(counts, divisor):
    number, _ = expansion(words_of(counts))
    found, sure = quotient(number, np.full(len(counts), float(divisor)))
    assert sure.mean() > 0.6
    for row in np.flatnonzero(sure).tolist():
        assert found[row] == counts[row] / (divisor * 2**188)


def test_a_mean_that_is_a_tie_is_settled():
    tie = 2 * (2**52 + 5) + 1
    found, sure = quotient(expansion(words_of([3 * tie << 60]))[0], np.array([3.0]))
    assert sure[0]
    assert found[0] == (3 * tie << 60) / (3 << 188)


def test_products_and_sums_are_exact():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=500) * 10.0 ** rng.integers(-30, 30, 500), rng.normal(size=500)
    for made, exact in ((two_sum(a, b), lambda x, y: x + y), (two_product(a, b), lambda x, y: x * y)):
        for k in range(500):
            whole = exact(Fraction(float(a[k])), Fraction(float(b[k])))
            assert Fraction(float(made[0][k])) + Fraction(float(made[1][k])) == whole


def test_pairs_keep_a_hundred_bits():
    rng = np.random.default_rng(2)
    pairs = [two_sum(rng.random(400) + 0.1, rng.random(400) * 2.0**-54) for _ in range(2)]
    factor = rng.random(400) + 0.5
    made = {
        "add": (add(*pairs), lambda x, y, f: x + y),
        "subtract": (subtract(*pairs), lambda x, y, f: x - y),
        "multiply": (multiply(*pairs), lambda x, y, f: x * y),
        "divide": (divide(*pairs), lambda x, y, f: x / y),
        "scale": (scale(pairs[0], factor), lambda x, y, f: x * f),
    }
    for k in range(400):
        x, y = (Fraction(float(p[0][k])) + Fraction(float(p[1][k])) for p in pairs)
        for name, (found, exact) in made.items():
            whole = exact(x, y, Fraction(float(factor[k])))
            got = Fraction(float(found[0][k])) + Fraction(float(found[1][k]))
            assert abs(got - whole) <= abs(whole) / 2**101, name
        high, low = (float(part[k]) for part in root(pairs[0]))
        assert abs((Fraction(high) + Fraction(low)) ** 2 - x) <= x / 2**100
