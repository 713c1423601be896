"""Which frames of a recording go out, and when: its passes, the time between frames, reading ahead."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Generic, TypeVar

from ovseg_ros.recordings.frame import DEFAULT_RATE, Frame, Message

ItemT = TypeVar("ItemT")

BUDGET = 64 << 20
"""Bytes that are read ahead."""


@dataclass(frozen=True)
class Outgoing:
    """An image message that is due `due_s` seconds after the first; `number` is that of its frame."""

    number: int
    image: Message
    camera_info: Message | None
    due_s: float


def passes(read: Callable[[], Iterable[Frame]], loops: int) -> Iterator[tuple[int, Frame]]:
    """The frames of `loops` passes through a recording (0: endless), each with the number of its pass from 0.

    `read()` starts a pass. Header stamps are as recorded, so they jump back with each pass. The frames'
    numbers count from 0 over all passes, and their times of recording go on, as if the recording had been
    made again right after itself.
    """
    shift, frames = 0, count()
    for number in count() if loops == 0 else range(loops):
        first_ns = last_ns = period_ns = -1
        for frame in read():
            if first_ns < 0:
                first_ns = frame.log_ns
            elif frame.log_ns > last_ns:
                period_ns = frame.log_ns - last_ns
            last_ns = frame.log_ns
            yield number, replace(frame, number=next(frames), log_ns=last_ns + shift)
        if first_ns < 0:
            return
        shift += last_ns - first_ns + (period_ns if period_ns > 0 else round(1e9 / DEFAULT_RATE))


def paced(frames: Iterable[Frame], *, speed: float = 1.0, period: float | None = None) -> Iterator[Outgoing]:
    """The messages of the frames, with the times at which they are due: each `period` seconds, or else with
    the recorded spacing, `speed` times as fast.

    The recorded spacing is that of the header stamps; where they do not increase (they are equal, or jump
    back to the start), that of the times of recording; never below 0.
    """
    due = 0.0
    previous: Frame | None = None
    for frame in frames:
        if previous is not None and period is not None:
            due += period
        elif previous is not None:
            by_stamp = frame.stamp_ns - previous.stamp_ns
            recorded_ns = by_stamp if by_stamp > 0 else max(0, frame.log_ns - previous.log_ns)
            due += recorded_ns / 1e9 / speed
        yield Outgoing(frame.number, frame.message(), frame.camera_info, due)
        previous = frame


class Prefetch(Generic[ItemT]):
    """Iterates over what another thread reads ahead, at most `budget` bytes of it but two items at least.

    An exception of the reading thread is raised where the iteration comes to it. `close` ends the thread.
    """

    def __init__(self, items: Iterable[ItemT], size: Callable[[ItemT], int], budget: int = BUDGET) -> None:
        self._items = items
        self._size = size
        self._budget = budget
        self._ready: deque[ItemT] = deque()
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
            self._changed.wait_for(lambda: self._ready or self._finished or self._closed)
            if self._closed or not self._ready:
                if self._error is not None and not self._closed:
                    raise self._error
                raise StopIteration
            item = self._ready.popleft()
            self._bytes -= self._size(item)
            self._changed.notify_all()
            return item

    def close(self) -> None:
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
                    self._ready.append(item)
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
        return self._closed or len(self._ready) < 2 or self._bytes < self._budget
