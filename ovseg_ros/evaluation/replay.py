"""A bag into the running node, over real topics and in real time, with a vocabulary call on the way."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from ovseg_ros.evaluation.frames import Frame
from ovseg_ros.evaluation.graph_client import GraphClient
from ovseg_ros.evaluation.message_types import with_header_stamp
from ovseg_ros.evaluation.node_process import NodeProcess, ReplayError
from ovseg_ros.evaluation.recording import Answer, LabelledBagWriter
from ovseg_ros.evaluation.replay_result import ReplayResult, VocabularyCall

START_TIMEOUT = 600.0
"""Seconds for the model to load, which may include a download, and for a vocabulary to be encoded."""

ANSWER_TIMEOUT = 60.0
"""Seconds without any answer after which the node is taken to be stuck."""

WARM_UP_ANSWERS = 4
"""Answers before the frames that count: they wait for the graph to connect and the model to be warm."""

LOAD = 0.8
"""Share of what the node was seen to manage in the warm-up at which frames are sent."""


@dataclass(frozen=True)
class Schedule:
    """When frames go out.

    `period` is the time between two frames in seconds. With `fixed` it holds whatever happens; else it
    grows to what the node was seen to manage, so that few frames are dropped. Before the frame
    `switch_at` the vocabulary is called for, and the frames play on; before `hold_at` they wait for the
    reply.
    """

    period: float
    fixed: bool = False
    switch_at: int | None = None
    hold_at: int | None = None


class Replay:
    """Plays frames into a node that runs, and records what it answers.

    Args:
        process: the running node.
        writer: where frames and answers go.
        on_progress: called with (frames sent, frames answered).
    """

    def __init__(
        self,
        process: NodeProcess,
        writer: LabelledBagWriter,
        on_progress: Callable[[int, int], None] = lambda sent, answered: None,
    ) -> None:
        self.result = ReplayResult()
        self._process = process
        self._writer = writer
        self._on_progress = on_progress
        self._client = GraphClient(self._on_answer)
        self._unwritten: dict[int, Frame] = {}
        self._answers: deque[tuple[int, Answer]] = deque()
        self._written_vocabularies = 0
        self._warm_up_sent: dict[int, float] = {}
        self._warm_up_seconds: list[float] = []
        self._started = 0.0
        self._called = False

    def run(self, frames: Iterable[Frame], schedule: Schedule, request: Any = None) -> ReplayResult:
        """Play all frames; `request` is the SetVocabulary.Request of the schedule's switch.

        Raises ReplayError where the node ends, cannot be configured or does not answer.
        """
        iterator = iter(frames)
        first = next(iterator, None)
        if first is None:
            return self.result
        with self._client as client:
            client.wait_until_active(START_TIMEOUT, self._process.check)
            manageable = self._warm_up(first) / LOAD
            period = schedule.period if schedule.fixed else max(schedule.period, manageable)
            self.result.rate = 1 / period
            self._started = due = time.monotonic()
            for index, frame in enumerate(chain([first], iterator)):
                client.spin(due)
                self._process.check()
                if request is not None and index == schedule.switch_at:
                    self._call(request, index)
                if self._called and index == schedule.hold_at:
                    due += self._hold()
                self._send(frame)
                due += period
            if self._called and self.result.call is None:
                self._hold()
            self._finish(period)
            self.result.node = client.diagnostics
        return self.result

    def _warm_up(self, first: Frame) -> float:
        """Seconds that the node needs for a frame, of the first frame shown again and again, with stamps
        of its own just before the real ones."""
        stamp = first.stamp_ns - 1_000_000_000
        answered_at = time.monotonic()
        while len(self._warm_up_seconds) < WARM_UP_ANSWERS:
            count = len(self._warm_up_seconds)
            stamp += 1_000_000
            self._warm_up_sent[stamp] = self._client.publish(
                first, with_header_stamp(first.image.data, stamp)
            )
            retry = time.monotonic() + 2.0
            if self._client.spin(retry, partial(self._has_warmed, count + 1)):
                answered_at = time.monotonic()
            self._process.check()
            if time.monotonic() > answered_at + ANSWER_TIMEOUT:
                raise ReplayError(f"the node answers no image. {self._why()}")
        return statistics.median(self._warm_up_seconds[1:])

    def _has_warmed(self, answers: int) -> bool:
        return len(self._warm_up_seconds) >= answers

    def _send(self, frame: Frame) -> None:
        stamp = frame.stamp_ns
        if stamp in self.result.sent_s:
            self.result.repeated_stamps += 1
            return
        self._unwritten[stamp] = frame
        self.result.sent_s[stamp] = self._client.publish(frame, frame.image.data) - self._started
        self.result.frames_in += 1
        self._on_progress(self.result.frames_in, self.result.frames_out)

    def _call(self, request: Any, index: int) -> None:
        called = time.monotonic()
        self._called = True

        def on_reply(response: Any) -> None:
            seconds = time.monotonic() - called
            self.result.call = VocabularyCall(index, seconds, response.success, response.message)

        self._client.set_vocabulary(request, on_reply)

    def _hold(self) -> float:
        began = time.monotonic()
        until = began + START_TIMEOUT
        while self.result.call is None:
            self._process.check()
            self._client.spin(time.monotonic() + 0.5, lambda: self.result.call is not None)
            if time.monotonic() > until:
                raise ReplayError(f"/set_vocabulary was not answered. {self._why()}")
        self.result.held_seconds = time.monotonic() - began
        return self.result.held_seconds

    def _on_answer(self, stamp_ns: int, answer: Answer, labels_at: float) -> None:
        if stamp_ns in self._warm_up_sent:
            self._warm_up_seconds.append(labels_at - self._warm_up_sent[stamp_ns])
        elif stamp_ns in self._unwritten:
            elapsed = labels_at - self._started - self.result.sent_s[stamp_ns]
            self.result.latency_ms[stamp_ns] = elapsed * 1e3
            self._answers.append((stamp_ns, answer))
            self._write_answered()
            self._on_progress(self.result.frames_in, self.result.frames_out)

    def _write_answered(self) -> None:
        """Write what is answered and what it overtook. The node takes the newest frame, so a frame older
        than an answered one will have no answer. A frame waits for the vocabulary that it was labelled in."""
        while self._answers:
            stamp, answer = self._answers[0]
            if answer.revision not in self._client.latched.vocabularies:
                return
            self._answers.popleft()
            for older in list(self._unwritten):
                frame = self._unwritten.pop(older)
                if older == stamp:
                    self._write_vocabularies(answer.revision, frame.image.log_ns)
                    self._writer.write_frame(frame, answer)
                    break
                self._client.forget(older)
                self._writer.write_frame(frame, None)

    def _write_vocabularies(self, revision: int, log_ns: int) -> None:
        latched = self._client.latched
        pairs = list(latched.vocabularies.items())[self._written_vocabularies :]
        for known, vocabulary in pairs:
            if known > revision:
                return
            infos = latched.label_infos
            place = self._written_vocabularies
            info = infos[place] if place < len(infos) else None
            self._writer.write_vocabulary(vocabulary, info, log_ns)
            self._written_vocabularies += 1

    def _finish(self, period: float) -> None:
        """Wait for the answer to the last frame, which nothing overtakes; then write the rest."""
        last = next(reversed(self._unwritten), None)
        patience = max(
            5.0, 10 * period, *(5e-3 * value for value in list(self.result.latency_ms.values())[-5:])
        )
        self._client.spin(time.monotonic() + patience, lambda: last not in self._unwritten)
        self._process.check()
        self.result.seconds = time.monotonic() - self._started
        if not self.result.latency_ms:
            raise ReplayError(f"the node answered none of {self.result.frames_in} frames. {self._why()}")
        self._write_answered()
        if self._answers:
            raise ReplayError(
                f"the node labelled with vocabulary {self._answers[0][1].revision}, but never published it"
            )
        for frame in self._unwritten.values():
            self._writer.write_frame(frame, None)

    def _why(self) -> str:
        diagnostics = self._client.diagnostics
        reasons = [diagnostics[key] for key in ("last error", "last rejection") if key in diagnostics]
        told = [reason for reason in reasons if reason != "none"]
        return f"It says: {'; '.join(told)}" if told else self._process.last_words()
