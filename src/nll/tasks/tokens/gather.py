"""What a pass over documents of tokens gathers, and the result that it makes of it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nll.numerics.exact import exact_sum, rounded
from nll.results.tokens import TokenScore, TokenScores, exponential
from nll.sources.tokens.read import EXAMPLES, Logs
from nll.states.documents import FINENESS, SIZES, WEIGHTS, Columns, DocumentTallies, Moments, Part, Rows
from nll.tasks.tokens.each import Each
from nll.tasks.tokens.rates import rate
from nll.tasks.tokens.summary import DOCUMENT, LENGTH, POSITION, Choices, Summary

LARGEST_BUCKET_OF_ONE = 1


@dataclass(slots=True)
class Ordinary:
    """Ordinary documents of a file, side by side: what a pass adds, and what it says of each."""

    rows: Rows
    names: Sequence[str | None]
    lines: Sequence[int]
    choices: Sequence[int]
    keys: Sequence[tuple[Any, ...]]
    clusters: Sequence[Any]
    contexts: Sequence[Any]
    strides: Sequence[Any]


class Pass:
    """Documents as they come, and the result of all: sums of fixed size, and some numbers a document."""

    def __init__(self, choices: Choices, unit: str) -> None:
        self.choices, self.unit = choices, unit
        self.total = Moments()
        self.groups: dict[tuple[Any, ...], Moments] = {}
        # Parts by cluster, where a cluster may have several documents: of all, which has no key, and of the groups.
        self.whole, self.parts = DocumentTallies(), DocumentTallies()
        self.documents = Columns()
        self.perplexities: dict[tuple[Any, ...], array[float]] = {}
        self.impossible: list[str] = []
        self.contexts: dict[Any, None] = {}
        self.strides: dict[Any, None] = {}

    def add(self, found: Summary) -> None:
        """Add a document."""
        self._add_part(found.whole, found.cluster)
        whole = found.whole
        finite, tokens = rounded(whole.loss), whole.count("tokens")
        if self.choices.by:
            for key, part in found.parts.items():
                self._add_part(part, found.cluster, key)
                if POSITION not in self.choices.by and tokens:
                    own = math.inf if whole.impossible else exponential(finite / tokens)
                    self.perplexities.setdefault(key, array("d")).append(own)
        numbers = {name: [size] for name, size in zip(SIZES, whole.sizes, strict=True)}
        numbers |= {"line": [found.line], "choice": [found.choice], "tokens": [tokens]}
        numbers |= {"impossible": [whole.impossible], "sentinels": [whole.count("sentinels")]}
        name = None if found.name == found.place else found.name
        self.documents.extend(found.path, [name], [finite], **numbers)
        if found.first_impossible and len(self.impossible) < EXAMPLES:
            self.impossible.append(found.first_impossible)
        self.contexts.setdefault(repr(found.context) if _unhashable(found.context) else found.context)
        self.strides.setdefault(repr(found.stride) if _unhashable(found.stride) else found.stride)

    def _add_part(self, part: Part, cluster: Any, key: tuple[Any, ...] | None = None) -> None:
        if self.choices.cluster != DOCUMENT:
            (self.whole if key is None else self.parts).add(key or (), cluster, part)
        elif key is None:
            self.total.add(part)
        else:
            self.groups.setdefault(key, Moments()).add(part)

    def add_ordinary(self, path: str, found: Ordinary) -> None:
        """Add documents of a file, side by side."""
        rows, finite = found.rows, [loss / (1 << FINENESS) for loss in found.rows.losses]
        tokens = rows.counts["tokens"]
        if self.choices.cluster == DOCUMENT:
            self.total.add_rows(rows)
        else:
            for i, cluster in enumerate(found.clusters):
                self._add_part(rows.part(i), cluster)
        if self.choices.by:
            which: dict[tuple[Any, ...], list[int]] = {}
            for i, key in enumerate(found.keys):
                which.setdefault(key, []).append(i)
            for key, own in which.items():
                if self.choices.cluster == DOCUMENT:
                    self.groups.setdefault(key, Moments()).add_rows(rows.take(own))
                else:
                    for i in own:
                        self._add_part(rows.part(i), found.clusters[i], key)
                self.perplexities.setdefault(key, array("d")).extend([exponential(finite[i] / tokens[i]) for i in own])
        sizes = dict(zip(SIZES, rows.sizes, strict=True))
        self.documents.extend(path, found.names, finite, line=found.lines, choice=found.choices, tokens=tokens, **sizes)
        self.contexts.update(dict.fromkeys(found.contexts))
        self.strides.update(dict.fromkeys(found.strides))

    def merge(self, other: Pass) -> None:
        """Add the pass over documents that follow."""
        self.total.merge(other.total)
        for key, own in other.groups.items():
            self.groups.setdefault(key, Moments()).merge(own)
        self.whole.merge(other.whole)
        self.parts.merge(other.parts)
        self.documents.merge(other.documents)
        for key, values in other.perplexities.items():
            self.perplexities.setdefault(key, array("d")).extend(values)
        self.impossible = [*self.impossible, *other.impossible][:EXAMPLES]
        self.contexts |= other.contexts
        self.strides |= other.strides

    def finish(self, logs: Logs, source: str) -> TokenScore | TokenScores:
        """Return the score of all documents, or scores by group."""
        about: dict[str, Any] = {"unit": self.unit, "span": self.choices.span or "all", "source": source}
        each = Each(self.documents)
        ends = {
            "read": logs.read,
            "skipped": logs.skipped,
            "first_skipped": tuple(logs.first_skipped),
            "first_impossible": tuple(self.impossible),
            "contexts": tuple(value for value in self.contexts if value is not None),
            "strides": tuple(value for value in self.strides if value is not None),
            "each": each,
        }
        total, groups = self.total, self.groups
        if self.choices.cluster != DOCUMENT:
            total = moments(self.whole).get((), total)
            groups = moments(self.parts)
        score = score_of(total, each.perplexities(), {**about, **ends})
        if not self.choices.by:
            return score
        order = sorted(
            groups, key=lambda key: [(v is None, isinstance(v, str), v if v is not None else 0) for v in key]
        )
        made = {self._key(key): score_of(groups[key], self.perplexities.get(key, ()), about) for key in order}
        return TokenScores(self.choices.by, made, score)

    def _key(self, key: tuple[Any, ...]) -> Any:
        named = tuple(
            label(value) if name in (POSITION, LENGTH) else value
            for name, value in zip(self.choices.by, key, strict=True)
        )
        return named if len(named) != 1 else next(iter(named))


def moments(parts: DocumentTallies) -> dict[tuple[Any, ...], Moments]:
    """Return the sums over clusters by group."""
    found: dict[tuple[Any, ...], Moments] = {}
    for (key, _), part in parts.parts.items():
        found.setdefault(key, Moments()).add(part)
    return found


def label(low: int) -> str:
    """Return the words for a bucket: "4-7"."""
    return str(low) if low <= LARGEST_BUCKET_OF_ONE else f"{low}-{2 * low - 1}"


def _unhashable(value: Any) -> bool:
    return isinstance(value, (list, dict))


def score_of(sums: Moments, own: Sequence[float], about: dict[str, Any]) -> TokenScore:
    """Return the score of sums over clusters; `own` are the perplexities of documents."""
    total = sums.total
    finite = rounded(total.loss)
    counts = ("documents", "tokens", "sentinels", "first", "null", "outside", "special", "lost", "disagreeing")
    return TokenScore(
        nll=math.inf if total.impossible else finite,
        nll_finite=finite,
        rates={name: rate(sums, name) for name in WEIGHTS},
        mean_document_perplexity=exact_sum_or_inf(own) / len(own) if own else math.nan,
        clusters=sums.clusters,
        impossible=total.impossible,
        **{name: total.count(name) for name in counts},
        **about,
    )


def exact_sum_or_inf(values: Sequence[float]) -> float:
    """Return the sum, rounded once; infinite if one of them is."""
    import numpy as np

    every = np.asarray(values, np.float64)
    return math.inf if np.isinf(every).any() else exact_sum(every)
