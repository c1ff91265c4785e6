"""From the sums of a pass to means and their standard errors: whole numbers, divided and rounded once."""

from __future__ import annotations

import math

from nll.results.moments import RESOLUTION_BITS, UNIT, _root
from nll.results.tokens import Rate
from nll.states.documents import WEIGHTS, Moments


def rate(sums: Moments, name: str) -> Rate:
    """Return the losses divided by tokens, bytes, ..., with an error clustered as the sums are.

    The error is sqrt(G / (G - 1) sum_g (L_g - m W_g)**2) / W over the G clusters, m = L / W; the sum is
    Q - 2 m P + m**2 R, where Q, P and R are the sums of L_g**2, L_g W_g and W_g**2, and exact.
    """
    total = sums.total
    count = total.count("tokens") if name == "tokens" else total.size(name)
    if not count:
        return Rate(math.nan, math.nan, count)
    if total.impossible:
        return Rate(math.inf, math.inf, count)
    i = WEIGHTS.index(name)
    weight, square_weight, product = sums.weights[i], sums.squares[i], sums.products[i]
    if not weight or square_weight is None or product is None:
        return Rate(_mean(total.loss, count), math.nan, count)
    loss, clusters = total.loss, sums.clusters
    whole = sums.square * weight * weight
    spread = whole - 2 * weight * loss * product + loss * loss * square_weight
    if spread << 2 * RESOLUTION_BITS <= whole:  # as `moments.clustered` has it
        spread = 0
    stderr = _root(spread * clusters, weight**4 * (clusters - 1) * UNIT * UNIT) if clusters > 1 else math.nan
    return Rate(_mean(loss, count), stderr, count)


def _mean(loss: int, count: int) -> float:
    """Return the mean over all of the text, that of documents without a scored token included."""
    try:
        return loss / (count * UNIT)
    except OverflowError:
        return math.inf
