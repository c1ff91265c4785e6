"""What people see on stdout: tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPE_WIDTH = 110  # of a table that goes into a file or a pipe
WIDEST = 1_000


def show(table: RenderableType, numbers: bool = False) -> None:
    """Print a table: in colour and as wide as the terminal, or as plain text where stdout is none.

    One of `numbers` is never squeezed: a long line is read more easily than a number without its last digits.
    """
    from rich.console import Console

    if sys.stdout.isatty():
        screen = Console()
        if numbers:
            needed = screen.measure(table, options=screen.options.update(width=PIPE_WIDTH))
            screen.width = max(screen.width, needed.maximum)
        screen.print(table)
        return
    console = Console(file=sys.stdout, width=PIPE_WIDTH, color_system=None)
    if numbers:
        wide = console.options.update(width=WIDEST)
        console.width = max([PIPE_WIDTH, *(console.measure(part, options=wide).maximum for part in tables(table))])
    with console.capture() as captured:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def tables(shown: RenderableType) -> list[RenderableType]:
    """Return the tables among what is shown; texts beside them may be wrapped."""
    from rich.console import Group
    from rich.table import Table

    parts = shown.renderables if isinstance(shown, Group) else [shown]
    found: list[RenderableType] = []
    for part in parts:
        found += tables(part) if isinstance(part, Group) else [part] if isinstance(part, Table) else []
    return found


def say(text: str) -> None:
    """Print a text without the spaces that fill the lines of its tables."""
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in text.splitlines())
