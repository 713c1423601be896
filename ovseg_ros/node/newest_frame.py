"""The newest frame that was segmented, kept for questions that come later."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ovseg_ros.node.labelled import Labelled

IMAGE_PATIENCE = 2.0
"""Seconds that the next image is waited for: slow cameras send one a second."""

WORK_PATIENCE = 20.0
"""Seconds that the work on an image is waited for, which may take some on a CPU."""


@dataclass(frozen=True)
class Segmented:
    """A frame with what it was segmented with; `arrived` is monotonic time in seconds."""

    labelled: Labelled
    setup: Any
    arrived: float

    @property
    def age(self) -> float:
        """Seconds since the frame came."""
        return time.monotonic() - self.arrived


class NewestFrame:
    """Where the worker leaves each segmented frame (`put`), and others get it (`get`).

    Where nobody subscribes no frame is segmented. Then `get` asks for one, and `asked` says so.
    `received()` counts the images that came.
    """

    def __init__(self, received: Callable[[], int]) -> None:
        self._received = received
        self._changed = threading.Condition()
        self._frame: Segmented | None = None
        self._waiting = 0
        self._closings = 0

    @property
    def asked(self) -> bool:
        """Whether somebody waits for a frame."""
        with self._changed:
            return self._waiting > 0

    def put(self, frame: Segmented) -> None:
        """A frame was segmented."""
        with self._changed:
            self._frame = frame
            self._changed.notify_all()

    def get(self, max_age: float) -> Segmented | None:
        """The newest frame if it is not older than `max_age` seconds, else the next one, which is waited for.

        Where none comes it is the old one, and None where there is none at all, or the input was closed.
        """
        with self._changed:
            before, closings = self._frame, self._closings
            if before is not None and before.age <= max_age:
                return before

            def done() -> bool:
                return self._frame is not before or self._closings != closings

            self._waiting += 1
            try:
                received = self._received()
                if not self._changed.wait_for(done, IMAGE_PATIENCE) and self._received() > received:
                    self._changed.wait_for(done, WORK_PATIENCE)
            finally:
                self._waiting -= 1
            return self._frame

    def clear(self) -> None:
        """Forget the frame, and let nobody wait: the input was closed."""
        with self._changed:
            self._frame = None
            self._closings += 1
            self._changed.notify_all()
