"""The one place where a camera's newest frame waits for the worker."""

import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Frame:
    """A message as it arrived, not yet decoded.

    `arrived` is the monotonic time of its arrival in seconds.
    """

    message: Any
    arrived: float


class FrameSlot:
    """Holds the newest frame only: a frame that is overtaken is counted as dropped, never queued.

    `put` is called by the executor thread and `take` by the worker. Both return at once; `wake` (shared by
    the slots of several cameras) is notified on each `put`, so that a worker can sleep on it.
    """

    def __init__(self, wake: threading.Condition | None = None) -> None:
        self._wake = wake if wake is not None else threading.Condition()
        self._frame: Frame | None = None
        self._received = 0
        self._dropped = 0

    def put(self, frame: Frame) -> None:
        """Store `frame` in place of the one that waits, if any."""
        with self._wake:
            self._received += 1
            if self._frame is not None:
                self._dropped += 1
            self._frame = frame
            self._wake.notify_all()

    def take(self) -> Frame | None:
        """Return the newest frame and leave the slot empty; None if there is none."""
        with self._wake:
            frame, self._frame = self._frame, None
            return frame

    def clear(self) -> None:
        """Throw the waiting frame away without counting it: the input was closed."""
        with self._wake:
            self._frame = None

    @property
    def waiting(self) -> bool:
        with self._wake:
            return self._frame is not None

    @property
    def counts(self) -> tuple[int, int]:
        """Frames received and frames dropped since the slot was made."""
        with self._wake:
            return self._received, self._dropped
