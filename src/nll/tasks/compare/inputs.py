"""The rows of several models at once: each chunk holds the parameters of all, from one read of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nll.engines.placing import open_table
from nll.errors import DataError, UsageError
from nll.families.bernoulli import Bernoulli
from nll.families.family import Family
from nll.tasks.chunks import NUMBERS_IN_CHUNK, ROWS_IN_CHUNK, Chunk, Inputs, _Columns, _is_matrix, inputs, joint
from nll.tasks.compare.losses import DIFFERENT_MEASURES, discreteness
from nll.tasks.observed import BOUNDS, Observed

if TYPE_CHECKING:
    from nll.sources import Source


@dataclass(frozen=True, slots=True)
class Rows:
    """The same rows under several models; the keys of groups stand in the first."""

    first: int
    size: int
    parts: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a comparison reads: the Inputs of each model, their common chunks, and the table that these come from."""

    each: tuple[Inputs, ...]
    chunks: Callable[[], Iterator[Rows]]
    source: Source | None = None
    columns: tuple[str, ...] = ()


def bind_models(
    y: Any, models: Mapping[str, Any], data: Any, *, sample_weight: Any, by: Any, cluster: Any, where: Any
) -> Bound:
    """Bind the models of a comparison to the same rows."""
    mixed = refuse_measures(models, y)
    if isinstance(y, Observed) and y.weights is not None and sample_weight is not None:
        raise UsageError("the counts of bins are the weights: sample_weight= goes with other observations")
    bind = _table if data is not None else _arrays
    bound = bind(y, models, data, sample_weight, by, cluster, where)
    return replace(bound, chunks=lambda: intervals_only(bound, mixed)) if mixed else bound


def _arrays(
    y: Any, models: Mapping[str, Any], data: Any, sample_weight: Any, by: Any, cluster: Any, where: Any
) -> Bound:
    options = {"sample_weight": sample_weight, "by": by, "cluster": cluster}
    nothing = dict.fromkeys(("by", "cluster"))
    each = tuple(
        inputs(y, dist, None, where=where, **(options if i == 0 else {**options, **nothing}))
        for i, dist in enumerate(models.values())
    )
    shapes = {name: bound.shape for name, bound in zip(models, each, strict=True)}
    if len(set(shapes.values())) > 1:
        raise DataError(f"models are compared on the same rows; their shapes differ: {shapes}")
    return Bound(each, lambda: aligned([bound.chunks() for bound in each]))


def refuse_measures(models: Mapping[str, Any], y: Any = None) -> str:
    """Refuse models whose losses do not have the same measure; say what would be wrong with rows that are no intervals.

    The loss of an interval is that of a probability under any model, so that all compare on intervals.
    """
    for name, dist in models.items():
        if not isinstance(dist, Family):
            hint = ": give it parameters" if isinstance(dist, type) and issubclass(dist, Family) else ""
            hint = ": its .dist is one" if isinstance(getattr(dist, "dist", None), Family) else hint
            raise UsageError(
                f"model {name!r} must be a distribution such as nll.Normal(loc=0, scale=1); got {dist!r}{hint}"
            )
    kinds = {name: discreteness(dist) for name, dist in models.items()}
    (first, kind), *others = kinds.items()
    for name, other in others:
        if other != kind:
            wrong = f"{first!r} is {kind} and {name!r} {other}: {DIFFERENT_MEASURES}"
            if isinstance(y, Observed) and y.kind == "interval":
                return wrong
            raise UsageError(wrong)
    return ""


def intervals_only(bound: Bound, wrong: str) -> Iterator[Rows]:
    """Yield rows that all are intervals; refuse an exact value, which has a density under one model only."""
    for rows in bound.chunks():
        first = rows.parts[0]
        upper = first.theta[list(bound.each[0].form.parameters).index("upper")]
        exact = np.asarray(first.y) == upper
        if exact.any():
            place = bound.each[0].locate(rows.first + int(np.argmax(exact)))
            raise UsageError(f"{wrong}; {place} is an exact value among intervals")
        yield rows


