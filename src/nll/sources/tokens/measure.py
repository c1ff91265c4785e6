"""How many bytes each token stands for, held against the text: token strings alone do not say it.

Servers write a token of half a character as U+FFFD or as an escape, tokenisers write spaces and bytes by letters of
their own, and special tokens stand for no text at all. A way of reading the tokens is taken for true where it gives
exactly the text; else sizes are unknown, and a result says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from nll.errors import DataError
from nll.sources.tokens.document import Document

LOST = "�"
ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")
HIGH_ESCAPE = re.compile(r"\\x[89a-fA-F][0-9a-fA-F]")
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
HIGH = 0x80  # bytes from here on are parts of characters
MOST_BEGINNINGS = 100_000  # of lost characters, above which the search is given up

Token = bytes | str | None


@dataclass(slots=True)
class Measure:
    """The sizes of a document's tokens.

    Attributes
    ----------
    sizes : bytes of each token; None where unknown.
    text : the text, from the log or put together from its tokens; None where it is unknown.
    text_bytes : its UTF-8 bytes; None where unknown.
    scored_bytes : bytes of the tokens that have a log-probability; None where unknown.
    special : tokens that stand for no text (the beginning of a sequence, the end of a turn).
    lost : tokens of part of a character whose bytes are not in the log.
    agrees : whether tokens and text are the same; False where they cannot be made so.
    """

    sizes: list[int | None]
    text: str | None
    text_bytes: int | None
    scored_bytes: int | None
    special: int = 0
    lost: int = 0
    agrees: bool = True

    def spans(self) -> list[tuple[int, int]] | None:
        """Return the bytes from which and to which each token goes; None where a size is unknown."""
        known = [size for size in self.sizes if size is not None]
        if len(known) < len(self.sizes) or (self.text is not None and not self.agrees):
            return None
        ends: list[tuple[int, int]] = []
        at = 0
        for size in known:
            ends.append((at, at + size))
            at += size
        return ends


def measured(document: Document) -> Measure:
    """Return the sizes of the tokens of a document."""
    scored = [isinstance(value, float) for value in document.logprobs]
    if document.text is None:
        return _without_text(document, scored)
    try:
        whole = document.text.encode()
    except UnicodeEncodeError:
        raise DataError("the text has half of a surrogate pair, which no UTF-8 can hold") from None
    found = _agreeing(document.tokens, whole)
    if found is None:
        found = _cut_off(document.tokens, document.text)
    if found is None and document.tokens and document.tokens[0] is None:
        found = _after_unknown(document.tokens, whole)
    if found is not None:
        special = sum(size == 0 and token != "" for size, token in zip(found, document.tokens, strict=True))
        return Measure(list(found), document.text, len(whole), _sum(found, scored), special)
    lost = sum(isinstance(token, str) and LOST in token for token in document.tokens)
    count = _by_pattern(document.tokens, scored, whole) if lost else None
    sizes = [_size(token) for token in document.tokens]
    if all(token is None for token in document.tokens):  # the log has no tokens: nothing to hold against the text
        return Measure(sizes, document.text, len(whole), len(whole) if all(scored) else None)
    special = int(count == len(whole) and document.tokens[0] is None and not scored[0])
    return Measure(sizes, document.text, len(whole), count, special, lost, agrees=count is not None)


def _sum(sizes: list[int], scored: list[bool]) -> int:
    return sum(size for size, is_scored in zip(sizes, scored, strict=True) if is_scored)


def _size(token: Token) -> int | None:
    """Return the bytes of a token as it stands; None of one that is unknown or lost."""
    if token is None or (isinstance(token, str) and LOST in token):
        return None
    return len(token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass"))


def _without_text(document: Document, scored: list[bool]) -> Measure:
    """Return sizes where the log has no text: bytes as given, and strings as they stand, escapes read."""
    tokens = [_unescaped(token) if isinstance(token, str) else token for token in document.tokens]
    sizes = [_size(token) for token in tokens]
    lost = sum(isinstance(token, str) and LOST in token for token in tokens)
    known = [size for size in sizes if size is not None]
    text = None
    if len(known) == len(sizes):
        joined = b"".join(_plain(token) for token in tokens)
        text = joined.decode("utf-8", "replace") if known else None
    counted = [size for size, is_scored in zip(sizes, scored, strict=True) if is_scored]
    scored_bytes = None if any(size is None for size in counted) else sum(size or 0 for size in counted)
    total = sum(known) if text is not None else None
    return Measure(sizes, text, total, scored_bytes, lost=lost)


def _unescaped(token: str) -> bytes | str:
    """Return the bytes of a token written by escapes of half characters, as OpenAI's completions do."""
    if token.startswith("bytes:") and ESCAPE.fullmatch(token[6:10]):
        return _escaped(token[6:])
    return _escaped(token) if HIGH_ESCAPE.search(token) else token


def _plain(token: Token) -> bytes:
    return token if isinstance(token, bytes) else (token or "").encode("utf-8", "surrogatepass")


def _escaped(token: Token) -> bytes:
    r"""Read "\xf0" as a byte, and what stands between such as text."""
    if not isinstance(token, str):
        return token or b""
    parts = ESCAPE.split(token.removeprefix("bytes:") if token.startswith("bytes:\\x") else token)
    return b"".join(bytes([int(part, 16)]) if i % 2 else _plain(part) for i, part in enumerate(parts))


