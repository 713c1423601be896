"""What a frame's stamp tells about its age, and what is odd about it. All times are in nanoseconds."""

import math

MAX_AGE = 60.0
"""A live frame is never older than this, in seconds: an older stamp is of another clock, or a recording's."""

FUTURE_TOLERANCE = 0.005
"""Clocks of two machines that are kept in step still differ by a few milliseconds, in seconds."""

ZERO = "stamp_zero"
FUTURE = "stamp_in_the_future"
OLD = "stamp_of_another_clock"
BACKWARDS = "stamp_jumped_back"
NO_CLOCK = "no_clock"

MEANINGS = {
    ZERO: "images carry no stamp: the driver should stamp them",
    FUTURE: "image stamps lie in the future: the clocks of the machines differ",
    OLD: f"image stamps are over {MAX_AGE:.0f} s old: a recording? Play it with --clock and set use_sim_time",
    BACKWARDS: "image stamps jumped back: a recording that loops, or two publishers on one topic",
    NO_CLOCK: "use_sim_time is true, but nothing publishes /clock",
}


class StampWatch:
    """Compares the stamps of one camera's frames with the clock and with each other."""

    def __init__(self) -> None:
        self._previous = 0

    def check(self, stamp: int, now: int) -> str | None:
        """What is odd about the next frame's stamp, a key of `MEANINGS`; None where nothing is.

        A frame is used whatever its stamp is: this only tells.
        """
        previous, self._previous = self._previous, stamp
        if stamp == 0:
            return ZERO
        if stamp < previous:
            return BACKWARDS
        if now == 0:
            return NO_CLOCK
        age = (now - stamp) / 1e9
        if age < -FUTURE_TOLERANCE:
            return FUTURE
        return OLD if age > MAX_AGE else None

    def reset(self) -> None:
        """Forget the previous frame: the input was closed."""
        self._previous = 0


def latency(stamp: int, now: int) -> float:
    """Seconds from `stamp` to `now`, NaN where the two cannot be of one clock."""
    age = (now - stamp) / 1e9
    if stamp == 0 or now == 0 or not -FUTURE_TOLERANCE <= age <= MAX_AGE:
        return math.nan
    return max(age, 0.0)
