"""Sizes of the tokens of ordinary documents, all tokens at once; `measure.py` says what sizes are, and finds others.

Ordinary is a document all of whose tokens have a log-probability, but perhaps the first, and whose tokens give its text
in one of the ways of reading that `measure.py` tries, in its order; or whose text is not in the log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from nll.sources.tokens import chat
from nll.sources.tokens.measure import LOST, byte_letters, half_escaped
from nll.sources.tokens.typed import Found, texts

ESCAPED, PIECE, BYTE = "\\x", "▁", "<0x"


class Sizes(msgspec.Struct, gc=False):
    """What `measure.Measure` says of a document, without the sizes of single tokens; and its text."""

    text: str | None
    text_bytes: int | None
    scored_bytes: int | None
    special: int = 0
    lost: int = 0


class Reading(NamedTuple):
    """Tokens in one way of reading: all bytes, those of the first and the last, and how many are empty otherwise."""

    data: bytes
    first: bytes
    last: bytes
    empty: int = 0


def packed(values: list[float | None]) -> bytes | None:
    """Return the log-probabilities that are there as doubles in bytes; None where others than the first are lacking."""
    try:
        if values and values[0] is None:
            return struct.pack(f"{len(values) - 1}d", *values[1:])
        return struct.pack(f"{len(values)}d", *values)
    except struct.error:
        return None


def sizes(found: Found) -> Sizes | None:
    """Return the sizes of a document, or None where they need a closer look."""
    values, text = found.values, found.text
    tokens: Any = found.tokens
    if len(values) < 2:
        return None
    if tokens is None:
        return _without_tokens(text, values[0] is not None)
    if isinstance(tokens, bytes):
        if text is not None and (simple := _of_json(tokens, found.raw, text, values)):
            return simple
        tokens = texts(tokens)
    if tokens is None or len(tokens) != len(values):
        return None
    if found.format == chat.NAME:
        if tokens[0].bytes is not None:
            return _of_bytes(tokens, text)
        if any(entry.bytes is not None for entry in tokens):
            return None
        tokens = [entry.token for entry in tokens]
    return _after_unknown(tokens, values, text) if tokens[0] is None else _of_texts(tokens, values, text)


def _of_texts(tokens: list[Any], values: list[float | None], text: str | None) -> Sizes | None:
    """Return the sizes of tokens that are given as texts."""
    try:
        joined = "".join(tokens)
    except TypeError:  # one is not in the log
        return None
    is_first_scored = values[0] is not None
    if text is None:
        return _without_text(tokens, joined, is_first_scored)
    if joined == text:
        size = _utf8(text)
        return Sizes(text, size, size if is_first_scored else size - _utf8(tokens[0]))
    if any(each in text for each in (ESCAPED, PIECE, BYTE)):
        return None
    return _fitting(_readings(tokens, joined), text, is_first_scored)


def _of_json(tokens: bytes, raw: bytes, text: str, values: list[float | None]) -> Sizes | None:
    r"""Return the sizes where the JSON of the tokens without what separates them is that of the text: no token is made.

    A quote that is no end of a token has a backslash before it. Were it taken for one, in a token such as `x", `, then
    what is left would have a backslash before a comma, and the JSON of a text has none such.
    """
    between = b'", "' if b'", "' in tokens else b'","'
    joined = tokens[2:-2].replace(between, b"")
    if joined != raw[1:-1] or tokens[:2] != b'["' or tokens[-2:] != b'"]':
        return None
    removed = len(tokens) - 4 - len(joined)
    if removed != len(between) * (len(values) - 1):
        return None
    size = _utf8(text)
    if values[0] is not None:
        return Sizes(text, size, size)
    first = texts(tokens[: tokens.index(between) + 1] + b"]")
    return None if first is None else Sizes(text, size, size - _utf8(first[0]))


def _utf8(text: str) -> int:
    # No halves of surrogate pairs: the decoder refuses them.
    return len(text) if text.isascii() else len(text.encode())


def _without_tokens(text: str | None, all_scored: bool) -> Sizes:
    if text is None:
        return Sizes(None, None, None)
    size = _utf8(text)
    return Sizes(text, size, size if all_scored else None)


def _without_text(tokens: list[str], joined: str, is_first_scored: bool) -> Sizes | None:
    if LOST in joined:
        return None
    data, first, _, _ = (
        _half_escaped(tokens) if ESCAPED in joined else Reading(joined.encode(), tokens[0].encode(), b"")
    )
    return Sizes(data.decode("utf-8", "replace"), len(data), len(data) if is_first_scored else len(data) - len(first))


def _of_bytes(entries: list[Any], text: str | None) -> Sizes | None:
    """Return the sizes of a chat whose entries have bytes, perhaps but the last."""
    given: list[Any] = [entry.bytes for entry in entries]
    last: Any = None
    final: Any = given[-1]
    if final is None:
        given.pop()
        last = entries[-1].token
        if not last or text is None or ESCAPED in last or PIECE in last or not last.isascii():
            return None
    try:
        data = bytes(chain.from_iterable(given))
    except (TypeError, ValueError):  # some have none, or no bytes
        return None
    empty = 0 if all(given) else given.count([])
    if text is None:
        return Sizes(data.decode("utf-8", "replace"), len(data), len(data))
    if last is None:
        return _fitting([Reading(data, bytes(given[0]), bytes(final or ()), empty)], text, True)
    end = last.encode()
    return None if BYTE in last else _fitting([Reading(data + end, bytes(given[0]), end, empty)], text, True)


def _after_unknown(tokens: list[Any], values: list[float | None], text: str | None) -> Sizes | None:
    """Return the sizes where the first token is not in the log and has no log-probability."""
    try:
        joined = "".join(tokens[1:])
    except TypeError:
        return None
    if values[0] is not None:
        return None
    if text is None:
        if ESCAPED in joined:
            return None
        if LOST in joined:
            return Sizes(None, None, None, lost=sum(LOST in token for token in tokens[1:]))
        return Sizes(None, None, _utf8(joined))
    if not text.endswith(joined):
        return None
    return Sizes(text, _utf8(text), _utf8(joined), int(len(text) == len(joined)))


def _fitting(readings: list[Reading] | Iterator[Reading], text: str, is_first_scored: bool) -> Sizes | None:
    """Return the sizes by the first reading that gives the text, perhaps but a special first or last token, or both."""
    whole = text.encode()
    for data, first, last, empty in readings:
        missing = len(data) - len(whole)
        a, b = len(first), len(last)
        if missing == 0:
            dropped = (0, 0) if data == whole else None
        elif a == missing and data.endswith(whole):
            dropped = (1, 0)
        elif b == missing and data.startswith(whole):
            dropped = (0, 1)
        else:
            dropped = (1, 1) if a + b == missing and data[a : len(data) - b] == whole else None
        if dropped is not None:
            scored = len(whole) if is_first_scored or dropped[0] else len(whole) - a
            return Sizes(text, len(whole), scored, empty + sum(dropped))
    return None


def _readings(tokens: list[str], joined: str) -> Iterator[Reading]:
    """Return the ways of reading tokens, those of `measure.py` that differ for these."""
    yield Reading(joined.encode(), tokens[0].encode(), tokens[-1].encode())
    if ESCAPED in joined:
        yield _half_escaped(tokens)
        return
    if joined.isascii() or BYTE in joined:
        return
    if PIECE in joined:
        yield from _sentencepiece(tokens, joined)
    elif byte_letters().keys() >= set(joined):
        data, first, last = (each.translate(_table()).encode("latin-1") for each in (joined, tokens[0], tokens[-1]))
        yield Reading(data, first, last)


@cache
def _table() -> dict[int, int]:
    return {ord(letter): byte for letter, byte in byte_letters().items()}


# Tokens are of a vocabulary: the same ones come again.
_token = lru_cache(1 << 16)(half_escaped)


def _half_escaped(tokens: list[str]) -> Reading:
    read = [_token(token) if ESCAPED in token else token.encode() for token in tokens]
    return Reading(b"".join(read), read[0], read[-1])


def _sentencepiece(tokens: list[str], joined: str) -> Iterator[Reading]:
    """Read "▁" as a space, of which one that begins the text, perhaps after a special token, is none of it."""
    data, first, second, last = (each.replace(PIECE, " ").encode() for each in (joined, *tokens[:2], tokens[-1]))
    yield Reading(data, first, last)
    if len(tokens) > 2:
        if first.startswith(b" "):
            yield Reading(data[1:], first[1:], last, int(first == b" "))
        if second.startswith(b" "):
            at = len(first)
            yield Reading(data[:at] + data[at + 1 :], first, last, int(second == b" "))
