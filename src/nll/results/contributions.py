"""What `contributions` returns: the rows, groups and bins from which the difference of two models comes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.results.score import jsonable
from nll.results.show import Tabled, number

if TYPE_CHECKING:
    import polars as pl

GROUPS_SHOWN = 8  # of a column
ROWS_SHOWN = 5  # at each end


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one value, or bin, of a column.

    Attributes
    ----------
    column, value : the column, and its value or bin as text.
    n : rows. sum : of the differences. mean, stderr : of them.
    share : sum, as a part of the sum over all rows; parts of both signs can exceed 1.
    """

    column: str
    value: str
    n: int
    sum: float
    mean: float
    stderr: float
    share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, where it lies, y, its losses under both models, and their difference."""

    row: int
    where: str
    y: Any
    loss_a: float
    loss_b: float
    difference: float

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, repr=False)
class Contributions(Tabled):
    """Where the difference of two models comes from: loss of `b` less loss of `a`, so that positive favours `a`.

    Attributes
    ----------
    a, b : the models.
    n : rows possible under both, of which all numbers are. sum, mean, stderr : of their differences.
    groups : of every column, largest sum (by its size) first. rows : those that favour `a` most, then `b` most.
    impossible_a, impossible_b : rows that a model gives an infinite loss; no difference counts them.
    missing : rows dropped.
    rows_for_half : the least number of rows that make up half of the sum of the absolute differences.
    """

    a: str
    b: str
    n: int
    sum: float
    mean: float
    stderr: float
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    impossible_a: int = 0
    impossible_b: int = 0
    missing: int = 0
    rows_for_half: int = 0
    source: str = ""

    @property
    def notes(self) -> list[str]:
        """Say what a reader of the numbers must know."""
        return list(_notes(self))

    def of(self, column: str) -> list[Group]:
        """Return the groups of a column."""
        return [group for group in self.groups if group.column == column]

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain types."""
        out = {name: getattr(self, name) for name in self.__slots__ if name not in ("groups", "rows")}
        out |= {"groups": [g.to_dict() for g in self.groups], "rows": [r.to_dict() for r in self.rows]}
        return out | {"notes": self.notes}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return a table with one row a group; without columns to group by, one a row of `rows`."""
        import polars as pl

        return pl.DataFrame([each.to_dict() for each in self.groups or self.rows], infer_schema_length=None)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        caption = (
            f"Loss of {self.b!r} less loss of {self.a!r}, nats, {self.n:,} rows: sum {number(self.sum)}, "
            f"mean {number(self.mean)} ± {self.stderr:.2g} (positive favours {self.a!r})"
        )
        body: list[list[str]] = []
        for column in dict.fromkeys(group.column for group in self.groups):
            groups = self.of(column)
            for g in groups[:GROUPS_SHOWN]:
                share = "–" if math.isnan(g.share) else f"{100.0 * g.share:.1f} %"
                error = "–" if math.isnan(g.stderr) else f"{g.stderr:.2g}"
                body.append([g.column, g.value, f"{g.n:,}", number(g.sum), share, number(g.mean), error])
            if len(groups) > GROUPS_SHOWN:
                body.append([column, f"… {len(groups) - GROUPS_SHOWN:,} more", *[""] * 5])
        shown_rows = [r for r in self.rows if r.difference > 0.0][:ROWS_SHOWN]
        shown_rows += [r for r in self.rows if r.difference < 0.0][:ROWS_SHOWN]
        for r in shown_rows:
            share = "–" if self.sum == 0.0 else f"{100.0 * r.difference / self.sum:.1f} %"
            body.append([r.where, f"y = {r.y}", "1", number(r.difference), share, "", ""])
        return caption, ["where", "value", "n", "sum", "of all", "mean", "±"], body, self.notes

    def _names(self) -> int:
        return 2


def _notes(c: Contributions) -> Iterator[str]:
    for name, count in ((c.a, c.impossible_a), (c.b, c.impossible_b)):
        if count:
            yield f"{count:,} rows impossible under {name!r} (infinite loss), left out of all differences"
    if c.missing:
        yield f"{c.missing:,} rows dropped: a value is missing"
    if c.n and not any(row.difference for row in c.rows):
        yield "no row differs"
    elif c.n:
        what = "1 row makes" if c.rows_for_half == 1 else f"{c.rows_for_half:,} of {c.n:,} rows make"
        yield f"{what} up half of all absolute differences"
