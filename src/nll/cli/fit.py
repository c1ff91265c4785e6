"""`nll fit`: a distribution fitted to a column of files by maximum likelihood, or the best of several."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from nll.cli.observations import (
    assignments,
    cluster,
    columns,
    files_of,
    level,
    missing,
    observations,
    one_output,
    own_families,
    partly_seen,
)
from nll.cli.terminal import say
from nll.errors import DataError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from nll.results.fit import Fit
    from nll.results.fits import Fits
    from nll.results.ranking import Ranking

MOST_NAMED = 5  # groups without a maximum
TEXT = ("String", "Categorical", "Enum")

EPILOG = """\b
Examples:
  nll fit claims.csv -y amount -f Gamma -o gamma.json
  nll fit visits.csv -y visits -f 'ZeroInflated(Poisson)' --by region --csv
  nll fit study.csv -y time --event died -f Weibull --level 0.9
  nll fit trials.csv -y successes -f Binomial --fixed total_count=trials
  nll fit claims.csv -y amount --best
"""


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True)
@click.option("-y", "y", metavar="COLUMN", help="The column of what happened.")
@click.option(
    "-f",
    "families",
    multiple=True,
    metavar="FAMILY",
    help="What is fitted: Gamma, 'NegativeBinomial(mean, size)', 'Mixture(Normal, 2)', 'Truncated(Poisson, low=1)'. "
    "Repeated, the families are ranked. `nll families` lists them.",
)
@click.option("--best", is_flag=True, help="Rank the families of -f, or all that may hold such values.")
@click.option(
    "--criterion",
    type=click.Choice(["aic", "aicc", "bic"]),
    default="aic",
    show_default=True,
    help="By which families are ranked.",
)
@click.option("--family", multiple=True, metavar="TEXT", help="A family of your own for -f, as in `nll score`.")
@click.option("--fixed", multiple=True, metavar="NAME=VALUE", help="A parameter that is known: a number or a column.")
@click.option("--start", multiple=True, metavar="NAME=NUMBER", help="Where the search begins, if not by itself.")
@partly_seen
@click.option("--by", multiple=True, metavar="COLUMNS", help="Fit each group: a column, or several with commas.")
@click.option("--sample-weight", metavar="COLUMN", help="Weights of the rows, at least 0; 2 is a row that came twice.")
@click.option("--where", metavar="SQL", help="Fit only rows that meet this condition.")
@missing
@click.option(
    "--cov",
    type=click.Choice(["observed", "expected", "robust", "cluster"]),
    default=None,
    help="What standard errors are made from; observed information unless --cluster is given.",
)
@cluster
@level
@click.option("--threads", type=int, metavar="N", help="All CPUs by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line a parameter, a group or a family.")
@click.option("-o", "--output", metavar="OUT", help="Write the model into a .json file, for `nll score -m`.")
def fit(**options: Any) -> None:
    """Fit a family of distributions to a column of FILES by maximum likelihood, with standard errors.

    The exit code is 1, and nothing is written, where the likelihood has no maximum; the message says why. With --by
    it is 1 if any group has none.
    """
    check_options(options)
    known = own_families(options["family"])
    forms = [family_of(text, known) for text in options["families"]]
    check_numbers(options)
    if options["output"]:
        from nll.cli.output import check_output
        from nll.sources.paths import expand

        check_output("-o", options["output"], (".json",), expand(options["files"]))
    if options["best"] or len(forms) > 1:
        ranked(forms, options)
    elif options["by"]:
        grouped(fitted(forms[0], options), options)
    else:
        single(fitted(forms[0], options), options)


def check_options(options: dict[str, Any]) -> None:
    """Refuse options that do not go together, before anything is read."""
    several = options["best"] or len(options["families"]) > 1
    if not options["families"] and not several:
        if options["family"]:
            raise UsageError("--family defines a family of your own; -f names the one to fit")
        raise UsageError("which family is fitted: -f Gamma, or --best to rank those that may hold such values")
    one_output(options)
    if not 0.0 < options["level"] < 1.0:
        raise UsageError(f"--level is between 0 and 1, such as 0.95; got {options['level']:g}")
    if options["cluster"] and options["cov"] not in (None, "cluster"):
        raise UsageError(f"--cluster goes with --cov cluster, and --cov {options['cov']} was given")
    if options["cov"] == "cluster" and not options["cluster"]:
        raise UsageError("--cov cluster needs --cluster COLUMN, whose values make the clusters")
    if several and options["by"]:
        raise UsageError("families are ranked on all rows: --by goes with one -f")
    for name in ("start", "cov", "cluster"):
        if several and options[name]:
            raise UsageError(f"--{name} goes with one -f: families are ranked with the defaults")


def family_of(text: str, known: Mapping[str, Any]) -> Any:
    """Return the family that a text names; say how values are held fixed where it gives some."""
    from nll.families.expression import parse_distribution, parse_family

    try:
        return parse_family(text, known)
    except UsageError as error:
        try:
            dist = parse_distribution(text, known)
        except UsageError:
            raise error from None
        name, value = next(iter(dist.theta.items()))
        shown = value if isinstance(value, (int, float, str)) else "..."
        raise UsageError(
            f"{text} is a distribution: a fit finds its parameters, so -f takes the family alone; "
            f"--fixed {name}={shown} holds one of them"
        ) from None


def check_numbers(options: dict[str, Any]) -> None:
    """Refuse observations that are text, before they are taken for labels."""
    from nll.sources import open_source

    source = open_source(files_of(options), where=options["where"])
    named = [options[name] for name in ("y", "lower", "upper") if options[name] is not None]
    source.require(named)
    for name in named:
        kind = source.schema[name]
        if kind.is_temporal() or str(kind).partition("(")[0] in TEXT:
            raise DataError(
                f"column {name!r} of {source.description} holds {kind}, and a fit needs numbers: "
                "a column of a CSV is text as soon as one cell is no number"
            )


def known_values(form: Any, fixed: dict[str, Any]) -> dict[str, Any]:
    """Return the values that are fixed, with those that the family's text gives; refuse one that is not known."""
    fixed = {**getattr(form, "defaults", {}), **fixed}
    for name, constraint in form.parameters.items():
        if not constraint.link and name not in fixed:
            raise UsageError(
                f"{name} of {form.signature()} is never fitted: --fixed {name}=NUMBER, or the name of a column with "
                "its value in each row"
            )
    return fixed


