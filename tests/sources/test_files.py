"""Files of every format: the same rows, in order, from one file or many; broken ones named."""

import gzip
import os
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nll.errors import DataError, UsageError
from nll.sources import Source, open_source

TABLE = pl.DataFrame({"p": [0.1, 0.25, None, 1e-300], "y": [1, 0, 1, 1], "group": ["a", "b", "a", "ü"]})


def pack(data: bytes, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(data)
    return pa.compress(data, codec="zstd", asbytes=True) if ending == ".zst" else data


def write(table: pl.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    packed = "." + name.rsplit(".", 1)[1]
    kind = name.removesuffix(packed) if packed in (".gz", ".zst") else name
    if kind.endswith(".parquet"):
        table.write_parquet(path)
    elif kind.endswith((".arrow", ".feather", ".ipc")):
        table.write_ipc(path)
    elif kind.endswith(".tsv"):
        path.write_bytes(pack(table.write_csv(separator="\t").encode(), packed))
    elif kind.endswith(".csv"):
        path.write_bytes(pack(table.write_csv().encode(), packed))
    else:
        path.write_bytes(pack(table.write_ndjson().encode(), packed))
    return path


def read(source: Source, *columns: str) -> pl.DataFrame:
    batches = list(source.batches(columns or list(source.schema)))
    first = 0
    for batch in batches:
        assert batch.first == first
        assert all(column.n_chunks() == 1 for column in batch.frame.iter_columns())
        assert 0 < batch.frame.height <= 2**20
        first += batch.frame.height
    return pl.concat([batch.frame for batch in batches]) if batches else pl.DataFrame()


ENDINGS = [
    ".parquet",
    ".csv",
    ".csv.gz",
    ".csv.zst",
    ".tsv",
    ".tsv.gz",
    ".jsonl",
    ".ndjson.gz",
    ".jsonl.zst",
    ".arrow",
    ".feather",
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_rows(tmp_path, ending):
    path = write(TABLE, tmp_path / f"a{ending}")
    source = open_source(path)
    assert source.schema == dict(TABLE.schema)
    assert read(source).equals(TABLE)
    assert read(source, "y").equals(TABLE.select("y"))
    assert read(source).equals(TABLE), "a second pass"
    assert read(open_source(str(path), where="y = 1 AND \"group\" = 'a'"), "p").equals(TABLE.select("p")[[0, 2]])


@pytest.mark.parametrize("ending", ENDINGS)
def test_many_files_are_one_table(tmp_path, ending):
    files = [write(TABLE.slice(start, 2), tmp_path / f"{start}{ending}") for start in (0, 2)]
    (tmp_path / "_SUCCESS").write_text("")
    for data in (tmp_path, str(tmp_path / f"*{ending}"), files, [str(tmp_path / "?.*")]):
        source = open_source(data)
        assert read(source).equals(TABLE)
        assert [read(part).height for part in source.parts()] == [2, 2]
    assert read(open_source(files[::-1]))["y"].to_list() == [1, 1, 1, 0], "a list keeps its order"


@pytest.mark.parametrize("ending", ENDINGS)
def test_locate_names_the_row_of_the_file(tmp_path, ending):
    files = [write(TABLE.slice(start, 2), tmp_path / f"{start}{ending}") for start in (0, 2)]
    assert open_source(files).locate(1) == f"row 1 of {files[0]}"
    assert open_source(files).locate(2) == f"row 0 of {files[1]}"
    assert open_source(files, where="y = 1").locate(2) == f"row 1 of {files[1]}"
    assert open_source(files[0], where="y < AVG(y)").locate(0) == f"row 1 of {files[0]}"
    assert open_source(files[0]).locate(99) == f"row 99 of {files[0]}"
    assert "row 99" in open_source(files, where="y = 1").locate(99), "never fails, since it serves a message"


def test_hive_folders_are_columns(tmp_path):
    for country in ("de", "fr"):
        write(TABLE, tmp_path / f"country={country}" / "a.parquet")
    source = open_source(tmp_path, where="country = 'fr'")
    assert source.schema["country"] == pl.String
    assert read(source, "y", "country").height == 4
    assert source.locate(0) == f"row 0 of {tmp_path / 'country=fr' / 'a.parquet'}"
    assert [read(part, "country").height for part in source.parts()] == [0, 4]


def test_description(tmp_path):
    path = write(TABLE, tmp_path / "a.csv")
    assert open_source(path).description == str(path)
    assert open_source(path, where="y = 1").description == f"{path} where y = 1"
    assert open_source(str(tmp_path / "*.csv")).description == f"{tmp_path}/*.csv (1 file)"
    assert open_source([path, path]).description == f"{path} and 1 more file"


def test_a_name_with_pattern_characters_is_a_file(tmp_path):
    for name in ("a[1].parquet", "a[1].csv", "a[1].arrow", "a[1].jsonl"):
        assert read(open_source(write(TABLE, tmp_path / name))).equals(TABLE), name


def test_a_whole_table_condition_is_not_split(tmp_path):
    files = [write(TABLE.slice(start, 2), tmp_path / f"{start}.parquet") for start in (0, 2)]
    by_row = "y BETWEEN 0 AND 1 AND \"group\" IN ('a', 'b') AND (p IS NULL OR ABS(p) < 1.0) AND NOT \"group\" LIKE 'b%'"
    for where in (by_row, "NOT p < 0.5", "p > 0.05 AND y = 1", "CASE WHEN y = 1 THEN p ELSE 0.5 END > 0.2"):
        assert len(open_source(files, where=where).parts()) == 2
    for where in (
        "y > AVG(y)",
        "y < AVG(y) + 1.0",
        "p IN (SUM(p), 0.1) OR y = 1",
        pl.col("y").cum_sum() > 1,
        pl.len() > 3,
    ):
        source = open_source(files, where=where)
        assert source.parts() == [source]
    assert read(open_source(files, where="y > AVG(y)"), "y").height == 3


def test_no_rows(tmp_path):
    for ending in ENDINGS:
        source = open_source(write(TABLE.head(0), tmp_path / f"none{ending}")) if "json" not in ending else None
        assert source is None or list(source.batches(["p", "y"])) == []
    assert list(open_source(write(TABLE, tmp_path / "a.parquet"), where="y > 5").batches(["p"])) == []
    headers = [write(TABLE.head(0), tmp_path / "0.csv"), write(TABLE, tmp_path / "1.csv")]
    assert read(open_source(headers)).equals(TABLE), "a file with a header alone says no types"


def test_large_row_groups_are_cut(tmp_path):
    table = pl.DataFrame({"i": np.arange(2**20 + 5)})
    table.write_parquet(tmp_path / "a.parquet", row_group_size=table.height)
    assert read(open_source(tmp_path / "a.parquet")).equals(table)


# What cannot be named


def test_usage_errors(tmp_path):
    write(TABLE, tmp_path / "preds.parquet")
    write(TABLE, tmp_path / "preds.csv")
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / "hollow").mkdir()
    for data, message in [
        (tmp_path / "pred.parquet", r"no such file: .*pred\.parquet \(did you mean 'preds\.parquet'"),
        (tmp_path / "nowhere" / "a.csv", "there is no folder"),
        (str(tmp_path / "*.arrow"), "no file matches"),
        (tmp_path / "hollow", "holds no Parquet"),
        (tmp_path / "notes.json", "one object a line"),
        ([], "empty"),
        ([tmp_path / "preds.parquet", tmp_path / "preds.csv"], "one format"),
        (tmp_path, "one format"),
        ("-", "standard input is not read"),
        (3, "cannot read a table from builtins.int"),
    ]:
        with pytest.raises(UsageError, match=message):
            open_source(data)


def test_a_missing_column_is_named_with_its_neighbours(tmp_path):
    source = open_source(write(TABLE, tmp_path / "a.parquet"))
    with pytest.raises(
        UsageError, match=r"no column 'grup' in .*a\.parquet \(did you mean 'group'\?\); present: p, y, group"
    ):
        source.batches(["y", "grup"])
    with pytest.raises(UsageError, match="at least one column"):
        source.batches([])
    (tmp_path / "b.csv").write_text("p;y\n0.5;1\n")
    with pytest.raises(UsageError, match="separated by ';'"):
        open_source(tmp_path / "b.csv").require(["p"])


# What is broken


def broken(data, *columns: str) -> str:
    with pytest.raises((DataError, UsageError)) as caught:
        for _ in open_source(data).batches(columns or ["p", "y"]):
            pass
    return str(caught.value)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("position", [0, 1])
def test_a_broken_file_is_named(tmp_path, ending, position):
    good = pl.DataFrame({"p": np.random.default_rng(1).random(20_000), "y": np.arange(20_000) % 2})
    files = [write(good, tmp_path / f"{i}{ending}") for i in range(2)]
    whole = files[position].read_bytes()
    other = files[1 - position]
    packed = ending.endswith((".gz", ".zst"))
    plain_csv = ending in (".csv", ".tsv")
    damages = {"empty": b"", "binary": os.urandom(4000), "truncated": b"" if plain_csv else whole[: len(whole) // 2]}
    if not plain_csv and ending != ".jsonl":
        damages["end"] = whole[:-3]
        damages["middle"] = whole[:2000] + os.urandom(len(whole) // 2) + whole[2000 + len(whole) // 2 :]
    for damage, content in damages.items():
        if damage == "middle" and (ending in (".arrow", ".feather") or packed):
            continue  # raw numbers carry no check sum; whether a damaged stream decodes is chance
        files[position].write_bytes(content)
        message = broken(files)
        assert str(files[position]) in message, damage
        assert str(other) not in message or damage == "binary", damage
        if damage == "empty":
            assert "empty (0 bytes)" in message
    files[position].unlink()
    assert "no such file" in broken(files)


def test_files_that_differ(tmp_path):
    for ending in (".parquet", ".csv", ".jsonl", ".arrow"):
        a = write(pl.DataFrame({"p": [0.5], "y": [1]}), tmp_path / f"a{ending}")
        swapped = write(pl.DataFrame({"y": [0], "more": [1], "p": [0.25]}), tmp_path / f"swapped{ending}")
        assert read(open_source([a, swapped]), "p", "y").rows() == [(0.5, 1), (0.25, 0)]
        whole = write(pl.DataFrame({"p": [1], "y": [1]}), tmp_path / f"whole{ending}")
        assert read(open_source([a, whole]), "p", "y").rows() == [(0.5, 1), (1.0, 1)]
        short = write(pl.DataFrame({"p": [0.5]}), tmp_path / f"short{ending}")
        assert f"{short} has no column 'y'" in broken([a, short])
        named = write(pl.DataFrame({"p": ["high"], "y": [1]}), tmp_path / f"named{ending}")
        assert f"column 'p' is String in {named} and Float64 in {a}" in broken([a, named])


def test_parquet_types_that_would_narrow(tmp_path):
    narrow = write(
        pl.DataFrame({"p": [0.5], "y": [1]}, schema={"p": pl.Float32, "y": pl.Int64}), tmp_path / "0.parquet"
    )
    wide = write(pl.DataFrame({"p": [0.1], "y": [1]}), tmp_path / "1.parquet")
    assert f"{wide} does not have the column types of {narrow}: 'p' is Float64 and not Float32" in broken(
        [narrow, wide]
    )
    assert read(open_source([wide, narrow]))["p"].to_list() == [0.1, 0.5]


def test_a_file_that_breaks_after_good_batches(tmp_path):
    good = write(pl.DataFrame({"p": np.random.default_rng(1).random(300_000)}), tmp_path / "0.parquet")
    bad = write(pl.DataFrame({"p": np.random.default_rng(2).random(300_000)}), tmp_path / "1.parquet")
    content = bytearray(bad.read_bytes())
    content[5000:50_000] = os.urandom(45_000)
    bad.write_bytes(content)
    batches = open_source([good, bad]).batches(["p"])
    with pytest.raises(DataError, match=f"{bad} cannot be read as Parquet"):
        list(batches)


# Text


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl"])
def test_fractions_after_the_sample(tmp_path, ending):
    """Whole numbers in the rows that types are guessed from, then a fraction: the same doubles."""
    table = pl.DataFrame({"amount": [0.0] * 400_000 + [0.5, 123.25], "y": [1] * 400_002})
    path = tmp_path / f"a{ending}"
    text = table.write_csv() if "csv" in ending else table.write_ndjson()
    text = text.replace("0.0,1\n", "0,1\n").replace('"amount":0.0', '"amount":0')
    path.write_bytes(pack(text.encode(), "." + ending.rsplit(".", 1)[1]))
    source = open_source(path)
    assert source.schema["amount"] == pl.Int64
    rows = [value for batch in source.batches(["amount", "y"]) for value in batch.frame["amount"].to_list()]
    assert rows == table["amount"].to_list()
    assert open_source(path, where="amount > 100").locate(0) == f"row 400001 of {path}"


@pytest.mark.parametrize(("ending", "cell"), [(".csv", "oops"), (".csv.gz", "oops"), (".jsonl", '"oops"')])
def test_a_bad_cell_is_named(tmp_path, ending, cell):
    table = pl.DataFrame({"p": [0.5] * 20_000, "y": [1] * 20_000})
    text = table.write_csv() if "csv" in ending else table.write_ndjson()
    lines = text.splitlines(keepends=True)
    row = 15_000 + ("csv" in ending)
    for field, column in (("0.5", "p"), ("1", "y")):
        changed = [*lines[:row], lines[row].replace(field, cell), *lines[row + 1 :]]
        path = tmp_path / f"{column}{ending}"
        path.write_bytes(pack("".join(changed).encode(), "." + ending.rsplit(".", 1)[1]))
        assert f"{path}, row 15000, column '{column}': found 'oops' where a number was expected" in broken(path)
        other = "y" if column == "p" else "p"
        assert sum(batch.frame.height for batch in open_source(path).batches([other])) == 20_000, "only what is read"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"p,y\n0.5,1\n0.5,1,7\n", "row 1 has 3 fields and the header has 2"),
        (b'p,y\n0.5,1\n"0.5,1\n0.5,0\n', "a quote is opened and never closed"),
        (b"p,y\n0.5,\xff\xfe1\n", "not UTF-8"),
    ],
)
def test_malformed_csv(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    assert message in broken(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"p": 0.5, "y":', "row 1 is no JSON"),
        (b'{"p": NaN, "y": 1}', "NaN is not part of JSON"),
        (b"[1, 2]", "row 1 is no JSON object"),
    ],
)
def test_malformed_json(tmp_path, line, message):
    (tmp_path / "a.jsonl").write_bytes(b'{"p": 0.5, "y": 1}\n' + line + b"\n")
    assert message in broken(tmp_path / "a.jsonl")


def test_spellings_of_special_values(tmp_path):
    (tmp_path / "a.csv").write_text("x,name\nnan,nan\n1.5,b\ninf,inf\n-Infinity,\n+1e3,c\n")
    source = open_source(tmp_path / "a.csv")
    np.testing.assert_array_equal(read(source, "x")["x"].to_numpy(), [np.nan, 1.5, np.inf, -np.inf, 1000.0])
    assert source.schema["name"] == pl.String


doubles = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 2**63 - 1).map(lambda i: float(np.int64(i).view(np.float64))),
).filter(np.isfinite)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(doubles, min_size=1, max_size=60))
def test_text_reads_as_the_nearest_double(tmp_path, values):
    """What Python writes comes back to the bit, and so do digits beyond the double's own."""
    (tmp_path / "a.csv").write_text("x\n" + "".join(f"{value!r}\n" for value in values))
    (tmp_path / "b.csv").write_text("x\n" + "".join(f"{value:.25e}\n" for value in values))
    (tmp_path / "a.jsonl").write_text("".join(f'{{"x": {value!r}}}\n' for value in values))
    expected = np.array(values).view(np.int64)
    for name in ("a.csv", "b.csv", "a.jsonl"):
        found = read(open_source(tmp_path / name))["x"].cast(pl.Float64).to_numpy()
        np.testing.assert_array_equal(found.view(np.int64), expected)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 7), max_size=60),
    st.lists(st.integers(0, 60), max_size=3),
    st.sampled_from([".parquet", ".csv", ".arrow"]),
)
def test_any_split_into_files_is_the_same_table(tmp_path, values, cuts, ending):
    table = pl.DataFrame({"v": values, "i": range(len(values))}, schema={"v": pl.Int64, "i": pl.Int64})
    edges = [0, *sorted(cuts), len(values)]
    files = [write(table[a:b], tmp_path / f"{k}{ending}") for k, (a, b) in enumerate(pairwise(edges))]
    for where in (None, "v > 3"):
        source = open_source(files, where=where)
        expected = table if where is None else table.filter(pl.col("v") > 3)
        rows = [row for batch in source.batches(["v", "i"]) for row in batch.frame.rows()]
        assert rows == expected.rows()
        assert [
            row for part in source.parts() for batch in part.batches(["v", "i"]) for row in batch.frame.rows()
        ] == rows


