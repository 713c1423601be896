"""Counts, rates and latencies of the frame path, for diagnostics. No ROS in here."""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

RATE_WINDOW = 5.0
"""Rates are taken over the last seconds."""

LATENCY_FRAMES = 200
"""Percentiles are taken over the last frames."""


@dataclass(frozen=True)
class Percentiles:
    """50th, 95th and 99th percentile in milliseconds; NaN where nothing was measured."""

    p50: float = math.nan
    p95: float = math.nan
    p99: float = math.nan


@dataclass(frozen=True)
class Snapshot:
    """The statistics at one moment. Rates in Hz, times in seconds unless said otherwise."""

    input_rate: float = 0.0
    output_rate: float = 0.0
    published: int = 0
    unwatched: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    errors: int = 0
    oddities: Mapping[str, int] = field(default_factory=dict)
    latency: Percentiles = field(default_factory=Percentiles)
    processing: Percentiles = field(default_factory=Percentiles)
    since_input: float = math.inf
    since_rejection: float = math.inf
    since_error: float = math.inf
    since_oddity: float = math.inf
    idle: bool = False
    failing: bool = False
    last_error: str = ""
    last_rejection: str = ""
    last_oddity: str = ""


class RateMeter:
    """How often something happens, over a sliding window. Not thread-safe by itself."""

    def __init__(self, window: float = RATE_WINDOW) -> None:
        self._window = window
        self._times: deque[float] = deque()

    def tick(self, now: float) -> None:
        self._times.append(now)
        self._trim(now)

    def rate(self, now: float) -> float:
        """Events per second: intervals between the events in the window, which must be two at least."""
        self._trim(now)
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)

    def reset(self) -> None:
        self._times.clear()

    def _trim(self, now: float) -> None:
        while self._times and now - self._times[0] > self._window:
            self._times.popleft()


class FrameStatistics:
    """What happened to the frames of one camera. Each method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._inputs, self._outputs = RateMeter(), RateMeter()
        self._latencies: deque[float] = deque(maxlen=LATENCY_FRAMES)
        self._processing: deque[float] = deque(maxlen=LATENCY_FRAMES)
        self._published = self._unwatched = self._errors = 0
        self._rejected: Counter[str] = Counter()
        self._oddities: Counter[str] = Counter()
        self._last_input = self._last_rejection = self._last_error = self._last_oddity = -math.inf
        self._failing = self._idle = False
        self._error_text = self._rejection_text = self._oddity_text = ""

    def arrived(self) -> None:
        """A frame came in."""
        with self._lock:
            self._last_input = self._clock()
            self._inputs.tick(self._last_input)

    def published(self, latency: float, processing: float) -> None:
        """A frame's outputs went out: `latency` from its stamp (NaN: unknown), `processing` from arrival."""
        with self._lock:
            self._published += 1
            self._failing = self._idle = False
            self._outputs.tick(self._clock())
            self._processing.append(processing)
            if not math.isnan(latency):
                self._latencies.append(latency)

    def unwatched(self) -> None:
        """A frame was left alone, since nobody subscribes to any output."""
        with self._lock:
            self._unwatched += 1
            self._idle = True

    def rejected(self, reason: str, message: str) -> None:
        """A frame, or a message that belongs to it, could not be used."""
        with self._lock:
            self._rejected[reason] += 1
            self._last_rejection = self._clock()
            self._rejection_text = message

    def failed(self, message: str) -> None:
        """The work on a frame ended in an exception."""
        with self._lock:
            self._errors += 1
            self._failing = True
            self._last_error = self._clock()
            self._error_text = message

    def odd(self, kind: str, message: str) -> None:
        """Something about a frame was strange, though it was used."""
        with self._lock:
            self._oddities[kind] += 1
            self._last_oddity = self._clock()
            self._oddity_text = message

    def restart_windows(self) -> None:
        """Begin rates and percentiles anew: the input was opened, or time jumped."""
        with self._lock:
            self._inputs.reset()
            self._outputs.reset()
            self._latencies.clear()
            self._processing.clear()

    def snapshot(self) -> Snapshot:
        with self._lock:
            now = self._clock()
            return Snapshot(
                input_rate=self._inputs.rate(now),
                output_rate=self._outputs.rate(now),
                published=self._published,
                unwatched=self._unwatched,
                rejected=dict(self._rejected),
                errors=self._errors,
                oddities=dict(self._oddities),
                latency=_percentiles(self._latencies),
                processing=_percentiles(self._processing),
                since_input=now - self._last_input,
                since_rejection=now - self._last_rejection,
                since_error=now - self._last_error,
                since_oddity=now - self._last_oddity,
                idle=self._idle,
                failing=self._failing,
                last_error=self._error_text,
                last_rejection=self._rejection_text,
                last_oddity=self._oddity_text,
            )


def _percentiles(seconds: deque[float]) -> Percentiles:
    if not seconds:
        return Percentiles()
    p50, p95, p99 = (float(value) * 1e3 for value in np.percentile(list(seconds), (50, 95, 99)))
    return Percentiles(p50, p95, p99)
