"""Results by group, where the result of one group is more than a line: a mapping with the one of all rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nll.results.score import jsonable
from nll.results.show import MOST_GROUPS, Tabled

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, repr=False)
class Grouped(Tabled, Mapping[Any, Any]):
    """Results by group: a mapping from the key of a group to its result.

    Attributes
    ----------
    by : the names of the grouping columns; a key is a value, or a tuple of values where there are several.
    groups : the result of each group. total : that of all rows.
    """

    by: tuple[str, ...]
    groups: Mapping[Any, Any]
    total: Any

    def __getitem__(self, key: Any) -> Any:
        return self.groups[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def _keyed(self) -> Iterator[tuple[dict[str, Any], Any]]:
        for key, each in self.groups.items():
            yield dict(zip(self.by, key if len(self.by) > 1 else (key,), strict=True)), each

    def to_dict(self) -> dict[str, Any]:
        """Return groups and total as plain types."""
        groups = [{**names, **each.to_dict(), **names} for names, each in self._keyed()]
        return {"by": list(self.by), "groups": groups, "total": self.total.to_dict()}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def to_polars(self) -> pl.DataFrame:
        """Return the tables of the groups below each other, with the keys as columns."""
        import polars as pl

        rows = [{**names, **row, **names} for names, each in self._keyed() for row in each.to_polars().to_dicts()]
        return pl.DataFrame(rows, strict=False, infer_schema_length=None)

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        caption, header, total, notes = self.total.brief()
        body: list[list[str]] = []
        for shown, (names, each) in enumerate(self._keyed()):
            if shown == MOST_GROUPS:
                notes = [f"{len(self) - shown:,} more groups: .to_polars() has them all", *notes]
                break
            body += [[*map(str, names.values()), *row] for row in each.brief()[2]]
        body += [["all", *[""] * (len(self.by) - 1), *row] for row in total]
        return caption, [*self.by, *header], body, notes

    def _names(self) -> int:
        return len(self.by) + 1
