"""Files that the command writes: whole or not at all, and never over what it reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nll.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

TABLES = (".parquet", ".csv")


def check_output(option: str, path: str, suffixes: Sequence[str], read: Sequence[str]) -> None:
    """Raise UsageError, before any work is done, if a file cannot be written there."""
    out = Path(path)
    if out.suffix.lower() not in suffixes:
        raise UsageError(f"{option} {path}: the name must end in {' or '.join(suffixes)}")
    if not out.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {out.parent}")
    if out.is_dir():
        raise UsageError(f"{option} {path}: this is a folder")
    if out.exists() and any(Path(each).exists() and out.samefile(each) for each in read):
        raise UsageError(f"{option} {path}: this file is among those to be scored, and would be overwritten")


@contextmanager
def whole(path: str) -> Iterator[Path]:
    """Give the name of a file beside `path` that takes its place when all went well, and is removed when not."""
    final = Path(path)
    partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(final)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def write_frame(frame: pl.DataFrame, path: str) -> None:
    """Write a table as Parquet."""
    with whole(path) as partial:
        frame.write_parquet(partial)


def write_rows(batches: Iterable[tuple[int, npt.NDArray[np.float64]]], path: str, nats: float, progress: Any) -> None:
    """Write row losses, in a unit of `nats` nats, as columns row and loss; a dropped row has no loss."""
    write = _write_csv if path.lower().endswith(".csv") else _write_parquet
    with whole(path) as partial:
        write(_frames(batches, nats, progress), partial)


def _frames(batches: Iterable[tuple[int, Any]], nats: float, progress: Any) -> Iterator[pl.DataFrame]:
    import numpy as np
    import polars as pl

    for first, losses in batches:
        index = np.arange(first, first + len(losses))
        yield pl.DataFrame({"row": index, "loss": losses / nats}).with_columns(pl.col("loss").fill_nan(None))
        progress(len(losses))


def _write_csv(frames: Iterator[pl.DataFrame], path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"row,loss\n")
        for frame in frames:
            frame.write_csv(file, include_header=False)


def _write_parquet(frames: Iterator[pl.DataFrame], path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([("row", pa.int64()), ("loss", pa.float64())])
    with ParquetWriter(path, schema, compression="zstd") as writer:
        for frame in frames:
            writer.write_table(frame.to_arrow().cast(schema))
