"""From a column of a table to the NumPy arrays that kernels read."""

from __future__ import annotations

import numpy as np
import polars as pl

from nll.errors import DataError

# Doubles hold every integer of 15 digits, and 10**15 too, so up to here one division rounds once and right.
EXACT_DIGITS = 15
WIDE_INTEGERS = (pl.Int128, pl.UInt128)
KINDS: tuple[tuple[str, tuple[type[pl.DataType], ...]], ...] = (
    ("text", (pl.String, pl.Categorical, pl.Enum)),
    ("dates or times", (pl.Date, pl.Datetime, pl.Time)),
    ("durations", (pl.Duration,)),
    ("lists", (pl.List, pl.Array)),
    ("structs", (pl.Struct,)),
    ("bytes", (pl.Binary,)),
)


def numbers(series: pl.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a column as a 1-D array, and a mask of its missing rows if there are any.

    Floats, integers and booleans keep their type (float16 becomes float32) and are not copied if they
    lie in one chunk without nulls; decimals and 128-bit integers become the nearest doubles. A missing
    row holds NaN in an array of floats, 0 (or False) in another.

    Both arrays are read-only and aligned whatever they were made from, so that a compiled loop sees one
    type of array.

    Raises
    ------
    DataError
        If the column holds text, dates, lists or anything else that is no number.
    """
    dense = _as_primitive(series)
    if dense.n_chunks() > 1:
        dense = dense.rechunk()
    missing = None
    if dense.null_count() > 0:
        missing = _frozen(dense.is_null().to_numpy())
        dense = dense.fill_null(float("nan") if dense.dtype.is_float() else _zero(dense.dtype))
    return _frozen(dense.to_numpy()), missing


def _as_primitive(series: pl.Series) -> pl.Series:
    dtype = series.dtype
    if not dtype.is_numeric() and (dtype == pl.Null or series.null_count() == series.len() > 0):
        # without a value the type is a guess
        return pl.Series(series.name, [None], dtype=pl.Float64).new_from_index(0, series.len())
    if isinstance(dtype, pl.Decimal):
        return _decimal_to_double(series, dtype)
    if dtype in WIDE_INTEGERS:
        return series.cast(pl.String).cast(pl.Float64)
    if dtype == pl.Float16:
        return series.cast(pl.Float32)
    if dtype.is_numeric() or dtype == pl.Boolean:
        return series
    raise DataError(_not_numbers(series))


def _decimal_to_double(series: pl.Series, dtype: pl.Decimal) -> pl.Series:
    if dtype.precision is not None and dtype.precision <= EXACT_DIGITS:
        return series.cast(pl.Float64)
    return series.cast(pl.String).cast(pl.Float64)  # the parser rounds once, a division of wide integers twice


def _not_numbers(series: pl.Series) -> str:
    kind = next((name for name, types in KINDS if isinstance(series.dtype, types)), f"values of type {series.dtype}")
    present = series.drop_nulls().head(1)
    sample = f" (such as {str(present[0])[:60]!r})" if present.len() else ""
    advice = "clean it or cast it to numbers first" if kind == "text" else "compute a number from it first"
    return f"column {series.name!r} holds {kind}{sample}, and numbers are needed: {advice}"


def _zero(dtype: pl.DataType) -> int | bool:
    return False if dtype == pl.Boolean else 0


def _frozen(array: np.ndarray) -> np.ndarray:
    if not array.flags.aligned or not array.flags.c_contiguous:
        array = np.array(array)
    array = array.view()
    array.flags.writeable = False
    return array
