"""`nll families`: what distributions there are, from the registry."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

import click

from nll.errors import UsageError, unknown

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nll.families.family import Family


@click.command()
@click.argument("name", required=False)
def families(name: str | None) -> None:
    """List the families of distributions; with NAME, explain one."""
    from nll.families import families as registry
    from nll.families.expression import COMBINED

    known = registry()
    if name is None:
        _table(known)
        return
    called = {each.lower(): each for each in (*known, *COMBINED)}.get(name.lower())
    if called is None:
        raise UsageError(unknown("family", name, [*known, *COMBINED]))
    click.echo(combinator_explanation(called) if called in COMBINED else explanation(known[called]))


def explanation(family: type[Family]) -> str:
    """Return what `nll families NAME` says: how the family is written, then its docstring."""
    written = "\n".join(f"  {form.signature()}" for form in family.forms)
    return f"{purpose(family, whole=True)}\n\nWritten\n{written}\n\n{inspect.getdoc(family)}"


def combinator_explanation(name: str) -> str:
    """Return what `nll families NAME` says of what makes families of families."""
    import nll
    from nll.families.expression import COMBINED

    made = getattr(nll, name)
    scored, fitted = COMBINED[name]
    written = f"Written\n  {scored}   to score or check\n  {fitted}   to fit"
    return f"{module_line(name)}\n\n{written}\n\n{inspect.getdoc(type(made)) or ''}".rstrip()


def purpose(family: type[Family], whole: bool = False) -> str:
    """Return the first line of the family's module, or what follows its colon."""
    line = (inspect.getdoc(inspect.getmodule(family)) or "").partition("\n")[0].strip()
    return line if whole or ":" not in line else line.partition(":")[2].strip().removesuffix(".")


def _table(known: dict[str, type[Family]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from nll.cli.terminal import show

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("family", no_wrap=True)
    for header in ("y", "kind", "for"):
        table.add_column(header)
    for family in known.values():
        written = Text("\n").join(Text(form.signature()) for form in family.forms)
        kind = "discrete" if family.observations.discrete else "continuous"
        table.add_row(written, Text(family.support.words), kind, Text(purpose(family)))
    show(table)
    show(_combinators())
    if sys.stdout.isatty():
        click.echo("\nnll families NAME explains one: formula, parameters, source.")


def module_line(name: str) -> str:
    """Return the first line of the module of a combinator."""
    from importlib import import_module

    module = import_module(f"nll.families.{name.lower()}")
    return (inspect.getdoc(module) or "").partition("\n")[0].strip()


def _combinators() -> RenderableType:
    """Return the table of what makes families of families."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from nll.families.expression import COMBINED

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("made of families", no_wrap=True)
    table.add_column("for")
    for name, (scored, fitted) in COMBINED.items():
        line = module_line(name)
        what = line.partition(":")[2].strip() or line
        table.add_row(Text(f"{scored}\n{fitted}, to fit"), Text(what.removesuffix(".")))
    return table
