"""Documents of log files, one after the other: what a line holds, and what becomes of a bad one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nll.errors import DataError, UsageError
from nll.sources.tokens.document import Document
from nll.sources.tokens.formats import check_format, documents_of
from nll.sources.tokens.lines import lines, log_files, parsed

BadLines = Literal["error", "skip"]
EXAMPLES = 5
Texts = str | Path | Mapping[str, str] | Sequence[str] | None


@dataclass(slots=True)
class Logs:
    """The documents of files, in a stream.

    Attributes
    ----------
    files : the files, in the order of reading.
    form : the name of their format; None to tell it by the shape of each line.
    bad_lines : "error", or "skip", which counts.
    texts : the texts of documents whose log does not have them.
    read, skipped : lines read, and lines skipped of these; first_skipped says why, of the first.
    """

    files: list[str]
    form: str | None = None
    bad_lines: BadLines = "error"
    texts: Mapping[str, str] | list[str] | None = None
    read: int = 0
    skipped: int = 0
    first_skipped: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, files: Any, form: str | None = None, bad_lines: BadLines = "error", texts: Texts = None) -> Logs:
        """Find the files and check the options, before any is read."""
        check_format(form)
        if bad_lines not in ("error", "skip"):
            raise UsageError(f"bad_lines is 'error' or 'skip'; got {bad_lines!r}")
        return cls(log_files(files), form, bad_lines, _texts(texts))

    def __iter__(self) -> Iterator[list[Document]]:
        """Return the documents of each line."""
        count = 0
        for path in self.files:
            for number, line in lines(path):
                self.read += 1
                try:
                    found = documents_of(parsed(line), self.form)
                except DataError as error:
                    self.bad(path, number, error)
                    count += 1  # a text of its own is skipped with it
                    continue
                for document in found:
                    document.path, document.line = path, number
                    self._give_text(document, count)
                    count += 1
                yield found
        if isinstance(self.texts, list) and count != len(self.texts):
            raise UsageError(f"texts has {len(self.texts):,} texts, and the files have {count:,} documents")

    def bad(self, path: str, number: int, error: DataError) -> None:
        """Count a bad line, or raise with its place."""
        if self.bad_lines == "error":
            hint = "" if "bad_lines" in str(error) else "; bad_lines='skip' leaves such lines out and counts them"
            raise DataError(f"{path}:{number}: {error}{hint}") from None
        self.skipped += 1
        if len(self.first_skipped) < EXAMPLES:
            self.first_skipped.append(f"{path}:{number}: {error}")

    def merge(self, other: Logs) -> None:
        """Add the counts of lines that follow."""
        self.read += other.read
        self.skipped += other.skipped
        self.first_skipped = [*self.first_skipped, *other.first_skipped][:EXAMPLES]

    def check_not_all_bad(self) -> None:
        """Raise DataError if no line could be read, once all were tried."""
        if self.read and self.skipped == self.read:
            raise DataError(f"all {self.read:,} lines are bad; the first: {self.first_skipped[0]}")

    def _give_text(self, document: Document, count: int) -> None:
        if self.texts is None:
            return
        if isinstance(self.texts, list):
            text = self.texts[count] if count < len(self.texts) else None
        else:
            text = self.texts.get(document.name)
        if text is None:
            raise UsageError(f"texts has none for {document.name!r} ({document.place})")
        if document.text is not None and document.text != text:
            raise DataError(f"{document.place}: the log has another text than `texts` says of {document.name!r}")
        document.text = text


def _texts(texts: Texts) -> Mapping[str, str] | list[str] | None:
    """Return texts by id, or in the order of documents; a file has one a line: a string, or an object with `text`."""
    if texts is None or isinstance(texts, Mapping):
        return texts
    if not isinstance(texts, (str, Path)):
        return list(texts)
    found: list[str] = []
    names: list[Any] = []
    for number, line in lines(log_files(texts)[0]):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{texts}:{number}: not valid JSON") from None
        text = value.get("text") if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise DataError(f"{texts}:{number}: a line of texts is a string or an object with 'text'")
        found.append(text)
        names.append(value.get("id") if isinstance(value, dict) else None)
    if names and all(name is not None for name in names):
        return {str(name): text for name, text in zip(names, found, strict=True)}
    return found
