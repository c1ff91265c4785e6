"""Legacy completions of OpenAI (`logprobs: k`, with or without `echo`), and servers that write the same."""

from __future__ import annotations

from typing import Any

from nll.errors import DataError
from nll.sources.tokens.document import Document, listed, made, record, word

NAME = "completions"


def recognises(body: dict[str, Any]) -> bool:
    """Whether a line is a completion."""
    choices = body.get("choices")
    return isinstance(choices, list) and any(isinstance(each, dict) and "text" in each for each in choices)


def read(body: dict[str, Any]) -> list[Document]:
    """Return one document a choice; an echoed prompt is part of it, and the answer begins after it."""
    choices = listed(body.get("choices"), "choices")
    return [read_choice(record(choice, f"choice {i}"), i, body) for i, choice in enumerate(choices)]


def read_choice(choice: dict[str, Any], i: int, body: dict[str, Any]) -> Document:
    """Return the document of a choice."""
    if choice.get("logprobs") is None:
        raise DataError(f"choice {i} has no logprobs: ask the server for them (logprobs=1)")
    logprobs = record(choice["logprobs"], f"logprobs of choice {i}")
    tokens = [word(token) for token in listed(logprobs.get("tokens"), f"tokens of choice {i}")]
    values = listed(logprobs.get("token_logprobs"), f"token_logprobs of choice {i}")
    answer = prompt_tokens(body) if values and values[0] is None else 0
    return made(NAME, tokens, values, choice.get("text"), None if answer is None else min(answer, len(tokens)))


def prompt_tokens(body: dict[str, Any]) -> int | None:
    """Return how many tokens the prompt had; None where the log does not say."""
    usage = body.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) and count > 0 else None
