"""`nll decompose`: why a score is what it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from nll.cli.observations import (
    cluster,
    columns,
    files_of,
    level,
    missing,
    model,
    no_progress,
    one_output,
    own_families,
    threads,
)
from nll.errors import UsageError

EPILOG = """\b
Examples:
  nll decompose preds.csv -y label -d 'Bernoulli(probs=p)'
  nll decompose preds.parquet -y label -d 'Bernoulli(logits=z)' --by country --cluster user
  nll decompose preds.parquet -y class -d 'Categorical(probs=[p0, p1, p2])' --json
  nll decompose claims.csv -y amount -m gamma.json
"""


# What is decomposed, which plots of it take as well.
FORECASTS = (
    click.option("-y", "y", required=True, metavar="COLUMN", help="The column of what happened."),
    click.option("-d", "--distribution", metavar="EXPR", help="The model, such as 'Bernoulli(probs=p)'."),
    click.option("-m", "--model", "model_file", metavar="FILE", help="Instead of -d: a model that `nll fit -o` wrote."),
    click.option("--family", multiple=True, metavar="TEXT", help="A family of your own for -d, as in `nll score`."),
    click.option("--sample-weight", metavar="COLUMN", help="Weights of the rows, at least 0."),
    click.option(
        "--labels", metavar="A,B,…", help="The values of -y in the order of the classes, where they are text."
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Of all that is drawn."),
    click.option("--where", metavar="SQL", help="Only rows that meet this condition."),
    missing,
    threads,
    no_progress,
)
SHARED_NAMES = ("sample_weight", "seed", "where", "missing", "threads")


def forecasts(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what is decomposed to a command."""
    for option in reversed(FORECASTS):
        command = option(command)
    return command


def decomposed(options: dict[str, Any], **more: Any) -> Any:
    """Return the decomposition that the options of a command ask for."""
    if (options["distribution"] is None) == (options["model_file"] is None):
        raise UsageError("which model: -d 'Bernoulli(probs=p)', or -m FILE of a saved fit; one of them")
    if options["model_file"] is not None:
        dist = model(options["model_file"])
    else:
        from nll.families.expression import parse_distribution

        dist = parse_distribution(options["distribution"], own_families(options["family"]))
    from nll.tasks.decompose.decompose import decompose as made

    chosen = {name: options[name] for name in SHARED_NAMES}
    chosen |= {"labels": options["labels"].split(",") if options["labels"] else None}
    chosen |= {"progress": not options["no_progress"]}
    return made(options["y"], dist, files_of(options), **chosen, **more)


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True)
@forecasts
@click.option("--by", multiple=True, metavar="COLUMNS", help="By group: a column, or several with commas.")
@cluster
@level
@click.option("--replicates", type=int, default=0, metavar="N", help="Standard errors by N bootstrap replicates.")
@click.option("--folds", type=int, default=0, metavar="N", help="Also give the gains of recalibration held out.")
@click.option(
    "--band", type=int, default=0, metavar="N", help="For --json: a consistency band of the diagram, from N draws."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, the reliability diagram included.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the parts as CSV.")
def decompose(**options: Any) -> None:
    """Say why the log score of FILES is what it is: miscalibration - discrimination + uncertainty.

    For Bernoulli and Categorical by isotonic recalibration; for densities and counts by the probability integral
    transform. `nll plot reliability` and `nll plot pit` draw the same.
    """
    one_output(options)
    names = ("cluster", "level", "replicates", "folds", "band")
    result = decomposed(options, by=columns(options["by"]), **{name: options[name] for name in names})
    if options["as_json"] or options["as_csv"]:
        sys.stdout.write(result.to_json() + "\n" if options["as_json"] else result.to_polars().write_csv())
        for note in getattr(result, "total", result).notes:
            click.echo(f"note: {note}", err=True)
        return
    from nll.cli.terminal import show

    show(result.rich_table(), numbers=True)
