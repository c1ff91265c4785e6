"""What people see on stdout: tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPE_WIDTH = 110  # of a table that goes into a file or a pipe


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
    with console.capture() as captured:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
