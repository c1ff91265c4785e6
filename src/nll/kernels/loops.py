"""Passes over a batch, written once. `kernels/kernel.py` binds the names of formulas to a family's own.

A row whose loss cannot be added as it stands (infinite, NaN, beyond a clipping limit, out of the window of
the exact sums, or with invalid input, which `fill` marks by NaN) is odd: the pass adds nothing for it and lists
it, and the caller, in Python, sees what it is. So nothing is branched on twice, and nothing is lost.
"""

# ruff: noqa: F821
import numpy as np

from nll.kernels.arguments import cut, row
from nll.kernels.deposit import (
    BLOCK,
    SHORT,
    U,
    add_block,
    add_grouped,
    add_pair,
    add_pair_grouped,
    apart,
    flush,
    inline,
    one_code,
)
from nll.numerics.window import HIGHEST_ROOT, LOWEST_ROOT, WORDS

NAN, INF = np.nan, np.inf
# Numba compiles a function once more for each whole number of Python that it is given as an argument; not for these.
NONE, SECOND, THIRD, FOURTH, FIFTH = (np.int64(k * WORDS) for k in range(5))


def fill_by_row(y, theta, out):
    """out[i] = the loss of row i: infinite off the support, NaN where y or a parameter is not valid."""
    sure = True
    for i in range(y.size):
        value = np.float64(y[i])
        theta_i = row(theta, i)
        out[i] = loss(value, *theta_i)
        sure &= valid(value, *theta_i) & supported(value, *theta_i)
    if not sure:  # selects in the loop above would cost every block what few need
        for i in range(y.size):
            value = np.float64(y[i])
            theta_i = row(theta, i)
            x = out[i] if supported(value, *theta_i) else INF
            out[i] = x if valid(value, *theta_i) else NAN


def fill_by_matrix(y, theta, out):
    """out[i] = the sum of the losses of row i of a matrix of independent observations, left to right."""
    for i in range(out.size):
        total, good = 0.0, True
        theta_i = row(theta, i)
        for j in range(y.shape[1]):
            value, theta_ij = np.float64(y[i, j]), row(theta_i, j)
            good &= valid(value, *theta_ij)
            total += loss(value, *theta_ij) if supported(value, *theta_ij) else INF
        out[i] = total if good else NAN


def each(theta, out):
    """Fill `out` with the value of a formula at each row."""
    for i in range(out.size):
        out[i] = value(*row(theta, i))


def rows(y, theta, out):
    """Fill `out` with the losses of a batch."""
    for start in range(0, out.size, BLOCK):
        stop = min(start + BLOCK, out.size)
        fill(y[start:stop], cut(theta, start, stop), out[start:stop])


@inline
def fits(x):
    """Say whether x and its square lie in the window of the exact sums."""
    return (abs(x) < HIGHEST_ROOT) & ((abs(x) >= LOWEST_ROOT) | (x == 0.0))


@apart
def set_aside(losses, weights, limit, start, odd, found):
    """Put 0 for the rows of a block that are odd, and their indices into odd[found:]; return how many are found."""
    strange = False
    for i in range(losses.size):
        x = losses[i]
        regular = fits(x) & (x <= limit)
        if weights is not None:
            regular &= (weights[i] >= 0.0) & fits(weights[i]) & fits(weights[i] * x)
        strange |= not regular
    if strange:
        for i in range(losses.size):
            x = losses[i]
            regular = fits(x) & (x <= limit)
            if weights is not None:
                regular &= (weights[i] >= 0.0) & fits(weights[i]) & fits(weights[i] * x)
            if not regular:
                odd[found] = start + i
                found += 1
                losses[i] = 0.0
                if weights is not None:
                    weights[i] = 0.0
    return found


@apart
def add(values, codes, flat, stride, offset, slices):
    if codes is None:
        add_block(values, flat, offset)
    else:
        add_grouped(values, codes, flat, U(stride), U(offset), slices)


@apart
def room(weights, codes, counts):
    """Return what a pass works in: losses, weights, products and squares of a block, its slices, and short sums."""
    short = np.zeros(SHORT * counts.size if codes is not None and weights is None else 0, np.int64)
    return np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty((4, BLOCK), np.int64), short


@apart
def settle(start, stop, weights, codes, limit, flat, counts, odd, found, work):
    """Add the losses of a block, which lie in work[0], to the sums; return how many rows are odd up to here.

    Apart from `tally`, so that all families share it: compiled into each, it doubled the time of a first use.
    """
    losses, weight, product, scratch, slices, short = work
    size = stop - start
    loss_b, product_b, scratch_b = losses[:size], product[:size], scratch[:size]
    weight_b = None if weights is None else weight[:size]
    code_b = None if codes is None else codes[start:stop]
    if weights is None and limit == INF:
        if codes is None or one_code(code_b):
            code = 0 if codes is None else np.int64(code_b[0])
            if add_pair(loss_b, flat, code * 2 * WORDS):
                counts[code] += size
                return found
        elif add_pair_grouped(loss_b, code_b, slices, short, flat):
            return found
    if weights is not None:
        weight_b[:] = weights[start:stop]
    first = found
    found = set_aside(loss_b, weight_b, limit, start, odd, found)
    if codes is None:
        counts[0] += size - (found - first)
    else:
        for i in range(size):
            counts[U(code_b[i])] += 1
        for j in range(first, found):
            counts[U(codes[odd[j]])] -= 1
    if weights is None:
        stride = 2 * WORDS
        add(loss_b, code_b, flat, stride, NONE, slices)
        for i in range(size):
            product_b[i] = loss_b[i] * loss_b[i]
        add(product_b, code_b, flat, stride, SECOND, slices)
    else:
        stride = 5 * WORDS
        add(weight_b, code_b, flat, stride, NONE, slices)
        for i in range(size):
            product_b[i] = weight_b[i] * loss_b[i]
            scratch_b[i] = weight_b[i] * weight_b[i]
        add(product_b, code_b, flat, stride, SECOND, slices)
        add(scratch_b, code_b, flat, stride, THIRD, slices)
        for i in range(size):
            scratch_b[i] = weight_b[i] * product_b[i]
            product_b[i] = product_b[i] * product_b[i]
        add(scratch_b, code_b, flat, stride, FOURTH, slices)
        add(product_b, code_b, flat, stride, FIFTH, slices)
    return found


@apart
def close(short, flat, counts):
    """Move what short sums hold to the sums."""
    for code in range(short.size // SHORT):
        flush(short, flat, U(code))
        counts[code] += short[code * SHORT]


def tally(y, theta, weights, codes, limit, flat, counts, odd):
    """Add the losses of a batch to a table of exact sums; return how many rows are odd.

    Parameters
    ----------
    y, theta : the observations, (n,) or (n, k), and the tuple of parameters.
    weights : (n,) doubles, or None: every row counts once.
    codes : (n,) integers, the group of each row, or None: one group.
    limit : losses above it are odd; infinity for none.
    flat : (groups * sums * WORDS,) int64. Sums without weights: loss, loss**2. With weights w: w, w loss, w**2,
        w (w loss), (w loss)**2, each product rounded once.
    counts : (groups,) int64, the rows added.
    odd : (n,) int64, receives the indices of odd rows.
    """
    n = y.shape[0]
    work = room(weights, codes, counts)
    found = NONE
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        fill(y[start:stop], cut(theta, start, stop), work[0][: stop - start])
        found = settle(start, stop, weights, codes, limit, flat, counts, odd, found, work)
    close(work[5], flat, counts)
    return found
