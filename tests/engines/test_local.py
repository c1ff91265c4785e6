"""The local engine: every chunk once, the first failure raised, interruptions obeyed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from nll.engines.local import Local
from nll.errors import UsageError


@dataclass
class Piece:
    first: int
    size: int = 10


def pieces(count: int) -> Iterator[Piece]:
    return (Piece(10 * i) for i in range(count))


def reduce(threads, chunks, step, progress=None) -> list[int]:
    return Local(threads).reduce(chunks, lambda state, chunk: state.extend(step(chunk)), list, list.extend, progress)


@pytest.mark.parametrize("threads", [1, 2, 8, None])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_every_chunk_is_done_once(threads, count):
    done: list[int] = []
    got = reduce(threads, pieces(count), lambda p: [p.first], done.append)
    assert sorted(got) == [10 * i for i in range(count)]
    assert sum(done) == 10 * count


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_the_first_failing_chunk_is_named(threads):
    def step(piece: Piece) -> list[int]:
        if piece.first >= 30:
            time.sleep(0.002 if piece.first == 30 else 0.0)  # later chunks fail sooner
            raise ValueError(f"chunk {piece.first}")
        return []

    for _ in range(20):
        with pytest.raises(ValueError, match=r"chunk 30$"):
            reduce(threads, pieces(40), step)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_source_that_fails_comes_after_the_rows_before_it(threads):
    def broken() -> Iterator[Piece]:
        yield from pieces(5)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        reduce(threads, broken(), lambda p: [p.first])

    def step(piece: Piece) -> list[int]:
        if piece.first == 40:
            time.sleep(0.01)
            raise ValueError("row 40")
        return []

    with pytest.raises(ValueError, match="row 40"):
        reduce(threads, broken(), step)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_no_more_chunks_are_read_after_a_failure(threads):
    read: list[int] = []

    def endless() -> Iterator[Piece]:
        while True:
            read.append(len(read))
            yield Piece(10 * (len(read) - 1))

    def step(piece: Piece) -> list[int]:
        raise ValueError(f"chunk {piece.first}")

    with pytest.raises(ValueError, match="chunk 0"):
        reduce(threads, endless(), step)
    assert len(read) <= threads + 2


@pytest.mark.parametrize("threads", [1, 4])
def test_an_interruption_stops_every_thread(threads):
    def step(piece: Piece) -> list[int]:
        if piece.first == 50:
            raise KeyboardInterrupt
        return [piece.first]

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        reduce(threads, pieces(10**9), step)
    assert threading.active_count() == before


def test_progress_that_fails_is_raised():
    def progress(rows: int) -> None:
        raise RuntimeError(f"{rows} rows")

    for threads in (1, 3):
        with pytest.raises(RuntimeError, match="10 rows"):
            reduce(threads, pieces(4), lambda p: [p.first], progress)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_is_a_whole_number(threads):
    with pytest.raises(UsageError, match="threads"):
        Local(threads)
