"""The door: from whatever a user passes as `data` to a source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import polars as pl

from nll.errors import UsageError
from nll.sources import frames, paths, streams
from nll.sources.condition import Condition, condition
from nll.sources.files import FileSource
from nll.sources.lazy import LazySource
from nll.sources.source import Source

ACCEPTED = (
    "a path, a pattern or a folder of Parquet, CSV, JSON lines or Arrow files, a list of paths, a frame of Polars or "
    "pandas, an Arrow table, dataset or reader, a DuckDB relation, a dict of arrays"
)


def open_source(data: Any, where: str | pl.Expr | None = None) -> Source:
    """Return the source that reads `data`.

    Parameters
    ----------
    data : a path, a pattern ("preds/*.parquet"), a folder, or a list of these; a Polars DataFrame or
        LazyFrame; a pandas DataFrame; a pyarrow Table, Dataset, RecordBatch or RecordBatchReader (which
        gives one pass); a DuckDB relation; a dict of arrays; anything with `__arrow_c_stream__`.
    where : keep the rows for which this holds, as an SQL expression ("country = 'DE'") or a Polars one.

    Raises
    ------
    UsageError
        If the data is of no known kind, a file is not found, or the condition cannot be read.
    DataError
        If a file is broken.
    """
    if isinstance(data, Source):
        if where is not None:
            raise UsageError("give the condition where the source is opened: open_source(data, where)")
        return data
    kept = condition(where)
    if isinstance(data, (str, os.PathLike)):
        return _from_files(data, kept)
    if isinstance(data, (list, tuple)) and all(isinstance(each, (str, os.PathLike)) for each in data):
        return _from_files(list(data), kept)
    if isinstance(data, pl.LazyFrame):
        return LazySource(data, "the lazy frame", kept)
    if isinstance(data, pl.DataFrame):
        return frames.FrameSource(data, "the frame", kept)
    if isinstance(data, Mapping):
        return frames.FrameSource(frames.from_mapping(data), "the columns", kept)
    return _from_library(data, kept)


def _from_files(data: Any, kept: Condition | None) -> Source:
    files = paths.expand(data)
    form = paths.one_format(files)
    return FileSource(files, form, paths.describe(data, files), kept)


def _from_library(data: Any, kept: Condition | None) -> Source:
    """Tell a table by the module and name of its class: nothing is imported that the user has not."""
    library, name = type(data).__module__.partition(".")[0], type(data).__name__
    if library == "pandas" and hasattr(data, "columns"):
        return frames.FrameSource(frames.from_pandas(data), "the pandas frame", kept)
    if library == "pyarrow":
        if name in ("Table", "RecordBatch"):
            return frames.FrameSource(pl.DataFrame(pl.from_arrow(data)), f"the Arrow {name}", kept)
        if name.endswith("RecordBatchReader"):
            return streams.from_reader(data, kept)
        if hasattr(data, "scanner"):
            return streams.from_dataset(data, kept)
    if "duckdb" in library and hasattr(data, "project"):
        return streams.from_duckdb(data, kept)
    if hasattr(data, "__arrow_c_stream__") and not isinstance(data, pl.Series):
        return streams.from_capsule(data, kept)
    raise UsageError(f"cannot read a table from {type(data).__module__}.{name}; data can be {ACCEPTED}")
