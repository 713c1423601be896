"""`ovseg replay`: a bag through a running node, from the options to the report."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ovseg_ros.graph.connection import attach, decide_clock, prepare_own, refuse_namesakes
from ovseg_ros.graph.graph_client import GraphClient
from ovseg_ros.graph.graph_names import GraphNames
from ovseg_ros.graph.load import Load
from ovseg_ros.graph.node_process import ReplayError, write_parameters
from ovseg_ros.graph.own_node import first_words, input_parameters
from ovseg_ros.graph.pacing import USUAL_RATE, Pace, Selection
from ovseg_ros.graph.rate_search import Burst, search
from ovseg_ros.metrics import read_mapping
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.frames import Frame
from ovseg_ros.recordings.recording import AnswerLog
from ovseg_ros.report.page import write_run
from ovseg_ros.runs.examination import Source, examine, is_dataset, make_playable
from ovseg_ros.runs.graph_figures import graph_figures, percentiles, rate
from ovseg_ros.runs.output_folder import SCRATCH, prepare
from ovseg_ros.runs.replay import Replay, Segmenter, ServiceProbe
from ovseg_ros.runs.replay_result import ReplayResult
from ovseg_ros.runs.scoring import RunScores
from ovseg_ros.runs.signals import Interruption, graph_of_our_own, terminated_as_interrupted
from ovseg_ros.runs.summary import collect, command
from ovseg_ros.vocabulary import Vocabulary

SEARCH_SECONDS = 180.0
"""No burst of the search for the highest rate begins later."""

_LOAD_FRAMES = 16
_LOAD_BYTES = 64 << 20
_LATE = 0.5
"""Share of the time between frames by which frames may go out late."""


@dataclass(frozen=True)
class ReplayOptions:
    """What to play, into which node, and how.

    Attributes:
        bag: a rosbag, or a dataset folder, of which one is made.
        topic, labels_topic: the bag's image topic and that of the truth; None: the only camera, and
            `/ground_truth/labels`.
        mapping: file that says how the truth's names belong to the vocabulary's.
        attach: play into a node that runs; else start one.
        names: of the node and of its image topic.
        parameters: of the node to be started, from full names to values.
        params_file: further parameters for it; `parameters` go before them.
        vocabulary: for it; None: the truth's classes, or what params_file says.
        clock: publish /clock; None: for a node of our own, and for one that uses it where nobody else does.
        pace: recorded spacing or a fixed rate.
        selection: which frames, and how often.
        calls: of each service while frames flow, after the replay proper; 0: none.
        find_rate: search for the highest rate that holds.
        output: folder for page, video and labelled bag; None: figures only.
    """

    bag: Path
    topic: str | None = None
    labels_topic: str | None = None
    mapping: Path | None = None
    attach: bool = False
    names: GraphNames = field(default_factory=GraphNames)
    parameters: dict[str, Any] = field(default_factory=dict)
    params_file: Path | None = None
    vocabulary: str | None = None
    clock: bool | None = None
    pace: Pace = field(default_factory=Pace)
    selection: Selection = field(default_factory=Selection)
    calls: int = 10
    find_rate: bool = False
    output: Path | None = None


class Show(Protocol):
    """What tells the user how far the run is."""

    def stage(
        self, what: str, total: int | None = None
    ) -> AbstractContextManager[Callable[[int, str], None]]:
        """A part of the run, of so many steps; the function that it gives takes the steps done and a text."""

    def warn(self, text: str) -> None:
        """Something that the user should know."""


@dataclass(frozen=True)
class ReplayOutcome:
    """What a run gave: the content of metrics.json, and what the graph and the frames showed."""

    metrics: dict[str, Any]
    result: ReplayResult
    findings: RunScores


def run(options: ReplayOptions, show: Show) -> ReplayOutcome:
    """Play, measure, and write what is asked for. A Ctrl-C ends the playing; what there is is told.

    Raises OvsegError on whatever the user can mend, such as a node that answers nothing.
    """
    mapping = None if options.mapping is None else read_mapping(options.mapping)
    if options.output is not None:
        prepare(options.output, command())
    with ExitStack() as stack:
        if not options.attach:
            stack.enter_context(graph_of_our_own())
        stack.enter_context(terminated_as_interrupted())
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.output, prefix=SCRATCH)))
        if is_dataset(options.bag):
            stack.enter_context(show.stage(f"making a bag of {options.bag}"))
        bag = stack.enter_context(Bag(make_playable(options.bag, options.output or scratch)))
        source = Source.choose(bag, options.topic, options.labels_topic, options.selection)
        log = AnswerLog(scratch / "answers")
        online = _Online(options, show, source, options.output or scratch, stack)
        result = online.play(log)
        meter = SegmentationAccumulator(source.truth_names, mapping)
        with show.stage("examining", result.frames_in) as update:
            findings, media = examine(
                source,
                result,
                log,
                online.vocabularies,
                meter,
                options.output,
                lambda done: update(done, "examining"),
            )
        for warning in bag.warnings:
            show.warn(warning)
        metrics = {
            **collect(
                findings,
                kind="replay",
                bag=options.bag.resolve().name,
                image_topic=source.topic.name,
                **{key: result.node.get(key, "unknown") for key in ("model", "method", "device")},
            ),
            **graph_figures(result, source.topic.rate),
        }
        if options.output is not None:
            write_run(options.output, metrics, media)
        return ReplayOutcome(metrics, result, findings)


def write_node_parameters(options: ReplayOptions, file: Path) -> None:
    """Write the parameters of the node that would be started; it can so be started by other means.

    Raises OvsegError as `run` does.
    """
    if is_dataset(options.bag):
        raise ReplayError(f"{options.bag} is no bag yet; make one: ovseg bag make {options.bag}")
    with Bag(options.bag) as bag:
        source = Source.choose(bag, options.topic, options.labels_topic, options.selection)
        write_parameters(_node_parameters(options, source), file)


def _node_parameters(options: ReplayOptions, source: Source) -> dict[str, Any]:
    parameters = {**input_parameters(source.topic, options.clock is not False), **options.parameters}
    if options.vocabulary is not None or options.params_file is None:
        words = first_words(source.truth_names, options.vocabulary, options.bag)
        parameters |= words.parameters()
    return parameters


class _Online:
    """The part of a run that happens on the graph.

    From the first frame on a Ctrl-C only ends the playing; `stack` decides until when.
    """

    def __init__(
        self, options: ReplayOptions, show: Show, source: Source, folder: Path, stack: ExitStack
    ) -> None:
        self.vocabularies: dict[int, Vocabulary] = {}
        self._options = options
        self._show = show
        self._source = source
        self._folder = folder
        self._stack = stack

    def play(self, log: AnswerLog) -> ReplayResult:
        """Everything from the first word with the node to the last."""
        options, interruption = self._options, Interruption()
        with closing(self._source.recording.frames()) as frames:
            several = list(_few(frames))
        if not several:
            raise ReplayError(f"{options.bag}: {self._source.topic.name} has no frame to play")
        with GraphClient(options.names) as client, ExitStack() as node_stack:
            node = self._connect(client, node_stack)
            clock = decide_clock(client, options.clock, options.attach, self._show.warn)
            replay = Replay(client, node, clock=clock, is_over=lambda: interruption.requested)
            with self._show.stage("the node warms up" if options.attach else "the node loads its model"):
                replay.warm_up(several[0])
            if not options.attach:
                refuse_namesakes(client, 1)
            self._stack.enter_context(interruption)
            period = options.pace.period
            result = ReplayResult(rate=None if period is None else 1 / period)
            self._replay(replay, result, log)
            if not result.failure and not result.interrupted:
                load = Load(client, replay.player, several, replay.is_over)
                self._call_services(load, client, result)
                self._find_rate(load, result)
            self.vocabularies = dict(client.vocabularies)
        return result

    def _connect(self, client: GraphClient, stack: ExitStack) -> Segmenter:
        options, source = self._options, self._source
        if options.attach:
            with self._show.stage(f"looking for {client.names.full_node}"):
                return attach(client, source.topic)
        parameters = _node_parameters(options, source)
        process = prepare_own(client, parameters, self._folder, options.params_file)
        return stack.enter_context(process)

    def _replay(self, replay: Replay, result: ReplayResult, log: AnswerLog) -> None:
        total = self._source.frames * self._options.selection.passes or None
        probe = ServiceProbe(replay.client)
        with log, self._show.stage("playing", total) as update:
            replay.run(
                self._source.recording.frames(result.pass_starts),
                self._options.pace,
                result,
                log,
                on_progress=lambda sent, answered: update(sent, f"playing, {answered} answered"),
                probe=probe,
            )
        result.service_s = probe.seconds
        late, sent_rate = percentiles(result.trace.late_ms)["p95"], rate(result.trace.sent_s)
        if late is not None and sent_rate is not None and late > _LATE * 1e3 / sent_rate:
            self._show.warn(
                f"frames went out late ({late:.0f} ms, p95): this machine is too busy to send in time, and "
                "the figures are those of what was sent"
            )

    def _call_services(self, load: Load, client: GraphClient, result: ReplayResult) -> None:
        if not self._options.calls:
            return
        request = client.same_vocabulary()
        if request is None:
            self._show.warn("/set_vocabulary is not called: thresholds of single classes would be lost")
        sent_rate = rate(result.trace.sent_s) or USUAL_RATE
        with self._show.stage("calling the services while frames flow"):
            probe = load.probe(sent_rate, self._options.calls, request)
        if probe.refusal:
            self._show.warn(f"/set_vocabulary refused the words in force: {probe.refusal}")
        for name, seconds in probe.seconds.items():
            result.service_s.setdefault(name, seconds[:0]).extend(seconds)

    def _find_rate(self, load: Load, result: ReplayResult) -> None:
        if not self._options.find_rate:
            return
        with self._show.stage("searching the highest rate") as update:

            def burst(asked: float) -> Burst:
                update(0, f"searching the highest rate: {asked:.1f} Hz")
                return load.burst(asked)

            start = rate(result.trace.arrived_s) or USUAL_RATE
            result.highest_rate = search(burst, start, SEARCH_SECONDS, load.is_over)


def _few(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The first frames, as many as may well stay in memory, one at least."""
    size = 0
    for frame in islice(frames, _LOAD_FRAMES):
        size += len(frame.image.data)
        if size > _LOAD_BYTES and size > len(frame.image.data):
            return
        yield frame
