"""Log lines that may come with every frame, a few seconds apart."""

import threading
import time
from collections.abc import Callable


class Throttle:
    """Passes on the first message of a kind, then one each `period` seconds, with a count of the rest.

    Time is monotonic, so that neither a clock that is set back nor a bag that loops can silence it. It may be
    used from several threads.
    """

    def __init__(self, period: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = period
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def __call__(self, kind: str, message: str) -> str | None:
        """The line to log, or None if one of this `kind` was logged less than `period` seconds ago."""
        now = self._clock()
        with self._lock:
            last = self._last.get(kind)
            if last is not None and now - last < self._period:
                self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
                return None
            self._last[kind] = now
            suppressed = self._suppressed.pop(kind, 0)
        return f"{message} ({suppressed} more like this before)" if suppressed else message
