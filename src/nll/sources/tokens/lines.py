"""Lines of files as they are read: plain, gzip or Zstandard, one at a time."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from nll.errors import DataError, UsageError, first_line
from nll.sources.paths import Pathlike, expand, is_remote

ENDINGS = (".jsonl", ".ndjson", ".json")
PACKED = (".gz", ".zst")


def log_files(files: Pathlike | Sequence[Pathlike]) -> list[str]:
    """Return the files that are meant, which must be JSON lines; of a folder those that are."""
    given = [files] if isinstance(files, (str, bytes)) or not isinstance(files, Sequence) else list(files)
    found: list[str] = []
    for each in given:
        path = Path(each).expanduser()
        if path.is_dir():
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


def is_log(path: str) -> bool:
    """Whether a name is that of JSON lines, packed or not."""
    name = path.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return name.endswith(ENDINGS)


def lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Return the lines of a file that are not empty, numbered from 1, one at a time."""
    with _opened(path) as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: the file is broken: {first_line(error)}") from None


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    name = path.lower()
    if name.endswith(".gz"):
        with gzip.open(path, "rb") as file:
            yield cast("BinaryIO", file)
    elif name.endswith(".zst"):
        import io

        import pyarrow as pa

        with pa.CompressedInputStream(pa.OSFile(path, "rb"), "zstd") as stream:
            yield io.BufferedReader(cast("Any", _Raw(stream)), 1 << 20)
    else:
        with Path(path).open("rb") as file:
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
    if not isinstance(value, dict):
        raise DataError(f"a line is one JSON object; found {value!r:.60}")
    return value
