"""`nll plot`: pictures into files."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def plot() -> None:
    """Draw a picture into a file (PNG, SVG, HTML or JSON)."""


@plot.command()
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to: FILE.png, .svg, .html or .json.")
def loss(output: str) -> None:
    """Draw the loss of one observed event: -log p over the probability p that it was given."""
    from nll.plots import loss as chart
    from nll.plots import save

    click.echo(f"wrote {save(chart(), Path(output))}", err=True)
