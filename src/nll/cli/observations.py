"""What several subcommands take alike: own families, columns by name, and observations that are seen in part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from nll.errors import DataError, UsageError, first_line

PARTLY_SEEN = (
    click.option("--event", metavar="COLUMN", help="1 where -y is exact, 0 where it is censored."),
    click.option(
        "--side",
        type=click.Choice(["right", "left"]),
        default=None,
        help="With --event: a censored value lies above -y (right, the default), or at or below it (left).",
    ),
    click.option(
        "--lower", metavar="COLUMN", help="Instead of -y, with --upper: the ends of an interval (lower, upper]."
    ),
    click.option("--upper", metavar="COLUMN", help="An empty end is open; equal ends are an exact value."),
    click.option("--low", metavar="COLUMN|NUMBER", help="Rows below it would not be in the data (truncation)."),
    click.option("--high", metavar="COLUMN|NUMBER", help="Rows above it would not be in the data (truncation)."),
)


# Options that several subcommands share word for word.
cluster = click.option(
    "--cluster", metavar="COLUMN", help="Rows of one value depend on each other, for standard errors."
)
level = click.option("--level", type=float, default=0.95, show_default=True, help="Of the intervals.")
threads = click.option(
    "--threads", type=int, metavar="N", help="All CPUs by default; the numbers are the same for any."
)
no_progress = click.option(
    "--no-progress", is_flag=True, help="Show no progress; it is shown only in a terminal, after a second."
)
missing = click.option(
    "--missing",
    type=click.Choice(["error", "drop"]),
    default="error",
    show_default=True,
    help="A row with an empty cell is an error, or is dropped and counted.",
)


def one_output(options: dict[str, Any]) -> None:
    """Refuse two documents on one output."""
    if options["as_json"] and options["as_csv"]:
        raise UsageError("--json and --csv exclude each other: both are printed")


def partly_seen(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of censored, interval and truncated observations to a command."""
    for option in reversed(PARTLY_SEEN):
        command = option(command)
    return command


def observations(options: dict[str, Any]) -> Any:
    """Return what the options say was observed: the name of a column, or observations that are seen in part."""
    y, lower, upper, event = (options[name] for name in ("y", "lower", "upper", "event"))
    if lower is not None or upper is not None:
        if lower is None or upper is None:
            given, other = ("--lower", "--upper") if upper is None else ("--upper", "--lower")
            raise UsageError(
                f"{given} needs {other}: a column of the other ends, in which an empty cell is an open end"
            )
        if y is not None or event is not None:
            raise UsageError("--lower and --upper stand in the place of -y and --event: give the one pair or the other")
    elif y is None:
        raise UsageError("which column was observed: -y COLUMN, or --lower and --upper for intervals")
    if options["side"] is not None and event is None:
        raise UsageError("--side says where a censored value lies: it needs --event, the column that marks such rows")
    bounds = [bound(options[name]) for name in ("low", "high")]
    if lower is None and event is None and bounds == [None, None]:
        return y
    from nll.tasks.observed import censored, interval, truncated

    seen: Any = y
    if lower is not None:
        seen = interval(lower, upper)
    elif event is not None:
        seen = censored(y, event, side=options["side"] or "right")
    return seen if bounds == [None, None] else truncated(seen, *bounds)


def bound(text: str | None) -> float | str | None:
    """Return a number, or else the name of a column."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return text
    if math.isnan(value):
        raise UsageError(f"a bound is a column or a number; got {text}")
    return value


def assignments(option: str, texts: Iterable[str], columns: bool = False) -> dict[str, Any]:
    """Return the values of a repeated option by name: numbers, or where `columns` are allowed names of such."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            example = "df=4 or df=column" if columns else "df=4"
            raise UsageError(f"{option} is written name=value, such as {example}; got {text!r}")
        if name in found:
            raise UsageError(f"{option} gives {name} twice")
        try:
            found[name] = float(value)
        except ValueError:
            if not columns:
                raise UsageError(f"{option} {text}: {value!r} is no number") from None
            found[name] = value
    return found


def own_families(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the families of a repeated option by name."""
    if not texts:
        return {}
    from nll.families.own import family

    made = [family.from_text(text) for text in texts]
    return {each.__name__: each for each in made}


def columns(given: tuple[str, ...]) -> list[str] | None:
    """Return the names in a repeated option, each of which may hold several with commas."""
    names = [name.strip() for each in given for name in each.split(",")]
    if not all(names) or len(set(names)) != len(names):
        raise UsageError(f"--by names each column once; got {', '.join(map(repr, names))}")
    return names or None


def files_of(options: dict[str, Any]) -> Any:
    """Return the files as the library takes them."""
    files = options["files"]
    return files[0] if len(files) == 1 else list(files)


def model(path: str) -> Any:
    """Return the distribution of a fit that was saved with `nll fit -o`; a fit that is no maximum is refused."""
    from nll.results.fit import Fit
    from nll.results.fits import Fits
    from nll.results.joint_fit import JointFit
    from nll.results.load import load
    from nll.sources.paths import expand

    if not Path(path).is_file():
        expand(path)  # says that there is no such file, and what is near
        raise UsageError(f"{path} is no file: -m takes one that `nll fit -o` wrote")
    try:
        fit = load(Path(path))
    except (AttributeError, IndexError, RecursionError) as error:
        raise DataError(f"{path} is a broken fit: {first_line(error)}") from error
    if isinstance(fit, Fits):
        keys = ", ".join(fit.by)
        raise UsageError(f"{path} holds {len(fit)} fits by {keys}; -m takes a model that was fitted without --by")
    if isinstance(fit, JointFit):
        raise UsageError(f"{path} holds a joint fit of {', '.join(fit.terms)}; -m takes a model of one problem")
    if not fit.converged:
        raise UsageError(f"{path} holds no maximum: {'; '.join(fit.warnings) or 'the fit did not converge'}")
    unsaved = [name for name in fit.family.parameters if name not in fit.params and name not in fit.by_row]
    if unsaved and type(fit) is Fit:  # of rows, parameters are numbered
        raise UsageError(
            f"{path} lacks {', '.join(unsaved)}, fixed to a value a row: fit again with --fixed {unsaved[0]}=COLUMN"
        )
    return fit.dist
