"""The headers of the pages of Parquet files, looked at before Polars reads them.

A damaged count of values there makes Polars ask for exabytes, which ends the process and not the call; other readers
end it for other damages. Source: Apache Parquet, parquet.thrift (FileMetaData, PageHeader), and Apache Thrift, the
compact protocol.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nll.errors import DataError

MOST_FILES = 1_000  # that are looked at, a millisecond each
MOST_FOOTER = 1 << 20  # bytes of a footer, which are read in half a second; a longer one is left to Polars
MOST_PAGES = 20_000  # of all files, 20 microseconds each; pages are of a megabyte, or of 20,000 rows
LARGEST_PAGE = 1 << 30  # bytes when unpacked: a page is unpacked whole
DEEPEST = 12  # structs in structs
MAGIC = b"PAR1"

# Fields of FileMetaData and what is in it.
SCHEMA, GROUPS = 2, 4
REPETITION, NAME, CHILDREN, REPEATED = 3, 4, 5, 2
CHUNKS, ROWS = 1, 3
META = 3
PATH, COUNT, DATA_AT, DICTIONARY_AT = 3, 5, 9, 11
# Fields of a PageHeader, and of the headers in it.
KIND, UNPACKED, PACKED, DATA, DICTIONARY, DATA_2 = 1, 2, 3, 5, 7, 8
VALUES = 1
INDEX = 1  # the kind of page that holds no values
# Types of the compact protocol.
TRUE, FALSE, BYTE, SHORT, INTEGER, LONG, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12

Data = bytes | mmap.mmap


def check_pages(paths: Sequence[str], columns: Collection[str], span: tuple[int, int] | None = None) -> None:
    """Raise DataError if a page of these columns, in the rows of a span, cannot be what its header says.

    Files that cannot be opened, or whose footer cannot be read, are left to who reads them.
    """
    pages = 0
    for path in paths[:MOST_FILES]:
        with suppress(OSError, ValueError), Path(path).open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            with data:
                wrong, looked = _look(data, columns, span, MOST_PAGES - pages)
            if wrong:
                break
            pages += looked
        if pages >= MOST_PAGES:
            return
    else:
        return
    raise DataError(
        f"{path} cannot be read as Parquet: {wrong}; it may be truncated, damaged or of another format: "
        "write or fetch it again"
    )


def row_groups(path: str) -> list[int]:
    """Return the rows of each row group; none of a file whose footer is too long, or cannot be read."""
    try:
        with Path(path).open("rb") as file:
            length = file.seek(0, 2)
            file.seek(max(length - 8, 0))
            end = file.read(8)
            size = int.from_bytes(end[:4], "little")
            if end[4:] != MAGIC or size > min(MOST_FOOTER, length - 12):
                return []
            file.seek(length - 8 - size)
            footer, _ = _struct(file.read(size), 0)
        sizes = [group[ROWS] for group in footer[GROUPS]]
    except (OSError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return []
    return sizes if all(isinstance(rows, int) and rows >= 0 for rows in sizes) else []


def _look(data: mmap.mmap, columns: Collection[str], span: tuple[int, int] | None, most: int) -> tuple[str, int]:
    """Return what is wrong with the pages of a file, of which at most so many are looked at, and their number."""
    size = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != MAGIC or size > min(MOST_FOOTER, len(data) - 12):
        return "", 0
    try:
        footer, _ = _struct(data[-8 - size : -8], 0)
    except (IndexError, ValueError):  # Polars says what is wrong with a footer
        return "", 0
    pages = 0
    try:
        for chunk, rows, place in _chunks(footer, columns, span):
            if pages >= most:
                break
            pages += _check_chunk(data, chunk, rows, place)
    except DataError as error:
        return str(error), pages
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return "the header of a page cannot be read", pages
    return "", pages


def _chunks(
    footer: Mapping[int, Any], columns: Collection[str], span: tuple[int, int] | None
) -> Iterator[tuple[Mapping[int, Any], int | None, str]]:
    """Return the chunks of these columns, the number of their rows where each has one value, and where they are."""
    wanted = {name.encode("utf-8", "surrogatepass") for name in columns}
    repeated = {
        element[NAME] for element in footer[SCHEMA] if element.get(REPETITION) == REPEATED and not element.get(CHILDREN)
    }
    last = 0
    for i, group in enumerate(footer[GROUPS]):
        first, last = last, last + group[ROWS]
        if span is not None and not (first < span[1] and last > span[0]):
            continue
        for chunk in group[CHUNKS]:
            path = chunk[META][PATH]
            if path[0] in wanted:
                flat = len(path) == 1 and path[0] not in repeated
                name = path[0].decode("utf-8", "replace")
                yield chunk[META], group[ROWS] if flat else None, f"column {name!r}, row group {i}"


def _check_chunk(data: mmap.mmap, chunk: Mapping[int, Any], rows: int | None, where: str) -> int:
    """Look at the pages of one column in one row group; return their number."""
    expected = chunk[COUNT]
    if expected < 0 or (rows is not None and expected != rows):
        raise DataError(f"{where}: {expected} values of {rows} rows")
    # A dictionary comes first; its offset of 0 is that of writers which have none.
    at = min(offset for offset in (chunk[DATA_AT], chunk.get(DICTIONARY_AT)) if offset) if expected else 0
    values = pages = 0
    while values < expected:
        if not 0 <= at < len(data):
            raise DataError(f"{where}: it breaks off after {values:,} of {expected:,} values")
        header, at = _struct(data, at)
        counts = [header[name].get(VALUES, -1) for name in (DATA, DICTIONARY, DATA_2) if name in header]
        if (not counts and header.get(KIND) != INDEX) or any(count < 0 for count in counts):
            raise DataError(f"{where}: a page of {counts} values")
        if not (0 <= header[PACKED] <= len(data) - at and 0 <= header[UNPACKED] <= LARGEST_PAGE):
            raise DataError(f"{where}: a page of {header[PACKED]:,} bytes, {header[UNPACKED]:,} when unpacked")
        at += header[PACKED]
        values += sum(counts) if DICTIONARY not in header else 0
        pages += 1
    if values != expected:
        raise DataError(f"{where}: pages of {values:,} values, and {expected:,} are expected")
    return pages


def _struct(data: Data, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Return the fields of a struct by number, and where it ends."""
    if depth > DEEPEST:
        raise ValueError("structs too deep")
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _whole(data, at)
        fields[number], at = _value(data, at, head & 15, depth)
    return fields, at + 1


