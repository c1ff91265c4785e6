"""The command `nll`: thin, and light to load; what a subcommand needs is imported when it runs."""

from nll.cli.commands import main

__all__ = ["main"]