def aligned(streams: list[Iterator[Chunk]]) -> Iterator[Rows]:
    """Cut chunks of the same rows, which may end at different rows, so that they match."""
    current, offsets = [next(stream, None) for stream in streams], [0] * len(streams)
    while all(chunk is not None for chunk in current):
        chunks = [chunk for chunk in current if chunk is not None]
        size = min(chunk.size - offset for chunk, offset in zip(chunks, offsets, strict=True))
        parts = tuple(part(chunk, offset, size) for chunk, offset in zip(chunks, offsets, strict=True))
        yield Rows(parts[0].first, size, parts)
        for i, chunk in enumerate(chunks):
            offsets[i] += size
            if offsets[i] == chunk.size:
                current[i], offsets[i] = next(streams[i], None), 0


def part(chunk: Chunk, offset: int, size: int) -> Chunk:
    """Return some rows of a chunk."""
    if offset == 0 and size == chunk.size:
        return chunk
    rows = slice(offset, offset + size)
    return replace(
        chunk,
        first=chunk.first + offset,
        size=size,
        y=chunk.y[rows],
        theta=tuple(t[rows] if np.ndim(t) else t for t in chunk.theta),
        weights=None if chunk.weights is None else chunk.weights[rows],
        keys=None if chunk.keys is None else [key.slice(offset, size) for key in chunk.keys],
        missing=None if chunk.missing is None else chunk.missing[rows],
        holes=[(name, mask[rows]) for name, mask in chunk.holes],
    )


def _table(
    y: Any, models: Mapping[str, Any], data: Any, sample_weight: Any, by: Any, cluster: Any, where: Any
) -> Bound:
    source = open_table(data, where)
    by = () if by is None else tuple(by) if isinstance(by, (list, tuple)) else (by,)
    seen = y if isinstance(y, Observed) else None
    dists = [of_rows(dist, y) for dist in models.values()]
    if seen is not None:
        y, sample_weight = seen.y, sample_weight if seen.weights is None else seen.weights
    columns = [
        _Columns(y, dist, sample_weight, by if i == 0 else (), cluster if i == 0 else None)
        for i, dist in enumerate(dists)
    ]
    needed = list(dict.fromkeys(name for each in columns for name in each.needed()))
    source.require(needed)
    widths = [len(v) for dist in dists for v in dist.theta.values() if isinstance(v, (list, tuple))]
    rows = max(1, min([ROWS_IN_CHUNK, *(NUMBERS_IN_CHUNK // width for width in widths if width)]))

    def chunks() -> Iterator[Rows]:
        for batch in source.batches(needed):
            for start in range(0, batch.frame.height, rows):
                frame, first = batch.frame.slice(start, rows), batch.first + start
                parts = tuple(each.chunk(frame, first) for each in columns)
                yield Rows(first, frame.height, parts if seen is None else bounded(seen, parts, each, source.locate))

    each = tuple(
        Inputs(
            type(dist),
            lambda: iter(()),
            own.names(),
            source.locate,
            tuple(by),
            cluster is not None,
            sample_weight is not None,
            repr(dist),
            source.description,
        )
        for dist, own in zip(dists, columns, strict=True)
    )
    if seen is not None:
        each = tuple(replace(own, names=seen.named(own.names)) for own in each)
    return Bound(each, chunks, source, tuple(needed))


def of_rows(dist: Family, y: Any) -> Family:
    """Return a model as the distribution of such observations: of several labels a row, or of those seen in part."""
    if isinstance(y, Observed):
        return y.distribution(dist)
    return joint(type(dist))(**dist.theta) if isinstance(dist, Bernoulli) and _is_matrix(y, True) else dist


def bounded(
    seen: Observed, parts: tuple[Chunk, ...], each: tuple[Inputs, ...], locate: Callable[[int], str]
) -> tuple[Chunk, ...]:
    """Return rows of every model with the bounds of what was seen as numbers."""
    places = [{name: k for k, name in enumerate(own.form.parameters) if name in BOUNDS} for own in each]
    return tuple(
        seen.chunk(part, at, seen.named(own.names), locate) for part, at, own in zip(parts, places, each, strict=True)
    )
