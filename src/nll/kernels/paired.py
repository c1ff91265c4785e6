"""Adding the losses of several models, and their differences by pair, to exact sums in one pass over a batch.

A block whose numbers the exact sums cannot take as they stand (infinite, or outside the window) is only marked, and
the caller adds it by other means: so nothing is branched on twice, and nothing is lost.
"""

# ruff: noqa: F821
import numpy as np

from nll.kernels.arguments import row
from nll.kernels.deposit import (
    ABSOLUTE,
    B1,
    B2,
    BLOCK,
    C1,
    C2,
    LARGEST,
    ONE,
    PAIR_HIGH,
    PAIR_LOW,
    SLICE_UNITS,
    U,
    add_block,
    add_integer,
    add_pair,
    apart,
)
from nll.numerics.intrinsics import bits_of, float_of
from nll.numerics.window import HIGHEST_ROOT, LOWEST_ROOT, WORDS

SIGN = U(63)


@apart
def add_squares(values, scratch, flat, at):
    """Do what `add_pair` does for all numbers of the window whose squares lie in it too."""
    good = True
    for i in range(values.size):
        x = abs(values[i])
        good &= (x < HIGHEST_ROOT) & ((x >= LOWEST_ROOT) | (x == 0.0))
    if not good:
        return False
    for i in range(values.size):
        scratch[i] = values[i] * values[i]
    add_block(values, flat, at)
    add_block(scratch[: values.size], flat, at + WORDS)
    return True


@apart
def count_block(a, b, counts, pair):
    """Count the rows of a block in which a is the lower, and in which both are equal."""
    lower = equal = np.int64(0)
    for i in range(a.size):
        lower += np.int64(a[i] < b[i])
        equal += np.int64(a[i] == b[i])
    counts[pair, 0] += lower
    counts[pair, 1] += equal


@apart
def add_difference(a, b, flat, at, counts, largest, pair):
    """Do what `add_pair` does for the differences b - a, and count them, all while they are in registers.

    Returns whether two slices hold them all; if not, nothing has been added or counted.
    """
    s1 = s2 = q1 = q2 = high = above = U(0)
    low = least = LARGEST
    for i in range(a.size):
        x = b[i] - a[i]
        bits = bits_of(x)
        above += bits >> SIGN
        bits &= ABSOLUTE
        high = max(high, bits)
        least = min(least, bits)
        low = min(low, bits - ONE)  # 0, which any slice holds, becomes the largest
        t = x + C1
        s1 += bits_of(t)
        s2 += bits_of((x - (t - C1)) + C2)
        x = x * x
        t = x + C1
        q1 += bits_of(t)
        q2 += bits_of((x - (t - C1)) + C2)
    if (high >= PAIR_HIGH) | (low < PAIR_LOW - ONE):
        return False
    n = U(a.size)
    add_integer(flat, at, np.int64(s1 - n * B1), SLICE_UNITS[0])
    add_integer(flat, at, np.int64(s2 - n * B2), SLICE_UNITS[1])
    add_integer(flat, at + WORDS, np.int64(q1 - n * B1), SLICE_UNITS[0])
    add_integer(flat, at + WORDS, np.int64(q2 - n * B2), SLICE_UNITS[1])
    if least == U(0):  # a tie, whose difference may be -0
        count_block(a, b, counts, pair)
    else:
        counts[pair, 0] += np.int64(n - above)
    largest[pair] = max(largest[pair], float_of(high) * float_of(high))
    return True


@apart
def paired(losses, first, second, flat, counts, largest, done):
    """Add the losses of a batch and the differences of pairs of models.

    Parameters
    ----------
    losses : (models, n).
    first, second : (pairs,), the models of each pair; its difference is that of the second less that of the first.
    flat : ((models + pairs) * 2 * WORDS,) int64, the sums and sums of squares, which grow.
    counts : (pairs, 2), rows in which the first has the lower loss, and in which both are equal; largest : (pairs,),
        the largest squared difference of the blocks that are done. They grow.
    done : (blocks, models + pairs) bool, receives whether a block of 1,024 rows was added.
    """
    models, n = losses.shape
    difference, scratch = np.empty(BLOCK), np.empty(BLOCK)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        block = start // BLOCK
        for m in range(models):
            own, at = losses[m, start:stop], m * 2 * WORDS
            done[block, m] = add_pair(own, flat, at) or add_squares(own, scratch, flat, at)
        for p in range(first.size):
            a, b, d = losses[first[p], start:stop], losses[second[p], start:stop], difference[: stop - start]
            at = (models + p) * 2 * WORDS
            if add_difference(a, b, flat, at, counts, largest, p):
                done[block, models + p] = True
                continue
            count_block(a, b, counts, p)
            most = 0.0
            for i in range(d.size):
                d[i] = b[i] - a[i]
                most = max(most, abs(d[i]))
            good = add_squares(d, scratch, flat, at)
            done[block, models + p] = good
            if good:
                largest[p] = max(largest[p], most * most)


def slopes(y, theta, out):
    """Fill `out` (n, parameters) with the gradient of each row's loss."""
    for i in range(y.size):
        found = gradient(y[i], *row(theta, i))
        for k in range(len(found)):
            out[i, k] = found[k]