def half_escaped(token: Token) -> bytes:
    r"""Read "\xf0" as a byte where it is none of ASCII, which never is half a character."""
    if not isinstance(token, str):
        return token or b""
    return _plain(_unescaped(token))


def _sentencepiece(token: Token) -> bytes:
    """Read "▁" as a space and "<0xF0>" as a byte."""
    if not isinstance(token, str):
        return token or b""
    byte = BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else _plain(token.replace("▁", " "))


@cache
def byte_letters() -> dict[str, int]:
    """Return the byte that each letter stands for in byte-level vocabularies, as that of GPT-2: "Ġ" is a space.

    Printable bytes of Latin-1 stand for themselves; the others, in their order, are the letters from U+0100 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def _byte_level(token: Token) -> bytes:
    if not isinstance(token, str):
        return token or b""
    letters = byte_letters()
    return bytes([letters[c] for c in token]) if all(c in letters for c in token) else _plain(token)


def _readers(tokens: list[Token]) -> Iterator[Callable[[Token], bytes]]:
    """Return the ways of reading that can differ from the plain one for these tokens."""
    joined = "".join(token for token in tokens if isinstance(token, str))
    yield _plain
    if "\\x" in joined:
        yield half_escaped
        yield _escaped
    if not joined.isascii():
        yield _byte_level
    if "▁" in joined or "<0x" in joined:
        yield _sentencepiece


def _agreeing(tokens: list[Token], whole: bytes) -> list[int] | None:
    """Return the size of each token, by the first way of reading them that gives the text; None if none does."""
    if any(token is None for token in tokens):
        return None
    for reader in _readers(tokens):
        read = [reader(token) for token in tokens]
        for sizes in _placed(read, whole):
            return sizes
        if reader is not _sentencepiece:
            continue
        for i, each in enumerate(read[:2]):  # a space that begins every text, perhaps after a special token
            if each.startswith(b" "):
                for sizes in _placed([*read[:i], each[1:], *read[i + 1 :]], whole):
                    return sizes
    return None


def _placed(read: list[bytes], whole: bytes) -> Iterator[list[int]]:
    """Return the sizes, if the tokens are the text: all of them, or all but a special first or last one, or both."""
    sizes = [len(each) for each in read]
    missing = sum(sizes) - len(whole)
    if missing < 0:
        return
    for first, last in ((0, 0), (1, 0), (0, 1), (1, 1)):
        if len(read) < first + last or sum(sizes[:first]) + sum(sizes[len(sizes) - last :]) != missing:
            continue
        kept = read[first : len(read) - last]
        if b"".join(kept) == whole:
            yield [0] * first + [len(each) for each in kept] + [0] * last


def _cut_off(tokens: list[Token], text: str) -> list[int] | None:
    """Return sizes where a limit of tokens cut the last character: its bytes are in the log, and not in the text."""
    given = [token for token in tokens if isinstance(token, bytes)]
    if len(given) < len(tokens):
        return None
    joined = b"".join(given)
    decoded = (joined.decode("utf-8", errors) for errors in ("replace", "ignore"))
    return [len(each) for each in given] if text in decoded else None


def _after_unknown(tokens: list[Token], whole: bytes) -> list[int] | None:
    """Return sizes where the first token is not in the log: what the others leave of the text is its own."""
    rest = tokens[1:]
    if any(token is None for token in rest):
        return None
    for reader in _readers(tokens):
        read = [reader(token) for token in rest]
        if whole.endswith(b"".join(read)):
            sizes = [len(each) for each in read]
            return [len(whole) - sum(sizes), *sizes]
    return None


def _by_pattern(tokens: list[Token], scored: list[bool], whole: bytes) -> int | None:
    """Return the scored bytes of a text some of whose tokens were lost as U+FFFD; None where it stays open.

    What precedes the first scored token is what the others leave of the text, where every scored token comes after
    every other one.
    """
    first = scored.index(True) if True in scored else len(scored)
    head, rest = tokens[:first], tokens[first:]
    words = [token for token in rest if isinstance(token, str)]
    if not all(scored[first:]) or len(words) < len(rest):
        return None
    begins = _beginnings(re.split(f"({LOST}+)", "".join(words)), whole)
    sizes = [_size(token) for token in head]
    if None not in sizes:  # it is in the text as it stands, or not at all, as the beginning of a sequence is
        begins &= {0, sum(size or 0 for size in sizes)}
    return len(whole) - begins.pop() if len(begins) == 1 else None


def _beginnings(pieces: list[str], whole: bytes) -> set[int]:
    """Return where the end of a text can begin that these pieces are; every other piece is of lost characters.

    A lost token has one U+FFFD for each part of a character, which is a byte at least and four at most.
    """
    begins = {len(whole)}
    for i in range(len(pieces) - 1, -1, -1):
        if i % 2 == 0:
            data = pieces[i].encode("utf-8", "surrogatepass")
            begins = {at - len(data) for at in begins if at >= len(data) and whole.startswith(data, at - len(data))}
            continue
        count, ends, begins = len(pieces[i]), begins, set()
        for end in ends:
            low = end
            while low > 0 and end - low < 4 * count and whole[low - 1] >= HIGH:
                low -= 1
            begins.update(range(low, end - count + 1))
        if len(begins) > MOST_BEGINNINGS:
            return set()
    return begins
