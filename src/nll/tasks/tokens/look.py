"""`nll.document_tokens`: one document of a log, token by token."""

from __future__ import annotations

import math
from typing import Any

from nll.errors import DataError, UsageError, listing, nearest
from nll.results.document_tokens import DocumentTokens, Token
from nll.sources.tokens.document import Document
from nll.sources.tokens.measure import measured
from nll.sources.tokens.read import BadLines, Logs, Texts
from nll.tasks.tokens.alternatives import alternatives
from nll.tasks.tokens.summary import Choices, Sentinel

EXAMPLES = 5
MOST_NAMES = 10_000  # kept to say what is near a name that is not there


def document_tokens(
    files: Any,
    document: str | int | None = None,
    *,
    format: str | None = None,  # noqa: A002 (as in `tokens`)
    texts: Texts = None,
    sentinel: Sentinel = "impossible",
    bad_lines: BadLines = "error",
) -> DocumentTokens:
    """Return the tokens of one document of a log, each with its loss and the likeliest tokens in its place.

    `nll.plots.strip` draws it.

    Parameters
    ----------
    files : as in `tokens`.
    document : its id, or its place, "logs.jsonl:12"; may be left out where there is one document.
    format, texts, sentinel, bad_lines : as in `tokens`.

    Raises
    ------
    UsageError : there is no such document, or several.
    DataError : a line up to it is malformed, with file and number.

    Examples
    --------
    >>> import json, tempfile, pathlib
    >>> import nll
    >>> log = pathlib.Path(tempfile.mkdtemp()) / "log.jsonl"
    >>> line = {"id": "a", "text": "Hi you", "tokens": ["Hi", " you"], "token_logprobs": [None, -1.5]}
    >>> _ = log.write_text(json.dumps(line))
    >>> [(token.text, token.loss, token.why) for token in nll.document_tokens(log, "a")]
    [('Hi', None, 'first'), (' you', 1.5, '')]
    """
    Choices(sentinel=sentinel)
    logs = Logs.open(files, format, bad_lines, texts)
    found = _found(logs, None if document is None else str(document))
    try:
        return _tokens(found, sentinel)
    except DataError as error:
        raise DataError(f"{found.place}: {error}") from None


def _found(logs: Logs, wanted: str | None) -> Document:
    """Return the document of a name; the whole log is read, for another may have the same."""
    first: Document | None = None
    places: list[str] = []
    names: dict[str, None] = {}
    count = 0
    for documents in logs:
        for each in documents:
            count += 1
            if wanted is not None and each.place == wanted:
                return each
            if len(names) < MOST_NAMES:
                names.setdefault(each.name)
            if wanted is None or each.name == wanted:
                first = first or each
                places.append(each.place)
    if first is None and wanted is None:
        raise UsageError("the log has no documents")
    if first is None:
        near = nearest(wanted or "", names)
        raise UsageError(
            f"no document is called {wanted!r}{near}, of the {count:,} in the log: {listing(names, EXAMPLES)}"
        )
    if len(places) > 1:
        what = f"there are {count:,} documents" if wanted is None else f"several documents are called {wanted!r}"
        by_id = wanted is None and len(names) == min(count, MOST_NAMES)
        raise UsageError(f"{what}; say which by its id or its place: {listing(names if by_id else places, EXAMPLES)}")
    return first


def _tokens(document: Document, sentinel: Sentinel) -> DocumentTokens:
    measure = measured(document)
    spans = measure.spans()
    text = None if measure.text is None else measure.text.encode()
    others = alternatives(document)
    tokens: list[Token] = []
    for i, (said, value) in enumerate(zip(document.tokens, document.logprobs, strict=True)):
        data = text[slice(*spans[i])] if spans is not None and text is not None else _bytes(said)
        loss, why = (None, value) if isinstance(value, str) else (_loss(document, i, value, sentinel), "")
        written = said.hex(" ").upper() if isinstance(said, bytes) else said
        tokens.append(Token(_decoded(data), data, written, loss, why, i in document.sentinels, others[i]))
    about = (document.name, document.path, document.line, document.choice, document.format)
    return DocumentTokens(*about, tuple(tokens), spans is not None and text is not None)


def _loss(document: Document, i: int, value: float, sentinel: Sentinel) -> float:
    if i not in document.sentinels:
        return 0.0 - value
    if sentinel == "error":
        raise DataError(f"token {i}: the log-probability is {document.sentinels[i]!r}, a sentinel")
    return 0.0 - document.sentinels[i] if sentinel == "literal" else math.inf


def _bytes(said: bytes | str | None) -> bytes | None:
    return said if isinstance(said, bytes) else None


def _decoded(data: bytes | None) -> str | None:
    if not data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
