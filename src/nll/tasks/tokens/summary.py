"""From a document to whole numbers: which tokens count, what they lose, and what that is divided by."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nll.errors import DataError, UsageError, listing, nearest
from nll.sources.tokens.document import FIRST, NULL, OUTSIDE, Document
from nll.sources.tokens.measure import Measure, measured
from nll.states.documents import COUNTS, Key, Part, exact_count

Sentinel = Literal["impossible", "literal", "error"]
Missing = Literal["error", "drop"]
ANSWER = "answer"
POSITION, LENGTH, FILE, FORMAT = "position", "length", "file", "format"
MADE = (POSITION, LENGTH, FILE, FORMAT)
DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a call asks for.

    Attributes
    ----------
    by : names of fields, or of MADE.
    span : None for all tokens, "answer", or the name of a field with characters [from, to).
    cluster : "document", or the name of a field.
    sentinel, missing : what becomes of sentinels and of tokens without a log-probability.
    """

    by: tuple[str, ...] = ()
    span: str | None = None
    cluster: str = DOCUMENT
    sentinel: Sentinel = "impossible"
    missing: Missing = "error"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("sentinel", self.sentinel, ("impossible", "literal", "error")),
            ("missing", self.missing, ("error", "drop")),
        ):
            if value not in allowed:
                raise UsageError(f"{name} is {listing(allowed)}; got {value!r}")


@dataclass(slots=True)
class Summary:
    """What is kept of a document.

    Attributes
    ----------
    name, path, line, choice : its id and place.
    whole : all of its tokens that count. parts : the same by group.
    cluster : of its standard errors.
    text : a hash of what is compared: its text.
    cut : a hash of how the text is cut into tokens; None where unknown.
    scored : which bytes of the text were scored, as a hash; None where unknown.
    context, stride : what its line says of these.
    first_impossible : the first impossible token, in words.
    """

    name: str
    path: str
    line: int
    choice: int
    whole: Part
    cluster: Any
    parts: dict[Key, Part] = field(default_factory=dict)
    text: bytes | None = None
    cut: bytes | None = None
    scored: bytes | None = None
    context: Any = None
    stride: Any = None
    first_impossible: str = ""

    @property
    def place(self) -> str:
        """Where it is: its name, where its line has none."""
        return f"{self.path}:{self.line}" + (f", choice {self.choice}" if self.choice else "")


def summary(document: Document, choices: Choices) -> Summary:
    """Return the summary of a document; raise DataError, without its place, if it cannot be scored so."""
    measure = measured(document)
    kept, sizes = _chosen(document, measure, choices.span)
    losses = _losses(document, kept, choices)
    cluster = (document.path, document.line, document.choice)
    if choices.cluster != DOCUMENT:
        cluster = value_of(document.fields, choices.cluster)
    whole = _part(document, measure, kept, losses, sizes)
    found = Summary(document.name, document.path, document.line, document.choice, whole, cluster)
    found.parts = _parts(document, measure, kept, losses, sizes, choices) if choices.by else {(): whole}
    scored = [keep and isinstance(value, float) for keep, value in zip(kept, document.logprobs, strict=True)]
    _identify(found, measure, scored, choices.span)
    found.context, found.stride = (document.fields.get(name) for name in ("context", "stride"))
    if whole.impossible:
        found.first_impossible = f"{document.place}, token {losses.index(math.inf)}"
    return found


def _losses(document: Document, kept: list[bool], choices: Choices) -> list[float | None]:
    """Return the loss of each token that counts."""
    losses: list[float | None] = []
    for i, (value, keep) in enumerate(zip(document.logprobs, kept, strict=True)):
        if not keep or value == FIRST:
            losses.append(None)
        elif isinstance(value, str):
            if choices.missing == "error":
                why = "is null" if value == NULL else "is not in the log: the token is not among its top tokens"
                raise DataError(f"token {i}: the log-probability {why}; missing='drop' leaves such out and counts them")
            losses.append(None)
        else:
            given = _sentinel(document.sentinels[i], i, choices.sentinel) if i in document.sentinels else value
            losses.append(0.0 - given)
    return losses


def _sentinel(value: float, i: int, sentinel: Sentinel) -> float:
    if sentinel == "error":
        raise DataError(f"token {i}: the log-probability is {value!r}, a sentinel")
    return value if sentinel == "literal" else -math.inf


def _part(
    document: Document,
    measure: Measure,
    kept: list[bool],
    losses: list[float | None],
    sizes: list[int | None],
    which: list[int] | None = None,
) -> Part:
    """Return the part of all tokens that count, or of those `which` are of a group."""
    indices = range(len(losses)) if which is None else which
    own = [loss for i in indices if (loss := losses[i]) is not None]
    finite = [loss for loss in own if loss != math.inf]
    part = Part(exact_count(finite), len(own) - len(finite), sizes=sizes)
    of_kept = [i for i in indices if kept[i]]
    why = [document.logprobs[i] for i in of_kept]
    values: dict[str, int] = {"tokens": len(own), "documents": 1}
    values |= {"sentinels": sum(i in document.sentinels for i in of_kept)} if document.sentinels else {}
    values |= {"first": why.count(FIRST), "null": why.count(NULL), "outside": why.count(OUTSIDE)}
    if which is None:
        values |= {"special": measure.special, "lost": measure.lost, "disagreeing": int(not measure.agrees)}
    part.counts = [values.get(name, 0) for name in COUNTS]
    return part