def test_parts_of_a_large_file_are_cut_between_row_groups(tmp_path):
    path = str(tmp_path / "a.parquet")
    pl.DataFrame({"v": range(1_000)}).write_parquet(path, row_group_size=150)
    source = open_source(path)
    assert [part.span for part in source.parts(300)] == [(0, 300), (300, 600), (600, 900), (900, 1_000)]
    assert [part.span for part in source.parts(301)] == [(0, 450), (450, 900), (900, 1_000)]
    assert source.parts(1_000) == [source]
    again = [pickle.loads(pickle.dumps(part)) for part in source.parts(300)]
    assert [read(part, "v")["v"].to_list() for part in again] == [
        list(range(a, min(a + 300, 1_000))) for a in (0, 300, 600, 900)
    ]
    assert again[2].locate(7) == f"row 607 of {path}"


def test_a_condition_holds_in_each_part(tmp_path):
    path = str(tmp_path / "a.parquet")
    pl.DataFrame({"v": range(1_000)}).write_parquet(path, row_group_size=100)
    parts = [pickle.loads(pickle.dumps(part)) for part in open_source(path, where="v % 7 = 3").parts(400)]
    assert [v for part in parts for v in read(part, "v")["v"].to_list()] == list(range(3, 1_000, 7))
    assert parts[1].locate(0) == f"row 402 of {path}"
