"""Rows of logits that come in pieces of the vocabulary: the log of the sum of their exp, in the making.

A row's state is its largest logit so far, the sum of exp(z - largest) over all other classes, as two doubles, and the
logit of its own class. The largest itself stays out of the sum, so that a class that is nearly certain has a loss with
all its digits. When a larger logit comes, the sum is scaled to it.

Source: M. Milakov and N. Gimelshein, Online normalizer calculation for softmax (2018), algorithm 3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.numerics.elementary import exp, log1p
from nll.numerics.formula import bind, quiet
from nll.numerics.pairs import two_sum
from nll.numerics.shaped import shape_row
from nll.numerics.softmax import exp_difference, halved_sum

Array = npt.NDArray[Any]
INF = np.inf
NUMBERS_BEFORE_COMPILING = 10_000

LARGEST, REST, LOST, CHOSEN = range(4)  # columns of a state


def begun(rows: int) -> Array:
    """Return the state of rows that no logit has come to."""
    state = np.zeros((rows, 4))
    state[:, LARGEST], state[:, CHOSEN] = -np.inf, np.nan
    return state


def absorb(z, first, classes, temperature, softcap, state, wrong):
    """Add the classes first, first + 1, ... to the states of rows.

    Parameters
    ----------
    z : (n, k) logits.
    classes : (n,) int64, negative for a row that is left alone.
    state : (n, 4) doubles.
    wrong : (n,) int64, receives the first class whose logit is NaN or infinite; -1 before.
    """
    width = z.shape[1]
    shaped, scratch = np.empty(width), np.empty(width)
    for i in range(classes.size):
        k = classes[i]
        if k < 0:
            continue
        shape_row(z[i], temperature, softcap, shaped)
        top, largest, strange = 0, -INF, -1
        for j in range(width):
            x = shaped[j]
            if x > largest:
                largest, top = x, j
            if strange < 0 and not x < INF:
                strange = j
        if strange >= 0:
            wrong[i] = first + strange if wrong[i] < 0 else wrong[i]
            continue
        if first <= k < first + width:
            state[i, 3] = shaped[k - first]
        if largest == -INF:
            continue
        before, rest, lost = state[i, 0], state[i, 1], state[i, 2]
        high = largest if largest > before else before
        for j in range(width):
            scratch[j] = exp_difference(shaped[j], high)
        if largest > before:
            scratch[top] = 0.0
            scale = exp(before - high) if before > -INF else 0.0
            rest, lost = rest * scale, lost * scale + scale  # with the old largest, which was the 1
        total, rounding = two_sum(rest, halved_sum(scratch, width))
        state[i, 0], state[i, 1], state[i, 2] = high, total, lost + rounding


def settled(state: Array) -> Array:
    """Return the losses of rows."""
    with quiet():
        ends = state[:, LARGEST] - state[:, CHOSEN]
        logs = np.array([log1p(np.float64(rest)) for rest in state[:, REST] + state[:, LOST]])
        return np.where(ends < np.inf, ends + logs, ends)


def pass_of(numbers: int) -> Callable[..., None]:
    """Return `absorb`, compiled where there are so many numbers that it pays."""
    return _compiled() if numbers >= NUMBERS_BEFORE_COMPILING or _compiled.cache_info().currsize else _plain


def _plain(*arguments: Any) -> None:
    with quiet():
        absorb(*arguments)


@cache
def _compiled() -> Any:
    return bind(absorb)
