"""Plays a recording into the node: frames out at their times and outputs in, each on a thread of its own."""

import math
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64

from ovseg_ros.graph.client import GraphClient, NodeOutput, ReplayError
from ovseg_ros.graph.pacing import Outgoing, Prefetch
from ovseg_ros.recordings.messages import with_header_stamp

CLOCK_PERIOD = 0.025
"""Seconds between two messages on /clock, the default of `ros2 bag play --clock`."""

OUTPUT_TIMEOUT = 60.0
"""Seconds without any output after which the node is taken to be stuck."""

BACKLOG = 64
"""Sending pauses while more outputs than this wait to be handled, so that memory stays flat."""

_TICK = 0.1
_SWITCH_INTERVAL = 0.0005


@dataclass
class Trace:
    """Every frame that was due, by its number: three columns of eight bytes a frame.

    Attributes:
        sent_s: when it was published, seconds from the start; NaN where it was not: a frame with its header
            stamp was still on the way, so that the outputs could not be assigned.
        late_ms: milliseconds from when it was due until it was published.
        latency_ms: from publishing it to the arrival of its labels; NaN where none arrived.
        sent, answered: how many frames were sent, and how many of them were labelled.
    """

    sent_s: "array[float]" = field(default_factory=lambda: array("d"))
    late_ms: "array[float]" = field(default_factory=lambda: array("d"))
    latency_ms: "array[float]" = field(default_factory=lambda: array("d"))

    sent: int = 0
    answered: int = 0

    def add(self, sent_s: float, late_ms: float) -> None:
        """The next frame was sent, or skipped (NaN)."""
        self.latency_ms.append(math.nan)
        self.late_ms.append(late_ms)
        self.sent_s.append(sent_s)
        self.sent += not math.isnan(sent_s)

    def answer(self, number: int, latency_ms: float) -> None:
        """The labels of frame `number` arrived."""
        self.latency_ms[number] = latency_ms
        self.answered += 1

    def __len__(self) -> int:
        return len(self.sent_s)

    @property
    def arrived_s(self) -> Float64[np.ndarray, "frames"]:
        """When the labels arrived, seconds from the start; NaN where none did."""
        return np.array(self.sent_s) + np.array(self.latency_ms) / 1e3


