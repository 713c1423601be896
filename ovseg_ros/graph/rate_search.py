"""The highest rate at which a node still answers nearly every frame, found with short bursts."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ovseg_ros.runs.replay_result import HighestRate

DROPPED = 0.05
"""Share of frames that may not quite be dropped."""

BURST_FRAMES = 40
"""Frames of a burst: two that are dropped are 5 %."""

BURST_SECONDS = 2.0
"""A burst takes this long at least, so that a fast node is not judged by an instant."""

PRECISION = 1.05
"""The search ends where the lowest rate that failed is so close to the highest that held."""

_STEP = 1.5


@dataclass(frozen=True)
class Burst:
    """A burst of frames: the rate asked for and the one that was sent (Hz), frames sent and answered."""

    asked: float
    sent_rate: float
    sent: int
    answered: int

    @property
    def held(self) -> bool:
        """Whether fewer than 5 % were dropped."""
        return self.sent - self.answered < DROPPED * self.sent


def burst_frames(rate: float) -> int:
    """How many frames a burst has at this rate."""
    return max(BURST_FRAMES, round(BURST_SECONDS * rate))


def search(
    burst: Callable[[float], Burst],
    start: float,
    seconds: float,
    is_over: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> HighestRate:
    """Find the highest rate that holds.

    From `start` (Hz) the rate grows or shrinks by half until one burst has held and a faster one failed;
    then the interval is halved geometrically down to `PRECISION`. No burst begins after `seconds`, or once
    `is_over()`. A burst that could not be sent as fast as asked ends the growing: the machine that
    sends is the limit then.
    """
    until = clock() + seconds
    held: float | None = None
    failed: float | None = None
    tried: list[tuple[float, float, int, int]] = []
    rate = start
    while clock() < until and not is_over():
        shown = burst(rate)
        tried.append((rate, shown.sent_rate, shown.sent, shown.answered))
        if shown.held:
            held = max(held or 0.0, min(rate, shown.sent_rate))
            if shown.sent_rate < rate / PRECISION:
                break
        else:
            failed = rate
        if held is None:
            rate /= _STEP
        elif failed is None:
            rate *= _STEP
        elif failed / held <= PRECISION:
            break
        else:
            rate = (held * failed) ** 0.5
    return HighestRate(held, failed, tuple(tried))
