"""Rows of class logits: -log softmax of one class.

Narrow rows, and rows whose numbers need all of a double, go through `precise_row`: within 2 ulp of the truth.
Wide rows of numbers that float32 holds, whatever the type of the array, go through `wide_rows`: sixteen classes at a
time in float32, their exp added as doubles in an order that is written down, so the same bits for any CPU. Their error
is below 1e-7 nats where the loss is above CONFIDENT; smaller losses are done again precisely, so no loss is off by
more than 1e-4 of itself. 16-bit numbers are widened as they are read, and give the bits of their float32.

Numbers from 79 on would overflow float32, and so would a row far below 0 vanish: `shifted_total` subtracts the largest
of such a row first, in a second pass over it.
"""

import numpy as np

from nll.numerics.bits import U, bits_of
from nll.numerics.elementary import exp, exp_of_sum, log, log1p
from nll.numerics.formula import formula
from nll.numerics.pairs import two_sum
from nll.numerics.single import (
    ROUND,
    F,
    bits32_of,
    exp32,
    exp_total,
    float32_of,
    number,
    ordered,
    singles,
)

ROWS = 128  # of narrow rows, done together
WIDE = 64  # classes from which float32 pays
CONFIDENT = 1e-3  # nats
INF, NAN = np.inf, np.nan
I32, U32 = np.int32, np.uint32
DIRECT_BITS = U32(
    (ROUND + F(115.0)).view(np.uint32)
)  # of what `exp_total` returns: z below 79.3, and exp(z) in float32
LEAST_TOTAL = 4.2e-18  # exp(-40), beside which exp(-87) a class is nothing
LOWEST, HIGHEST = I32(-2147483648), I32(2147483647)
ORDERED_MINUS_INF, ORDERED_INF = I32(-2139095041), I32(2139095040)

# Each exp(z - max), in (0, 1], is added as a multiple of 2**-40: exact for what float32 holds above 2**-17.
FIXED = 1.5 * 2.0 ** (52 - 40)
FIXED_BITS = np.float64(FIXED).view(np.uint64)
FIXED_UNIT = 2.0**-40