def _parts(
    document: Document,
    measure: Measure,
    kept: list[bool],
    losses: list[float | None],
    sizes: list[int | None],
    choices: Choices,
) -> dict[Key, Part]:
    """Return the parts by group: one, or one a bucket of positions."""
    values = [_group_value(document, name) for name in choices.by]
    if POSITION not in choices.by:
        return {tuple(values): _part(document, measure, kept, losses, sizes)}
    buckets: dict[int, list[int]] = {}
    for i, keep in enumerate(kept):
        if keep:
            buckets.setdefault(bucket(i), []).append(i)
    found: dict[Key, Part] = {}
    for low, which in buckets.items():
        scored = [measure.sizes[i] for i in which if losses[i] is not None]
        known = measure.agrees and None not in scored
        own = [None, sum(size or 0 for size in scored) if known else None, None, None]
        key = tuple(low if name == POSITION else value for name, value in zip(choices.by, values, strict=True))
        found[key] = _part(document, measure, kept, losses, own, which)
    return found


def _group_value(document: Document, name: str) -> Any:
    if name == POSITION:
        return None
    if name == LENGTH:
        return bucket(len(document.logprobs))
    if name == FILE:
        return document.path
    return document.format if name == FORMAT else value_of(document.fields, name)


def bucket(number: int) -> int:
    """Return the power of two at which the bucket of a number begins: 0, 1, 2 to 3, 4 to 7 ..."""
    return 1 << (number.bit_length() - 1) if number else 0


def value_of(fields: Mapping[str, Any], name: str) -> Any:
    """Return a field by name; a dot goes into an object, where no field has the name with the dot."""
    if name in fields:
        value = fields[name]
    else:
        value = fields
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise DataError(f"no field {name!r}{nearest(name, [*fields, *MADE])}; present: {listing(fields)}")
            value = value[part]
    if isinstance(value, (list, dict)):
        raise DataError(f"the field {name!r} is a list or an object, and no value to group by")
    return value


def _chosen(document: Document, measure: Measure, span: str | None) -> tuple[list[bool], list[int | None]]:
    """Return which tokens count, and the sizes of the text that they are of: bytes, scored bytes, chars, words."""
    count = len(document.logprobs)
    every = [True] * count
    if span == ANSWER and document.answer is None:
        raise DataError("the log does not say where the answer begins")
    if span is None or (span == ANSWER and document.answer == 0):
        text = measure.text
        return every, [measure.text_bytes, measure.scored_bytes, *_lengths(text)]
    ends = measure.spans()
    if span == ANSWER and document.answer is not None:
        kept = [i >= document.answer for i in range(count)]
        if ends is None or measure.text is None:
            return kept, [None, None, None, None]
        ranges = [(ends[document.answer][0] if document.answer < count else ends[-1][1], measure.text_bytes or 0)]
    else:
        if ends is None or measure.text is None:
            raise DataError(f"the span {span!r} cannot be found: the bytes of the tokens are not known")
        ranges = _ranges(document.fields, span, measure.text)
        kept = [any(low < right and left < high for left, right in ranges) for low, high in ends]
    whole = measure.text.encode()
    texts = [whole[left:right].decode("utf-8", "replace") for left, right in ranges]
    lengths = [sum(column) for column in zip(*map(known_lengths, texts), strict=True)] or [0, 0]
    scored = sum(
        high - low
        for (low, high), keep, value in zip(ends, kept, document.logprobs, strict=True)
        if keep and isinstance(value, float)
    )
    return kept, [sum(right - left for left, right in ranges), scored, *lengths]


def _lengths(text: str | None) -> tuple[int | None, int | None]:
    return (None, None) if text is None else known_lengths(text)


def known_lengths(text: str) -> tuple[int, int]:
    r"""Return characters and words; words as lm-eval counts them, by `re.split(r"\s+", text)`."""
    if not text:
        return 0, 1
    return len(text), len(text.split()) + text[0].isspace() + text[-1].isspace()


def _ranges(fields: Mapping[str, Any], span: str, text: str) -> list[tuple[int, int]]:
    """Return the bytes of the spans of characters that a field names, [from, to) or a list of these."""
    if span not in fields:
        raise DataError(f"no field {span!r} with the span{nearest(span, fields)}; present: {listing(fields)}")
    given = fields[span]
    pairs = [given] if isinstance(given, list) and given and not isinstance(given[0], list) else given
    found: list[tuple[int, int]] = []
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(each) is int for each in pair)
        if not whole or not 0 <= pair[0] <= pair[1] <= len(text):
            raise DataError(
                f"a span is [from, to) in characters of the text, of which there are {len(text):,}; found {pair!r:.60}"
            )
        left = len(text[: pair[0]].encode())
        found.append((left, left + len(text[pair[0] : pair[1]].encode())))
    return found


def _identify(found: Summary, measure: Measure, scored: list[bool], span: str | None) -> None:
    """Set the hashes by which two models' documents are held against each other."""
    if measure.text is None:
        return
    found.text = _digest(measure.text.encode())
    if not measure.agrees or None in measure.sizes:
        whole, own = measure.text_bytes, measure.scored_bytes
        if whole is not None and own is not None and span is None:  # what was scored is the end of the text
            found.scored = _digest(repr([[whole - own, whole]] if own else []).encode())
        return
    sizes = [size or 0 for size in measure.sizes]
    found.cut = _digest(repr([size for size in sizes if size]).encode())
    ranges: list[list[int]] = []
    at = 0
    for size, is_scored in zip(sizes, scored, strict=True):
        if is_scored and size:
            if ranges and ranges[-1][1] == at:
                ranges[-1][1] = at + size
            else:
                ranges.append([at, at + size])
        at += size
    found.scored = _digest(repr(ranges).encode())


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
