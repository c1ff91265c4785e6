"""Log files in sections, which processes of this machine read, or the workers of an engine; their states follow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from nll.engines.local import Local
from nll.engines.placing import Engine, checked
from nll.engines.processes import Processes
from nll.errors import DataError, UsageError, first_line
from nll.sources.files import Stamp, stamps
from nll.sources.tokens.lines import LONGEST_LINE, blocks, is_packed, parts
from nll.sources.tokens.read import BadLines, Logs
from nll.tasks.tokens.batch import Reader
from nll.tasks.tokens.gather import Pass
from nll.tasks.tokens.summary import Choices, Summary, summary

SECTION = 1 << 24  # bytes that a process reads at a time
PART = 1 << 26  # bytes that a worker of a cluster reads at a time: a task costs some 10 ms there
WORTH_A_PROCESS = 1 << 26  # bytes: a process takes 0.3 s to start, in which another reads as many
PACKING = 5  # JSON packs to a fifth, and better


class Section(NamedTuple):
    """Whole lines of a file, or all of it.

    Attributes
    ----------
    stamp : size and last change that the file must have.
    start, stop : where its bytes begin and end; None at the end of the file.
    first : the number of its first line.
    """

    path: str
    stamp: Stamp
    start: int = 0
    stop: int | None = None
    first: int = 1


@dataclass(slots=True)
class Listed:
    """Documents one by one, for what must hold them beside those of other logs."""

    documents: list[Summary] = field(default_factory=list)

    def add(self, found: Summary) -> None:
        """Add a document."""
        self.documents.append(found)

    def merge(self, other: Listed) -> None:
        """Add the documents that follow."""
        self.documents += other.documents


@dataclass(slots=True)
class Reading:
    """What sections hold: the counts of their lines, and their documents. The state of a pass over logs."""

    logs: Logs
    found: Any

    @property
    def read(self) -> int:
        """How many lines there were."""
        return self.logs.read

    def follow(self, other: Reading) -> Reading:
        """Add what comes after this; `other` stays as it is."""
        self.logs.merge(other.logs)
        self.found.merge(other.found)
        return self


@dataclass(frozen=True, slots=True)
class ReadSection:
    """Reads a section; it travels to processes and workers.

    Attributes
    ----------
    form, bad_lines, texts : as of `Logs`. Texts are looked up by the names of documents.
    unit : of the pass; None lists the documents.
    """

    choices: Choices
    unit: str | None
    form: str | None = None
    bad_lines: BadLines = "error"
    texts: Mapping[str, str] | None = None

    def __call__(self, section: Section) -> Reading:
        """Return what the section holds."""
        logs = Logs([section.path], self.form, self.bad_lines, self.texts)
        into = Listed() if self.unit is None else Pass(self.choices, self.unit)
        try:
            if self.texts is not None:
                for each in summaries(logs, self.choices):
                    into.add(each)
            elif isinstance(into, Pass):
                reader = Reader(logs, self.choices, into)
                for first, block in blocks(section.path, section.start, section.stop, section.first):
                    reader.block(section.path, first, block)
            else:
                _list(logs, self.choices, into, section)
            _check_unchanged(section)
        except OSError as error:
            raise unreadable(section.path, error) from error
        except DataError:
            _check_unchanged(section)  # else half of a line is called bad
            raise
        return Reading(logs, into)


def _list(logs: Logs, choices: Choices, into: Listed, section: Section) -> None:
    reader = Reader(logs, choices, Pass(choices, ""))
    for first, block in blocks(section.path, section.start, section.stop, section.first):
        for number, line in enumerate(block, first):
            if line and not line.isspace():
                into.documents += reader.summaries(section.path, number, line)


def read_all(
    logs: Logs, choices: Choices, unit: str | None, threads: int | None = None, engine: Engine | None = None
) -> Any:
    """Return the Pass over all documents of logs, or, without a unit, Listed ones; count lines in `logs`."""
    if engine is not None:
        checked(engine)
    processes = _processes(logs.files, threads)
    whole = Reading(logs, Listed() if unit is None else Pass(choices, unit))
    if engine is None and logs.texts is not None:  # which go by the number or the name of each document
        begun = [Section(path, stamp) for path, stamp in stamps(logs.files).items()]
        for each in summaries(logs, choices):
            whole.found.add(each)
        for section in begun:
            _check_unchanged(section)
    else:
        texts = None if logs.texts is None else texts_by_id(logs.texts)
        run = ReadSection(choices, unit, logs.form, logs.bad_lines, texts)
        if engine is None:
            state = Processes(processes).gather(run, local_sections(logs.files, processes))
        else:
            state = engine.gather(run, sections(logs.files, engine, texts is not None))
        if state is not None:
            whole.follow(state)
    logs.check_not_all_bad()
    return whole.found


def texts_by_id(texts: Any) -> dict[str, str]:
    """Return texts that a worker can look up, whichever documents it reads."""
    if not isinstance(texts, Mapping):
        raise UsageError(
            "texts in the order of documents go with logs that are read in one go: for engine=, give texts by id"
        )
    return dict(texts)


def summaries(logs: Logs, choices: Choices) -> Iterator[Summary]:
    """Return the summary of each document; a line of which one document is bad is bad."""
    for documents in logs:
        try:
            found = [summary(document, choices) for document in documents]
        except DataError as error:
            logs.bad(documents[0].path, documents[0].line, error)
            continue
        yield from found


def _processes(files: list[str], threads: int | None) -> int:
    """Return how many processes read: JSON holds the interpreter's lock, so that threads would wait for each other."""
    most = Local(threads).threads
    if most < 2:
        return 1
    size = sum(os.path.getsize(path) * (PACKING if is_packed(path) else 1) for path in files)  # noqa: PTH202
    return max(1, min(most, size // WORTH_A_PROCESS))


def local_sections(files: list[str], processes: int) -> Iterator[Section]:
    """Return the sections that processes of this machine read, as they are found."""
    for path in files:
        stamp = stamps([path])[path]
        if processes < 2 or is_packed(path):
            yield Section(path, stamp)
        else:
            yield from (Section(path, stamp, *part) for part in parts(path, SECTION))


def sections(files: list[str], engine: Engine, whole: bool = False) -> list[Section]:
    """Return the sections that workers read.

    Where lines begin in a large file, and how many there are, workers find out; this process reads nothing. Packed
    files are sections as they are, and so is every file where `whole`.
    """
    found: list[list[Section]] = []
    cuts: list[Cut] = []
    for path in files:
        stamp = stamps([path])[path]
        if whole or is_packed(path) or not stamp or stamp[0] <= PART:
            found.append([Section(path, stamp)])
        else:
            found.append([])
            ends = [*range(0, stamp[0], PART), stamp[0]]
            cuts += [Cut(path, low, high, stamp) for low, high in pairwise(ends)]
    if cuts:
        own = numbered(engine.gather(whole_lines, cuts).parts)
        found = [each or next(own) for each in found]
    return [section for each in found for section in each]


class Cut(NamedTuple):
    """Bytes of a file, wherever lines begin."""

    path: str
    low: int
    high: int
    stamp: Stamp


@dataclass(slots=True)
class Lines:
    """The lines that begin in cuts: a section of each, which counts from 1, and the number of its lines."""

    parts: list[tuple[Section, int]]

    @property
    def read(self) -> int:
        """How many lines there are."""
        return sum(count for _, count in self.parts)

    def follow(self, other: Lines) -> Lines:
        """Add the lines of cuts that follow."""
        self.parts += other.parts
        return self


def whole_lines(cut: Cut) -> Lines:
    """Return the lines that begin in a cut."""
    path, low, high, stamp = cut
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            start, count = _begin(file, path, low), 0
            file.seek(start)
            while file.tell() < high and (data := file.read(min(1 << 20, high - file.tell()))):
                count += data.count(b"\n")
            stop = _begin(file, path, high)
            # The newline that ends the last line lies beyond the cut, unless the file has none there.
            count += stop > high
    except OSError as error:
        raise unreadable(path, error) from error
    return Lines([(Section(path, stamp, start, stop), count)] if start < stop else [])


def _begin(file: Any, path: str, at: int) -> int:
    """Return where the first line begins that begins at `at` or beyond."""
    if at == 0:
        return 0
    file.seek(at - 1)
    rest = file.readline(LONGEST_LINE)
    if len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
        raise DataError(f"{path}: a line has more than {LONGEST_LINE:,} bytes, which is no document")
    return at - 1 + len(rest)


def numbered(parts: list[tuple[Section, int]]) -> Iterator[list[Section]]:
    """Return the sections of each file, with the numbers of their first lines."""
    own: list[Section] = []
    first = 1
    for section, count in parts:
        if section.start == 0 and own:
            yield own
            own, first = [], 1
        own.append(section._replace(first=first))
        first += count
    yield own


def unreadable(path: str, error: OSError) -> DataError:
    """Return the error for a file that cannot be opened where it is read."""
    why = f"{type(error).__name__}: {first_line(error)}"
    return DataError(f"{path} cannot be read: {why}; workers of an engine read files at the same paths")


def _check_unchanged(section: Section) -> None:
    """Refuse what was read of a file that was written to since its sections were found."""
    if stamps([section.path])[section.path] != tuple(section.stamp):
        raise DataError(f"{section.path} changed while it was read: read it again when nobody writes to it")
