"""The likeliest tokens in the place of each, where a log has them: for a reader's eye, and never for a number.

What is not understood is left out, for no number depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nll.sources.tokens.document import Document

Options = tuple[tuple[str, float], ...]
Fields = Mapping[str, Any]
TEXTS = ("token", "decoded_token", "text", "tok_str", "content")


def alternatives(document: Document, most: int = 5) -> list[Options]:
    """Return the likeliest tokens in each place with their log-probabilities, the likeliest first; or none."""
    count = len(document.logprobs)
    listed = _OF_FORMAT.get(document.format, _plain)(document)
    if len(listed) != count:
        return [()] * count
    return [_best(entry, most) for entry in listed]


def _best(entry: Any, most: int) -> Options:
    found = sorted(_read(entry), key=lambda option: -option[1])
    return tuple(found[:most])


def _read(entry: Any) -> Iterator[tuple[str, float]]:
    """Read a list of options, or options by token or by token id."""
    if isinstance(entry, list):
        pairs = [(_text(each), _value(each)) for each in entry if isinstance(each, dict)]
    elif isinstance(entry, dict):
        pairs = [
            (_text(each) or str(key), _value(each)) if isinstance(each, dict) else (str(key), _number(each))
            for key, each in entry.items()
        ]
    else:
        pairs = []
    for text, value in pairs:
        if text is not None and value is not None:
            yield text, value


def _text(option: Fields) -> str | None:
    data = option.get("bytes")
    if isinstance(data, list) and data and all(type(each) is int and 0 <= each < 256 for each in data):
        try:
            return bytes(data).decode()
        except UnicodeDecodeError:
            return bytes(data).hex(" ").upper()
    return next((option[name] for name in TEXTS if isinstance(option.get(name), str)), None)


def _value(option: Fields) -> float | None:
    if "logprob" in option:
        return _number(option["logprob"])
    prob = _number(option.get("prob"), 1.0)
    return math.log(prob) if prob is not None and prob > 0.0 else None


def _number(value: Any, largest: float = 0.0) -> float | None:
    """Return a number up to `largest` as a double, and None of anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number <= largest else None


def _at(value: Any, *path: str | int) -> Any:
    """Return what lies at a path into JSON; None where there is nothing."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _chat(document: Document) -> list[Any]:
    return _of_content(_at(document.fields, "choices", document.choice, "logprobs"))


def _of_content(logprobs: Any) -> list[Any]:
    entries = _at(logprobs, "content")
    return [_at(entry, "top_logprobs") for entry in _as_list(_at(logprobs, "refusal") if entries is None else entries)]


def _completions(document: Document) -> list[Any]:
    return _as_list(_at(document.fields, "choices", document.choice, "logprobs", "top_logprobs"))


def _vllm(document: Document) -> list[Any]:
    holder = _at(document.fields, "choices", document.choice) or document.fields
    prompt = _at(holder, "prompt_logprobs")
    prompt = _as_list(_at(document.fields, "prompt_logprobs") if prompt is None else prompt)
    logprobs = _at(holder, "logprobs")
    more = _as_list(_at(logprobs, "top_logprobs")) or _of_content(logprobs)
    # The generated tokens may hold the prompt's, echoed.
    count = len(document.logprobs)
    return next((each for each in (prompt + more, prompt, more) if len(each) == count), [])


def _llamacpp(document: Document) -> list[Any]:
    names = ("top_logprobs", "top_probs", "probs")
    entries = _as_list(document.fields.get("completion_probabilities"))
    return [next((found for name in names if (found := _at(entry, name)) is not None), None) for entry in entries]


def _huggingface(document: Document) -> list[Any]:
    top = _as_list(_at(document.fields, "details", "top_tokens"))
    return [None] * (len(document.logprobs) - len(top)) + top


def _plain(document: Document) -> list[Any]:
    return _as_list(document.fields.get("top_logprobs"))


_OF_FORMAT: dict[str, Callable[[Document], list[Any]]] = {
    "openai-chat": _chat,
    "completions": _completions,
    "vllm": _vllm,
    "llama.cpp": _llamacpp,
    "huggingface": _huggingface,
}
