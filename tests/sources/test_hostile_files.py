"""Files that claim what they do not have, or unpack to what no memory holds."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

import nll
from nll.errors import DataError, UsageError
from nll.sources import pages, text
from nll.sources.condition import MOST_OPERATIONS

ROWS = 3_000
NORMAL = nll.Normal(0.0, 1.0)


def whole(value: int) -> bytes:
    """Return a whole number as the compact protocol of Thrift writes it: zigzag, seven bits a byte."""
    value = 2 * value if value >= 0 else -2 * value - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def write(path: Path, **options: Any) -> Path:
    table = pa.table(
        {
            "y": [float(i % 7) for i in range(ROWS)],
            "g": ["ab"[i % 2] for i in range(ROWS)],
            "l": [[1, 2]] * ROWS,
            "s": [{"a": i, "b": None} for i in range(ROWS)],
        }
    )
    parquet.write_table(table, path, **options)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "none", "use_dictionary": False},
        {"data_page_version": "2.0", "compression": "zstd"},
        {"row_group_size": 700, "data_page_size": 512},
        {"write_statistics": False, "write_page_index": True},
    ],
)
def test_the_pages_of_good_files_are_found_good(tmp_path, options):
    path = write(tmp_path / "good.parquet", **options)
    pages.check_pages([str(path)], ["y", "g", "l", "s"])
    assert nll.score("y", NORMAL, path).n == ROWS


def test_the_pages_of_files_of_polars_are_found_good(tmp_path):
    frame = pl.DataFrame({"y": [0.5] * ROWS, "l": [[1], []] * (ROWS // 2), "e": [None] * ROWS})
    for i, packing in enumerate(("zstd", "lz4", "uncompressed")):
        path = tmp_path / f"{i}.parquet"
        frame.write_parquet(path, compression=packing, data_page_size=300)
        pages.check_pages([str(path)], ["y", "l", "e"])
    frame.clear().write_parquet(tmp_path / "none.parquet")
    pages.check_pages([str(tmp_path / "none.parquet")], ["y", "l", "e"])


@pytest.mark.parametrize("claim", [-ROWS, -(10**18), 10**18, ROWS - 1, ROWS + 1])
def test_a_page_that_claims_other_values_is_refused(tmp_path, claim):
    # Polars makes room for what a page claims: too much of it ended the process.
    path = write(tmp_path / "bad.parquet", compression="none", use_dictionary=False, write_statistics=False)
    data = path.read_bytes()
    assert data.find(whole(ROWS)) < len(data) // 2, "the header of a page comes first"
    path.write_bytes(data.replace(whole(ROWS), whole(claim), 1))
    with pytest.raises(DataError, match=r"bad.parquet cannot be read as Parquet: column 'y', row group 0: .* values"):
        nll.score("y", NORMAL, path)


@pytest.mark.parametrize("claim", [0, -1, 10**15])
def test_a_footer_that_claims_other_rows_is_refused(tmp_path, claim):
    path = write(tmp_path / "bad.parquet", compression="none", write_statistics=False)
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - size : -8].replace(whole(ROWS), whole(claim))
    path.write_bytes(data[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    if claim == 0:
        assert nll.score("y", NORMAL, path).n == 0
        return
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        nll.score("y", NORMAL, path)


def test_no_cut_of_a_parquet_file_is_scored(tmp_path):
    data = write(tmp_path / "whole.parquet").read_bytes()
    path = tmp_path / "cut.parquet"
    for size in [*range(1, len(data), len(data) // 40), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(DataError, match=r"cut.parquet"):
            nll.score("y", NORMAL, path)


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "LONGEST_LINE", 1 << 16)
    zeros = b"0" * (1 << 18)
    for name, head in (("a.csv.gz", b"y\n"), ("b.csv.gz", b""), ("c.jsonl.gz", b'{"y":1}\n')):
        path = tmp_path / name
        path.write_bytes(gzip.compress(head + zeros))
        with pytest.raises(DataError, match="a line of more than 65,536 bytes"):
            nll.score("y", NORMAL, path)
    good = tmp_path / "good.csv.gz"
    good.write_bytes(gzip.compress(b"y\n" + (b"0." + b"0" * 998 + b"\n") * 200))
    assert nll.score("y", NORMAL, good).n == 200


def test_too_many_columns_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{i}" for i in range(60)) + "\n" + ",".join("1" * 60) + "\n")
    assert nll.score("c1", NORMAL, path).n == 1
    monkeypatch.setattr(text, "MOST_COLUMNS", 50)
    with pytest.raises(DataError, match="more than 50 columns"):
        nll.score("c1", NORMAL, path)


@pytest.mark.parametrize("deep", ["[" * 100_000 + "]" * 100_000, '{"a":' * 20_000 + "1" + "}" * 20_000])
def test_a_value_nested_without_end_is_refused(tmp_path, deep):
    path = tmp_path / "deep.jsonl"
    path.write_text('{"y":1}\n{"y":' + deep + "}\n")
    with pytest.raises(DataError, match="row 1 is no JSON"):
        nll.score("y", NORMAL, path)


def test_a_condition_beside_a_deep_column(tmp_path):
    path = tmp_path / "deep.jsonl"
    path.write_text('{"y":1,"d":' + "[" * 480 + "]" * 480 + "}\n")
    assert nll.score("y", NORMAL, path, where="y > 0").n == 1


@pytest.mark.parametrize("operation", ["y > 0 AND ", "NOT ", "- ", "1 + ", "CASE WHEN y > 0 THEN y > 1 ELSE "])
def test_a_condition_of_too_many_operations_is_refused(operation):
    with pytest.raises(UsageError, match=f"at most {MOST_OPERATIONS} are read"):
        nll.score("y", NORMAL, {"y": [1.0]}, where=operation * 20_000 + "y > 0")


def test_long_lists_and_texts_in_a_condition_are_no_operations():
    names = ", ".join(f"'a-{i}'" for i in range(3_000))
    table = {"y": [1.0, 2.0], "g": ["a-2999", "b"]}
    assert nll.score("y", NORMAL, table, where=f"g IN ({names})").n == 1
