"""Items of an iterator, made by a thread before they are asked for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")
END = object()
WAIT = 0.1  # seconds after which a thread with a full queue looks whether it is still wanted


class ReadAhead(Generic[Item]):
    """Items in their order, up to `size` of them ahead; what making them raises is raised in its place.

    Worth it where the work lets go of the interpreter's lock, as unpacking does.
    """

    def __init__(self, items: Iterator[Item], size: int) -> None:
        self.items = items
        self.queue: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(size)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="nll-ahead", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __iter__(self) -> Iterator[Item]:
        while True:
            item, error = self.queue.get()
            if error is not None:
                raise error
            if item is END:
                return
            yield item

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self.thread.join()

    def _run(self) -> None:
        try:
            for item in self.items:
                if not self._put(item, None):
                    return
            self._put(END, None)
        except BaseException as error:
            self._put(None, error)

    def _put(self, item: Any, error: BaseException | None) -> bool:
        while not self.stop.is_set():
            try:
                self.queue.put((item, error), timeout=WAIT)
            except queue.Full:
                continue
            return True
        return False
