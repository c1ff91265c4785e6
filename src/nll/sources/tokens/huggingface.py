"""Hugging Face text generation (`details` with `prefill` and `tokens`), and its `input_ids` with log-probabilities."""

from __future__ import annotations

from typing import Any

from nll.errors import DataError
from nll.sources.tokens.chat import logprob
from nll.sources.tokens.document import Document, listed, made, record, word

NAME = "huggingface"
VALUES = ("token_logprobs", "logprobs", "log_probs")


def recognises(body: dict[str, Any]) -> bool:
    """Whether a line has details of a generation, or token ids with log-probabilities and no tokens."""
    details = body.get("details")
    if isinstance(details, dict) and "tokens" in details:
        return True
    return "input_ids" in body and "tokens" not in body and any(name in body for name in VALUES)


def read(body: dict[str, Any]) -> list[Document]:
    """Return the prompt, where it was logged, and what was generated; special tokens are no part of the text."""
    if "details" not in body:
        return [_scored(body)]
    details = record(body["details"], "details")
    prefill = listed(details.get("prefill") or [], "details.prefill")
    entries = [record(each, f"token {i}") for i, each in enumerate([*prefill, *listed(details["tokens"], "tokens")])]
    tokens = [b"" if entry.get("special") is True else word(entry.get("text")) for entry in entries]
    values = [logprob(entry, i) for i, entry in enumerate(entries)]
    text = body.get("generated_text")
    if prefill and isinstance(text, str):
        text = body["inputs"] + text if isinstance(body.get("inputs"), str) else None
    return [made(NAME, tokens, values, text, len(prefill))]


def _scored(body: dict[str, Any]) -> Document:
    ids = listed(body["input_ids"], "input_ids")
    name = next(name for name in VALUES if name in body)
    values = listed(body[name], name)
    if len(values) == len(ids) - 1:  # logits that were shifted by one: the first token has none
        values = [None, *values]
    if len(values) != len(ids):
        raise DataError(f"{len(ids)} input_ids and {len(values)} {name}: one each, or one less without the first")
    return made(NAME, [None] * len(ids), values, body.get("text"))
