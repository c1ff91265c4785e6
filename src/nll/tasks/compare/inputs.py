"""The rows of several models at once: each chunk holds the parameters of all, from one read of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nll.errors import DataError, UsageError
from nll.families.bernoulli import Bernoulli
from nll.families.family import Family
from nll.tasks.chunks import NUMBERS_IN_CHUNK, ROWS_IN_CHUNK, Chunk, Inputs, _Columns, _is_matrix, inputs, joint
from nll.tasks.compare.losses import DIFFERENT_MEASURES, discreteness


@dataclass(frozen=True, slots=True)
class Rows:
    """The same rows under several models; the keys of groups stand in the first."""

    first: int
    size: int
    parts: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a comparison reads: the Inputs of each model, and their common chunks."""

    each: tuple[Inputs, ...]
    chunks: Callable[[], Iterator[Rows]]


def bind_models(
    y: Any, models: Mapping[str, Any], data: Any, *, sample_weight: Any, by: Any, cluster: Any, where: Any
) -> Bound:
    """Bind the models of a comparison to the same rows."""
    refuse_measures(models)
    if data is not None:
        return _table(y, models, data, sample_weight, by, cluster, where)
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


def refuse_measures(models: Mapping[str, Any]) -> None:
    """Refuse models whose losses do not have the same measure."""
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
            raise UsageError(f"{first!r} is {kind} and {name!r} {other}: {DIFFERENT_MEASURES}")


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
    from nll.sources import Source, open_source

    source = data if isinstance(data, Source) else open_source(data, where=where)
    by = () if by is None else tuple(by) if isinstance(by, (list, tuple)) else (by,)
    dists = [
        joint(type(dist))(**dist.theta) if isinstance(dist, Bernoulli) and _is_matrix(y, True) else dist
        for dist in models.values()
    ]
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
                yield Rows(first, frame.height, tuple(each.chunk(frame, first) for each in columns))

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
    return Bound(each, chunks)
