"""Arrays of numbers as sums of doubles: products and sums without error, and rounding that knows when it is sure.

An expansion is a list of arrays whose sum is the number: the first is the number rounded, each next one what is left.
A pair is the first two, good to about 2**-104 of the number. Nothing here overflows for numbers of the window of exact
sums, and for products of four of them.

Source: M. Joldes, J.-M. Muller and V. Popescu, Tight and rigorous error bounds for basic building blocks of
double-word arithmetic, ACM Transactions on Mathematical Software 44 (2017), algorithms 2, 3, 6, 9 and 12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nll.numerics.window import UNITS

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]

SPLITTER = 134217729.0  # 2**27 + 1
PAIR_ERROR = (
    2.0**-100
)  # of any quotient or root of pairs, as a part of it: 2**-102 at most by the bounds, with a margin
PASSES = 3  # after which six words of 40 bits have three leading parts
MOST_IN_DOUBLE = 2**53


def two_sum(a: Array, b: Array) -> Pair:
    """Return a + b rounded, and its error."""
    total = a + b
    rest = total - a
    return total, (a - (total - rest)) + (b - rest)


def two_product(a: Array, b: Array) -> Pair:
    """Return a b rounded, and its error."""
    product = a * b
    left, right = SPLITTER * a, SPLITTER * b
    a_high, b_high = left - (left - a), right - (right - b)
    a_low, b_low = a - a_high, b - b_high
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def expansion(words: Array) -> tuple[list[Array], Array]:
    """Return numbers, given as words (n, 6) after a carry, as [first, second, third, what is left], and which are so.

    Those are left out whose first word has more than 53 bits, and those whose rest is not small.
    """
    parts = [words[:, j].astype(np.float64) * 2.0**unit for j, unit in enumerate(UNITS)]
    for _ in range(PASSES):
        for j in range(len(parts) - 1, 0, -1):
            parts[j - 1], parts[j] = two_sum(parts[j - 1], parts[j])
    rest = parts[5] + parts[4] + parts[3]
    sure = (np.abs(words[:, 0]) <= MOST_IN_DOUBLE) & (np.abs(rest) <= 2.0**-150 * np.abs(parts[0]))
    return [*parts[:3], rest], sure


def settled(high: Array, low: Array, error: Array) -> Array:
    """Return where high + low, known up to `error`, rounds to high whatever the error is."""
    return (high + (low + error) == high) & (high + (low - error) == high)


def rounding(number: list[Array]) -> tuple[Array, Array]:
    """Return an expansion rounded once, and where that is sure."""
    high, low, third, rest = number
    exact = (third == 0.0) & (rest == 0.0)  # then high is the sum of two, which the processor rounded, ties too
    return high, exact | settled(high, low + third, PAIR_ERROR * np.abs(high))


def quotient(number: list[Array], divisor: Array) -> tuple[Array, Array]:
    """Return an expansion divided by doubles above 0, rounded once, and where that is sure."""
    high, low, third, rest = number
    first = high / divisor
    product, below = two_product(first, divisor)
    left, left_low = two_sum((high - product) - below, low)
    second = left / divisor
    product, below = two_product(second, divisor)
    remainder = ((left - product) - below) + left_low
    found, found_low = two_sum(first, second)
    # A mean of few numbers is often a tie, which no bound decides; then nothing is left over.
    exact = (remainder == 0.0) & (third == 0.0) & (rest == 0.0)
    correction = (remainder + third) / divisor
    return found, exact | settled(found, found_low + correction, PAIR_ERROR * np.abs(found))


def pair(number: list[Array]) -> Pair:
    """Return the leading two parts of an expansion."""
    return number[0], number[1]


def add(a: Pair, b: Pair) -> Pair:
    """Return the sum of two pairs."""
    high, low = two_sum(a[0], b[0])
    third, fourth = two_sum(a[1], b[1])
    high, low = fast_two_sum(high, low + third)
    return fast_two_sum(high, low + fourth)


def subtract(a: Pair, b: Pair) -> Pair:
    """Return the difference of two pairs."""
    return add(a, (-b[0], -b[1]))


def scale(a: Pair, factor: Array) -> Pair:
    """Return a pair times doubles."""
    high, low = two_product(a[0], factor)
    return fast_two_sum(high, low + a[1] * factor)


def multiply(a: Pair, b: Pair) -> Pair:
    """Return the product of two pairs."""
    high, low = two_product(a[0], b[0])
    return fast_two_sum(high, low + (a[0] * b[1] + a[1] * b[0] + a[1] * b[1]))


def divide(a: Pair, b: Pair) -> Pair:
    """Return the quotient of two pairs."""
    first = a[0] / b[0]
    second = subtract(a, scale(b, first))[0] / b[0]
    return fast_two_sum(first, second)


def root(a: Pair) -> Pair:
    """Return the square root of a pair above 0."""
    first = np.sqrt(a[0])
    product, below = two_product(first, first)
    return fast_two_sum(first, (((a[0] - product) - below) + a[1]) / (2.0 * first))


def fast_two_sum(a: Array, b: Array) -> Pair:
    """Return a + b rounded, and its error, for |a| >= |b|."""
    total = a + b
    return total, b - (total - a)
