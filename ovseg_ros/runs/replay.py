"""Frames into a running segmenter, over real topics, and what the graph shows meanwhile."""

import statistics
import threading
import time
from array import array
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ovseg_ros.graph.graph_client import Arrival, GraphClient
from ovseg_ros.graph.node_process import ReplayError
from ovseg_ros.graph.pacing import Pace, paced
from ovseg_ros.graph.player import Player
from ovseg_ros.recordings.frames import Frame
from ovseg_ros.recordings.recording import AnswerLog
from ovseg_ros.runs.replay_result import ReplayResult, VocabularyCall

START_TIMEOUT = 600.0
"""Seconds for the model to load, which may include a download, and for a vocabulary to be encoded."""

WARM_UP_ANSWERS = 4
"""Answers before the frames that count: they wait for the graph to connect and the model to be warm."""

_RECEIVED = "frames received"


class Segmenter(Protocol):
    """The node as a process that we started, or as one that somebody else did."""

    def check(self) -> None:
        """Raises ReplayError where it has ended."""

    def last_words(self) -> str:
        """What it said last, or where to look for it."""


class VocabularySwitch:
    """Calls /set_vocabulary before the frame `at` is due, and plays on; before the frame `hold_at` the frames
    wait for the reply."""

    def __init__(self, client: GraphClient, request: Any, at: int, hold_at: int) -> None:
        self.call: VocabularyCall | None = None
        self.held_seconds = 0.0
        self._client = client
        self._request = request
        self._at = at
        self._hold_at = hold_at
        self._called = False
        self._replied = threading.Event()

    def before(self, number: int) -> float:
        """To be called before each frame; returns the seconds that it waited."""
        if number == self._at:
            self._called = True
            self._client.set_vocabulary(self._request, self._on_reply)
        if number != self._hold_at:
            return 0.0
        return self.wait()

    def wait(self) -> float:
        """Wait for the reply where there was a call. Raises ReplayError where none comes."""
        began = time.monotonic()
        if self._called and not self._replied.wait(START_TIMEOUT):
            raise ReplayError("/set_vocabulary was not answered")
        self.held_seconds += time.monotonic() - began
        return time.monotonic() - began

    def _on_reply(self, response: Any, seconds: float) -> None:
        self.call = VocabularyCall(self._at, seconds, response.success, response.message)
        self._replied.set()


class ServiceProbe:
    """Asks for the vocabulary once in a while, and sets it anew where a `request` is given, in turn.

    `seconds` has the times of the replies by service; `refusal` what a refused call was told.
    """

    def __init__(self, client: GraphClient, period: float = 1.0, request: Any = None) -> None:
        self.seconds = {"get_vocabulary": array("d")}
        if request is not None:
            self.seconds["set_vocabulary"] = array("d")
        self.refusal = ""
        self._client = client
        self._period = period
        self._request = request
        self._called_at = time.monotonic()
        self._waiting_for = ""
        self._turn = 0

    def tick(self) -> None:
        """To be called often."""
        now = time.monotonic()
        # A reply may be lost while a client and a service only just know each other.
        patience = START_TIMEOUT / 10 if self._waiting_for else self._period
        if now < self._called_at + patience:
            return
        name = list(self.seconds)[self._turn % len(self.seconds)]
        self._turn += 1
        self._called_at, self._waiting_for = now, name
        if name == "set_vocabulary":
            self._client.set_vocabulary(self._request, self._on_reply)
        else:
            self._client.get_vocabulary(self._on_reply)

    @property
    def replies(self) -> int:
        """Replies of the service that was answered least."""
        return min(len(seconds) for seconds in self.seconds.values())

    def _on_reply(self, response: Any, seconds: float) -> None:
        self.seconds[self._waiting_for].append(seconds)
        if not getattr(response, "success", True):
            self.refusal = response.message
        self._waiting_for = ""


class Replay:
    """Plays into a node that is starting or runs.

    Args:
        client: open.
        node: what plays the part of the segmenter.
        clock: whether to publish /clock.
        is_over: whether the user wants an end.
    """

    def __init__(
        self,
        client: GraphClient,
        node: Segmenter,
        *,
        clock: bool,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self.client = client
        self.player = Player(client, clock=clock, check=node.check)
        self.is_over = is_over
        self._node = node

    def warm_up(self, first: Frame) -> float:
        """Wait for the node to be active and warm; returns the seconds that it needs for a frame.

        Raises ReplayError where it ends, cannot be configured or does not answer.
        """
        self.client.wait_until_active(START_TIMEOUT, self._node.check)
        try:
            return statistics.median(self.player.warm_up(first, WARM_UP_ANSWERS)[1:])
        except ReplayError as error:
            self._node.check()
            raise ReplayError(f"{error}. {self.why()}") from error

    def run(
        self,
        frames: Iterable[Frame],
        pace: Pace,
        result: ReplayResult,
        log: AnswerLog | None = None,
        *,
        on_progress: Callable[[int, int], None] = lambda sent, answered: None,
        switch: VocabularySwitch | None = None,
        probe: ServiceProbe | None = None,
    ) -> None:
        """Play the frames and keep the answers in `log`; `result` grows meanwhile. `on_progress` is called
        with the frames sent and answered. What ends the replay early is told in `result.failure`.

        Raises ReplayError where nothing was answered at all, and what `frames` raises.
        """
        received = self._fresh_count()
        trace = result.trace
        began = time.monotonic()

        def on_answer(number: int, arrival: Arrival) -> None:
            if log is not None:
                log.write(number, arrival.labels, arrival.confidence, arrival.summary)

        def on_tick() -> None:
            on_progress(trace.sent, trace.answered)
            if probe is not None:
                probe.tick()

        try:
            self.player.play(
                paced(frames, pace),
                trace,
                on_answer,
                on_tick,
                switch.before if switch else lambda number: 0.0,
                self.is_over,
            )
            if switch is not None:
                switch.wait()
            self._node.check()
        except ReplayError as error:
            result.failure = f"{error} {self.why()}"
        on_progress(trace.sent, trace.answered)
        result.interrupted = self.is_over()
        result.seconds = time.monotonic() - began
        if switch is not None:
            result.call, result.held_seconds = switch.call, switch.held_seconds
        if not result.interrupted and not result.failure:
            now = self._fresh_count()
            result.received = None if received is None or now is None else now - received
        result.node = dict(self.client.diagnostics)
        if not trace.answered and not result.interrupted:
            raise ReplayError(
                result.failure or f"the node answered none of {trace.sent} frames. {self.why()}"
            )

    def why(self) -> str:
        """What the node says of its troubles."""
        diagnostics = self.client.diagnostics
        reasons = [diagnostics[key] for key in ("last error", "last rejection") if key in diagnostics]
        told = [reason for reason in reasons if reason != "none"]
        return f"It says: {'; '.join(told)}" if told else self._node.last_words()

    def _fresh_count(self) -> int | None:
        """Images that the node says that it has received by now."""
        self.client.wait_for_diagnostics(2.5)
        text = self.client.diagnostics.get(_RECEIVED, "")
        return int(text) if text.isdigit() else None