def common(options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that fits and rankings take alike."""
    chosen = {name: options[name] for name in ("sample_weight", "where", "missing", "threads")}
    return chosen | {"data": files_of(options), "fixed": assignments("--fixed", options["fixed"], columns=True)}


def fitted(form: Any, options: dict[str, Any]) -> Any:
    """Return the Fit, or the Fits by group."""
    from nll.tasks.fit.fit import fit as fit_rows

    by, arguments = columns(options["by"]), common(options)
    arguments["fixed"] = known_values(form, arguments["fixed"])
    return fit_rows(
        observations(options),
        form,
        by=by,
        start=assignments("--start", options["start"]),
        cov=options["cov"] or ("cluster" if options["cluster"] else "observed"),
        cluster=options["cluster"],
        throw=by is None,
        **arguments,
    )


def single(found: Fit, options: dict[str, Any]) -> None:
    """Print a fit, and write it if asked."""
    if options["as_json"]:
        from nll.results.score import jsonable

        intervals = {"level": options["level"], "intervals": found.ci(options["level"])}
        sys.stdout.write(json.dumps(jsonable(found.to_dict() | intervals)) + "\n")
    elif options["as_csv"]:
        sys.stdout.write(parameters(found, options["level"]).write_csv())
    else:
        say(found.summary(options["level"]))
    if options["as_json"] or options["as_csv"]:
        warn(found.warnings)
    written(found.to_json(), options)


def parameters(found: Fit, level: float) -> pl.DataFrame:
    """Return a line a parameter, with intervals of this level."""
    import polars as pl

    frame, intervals = found.to_polars(), found.ci(level)
    ends = [intervals.get(name, (math.nan, math.nan)) for name in frame["parameter"]]
    for i, name in enumerate(("low", "high")):
        column = pl.Series(f"ci95_{name}", [end[i] for end in ends], pl.Float64)
        frame = frame.with_columns(column).rename({column.name: f"ci{100 * level:g}_{name}"})
    return frame


def grouped(found: Fits, options: dict[str, Any]) -> None:
    """Print fits by group, and write them if asked and all are maxima."""
    if options["as_json"] or options["as_csv"]:
        sys.stdout.write(found.to_json() + "\n" if options["as_json"] else found.to_polars().write_csv())
    else:
        say(found.summary())
    failed = [(key, fit) for key, fit in found.items() if not fit.converged]
    if not failed:
        written(found.to_json(), options)
        return
    for key, fit in failed[:MOST_NAMED]:
        click.echo(f"error: no fit of {key_text(found.by, key)}: {'; '.join(fit.warnings)}", err=True)
    more = f", of which {MOST_NAMED} are named" if len(failed) > MOST_NAMED else ""
    unwritten = f"; {options['output']} is not written" if options["output"] else ""
    click.echo(f"error: {len(failed):,} of {len(found):,} groups have no fit{more}{unwritten}", err=True)
    click.get_current_context().exit(1)


def key_text(by: tuple[str, ...], key: Any) -> str:
    """Return the key of a group in words."""
    return ", ".join(f"{name} {value!r}" for name, value in zip(by, key if len(by) > 1 else (key,), strict=True))


def ranked(forms: list[Any], options: dict[str, Any]) -> None:
    """Rank families, print the ranking, and write the best if asked."""
    from nll.tasks.fit.rank import fit_best

    ranking: Ranking = fit_best(
        observations(options), forms or "auto", criterion=options["criterion"], **common(options)
    )
    if options["as_json"] or options["as_csv"]:
        sys.stdout.write(ranking.to_json() + "\n" if options["as_json"] else ranking.to_polars().write_csv())
        warn(ranking.notes)
    else:
        say(ranking.summary())
        if ranking.fits:
            say(f"\n{ranking.best.summary(options['level'])}")
    if not ranking.fits:
        click.echo("error: none of the families has a fit", err=True)
        click.get_current_context().exit(1)
    written(ranking.best.to_json(), options)


def warn(notes: Any) -> None:
    """Say on stderr what a document on stdout is read without."""
    for note in notes:
        click.echo(f"note: {note}", err=True)


def written(text: str, options: dict[str, Any]) -> None:
    """Write a model, whole or not at all."""
    if options["output"]:
        from nll.cli.output import whole

        with whole(options["output"]) as partial:
            partial.write_text(text + "\n", "utf-8")
        click.echo(f"wrote {options['output']}", err=True)
