"""When the frames of a bag go out: its passes, and the time between frames."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

from ovseg_ros.recordings.frames import Frame

USUAL_RATE = 10.0
"""Frames a second of a bag that does not say."""


@dataclass(frozen=True)
class Pace:
    """Either the recorded spacing, `speed` times as fast, or a fixed `period` in seconds."""

    speed: float = 1.0
    period: float | None = None

    def gap(self, previous: Frame, frame: Frame) -> float:
        """Seconds from one frame to the next."""
        if self.period is not None:
            return self.period
        return recorded_gap_ns(previous, frame) / 1e9 / self.speed


@dataclass(frozen=True)
class Outgoing:
    """A frame to send `due_s` seconds after the first; `number` counts from 0 over all passes."""

    number: int
    frame: Frame
    due_s: float


@dataclass(frozen=True)
class Selection:
    """Which frames of a bag are played: every `every`-th, at most `limit`, `passes` times (0: for ever)."""

    every: int = 1
    limit: int | None = None
    passes: int = 1

    def per_pass(self, recorded: int) -> int:
        """Frames that one pass plays of so many."""
        chosen = -(-recorded // self.every)
        return chosen if self.limit is None else min(chosen, self.limit)

    def frames(self, read: Callable[[], Iterable[Frame]]) -> Iterator[tuple[int, Frame]]:
        """The frames, each with the number of its pass from 0; `read()` begins the bag anew.

        Header stamps are as recorded, so they jump back with every pass. Times of recording go on, as if
        the bag had been recorded again right after itself.
        """
        shift = 0
        for number in count() if self.passes == 0 else range(self.passes):
            first_ns = last_ns = period_ns = -1
            for frame in islice(read(), 0, self._stop, self.every):
                if first_ns < 0:
                    first_ns = frame.image.log_ns
                elif frame.image.log_ns > last_ns:
                    period_ns = frame.image.log_ns - last_ns
                last_ns = frame.image.log_ns
                yield number, replace(frame, image=replace(frame.image, log_ns=last_ns + shift))
            if first_ns < 0:
                return
            shift += last_ns - first_ns + (period_ns if period_ns > 0 else round(1e9 / USUAL_RATE))

    @property
    def _stop(self) -> int | None:
        return None if self.limit is None else (self.limit - 1) * self.every + 1


def recorded_gap_ns(previous: Frame, frame: Frame) -> int:
    """Nanoseconds between two frames by their header stamps; by the times of recording where the stamps do
    not go on (equal, or back at the start); never below 0."""
    by_stamp = frame.stamp_ns - previous.stamp_ns
    return by_stamp if by_stamp > 0 else max(0, frame.image.log_ns - previous.image.log_ns)


def paced(frames: Iterable[Frame], pace: Pace) -> Iterator[Outgoing]:
    """The frames with the times at which they are due."""
    due = 0.0
    previous: Frame | None = None
    for number, frame in enumerate(frames):
        if previous is not None:
            due += pace.gap(previous, frame)
        yield Outgoing(number, frame, due)
        previous = frame
