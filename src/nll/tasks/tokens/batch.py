"""Blocks of log files into a pass: ordinary documents all at once, others one by one, in the order of the lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from nll.errors import DataError
from nll.sources.tokens import quick
from nll.sources.tokens.document import Document
from nll.sources.tokens.formats import documents_of
from nll.sources.tokens.lines import parsed
from nll.sources.tokens.read import Logs
from nll.sources.tokens.typed import Found, Typed
from nll.states.documents import Rows
from nll.states.stretches import exact_sums
from nll.tasks.tokens.gather import Ordinary, Pass
from nll.tasks.tokens.summary import (
    ANSWER,
    DOCUMENT,
    FILE,
    FORMAT,
    LENGTH,
    MADE,
    POSITION,
    Choices,
    Summary,
    bucket,
    known_lengths,
    summary,
    value_of,
)

# A line of a block: its number, itself, and where its documents are among the ordinary ones, if it has such.
Pending = tuple[int, bytes, int, int]


COUNTED: tuple[str, ...] = ("tokens", "first", "special", "lost")


class Reader:
    """Reads blocks of files into a pass."""

    def __init__(self, logs: Logs, choices: Choices, into: Pass) -> None:
        self.logs, self.choices, self.into = logs, choices, into
        self.cluster = None if choices.cluster == DOCUMENT else choices.cluster
        names = tuple(name for name in (*choices.by, *filter(None, [self.cluster])) if name not in MADE)
        self.named = bool(choices.by) or self.cluster is not None
        self.typed = Typed(names, logs.form)
        self.is_typed = self.typed.usable and choices.span in (None, ANSWER)
        self.is_ordinary = self.is_typed and POSITION not in choices.by

    def block(self, path: str, first: int, block: list[bytes]) -> None:
        """Add the lines of a block, of which the first has the number `first`."""
        pending: list[Pending] = []
        rows: list[tuple[Any, ...]] = []
        losses: list[bytes] = []
        for number, line in enumerate(block, first):
            if not line or line.isspace():
                continue
            begin = len(rows)
            if self.is_ordinary:
                for each in self._found(line):
                    row = self._row(each, path, number, losses)
                    if row is None:
                        del rows[begin:], losses[begin:]
                        break
                    rows.append(row)
            # Tokens go at once, so that those of the next line lie in the same memory: half the time of short lines.
            pending.append((number, line, begin, len(rows)))
        self._add(path, pending, rows, losses)

    def _found(self, line: bytes) -> list[Found]:
        """Return the documents of a line as the typed decoder has them; none where it does not take the line."""
        # It skips over what is no UTF-8 in fields that it does not need.
        is_read = self.is_typed and (line.isascii() or _is_utf8(line))
        return (self.typed.documents(line) or []) if is_read else []

    def _row(self, found: Found, path: str, number: int, losses: list[bytes]) -> tuple[Any, ...] | None:
        """Return the numbers of a document, and add its tokens to `losses`; None if it is not ordinary."""
        if self.choices.span is not None and found.answer != 0:
            return None
        sizes = quick.sizes(found)
        if sizes is None or (own := quick.packed(found.values)) is None:
            return None
        key, cluster = (), None
        if self.named:
            fields = self.typed.fields(found)
            try:
                key = tuple(_group_value(found, fields, path, name) for name in self.choices.by)
                cluster = None if self.cluster is None else value_of(fields, self.cluster)
            except DataError:
                return None
        losses.append(own)
        text = sizes.text
        chars, words = (None, None) if text is None else known_lengths(text)
        tokens, first = len(own) >> 3, int(found.values[0] is None)
        about = (found.name, number, found.choice, key, cluster, found.get("context"), found.get("stride"))
        return (tokens, first, sizes.special, sizes.lost, sizes.text_bytes, sizes.scored_bytes, chars, words, *about)

    def _add(self, path: str, pending: list[Pending], rows: list[tuple[Any, ...]], losses: list[bytes]) -> None:
        """Add what was found, in the order of the lines."""
        sums: list[int] = []
        odd: set[int] = set()
        if rows:
            values = np.negative(np.frombuffer(b"".join(losses)))
            ends = np.cumsum([row[0] for row in rows])
            sums, wrong = exact_sums(values, np.concatenate([[0], ends[:-1]]))
            odd = set(np.flatnonzero(wrong).tolist())
        run: list[int] = []
        for each in pending:
            own = range(each[2], each[3])
            if own and odd.isdisjoint(own):
                self.logs.read += 1
                run += own
                continue
            self._flush(path, run, rows, sums)
            run = []
            self.single(path, each[0], each[1])
        self._flush(path, run, rows, sums)

    def _flush(self, path: str, run: list[int], rows: list[tuple[Any, ...]], sums: list[int]) -> None:
        if not run:
            return
        columns = [list(column) for column in zip(*[rows[i] for i in run], strict=True)]
        counts: dict[str, list[int]] = dict(zip(COUNTED, columns[:4], strict=True))
        about = columns[8:]
        self.into.add_ordinary(path, Ordinary(Rows([sums[i] for i in run], counts, columns[4:8]), *about))

    def single(self, path: str, number: int, line: bytes) -> None:
        """Add the documents of a line one by one, or note that it is bad."""
        for each in self.summaries(path, number, line):
            self.into.add(each)

    def summaries(self, path: str, number: int, line: bytes) -> list[Summary]:
        """Return the summaries of the documents of a line; note a bad line, which has none."""
        self.logs.read += 1
        found: list[Summary] | None = None
        if typed := self._found(line):
            try:
                found = self._summaries([self.typed.document(each) for each in typed], path, number)
            except DataError:
                found = None  # the reader of the format says what is wrong
        if found is None:
            try:
                found = self._summaries(documents_of(parsed(line), self.logs.form), path, number)
            except DataError as error:
                self.logs.bad(path, number, error)
                return []
        return found

    def _summaries(self, documents: list[Document], path: str, number: int) -> list[Summary]:
        for each in documents:
            each.path, each.line = path, number
        return [summary(each, self.choices) for each in documents]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _group_value(found: Found, fields: dict[str, Any], path: str, name: str) -> Any:
    if name == LENGTH:
        return bucket(len(found.values))
    if name == FILE:
        return path
    return found.format if name == FORMAT else value_of(fields, name)
