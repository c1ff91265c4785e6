"""Lines of files as they are read: plain, gzip or Zstandard, one at a time."""

from __future__ import annotations

import gzip
import io
import json
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from nll.errors import DataError, UsageError, first_line
from nll.sources.paths import Pathlike, expand, is_remote
from nll.sources.tokens.ahead import ReadAhead

BLOCK = 1 << 20  # bytes read at once
AHEAD = 4  # blocks that are unpacked before they are asked for
LONGEST_LINE = 1 << 28  # bytes: a line is read whole, and a gigabyte of zeros packs into a megabyte
ENDINGS = (".jsonl", ".ndjson", ".json")
PACKED = (".gz", ".zst")


def log_files(files: Pathlike | Sequence[Pathlike]) -> list[str]:
    """Return the files that are meant, which must be JSON lines; of a folder those that are."""
    given = [files] if isinstance(files, (str, bytes)) or not isinstance(files, Sequence) else list(files)
    found: list[str] = []
    for each in given:
        path = Path(each).expanduser()
        if _is_folder(path):
            inside = sorted(str(file) for file in path.rglob("*") if file.is_file() and is_log(str(file)))
            if not inside:
                raise UsageError(f"the folder {path} holds no JSON lines")
            found += inside
        else:
            found += expand(each)
    if not found:
        raise UsageError("the list of files is empty")
    for each in found:
        if is_remote(each):
            raise UsageError(f"{each}: logs are read from files on this machine")
        if not is_log(each):
            raise UsageError(
                f"{each} is no file of JSON lines: its name must end in .jsonl, .ndjson or .json (.gz, .zst)"
            )
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long: `expand` says so
        return False


def is_log(path: str) -> bool:
    """Whether a name is that of JSON lines, packed or not."""
    name = path.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return name.endswith(ENDINGS)


def is_packed(path: str) -> bool:
    """Whether a name is that of a packed file."""
    return path.lower().endswith(PACKED)


def lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Return the lines of a file that are not empty, numbered from 1, one at a time."""
    for first, block in blocks(path):
        for number, line in enumerate(block, first):
            if line and not line.isspace():
                yield number, line


def blocks(path: str, start: int = 0, stop: int | None = None, first: int = 1) -> Iterator[tuple[int, list[bytes]]]:
    """Return a file in blocks of lines, each with the number of its first line; packed files are read ahead.

    Of a plain file it may be the part from `start` up to `stop`, both at the beginning of a line, the first of number
    `first`.
    """
    if is_packed(path):
        with ReadAhead(_blocks(path, 0, None, first), AHEAD) as ahead:
            yield from ahead
    else:
        yield from _blocks(path, start, stop, first)


def _blocks(path: str, start: int, stop: int | None, first: int) -> Iterator[tuple[int, list[bytes]]]:
    with _opened(path) as file:
        try:
            if start:
                file.seek(start)
            left = math.inf if stop is None else stop - start
            while left > 0:
                block, size = _read(file, path, min(BLOCK, left))
                if not block:
                    break
                left -= size
                yield first, block
                first += len(block)
            if stop is not None and left > 0:
                raise DataError(f"{path} became shorter while it was read: read it again when nobody writes to it")
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: the file is broken: {first_line(error)}") from None


def _read(file: BinaryIO, path: str, size: float) -> tuple[list[bytes], int]:
    """Return the lines that begin in the next bytes, and how many bytes they have; none at the end of the file.

    A line at a time, from a large buffer: to cut a block at its line breaks takes six times as long.
    """
    block: list[bytes] = []
    count = 0
    while count < size and (line := file.readline(LONGEST_LINE)):
        count += len(line)
        if line.endswith(b"\n"):
            line = line[:-1]
        elif len(line) == LONGEST_LINE:
            raise _too_long(path)
        block.append(line)
    return block, count


def parts(path: str, size: int) -> Iterator[tuple[int, int, int]]:
    """Return the parts of a plain file, of about `size` bytes: where each starts and stops, and its first line."""
    first, start = 1, 0
    with Path(path).open("rb") as file:
        while data := file.read(size):
            stop = start + len(data) + len(rest := b"" if data.endswith(b"\n") else _rest(file, path))
            yield start, stop, first
            first += data.count(b"\n") + rest.count(b"\n")
            start = stop


def _rest(file: BinaryIO, path: str) -> bytes:
    """Return the rest of a line, which is read whole: a gigabyte of zeros packs into a megabyte."""
    rest = file.readline(LONGEST_LINE)
    if len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
        raise _too_long(path)
    return rest


def _too_long(path: str) -> DataError:
    return DataError(f"{path}: a line has more than {LONGEST_LINE:,} bytes, which is no document")


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    name = path.lower()
    if name.endswith(".gz"):
        with gzip.open(path, "rb") as file:
            yield io.BufferedReader(cast("Any", file), BLOCK)
    elif name.endswith(".zst"):
        import pyarrow as pa

        with pa.CompressedInputStream(pa.OSFile(path, "rb"), "zstd") as stream:
            yield io.BufferedReader(cast("Any", _Raw(stream)), BLOCK)
    else:
        with Path(path).open("rb", buffering=BLOCK) as file:
            yield file


class _Raw:
    """What a buffered reader asks of the stream below it; Arrow's stream can do no `readinto` of lines."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.closed = stream, False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def parsed(line: bytes) -> dict[str, Any]:
    """Return a line as an object; raise DataError of what is none."""
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise DataError(f"not valid JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise DataError("not valid JSON: nested too deep") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise DataError(f"not valid JSON: {first_line(error)}") from None
    if not isinstance(value, dict):
        raise DataError(f"a line is one JSON object; found {value!r:.60}")
    return value
