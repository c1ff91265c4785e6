"""The command and its subcommands; how errors, interruptions and closed pipes end them."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from nll.cli.check import check
from nll.cli.compare import compare
from nll.cli.decompose import decompose
from nll.cli.demo import demo
from nll.cli.families import families
from nll.cli.fit import fit
from nll.cli.plot import plot
from nll.cli.score import score
from nll.cli.tokens import compare_tokens, tokens
from nll.cli.watch import watch
from nll.errors import NllError, first_line
from nll.version import __version__

# As shells number them: 128 and the signal, SIGINT or SIGPIPE.
INTERRUPTED = 130
PIPE_CLOSED = 141

EPILOG = "Exit codes: 0 done, 1 bad data, 2 bad usage, 130 interrupted."


class Commands(click.Group):
    """A group whose subcommands end in one line and an exit code, never in a traceback of ours."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except NllError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # Nobody reads on: what is still buffered goes nowhere, without a message when Python flushes it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(PIPE_CLOSED)
        except OSError as error:
            click.echo(f"error: {first_line(error)}", err=True)
            ctx.exit(1)
        return result


@click.group(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="nll", message="%(prog)s %(version)s")
def main() -> None:
    """Score, fit and compare probabilistic models by exact negative log-likelihood (log loss, cross-entropy)."""


for command in (score, fit, compare, decompose, tokens, compare_tokens, check, watch, families, plot, demo):
    main.add_command(command)
