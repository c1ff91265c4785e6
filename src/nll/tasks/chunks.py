"""Rows on their way to a kernel: from arrays or from a source, in chunks of a size that caches like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError, UsageError, first_line
from nll.families.bernoulli import Bernoulli
from nll.families.family import Family
from nll.numerics.arrays import NOT_NUMBERS, dimensions
from nll.numerics.single import BFLOAT16
from nll.tasks.dlpack import from_tensor, is_tensor
from nll.tasks.observed import Observed

if TYPE_CHECKING:
    import polars as pl

    from nll.sources import Source

Array = npt.NDArray[Any]

NUMBERS_IN_CHUNK = 2**21  # of a matrix of parameters
ROWS_IN_CHUNK = 2**19
ROWS_IN_GROUPED_CHUNK = 2**20  # the states of two chunks merge group by group


@dataclass(slots=True)
class Chunk:
    """Consecutive rows: observations, parameters, weights, group keys.

    `missing` marks rows with an empty cell, `holes` those of each column that has any; `ignored` rows that are not
    scored; `outside` rows that only a block of parameters has, and that are not counted at all.
    """

    first: int
    size: int
    y: Any
    theta: tuple[Any, ...]
    weights: Array | None = None
    keys: list[pl.Series] | None = None
    missing: Array | None = None
    holes: Sequence[tuple[str, Array]] = ()
    ignored: Array | None = None
    outside: Array | None = None


@dataclass(slots=True)
class Inputs:
    """What a task reads: chunks of rows, and the words for them in messages and results.

    Attributes
    ----------
    form : the parametrisation that scores the rows.
    chunks : makes an iterator over the rows.
    by, cluster : names of grouping columns; whether the last key is a cluster.
    names : what y, each parameter, and the weight are called: a column, or the name of the argument.
    locate : where a row lies, for messages.
    shape : the shape of the observations, where they are arrays.
    source, columns : the table, and those of its columns that are read; None and () for arrays.
    """

    form: type[Family]
    chunks: Callable[[], Iterator[Chunk]]
    names: dict[str, str]
    locate: Callable[[int], str]
    by: tuple[str, ...] = ()
    cluster: bool = False
    weighted: bool = False
    distribution: str = ""
    description: str = ""
    shape: tuple[int, ...] = ()
    source: Source | None = None
    columns: tuple[str, ...] = ()


def inputs(y: Any, dist: Any, data: Any, *, sample_weight: Any, by: Any, cluster: Any, where: Any) -> Inputs:
    """Bind the arguments of a task to rows."""
    if not isinstance(dist, Family):
        hint = ": give it parameters" if isinstance(dist, type) and issubclass(dist, Family) else ""
        raise UsageError(f"the distribution must be one such as nll.Normal(loc=0, scale=1); got {dist!r}{hint}")
    if isinstance(y, Observed):
        if y.weights is not None and sample_weight is not None:
            raise UsageError("the counts of bins are the weights: sample_weight= goes with other observations")
        weights = sample_weight if y.weights is None else y.weights
        return y.bound(
            inputs(y.y, y.distribution(dist), data, sample_weight=weights, by=by, cluster=cluster, where=where)
        )
    if isinstance(dist, Bernoulli) and _is_matrix(y, data is not None):
        dist = joint(type(dist))(**dist.theta)
    if data is not None:
        return table_inputs(y, dist, data, sample_weight, by, cluster, where)
    if where is not None:
        raise UsageError("where= filters a table: it needs data=")
    return array_inputs(y, dist, sample_weight, by, cluster)


def _is_matrix(y: Any, named: bool) -> bool:
    """Whether each observation has several labels: a matrix, or a list of columns."""
    return isinstance(y, (list, tuple)) if named else dimensions(y) == 2


@cache
def joint(form: type[Family]) -> type[Family]:
    """Return the family of rows of independent observations of a one-parameter family."""

    class Joint(form, register=False):
        event = 1

    return Joint


# Arrays


def array_inputs(y: Any, dist: Family, sample_weight: Any, by: Any, cluster: Any) -> Inputs:
    """Broadcast arrays and numbers against each other and cut them into chunks."""
    for name, value in {"y": y, **dist.theta}.items():
        if isinstance(value, str):
            raise UsageError(f"{name}={value!r} names a column, and there is no table: pass data=")
    values = {name: array_of(value, name) for name, value in dist.theta.items()}
    y = array_of(y, "y")
    shape, y, theta = arranged(y, dist, values)
    n = len(y)
    keys, names = array_keys(by, cluster, n)
    weights = None
    if sample_weight is not None:
        weights = _weights_of(array_of(sample_weight, "sample_weight"), shape, n)
    width = max([1, *(t.shape[1] for t in theta if np.ndim(t) == 2)])
    step = max(1, min(ROWS_IN_CHUNK if keys is None else ROWS_IN_GROUPED_CHUNK, NUMBERS_IN_CHUNK // width))

    def chunks() -> Iterator[Chunk]:
        for start in range(0, n, step):
            stop = min(start + step, n)
            yield Chunk(
                start,
                stop - start,
                y[start:stop],
                tuple(t[start:stop] if np.ndim(t) else t for t in theta),
                None if weights is None else weights[start:stop],
                None if keys is None else [k.slice(start, stop - start) for k in keys],
            )

    return Inputs(
        dist.__class__,
        chunks,
        {"y": "y", **{name: name for name in dist.theta}, "sample_weight": "sample_weight"},
        lambda row: f"row {row}",
        names,
        cluster is not None,
        weights is not None,
        repr(dist),
        f"arrays of {n:,} rows",
        shape,
    )


def arranged(y: Array, dist: Family, values: dict[str, Array]) -> tuple[tuple[int, ...], Array, tuple[Any, ...]]:
    """Return the shape of the observations, and these and each parameter as rows, or a number for all rows.

    A family whose parameters are of several shapes says by `arrange` how they meet.
    """
    if hasattr(dist, "arrange"):
        return dist.arrange(y, tuple(values.values()))  # type: ignore[attr-defined]
    if dist.event and isinstance(dist, Bernoulli):
        values = {name: _matching(name, value, y.shape) for name, value in values.items()}
    shape = broadcast(y, values, dist.event)
    n = int(np.prod(shape, dtype=np.int64))
    soft = y.ndim > len(shape)
    y = y.reshape(n, *y.shape[len(shape) :]) if soft else np.broadcast_to(y, shape).reshape(n)
    return shape, y, tuple(_rows_of(v, shape, n, dist.event) for v in values.values())


def array_of(value: Any, name: str) -> Array:
    """Return anything array-like as an array of numbers, masked ones as NaN; labels in y may be text."""
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan)
    try:
        array = from_tensor(value, name) if is_tensor(value) else np.asarray(value)
        kind = array.dtype.kind
        if array.dtype.name == "bfloat16" or array.dtype == BFLOAT16:
            return array.view(BFLOAT16)
        if kind == "O":
            texts = [isinstance(v, str) for v in array.ravel()]
            if not any(texts):
                return array.astype(np.float64)
            kind = "U" if all(t or v is None for t, v in zip(texts, array.ravel(), strict=True)) else kind
    except NOT_NUMBERS as error:
        raise DataError(f"{name} must hold numbers; got {type(value).__name__}: {first_line(error)}") from error
    if kind in "biuf" or (kind in "UT" and name == "y"):
        return array
    sample = "nothing"
    if array.size:
        first: Any = array.ravel()[0]
        sample = repr(first.item() if kind in "UmM" and hasattr(first, "item") else first)
    raise DataError(f"{name} must hold numbers; got {array.dtype}, such as {sample}")


def broadcast(y: Array, values: dict[str, Array], event: int) -> tuple[int, ...]:
    """Return the common shape of observations and parameters."""
    shapes = {name: v.shape[: v.ndim - event] for name, v in values.items()}
    observed = y.shape
    if event and y.ndim > max(1, *(len(s) for s in shapes.values())):
        observed = y.shape[:-1]  # soft targets: one probability a class; or one observation a label
    found = ", ".join(f"{name} {v.shape}" for name, v in {"y": y, **values}.items())
    try:
        shape = np.broadcast_shapes(observed, *shapes.values())
    except ValueError:
        raise DataError(f"shapes do not broadcast against each other: {found}") from None
    if y.size > 1 and any(s == (y.size, 1) for s in shapes.values()) and len(observed) == 1:
        # A column of predictions against a row of observations would make n**2 rows that nobody means.
        raise DataError(f"a column of parameters against a row of observations makes a table: {found}; ravel() one")
    return shape


def _matching(name: str, value: Array, shape: tuple[int, ...]) -> Array:
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise DataError(f"{name} has shape {value.shape}, the matrix of labels {shape}") from None


def _rows_of(value: Array, shape: tuple[int, ...], n: int, event: int) -> Any:
    """Return a number as it is, an array as one row (or number) an observation."""
    if value.ndim == 0:
        return value[()]
    inner = value.shape[value.ndim - event :]
    return np.broadcast_to(value, (*shape, *inner)).reshape(n, *inner)


def _weights_of(value: Array, shape: tuple[int, ...], n: int) -> Array:
    try:
        return np.broadcast_to(value, shape).reshape(n)
    except ValueError:
        raise DataError(f"sample_weight has shape {value.shape}, the observations {shape}") from None


def array_keys(by: Any, cluster: Any, n: int) -> tuple[list[pl.Series] | None, tuple[str, ...]]:
    """Return the columns of groups and clusters, and the names of the groups."""
    if by is None and cluster is None:
        return None, ()
    import polars as pl

    columns = {} if by is None else by if isinstance(by, dict) else {getattr(by, "name", None) or "by": by}
    named = [*columns.items(), *([] if cluster is None else [("cluster", cluster)])]
    series: list[pl.Series] = []
    for name, values in named:
        column = values if isinstance(values, pl.Series) else _series(str(name), values)
        if column.len() != n:
            raise DataError(f"{name} has {column.len():,} rows, the observations {n:,}")
        series.append(column)
    return series, tuple(map(str, columns))


def _series(name: str, values: Any) -> pl.Series:
    import polars as pl

    try:
        array = np.asarray(values)
        if array.ndim == 1:
            return pl.Series(name, array)
        found = f"shape {array.shape}"
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        found = first_line(error)
    raise DataError(f"{name} must be an array (n,), or a dict of such, one a column: {found}")


# Tables


def table_inputs(y: Any, dist: Family, data: Any, sample_weight: Any, by: Any, cluster: Any, where: Any) -> Inputs:
    """Bind names of columns to a source."""
    from nll.engines.placing import open_table

    source = open_table(data, where)
    by = () if by is None else tuple(by) if isinstance(by, (list, tuple)) else (by,)
    columns = _Columns(y, dist, sample_weight, by, cluster)
    source.require(columns.needed())
    return Inputs(
        dist.__class__,
        lambda: columns.chunks(source),
        columns.names(),
        source.locate,
        tuple(by),
        cluster is not None,
        sample_weight is not None,
        repr(dist),
        source.description,
        source=source,
        columns=tuple(columns.needed()),
    )


@dataclass(slots=True)
class _Columns:
    """Which column plays which part."""

    y: Any
    dist: Family
    weight: Any
    by: Sequence[str]
    cluster: Any

    def __post_init__(self) -> None:
        parts = {"y": self.y, **self.dist.theta}
        axes = 2 if hasattr(self.dist, "arrange") and not hasattr(self.dist, "columnwise") else self.dist.event
        for name, value in parts.items():
            listed = isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
            if not isinstance(value, str) and not listed and np.ndim(value) > axes:
                raise UsageError(f"with data=, {name} is the name of a column, or a number; got {type(value).__name__}")
            if listed and not self.dist.event:
                raise UsageError(f"{name} is one column for {type(self.dist).__name__}; got a list of {len(value)}")
        columns = [("sample_weight", self.weight), ("cluster", self.cluster), *(("by", name) for name in self.by)]
        for name, value in columns:
            if value is not None and not isinstance(value, str):
                raise UsageError(f"with data=, {name} is the name of a column; got {type(value).__name__}")
        if not isinstance(self.y, (str, list, tuple)):
            raise UsageError(f"with data=, y is the name of a column; got {self.y!r}")
        if hasattr(self.dist, "columnwise"):
            self._check_columnwise()
        elif self.dist.event:
            self._check_matrix()

    def _check_columnwise(self) -> None:
        if isinstance(self.y, str):
            raise UsageError(f"with data=, y is a list of columns, one a number of a row; got {self.y!r}")
        for name, value in self.dist.theta.items():
            texts = [isinstance(v, str) for v in value] if isinstance(value, (list, tuple)) else []
            if any(texts) and not all(texts):
                raise UsageError(f"{name} is a list of columns or of numbers, not both; got {value!r}")
            if np.ndim(value) and np.shape(value) != (len(self.y),):
                raise UsageError(f"{name} has {np.shape(value)[0]} entries, y has {len(self.y)} columns: one each")

    def _check_matrix(self) -> None:
        name, value = next(iter(self.dist.theta.items()))
        joint_ = isinstance(self.dist, Bernoulli)
        if joint_ and np.ndim(value) == 0 and not isinstance(value, str):
            return
        texts = [isinstance(v, str) for v in value] if isinstance(value, (list, tuple)) else []
        if isinstance(value, str) or (any(texts) and not all(texts)):
            each = "label" if joint_ else "number of a row" if hasattr(self.dist, "arrange") else "class"
            raise UsageError(f"with data=, {name} is a list of columns, one a {each}; got {value!r}")
        if hasattr(self.dist, "arrange") and isinstance(self.y, str):
            raise UsageError(f"with data=, y is a list of columns, one a number of a row; got {self.y!r}")
        if joint_ and len(value) != len(self.y):
            raise UsageError(f"{name} names {len(value)} columns, y {len(self.y)}: they are one each a label")

    def needed(self) -> list[str]:
        found: list[str] = []
        for value in (self.y, *self.dist.theta.values(), self.weight, *self.by, self.cluster):
            if isinstance(value, str):
                found.append(value)
            elif isinstance(value, (list, tuple)):
                found.extend(v for v in value if isinstance(v, str))
        return list(dict.fromkeys(found))

    def names(self) -> dict[str, str]:
        parts = {"y": self.y, **self.dist.theta, "sample_weight": self.weight}
        return {name: value if isinstance(value, str) else name for name, value in parts.items()}

    def chunks(self, source: Source) -> Iterator[Chunk]:
        rows = ROWS_IN_CHUNK
        for value in self.dist.theta.values():
            if isinstance(value, (list, tuple)):
                rows = max(1, min(rows, NUMBERS_IN_CHUNK // len(value)))
        for batch in source.batches(self.needed()):
            if batch.frame.height <= 4 * rows:
                yield self.chunk(batch.frame, batch.first)
                continue
            for start in range(0, batch.frame.height, rows):
                yield self.chunk(batch.frame.slice(start, rows), batch.first + start)

    def chunk(self, frame: pl.DataFrame, first: int) -> Chunk:
        missing: list[tuple[str, Array]] = []
        y = self.column(frame, self.y, missing, labels=True)
        theta = tuple(self.column(frame, value, missing) for value in self.dist.theta.values())
        if hasattr(self.dist, "arrange"):
            if hasattr(self.dist, "columnwise"):  # one column is one number a row
                named = zip(theta, self.dist.theta.values(), strict=True)
                theta = tuple(t[:, None] if isinstance(value, str) else t for t, value in named)
            _, y, theta = self.dist.arrange(y, theta)  # type: ignore[attr-defined]
        elif self.dist.event and np.ndim(theta[0]) < 2:  # the same for all rows
            width = y.shape[1] if isinstance(self.dist, Bernoulli) else len(theta[0])
            theta = (np.broadcast_to(theta[0], (frame.height, width)),)
        weights = None if self.weight is None else self.column(frame, self.weight, missing)
        keys = [frame[name] for name in self.by] + ([frame[self.cluster]] if self.cluster else [])
        lost = np.logical_or.reduce([mask for _, mask in missing]) if missing else None
        return Chunk(first, frame.height, y, theta, weights, keys or None, lost, missing)

    def column(self, frame: pl.DataFrame, value: Any, missing: list[tuple[str, Array]], labels: bool = False) -> Any:
        """Return a named column as an array, several as a matrix, a number as it is."""
        import polars as pl

        from nll.sources import numbers

        if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
            return np.column_stack([self.column(frame, name, missing) for name in value])
        if not isinstance(value, str):
            return np.asarray(value, np.float64) if np.ndim(value) else value
        series = frame[value]
        if labels and series.dtype in (pl.String, pl.Categorical, pl.Enum):
            if series.null_count():
                missing.append((f"column {value!r}", series.is_null().to_numpy()))
            return series.cast(pl.String).to_numpy()
        array, lost = numbers(series)
        if lost is not None:
            missing.append((f"column {value!r}", lost))
        return array
