"""What nll raises: one tree of errors, and the builders of their messages.

A message says what was wrong, where (row, column, file), what was found there, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class NllError(Exception):
    """The root: everything that nll raises on purpose."""

    exit_code = 1


class DataError(NllError, ValueError):
    """The data cannot be what it claims to be: a broken file, an impossible value, a missing cell."""

    exit_code = 1


class UsageError(NllError, ValueError):
    """The call cannot mean anything: an unknown name, a file that is not there, options that exclude each other."""

    exit_code = 2


class FitError(NllError, RuntimeError):
    """A fit that found no maximum: the likelihood is unbounded, or the search did not end at one.

    `fit` is the outcome as it stands, which ``throw=False`` would have returned.
    """

    exit_code = 1

    def __init__(self, message: str, fit: object = None) -> None:
        super().__init__(message)
        self.fit = fit


class EngineError(NllError, RuntimeError):
    """A cluster did not do the work: its workers died, or cannot run nll. The data may well be right."""

    exit_code = 1


class MissingExtraError(NllError, ImportError):
    """An optional dependency is not installed.

    Parameters
    ----------
    extra : the extra of nll that brings it.
    package : the package that was not found.
    """

    exit_code = 2

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(f"{package} is not installed; it comes with: pip install 'nll[{extra}]'", name=package)
        self.extra = extra
        self.package = package

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        # Exceptions pickle by their message, which is not what this one is made from; workers send them.
        return type(self), (self.extra, self.package)


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return " (did you mean 'label'?)" for the choices closest to `name`, or "" if none is close."""
    by_lower: dict[str, str] = {}
    for choice in choices:
        by_lower.setdefault(choice.lower(), choice)
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if not close:
        return ""
    return " (did you mean " + " or ".join(repr(by_lower[key]) for key in close) + "?)"


def listing(names: Iterable[object], limit: int = 12) -> str:
    """Return "a, b, c and 40 more": at most `limit` names in the order given."""
    every: Sequence[str] = [str(name) for name in names]
    if not every:
        return "none"
    shown = ", ".join(every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit} more"


def unknown(kind: str, name: str, choices: Iterable[str], where: str = "") -> str:
    """Return the message for a `name` that is none of the `choices`.

    Example: "no column 'lable' in preds.parquet (did you mean 'label'?); present: label, p, weight".
    """
    choices = list(choices)
    place = f" in {where}" if where else ""
    return f"no {kind} {name!r}{place}{nearest(name, choices)}; present: {listing(choices)}"


def first_line(error: BaseException, limit: int = 200) -> str:
    """Return the first line of what an error of another library says, shortened to `limit` characters."""
    lines = str(error).strip().splitlines()
    line = lines[0].strip() if lines else type(error).__name__
    return line if len(line) <= limit else line[: limit - 1] + "…"
