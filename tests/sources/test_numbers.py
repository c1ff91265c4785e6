"""Columns as arrays: types kept, nothing copied without need, missing rows marked."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nll.errors import DataError
from nll.sources import numbers


@pytest.mark.parametrize(
    "dtype", [pl.Float64, pl.Float32, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]
)
def test_primitive_types_are_kept_and_not_copied(dtype):
    series = pl.Series("x", [1, 2, 3], dtype=dtype)
    array, missing = numbers(series)
    assert missing is None
    assert array.dtype == series.to_numpy().dtype
    assert array.tolist() == [1, 2, 3]
    assert np.shares_memory(array, series.to_numpy())


@pytest.mark.parametrize(
    ("series", "values", "dtype"),
    [
        (pl.Series([True, False, None]), [True, False, False], np.bool_),
        (pl.Series([5, None, 7]), [5, 0, 7], np.int64),
        (pl.Series([0.5, None, float("nan")]), [0.5, np.nan, np.nan], np.float64),
        (pl.Series([0.5, None], dtype=pl.Float32), [0.5, np.nan], np.float32),
        (pl.Series([None, None]), [np.nan, np.nan], np.float64),
        (pl.Series([None, None], dtype=pl.String), [np.nan, np.nan], np.float64),
        (pl.Series([0.5, None], dtype=pl.Float16), [0.5, np.nan], np.float32),
        (pl.Series([2**100, None], dtype=pl.Int128), [2.0**100, np.nan], np.float64),
        (pl.Series([Decimal("0.1"), None]), [0.1, np.nan], np.float64),
    ],
)
def test_missing_rows(series, values, dtype):
    array, missing = numbers(series)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, values)
    assert missing is not None
    np.testing.assert_array_equal(missing, series.is_null().to_numpy())


@pytest.mark.parametrize(
    "series",
    [
        pl.Series([1.0, 2.0]),
        pl.Series([1.0, None]),
        pl.Series([True, False]),
        pl.concat([pl.Series([1.0]), pl.Series([2.0])], rechunk=False),
        pl.Series([1.0, 2.0, 3.0])[1:],
        pl.Series("x", [], dtype=pl.Float64),
    ],
)
def test_every_array_is_of_one_kind(series):
    array, missing = numbers(series)
    for each in (array, missing):
        if each is not None:
            assert (each.ndim, each.flags.writeable, each.flags.aligned, each.flags.c_contiguous) == (
                1,
                False,
                True,
                True,
            )
    assert array.size == series.len()


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (pl.Series("p", [None, "NA", "x"]), r"column 'p' holds text \(such as 'NA'\)"),
        (pl.Series("p", ["a"], dtype=pl.Categorical), "holds text"),
        (pl.Series("p", ["a"], dtype=pl.Enum(["a"])), "holds text"),
        (pl.Series("p", [{"a": 1}]), "holds structs"),
        (pl.Series("p", [[1.0]]), "holds lists"),
        (pl.Series("p", [b"1"]), "holds bytes"),
        (pl.Series("p", [0]).cast(pl.Date), "holds dates"),
        (pl.Series("p", [0]).cast(pl.Duration), "holds durations"),
        (pl.Series("p", [object()]), "holds values of type Object"),
    ],
)
def test_what_is_no_number(series, message):
    with pytest.raises(DataError, match=message):
        numbers(series)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.data())
def test_decimals_become_the_nearest_doubles(precision, data):
    scale = data.draw(st.integers(0, precision))
    unscaled = data.draw(st.lists(st.integers(-(10**precision) + 1, 10**precision - 1), min_size=1, max_size=20))
    exact = [Fraction(each, 10**scale) for each in unscaled]
    series = pl.Series([Decimal(f"{each}e-{scale}") for each in unscaled], dtype=pl.Decimal(precision, scale))
    assert numbers(series)[0].tolist() == [each.numerator / each.denominator for each in exact]
