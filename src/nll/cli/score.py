"""`nll score`: the negative log-likelihood of the rows of files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nll.cli.observations import (
    cluster,
    columns,
    files_of,
    missing,
    model,
    no_progress,
    observations,
    one_output,
    own_families,
    partly_seen,
    threads,
)
from nll.errors import UsageError

if TYPE_CHECKING:
    from nll.sources import Source

EPILOG = """\b
Examples:
  nll score preds.csv -y label -d 'Bernoulli(probs=p)'
  nll score 'preds/*.parquet' -y label -d 'Bernoulli(logits=z)' --by country,model --cluster user
  nll score forecasts.parquet -y demand -d 'Normal(loc=mu, scale=1.5)' --where "year = 2024" --json
  nll fit old.csv -y amount -f Gamma -o gamma.json && nll score new.csv -y amount -m gamma.json
"""


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True)
@click.option("-y", "y", metavar="COLUMN", help="The column of what happened.")
@click.option(
    "-d",
    "--distribution",
    metavar="EXPR",
    help="What the model said: a family whose parameters are columns or numbers, such as 'Normal(loc=mu, scale=2)'. "
    "`nll families` lists them; other names than plain words are put in quotes.",
)
@click.option(
    "--family",
    multiple=True,
    metavar="TEXT",
    help="A family of your own for -d, in one line: 'name: log_prob; a positive; b real; support positive'.",
)
@click.option("-m", "--model", metavar="FILE", help="Instead of -d: a model that `nll fit -o FILE` wrote.")
@partly_seen
@click.option("--by", multiple=True, metavar="COLUMNS", help="Score by group: a column, or several with commas.")
@click.option("--sample-weight", metavar="COLUMN", help="Weights of the rows, at least 0.")
@cluster
@click.option("--where", metavar="SQL", help="Score only rows that meet this condition: \"country = 'DE' AND p > 0\".")
@missing
@click.option("--clip", type=float, metavar="P", help="Raise probabilities to P, such as 1e-15, and count such rows.")
@click.option("--labels", metavar="A,B,...", help="The values of y in the order of the classes, if not 0, 1, ...")
@click.option("--label-smoothing", type=float, default=0.0, metavar="E", help="Mix targets with the uniform one.")
@click.option(
    "--units", type=click.Choice(["nats", "bits", "bans"]), default="nats", show_default=True, help="Of all losses."
)
@threads
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one line a group.")
@click.option(
    "--parquet",
    metavar="OUT",
    help="Write the scores, one row a group, into a Parquet file too: also for millions of groups.",
)
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="Note finished parts in FILE (JSON): the same command, after any interruption, goes on from there.",
)
@click.option("--rows", metavar="OUT", help="Write the loss of every row (columns row, loss) into .parquet or .csv.")
@no_progress
def score(**options: Any) -> None:
    """Print the exact negative log-likelihood of FILES under a distribution, with its standard error.

    FILES are Parquet, CSV, JSON lines or Arrow files, patterns or folders. They are read in a stream, so
    they may be larger than memory.
    """
    one_output(options)
    options["observed"] = observations(options)
    dist = _distribution(options)
    source = _source(options)
    chosen = {name: options[name] for name in ("missing", "clip", "label_smoothing")}
    chosen["labels"] = None
    if options["labels"] is not None:
        if options["y"] is None:
            raise UsageError("--labels are those of -y, and intervals have none")
        chosen["labels"] = labels(options["labels"], source, options["y"])
    many = options["parquet"] and options["by"] and not options["checkpoint"]  # a checkpoint holds all groups anyway
    result = _written(dist, source, options, chosen) if many else _scored(dist, source, options, chosen)
    if options["rows"]:
        _write_rows(dist, source, options, chosen)
    if options["parquet"] and not many:
        from nll.cli.output import write_frame

        write_frame(result.to_polars(), options["parquet"])
    _show(result, options)


def _distribution(options: dict[str, Any]) -> Any:
    """Return what the model said, from its text or its file."""
    text, path = options["distribution"], options["model"]
    if (text is None) == (path is None):
        found = "neither" if text is None else "both"
        raise UsageError(f"the model is given by -d EXPR, or by -m FILE that `nll fit -o` wrote; got {found}")
    if path is not None:
        if options["family"]:
            raise UsageError("--family defines a family for -d; the file of -m says its own")
        return model(path)
    from nll.families.expression import parse_distribution

    return parse_distribution(text, own_families(options["family"]))


def _source(options: dict[str, Any]) -> Source:
    """Open the files, and check what is to be written, before any work is done."""
    from nll.sources import open_source

    if options["rows"] or options["parquet"] or options["checkpoint"]:
        from nll.cli.output import TABLES, check_output
        from nll.sources.paths import expand

        read = expand(options["files"])
        for option, suffixes in (("rows", TABLES), ("parquet", TABLES[:1]), ("checkpoint", (".json",))):
            if options[option]:
                check_output(f"--{option}", options[option], suffixes, read)
    return open_source(files_of(options), where=options["where"])


def labels(text: str, source: Source, y: str) -> list[Any]:
    """Return labels as the column of observations has them: numbers where it holds numbers, else text."""
    source.require([y])
    values = [value.strip() for value in text.split(",")]
    if not source.schema[y].is_numeric():
        return values
    try:
        return [int(value) if value.lstrip("+-").isdigit() else float(value) for value in values]
    except ValueError:
        raise UsageError(f"--labels {text}: column {y!r} holds numbers, so its labels must be numbers") from None


def _scored(dist: Any, source: Source, options: dict[str, Any], chosen: dict[str, Any]) -> Any:
    from nll.tasks.score import score as scored

    return scored(
        options["observed"],
        dist,
        source,
        sample_weight=options["sample_weight"],
        by=columns(options["by"]),
        cluster=options["cluster"],
        units=options["units"],
        threads=options["threads"],
        progress=not options["no_progress"],
        checkpoint=options["checkpoint"],
        **chosen,
    )


def _written(dist: Any, source: Source, options: dict[str, Any], chosen: dict[str, Any]) -> Any:
    """Write the scores of groups into a table; return them, or only where they are if they are many."""
    from nll.tasks.groups import write_groups

    arguments = {
        "y": options["observed"],
        "dist": dist,
        "sample_weight": options["sample_weight"],
        "by": columns(options["by"]),
        "cluster": options["cluster"],
        "class_weight": None,
        **chosen,
    }
    where, scores = write_groups(
        source, arguments, options["parquet"], options["units"], options["threads"], not options["no_progress"]
    )
    return where if scores is None else scores


def _write_rows(dist: Any, source: Source, options: dict[str, Any], chosen: dict[str, Any]) -> None:
    from nll.cli.output import write_rows
    from nll.engines.progress import RowProgress
    from nll.results.units import nats_per
    from nll.tasks.rows import row_batches

    with RowProgress(f"writing {options['rows']}", wanted=not options["no_progress"]) as progress:
        batches = row_batches(options["observed"], dist, source, **chosen)
        write_rows(batches, options["rows"], nats_per(options["units"]), progress)


def _show(result: Any, options: dict[str, Any]) -> None:
    """Print the result; what stdout cannot say goes to stderr."""
    from nll.results.group_scores import GroupScores

    total: Any = getattr(result, "total", result)
    if not options["as_json"] and not options["as_csv"]:
        from nll.cli.terminal import show
        from nll.results.score import Scores
        from nll.results.show import score_table, scores_table

        show(scores_table(result) if isinstance(result, Scores) else score_table(total), numbers=True)
        if isinstance(result, GroupScores):
            click.echo(f"{len(result):,} groups are in {result.path}", err=True)
        return
    if options["as_json"]:
        sys.stdout.write(result.to_json() + "\n")
    elif isinstance(result, GroupScores):
        for number, frame in enumerate(result.scan().collect_batches()):
            sys.stdout.write(frame.write_csv(include_header=number == 0))
    else:
        sys.stdout.write(result.to_polars().write_csv())
    for note in total.notes:
        click.echo(f"note: {note}", err=True)
