"""`nll compare`: models on the same rows of files, which is better and how sure that is."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from nll.cli.observations import (
    cluster,
    columns,
    files_of,
    level,
    model,
    no_progress,
    observations,
    one_output,
    own_families,
    partly_seen,
    threads,
)
from nll.errors import UsageError

NAMED = re.compile(r"\s*([^\s()\[\]=,'\"`][^()\[\]=,'\"`]*?)\s*=(.*)", re.DOTALL)

EPILOG = """\b
Examples:
  nll compare preds.csv -y label -d 'a=Bernoulli(probs=p_a)' -d 'b=Bernoulli(probs=p_b)'
  nll compare 'preds/*.parquet' -y label -d 'old=Bernoulli(probs=p)' -d 'new=Bernoulli(logits=z)' --reference old
  nll compare claims.csv -y amount -m gamma=gamma.json -m lognormal=lognormal.json --by product
  nll compare study.csv -y time --event died -d 'a=Exponential(rate=r)' -d 'b=Weibull(scale=s, concentration=1.5)'
"""


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True)
@click.option("-y", "y", metavar="COLUMN", help="The column of what happened.")
@click.option(
    "-d",
    "--distribution",
    "distributions",
    multiple=True,
    metavar="NAME=EXPR",
    help="A model and its name: 'a=Normal(loc=mu, scale=2)'. At least two are compared.",
)
@click.option(
    "-m", "--model", "models", multiple=True, metavar="NAME=FILE", help="A model that `nll fit -o` wrote, and its name."
)
@click.option("--family", multiple=True, metavar="TEXT", help="A family of your own for -d, as in `nll score`.")
@partly_seen
@click.option("--by", multiple=True, metavar="COLUMNS", help="Compare by group: a column, or several with commas.")
@cluster
@click.option("--sample-weight", metavar="COLUMN", help="Weights of the rows, at least 0.")
@click.option("--reference", metavar="NAME", help="Compare with this model, and not with the best.")
@click.option(
    "--baseline",
    is_flag=True,
    help="Add the model without information, one distribution fitted to all rows: each model has its skill then.",
)
@level
@click.option("--where", metavar="SQL", help="Compare only on rows that meet this condition.")
@click.option(
    "--missing",
    type=click.Choice(["error", "drop"]),
    default="error",
    show_default=True,
    help="A row that any model lacks is an error, or is dropped and counted.",
)
@click.option("--clip", type=float, metavar="P", help="Raise probabilities to P, of all models, and count such rows.")
@threads
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one line a model (and group).")
@no_progress
def compare(**options: Any) -> None:
    """Rank models by their negative log-likelihood on the same rows of FILES, with paired standard errors.

    Each model is compared with the best one, or with --reference: a positive difference is worse. All must give
    densities, or all probabilities; on intervals (--lower, --upper) any compare.
    """
    one_output(options)
    observed = observations(options)
    models = named_models(options)
    from nll.tasks.compare.compare import compare as compared

    chosen = {name: options[name] for name in ("cluster", "sample_weight", "reference", "level", "where", "missing")}
    chosen |= {"clip": options["clip"], "threads": options["threads"], "baseline": options["baseline"]}
    chosen |= {"progress": not options["no_progress"]}
    result = compared(observed, models, files_of(options), by=columns(options["by"]), **chosen)
    if options["as_json"] or options["as_csv"]:
        sys.stdout.write(result.to_json() + "\n" if options["as_json"] else result.to_polars().write_csv())
        for note in getattr(result, "total", result).notes:
            click.echo(f"note: {note}", err=True)
        return
    from nll.cli.terminal import show

    show(result.rich_table(), numbers=True)


def named_models(options: dict[str, Any]) -> dict[str, Any]:
    """Return the models by name; one without a name is called by its text."""
    from nll.families.expression import parse_distribution

    own = own_families(options["family"])
    found: dict[str, Any] = {}
    makers = [("-d", text, lambda text: parse_distribution(text, own)) for text in options["distributions"]]
    for option, text, make in [*makers, *(("-m", text, model) for text in options["models"])]:
        match = NAMED.fullmatch(text)
        name, rest = (match[1], match[2].strip()) if match else (text.strip(), text)
        if name in found:
            raise UsageError(
                f"{option} names {name!r} twice: each model needs its own name, as in {option} '{name}2=...'"
            )
        found[name] = make(rest)
    if len(found) < (1 if options["baseline"] else 2):
        raise UsageError(
            f"at least two models are compared: -d 'a=...' -d 'b=...', or one with --baseline; got {len(found)}"
        )
    return found
