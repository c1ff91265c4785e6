"""Which format a line has: told by its shape, or named."""

from __future__ import annotations

from typing import Any

from nll.errors import DataError, UsageError, listing, unknown
from nll.sources.tokens import chat, completions, huggingface, llamacpp, plain, vllm
from nll.sources.tokens.document import Document

# In the order of trial: the first that recognises a line reads it.
FORMATS = (vllm, chat, completions, llamacpp, huggingface, plain)
NAMES = tuple(each.NAME for each in FORMATS)


def check_format(name: str | None) -> None:
    """Raise UsageError if there is no format of this name."""
    if name is not None and name not in NAMES:
        raise UsageError(unknown("format", name, NAMES))


def documents_of(line: dict[str, Any], name: str | None) -> list[Document]:
    """Return the documents of a line, of the format that is named or that its shape tells."""
    body = line
    response = line.get("response")
    if isinstance(response, dict) and isinstance(response.get("body"), dict):  # the output of OpenAI's batches
        body = response["body"]
    for each in FORMATS:
        if name == each.NAME or (name is None and each.recognises(body)):
            found = each.read(body)
            if not found:
                raise DataError("the line has no choices")
            for i, document in enumerate(found):
                document.fields, document.choice = (line if body is line else {**body, **line}), i
            return found
    if isinstance(line.get("error"), dict):
        raise DataError(f"the server answered with an error: {line['error'].get('message', line['error'])!s:.100}")
    raise DataError(f"no known format of log-probabilities; the line has {listing(line)}; known: {listing(NAMES)}")
