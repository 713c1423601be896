"""Which short side holds a latency."""

from collections import deque

FRAMES = 8
"""Frames at one size before its time is judged."""

PATIENCE = 24
"""Frames that must leave room before a larger size is tried; twice as many after each try that failed."""

MARGIN = 0.9
"""A new size is chosen for this share of the limit, so that the next slow frame does not change it again."""

GROWTH = 2.3
"""Time grows with the short side to this power: tokens with its square, attention faster."""


class LatencyGovernor:
    """Picks the largest short side at which frames hold a latency, and corrects it while they come.

    What counts is the second slowest of the last frames at the present size: one may be chance. The size
    goes down as soon as that is over the limit. It goes up only after many frames with room for the next
    size, and more patiently after each time it had to come back: so it settles instead of swinging.

    Args:
        limit_ms: the latency to hold.
        smallest, largest: bounds of the short side in pixels.
        step: the short side moves in multiples of this, the side of a patch.
    """

    def __init__(self, limit_ms: float, smallest: int, largest: int, step: int) -> None:
        self.limit_ms = limit_ms
        self.largest = largest
        self.short_side = largest
        self._smallest = min(smallest, largest)
        self._step = step
        self._times: deque[float] = deque(maxlen=PATIENCE)
        self._patience = PATIENCE
        self._grown = False
        self._room = 0

    @property
    def description(self) -> str:
        """Limit and choice, for people."""
        held = "" if self.short_side > self._smallest else ", the smallest"
        return f"{self.limit_ms:g} ms: short side {self.short_side} of at most {self.largest}{held}"

    def start_at(self, time_ms: float) -> None:
        """Choose the size from one time measured at the present one, before the first frame."""
        if time_ms > self.limit_ms:
            self._go_to(self._fitting(time_ms))

    def reduce(self, largest: int) -> None:
        """Never go beyond `largest` again: the device had no memory for more."""
        self.largest = max(largest, self._smallest)
        if self.short_side > self.largest:
            self._go_to(self.largest)

    def observe(self, time_ms: float) -> None:
        """Take in the time of a frame at the present size; `short_side` is then the size for the next one."""
        self._times.append(time_ms)
        if len(self._times) < FRAMES:
            return
        slow = sorted(list(self._times)[-FRAMES:])[-2]
        if slow > self.limit_ms:
            if self.short_side > self._smallest:
                if self._grown:
                    self._patience *= 2
                self._go_to(self._fitting(slow))
            return
        larger = min(self.short_side + self._step, self.largest)
        fits = slow * (larger / self.short_side) ** GROWTH <= MARGIN * self.limit_ms
        self._room = self._room + 1 if fits and larger > self.short_side else 0
        if self._room >= self._patience:
            self._go_to(max(larger, self._fitting(slow)))
            self._grown = True

    def _fitting(self, time_ms: float) -> int:
        """The largest size that should hold the limit with a margin, from a time at the present size."""
        side = self.short_side * (MARGIN * self.limit_ms / time_ms) ** (1 / GROWTH)
        return max(self._smallest, min(self.largest, int(side) // self._step * self._step))

    def _go_to(self, short_side: int) -> None:
        self.short_side = short_side
        self._times.clear()
        self._grown = False
        self._room = 0
