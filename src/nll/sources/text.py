"""Text files (CSV, JSON lines): what their columns are, and which cell or line is wrong.

Types are guessed from the first rows. A later cell that does not fit is found by reading the column as
text: whole numbers that turn out to have fractions become doubles, anything else is an error that names
the row.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from nll.errors import DataError, first_line
from nll.sources.formats import NDJSON, PACKED, SAMPLE_ROWS, TSV, Format

CELL, PLACE = "cell", "row"
# Polars takes NaN and inf for numbers when it guesses, but not the spellings of Python, NumPy and C.
SPECIAL = r"(?i)^\s*[+-]?(nan|inf|infinity)$"
LONGEST_LINE = 1 << 26  # bytes: a row is read whole, and a gigabyte of zeros packs into a megabyte
MOST_COLUMNS = 1 << 20  # Polars keeps a kilobyte for each
SMALL = 1 << 23  # bytes of a packed file that is unpacked once more before it is read, to look at its lines
BLOCK = 1 << 20
SEARCHED_LINES = 5_000_000  # how far a message looks for the line to blame: some ten seconds

Misfit = tuple[int, str]


def guess_types(path: str, form: Format) -> tuple[dict[str, pl.DataType], bool]:
    """Return the type of each column, guessed from the first rows, and whether there is any row."""
    check_lines(path, form)
    types = dict(form.scan(path, None).collect_schema())
    unclear = [name for name, dtype in types.items() if dtype == pl.String]
    if not unclear:
        return types, True
    head = form.scan(path, types).select(unclear).head(SAMPLE_ROWS).collect()
    for column in head.iter_columns():
        numbers = column.cast(pl.Float64, strict=False)
        if numbers.null_count() == column.null_count() and column.str.contains(SPECIAL).any():
            types[column.name] = pl.Float64()
    return types, head.height > 0 or len(unclear) < len(types)


def check_lines(path: str, form: Format) -> None:
    """Raise DataError if a file of this machine has a line, or a number of columns, that no memory should hold.

    Looks at the first LONGEST_LINE bytes, and at all of a small packed file, which may unpack to a thousand times as
    much. What cannot be opened is left to who reads it.
    """
    if "://" in path:
        return
    wrong = None
    with suppress(OSError, ValueError), _unpacked(path) if _is_packed(path) else Path(path).open("rb") as file:
        wrong = _endless(file, path, form)
    if wrong is not None:
        raise DataError(f"{path} has {wrong}")


def _endless(file: Any, path: str, form: Format) -> str | None:
    """Return what no memory should hold."""
    packed = _is_packed(path)
    searched = math.inf if packed and Path(path).stat().st_size <= SMALL else LONGEST_LINE
    separator = b"\t" if form is TSV else b","
    columns, first, length, total = 1, form is not NDJSON, 0, 0
    while total <= searched and (packed or first) and (data := file.read(BLOCK)):
        total += len(data)
        head = data.find(b"\n")
        if first:
            columns += data.count(separator, 0, len(data) if head < 0 else head)
            first = head < 0
        length = len(data) - 1 - data.rfind(b"\n") if head >= 0 else length + len(data)
        if columns > MOST_COLUMNS:
            return f"more than {MOST_COLUMNS:,} columns; leave out those that are not needed"
        if length > LONGEST_LINE:
            return f"a line of more than {LONGEST_LINE:,} bytes, which is no row of a table"
    return None


def _is_packed(path: str) -> bool:
    return path.lower().endswith(PACKED)


def widen(path: str, form: Format, types: dict[str, pl.DataType], columns: Sequence[str]) -> bool:
    """Make doubles of the whole-number columns that hold something else, in place; return whether any was.

    Raises
    ------
    DataError
        If a cell is no number at all, naming row, column and cell.
    """
    changed = False
    for name in columns:
        dtype = types.get(name)
        if dtype is None or not (dtype.is_numeric() or dtype == pl.Boolean):
            continue
        if first_misfit(path, form, types, name, dtype) is None:
            continue
        worse = first_misfit(path, form, types, name, pl.Float64()) if dtype.is_integer() else None
        if worse is not None or not dtype.is_integer():
            place, cell = worse or first_misfit(path, form, types, name, dtype) or (0, "")
            raise DataError(_bad_cell(path, name, place, cell, dtype))
        types[name] = pl.Float64()
        changed = True
    return changed


def first_misfit(
    path: str, form: Format, types: dict[str, pl.DataType], column: str, dtype: pl.DataType
) -> Misfit | None:
    """Return the first row whose cell does not read as `dtype`, and the cell; None if all do."""
    lazy = form.scan(path, {**types, column: pl.String()}).select(pl.col(column).alias(CELL)).with_row_index(PLACE)
    text = pl.col(CELL).str.strip_chars_start(" ")
    fits = text.str.contains(r"^(true|false)$") if dtype == pl.Boolean else text.cast(dtype, strict=False).is_not_null()
    found = lazy.filter(text.is_not_null() & ~fits).head(1).collect(engine="streaming")
    return None if found.is_empty() else (int(found[PLACE][0]), str(found[CELL][0]))


def bad_line(path: str, form: Format) -> str | None:
    """Return a sentence about the first line that is malformed; None if none is found."""
    try:
        with _open(path) as lines:
            return _bad_json(lines) if form is NDJSON else _bad_row(lines, "\t" if form is TSV else ",")
    except UnicodeDecodeError as error:
        return f"it holds bytes that are not UTF-8 ({error.object[error.start : error.start + 4]!r}): save it as UTF-8"
    except (OSError, MemoryError, csv.Error) as error:
        return f"it breaks off or is malformed: {first_line(error)}"


def _bad_row(lines: TextIO, separator: str) -> str | None:
    rows: Iterator[list[str]] = csv.reader(lines, delimiter=separator, strict=True)
    try:
        names = next(rows, [])
        for place, row in enumerate(islice(rows, SEARCHED_LINES)):
            if len(row) > len(names):
                return f"row {place} has {len(row)} fields and the header has {len(names)}: correct that row"
    except csv.Error as error:
        return f"a quote is opened and never closed, or is misplaced ({first_line(error)})"
    return None


def _bad_json(lines: TextIO) -> str | None:
    for place, line in enumerate(islice(lines, SEARCHED_LINES)):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_no_json)
        except (ValueError, RecursionError) as error:
            return f"row {place} is no JSON ({first_line(error)}): {line.strip()[:60]!r}"
        if not isinstance(value, dict):
            return f"row {place} is no JSON object: {line.strip()[:60]!r}; each line must be one object"
    return None


def _no_json(name: str) -> float:
    raise ValueError(f"{name} is not part of JSON; write null")


def _open(path: str) -> TextIO:
    return TextIOWrapper(_unpacked(path), encoding="utf-8", newline="")


def _unpacked(path: str) -> Any:
    import pyarrow as pa

    return pa.input_stream(path, compression="detect")


def _bad_cell(path: str, column: str, row: int, cell: str, dtype: pl.DataType) -> str:
    kind = "true or false" if dtype == pl.Boolean else "a number"
    return (
        f"{path}, row {row}, column {column!r}: found {cell[:60]!r} where {kind} was expected (as in the first "
        f"{SAMPLE_ROWS:,} rows); correct the cell or leave it empty, or pass "
        f"pl.scan_csv(path, null_values=[{cell[:20]!r}]) as the data"
    )
