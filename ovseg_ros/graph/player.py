"""Frames out at their times and answers in, each on a thread of its own."""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ovseg_ros.graph.graph_client import Arrival, GraphClient
from ovseg_ros.graph.node_process import ReplayError
from ovseg_ros.graph.pacing import Outgoing
from ovseg_ros.graph.prefetch import Prefetch
from ovseg_ros.recordings.frames import Frame
from ovseg_ros.recordings.message_types import with_header_stamp
from ovseg_ros.runs.replay_result import Trace

CLOCK_PERIOD = 0.025
"""Seconds between two messages on /clock, as `ros2 bag play --clock` has it by default."""

ANSWER_TIMEOUT = 60.0
"""Seconds without any answer after which the node is taken to be stuck."""

BACKLOG = 64
"""Sending waits while so many answers have not been taken care of, so that memory stays flat."""

_TICK = 0.1
_SWITCH_INTERVAL = 0.0005


@dataclass(frozen=True)
class _Pending:
    number: int
    sent_at: float


class Player:
    """Plays frames into the node that a client looks at.

    Args:
        client: open.
        clock: whether to publish /clock. It shows a frame's header stamp when the frame goes out, and goes
            on evenly from one to the next.
        check: called all the while; may raise ReplayError.
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
        on_answer: Callable[[int, Arrival], None] = lambda number, arrival: None,
        on_tick: Callable[[], None] = lambda: None,
        before: Callable[[int], float] = lambda number: 0.0,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Send everything and wait for the answer to the last frame; `trace` grows meanwhile.

        `on_answer(number, arrival)` and `on_tick()` are called on the calling thread; `before(number)` on the
        thread that sends, just before a frame is due; it may wait, and the seconds that it returns are
        added to all later times. `is_over()` ends it early.

        Raises ReplayError where `check` does, or where no answer comes for long; and what `outgoing` raises.
        """
        sender = _Sender(self._client, outgoing, trace, self._clock, before)
        answered_at = time.monotonic()
        with _quick_switches():
            sender.start()
            try:
                while not is_over() and (sender.is_alive() or self._is_expecting(sender, trace)):
                    on_tick()
                    self._check()
                    self._client.check()
                    arrival = self._client.next_arrival(_TICK)
                    if arrival is None:
                        if not sender.pending or sender.holding:
                            answered_at = time.monotonic()
                        elif time.monotonic() > answered_at + ANSWER_TIMEOUT:
                            raise ReplayError(f"the node has not answered for {ANSWER_TIMEOUT:.0f} s")
                        continue
                    answered_at = time.monotonic()
                    number = sender.answered(arrival)
                    if number is not None:
                        on_answer(number, arrival)
            finally:
                sender.stop()
        if sender.error is not None:
            raise sender.error

    def warm_up(self, first: Frame, answers: int) -> list[float]:
        """Seconds from sending to labels of the first frame, shown one after the other, with stamps of its
        own just before the real one.

        Raises ReplayError where no answer comes.
        """
        seconds: list[float] = []
        stamp = max(1, first.stamp_ns - 1_000_000_000)
        waiting_since = time.monotonic()
        sent: dict[int, float] = {}
        while len(seconds) < answers:
            stamp += 1_000_000
            if self._clock:
                self._client.publish_clock(stamp)
            sent[stamp] = self._client.publish(first, with_header_stamp(first.image.data, stamp))
            retry = time.monotonic() + 2.0
            while time.monotonic() < retry:
                self._check()
                self._client.check()
                arrival = self._client.next_arrival(_TICK)
                if arrival is not None and arrival.stamp_ns in sent:
                    seconds.append(arrival.at - sent[arrival.stamp_ns])
                    waiting_since = time.monotonic()
                    break
            if time.monotonic() > waiting_since + ANSWER_TIMEOUT:
                raise ReplayError("the node answers no image")
        return seconds

    def _is_expecting(self, sender: "_Sender", trace: Trace) -> bool:
        """Whether the last frame, which nothing overtakes, may still be answered."""
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
        self.pending: dict[int, _Pending] = {}
        self.ended_at = math.inf
        self.error: Exception | None = None
        self.holding = False
        self._client = client
        self._outgoing = Prefetch(outgoing, lambda item: len(item.frame.image.data))
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

    def answered(self, arrival: Arrival) -> int | None:
        """The number of the frame that was answered, None for one that is not of this run.

        The node takes the newest frame, so those older than an answered one have no answer any more.
        """
        with self._lock:
            answered = self.pending.get(arrival.stamp_ns)
            if answered is None:
                return None
            for stamp, entry in list(self.pending.items()):
                if entry.number > answered.number:
                    break
                del self.pending[stamp]
        self._trace.answer(answered.number, (arrival.at - answered.sent_at) * 1e3)
        return answered.number

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
            while self._client.arrivals.qsize() > BACKLOG and not self._stopped.is_set():
                time.sleep(0.001)
            if self._stopped.is_set():
                return
            self._send(item, self._started_at + held + item.due_s)
            previous = item

    def _wait(self, previous: Outgoing | None, item: Outgoing, held: float) -> None:
        """Until the frame is due; meanwhile /clock goes on from the stamp before to the frame's."""
        due = self._started_at + held + item.due_s
        if previous is None or not self._clock:
            self._stopped.wait(max(0.0, due - time.monotonic()))
            return
        began = self._started_at + held + previous.due_s
        # Where stamps jump back, the clock stands until they do.
        step = max(0, item.frame.stamp_ns - previous.frame.stamp_ns)
        while (remaining := due - time.monotonic()) > 0:
            if remaining <= CLOCK_PERIOD:
                self._stopped.wait(remaining)
                return
            if self._stopped.wait(CLOCK_PERIOD):
                return
            passed = min(1.0, max(0.0, (time.monotonic() - began) / max(due - began, 1e-9)))
            self._client.publish_clock(previous.frame.stamp_ns + int(step * passed))

    def _send(self, item: Outgoing, due: float) -> None:
        stamp = item.frame.stamp_ns
        with self._lock:
            if stamp in self.pending:
                self._trace.add(math.nan, math.nan)
                return
        if self._clock:
            self._client.publish_clock(stamp)
        # Published with the lock held: the answer must find the frame here.
        with self._lock:
            sent_at = self._client.publish(item.frame, item.frame.image.data)
            self.pending[stamp] = _Pending(item.number, sent_at)
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
