"""What `compare_tokens` returns: models on the same documents, paired."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.results.score import jsonable
from nll.results.show import MOST_GROUPS, _html, _rich, as_text, number
from nll.results.tokens import TokenScore

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class TokenStanding:
    """A model, and its difference to the one that it is compared with.

    Attributes
    ----------
    name, score : the model.
    difference : its mean less that of the base, in `unit` of the comparison; positive where it is worse.
    stderr : of the difference, paired and by clusters; NaN of the base, and where a loss is infinite.
    low, high, p_value : by Student's t with one degree of freedom less than clusters.
    wins, ties : documents of which it has the lower, or the same, NLL.
    """

    name: str
    score: TokenScore
    difference: float = 0.0
    stderr: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan
    wins: int = 0
    ties: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class TokenComparison(Mapping[str, TokenStanding]):
    """Models on the same documents: a mapping from names to standings, the lowest mean first.

    Attributes
    ----------
    standings : of each model.
    base : the model that the others are compared with: the best one, or the reference.
    unit : of means and differences.
    documents, clusters : behind them.
    same_tokens : whether all models cut every text into the same tokens; None where the logs do not say.
    allowed : differences that were to be overlooked, and were there.
    """

    standings: tuple[TokenStanding, ...]
    base: str
    unit: str
    level: float
    documents: int
    clusters: int
    same_tokens: bool | None
    allowed: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> TokenStanding:
        for each in self.standings:
            if each.name == name:
                return each
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self.standings)

    def __len__(self) -> int:
        return len(self.standings)

    @property
    def best(self) -> str:
        """The model with the lowest mean."""
        return self.standings[0].name

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        found = [f"overlooked as you asked: {each}" for each in self.allowed]
        if self.same_tokens is False:
            found.append("the models cut texts into different tokens: their perplexities do not compare")
        elif self.same_tokens is None:
            found.append("the logs do not say how texts are cut into tokens: perplexities may not compare")
        if self.clusters < 2:
            found.append("one cluster: no standard error (NaN)")
        for each in self.standings:
            if each.score.impossible:
                found.append(f"{each.name}: {each.score.notes[0]}")
            elif each.name != self.base and each.stderr == 0.0 and each.difference == 0.0:
                found.append(f"{each.name} and {self.base} have the same losses")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types."""
        rows = [self._row(each) for each in self.standings]
        about = {"best": self.best, "base": self.base, "unit": self.unit, "level": self.level}
        counts = {"documents": self.documents, "clusters": self.clusters, "same_tokens": self.same_tokens}
        return {**about, **counts, "models": rows, "notes": self.notes}

    def _row(self, each: TokenStanding) -> dict[str, Any]:
        names = ("difference", "stderr", "low", "high", "p_value", "wins", "ties")
        own = {"model": each.name, "mean": each.score.mean, "nll": each.score.nll, "tokens": each.score.tokens}
        return own | {name: getattr(each, name) for name in names}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a model."""
        import polars as pl

        return pl.DataFrame([self._row(each) for each in self.standings], infer_schema_length=None)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return title, header, rows and notes."""
        between = f"{100 * self.level:g} % interval"
        header = ["model", "tokens", self.unit, "difference", "stderr", between, "p", "wins", "ties"]
        rows = []
        for each in self.standings:
            own = [each.name, f"{each.score.tokens:,}", number(each.score.mean)]
            if each.name == self.base:
                rows.append([*own, *[""] * 6])
                continue
            interval = f"{number(each.low)} to {number(each.high)}" if math.isfinite(each.low) else "–"
            numbers = [number(each.difference), number(each.stderr), interval, f"{each.p_value:.3g}"]
            rows.append([*own, *numbers, f"{each.wins:,}", f"{each.ties:,}"])
        title = f"{self.documents:,} documents, differences to {self.base!r}, in {self.unit.replace('-', ' ')}"
        return title, header, rows, self.notes

    def rich_table(self) -> RenderableType:
        """Return the comparison as a rich table."""
        return _rich(*self.table(), 1)

    def __repr__(self) -> str:
        return as_text(self.rich_table())

    def _repr_html_(self) -> str:
        return _html(*self.table())


@dataclass(frozen=True, slots=True, repr=False)
class TokenComparisons(Mapping[Any, TokenComparison]):
    """Comparisons by group: a mapping from the key of a group to its TokenComparison, in the order of the keys.

    Attributes
    ----------
    by : the names of the fields; a key is a value, or a tuple of values where there are several.
    groups : the TokenComparison of each group, all with the same base.
    total : the TokenComparison of all documents.
    """

    by: tuple[str, ...]
    groups: Mapping[Any, TokenComparison]
    total: TokenComparison

    def __getitem__(self, key: Any) -> TokenComparison:
        return self.groups[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def _named(self, key: Any) -> dict[str, Any]:
        return dict(zip(self.by, key if len(self.by) > 1 else (key,), strict=True))

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        empty = [str(key) for key, each in self.groups.items() if math.isnan(each.standings[0].score.mean)]
        found = (
            [f"undefined (NaN), for nothing was scored or its size is unknown: {', '.join(empty[:5])}"] if empty else []
        )
        return [*found, *self.total.notes]

    def to_dict(self) -> dict[str, Any]:
        """Return groups and total as plain types."""
        rows = []
        for key, each in self.groups.items():
            kept = {k: v for k, v in each.to_dict().items() if k not in ("unit", "level", "same_tokens", "base")}
            rows.append({**self._named(key), **kept, **self._named(key)})
        return {"by": list(self.by), "groups": rows, "total": self.total.to_dict(), "notes": self.notes}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a group and model."""
        import polars as pl

        rows = [
            {**self._named(key), **row, "documents": each.documents, **self._named(key)}
            for key, each in self.groups.items()
            for row in each.to_dict()["models"]
        ]
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return title, header, rows and notes."""
        title, notes = self.total.table()[0], self.notes
        header = ["model", "documents", "mean", "difference", "stderr", "interval", "p", "wins"]
        body: list[list[str]] = []
        groups = list(self.groups.items())
        for key, each in groups[:MOST_GROUPS]:
            body += [[*map(str, self._named(key).values()), *line] for line in _lines(each)]
        body += [["all", *[""] * (len(self.by) - 1), *line] for line in _lines(self.total)]
        if len(groups) > MOST_GROUPS:
            notes = [f"{len(groups) - MOST_GROUPS:,} more groups: .to_polars() (or --csv) has them all", *notes]
        return f"{title}; {100 * self.total.level:g} % intervals", [*self.by, *header], body, notes

    def rich_table(self) -> RenderableType:
        """Return the comparisons as a rich table."""
        return _rich(*self.table(), len(self.by) + 1)

    def __repr__(self) -> str:
        return as_text(self.rich_table())

    def _repr_html_(self) -> str:
        return _html(*self.table())


def _lines(comparison: TokenComparison) -> Iterator[list[str]]:
    """Write the models of a group in four digits, so that a line fits a terminal."""
    for each in comparison.standings:
        own = [each.name, f"{comparison.documents:,}", _short(each.score.mean)]
        if each.name == comparison.base:
            yield [*own, *[""] * 5]
            continue
        interval = f"{_short(each.low)} to {_short(each.high)}" if math.isfinite(each.low) else "–"
        p_value = "–" if math.isnan(each.p_value) else f"{each.p_value:.2g}"
        numbers = [_short(each.difference), _short(each.stderr), interval, p_value]
        yield [*own, *numbers, f"{each.wins:,}"]


def _short(x: float) -> str:
    return "–" if math.isnan(x) else f"{x:.4g}"
