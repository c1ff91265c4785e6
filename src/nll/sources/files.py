"""Tables in files: one or many, of one format, local or remote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from nll.errors import DataError, NllError, UsageError, first_line
from nll.sources import text
from nll.sources.condition import Condition, condition
from nll.sources.formats import FORMATS, PARQUET, Format, scan_parquet
from nll.sources.lazy import LazySource
from nll.sources.pages import check_pages, row_groups
from nll.sources.paths import is_remote
from nll.sources.source import Source, is_failure

Schema = dict[str, pl.DataType]
Span = tuple[int, int]
Stamp = tuple[int, ...]


class FileSource(LazySource):
    """Files read one after the other as one table; the first says which columns there are.

    Parquet files are one scan, so that thousands of them open while rows flow. Files of other formats
    are a scan each, joined by the names of columns: their types may differ as far as numbers go.
    """

    def __init__(
        self,
        paths: list[str],
        form: Format,
        description: str,
        condition: Condition | None = None,
        span: Span | None = None,
        types: Schema | None = None,
    ) -> None:
        self._paths = paths
        self._format = form
        self._span = span
        self._given = types
        self._types: dict[str, Schema] = {}
        self._looked: set[str] = set()
        self._stamps: dict[str, Stamp] = {}
        super().__init__(pl.LazyFrame(), description, condition)

    def __reduce__(self) -> Any:
        # A plan of Polars holds its version; workers make their own, of names and numbers.
        about = self._table, None if self.condition is None else self.condition.given
        return reopened, (self._paths, self._format.name, *about, self._span, self._given)

    @property
    def paths(self) -> list[str]:
        """The files, in the order of reading."""
        return list(self._paths)

    @property
    def span(self) -> Span | None:
        """The rows [first, last) of a file that this is; None for all."""
        return self._span

    def parts(self, rows: int | None = None) -> list[Source]:
        """Return a source for each file, or itself if its condition looks at the whole table.

        Parameters
        ----------
        rows : cut Parquet files of this machine between row groups, into parts of about so many rows.
        """
        if self._span is not None or (self.condition is not None and not self.condition.by_row(self.schema)):
            return [self]
        types = self.schema if len(self._paths) > 1 and not self._format.text else None
        found: list[Source] = []
        for path in self._paths:
            spans = [None] if rows is None or self._format is not PARQUET else spans_of(path, rows)
            found += [FileSource([path], self._format, path, self.condition, span, types) for span in spans]
        return [self] if len(found) == 1 else found

    def _read_schema(self) -> Schema:
        if self._format is PARQUET:
            self._lazy = scan_parquet(self._paths, self._given)
            if self._span is not None:
                first, last = self._span
                self._lazy = self._lazy.slice(first, last - first)
            return super()._read_schema()
        empty: dict[str, Schema] = {}
        for path in self._paths:
            try:
                types, filled = self._types_of(path)
            except BaseException as error:
                if not is_failure(error):
                    raise
                raise self._broken(path, error, []) from error
            (self._types if filled else empty)[path] = types
        if not self._types:  # headers alone say no types
            return dict.fromkeys(empty[self._paths[0]], pl.Null())
        return dict(next(iter(self._types.values())))

    def _types_of(self, path: str) -> tuple[Schema, bool]:
        if not is_remote(path) and Path(path).stat().st_size == 0:
            raise DataError(_broken_text(path, self._format, "it is empty (0 bytes)"))
        if self._format.text:
            return text.guess_types(path, self._format)
        return dict(self._format.scan(path, None).collect_schema()), True

    def _plan(self, columns: list[str]) -> pl.LazyFrame:
        if self._format is PARQUET:
            return self._lazy
        if not self._types:
            return pl.LazyFrame(schema=self._schema)
        scans: list[pl.LazyFrame] = []
        for path, types in self._types.items():
            self._check_types(path, types, columns)
            scans.append(self._format.scan(path, types if self._format.text else None).select(columns))
        return scans[0] if len(scans) == 1 else pl.concat(scans, how="vertical_relaxed")

    def _check_types(self, path: str, types: Schema, columns: list[str]) -> None:
        """Raise DataError unless a file's columns can follow those of the first file."""
        first = self._paths[0]
        for name in columns:
            expected, found = self._schema[name], types.get(name)
            if found is None:
                raise DataError(
                    f"{path} has no column {name!r}, and {first} has; leave that file out or add the column"
                )
            if found != expected and not (_is_number(found) and _is_number(expected)):
                raise DataError(
                    f"column {name!r} is {found} in {path} and {expected} in {first}: "
                    "write the files with one type, or read them one by one"
                )

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        self._stamps = stamps(self._paths)
        yield from self._read(columns)
        self._check_unchanged()

    def _check_unchanged(self) -> None:
        """Refuse what was read of a file that somebody wrote to meanwhile: it may be of neither state of it."""
        now = stamps(self._paths)
        changed = [path for path in self._paths if self._stamps.get(path, now[path]) != now[path]]
        if changed:
            raise DataError(f"{changed[0]} changed while it was read: read it again when nobody writes to it")

    def _read(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        if not self._format.text:
            self._look(self._needed(columns))
            yield from super()._frames(columns)
            return
        rows = 0
        while True:
            needed = self._needed(columns)
            plan = self._filtered(self._plan(needed)).select(columns).slice(rows)
            try:
                for frame in plan.collect_batches(maintain_order=True, engine="streaming"):
                    rows += frame.height
                    yield frame
                return
            except BaseException as error:
                # Whole numbers up to the sampled row, fractions after it: go on from here with doubles.
                if not is_failure(error) or not self._widen(needed):
                    raise

    def _look(self, columns: list[str]) -> None:
        """Look once at what could end the process when Polars reads it."""
        if self._format is PARQUET and not self._looked.issuperset(columns):
            check_pages([path for path in self._paths if not is_remote(path)], columns, self._span)
            self._looked.update(columns)

    def _widen(self, columns: list[str]) -> bool:
        try:
            changed = [text.widen(path, self._format, types, columns) for path, types in self._types.items()]
        except pl.exceptions.PolarsError:  # the file is broken otherwise: the first error says how
            return False
        return any(changed)

    def _row_of_table(self, row: int) -> int:
        while True:
            try:
                return super()._row_of_table(row)
            except Exception:
                if not self._format.text or not self._widen(self._needed([])):
                    raise

    def _locate(self, row: int) -> str:
        row = self._row_of_table(row) + (self._span[0] if self._span else 0)
        if len(self._paths) == 1:
            return f"row {row} of {self._paths[0]}"
        for path in self._paths:
            rows = int(self._format.scan(path, self._types.get(path)).select(pl.len()).collect().item())
            if row < rows:
                return f"row {row} of {path}"
            row -= rows
        raise IndexError(row)

    def _explain(self, error: BaseException, columns: list[str]) -> NllError:
        """Read file by file until one fails, and say what is wrong with it."""
        try:
            self._check_unchanged()
        except DataError as changed:
            return changed
        for path in self._paths:
            try:
                self._try_open(path)
                self._try_read(path, columns)
            except BaseException as cause:
                if isinstance(cause, NllError):
                    return cause
                if not is_failure(cause):
                    raise
                return self._broken(path, cause, columns)
        return DataError(f"{self.description} cannot be read: {type(error).__name__}: {first_line(error)}")

    def _try_open(self, path: str) -> None:
        if is_remote(path):
            return
        if not Path(path).exists():
            raise UsageError(f"no such file: {path} (it was there when the files were listed, or is a dangling link)")
        if Path(path).stat().st_size == 0:
            raise DataError(_broken_text(path, self._format, "it is empty (0 bytes)"))

    def _try_read(self, path: str, columns: list[str]) -> None:
        types = dict(self._format.scan(path, self._types.get(path)).collect_schema())
        if not columns:
            return
        columns = self._needed(columns)
        self._check_types(path, types, columns)
        expected = self._schema if self._format is PARQUET else self._types.get(path)
        try:
            for _ in self._format.scan(path, expected).select(columns).collect_batches(engine="streaming"):
                pass
        except pl.exceptions.SchemaError as error:
            wrong = [name for name in columns if types[name] != self._schema[name]]
            if not wrong:
                raise
            is_and_should = ", ".join(f"{name!r} is {types[name]} and not {self._schema[name]}" for name in wrong)
            raise DataError(
                f"{path} does not have the column types of {self._paths[0]}: {is_and_should}; "
                "put the file with the widest types first, or write the files with one type"
            ) from error

    def _broken(self, path: str, error: BaseException, columns: list[str]) -> NllError:
        """Return the error for a file that cannot be read."""
        if isinstance(error, NllError):
            return error
        if isinstance(error, FileNotFoundError):
            return UsageError(f"no such file: {path}")
        if isinstance(error, PermissionError):
            return UsageError(f"{path} cannot be opened: permission denied")
        reason = text.bad_line(path, self._format) if self._format.text and not is_remote(path) else None
        return DataError(_broken_text(path, self._format, reason or first_line(error)))


def reopened(
    paths: list[str], name: str, description: str, where: Any, span: Span | None, types: Schema | None
) -> FileSource:
    """Return files as a source once more, where they were sent to."""
    form = next(form for form in FORMATS if form.name == name)
    return FileSource(paths, form, description, condition(where), span, types)


def stamps(paths: Iterable[str]) -> dict[str, Stamp]:
    """Return size and time of the last change, in nanoseconds, of each file; () of one on another machine, or gone."""
    found: dict[str, Stamp] = {}
    for path in paths:
        try:
            stat = None if is_remote(path) else Path(path).stat()
        except OSError:
            stat = None
        found[path] = () if stat is None else (stat.st_size, stat.st_mtime_ns)
    return found


def spans_of(path: str, rows: int) -> list[Span | None]:
    """Return the rows [first, last) of parts of a Parquet file, cut between its row groups; [None] for a small one."""
    if is_remote(path):
        return [None]
    ends: list[int] = []
    first = last = 0
    for size in row_groups(path) or _even(path, rows):
        last += size
        if last - first >= rows:
            ends.append(last)
            first = last
    if last > first:
        ends.append(last)
    return list(zip([0, *ends[:-1]], ends, strict=True)) if len(ends) > 1 else [None]


def _even(path: str, rows: int) -> list[int]:
    """Return a file's rows in parts of so many; none if it cannot be read, of which reading it says why."""
    try:
        total = int(scan_parquet(path).select(pl.len()).collect(engine="streaming").item())
    except BaseException as error:
        if not is_failure(error):
            raise
        return []
    return [min(rows, total - first) for first in range(0, total, rows)]


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def _broken_text(path: str, form: Format, reason: str) -> str:
    advice = "" if form.text else "; it may be truncated, damaged or of another format: write or fetch it again"
    return f"{path} cannot be read as {form.name}: {reason}{advice}"
