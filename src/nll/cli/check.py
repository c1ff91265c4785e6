"""`nll check`: whether a distribution is one, and whether the parameters of a table are what they must be."""

from __future__ import annotations

import sys
from typing import Any

import click

from nll.cli.observations import files_of, no_progress, observations, partly_seen
from nll.errors import UsageError

OBSERVED = ("y", "event", "side", "lower", "upper", "low", "high")
TABLED = (*OBSERVED, "where")

EPILOG = """\b
Examples:
  nll check -d 'StudentT(df=0.5, loc=0, scale=1)'
  nll check preds.csv -d 'Bernoulli(probs=p)' -y label
  nll check 'preds/*.parquet' -d 'Categorical(probs=[p0, p1, p2])' --json
"""


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1)
@click.option(
    "-d",
    "--distribution",
    required=True,
    metavar="EXPR",
    help="A family whose parameters are columns or numbers; without FILES, numbers only.",
)
@click.option("-y", "y", metavar="COLUMN", help="The column of what happened, to be checked too.")
@partly_seen
@click.option("--where", metavar="SQL", help="Check only rows that meet this condition.")
@click.option("--tolerance", type=float, default=1e-6, show_default=True, help="How far an integral may be from 1.")
@click.option("--threads", type=int, metavar="N", help="All CPUs by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@no_progress
@click.pass_context
def check(ctx: click.Context, **options: Any) -> None:
    """Check that the density of a distribution integrates to 1, or the parameters in FILES.

    With FILES (Parquet, CSV, JSON lines, Arrow; read once, in a stream) every row is checked: probabilities outside
    [0, 1], rows that do not sum to 1, scales of 0 or less, NaN, empty cells. What is wrong is counted, and its first
    rows are named. The exit code is 0 if nothing is, else 1.
    """
    from nll.families.expression import parse_distribution

    dist = parse_distribution(options["distribution"])
    result = _checked(dist, options)
    if options["as_json"]:
        sys.stdout.write(result.to_json() + "\n")
    else:
        from nll.cli.terminal import show
        from nll.results.check import shown_table

        show(shown_table(result), numbers=True)
    if not result.ok:
        ctx.exit(1)


def _checked(dist: Any, options: dict[str, Any]) -> Any:
    from nll.tasks.check import check as checked

    files = options["files"]
    if not files:
        named = [name for name, value in dist.theta.items() if isinstance(value, (str, list))]
        if any(options[name] for name in TABLED) or any(isinstance(dist.theta[name], str) for name in named):
            raise UsageError(f"{dist!r}, or an option such as -y, names columns: which FILES hold them?")
        return checked(dist, tolerance=options["tolerance"])
    return checked(
        dist,
        data=files_of(options),
        y=observations(options) if any(options[name] for name in OBSERVED) else None,
        where=options["where"],
        threads=options["threads"],
        tolerance=options["tolerance"],
        progress=not options["no_progress"],
    )
