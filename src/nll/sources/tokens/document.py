"""A document: the tokens of one text with what a model said of each, in whatever format it was logged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nll.errors import DataError

SENTINEL = -9999.0  # "below what the server reports", in the logs of OpenAI, vLLM and others
LOWEST = -1e30  # llama.cpp writes the lowest float for probability 0

# Why a token has no log-probability.
FIRST, NULL, OUTSIDE = "first", "null", "outside"


@dataclass(slots=True)
class Document:
    """The tokens of one text, as a server or a program logged them.

    Attributes
    ----------
    format : the name of the format.
    tokens : what each token says: its bytes, its text (perhaps escaped), or None where that is not in the log.
    logprobs : log-probability in nats, -inf for a token that the log says is impossible, or the reason
        why there is none: FIRST (nothing came before it), NULL, OUTSIDE (not among the top k).
    text : the whole text, where the log has it.
    answer : the number of the first token of the answer; 0 where all of it is, None where the log does not say.
    sentinels : the tokens whose log-probability was a sentinel, such as -9999, and the number that stood there.
    fields : the line that it was read from.
    path, line, choice : where that is; lines count from 1, choices within a line from 0.
    """

    format: str
    tokens: list[bytes | str | None]
    logprobs: list[float | str]
    text: str | None = None
    answer: int | None = None
    sentinels: dict[int, float] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    line: int = 0
    choice: int = 0

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.path}:{self.line}" + (f", choice {self.choice}" if self.choice else "")

    @property
    def name(self) -> str:
        """The id that the log gives it, or its place; a choice after the first has its number too."""
        given = self.fields.get("custom_id", self.fields.get("id"))
        if given is None:
            return self.place
        return f"{given}#{self.choice}" if self.choice else str(given)


def made(
    name: str, tokens: list[bytes | str | None], values: list[Any], text: Any = None, answer: int | None = None
) -> Document:
    """Return a document of tokens and their log-probabilities as JSON has them; leading nulls were not scored."""
    if len(tokens) != len(values):
        raise DataError(f"{len(tokens)} tokens and {len(values)} log-probabilities; each token needs one (or null)")
    if text is not None and not isinstance(text, str):
        raise DataError(f"the text is no string: {text!r:.60}")
    logprobs: list[float | str] = []
    sentinels: dict[int, float] = {}
    for i, value in enumerate(values):
        if value is None:
            logprobs.append(FIRST if i == 0 else NULL)
        elif value is OUTSIDE or value is NULL:
            logprobs.append(value)
        else:
            number = checked(value, i)
            if number == SENTINEL or number <= LOWEST:
                sentinels[i], number = number, -math.inf
            logprobs.append(number)
    return Document(name, tokens, logprobs, text, answer, sentinels)


def checked(value: Any, i: int) -> float:
    """Return a log-probability; raise DataError of what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"token {i}: a log-probability is a number or null; found {value!r:.60}")
    try:
        number = float(value)
    except OverflowError:
        raise DataError(f"token {i}: a log-probability is a number that a double holds; found {value!r:.40}") from None
    if math.isnan(number) or number > 0.0:
        raise DataError(f"token {i}: a log-probability is at most 0; found {number!r}")
    return number


def listed(value: Any, what: str) -> list[Any]:
    """Return a list; raise DataError of what is none."""
    if not isinstance(value, list):
        raise DataError(f"{what} is no list: {value!r:.60}")
    return value


def record(value: Any, what: str) -> dict[str, Any]:
    """Return a JSON object; raise DataError of what is none."""
    if not isinstance(value, dict):
        raise DataError(f"{what} is no object: {value!r:.60}")
    return value


def said(entry: dict[str, Any], name: str = "token") -> bytes | str | None:
    """Return what a token says: its `bytes`, where they are there, else its text."""
    given = entry.get("bytes")
    if given is not None:
        try:
            return bytes(listed(given, "bytes"))  # bytes(10**12) would be a terabyte of zeros
        except (TypeError, ValueError):
            raise DataError(f"the bytes of a token are whole numbers from 0 to 255; found {given!r:.60}") from None
    return word(entry.get(name))


def word(token: Any) -> bytes | str | None:
    """Return the text of a token; raise DataError of what is none."""
    if token is not None and not isinstance(token, (str, bytes)):
        raise DataError(f"a token is a string; found {token!r:.60}")
    return token