class Player:
    """Plays frames into the node of a client.

    Args:
        client: open.
        clock: whether to publish /clock. It has a frame's header stamp when the frame goes out, and advances
            evenly from one to the next.
        check: called repeatedly; may raise ReplayError.
    """

    def __init__(self, client: GraphClient, *, clock: bool, check: Callable[[], None]) -> None:
        self._client = client
        self._clock = clock
        self._check = check
        if clock:
            client.offer_clock()

    def play(
        self,
        outgoing: Iterable[Outgoing],
        trace: Trace,
        on_output: Callable[[int, NodeOutput], None] = lambda number, output: None,
        on_tick: Callable[[], None] = lambda: None,
        before: Callable[[int], float] = lambda number: 0.0,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Send everything and wait for the output of the last frame; `trace` grows meanwhile.

        `on_output(number, output)` and `on_tick()` are called on the calling thread; `before(number)` on the
        thread that sends, just before a frame is due; it may wait, and the seconds that it returns are
        added to all later times. `is_over()` ends it early.

        Raises ReplayError where `check` does, or where no output comes for long; and what `outgoing` raises.
        """
        sender = _Sender(self._client, outgoing, trace, self._clock, before)
        last_at = time.monotonic()
        with _quick_switches():
            sender.start()
            try:
                while not is_over() and (sender.is_alive() or self._is_expecting(sender, trace)):
                    on_tick()
                    output = self._next_output()
                    if output is None:
                        if not sender.pending or sender.holding:
                            last_at = time.monotonic()
                        elif time.monotonic() > last_at + OUTPUT_TIMEOUT:
                            raise ReplayError(f"the node has not answered for {OUTPUT_TIMEOUT:.0f} s")
                        continue
                    last_at = time.monotonic()
                    number = sender.assign(output)
                    if number is not None:
                        on_output(number, output)
            finally:
                sender.stop()
        if sender.error is not None:
            raise sender.error

    def warm_up(self, first: Outgoing, outputs: int) -> list[float]:
        """Seconds from sending to labels of the first frame, sent several times one after the other, with
        stamps of its own just before the real one.

        Raises ReplayError where no output comes.
        """
        seconds: list[float] = []
        stamp = max(1, first.image.stamp_ns - 1_000_000_000)
        last_at = time.monotonic()
        sent: dict[int, float] = {}
        while len(seconds) < outputs:
            stamp += 1_000_000
            if self._clock:
                self._client.publish_clock(stamp)
            image = replace(first.image, data=with_header_stamp(first.image.data, stamp))
            sent[stamp] = self._client.publish(image, first.camera_info)
            retry = time.monotonic() + 2.0
            while time.monotonic() < retry:
                output = self._next_output()
                if output is not None and output.stamp_ns in sent:
                    seconds.append(output.arrived_at - sent[output.stamp_ns])
                    last_at = time.monotonic()
                    break
            if time.monotonic() > last_at + OUTPUT_TIMEOUT:
                raise ReplayError("the node answers no image")
        return seconds

    def _next_output(self) -> NodeOutput | None:
        self._check()
        return self._client.next_output(_TICK)

    def _is_expecting(self, sender: "_Sender", trace: Trace) -> bool:
        """Whether labels of the last frame, which nothing overtakes, may still arrive."""
        if not sender.pending:
            return False
        recent = [value for value in trace.latency_ms[-20:] if not math.isnan(value)]
        patience = max([5.0, *(5e-3 * value for value in recent)])
        return time.monotonic() < sender.ended_at + patience


class _Sender(threading.Thread):
    """Publishes each frame when it is due, and /clock in between."""

    def __init__(
        self,
        client: GraphClient,
        outgoing: Iterable[Outgoing],
        trace: Trace,
        clock: bool,
        before: Callable[[int], float],
    ) -> None:
        super().__init__(name="sender", daemon=True)
        self.pending: dict[int, tuple[int, float]] = {}
        """Number of the frame and time.monotonic() at which it was sent, by header stamp, in order."""
        self.ended_at = math.inf
        self.error: Exception | None = None
        self.holding = False
        self._client = client
        self._outgoing = Prefetch(outgoing, lambda item: len(item.image.data))
        self._trace = trace
        self._clock = clock
        self._before = before
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._started_at = 0.0

    def run(self) -> None:
        try:
            self._send_all()
        except Exception as error:  # raised again by `play`, on the thread of the caller
            self.error = error
        finally:
            self.ended_at = time.monotonic()

    def stop(self) -> None:
        """End, also half-way."""
        self._stopped.set()
        self._outgoing.close()
        self.join()

    def assign(self, output: NodeOutput) -> int | None:
        """The number of the frame that an output belongs to, None for one that is not of this run.

        The node takes the newest frame, so older ones get no output any more.
        """
        with self._lock:
            if output.stamp_ns not in self.pending:
                return None
            number, sent_at = self.pending[output.stamp_ns]
            for stamp, (other, _) in list(self.pending.items()):
                if other > number:
                    break
                del self.pending[stamp]
        self._trace.answer(number, (output.arrived_at - sent_at) * 1e3)
        return number

    def _send_all(self) -> None:
        previous: Outgoing | None = None
        held = 0.0
        for item in self._outgoing:
            if previous is None:
                self._started_at = time.monotonic() - item.due_s
            self._wait(previous, item, held)
            self.holding = True
            held += self._before(item.number)
            self.holding = False
            while self._client.outputs.qsize() > BACKLOG and not self._stopped.is_set():
                time.sleep(0.001)
            if self._stopped.is_set():
                return
            self._send(item, self._started_at + held + item.due_s)
            previous = item

    def _wait(self, previous: Outgoing | None, item: Outgoing, held: float) -> None:
        """Until the frame is due; meanwhile /clock advances from the previous stamp to the frame's."""
        due = self._started_at + held + item.due_s
        if previous is None or not self._clock:
            self._stopped.wait(max(0.0, due - time.monotonic()))
            return
        began = self._started_at + held + previous.due_s
        # Where stamps jump back, the clock is not advanced.
        step = max(0, item.image.stamp_ns - previous.image.stamp_ns)
        while (remaining := due - time.monotonic()) > 0:
            if remaining <= CLOCK_PERIOD:
                self._stopped.wait(remaining)
                return
            if self._stopped.wait(CLOCK_PERIOD):
                return
            passed = min(1.0, max(0.0, (time.monotonic() - began) / max(due - began, 1e-9)))
            self._client.publish_clock(previous.image.stamp_ns + int(step * passed))

    def _send(self, item: Outgoing, due: float) -> None:
        stamp = item.image.stamp_ns
        with self._lock:
            if stamp in self.pending:
                self._trace.add(math.nan, math.nan)
                return
        if self._clock:
            self._client.publish_clock(stamp)
        # Published with the lock held: the output must find the frame here.
        with self._lock:
            sent_at = self._client.publish(item.image, item.camera_info)
            self.pending[stamp] = item.number, sent_at
            self._trace.add(sent_at - self._started_at, (sent_at - due) * 1e3)


@contextmanager
def _quick_switches() -> Iterator[None]:
    """Have Python change threads sooner than after its usual 5 ms, so that a frame goes out in time while
    another thread works."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
