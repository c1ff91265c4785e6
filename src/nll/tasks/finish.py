"""From the state of a score to its result: the only place where sums are divided and rounded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from numbers import Number
from typing import Any, cast

from nll.results import moments
from nll.results.score import Score, Scores
from nll.results.student import cluster_df
from nll.states.plain import NAN
from nll.states.tally import COUNTERS, PLAIN, WEIGHTED, Tallies

Part = tuple[list[int], list[int]]  # the exact sums and the counters of a group, or of a cluster within it


def finish(
    state: Tallies,
    by: tuple[str, ...],
    cluster: bool,
    distribution: str,
    description: str,
    locate: Callable[[int], str],
) -> Score | Scores:
    """Return the Score of all rows, or Scores in the order of their keys."""
    about = (distribution, description)
    groups = Groups(state, len(by), cluster, about)
    total = replace(
        score_of(groups.everything(), state.weighted, cluster, about),
        first_impossible=tuple(locate(row) for row in state.first),
        largest_clipped=state.excess,
    )
    return Scores(by, groups, total) if by else total


class Groups(Mapping[Any, Score]):
    """The Score of each group, made when it is asked for: a thousand of them take longer than a million rows.

    A key is the value of the grouping column, or a tuple of values where there are several. Missing keys come last,
    and NaN, which orders with nothing, before them.
    """

    def __init__(self, state: Tallies, width: int, cluster: bool, about: tuple[str, str]) -> None:
        self.state, self.width, self.cluster, self.about = state, width, cluster, about
        self.made: dict[Any, Score] = {}

    def everything(self) -> list[Part]:
        """Return what adds up to all rows: one part, or one of each cluster, which may lie in several groups."""
        groups = len(self.state.keys)
        if not self.cluster:
            return [(self.state.sums.total(groups), self.state.counters[:groups].sum(axis=0).tolist())]
        clusters: dict[Any, list[Part]] = {}
        for key, place in self.state.keys.items():
            clusters.setdefault(key[-1], []).append(self.part(place))
        return [added(parts) for parts in clusters.values()]

    def part(self, place: int) -> Part:
        """Return the sums and counters at an index of the state."""
        sums = [self.state.sums.count(place, index) for index in range(self.state.sums.words.shape[1])]
        return sums, self.state.counters[place].tolist()

    @cached_property
    def places(self) -> dict[Any, list[int]]:
        """The indices of each group: one, or one of each of its clusters."""
        found: dict[tuple[Any, ...], list[int]] = {}
        for saved, place in self.state.keys.items():
            key = tuple(math.nan if value is NAN else value for value in saved) if NAN in saved else saved
            found.setdefault(key[: self.width], []).append(place)
        order = sorted(found, key=lambda key: [_rank(value) for value in key])
        return {key if self.width > 1 else key[0]: found[key] for key in order}

    def __getitem__(self, key: Any) -> Score:
        if key not in self.made:
            parts = [self.part(place) for place in self.places[key]]
            self.made[key] = score_of(parts, self.state.weighted, self.cluster, self.about)
        return self.made[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def _rank(value: Any) -> tuple[Any, ...]:
    """Return what orders a value among those of its column, which tallies of different tables may mix."""
    if value is None or value != value:
        return value is None, True
    return False, False, "" if isinstance(value, Number) else type(value).__name__, value


def added(parts: Iterable[Part]) -> Part:
    """Return the sums and counters of several parts together."""
    sums, counters = zip(*parts, strict=True)
    return [sum(column) for column in zip(*sums, strict=True)], [sum(column) for column in zip(*counters, strict=True)]


def score_of(parts: list[Part], weighted: bool, cluster: bool, about: tuple[str, str]) -> Score:
    """Return the Score of parts: of the clusters, where there are such, or of anything that adds up."""
    width = len(WEIGHTED if weighted else PLAIN)
    sums, counters = added(parts) if parts else ([0] * width, [0] * len(COUNTERS))
    rows, impossible, clipped, missing, unweighted, ignored = counters
    n = rows + impossible
    used = [part for part in parts if part[1][0] + part[1][1]] if cluster else []
    df = None
    if cluster:
        terms = [_loss_and_weight(part, weighted) for part in used]
        estimate, df = moments.clustered(terms), cluster_df(weight for _, weight in terms)
    elif weighted:
        estimate = moments.weighted(n, *sums)
    else:
        estimate = moments.unweighted(n, *sums)
    total, weight, mean, stderr = estimate
    if impossible:
        total = mean = stderr = math.inf
    if n == 0 and ignored:
        mean = cast(float, None)  # nothing was to be scored: no number stands for that, and NaN looks like a failure
    return Score(
        total,
        mean,
        stderr,
        n,
        weight,
        read=n + missing + unweighted + ignored,
        missing=missing,
        unweighted=unweighted,
        ignored=ignored,
        impossible=impossible,
        clipped=clipped,
        clusters=len(used) if cluster else None,
        distribution=about[0],
        source=about[1],
        df=df,
    )


def _loss_and_weight(part: Part, weighted: bool) -> tuple[int, int]:
    """Return sum w l and sum w of a cluster, in units of 2**-1074."""
    sums, counters = part
    if weighted:
        return sums[WEIGHTED.index("loss")], sums[WEIGHTED.index("weight")]
    return sums[PLAIN.index("loss")], (counters[0] + counters[1]) * moments.UNIT
