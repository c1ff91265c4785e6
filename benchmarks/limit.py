"""The limit: read the same bytes once, with the same threads, and do nothing with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
NAME = f"limit: read the bytes, {THREADS} threads"
PIECES = 2 * THREADS


@numba.njit(nogil=True)
def exclusive_or(words: npt.NDArray[np.uint64]) -> np.uint64:  # pyright: ignore
    total = np.uint64(0)
    for i in range(words.size):
        total ^= words[i]
    return total


def reader(*arrays: npt.NDArray[np.generic]) -> Callable[[], None]:
    """Return a call that reads every array once; the threads are there before it."""
    pool = ThreadPoolExecutor(THREADS)
    pieces: list[list[npt.NDArray[np.uint64]]] = [[] for _ in range(PIECES)]
    for array in arrays:
        whole = array.reshape(-1).view(np.uint8)
        words = whole[: whole.size // 8 * 8].view(np.uint64)
        for mine, piece in zip(pieces, np.array_split(words, PIECES), strict=True):
            mine.append(piece)

    def read(mine: list[npt.NDArray[np.uint64]]) -> int:
        total = 0
        for piece in mine:
            total ^= int(exclusive_or(piece))
        return total

    def call() -> None:
        list(pool.map(read, pieces))

    return call
