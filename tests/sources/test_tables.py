"""Tables in memory and streams of Arrow: no copies where none are needed, one pass where one is all there is."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest

from nll.errors import DataError, UsageError
from nll.sources import Source, numbers, open_source
from nll.sources.source import BATCH_ROWS

N = 700_000
P = np.random.default_rng(3).random(N)
Y = (np.random.default_rng(4).random(N) < P).astype(np.int64)
FRAME = pl.DataFrame({"p": P, "y": Y, "name": pl.Series(np.arange(N) % 3).cast(pl.String)})
ARROW = FRAME.to_arrow()


def reader() -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(ARROW.schema, ARROW.to_batches(max_chunksize=100_000))


class Capsule:
    """A table of some other library."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return ARROW.__arrow_c_stream__(requested_schema)


class OneShot:
    """A stream of some other library: used up, it comes back empty."""

    def __init__(self) -> None:
        self.reader = reader()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.reader.__arrow_c_stream__(requested_schema)


TABLES = {
    "polars": lambda: FRAME,
    "polars in chunks": lambda: pl.concat([FRAME[:5], FRAME[5:300_001], FRAME[300_001:]], rechunk=False),
    "lazy": FRAME.lazy,
    "pandas": FRAME.to_pandas,
    "dict": lambda: {"p": P, "y": Y, "name": FRAME["name"]},
    "table": lambda: ARROW,
    "record batch": lambda: ARROW.combine_chunks().to_batches()[0],
    "dataset": lambda: pyarrow.dataset.dataset(ARROW),
    "reader": reader,
    "duckdb": lambda: duckdb.connect().from_arrow(ARROW),
    "capsule": Capsule,
    "one shot": OneShot,
}
ONCE = {"reader", "one shot"}


def rows(source: Source, *columns: str) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    first = 0
    for batch in source.batches(columns):
        assert batch.first == first
        assert all(column.n_chunks() == 1 for column in batch.frame.iter_columns())
        first += batch.frame.height
        frames.append(batch.frame)
    return pl.concat(frames)


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_gives_the_same_rows(kind):
    source = open_source(TABLES[kind]())
    assert list(source.schema) == ["p", "y", "name"]
    assert source.schema["p"] == pl.Float64
    assert rows(source, "y", "p").equals(FRAME.select("y", "p"))
    if kind in ONCE:
        with pytest.raises((DataError, UsageError), match="once"):
            rows(source, "y")
    else:
        assert rows(source, "name")["name"].cast(pl.String).equals(FRAME["name"]), "a second pass"
        assert source.locate(5) == "row 5"


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_is_filtered(kind):
    source = open_source(TABLES[kind](), where="y = 1 AND name = '2'")
    expected = FRAME.with_row_index().filter(pl.col("y") == 1, pl.col("name") == "2")
    assert rows(source, "p").equals(expected.select("p"))
    assert kind in ONCE or source.locate(7) == f"row {expected['index'][7]}"
    assert source.description.endswith("where y = 1 AND name = '2'")


@pytest.mark.parametrize("kind", ["polars", "lazy", "duckdb", "dataset"])
def test_a_condition_on_the_whole_table(kind):
    source = open_source(TABLES[kind](), where=pl.col("p") > pl.col("p").mean())
    assert rows(source, "p").equals(FRAME.select("p").filter(pl.col("p") > P.mean()))


def test_slices_of_memory_are_not_copied():
    values = np.arange(float(BATCH_ROWS + 10))
    first, second = open_source({"x": values}).batches(["x"])
    assert np.shares_memory(numbers(first.frame["x"])[0], values)
    assert np.shares_memory(numbers(second.frame["x"])[0], values)
    assert (first.frame.height, second.frame.height, second.first) == (BATCH_ROWS, 10, BATCH_ROWS)


@pytest.mark.parametrize("n", [0, 1])
def test_few_rows(n):
    for data in (
        FRAME.head(n),
        FRAME.head(n).lazy(),
        ARROW.slice(0, n),
        {"p": P[:n], "y": Y[:n]},
        FRAME.head(n).to_pandas(),
    ):
        for where in (None, "y > -1"):
            assert sum(batch.frame.height for batch in open_source(data, where).batches(["p", "y"])) == n


def test_a_source_is_its_own_source():
    source = open_source(FRAME)
    assert open_source(source) is source
    with pytest.raises(UsageError, match="where the source is opened"):
        open_source(source, where="y = 1")


