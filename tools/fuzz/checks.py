"""What must hold of every case: a right answer or an error of ours, and nothing that was read has run."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tools.fuzz.payloads import CANARY

FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
TAGS = re.compile(
    r"<(?!/?(table|caption|thead|tbody|tr|th|td|p|div|pre|b|br|details|summary|span|style|small|em|ul|li)\b)[^<]*"
)
CLOSE = 1e-12


class Fault(AssertionError):  # noqa: N818 (what a fuzzer looks for)
    """A property that does not hold."""


def explained(result: Any) -> None:
    """Raise Fault if a result has a NaN and no note, or HTML with a tag that is not ours."""
    notes = [str(note) for each in (result, getattr(result, "total", None)) for note in getattr(each, "notes", [])]
    scores = result.values() if hasattr(result, "values") else ()
    notes += [note for each in scores for note in getattr(each, "notes", [])]
    sum_, mean = (getattr(getattr(result, "total", result), name, 0.0) for name in ("sum", "mean"))
    if not notes and any(isinstance(number, float) and math.isnan(number) for number in (sum_, mean)):
        raise Fault(f"NaN without a note: sum {sum_}, mean {mean}")
    json.loads(result.to_json())
    repr(result)
    escaped(result._repr_html_())


def escaped(text: str) -> None:
    """Raise Fault if a page has a tag that is not of a table."""
    found = TAGS.search(text)
    if found:
        raise Fault(f"HTML that is not escaped: {found[0][:80]!r}")


def no_canary(folder: Path) -> None:
    """Raise Fault if a payload ran."""
    for place in (folder, Path.cwd()):
        if (place / CANARY).exists():
            (place / CANARY).unlink()
            raise Fault("a payload ran: the canary is there")


def loss(y: float, p: float) -> float:
    """Return the loss of an event."""
    kept = p if y == 1.0 else 1.0 - p
    if kept == 0.0:
        return math.inf
    return -math.log1p(-p) if y == 0.0 else -math.log(p)


def same_rows(rows: Iterable[tuple[float, float]] | None, n: int, total: float) -> None:
    """Raise Fault if a score is not that of the rows, where another reader found them."""
    if rows is None:
        return
    losses = [loss(y, p) for y, p in rows]
    expected = math.inf if math.inf in losses else math.fsum(losses)
    right = expected == total or math.isclose(expected, total, rel_tol=CLOSE, abs_tol=CLOSE)
    if n != len(losses) or not right:
        raise Fault(f"a wrong answer: {n} rows with the sum {total!r}; there are {len(losses)} with {expected!r}")


def rows_of_csv(data: bytes) -> list[tuple[float, float]] | None:
    """Return y and p of a CSV file as Python's reader has them; None where it is in doubt."""
    try:
        text = data.decode("utf-8")
        if "\r" in text or "\x00" in text or text.startswith("\ufeff"):
            return None
        names, *rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except (ValueError, csv.Error):
        return None
    if len(set(names)) < len(names) or not {"y", "p"} <= {*names} or any(len(row) != len(names) for row in rows):
        return None
    cells = [(row[names.index("y")], row[names.index("p")]) for row in rows]
    if not all(FLOAT.fullmatch(cell) for pair in cells for cell in pair):
        return None
    return [(float(y), float(p)) for y, p in cells]


def rows_of_ndjson(data: bytes) -> list[tuple[float, float]] | None:
    """Return y and p of JSON lines as Python's reader has them; None where it is in doubt."""
    rows: list[tuple[float, float]] = []
    for line in data.splitlines():
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_no_key_twice)
        except (ValueError, RecursionError):
            return None
        pair: Any = (value.get("y"), value.get("p")) if isinstance(value, dict) else (None, None)
        if not all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in pair):
            return None
        rows.append((float(pair[0]), float(pair[1])))
    return rows


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def rows_of_parquet(data: bytes) -> list[tuple[float, float]] | None:
    """Return y and p of a Parquet file as pyarrow has them; None where it cannot read it."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(data), columns=["y", "p"])
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError):
        return None
    pairs = list(zip(table["y"].to_pylist(), table["p"].to_pylist(), strict=True))
    if not all(isinstance(each, (int, float)) for pair in pairs for each in pair):
        return None
    return [(float(y), float(p)) for y, p in pairs]