@formula
def lanes_sum(values):
    """Add numbers in eight fixed lanes, so that the sum vectorises and its bits do not depend on how."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = values.size - values.size % 8
    for j in range(0, whole, 8):
        s0 += np.float64(values[j])
        s1 += np.float64(values[j + 1])
        s2 += np.float64(values[j + 2])
        s3 += np.float64(values[j + 3])
        s4 += np.float64(values[j + 4])
        s5 += np.float64(values[j + 5])
        s6 += np.float64(values[j + 6])
        s7 += np.float64(values[j + 7])
    for j in range(whole, values.size):
        s0 += np.float64(values[j])
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@formula
def halved_sum(values, size):
    """Return the sum of values[:size], which it overwrites: halves are added to halves, so few roundings add up."""
    while size > 1:
        rest = size - size // 2
        for j in range(size // 2):
            values[j] += values[rest + j]
        size = rest
    return values[0]


@formula
def exp_difference(x, largest):
    """Return exp(x - largest), for x <= largest.

    The difference is a pair: where one class is nearly certain, its rounding would be most of the error.
    """
    d, d_low = two_sum(x, -largest)
    seen = d > -746.0  # below, the result is 0, but would take a subnormal's time
    e = exp_of_sum(d if seen else 0.0, d_low if seen else 0.0)
    return e if seen else 0.0


@formula
def precise_normaliser(z, scratch):
    """Return the largest logit and log sum exp(z - largest), NaN unless there is a largest and it is finite."""
    top, largest, strange = 0, -INF, False
    for j in range(z.size):
        x = np.float64(number(z[j]))
        strange |= x != x
        if x > largest:
            largest, top = x, j
    if strange or not abs(largest) < INF:
        return NAN, NAN
    for j in range(z.size):
        scratch[j] = exp_difference(np.float64(number(z[j])), largest)
    scratch[top] = 0.0  # its exp is the 1 of log1p
    return largest, log1p(halved_sum(scratch, z.size))


@formula
def precise_row(z, k, scratch):
    """Return -log softmax(z)[k]."""
    largest, normaliser = precise_normaliser(z, scratch)
    d, d_low = two_sum(largest, -np.float64(number(z[k])))
    y = d + (normaliser + d_low)
    return y if d < INF else d


@formula
def direct_total(z):
    """Return sum exp(z) and whether it is right: to 8e-8 relative, for numbers below DIRECT that float32 holds.

    No maximum is subtracted, so one pass does; what is far below the sum may be anything, minus infinity too.
    """
    total, top, held = exp_total(z)  # pyright: ignore
    return total, held & (top < DIRECT_BITS) & (total >= LEAST_TOTAL)


@formula
def shifted_total(z):
    """Return sum exp(z - largest) and the largest of float32 logits, NaN if one is none."""
    top, bottom = LOWEST, HIGHEST
    for j in range(z.size):
        bits = ordered(bits32_of(z[j]))
        top, bottom = max(top, bits), min(bottom, bits)
    # In this order a NaN lies above infinity or below minus infinity.
    good = (top < ORDERED_INF) & (bottom >= ORDERED_MINUS_INF) & (top > ORDERED_MINUS_INF)
    largest = float32_of(ordered(top))
    total = U(0)
    for j in range(z.size):
        total += bits_of(np.float64(exp32(F(z[j] - largest))) + FIXED)
    return np.float64(np.int64(total - U(z.size) * FIXED_BITS)) * FIXED_UNIT, np.float64(largest) if good else NAN


@formula
def wide_rows(z, classes, out):
    """Fill out with -log softmax(z[i])[classes[i]] for rows of many classes, each by its values: see above."""
    width = z.shape[1]
    scratch, single = np.empty(width), np.empty(width, np.float32)
    rest, chosen, shift = np.zeros(out.size), np.zeros(out.size), np.full(out.size, NAN)
    for i in range(out.size):
        k = classes[i]
        if k >= 0:
            x = number(z[i, k])
            total, good = direct_total(z[i])
            if good:
                # The class itself is added again as a double, so that a small loss has no error of its exp.
                rest[i], chosen[i], shift[i] = total - np.float64(exp32(F(x))), np.float64(x), 0.0
            else:
                row, held = singles(z[i], single)  # pyright: ignore
                if held:
                    total, largest = shifted_total(row)
                    rest[i], chosen[i] = total - np.float64(exp32(F(F(x) - F(largest)))), np.float64(x)
                    shift[i] = largest
    for i in range(out.size):
        out[i] = log(rest[i] + exp(chosen[i] - shift[i])) + (shift[i] - chosen[i])
    for i in range(out.size):
        if not out[i] >= CONFIDENT:
            out[i] = precise_row(z[i], classes[i], scratch) if classes[i] >= 0 else NAN


@formula
def narrow_rows(z, classes, out):  # noqa: PLR0912 (Numba compiles one function)
    """Fill out with -log softmax(z[i])[classes[i]] for rows of a few classes: the loops run across ROWS rows.

    Sums are compensated (Neumaier 1974), so that the last bit of a loss does not depend on the number of classes.
    Each loop has three arrays at most, or LLVM would not prove them apart and not vectorise.
    """
    width = z.shape[1]
    columns = np.zeros((width, ROWS))
    largest, found, term, total, rest = np.empty(ROWS), np.empty(ROWS), np.empty(ROWS), np.empty(ROWS), np.empty(ROWS)
    for start in range(0, out.size, ROWS):
        rows = min(ROWS, out.size - start)
        block = z[start : start + rows]
        for j in range(width):
            column = columns[j]
            for i in range(rows):
                column[i] = np.float64(block[i, j])
        largest[:], found[:], total[:], rest[:] = columns[0], 0.0, 0.0, 0.0
        strange = False
        for j in range(width):
            column = columns[j]
            for i in range(ROWS):
                strange |= column[i] != column[i]
                largest[i] = column[i] if column[i] > largest[i] else largest[i]
        for j in range(width):
            column = columns[j]
            for i in range(ROWS):  # the first of the largest is left out: its exp is the 1 of log1p
                first = (column[i] == largest[i]) & (found[i] == 0.0)
                found[i] = 1.0 if first else found[i]
                column[i] = -INF if first else column[i]
        for j in range(width):
            column = columns[j]
            for i in range(ROWS):
                term[i] = exp_difference(column[i], largest[i])
            for i in range(ROWS):
                s, lost = two_sum(total[i], term[i])
                total[i] = s
                rest[i] += lost
        for i in range(ROWS):
            term[i] = log1p(total[i] + rest[i])
        for i in range(rows):
            k = classes[start + i]
            d, d_low = two_sum(largest[i], -np.float64(block[i, max(k, 0)]))
            y = d + (term[i] + d_low) if d < INF else d
            out[start + i] = y if (k >= 0) & (abs(largest[i]) < INF) else NAN
        if strange:
            for i in range(rows):
                for j in range(width):
                    out[start + i] = NAN if block[i, j] != block[i, j] else out[start + i]
