"""Adding the losses of several models, and their differences by pair, to exact sums in one pass over a batch.

A block whose numbers the exact sums cannot take as they stand (infinite, or outside the window) is only marked, and
the caller adds it by other means: so nothing is branched on twice, and nothing is lost.
"""

# ruff: noqa: F821
import numpy as np

from nll.kernels.arguments import row
from nll.kernels.deposit import (
    ABSOLUTE,
    BLOCK,
    C1,
    C12,
    LARGEST,
    ONE,
    PAIR_HIGH,
    PAIR_LOW,
    SLICE_LOW,
    U,
    add_block,
    add_pair,
    add_slices,
    add_small_squares,
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
def add_difference(a, b, scratch, flat, at, counts, largest, pair):
    """Do what `add_pair` does for the differences b - a, and count them, all while they are in registers.

    Returns whether they could be added; if not, they have only been counted.
    """
    s1 = s2 = q1 = q2 = high = above = ties = U(0)
    low = LARGEST
    for i in range(a.size):
        x = (b[i] - a[i]) + 0.0  # the sign of a tie is +
        bits = bits_of(x)
        above += bits >> SIGN
        bits = (bits & ABSOLUTE) - ONE  # of a tie it becomes the largest
        ties += bits >> SIGN
        low = min(low, bits)
        high = max(high, bits + ONE)
        t = x + C1
        s1 += bits_of(t)
        s2 += bits_of(x - (t - C12))
        x = x * x
        t = x + C1
        q1 += bits_of(t)
        q2 += bits_of(x - (t - C12))
    n = U(a.size)
    if (high < PAIR_HIGH) & (low >= PAIR_LOW - ONE):
        add_slices(flat, at, a.size, s1, s2, q1, q2)
        counts[pair, 0] += np.int64(n - above - ties)
        counts[pair, 1] += np.int64(ties)
    else:
        count_block(a, b, counts, pair)
        difference = scratch[0, : a.size]
        for i in range(a.size):
            difference[i] = b[i] - a[i]
        if (high < PAIR_HIGH) & (low >= SLICE_LOW - ONE) and add_small_squares(difference, flat, at + WORDS):
            add_slices(flat, at, a.size, s1, s2, q1, q2)
        elif not add_squares(difference, scratch[1], flat, at):
            return False
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
    scratch = np.empty((2, BLOCK))
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        block = start // BLOCK
        for m in range(models):
            own, at = losses[m, start:stop], m * 2 * WORDS
            done[block, m] = add_pair(own, flat, at) or add_squares(own, scratch[0], flat, at)
        for p in range(first.size):
            a, b, at = losses[first[p], start:stop], losses[second[p], start:stop], (models + p) * 2 * WORDS
            done[block, models + p] = add_difference(a, b, scratch, flat, at, counts, largest, p)


def slopes(y, theta, out):
    """Fill `out` (n, parameters) with the gradient of each row's loss."""
    for i in range(y.size):
        found = gradient(y[i], *row(theta, i))
        for k in range(len(found)):
            out[i, k] = found[k]