def test_pandas_missing_is_missing():
    frame = pd.DataFrame({"p": [0.5, np.nan], 7: [1, 2]}, index=["u", "v"])
    source = open_source(frame)
    assert list(source.schema) == ["p", "7"]
    assert rows(source, "p")["p"].to_list() == [0.5, None]
    with pytest.raises(UsageError, match="two columns of the pandas frame are named 'a'"):
        open_source(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_dicts():
    source = open_source({"x": [1, 2], "z": (0.5, None), "m": np.ones((2, 3))})
    assert source.schema == {"x": pl.Int64(), "z": pl.Float64(), "m": pl.Array(pl.Float64, 3)}
    for data, message in [
        ({"x": [1, 2], "y": [1]}, "columns differ in length: x has 2, y has 1"),
        ({"x": 3}, "'x' must be an array or a list, not int"),
        ({"x": "abc"}, "not str"),
        ({3: [1]}, "named by a string, not by 3"),
    ]:
        with pytest.raises(UsageError, match=message):
            open_source(data)
    with pytest.raises(DataError, match="'x' cannot be read as one column"):
        open_source({"x": [1, "a", object()]})


def test_a_lazy_frame_that_fails():
    lazy = (
        FRAME.lazy()
        .with_columns(q=pl.col("name").cast(pl.Int8).cast(pl.String) + "x")
        .with_columns(pl.col("q").cast(pl.Int8))
    )
    with pytest.raises(DataError, match="the lazy frame cannot be computed"):
        list(open_source(lazy).batches(["q"]))
    with pytest.raises(DataError, match="the lazy frame cannot be computed"):
        open_source(FRAME.lazy().select("absent"))


def test_a_stream_that_fails_or_changes():
    def failing():
        yield ARROW.to_batches(max_chunksize=1000)[0]
        raise OSError("the line was cut")

    with pytest.raises(DataError, match="the line was cut"):
        list(open_source(pa.RecordBatchReader.from_batches(ARROW.schema, failing())).batches(["p"]))
    connection = duckdb.connect()
    connection.execute("create table t as select 1 as y")
    source = open_source(connection.table("t"))
    list(source.batches(["y"]))
    connection.execute("insert into t values (2)")
    with pytest.raises(DataError, match="1 rows on one pass and 2 on the next"):
        list(source.batches(["y"]))


def test_the_reader_of_batches_may_stop_early():
    batches = open_source(TABLES["dataset"]()).batches(["p"])
    assert next(batches).first == 0
    batches.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [(pl.exceptions.PanicException("index out of bounds"), DataError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_a_panic_of_polars_is_our_error_and_an_interruption_is_not(monkeypatch, error, expected):
    def failing(_: object, **options: object):
        yield FRAME.select("p").head(2)
        raise error

    monkeypatch.setattr(pl.LazyFrame, "collect_batches", failing)
    batches = open_source(FRAME.lazy()).batches(["p"])
    assert next(batches).frame.height == 2
    with pytest.raises(expected):
        next(batches)


# Conditions


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("p >", "cannot be read"),
        ("p > 0.5; DROP TABLE x", "cannot be read"),
        ("read_csv('secret.csv')", "cannot be read"),
        ("p > (SELECT MAX(a) FROM read_csv('secret.csv'))", "holds a query"),
        ("EXISTS (select 1 from read_csv('secret.csv'))", "holds a query"),
        ("p IN (SELECT a FROM read_csv('secret.csv'))", "holds a query"),
        ("q > 0.5", r"no column 'q' in the frame; present: p, y, name"),
        ("nam = 'a'", r"did you mean 'name'\?"),
        ("p + 1", "a condition"),
        (pl.col("name") > 1, "does not fit"),
        (7, "must be a string or a Polars expression"),
    ],
)
def test_conditions_that_are_none(tmp_path, monkeypatch, where, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("a\n0\n")
    with pytest.raises(UsageError, match=message):
        open_source(FRAME.head(3), where=where)


def test_words_of_sql_inside_quotes_are_no_query():
    frame = pl.DataFrame({"from": ["select", "it's from", None], "y": [1, 2, 3]})
    for where, expected in [
        ("\"from\" = 'select'", [1]),
        ("\"from\" IN ('it''s from', 'select')", [1, 2]),
        ("\"from\" IS DISTINCT FROM 'select'", [2, 3]),
    ]:
        assert rows(open_source(frame, where=where), "y")["y"].to_list() == expected


def test_a_selector_reads_every_column():
    frame = pl.DataFrame({"a": [1, -1], "b": [1, 1]})
    assert rows(open_source(frame, where=pl.all_horizontal(pl.all() > 0)), "a")["a"].to_list() == [1]
