"""Counts, rates, latencies and stamp warnings of one camera's frames, for diagnostics. No ROS in here.

Stamps are in nanoseconds.
"""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

RATE_WINDOW = 5.0
"""Rates are taken over the last seconds."""

LATENCY_FRAMES = 200
"""Percentiles and rates are taken over so many frames at most."""

MAX_AGE = 60.0
"""Seconds. A live frame is never older: an older stamp is of another clock, or a recording's."""

FUTURE_TOLERANCE = 0.005
"""Clocks of two machines that are kept in step still differ by a few milliseconds, in seconds."""

STAMP_WARNINGS = {
    "stamp_zero": "images carry no stamp: the driver should stamp them",
    "stamp_in_the_future": "image stamps lie in the future: the clocks of the machines differ",
    "stamp_of_another_clock": f"image stamps are over {MAX_AGE:.0f} s old: a recording? Play it with --clock "
    "and set use_sim_time",
    "stamp_jumped_back": "image stamps jumped back: a recording that loops, or two publishers on one topic",
    "no_clock": "use_sim_time is true, but nothing publishes /clock",
}


class LatencyPercentiles(NamedTuple):
    """50th, 95th and 99th percentile in milliseconds; NaN where nothing was measured."""

    p50: float = math.nan
    p95: float = math.nan
    p99: float = math.nan


@dataclass
class Snapshot:
    """The statistics at one moment. Rates in Hz, times in seconds unless said otherwise."""

    input_rate: float = 0.0
    output_rate: float = 0.0
    published: int = 0
    skipped: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    stamp_warnings: Counter[str] = field(default_factory=Counter)
    latency: LatencyPercentiles = field(default_factory=LatencyPercentiles)
    processing: LatencyPercentiles = field(default_factory=LatencyPercentiles)
    since_input: float = math.inf
    since_rejection: float = math.inf
    since_error: float = math.inf
    since_stamp_warning: float = math.inf
    idle: bool = False
    failing: bool = False
    last_error: str = ""
    last_rejection: str = ""
    last_stamp_warning: str = ""


def stamp_warning(stamp: int, previous: int, now: int) -> str | None:
    """What is wrong with a frame's stamp after that of the `previous` frame (0: none), at the time `now`.

    A key of `STAMP_WARNINGS`; None where the stamp is fine.
    """
    if stamp == 0:
        return "stamp_zero"
    if stamp < previous:
        return "stamp_jumped_back"
    if now == 0:
        return "no_clock"
    age = (now - stamp) / 1e9
    if age < -FUTURE_TOLERANCE:
        return "stamp_in_the_future"
    return "stamp_of_another_clock" if age > MAX_AGE else None


def latency(stamp: int, now: int) -> float:
    """Seconds from `stamp` to `now`, NaN where the two cannot be of one clock."""
    age = (now - stamp) / 1e9
    if stamp == 0 or now == 0 or not -FUTURE_TOLERANCE <= age <= MAX_AGE:
        return math.nan
    return max(age, 0.0)


class CameraStatistics:
    """What happened to the frames of one camera. Each method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts = Snapshot()
        self._last = dict.fromkeys(("input", "rejection", "error", "stamp_warning"), -math.inf)
        self._previous_stamp = 0
        self._restart()

    def arrived(self) -> None:
        with self._lock:
            self._last["input"] = self._clock()
            self._inputs.append(self._last["input"])

    def published(self, latency: float, processing: float) -> None:
        """A frame's outputs went out: `latency` from its stamp (NaN: unknown), `processing` from arrival."""
        with self._lock:
            self._counts.published += 1
            self._counts.failing = self._counts.idle = False
            self._outputs.append(self._clock())
            self._processing.append(processing)
            if not math.isnan(latency):
                self._latencies.append(latency)

    def skipped(self) -> None:
        """A frame was not segmented, since nobody subscribes to any output."""
        with self._lock:
            self._counts.skipped += 1
            self._counts.idle = True

    def rejected(self, reason: str, message: str) -> None:
        """A frame, or a message that belongs to it, could not be used."""
        with self._lock:
            self._counts.rejected[reason] += 1
            self._counts.last_rejection = message
            self._last["rejection"] = self._clock()

    def failed(self, message: str) -> None:
        with self._lock:
            self._counts.errors += 1
            self._counts.failing = True
            self._counts.last_error = message
            self._last["error"] = self._clock()

    def check_stamp(self, stamp: int, now: int) -> str | None:
        """Count the warning about the next frame's stamp and return it, a key of `STAMP_WARNINGS`, or None.

        A frame is used whatever its stamp is. Where time jumped back, rates and percentiles begin anew.
        """
        with self._lock:
            warning = stamp_warning(stamp, self._previous_stamp, now)
            if warning == "stamp_jumped_back":
                self._restart()
            self._previous_stamp = stamp
            if warning is not None:
                self._counts.stamp_warnings[warning] += 1
                self._counts.last_stamp_warning = STAMP_WARNINGS[warning]
                self._last["stamp_warning"] = self._clock()
            return warning

    def opened(self) -> None:
        """The input was opened: rates, percentiles and the comparison of stamps begin anew; counts stay."""
        with self._lock:
            self._restart()

    def snapshot(self) -> Snapshot:
        with self._lock:
            now = self._clock()
            return replace(
                self._counts,
                rejected=self._counts.rejected.copy(),
                stamp_warnings=self._counts.stamp_warnings.copy(),
                input_rate=_rate(self._inputs, now),
                output_rate=_rate(self._outputs, now),
                latency=_percentiles(self._latencies),
                processing=_percentiles(self._processing),
                **{f"since_{what}": now - last for what, last in self._last.items()},  # type: ignore[arg-type]
            )

    def _restart(self) -> None:
        self._previous_stamp = 0
        self._inputs, self._outputs, self._latencies, self._processing = (
            deque[float](maxlen=LATENCY_FRAMES) for _ in range(4)
        )


def _rate(times: deque[float], now: float) -> float:
    """Hz: the intervals between those of `times` within the window, which must be two at least."""
    recent = [time for time in times if now - time <= RATE_WINDOW]
    return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-9) if len(recent) > 1 else 0.0


def _percentiles(seconds: deque[float]) -> LatencyPercentiles:
    if not seconds:
        return LatencyPercentiles()
    return LatencyPercentiles(*(1e3 * np.percentile(seconds, (50, 95, 99))).tolist())
