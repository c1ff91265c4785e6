"""From good inputs to bad ones: changes of bytes, of JSON values, and of the cells of a table in text."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

from tools.fuzz.payloads import hostile_numbers, hostile_texts

TEXTS = hostile_texts()
NUMBERS = hostile_numbers()
WORDS = [text.encode("utf-8", "surrogatepass")[:200] for text in [*TEXTS, *NUMBERS]]
WORDS += [
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\x00" * 8,
    b"\xff" * 8,
    b"\r\n",
    b"\n",
    b'"',
    b"'",
    b",",
    b";",
    b"\t",
    b"{",
    b"]",
]
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
MOST_CHANGES = 6
PIECE = re.compile(r"\w+|\s+|[^\w\s]")
DEEP = (3, 30, 1_000, 100_000)

Change = Callable[[bytearray, random.Random, Sequence[bytes]], None]


def _place(data: bytearray, draw: random.Random) -> int:
    # Ends hold headers and footers, which are read first.
    edge = draw.random()
    if edge < 0.2:
        return draw.randrange(min(len(data), 64) + 1)
    if edge < 0.4:
        return len(data) - draw.randrange(min(len(data), 64) + 1)
    return draw.randrange(len(data) + 1)


def _span(data: bytearray, draw: random.Random) -> slice:
    start = _place(data, draw)
    return slice(start, start + min(draw.choice((1, 2, 4, 8, 16, 64, 512)), len(data) - start))


def _flip(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    place = _place(data, draw)
    if place < len(data):
        data[place] ^= 1 << draw.randrange(8)


def _set(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    place = _place(data, draw)
    if place < len(data):
        data[place] = draw.randrange(256)


def _extreme(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    size, code = draw.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    place = _place(data, draw)
    if place + size <= len(data):
        data[place : place + size] = struct.pack("<" + code, draw.choice(EXTREMES) % (1 << 8 * size))


def _delete(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    del data[_span(data, draw)]


def _double(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    piece = data[_span(data, draw)]
    place = _place(data, draw)
    data[place:place] = piece * draw.choice((1, 1, 2, 100))


def _insert(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    place = _place(data, draw)
    data[place:place] = draw.choice(WORDS)


def _truncate(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    del data[draw.randrange(len(data) + 1) :]


def _splice(data: bytearray, draw: random.Random, others: Sequence[bytes]) -> None:
    other = draw.choice(others)
    cut = draw.randrange(len(other) + 1)
    data[_place(data, draw) :] = other[cut:]


CHANGES: tuple[Change, ...] = (_flip, _flip, _set, _extreme, _delete, _double, _insert, _truncate, _splice)


def mutated(data: bytes, draw: random.Random, others: Sequence[bytes], most: int = MOST_CHANGES) -> bytes:
    """Return the bytes with one to `most` changes, parts of `others` among them."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, most)):
        draw.choice(CHANGES)(changed, draw, others)
    return bytes(changed)


def mutated_tokens(text: str, draw: random.Random, others: Sequence[str]) -> str:
    """Return a text with one to three of its words, numbers and marks changed for others."""
    tokens = PIECE.findall(text)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(tokens) + 1)
        kind = draw.randrange(5)
        if kind == 0:
            tokens[place : place + 1] = []
        elif kind == 1:
            tokens[place : place + 1] = [draw.choice(NUMBERS if draw.random() < 0.8 else TEXTS)]
        else:
            tokens[place : place + (kind > 2)] = [draw.choice(PIECE.findall(draw.choice(others)))]
    return "".join(tokens)


class Raw(str):
    """A piece of JSON text that stands for itself, such as 1e400."""


def hostile_value(draw: random.Random) -> Any:
    """Return a value where another is expected."""
    kind = draw.randrange(8)
    if kind == 0:
        return draw.choice(TEXTS)
    if kind <= 2:
        return Raw(draw.choice(NUMBERS[:45]))
    if kind == 3:
        deep = draw.choice(DEEP[:3])
        return Raw("[" * deep + "]" * deep)
    return draw.choice([None, True, False, [], {}, [[]], [None], {"": None}, "", 0, -1, 1.5, "1", [1, "a"], {"nll": 1}])


def mutated_json(value: Any, draw: random.Random) -> str:
    """Return the text of a JSON value with one to three changes of its nodes, which may no longer be JSON."""
    changed = json.loads(json.dumps(value))
    for _ in range(draw.randint(1, 3)):
        nodes = _holders(changed)
        if not nodes:
            return dumped(hostile_value(draw))
        holder, key = draw.choice(nodes)
        _change(holder, key, draw, nodes)
    return dumped(changed)


def _change(holder: Any, key: Any, draw: random.Random, nodes: list[tuple[Any, Any]]) -> None:
    kind = draw.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[draw.choice(TEXTS)] = holder.pop(key)
    elif kind == 2 and isinstance(holder, list):
        holder[key:key] = [holder[key]] * draw.choice((1, 2, 50))
    elif kind == 3:
        other, place = draw.choice(nodes)
        if place in other if isinstance(other, dict) else place < len(other):
            holder[key] = json.loads(dumped(other[place], plain=True))
    elif kind == 4:
        holder[key] = [holder[key]]
    else:
        holder[key] = hostile_value(draw)


def _holders(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a value, as what holds it and its key."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else []
        for key in keys:
            found.append((holder, key))
            waiting.append(holder[key])
    return found


def dumped(value: Any, plain: bool = False) -> str:
    """Return JSON text in which a Raw stands as it is; `plain` writes it as a string."""
    if isinstance(value, Raw) and not plain:
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{dumped(each, plain)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumped(each, plain) for each in value) + "]"
    return json.dumps(value)


def mutated_cells(text: str, separator: str, draw: random.Random) -> str:
    """Return a table with one to three cells, rows or line ends changed."""
    rows = [line.split(separator) for line in text.split("\n")]
    end = draw.choice(("\n", "\n", "\n", "\r\n", "\r"))
    for _ in range(draw.randint(1, 3)):
        row = rows[draw.randrange(len(rows))]
        place = draw.randrange(len(row)) if row else 0
        kind = draw.randrange(7)
        if kind <= 2 and row:
            row[place] = draw.choice(NUMBERS if kind else TEXTS)
        elif kind == 3:
            row.insert(place, draw.choice(("", "0", '"')))
        elif kind == 4 and row:
            del row[place]
        elif kind == 5 and row:
            row[place] = draw.choice(('"{}"', " {} ", '"{}', "'{}'")).replace("{}", row[place])
        else:
            rows.insert(draw.randrange(len(rows) + 1), list(draw.choice(rows)))
    return end.join(separator.join(row) for row in rows)
