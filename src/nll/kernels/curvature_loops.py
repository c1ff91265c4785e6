"""The pass of a fit, written once: sums of losses, gradients and Hessians. `curvature.py` binds the formulas.

A pass works through segments: a stretch of rows and one parameter vector for it. A fit of one sample has one segment,
a fit of groups one a group (rows lie sorted by group), a search from several starts several over the same rows. Within
a segment parameters are loop invariants, so that what depends on them alone is computed once.
"""

# ruff: noqa: F821
import numpy as np

from nll.kernels.curvature_arguments import mixed, put, taken
from nll.kernels.deposit import apart

INF = np.inf
BLOCK = 256  # rows; ten sums of them are 20 KiB
LANES = 8
STRIDE = BLOCK + LANES  # from one sum's rows to the next; a power of two would put all of them into the same cache sets


@apart
def set_aside(good, weights, block, size, width, first, counts, firsts, s):
    """Zero the rows of a block that cannot be added, and count them: counts[s] = impossible, invalid."""
    for i in range(size):
        if good[i] == 1.0 and abs(block[i]) < INF:
            continue
        if weights is None or weights[i] > 0.0:
            kind = 1 if good[i] == 2.0 or block[i] != block[i] or (good[i] == 1.0 and block[i] < 0.0) else 0
            if counts[s, kind] == 0:
                firsts[s, kind] = first + i
            counts[s, kind] += 1
        for j in range(width):
            block[j * STRIDE + i] = 0.0


@apart
def add_up(block, size, width, sums, s):
    """Add each sum of a block by halves, a fixed tree that vectorises, and then to `sums` with its rounding error."""
    half = LANES
    while 2 * half < size:
        half *= 2
    for j in range(width):
        values = block[j * STRIDE : j * STRIDE + 2 * half]
        for i in range(size, 2 * half):
            values[i] = 0.0
        h = half
        while h >= LANES:
            low, high = values[:h], values[h : 2 * h]
            for i in range(h):
                low[i] += high[i]
            h //= 2
        x = ((values[0] + values[4]) + (values[2] + values[6])) + ((values[1] + values[5]) + (values[3] + values[7]))
        a = sums[s, j, 0]
        total = a + x
        b = total - a
        sums[s, j, 0] = total
        sums[s, j, 1] += (a - (total - b)) + (x - b)


def leave(y, columns, numbers, start, size, block):
    """Leave a block as it is: the formulas that filled it hold everywhere."""


def redo(y, columns, numbers, start, size, block):
    """Fill a block again by formulas that hold everywhere."""
    for i in range(size):
        put(careful(y[i], *mixed(columns, numbers, start + i)), block, i, STRIDE)


def segments(y, columns, table, weights, lower, upper, sums, counts, firsts):
    """Add the pieces of each segment's rows.

    Parameters
    ----------
    y : (n,) doubles.
    columns : a tuple of one entry a parameter: None, or its array (n,).
    table : (segments, parameters) doubles, flat.
    weights : (n,) doubles, or None.
    lower, upper : (segments,) int64, the rows of each.
    sums : (segments, WIDTH, 2) doubles: sum and rounding error of w * each piece.
    counts, firsts : (segments, 2) int64: impossible and invalid rows, and the first of each.
    """
    block, good = np.empty(WIDTH * STRIDE), np.empty(BLOCK)
    for s in range(lower.size):
        numbers = taken(columns, table, s * len(columns))
        for start in range(lower[s], upper[s], BLOCK):
            stop = min(start + BLOCK, upper[s])
            size = stop - start
            y_b = y[start:stop]  # an index that LLVM sees is not negative; another would not vectorise
            sure = True
            for i in range(size):
                value = y_b[i]
                theta = mixed(columns, numbers, start + i)
                found = pieces(value, *theta)
                put(found, block, i, STRIDE)
                sure &= valid(value, *theta) & supported(value, *theta) & (abs(found[0]) < INF)
            weight_b = None if weights is None else weights[start:stop]
            if not sure:
                again(y_b, columns, numbers, start, size, block)
                for i in range(size):
                    value = y_b[i]
                    theta = mixed(columns, numbers, start + i)
                    inner = 1.0 if supported(value, *theta) else 0.0
                    good[i] = inner if valid(value, *theta) else 2.0
                    if inner == 0.0:
                        block[i] = INF
                set_aside(good, weight_b, block, size, WIDTH, start, counts, firsts, s)
            if weights is not None:
                for j in range(WIDTH):
                    values = block[j * STRIDE : j * STRIDE + size]
                    for i in range(size):
                        values[i] *= weight_b[i]
            add_up(block, size, WIDTH, sums, s)
