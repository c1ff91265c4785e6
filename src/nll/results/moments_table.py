"""The estimates of many groups at once: what `moments` gives for each, in the same bits, by arrays of doubles.

Sums, means and standard errors are computed to twice the digits of a double with a bound of the error. Where the bound
does not settle to which double the number rounds, the group is `unsettled`, and `moments` does it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nll.numerics.expansions import (
    PAIR_ERROR,
    Pair,
    add,
    divide,
    expansion,
    multiply,
    pair,
    quotient,
    root,
    rounding,
    scale,
    settled,
    subtract,
    two_product,
)
from nll.results.moments import RESOLUTION_BITS

Array = npt.NDArray[Any]
Number = list[Array]

CUT = 2.0**-93  # `moments` cuts a root to 96 bits before it rounds it
UNSURE = 2.0**-40  # of a comparison


class Estimates(NamedTuple):
    """Of each group (n,): its estimate, and whether another must make it."""

    sum: Array
    weight: Array
    mean: Array
    stderr: Array
    unsettled: Array


def estimates(rows: Array, words: Array) -> Estimates:
    """Return the estimates of groups.

    Parameters
    ----------
    rows : (n,) int64, of each group.
    words : (n, sums, 6) int64, its exact sums after a carry, all in the window: two without weights, else five.
    """
    made = [expansion(words[:, index]) for index in range(words.shape[1])]
    sums, sure = [number for number, _ in made], np.logical_and.reduce([each for _, each in made])
    with np.errstate(all="ignore"):  # groups without rows divide by 0, and are done again
        found = _unweighted(rows, *sums) if len(sums) == 2 else _weighted(rows, *sums)
    return found._replace(unsettled=found.unsettled | ~sure | (rows < 1))


def _unweighted(rows: Array, loss: Number, square: Number) -> Estimates:
    n = rows.astype(np.float64)
    total, total_sure = rounding(loss)
    mean, mean_sure = quotient(loss, n)
    whole = scale(pair(square), n)
    variance = subtract(whole, multiply(pair(loss), pair(loss)))
    divisor = scale(two_product(n, n), n - 1.0)
    stderr, stderr_sure = _stderr(rows, variance, whole, lambda v: divide(v, divisor))
    return Estimates(total, n, mean, stderr, ~(total_sure & mean_sure & stderr_sure))


def _weighted(
    rows: Array, weight: Number, loss: Number, square_weight: Number, weight_loss: Number, square: Number
) -> Estimates:
    n = rows.astype(np.float64)
    total, total_sure = rounding(loss)
    together, together_sure = rounding(weight)
    mean, mean_sure = _ratio(loss, weight)
    w, own = pair(weight), pair(loss)
    squared = multiply(w, w)
    whole = add(multiply(pair(square), squared), multiply(multiply(own, own), pair(square_weight)))
    spread = subtract(whole, scale(multiply(multiply(own, w), pair(weight_loss)), np.full(len(n), 2.0)))
    divisor = scale(multiply(squared, squared), n - 1.0)
    stderr, stderr_sure = _stderr(rows, spread, whole, lambda v: divide(scale(v, n), divisor))
    # Squares of tiny weights are lost, and then there is no standard error: whoever is near that is done again.
    kept = 2.0 * n * square_weight[0] > squared[0] * (1.0 + UNSURE)
    return Estimates(
        total, together, mean, stderr, ~(total_sure & together_sure & mean_sure & stderr_sure & kept & (together > 0.0))
    )


def _ratio(top: Number, bottom: Number) -> tuple[Array, Array]:
    """Return a quotient of sums, rounded once, and where that is sure."""
    whole = (bottom[1] == 0.0) & (bottom[2] == 0.0) & (bottom[3] == 0.0)  # as of weights with few digits
    single, single_sure = quotient(top, bottom[0])
    high, low = divide(pair(top), pair(bottom))
    sure = settled(high, low, PAIR_ERROR * np.abs(high))
    return np.where(whole, single, high), np.where(whole, single_sure, sure)


def _stderr(rows: Array, variance: Pair, whole: Pair, divided: Any) -> tuple[Array, Array]:
    """Return the root of `divided(variance)`, or 0 where this is the noise of `whole`; and where it is sure."""
    error = PAIR_ERROR * whole[0]
    noise = whole[0] * 2.0**-RESOLUTION_BITS
    none = variance[0] + error < noise * (1.0 - UNSURE)
    some = variance[0] - error > noise * (1.0 + UNSURE)
    high, low = root(divided(variance))
    sure = settled(high, low, high * (CUT + error / variance[0]))
    nothing = none | (whole[0] == 0.0)
    value = np.where(rows > 1, np.where(nothing, 0.0, high), np.nan)
    return value, (rows == 1) | nothing | (some & sure)
