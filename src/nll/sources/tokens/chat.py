"""OpenAI chat completions with `logprobs: true`, and servers that write the same."""

from __future__ import annotations

from typing import Any

from nll.errors import DataError
from nll.sources.tokens.document import Document, listed, made, record, said

NAME = "openai-chat"


def recognises(body: dict[str, Any]) -> bool:
    """Whether a line is a chat completion."""
    choices = body.get("choices")
    return isinstance(choices, list) and any(isinstance(each, dict) and "message" in each for each in choices)


def read(body: dict[str, Any]) -> list[Document]:
    """Return one document a choice: all tokens of the answer, none of the prompt, which the log does not have."""
    found: list[Document] = []
    for i, each in enumerate(listed(body.get("choices"), "choices")):
        choice = record(each, f"choice {i}")
        entries = content(choice, i)
        message = record(choice.get("message"), f"the message of choice {i}")
        # Where the model refuses, its tokens are those of the refusal.
        text = message.get("content") if message.get("content") is not None else message.get("refusal")
        tokens = [said(entry) for entry in entries]
        found.append(made(NAME, tokens, [logprob(entry, j) for j, entry in enumerate(entries)], text, 0))
    return found


def content(choice: dict[str, Any], i: int) -> list[dict[str, Any]]:
    """Return the entries of the tokens of a choice."""
    logprobs = choice.get("logprobs")
    if logprobs is None:
        raise DataError(f"choice {i} has no logprobs: ask the server for them (logprobs=true)")
    logprobs = record(logprobs, f"logprobs of choice {i}")
    entries = logprobs.get("content")
    if entries is None:
        entries = logprobs.get("refusal")
    return [record(entry, f"token {j}") for j, entry in enumerate(listed(entries, f"logprobs.content of choice {i}"))]


def logprob(entry: dict[str, Any], i: int) -> Any:
    """Return the log-probability of an entry, which must be there, be it null."""
    if "logprob" not in entry:
        raise DataError(f"token {i} has no logprob")
    return entry["logprob"]
