"""`nll plot`: pictures into files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nll.cli.decompose import decomposed, forecasts
from nll.cli.observations import columns, level
from nll.cli.tokens import UNIT_NAMES, chosen_of, read, scored
from nll.errors import UsageError

output = click.option("-o", "--output", required=True, metavar="FILE", help="Where to: FILE.png, .svg, .html or .json.")

RELIABILITY_EPILOG = """\b
Examples:
  nll plot reliability preds.csv -y label -d 'Bernoulli(probs=p)' -o reliability.svg
  nll plot reliability preds.csv -y class -d 'Categorical(probs=[p0, p1, p2])' --class 2 -o two.png
"""
PIT_EPILOG = """\b
Examples:
  nll plot pit claims.csv -y amount -m gamma.json -o pit.svg
  nll plot pit counts.csv -y n -d 'Poisson(rate=expected)' -o pit.png
"""
POSITION_EPILOG = """\b
Examples:
  nll plot position logs.jsonl -o position.svg
  nll plot position 'runs/*.jsonl' --by model --unit bits-per-scored-byte -o position.png
"""
STRIP_EPILOG = """\b
Examples:
  nll plot strip logs.jsonl --document chatcmpl-17 -o strip.html
  nll plot strip logs.jsonl --document logs.jsonl:12 -o strip.html
"""


@click.group()
def plot() -> None:
    """Draw a picture into a file (PNG, SVG, HTML or JSON)."""


@plot.command()
@output
def loss(output: str) -> None:
    """Draw -log p over p: what one event costs."""
    from nll.plots import loss as chart
    from nll.plots import save

    _say(save(chart(), Path(output)))


@plot.command(epilog=RELIABILITY_EPILOG)
@click.argument("files", nargs=-1, required=True)
@forecasts
@click.option("--class", "of_class", metavar="CLASS", help="Of a Categorical: this class against the others.")
@click.option(
    "--band", type=int, default=100, show_default=True, metavar="N", help="A consistency band from N draws; 0 for none."
)
@level
@output
def reliability(**options: Any) -> None:
    """Draw whether probabilities are calibrated.

    The share of events over the probability that was given to them, with the band in which calibrated forecasts lie.
    Of a Categorical, the event is that its likeliest class happens, or one class.
    """
    from nll.plots import reliability as chart
    from nll.plots import save
    from nll.plots.output import checked
    from nll.results.pit import Pit

    path = checked(options["output"])
    result = decomposed(options, band=options["band"], level=options["level"])
    if isinstance(result, Pit):
        raise UsageError(
            "a reliability diagram is of probabilities of events; `nll plot pit` is for densities and counts"
        )
    _say(save(chart(_of_class(result, options["of_class"])), path))


def _of_class(result: Any, name: str | None) -> Any:
    """Return the decomposition of a class, or of the event."""
    total = getattr(result, "total", None)
    if total is None:
        if name is not None:
            raise UsageError("--class is for a Categorical")
        return result
    if name is None:
        return total
    for key, each in result.items():
        if str(key) == name:
            return each
    raise UsageError(f"there is no class {name!r}; the classes are {', '.join(map(str, result))}")


@plot.command(epilog=PIT_EPILOG)
@click.argument("files", nargs=-1, required=True)
@forecasts
@click.option("--level", type=float, default=0.95, show_default=True, help="Of the band.")
@output
def pit(**options: Any) -> None:
    """Draw whether densities or counts are calibrated.

    A histogram of the probability integral transform, P(Y <= y) under the forecast of each row: flat, if they are.
    """
    from nll.plots import pit as chart
    from nll.plots import save
    from nll.plots.output import checked
    from nll.results.pit import Pit

    path = checked(options["output"])
    result = decomposed(options)
    if not isinstance(result, Pit):
        raise UsageError("a PIT is of densities and counts; `nll plot reliability` is for probabilities of events")
    _say(save(chart(result, options["level"]), path))


@plot.command(epilog=POSITION_EPILOG)
@click.argument("files", nargs=-1, required=True)
@click.option("--by", multiple=True, metavar="FIELD", help="A line for each value of a field of the lines.")
@click.option("--unit", type=click.Choice(UNIT_NAMES), default=UNIT_NAMES[0], show_default=True, help="Of the means.")
@level
@scored
@read
@output
def position(**options: Any) -> None:
    """Draw the loss of tokens over their position.

    FILES are logs of language models, as in `nll tokens`.
    """
    from nll.plots import nll_by_position, save
    from nll.plots.output import checked
    from nll.plots.position import POSITION
    from nll.tasks.tokens.tokens import tokens

    path = checked(options["output"])
    by = [name for name in columns(options["by"]) or [] if name != POSITION]
    scores: Any = tokens(list(options["files"]), by=[*by, POSITION], unit=options["unit"], **chosen_of(options))
    _say(save(nll_by_position(scores, options["level"]), path))


@plot.command(epilog=STRIP_EPILOG)
@click.argument("files", nargs=-1, required=True)
@click.option("--document", metavar="ID", help="Its id, or FILE:LINE; not needed of a log of one.")
@read
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to: FILE.html, a page that loads nothing.")
def strip(**options: Any) -> None:
    """Draw a document of a log, token by token.

    Each token on the colour of its loss, as a page of HTML that loads nothing.
    """
    from nll.plots import strip as drawn
    from nll.plots.output import checked
    from nll.plots.strip import PAGES
    from nll.tasks.tokens.look import document_tokens

    path = checked(options["output"], PAGES)
    names = ("format", "texts", "sentinel", "bad_lines")
    chosen = {name: options[name] for name in names}
    found = document_tokens(list(options["files"]), options["document"], **chosen)
    _say(drawn(found).save(path))


def _say(path: Path) -> None:
    click.echo(f"wrote {path}", err=True)
