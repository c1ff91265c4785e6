"""What every benchmark is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setting:
    """How large the work is, and where its files may lie.

    Attributes
    ----------
    scale : 1 for the work as described; 0.01 to see quickly that everything runs.
    folder : an empty temporary folder, removed at the end.
    """

    scale: float
    folder: Path

    def rows(self, full: int) -> int:
        return max(100, int(full * self.scale))

    def size(self, full: int) -> str:
        """Return the number of rows in words: "10 M rows", "200 k rows"."""
        n = self.rows(full)
        if n % 1_000_000 == 0:
            return f"{n // 1_000_000} M rows"
        return f"{n // 1_000} k rows" if n % 1_000 == 0 else f"{n:,} rows"
