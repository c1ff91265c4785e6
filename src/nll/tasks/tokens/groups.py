"""Documents of several models by group: fields that their logs share, and sizes that do not depend on a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nll.errors import DataError, UsageError
from nll.results.tokens import UNITS
from nll.states.documents import Key
from nll.tasks.tokens.summary import LENGTH, POSITION, Summary, bucket
from nll.tasks.tokens.tokens import label

# The length of a text in UTF-8 bytes, which is the same for every tokeniser.
BYTES = "bytes"
IN_TOKENS = (POSITION, LENGTH)
BUCKETS = (*IN_TOKENS, BYTES)
BY_POSITION = "bits-per-scored-byte"


def unit_by(by: tuple[str, ...], unit: str | None) -> str:
    """Return the unit that is meant: by position there are no bytes but those of scored tokens."""
    if unit is None:
        return BY_POSITION if POSITION in by else "bits-per-byte"
    if POSITION in by and unit in UNITS and UNITS[unit][0] not in ("tokens", "scored_bytes"):
        raise UsageError(
            f"by position, {unit} is undefined: of a part of a text only scored bytes are known; {BY_POSITION} is"
        )
    return unit


def grouped(
    pairs: list[tuple[Summary, ...]], names: list[str], by: tuple[str, ...]
) -> dict[Key, list[tuple[Summary, ...]]]:
    """Return the documents of each group, or their parts where groups are of positions, in the order of the keys.

    Raises
    ------
    DataError
        A document is of one group in one log, and of another in another.
    """
    found: dict[Key, list[tuple[Summary, ...]]] = {}
    for pair in pairs:
        parts = [_parts(each, by) for each in pair]
        for name, other in zip(names[1:], parts[1:], strict=True):
            if other.keys() != parts[0].keys():
                _refuse(pair[0], names[0], list(parts[0]), name, list(other), by)
        for key in parts[0]:
            found.setdefault(key, []).append(tuple(each[key] for each in parts))
    order = sorted(found, key=lambda key: [(v is None, isinstance(v, str), v if v is not None else 0) for v in key])
    return {key: found[key] for key in order}


def _parts(document: Summary, by: tuple[str, ...]) -> dict[Key, Summary]:
    """Return the document by group, as documents of which each is a part."""
    size = document.whole.size("text_bytes")
    if BYTES in by and size is None:
        raise DataError(
            f"{document.path}:{document.line}: the bytes of the text are unknown; `texts` can give the text"
        )
    found = {}
    for key, part in document.parts.items():
        values = iter(key)
        full = tuple(bucket(size or 0) if name == BYTES else next(values, None) for name in by)
        found[full] = replace(document, whole=part, parts={(): part})
    return found


def _refuse(document: Summary, a: str, of_a: list[Key], b: str, of_b: list[Key], by: tuple[str, ...]) -> None:
    only_a, only_b = [key for key in of_a if key not in of_b], [key for key in of_b if key not in of_a]
    one = labelled(by, (only_a or of_a)[0])
    other = labelled(by, (only_b or of_b)[0])
    what = ", ".join(by)
    raise DataError(
        f"document {document.name!r} has {what} {one!r} in the log of {a} and {other!r} in that of {b}: "
        "`by` takes fields that are the same in all logs"
    )


def labelled(by: tuple[str, ...], key: Key) -> Any:
    """Return the key of a group as results have it: words for buckets, and no tuple of one."""
    named = tuple(label(value) if name in BUCKETS else value for name, value in zip(by, key, strict=True))
    return named if len(named) != 1 else named[0]