def _value(data: Data, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """Return a value, and where it ends; None for one of a kind that nobody asks for."""
    if kind in (SHORT, INTEGER, LONG):
        return _whole(data, at)
    if kind == BINARY:
        size, at = _unsigned(data, at)
        return data[at : at + size], at + size
    if kind == STRUCT:
        return _struct(data, at, depth + 1)
    if kind in (LIST, SET):
        return _list(data, at, depth)
    if kind in (TRUE, FALSE):
        return None, at
    if kind in (BYTE, DOUBLE):
        return None, at + (1 if kind == BYTE else 8)
    raise ValueError(f"{kind} is no kind of value")


def _list(data: Data, at: int, depth: int) -> tuple[list[Any], int]:
    head = data[at]
    size, at = (head >> 4, at + 1) if head >> 4 < 15 else _unsigned(data, at + 1)
    kind = BYTE if head & 15 in (TRUE, FALSE) else head & 15  # of a list, a truth value has a byte
    found: list[Any] = []
    for _ in range(size):
        if at >= len(data):
            raise ValueError("a list that does not end")
        value, at = _value(data, at, kind, depth + 1)
        found.append(value)
    return found, at


def _whole(data: Data, at: int) -> tuple[int, int]:
    value, at = _unsigned(data, at)
    return (value >> 1) ^ -(value & 1), at


def _unsigned(data: Data, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
