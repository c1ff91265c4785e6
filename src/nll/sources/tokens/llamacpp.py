"""The server of llama.cpp: `completion_probabilities` of its own /completion, of today and of before 2025."""

from __future__ import annotations

import math
from typing import Any

from nll.errors import DataError
from nll.sources.tokens.document import OUTSIDE, Document, listed, made, record, said

NAME = "llama.cpp"


def recognises(body: dict[str, Any]) -> bool:
    """Whether a line has the key of this server."""
    return "completion_probabilities" in body


def read(body: dict[str, Any]) -> list[Document]:
    """Return the generated text as one document."""
    tokens: list[bytes | str | None] = []
    values: list[Any] = []
    for i, each in enumerate(listed(body["completion_probabilities"], "completion_probabilities")):
        entry = record(each, f"token {i}")
        old = "probs" in entry
        tokens.append(said(entry, "content" if old else "token"))
        values.append(_among(entry, i) if old else _value(entry, i))
    return [made(NAME, tokens, values, body.get("content"), 0)]


def _value(entry: dict[str, Any], i: int) -> Any:
    if "logprob" in entry:
        return entry["logprob"]
    if "prob" in entry:
        return _log(entry["prob"], i)
    raise DataError(f"token {i} has neither logprob nor prob")


def _among(entry: dict[str, Any], i: int) -> Any:
    """Return the log of the probability of the token that was taken, if it is one of the k that were logged."""
    for each in listed(entry["probs"], f"probs of token {i}"):
        option = record(each, f"probs of token {i}")
        if option.get("tok_str") == entry.get("content"):
            return _log(option.get("prob"), i)
    return OUTSIDE


def _log(probability: Any, i: int) -> float:
    number = isinstance(probability, (int, float)) and not isinstance(probability, bool)
    if not number or not 0.0 <= probability <= 1.0:
        raise DataError(f"token {i}: a probability is from 0 to 1; found {probability!r:.60}")
    return math.log(probability) if probability > 0.0 else -math.inf
