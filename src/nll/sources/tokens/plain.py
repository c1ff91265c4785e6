"""The plain format: {"id", "text", "tokens", "token_logprobs"}, of which only the last is needed."""

from __future__ import annotations

from typing import Any

from nll.sources.tokens.document import Document, listed, made, word

NAME = "plain"
VALUES = ("token_logprobs", "logprobs")


def recognises(body: dict[str, Any]) -> bool:
    """Whether a line has a list of log-probabilities."""
    return any(isinstance(body.get(name), list) for name in VALUES)


def read(body: dict[str, Any]) -> list[Document]:
    """Return the line as a document; `answer`, if there is one, is the number of the answer's first token."""
    name = next((name for name in VALUES if name in body), VALUES[0])
    values = listed(body.get(name), name)
    given = body.get("tokens")
    tokens = [word(token) for token in ([None] * len(values) if given is None else listed(given, "tokens"))]
    answer = body.get("answer")
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer <= len(values):
        answer = None  # a field of another meaning, or none
    return [made(NAME, tokens, values, body.get("text"), answer)]
