"""The part of a replay that happens on the graph: connect, warm up, play, and measure the node."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ovseg_ros.graph.calls import ServiceProbe, VocabularyChange
from ovseg_ros.graph.client import GraphClient, ReplayError
from ovseg_ros.graph.names import GraphNames
from ovseg_ros.graph.node_process import (
    AttachedNode,
    NodeProcess,
    decide_clock,
    prepare_own,
    refuse_other_nodes,
)
from ovseg_ros.graph.pacing import Outgoing, paced
from ovseg_ros.graph.player import Player
from ovseg_ros.recordings.frame import DEFAULT_RATE, Source
from ovseg_ros.runs.config import ReplayConfig
from ovseg_ros.runs.progress import Progress
from ovseg_ros.runs.rate_search import Load, search
from ovseg_ros.runs.replay_figures import ReplayRecord, rate
from ovseg_ros.runs.replayed_frames import PlayedRecording, PredictionLog
from ovseg_ros.runs.results import Percentiles, RateTrial, VocabularyCall

START_TIMEOUT = 600.0
"""Seconds for the model to load, which may include a download."""

WARM_UP_OUTPUTS = 4
"""Outputs before the frames that count: they wait for the graph to connect and the model to be warm."""

SEARCH_SECONDS = 180.0
"""No burst of the search for the highest rate begins later."""

UTILISATION = 0.8
"""Share of the node's rate in the warm-up at which frames are sent to avoid drops."""

_LOAD_FRAMES = 16
_LOAD_BYTES = 64 << 20
_LATE = 0.5
"""Share of the time between frames by which frames may go out late."""


