"""vLLM with `prompt_logprobs`: the prompt's tokens as objects keyed by token id, and those that were generated."""

from __future__ import annotations

from typing import Any

from nll.errors import DataError
from nll.sources.tokens import chat
from nll.sources.tokens.document import OUTSIDE, Document, listed, made, record, word

NAME = "vllm"


def recognises(body: dict[str, Any]) -> bool:
    """Whether a line, or a choice in it, has log-probabilities of a prompt."""
    if isinstance(body.get("prompt_logprobs"), list):
        return True
    choices = body.get("choices")
    if not isinstance(choices, list):
        return False
    return any(isinstance(each, dict) and isinstance(each.get("prompt_logprobs"), list) for each in choices)


def read(body: dict[str, Any]) -> list[Document]:
    """Return one document a choice: its prompt, and what was generated where that has log-probabilities too."""
    if "choices" not in body:
        return [_document(body, {}, body)]
    choices = listed(body["choices"], "choices")
    return [_document(record(each, f"choice {i}"), body, body, i) for i, each in enumerate(choices)]


def _document(holder: dict[str, Any], outer: dict[str, Any], body: dict[str, Any], i: int = 0) -> Document:
    prompt = holder.get("prompt_logprobs")
    if prompt is None:
        prompt = outer.get("prompt_logprobs")
    entries = listed(prompt, "prompt_logprobs")
    ids = holder.get("prompt_token_ids", outer.get("prompt_token_ids"))
    if ids is not None and len(listed(ids, "prompt_token_ids")) != len(entries):
        raise DataError(f"{len(ids)} prompt_token_ids and {len(entries)} prompt_logprobs")
    pairs = [_actual(entry, None if ids is None else ids[j], j) for j, entry in enumerate(entries)]
    text = body.get("prompt") if isinstance(body.get("prompt"), str) else body.get("text")
    answer = len(pairs)
    more = _generated(holder, i)
    if more is not None:
        echoed = bool(more) and more[0][1] is None and len(more) >= len(pairs)
        pairs = more if echoed else pairs + more
        own = holder.get("text")
        text = own if echoed else text + own if isinstance(text, str) and isinstance(own, str) else None
    tokens, values = [token for token, _ in pairs], [value for _, value in pairs]
    return made(NAME, tokens, values, text, answer if more else None)


def _actual(entry: Any, token: Any, j: int) -> tuple[bytes | str | None, Any]:
    """Return the token that stood in the prompt and its log-probability: the one of its id, else the first key."""
    if entry is None:
        return None, None
    options = record(entry, f"prompt_logprobs[{j}]")
    if not options:
        raise DataError(f"prompt_logprobs[{j}] is empty")
    if token is not None and str(token) not in options:
        return None, OUTSIDE
    found = record(next(iter(options.values())) if token is None else options[str(token)], f"prompt_logprobs[{j}]")
    return word(found.get("decoded_token")), chat.logprob(found, j)


def _generated(choice: dict[str, Any], i: int) -> list[tuple[bytes | str | None, Any]] | None:
    """Return the generated tokens, where they were logged: in the form of completions, or of chats."""
    logprobs = choice.get("logprobs")
    if not isinstance(logprobs, dict):
        return None
    if "tokens" in logprobs:
        tokens = listed(logprobs["tokens"], f"tokens of choice {i}")
        values = listed(logprobs.get("token_logprobs"), f"token_logprobs of choice {i}")
        if len(tokens) != len(values):
            raise DataError(f"choice {i}: {len(tokens)} tokens and {len(values)} log-probabilities")
        return [(word(token), value) for token, value in zip(tokens, values, strict=True)]
    entries = chat.content(choice, i)
    return [(chat.said(entry), chat.logprob(entry, j)) for j, entry in enumerate(entries)]
