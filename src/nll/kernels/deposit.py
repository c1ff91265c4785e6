"""Adding a block of numbers to exact sums, at the speed of the arithmetic that made them.

Adding C = 1.5 * 2**(e + 52) to x, with |x| < 2**(e + 51), rounds x to a multiple of 2**e, and the bit pattern of
the result, less that of C, is the integer that counts those multiples. Integers add exactly in any order, so the
loops vectorise and no order, split or vector width changes a bit. The remainder x - ((x + C) - C) is exact and
goes on to the next, finer slice. Source of the rounding trick: T. J. Dekker, "A floating-point technique for
extending the available precision", Numerische Mathematik 18 (1971), section 4; of its use for reproducible
sums: J. Demmel and H. D. Nguyen, "Fast reproducible floating-point summation", ARITH 21 (2013).

Sums are WORDS integers each (`numerics/window.py`), in one flat array: views of two dimensions double the cost
of a grouped row.
"""

import numpy as np
from numba import njit

from nll.numerics.formula import FORMULA_OPTIONS, bind
from nll.numerics.intrinsics import bits_of
from nll.numerics.window import UNITS, WORDS

U = np.uint64
SHORT = 8  # integers in a row of a short table: a cache line
BLOCK = 1024  # rows: losses, observations and a parameter fit the first-level cache; slices of 51 bits an int64

# Slices of 51 bits for one sum: two hold every double of 2**-39 to 2**11, four down to the window's end.
SLICE_UNITS = (-40, -91, -142, -193)
P1, P2, P3, P4 = map(np.int64, SLICE_UNITS)  # for a whole number of Python, Numba compiles once more each
C1, C2, C3, C4 = (1.5 * 2.0 ** (unit + 52) for unit in SLICE_UNITS)
B1, B2, B3, B4 = (np.float64(c).view(np.uint64) for c in (C1, C2, C3, C4))

# Slices of 40 bits for many sums: 2**22 of them fit an int64, so no carry is due within a batch.
T0, T1, T2, T3, T4, T5 = (1.5 * 2.0 ** (unit + 52) for unit in UNITS)
D1, D2, D3 = (np.float64(c).view(np.uint64) for c in (T1, T2, T3))

# Which numbers slices hold whole, as the bits of |x|: 0, or from a smallest to below a largest. Integers, so that
# running extremes tell of a block what would take four operations a number to see in the remainders.
ABSOLUTE, ONE, LARGEST = U(0x7FFFFFFFFFFFFFFF), U(1), U(0xFFFFFFFFFFFFFFFF)
PAIR_LOW, PAIR_HIGH = (np.float64(x).view(np.uint64) for x in (2.0**-19, 2.0**5))  # x and x**2, in two slices
SLICE_LOW = np.float64(2.0**-39).view(np.uint64)  # x, in two slices
C12 = C1 + C2  # exact; x - ((x + C1) - C12) is the remainder with C2 added, in one rounding and one operation less
BLOCK_HIGH = np.float64(2.0**11).view(np.uint64)  # in four slices; the window ends above where they do
TABLE_LOW, TABLE_HIGH = (np.float64(x).view(np.uint64) for x in (2.0**-56, 2.0**11))

inline = njit(**FORMULA_OPTIONS)


def apart(function):
    """Compile a function by itself, for all kernels to call: inlined into each, it made them take seconds longer."""
    return bind(function)


@inline
def add_integer(flat, at, count, unit):
    """Add count * 2**unit to the sum at flat[at]; the unit is a constant where this is inlined."""
    # The coarsest word whose unit is not above 2**unit, and where the count stands in it.
    j = (UNITS[0] - unit + 39) // 40
    shift = unit - (UNITS[0] - 40 * j)
    if j >= WORDS:  # the slice reaches below the window, where the bits of its numbers are 0
        count = count >> (UNITS[WORDS - 1] - unit)
        j, shift = WORDS - 1, 0
    rest = count >> (40 - shift)
    at = U(at)
    flat[at + U(j)] += (count & ((1 << (40 - shift)) - 1)) << shift
    flat[at + U(j - 1)] += rest & ((1 << 40) - 1)
    flat[at + U(j - 2)] += rest >> 40


@apart
def add_number(flat, at, x):
    """Add one double of the window to the sum at flat[at]."""
    t = (x + T0) - T0
    flat[at] += np.int64(t * 2.0**-12)
    x -= t
    t = (x + T1) - T1
    flat[at + 1] += np.int64(t * 2.0**28)
    x -= t
    t = (x + T2) - T2
    flat[at + 2] += np.int64(t * 2.0**68)
    x -= t
    t = (x + T3) - T3
    flat[at + 3] += np.int64(t * 2.0**108)
    x -= t
    t = (x + T4) - T4
    flat[at + 4] += np.int64(t * 2.0**148)
    flat[at + 5] += np.int64((x - t) * 2.0**188)


@apart
def add_slices(flat, at, n, s1, s2, q1, q2):
    """Add the sums of two slices of n numbers to the sum at flat[at], of their squares to that at flat[at + WORDS]."""
    n = U(n)
    add_integer(flat, at, np.int64(s1 - n * B1), P1)
    add_integer(flat, at, np.int64(s2 - n * B2), P2)
    add_integer(flat, at + WORDS, np.int64(q1 - n * B1), P1)
    add_integer(flat, at + WORDS, np.int64(q2 - n * B2), P2)


