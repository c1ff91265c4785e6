"""What `score_groups` returns: where the scores of the groups are, and the Score of all rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nll.results.score import Score, jsonable

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, repr=False)
class GroupScores:
    """Scores by group in a file, for more groups than one Python object should hold.

    Attributes
    ----------
    by : the grouping columns.
    path : the Parquet file, or folder of such: the keys, and the numbers of `Scores.to_polars()`, one row a group.
    groups : how many there are.
    total : the Score of all rows.
    ordered : whether rows are in the order of the keys; if not, stretches of them are.
    """

    by: tuple[str, ...]
    path: str
    groups: int
    total: Score
    ordered: bool = True

    def __len__(self) -> int:
        return self.groups

    def scan(self) -> pl.LazyFrame:
        """Return the table as a lazy frame."""
        import polars as pl

        if Path(self.path).is_dir():  # as a cluster writes it
            return pl.scan_parquet(sorted(Path(self.path).glob("*.parquet")), glob=False)
        return pl.scan_parquet(self.path, glob=False)

    def to_polars(self) -> pl.DataFrame:
        """Return the table, in the order of the keys."""
        return self.scan().sort(self.by, nulls_last=True).collect()

    def to_dict(self) -> dict[str, Any]:
        """Return where the groups are, and the total, as plain types."""
        return {"by": list(self.by), "written": self.path, "count": self.groups, "total": self.total.to_dict()}

    def to_json(self) -> str:
        """Return one valid JSON document: infinities and NaN, which JSON lacks, are text and null."""
        return json.dumps(jsonable(self.to_dict()))

    def __repr__(self) -> str:
        return f"{self.groups:,} groups by {', '.join(self.by)} in {self.path}\n{self.total!r}"
