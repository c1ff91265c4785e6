"""The sign test and the Wilcoxon signed-rank test of paired losses: no moments are needed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.results.evidence import SignTest, WilcoxonTest
from nll.tasks.compare.losses import losses_of
from nll.tasks.compare.tails import two_sided_normal, two_sided_sign

Array = npt.NDArray[Any]
MOST_EXACT = 60  # rows for which the distribution of the rank sum is counted out


def sign_test(a: Any, b: Any) -> SignTest:
    """Test whether one model has the lower loss in more than half of the rows; rows of equal loss do not count.

    An infinite loss is a loss like others: larger than any finite one, and equal to another infinite one.

    Parameters
    ----------
    a, b : arrays (n,) of row losses in nats, or fits.

    Examples
    --------
    >>> import nll
    >>> t = nll.sign_test([0.1, 0.2, 0.3, 0.2, 0.9], [0.2, 0.4, 0.5, 0.2, 1.0])
    >>> t.wins, t.losses, t.ties, round(t.p_value, 12)
    (4, 0, 1, 0.125)
    """
    of_a, of_b = _both(a, b)
    wins, losses = int((of_a < of_b).sum()), int((of_a > of_b).sum())
    decided = wins + losses
    rate = wins / decided if decided else math.nan
    return SignTest(wins, losses, len(of_a) - decided, rate, two_sided_sign(wins, losses))


def wilcoxon(a: Any, b: Any) -> WilcoxonTest:
    """Test whether differences of paired losses are symmetric around 0, by the ranks of their sizes.

    Rows without a difference are left out, equal sizes share their mean rank. Up to 60 rows p is exact, given the
    ranks; beyond it is normal, with the variance n (n + 1) (2 n + 1) / 24 - sum(t**3 - t) / 48 over ties of t rows.

    Parameters
    ----------
    a, b : arrays (n,) of row losses in nats, or fits.

    Source: F. Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1 (1945).

    Examples
    --------
    >>> import nll
    >>> nll.wilcoxon([0.1, 0.2, 0.3, 0.2], [0.2, 0.4, 0.6, 0.1]).p_value
    0.375
    """
    of_a, of_b = _both(a, b)
    same = (of_a == of_b) & np.isinf(of_a)
    d = np.where(same, 0.0, of_b - np.where(same, 0.0, of_a))
    d = d[(d != 0.0) & ~same]
    n = len(d)
    if n == 0:
        return WilcoxonTest(0.0, math.nan, 1.0, 0, len(of_a), True)
    doubled, sizes = doubled_ranks(np.abs(d))
    plus = int(doubled[d > 0.0].sum())
    mean = 0.25 * n * (n + 1)
    variance = n * (n + 1) * (2 * n + 1) / 24.0 - float((sizes.astype(np.float64) ** 3 - sizes).sum()) / 48.0
    z = (0.5 * plus - mean) / math.sqrt(variance)
    exact = n <= MOST_EXACT
    p_value = exact_rank_sum(doubled, plus) if exact else two_sided_normal(z)
    return WilcoxonTest(0.5 * plus, z, p_value, n, len(of_a) - n, exact)


def _both(a: Any, b: Any) -> tuple[Array, Array]:
    of_a, of_b = losses_of(a, "a"), losses_of(b, "b")
    if len(of_a) != len(of_b):
        raise DataError(f"a has {len(of_a):,} rows and b {len(of_b):,}: models are compared on the same rows only")
    for name, values in (("a", of_a), ("b", of_b)):
        wrong = np.flatnonzero(np.isnan(values))
        if wrong.size:
            raise DataError(f"row {wrong[0]} of {name} has no loss: nan")
    return of_a, of_b


def doubled_ranks(sizes: Array) -> tuple[Array, Array]:
    """Return twice the mean rank of each number, a whole number, and how many numbers share each rank."""
    _, which, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (2 * last - counts + 1)[which].astype(np.int64), counts


def exact_rank_sum(doubled: Array, plus: int) -> float:
    """Return the two-sided p of the doubled rank sum `plus`: every pattern of signs is equally likely."""
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1.0
    for rank in doubled.tolist():
        shifted = np.zeros_like(ways)
        shifted[rank:] = ways[: len(ways) - rank]
        ways = 0.5 * (ways + shifted)
    fewer = min(plus, len(ways) - 1 - plus)
    return min(1.0, 2.0 * math.fsum(ways[: fewer + 1]))