@dataclass
class ReplaySession:
    """Plays a recording into a node that runs, or that is started for the time of a `with` block.

    Attributes:
        source: open.
        played: what is played of it.
        parameters: of a node that is started.
        folder: for its parameter file and log.
    """

    source: Source
    played: PlayedRecording
    config: ReplayConfig
    progress: Progress
    parameters: Mapping[str, object]
    folder: Path
    _record: ReplayRecord = field(default_factory=ReplayRecord, init=False)
    _stack: ExitStack = field(default_factory=ExitStack, init=False)

    def __enter__(self) -> "ReplaySession":
        """Connect to the node and warm it up.

        Raises ReplayError where there is no node or it ends, cannot be configured or does not answer.
        """
        config = self.config
        with closing(self.played.frames()) as frames:
            self._several = list(_few(paced(frames)))
        if not self._several:
            raise ReplayError(f"{self.source.path}: {self.source.topic.name} has no frame to play")
        with ExitStack() as stack:
            names = GraphNames(config.node, config.namespace, config.image_topic)
            self._client = stack.enter_context(GraphClient(names))
            self._node = self._connect(stack)
            clock = decide_clock(self._client, config.clock, config.attach, self.progress.warn)
            self._player = Player(self._client, clock=clock, check=self._node.check)
            with self.progress.stage("the node warms up" if config.attach else "the node loads its model"):
                self._frame_seconds = self._warm_up()
            if not config.attach:
                refuse_other_nodes(self._client, 1)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(
        self, then: Mapping[str, object] | None, log: PredictionLog, is_over: Callable[[], bool]
    ) -> ReplayRecord:
        """Play, and measure what is asked for.

        Args:
            then: fields of the SetVocabulary request half-way; None: none.
            log: takes the outputs.
            is_over: whether the user wants to stop.

        Raises ReplayError where the node answers nothing at all.
        """
        record, self._is_over = self._record, is_over
        self._play(then, log)
        if not record.failure and not record.interrupted:
            load = Load(self._client, self._player, self._several, self._is_over)
            if self.config.calls:
                self._call_services(load)
            if self.config.find_rate:
                self._find_rate(load)
        record.vocabularies = dict(self._client.vocabularies)
        return record

    def _connect(self, stack: ExitStack) -> NodeProcess | AttachedNode:
        if not self.config.attach:
            return stack.enter_context(prepare_own(self._client, self.parameters, self.folder))
        with self.progress.stage(f"looking for {self._client.names.full_node}"):
            return AttachedNode(self._client, self.source.topic)

    def _warm_up(self) -> float:
        """Wait for the node to be active and warm; returns the seconds that it needs for a frame."""
        self._client.wait_until_active(START_TIMEOUT, self._node.check)
        try:
            return statistics.median(self._player.warm_up(self._several[0], WARM_UP_OUTPUTS)[1:])
        except ReplayError as error:
            self._node.check()
            raise ReplayError(f"{error}. {self._reason()}") from error

    def _period(self) -> float | None:
        """Seconds between two frames, None as recorded; with `avoid_drops` no less than the node needs."""
        config = self.config
        period = 1 / config.rate if config.rate else None
        if config.avoid_drops:
            own = period or 1 / (self.source.topic.rate or DEFAULT_RATE) / config.speed
            return max(own, self._frame_seconds / UTILISATION)
        return period

    def _play(self, then: Mapping[str, object] | None, log: PredictionLog) -> None:
        """Play the recording; what ends it early is put into the record's `failure`."""
        record, trace, period = self._record, self._record.trace, self._period()
        probe = ServiceProbe(self._client)
        record.rate = None if period is None else 1 / period
        record.service_s = probe.seconds
        total = self.played.expected(self.source)
        change = None if then is None else self._change(then, total)
        received = self._received()
        began = time.monotonic()
        with log, self.progress.stage("playing", total) as advance:
            shown = 0

            def on_tick() -> None:
                nonlocal shown
                advance(advance=trace.sent - shown, description=f"playing, {trace.answered} answered")
                shown = trace.sent
                probe.tick()

            try:
                self._player.play(
                    paced(self.played.frames(record.pass_starts), speed=self.config.speed, period=period),
                    trace,
                    log.write,
                    on_tick,
                    change.before if change else lambda number: 0.0,
                    self._is_over,
                )
                if change is not None:
                    change.wait()
                self._node.check()
            except ReplayError as error:
                record.failure = f"{error} {self._reason()}"
            on_tick()
        record.interrupted = self._is_over()
        record.seconds = time.monotonic() - began
        if change is not None:
            record.held_seconds = change.held_seconds
            if (reply := change.response) is not None:
                milliseconds = change.reply_seconds * 1e3
                record.call = VocabularyCall(change.at, milliseconds, reply.success, reply.message)
        if not record.interrupted and not record.failure:
            now = self._received()
            record.received = None if received is None or now is None else now - received
        record.node = dict(self._client.diagnostics)
        if not trace.answered and not record.interrupted:
            raise ReplayError(
                record.failure or f"the node answered none of {trace.sent} frames. {self._reason()}"
            )
        self._warn_if_late()

    def _change(self, then: Mapping[str, object], total: int | None) -> VocabularyChange:
        """The call of /set_vocabulary half-way; the frames wait for its reply after half of the rest."""
        total = self.source.expected(self.played.selection) if total is None else total
        middle = total // 2
        return VocabularyChange(self._client, then, middle, middle + max(1, (total - middle) // 2))

    def _warn_if_late(self) -> None:
        trace = self._record.trace
        late, sent_rate = Percentiles.of(trace.late_ms).p95, rate(trace.sent_s)
        if late is not None and sent_rate is not None and late > _LATE * 1e3 / sent_rate:
            self.progress.warn(
                f"frames went out late ({late:.0f} ms, p95): this machine is too busy to send in time, and "
                "the figures are those of what was sent"
            )

    def _call_services(self, load: Load) -> None:
        record = self._record
        request = self._client.same_vocabulary()
        if request is None:
            self.progress.warn("/set_vocabulary is not called: thresholds of single classes would be lost")
        with self.progress.stage("calling the services while frames flow"):
            probe = load.probe(rate(record.trace.sent_s) or DEFAULT_RATE, self.config.calls, request)
        if probe.refusal:
            self.progress.warn(f"/set_vocabulary refused the vocabulary in force: {probe.refusal}")
        for name, seconds in probe.seconds.items():
            record.service_s.setdefault(name, seconds[:0]).extend(seconds)

    def _find_rate(self, load: Load) -> None:
        with self.progress.stage("searching the highest rate") as advance:

            def burst(asked: float) -> RateTrial:
                advance(advance=0, description=f"searching the highest rate: {asked:.1f} Hz")
                return load.burst(asked)

            start = rate(self._record.trace.arrived_s) or DEFAULT_RATE
            self._record.highest_rate = search(burst, start, SEARCH_SECONDS, self._is_over)

    def _reason(self) -> str:
        """The errors that the node reports, or else the end of its log."""
        diagnostics = self._client.diagnostics
        reasons = [diagnostics[key] for key in ("last error", "last rejection") if key in diagnostics]
        reported = [reason for reason in reasons if reason != "none"]
        return f"It reports: {'; '.join(reported)}" if reported else self._node.last_output()

    def _received(self) -> int | None:
        """Images that the node reports to have received by now."""
        self._client.wait_for_diagnostics(2.5)
        text = self._client.diagnostics.get("frames received", "")
        return int(text) if text.isdigit() else None


def _few(frames: Iterable[Outgoing]) -> Iterator[Outgoing]:
    """The first frames, as many as may well stay in memory, one at least."""
    size = 0
    for frame in islice(frames, _LOAD_FRAMES):
        size += len(frame.image.data)
        if size > _LOAD_BYTES and size > len(frame.image.data):
            return
        yield frame
