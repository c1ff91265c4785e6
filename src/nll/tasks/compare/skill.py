"""The skill of a model: what part of the NLL of a baseline it does without, and the standard error of that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from nll.results.moments import RESOLUTION_BITS, UNIT
from nll.states.plain import NAN
from nll.states.tally import COUNTERS, PLAIN, WEIGHTED, Tallies

ROWS, IMPOSSIBLE = COUNTERS.index("rows"), COUNTERS.index("impossible")


def skill(model: Tallies, base: Tallies, pair: Tallies, places: tuple[list[int], ...]) -> tuple[float, float]:
    """Return 1 - R with R = sum(w l) / sum(w b), and its standard error, for rows that are independent.

    The delta method: the variance of R is n / (n - 1) sum(w**2 (l - R b)**2) / sum(w b)**2, and the products l b come
    from the squares of l, of b and of their difference. That the baseline was fitted to these rows adds nothing: at
    the minimum of its NLL a small change of its parameters changes that by nothing.

    Parameters
    ----------
    model, base, pair : the states of the losses l, b and of their difference.
    places : the indices in these of the rows to be counted.
    """
    names = WEIGHTED if model.weighted else PLAIN
    (own, q_own), (other, q_other), (_, q_pair) = (
        tuple(sum(tally.sums.count(i, names.index(name)) for i in at) for name in ("loss", "square"))
        for tally, at in zip((model, base, pair), places, strict=True)
    )
    rows = int(model.counters[places[0]][:, ROWS].sum())
    value = _value(model, base, places[0], places[1], own, other)
    if not math.isfinite(value) or rows < 2:
        return value, math.nan
    # times sum(w b)**2, in whole numbers
    parts = q_own * other * other + own * own * q_other
    spread = parts - own * other * (q_own + q_other - q_pair)
    if spread << RESOLUTION_BITS <= parts:
        spread = 0
    return value, math.sqrt(Fraction(spread * UNIT * rows, other**4 * (rows - 1)))


def clustered_skill(model: Tallies, base: Tallies, places: tuple[list[int], ...]) -> tuple[float, float]:
    """Return what `skill` does, for rows that depend on each other within clusters, the last of each key."""
    sums = [_by_cluster(tally, at) for tally, at in zip((model, base), places, strict=False)]
    own, other = (sum(each.values()) for each in sums)
    value, clusters = _value(model, base, places[0], places[1], own, other), len(sums[0])
    if not math.isfinite(value) or clusters < 2:
        return value, math.nan
    terms = [(s * other, sums[1].get(key, 0) * own) for key, s in sums[0].items()]
    spread = sum((a - b) ** 2 for a, b in terms)
    if spread << 2 * RESOLUTION_BITS <= sum(a * a for a, _ in terms):
        spread = 0
    return value, math.sqrt(Fraction(spread * clusters, other**4 * (clusters - 1)))


def heaviest(pair: Tallies, places: list[int]) -> float:
    """Return what part of the sum of squared differences, of clusters from their mean, the largest one makes up."""
    sums = _by_cluster(pair, places)
    weights = _by_cluster(pair, places, "weight")
    total, weight = sum(sums.values()), sum(weights.values())
    if len(sums) < 2 or not weight:
        return 0.0
    mean = Fraction(total, weight)
    squares = [float(sums[key] / UNIT - mean * weights[key] / UNIT) ** 2 for key in sums]
    whole = math.fsum(squares)
    return max(squares) / whole if whole > 0.0 else 0.0


def places_of(tally: Tallies, width: int, group: Any = None) -> list[int]:
    """Return the indices of a group in a state, one of each of its clusters; of all rows for None."""
    if group is None:
        return list(range(len(tally.keys)))
    wanted = group if width > 1 else (group,)
    return [at for key, at in tally.keys.items() if all(map(_same, key, wanted))]


def _same(saved: Any, value: Any) -> bool:
    return (saved is NAN and value != value) or (saved is not NAN and type(saved) is type(value) and saved == value)


def _value(model: Tallies, base: Tallies, own_at: list[int], base_at: list[int], own: int, other: int) -> float:
    if not own_at or not base_at or other <= 0 or _impossible(base, base_at):
        return math.nan
    return -math.inf if _impossible(model, own_at) else float(1 - Fraction(own, other))


def _impossible(tally: Tallies, places: Iterable[int]) -> int:
    return int(tally.counters[list(places)][:, IMPOSSIBLE].sum())


def _by_cluster(tally: Tallies, places: list[int], name: str = "loss") -> dict[Any, int]:
    names = WEIGHTED if tally.weighted else PLAIN
    keys = {at: key[-1] for key, at in tally.keys.items()}
    found: dict[Any, int] = {}
    for at in places:
        rows = int(tally.counters[at][ROWS])
        if rows:
            value = rows * UNIT if name not in names else tally.sums.count(at, names.index(name))
            found[keys[at]] = found.get(keys[at], 0) + value
    return found
