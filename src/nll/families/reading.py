"""What the grammars for texts share: tokens, read from left to right, and errors that name their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from nll.errors import UsageError

SHOWN = 60  # characters of the text in a message


class Token(NamedTuple):
    """A piece of the text: what kind it is, its text, and where it begins (from 0)."""

    kind: str
    text: str
    at: int


class Reader:
    """Reads one text, one token ahead.

    Parameters
    ----------
    text : the text.
    grammar : a pattern whose named groups are the kinds of tokens, "end" among them.
    unreadable : says what is wrong with a rest that begins with no token.
    subject : stands before every message.
    """

    def __init__(
        self, text: str, grammar: re.Pattern[str], unreadable: Callable[[str], str], subject: str = ""
    ) -> None:
        self.text, self.subject = text, subject
        self.tokens: list[Token] = []
        self.next = 0
        at = 0
        while not self.tokens or self.tokens[-1].kind != "end":
            found = grammar.match(text, at)
            if found is None or found.lastgroup is None:
                at += len(text[at:]) - len(text[at:].lstrip())
                self.fail(unreadable(text[at:]), Token("", "", at))
            kind = found.lastgroup
            self.tokens.append(Token(kind, found[kind], found.start(kind)))
            at = found.end()

    def fail(self, what: str, where: Token) -> NoReturn:
        """Raise UsageError for a place in the text."""
        shown = self.text if len(self.text) <= SHOWN else self.text[: SHOWN - 1] + "…"
        raise UsageError(f"{self.subject}{what} (character {where.at + 1} of {shown!r})")
