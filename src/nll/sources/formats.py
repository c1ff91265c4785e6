"""The kinds of file that a source can be, told apart by how a name ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nll.errors import UsageError, listing

SAMPLE_ROWS = 10_000  # rows of a text file that its column types are guessed from: 4 ms
PACKED = (".gz", ".zst")
Types = Mapping[str, pl.DataType]

# A later file may have more columns, or narrower numbers; narrowing, or text for a number, stays an error.
WIDEN = pl.ScanCastOptions(integer_cast=["upcast", "allow-float"], float_cast="upcast", missing_struct_fields="insert")


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Parameters
    ----------
    name : how messages call it.
    endings : how its file names end.
    scan : from a path, and the types of the columns where the file does not say them, to a lazy frame.
    text : whether columns are written as text, so that their types are a guess.
    """

    name: str
    endings: tuple[str, ...]
    scan: Callable[[str, Types | None], pl.LazyFrame]
    text: bool = False


def scan_parquet(paths: str | list[str], types: Types | None = None) -> pl.LazyFrame:
    """Scan Parquet files as one table; folders named key=value become columns."""
    first = paths if isinstance(paths, str) else paths[0]
    hive = any("=" in folder for folder in Path(first).parts[:-1]) or None
    return pl.scan_parquet(
        paths,
        hive_partitioning=hive,
        glob="://" in first,
        schema=None if types is None else dict(types),
        extra_columns="ignore",
        cast_options=WIDEN,
    )


def _scan_csv(separator: str) -> Callable[[str, Types | None], pl.LazyFrame]:
    def scan(path: str, types: Types | None = None) -> pl.LazyFrame:
        return pl.scan_csv(
            path,
            separator=separator,
            schema=None if types is None else dict(types),
            infer_schema_length=SAMPLE_ROWS,
            glob="://" in path,
            raise_if_empty=True,
        )

    return scan


def _scan_ndjson(path: str, types: Types | None = None) -> pl.LazyFrame:
    name = _read_not_mapped(path)
    return pl.scan_ndjson(name, schema=None if types is None else dict(types), infer_schema_length=SAMPLE_ROWS)


def _scan_ipc(path: str, types: Types | None = None) -> pl.LazyFrame:
    return pl.scan_ipc(_read_not_mapped(path), glob="://" in path)


def _read_not_mapped(path: str) -> str:
    """Return a path as a URI: Polars maps paths into memory, and the process ends (SIGBUS) if a file shrinks."""
    return path if "://" in path else Path(path).absolute().as_uri()


PARQUET = Format("Parquet", (".parquet", ".pq"), scan_parquet)
CSV = Format("CSV", (".csv", *(f".csv{end}" for end in PACKED)), _scan_csv(","), text=True)
TSV = Format("TSV", (".tsv", *(f".tsv{end}" for end in PACKED)), _scan_csv("\t"), text=True)
NDJSON = Format(
    "JSON lines",
    (".jsonl", ".ndjson", *(f"{name}{end}" for name in (".jsonl", ".ndjson") for end in PACKED)),
    _scan_ndjson,
    text=True,
)
IPC = Format("Arrow IPC", (".arrow", ".ipc", ".feather"), _scan_ipc)
FORMATS = (PARQUET, CSV, TSV, NDJSON, IPC)


def format_of(path: str) -> Format | None:
    """Return the format that the end of a file's name states, None if it states none."""
    name = path.lower()
    return next((each for each in FORMATS if name.endswith(each.endings)), None)


def known_format(path: str) -> Format:
    """Return the format of a file; raise UsageError that lists the known endings if it has none."""
    found = format_of(path)
    if found is None:
        known = listing((end for each in FORMATS for end in each.endings), limit=20)
        hint = "; JSON must be one object a line" if path.lower().endswith(".json") else ""
        raise UsageError(
            f"cannot tell the format of {path}: known endings are {known}{hint}. "
            "For any other format, read it with Polars, pandas or DuckDB and pass the table"
        )
    return found
