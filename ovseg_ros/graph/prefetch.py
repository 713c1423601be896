"""Reading ahead on a thread of its own."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")

BUDGET = 64 << 20
"""Bytes that may wait."""


class Prefetch(Generic[ItemT]):
    """Iterates over what another thread reads ahead, at most `budget` bytes of it but two items at least.

    An exception of the reading thread is raised where the iteration comes to it. `close` ends the thread.
    """

    def __init__(self, items: Iterable[ItemT], size: Callable[[ItemT], int], budget: int = BUDGET) -> None:
        self._items = items
        self._size = size
        self._budget = budget
        self._waiting: deque[ItemT] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._finished = self._closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._read, name="prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[ItemT]:
        return self

    def __next__(self) -> ItemT:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._finished or self._closed)
            if self._closed or not self._waiting:
                if self._error is not None and not self._closed:
                    raise self._error
                raise StopIteration
            item = self._waiting.popleft()
            self._bytes -= self._size(item)
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Stop reading."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _read(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(self._has_room)
                    if self._closed:
                        return
                    self._waiting.append(item)
                    self._bytes += self._size(item)
                    self._changed.notify_all()
        except Exception as error:
            self._error = error
        finally:
            # What a generator holds open is closed on the thread that opened it.
            if isinstance(self._items, Generator):
                self._items.close()
            with self._changed:
                self._finished = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._closed or len(self._waiting) < 2 or self._bytes < self._budget
