"""How results print: rich tables in a terminal, escaped HTML in a notebook."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nll.results.score import Score, Scores

MOST_GROUPS = 40
COLUMNS: tuple[str, ...] = ("n", "mean", "stderr", "95 % interval", "perplexity", "sum")


def number(x: float | None) -> str:
    """Write a number with six digits."""
    return (
        "–" if x is None or (isinstance(x, float) and math.isnan(x)) else f"{x:,.6g}" if abs(x) < 1e15 else f"{x:.6g}"
    )


def cells(score: Score) -> list[str]:
    """Return the numbers of a score as text, in the order of COLUMNS."""
    low, high = score.ci()
    interval = f"{number(low)} to {number(high)}" if math.isfinite(low) and math.isfinite(high) else "–"
    return [
        f"{score.n:,}",
        number(score.mean),
        number(score.stderr),
        interval,
        number(score.perplexity),
        number(score.sum),
    ]


def title(score: Score) -> str:
    """Return what a table shows."""
    what = f"Negative log-likelihood, {score.units} a row"
    return f"{what}: {score.distribution}" if score.distribution else what


def rows_of(
    scores: Scores, last: str = "all", total: Score | None = None
) -> tuple[list[str], list[list[str]], list[str]]:
    """Return header, rows and notes of a table by group."""
    several = len(scores.by) > 1
    shown = list(scores.groups.items())[:MOST_GROUPS]
    body = [[*(map(str, key) if several else [str(key)]), *cells(score)] for key, score in shown]
    total = total or scores.total
    body.append([last, *[""] * (len(scores.by) - 1), *cells(total)])
    notes = total.notes
    if len(scores) > MOST_GROUPS:
        notes = [f"{len(scores) - MOST_GROUPS:,} more groups: .to_polars() (or --csv) has them all", *notes]
    return [*scores.by, *COLUMNS], body, notes


def score_table(score: Score) -> RenderableType:
    """Return a score as a rich table."""
    header, body, notes = list(COLUMNS), [cells(score)], score.notes
    if score.labels is not None:
        header, body, notes = rows_of(score.labels, "joint", score)
    return _rich(title(score), header, body, notes, 0 if score.labels is None else len(score.labels.by))


def scores_table(scores: Scores) -> RenderableType:
    """Return scores by group as a rich table."""
    return _rich(title(scores.total), *rows_of(scores), len(scores.by))


def _rich(caption: str, header: list[str], body: list[list[str]], notes: list[str], left: int) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(caption), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(Text(name), justify="left" if i < left else "right")
    for row in body:
        table.add_row(*map(Text, row))
    return Group(table, *(Text(f"Note: {note}.") for note in notes))


def as_text(table: RenderableType, width: int = 110) -> str:
    """Return a table as text without colours."""
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    Console(file=text, width=width, color_system=None).print(table)
    return text.getvalue().rstrip()


class Tabled:
    """A record that prints as one table, in a terminal and in a notebook; a subclass says what the table holds."""

    __slots__ = ()

    def table(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        """Return caption, header, rows and notes of what is shown."""
        raise NotImplementedError

    def _names(self) -> int:
        """Return how many columns, from the left, hold text."""
        return 1

    def rich_table(self) -> RenderableType:
        """Return the record as a rich table."""
        from rich.console import Group
        from rich.text import Text

        caption, header, rows, notes = self.table()
        # A caption above the table, for one of the table's own would be broken to its width.
        return Group(Text(caption), _rich("", header, rows, notes, self._names()))

    def __repr__(self) -> str:
        return as_text(self.rich_table())

    def _repr_html_(self) -> str:
        return _html(*self.table())


def score_text(score: Score) -> str:
    """Return a score as text."""
    return as_text(score_table(score))


def scores_text(scores: Scores) -> str:
    """Return scores as text."""
    return as_text(scores_table(scores))


def score_html(score: Score) -> str:
    """Return a score as HTML."""
    if score.labels is not None:
        return _html(title(score), *rows_of(score.labels, "joint", score))
    return _html(title(score), list(COLUMNS), [cells(score)], score.notes)


def scores_html(scores: Scores) -> str:
    """Return scores as HTML."""
    return _html(title(scores.total), *rows_of(scores))


def _html(caption: str, header: list[str], body: list[list[str]], notes: list[str]) -> str:
    def tagged(tag: str, values: Iterable[Any]) -> str:
        return "".join(f"<{tag}>{html.escape(str(v))}</{tag}>" for v in values)

    lines = "".join(f"<tr>{tagged('td', row)}</tr>" for row in body)
    below = "".join(f"<p>Note: {html.escape(note)}.</p>" for note in notes)
    head = f"<caption>{html.escape(caption)}</caption><thead><tr>{tagged('th', header)}</tr></thead>"
    return f"<table>{head}<tbody>{lines}</tbody></table>{below}"