@apart
def add_small_squares(values, flat, at):
    """Add what two slices do not hold of the squares of a few small numbers to the sum at flat[at].

    Returns whether there are but a few; if not, nothing has been added.
    """
    few = np.int64(values.size // 8)
    for i in range(values.size):
        few -= np.int64((bits_of(values[i]) & ABSOLUTE) - ONE < PAIR_LOW - ONE)
    if few < 0:
        return False
    for i in range(values.size):
        if (bits_of(values[i]) & ABSOLUTE) - ONE < PAIR_LOW - ONE:
            x = values[i] * values[i]
            x -= (x + C1) - C1
            add_number(flat, at, x - ((x + C2) - C2))
    return True


@apart
def add_pair(losses, flat, at):
    """Add losses to the sum at flat[at] and their squares to that at flat[at + WORDS], if two slices hold them all.

    Returns whether they do, but for the squares of a few; if not, nothing has been added.
    """
    s1 = s2 = q1 = q2 = high = U(0)
    low = LARGEST
    for i in range(losses.size):
        x = losses[i]
        bits = bits_of(x) & ABSOLUTE
        high = max(high, bits)
        low = min(low, bits - ONE)  # 0 wraps to the largest
        t = x + C1
        s1 += bits_of(t)
        s2 += bits_of(x - (t - C12))
        x = x * x
        t = x + C1
        q1 += bits_of(t)
        q2 += bits_of(x - (t - C12))
    if (high >= PAIR_HIGH) | (low < SLICE_LOW - ONE):
        return False
    if low < PAIR_LOW - ONE and not add_small_squares(losses, flat, at + WORDS):
        return False
    add_slices(flat, at, losses.size, s1, s2, q1, q2)
    return True


@apart
def flush(short, flat, code):
    """Move the slices of a group to its sums; its rows stay counted."""
    source, at = code * U(SHORT), code * U(2 * WORDS)
    add_integer(flat, at, short[source + U(1)], P1)
    add_integer(flat, at, short[source + U(2)], P2)
    add_integer(flat, at + U(WORDS), short[source + U(3)], P1)
    add_integer(flat, at + U(WORDS), short[source + U(4)], P2)
    for j in range(1, 5):
        short[source + U(j)] = 0


@apart
def add_pair_grouped(losses, codes, slices, short, flat):
    """Do what `add_pair` does, for the sums of each row's group.

    A group's row of `short` has its rows, two slices of losses and two of squares: five additions a row in one
    cache line. After BLOCK rows of a group its slices go on to its sums in `flat`, before they could overflow.
    """
    l1, l2, q1, q2 = slices[0], slices[1], slices[2], slices[3]
    high, low = U(0), LARGEST
    for i in range(losses.size):
        x = losses[i]
        bits = bits_of(x) & ABSOLUTE
        high = max(high, bits)
        low = min(low, bits - ONE)
        t = x + C1
        l1[i] = bits_of(t) - B1
        l2[i] = bits_of(x - (t - C12)) - B2
        x = x * x
        t = x + C1
        q1[i] = bits_of(t) - B1
        q2[i] = bits_of(x - (t - C12)) - B2
    if (high >= PAIR_HIGH) | (low < PAIR_LOW - ONE):
        return False
    for i in range(losses.size):
        code = U(codes[i])
        at = code * U(SHORT)
        rows = short[at] + 1
        short[at] = rows
        short[at + U(1)] += l1[i]
        short[at + U(2)] += l2[i]
        short[at + U(3)] += q1[i]
        short[at + U(4)] += q2[i]
        if rows & (BLOCK - 1) == 0:
            flush(short, flat, code)
    return True


@apart
def one_code(codes):
    """Say whether all rows of a block are of one group, as in sorted tables."""
    if codes[0] != codes[-1]:
        return False
    same = True
    for i in range(codes.size):
        same &= codes[i] == codes[0]
    return same


@apart
def add_block(values, flat, at):
    """Add numbers of the window to the sum at flat[at]: in four slices, or one by one where those do not hold all."""
    s1 = s2 = s3 = s4 = high = U(0)
    for i in range(values.size):
        x = values[i]
        high = max(high, bits_of(x) & ABSOLUTE)
        t = x + C1
        s1 += bits_of(t)
        x -= t - C1
        t = x + C2
        s2 += bits_of(t)
        x -= t - C2
        t = x + C3
        s3 += bits_of(t)
        s4 += bits_of((x - (t - C3)) + C4)
    if high >= BLOCK_HIGH:
        for i in range(values.size):
            add_number(flat, at, values[i])
    else:
        n = U(values.size)
        add_integer(flat, at, np.int64(s1 - n * B1), P1)
        add_integer(flat, at, np.int64(s2 - n * B2), P2)
        add_integer(flat, at, np.int64(s3 - n * B3), P3)
        add_integer(flat, at, np.int64(s4 - n * B4), P4)


@apart
def add_grouped(values, codes, flat, stride, offset, slices):
    """Add each number of the window to the sum at flat[stride * code + offset]."""
    first, second, third = slices[0], slices[1], slices[2]
    high, low = U(0), LARGEST
    for i in range(values.size):
        x = values[i]
        bits = bits_of(x) & ABSOLUTE
        high = max(high, bits)
        low = min(low, bits - ONE)
        t = x + T1
        first[i] = bits_of(t) - D1
        x -= t - T1
        t = x + T2
        second[i] = bits_of(t) - D2
        third[i] = bits_of((x - (t - T2)) + T3) - D3
    if (high >= TABLE_HIGH) | (low < TABLE_LOW - ONE):
        for i in range(values.size):
            add_number(flat, U(codes[i]) * stride + offset, values[i])
        return
    for i in range(values.size):
        at = U(codes[i]) * stride + offset
        flat[at + U(1)] += first[i]
        flat[at + U(2)] += second[i]
        if third[i] != 0:  # rare: numbers above 2**-16 have no bits there
            flat[at + U(3)] += third[i]
