"""What `compare` returns: models ranked by their mean loss, with paired differences."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.errors import unknown
from nll.results.score import Score, jsonable, uneven
from nll.results.show import MOST_GROUPS, Tabled, as_text, number

if TYPE_CHECKING:
    import polars as pl

FEW = 30  # rows, or clusters, below which an interval leans on normal differences
WIDTH = 140  # of the text: up to eleven columns, and those of groups
COLUMNS = ("model", "n", "nll", "mean", "difference", "stderr", "interval", "p", "p (Holm)", "wins")


@dataclass(frozen=True, slots=True)
class Standing:
    """A model in a comparison: its score, and its difference to the model that it is compared with.

    Attributes
    ----------
    name, score : the model's. The other numbers are of its loss less that of the model it is compared with: positive
        is worse. They are 0, or NaN, for that model itself.
    difference, stderr, low, high : the mean difference, its paired standard error, and its interval.
    p_value, p_holm : two-sided, of no difference; the second adjusted for the number of models.
    wins, ties : rows in which this model has the lower loss, or the same.
    df : degrees of freedom of the interval: n - 1, or those of clusters.
    heavy : the share of one row (or cluster) in the sum of squared differences, where it is above a tenth.
    skill, skill_stderr : 1 - NLL / NLL of the baseline, and its standard error; NaN without a baseline.
    """

    name: str
    score: Score
    difference: float = 0.0
    stderr: float = 0.0
    low: float = 0.0
    high: float = 0.0
    p_value: float = math.nan
    p_holm: float = math.nan
    wins: int = 0
    ties: int = 0
    df: float = 0.0
    heavy: float = 0.0
    skill: float = math.nan
    skill_stderr: float = math.nan

    @property
    def win_rate(self) -> float:
        """Return the share of rows in which this model has the lower loss, of those that decide; NaN for none."""
        decided = self.score.n - self.ties
        return self.wins / decided if decided and self.df else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain types."""
        s = self.score
        return {
            "model": self.name,
            "n": s.n,
            "sum": s.sum,
            "mean": s.mean,
            "difference": self.difference,
            "stderr": self.stderr,
            "low": self.low,
            "high": self.high,
            "df": self.df,
            "p_value": self.p_value,
            "p_holm": self.p_holm,
            "wins": self.wins,
            "ties": self.ties,
            "win_rate": self.win_rate,
            "skill": self.skill,
            "skill_stderr": self.skill_stderr,
            "impossible": s.impossible,
            "clipped": s.clipped,
            "distribution": s.distribution,
        }


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Tabled, Mapping[str, Standing]):
    """Models ranked by their mean loss on the same rows: a mapping from a name to its Standing, best first.

    Attributes
    ----------
    standings : the models, best first.
    base : the model with which the others are compared. chosen : whether it was asked for, and is not just the best.
    level : of the intervals.
    source : what was read.
    baseline : the name of the model without information, if one was asked for.
    """

    standings: tuple[Standing, ...]
    base: str
    chosen: bool
    level: float
    source: str = ""
    baseline: str | None = None

    @property
    def best(self) -> str:
        """The model with the lowest mean loss."""
        return self.standings[0].name

    @property
    def n(self) -> int:
        """The rows compared."""
        return self.standings[0].score.n

    def __getitem__(self, name: str) -> Standing:
        for standing in self.standings:
            if standing.name == name:
                return standing
        raise KeyError(unknown("model", name, self))

    def __iter__(self) -> Iterator[str]:
        return (standing.name for standing in self.standings)

    def __len__(self) -> int:
        return len(self.standings)

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        return list(_notes(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types; NaN and infinities stay floats."""
        s = self.standings[0].score
        return {
            "models": [standing.to_dict() for standing in self.standings],
            "best": self.best,
            "base": self.base,
            "baseline": self.baseline,
            "level": self.level,
            "n": self.n,
            "missing": max(standing.score.missing for standing in self.standings),
            "unweighted": s.unweighted,
            "clusters": s.clusters,
            "source": self.source,
            "notes": self.notes,
        }

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a model."""
        import polars as pl

        rows = [standing.to_dict() for standing in self.standings]
        return pl.DataFrame({name: [row[name] for row in rows] for name in rows[0]}, strict=False)

    def __repr__(self) -> str:
        return as_text(self.rich_table(), WIDTH)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        against = f"the reference {self.base!r}" if self.chosen else f"the best, {self.base!r}"
        return f"Nats a row, and differences to {against}", _header(self), _rows(self), self.notes


def _header(comparison: Comparison) -> list[str]:
    more = ("skill",) if comparison.baseline else ()
    return [*COLUMNS[:4], *more, *COLUMNS[4:]]


def _rows(comparison: Comparison) -> list[list[str]]:
    rows = []
    for s in comparison.standings:
        own = [s.name, f"{s.score.n:,}", number(s.score.sum), number(s.score.mean)]
        if comparison.baseline:
            error = "" if math.isnan(s.skill_stderr) else f" ± {100.0 * s.skill_stderr:.2g}"
            own.append("–" if math.isnan(s.skill) else f"{100.0 * s.skill:.2f}{error} %")
        if s.name == comparison.base:
            rows.append([*own, *[""] * 6])
            continue
        interval = f"{s.low:.3g} to {s.high:.3g}" if math.isfinite(s.low) else "–"
        rate = "–" if math.isnan(s.win_rate) else f"{100.0 * s.win_rate:.1f} %"
        p_values = ["–" if math.isnan(p) else f"{p:.2g}" for p in (s.p_value, s.p_holm)]
        rows.append(
            [*own, number(s.difference), "–" if math.isnan(s.stderr) else f"{s.stderr:.3g}", interval, *p_values, rate]
        )
    return rows


def _notes(c: Comparison) -> Iterator[str]:
    for s in c.standings:
        if s.score.impossible:
            where = f": {', '.join(s.score.first_impossible)}" if s.score.first_impossible else ""
            yield f"{s.score.impossible} of {s.score.n:,} rows impossible under {s.name!r} (infinite loss){where}"
        if s.name == c.base or not math.isfinite(s.difference):
            continue
        if s.ties == s.score.n and s.difference == 0.0:
            yield f"{s.name!r} has the loss of {c.base!r} in every row: the difference is exactly 0"
        elif s.stderr == 0.0:
            yield f"the difference of {s.name!r} to {c.base!r} does not vary: no test"
        elif 0.0 < abs(s.difference) <= 1e-12 * abs(s.score.mean):
            yield f"the difference of {s.name!r} to {c.base!r} is as small as the rounding of a loss"
        if s.heavy:
            what = "row" if s.score.clusters is None else "cluster"
            yield (
                f"one {what} makes up {100.0 * s.heavy:.0f} % of the squared differences of {s.name!r} to {c.base!r}: "
                "interval and p are not to be relied on"
            )
        if s.score.clipped:
            yield f"clip changed {s.score.clipped:,} rows of {s.name!r}"
    yield from _notes_of_all(c)


def _notes_of_all(c: Comparison) -> Iterator[str]:
    if c.baseline and any(math.isnan(s.skill) for s in c.standings):
        yield "the baseline's NLL is not above 0, as that of a density may be: a share of it means nothing"
    first = c.standings[0].score
    units = first.n if first.clusters is None else first.clusters
    if units < FEW:
        what = "rows" if first.clusters is None else "clusters"
        yield f"{units} {what} are few for an interval that leans on normal differences"
    if uneven(first):
        yield f"the {units:,} clusters differ in size, and count for {first.df:.3g} degrees of freedom"
    if not c.chosen and len(c) > 2:
        yield "the best was chosen on these rows, which favours it: name a reference before looking for plain p-values"
    if first.missing:
        yield f"{first.missing} of {first.read:,} rows dropped: a value is missing"
    if first.unweighted:
        yield f"{first.unweighted} of {first.read:,} rows dropped: the weight is 0"


@dataclass(frozen=True, slots=True, repr=False)
class Comparisons(Tabled, Mapping[Any, Comparison]):
    """Comparisons by group: a mapping from the key of a group to its Comparison, and that of all rows.

    Attributes
    ----------
    by : the names of the grouping columns; a key is a value, or a tuple of values where there are several.
    groups : the Comparison of each group. total : that of all rows.
    """

    by: tuple[str, ...]
    groups: Mapping[Any, Comparison]
    total: Comparison

    def __getitem__(self, key: Any) -> Comparison:
        return self.groups[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def _keyed(self) -> Iterator[tuple[dict[str, Any], Comparison]]:
        for key, comparison in self.groups.items():
            yield dict(zip(self.by, key if len(self.by) > 1 else (key,), strict=True)), comparison

    def to_dict(self) -> dict[str, Any]:
        """Return groups and total as plain types."""
        groups = [{**names, **comparison.to_dict(), **names} for names, comparison in self._keyed()]
        return {"by": list(self.by), "groups": groups, "total": self.total.to_dict()}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a group and model."""
        import polars as pl

        rows = [{**names, **s.to_dict(), **names} for names, c in self._keyed() for s in c.standings]
        return pl.DataFrame({name: [row[name] for row in rows] for name in rows[0]} if rows else {}, strict=False)

    def __repr__(self) -> str:
        return as_text(self.rich_table(), WIDTH)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        caption, header, total, notes = self.total.table()
        body: list[list[str]] = []
        for shown, (names, comparison) in enumerate(self._keyed()):
            if shown == MOST_GROUPS:
                notes = [f"{len(self) - shown:,} more groups: .to_polars() has them all", *notes]
                break
            body += [[*map(str, names.values()), *row] for row in _rows(comparison)]
        body += [["all", *[""] * (len(self.by) - 1), *row] for row in total]
        return caption, [*self.by, *header], body, notes

    def _names(self) -> int:
        return 1 + len(self.by)
