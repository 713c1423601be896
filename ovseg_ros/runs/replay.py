"""`ovseg replay`: a recording through a running node over ROS topics, measured on the graph and scored."""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.config import ConfigError
from ovseg_ros.graph.client import ReplayError
from ovseg_ros.graph.node_process import input_parameters, write_parameters
from ovseg_ros.metrics import read_mapping
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.frame import DEFAULT_RATE, Source
from ovseg_ros.recordings.sources import open_source
from ovseg_ros.report.page import Video, write_run
from ovseg_ros.runs.config import ReplayConfig
from ovseg_ros.runs.output_folder import SCRATCH, prepare
from ovseg_ros.runs.progress import Progress
from ovseg_ros.runs.prompts import node_parameters, other_prompts, prompts_of_run, request_fields
from ovseg_ros.runs.replay_figures import ReplayRecord, graph_figures
from ovseg_ros.runs.replay_session import ReplaySession
from ovseg_ros.runs.replayed_frames import PlayedRecording, PredictionLog
from ovseg_ros.runs.results import Percentiles, RunKind, RunResult
from ovseg_ros.runs.scoring import RunScores, Scorer
from ovseg_ros.runs.signals import Interruption, graph_of_our_own, terminated_as_interrupted
from ovseg_ros.runs.sinks import LabelledBag, OverlayVideo, Sink
from ovseg_ros.vocabulary import shipped_vocabularies
from ovseg_ros.vocabulary.config import VocabularyConfig


@dataclass(frozen=True)
class ReplayOutcome:
    """The result of a replay, and what the graph showed."""

    result: RunResult
    record: ReplayRecord


def replay(
    path: Path,
    engine: EngineConfig,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: ReplayConfig,
    params: Mapping[str, object],
    progress: Progress,
) -> ReplayOutcome:
    """Play a recording into a node, measure, and write what is asked for. A Ctrl-C ends the playing, and the
    outcome is that of what was played.

    Args:
        engine: as `params` has it; its vocabulary, or else the ground truth's names, are the first words.
        params: parameters that were given for a started node, by full name; it gets these, those that say
            how images come in, and the first words.

    Raises ConfigError on options that contradict each other, OvsegError on whatever the user can mend, such
    as a node that answers nothing.
    """
    if config.attach and params:
        raise ConfigError(f"{', '.join(params)}: for a node that is started; leave out with --attach")
    output = Path(config.output) if config.output else None
    with ExitStack() as stack:
        if not config.attach:
            stack.enter_context(graph_of_our_own())
        stack.enter_context(terminated_as_interrupted())
        source = stack.enter_context(open_source(path, recording, truth))
        if output is not None:
            prepare(output)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=output, prefix=SCRATCH)))
        played = PlayedRecording(path, recording, truth, selection, config.loop)
        log = PredictionLog(scratch / "predictions")
        words = engine.vocabulary if config.attach else _first_words(source, engine)
        then = _second_words(words, config)
        parameters = {} if config.attach else _parameters(source, words, config, params)
        interruption = Interruption()
        session = ReplaySession(source, played, config, progress, parameters, output or scratch)
        with session:
            stack.enter_context(interruption)
            record = session.run(then, log, lambda: interruption.requested)
        mapping = read_mapping(Path(truth.mapping)) if truth.mapping else None
        meter = SegmentationAccumulator(source.truth_names, mapping)
        scores, video = _score(source, played, record, log, meter, output, progress)
        for warning in source.warnings:
            progress.warn(warning)
        topic = source.topic
        kind: RunKind = "replay" if then is None else "demo"
        result = replace(
            scores.result(kind, bag=path.resolve().name, image_topic=topic.name, about=record.node),
            graph=graph_figures(record, topic.rate),
            frames_left_out=record.left_out,
            latency_ms=Percentiles.of(record.trace.latency_ms),
            seconds=record.seconds,
            interrupted=record.interrupted,
            set_vocabulary=record.call,
            held_seconds=None if then is None else record.held_seconds,
        )
        if output is not None:
            write_run(output, result, scores.pictures, video)
        return ReplayOutcome(result, record)


def write_node_parameters(
    path: Path,
    engine: EngineConfig,
    recording: RecordingConfig,
    truth: TruthConfig,
    config: ReplayConfig,
    params: Mapping[str, object],
) -> None:
    """Write the parameters of the node that would be started to `config.write_params`, so that it can be
    started by other means. Raises OvsegError as `replay` does."""
    with open_source(path, recording, truth) as source:
        parameters = _parameters(source, _first_words(source, engine), config, params)
        write_parameters(parameters, Path(config.write_params))


def _first_words(source: Source, engine: EngineConfig) -> VocabularyConfig:
    words = prompts_of_run(engine.vocabulary, source.truth_names)
    if not words.classes and not words.file:
        raise ReplayError(
            f"{source.path} does not say what is to be seen in it (it has no ground truth); give --classes "
            f"'road, person; pedestrian', or --vocabulary with a file or one that ships: "
            f"{', '.join(shipped_vocabularies())}"
        )
    return words


def _second_words(first: VocabularyConfig, config: ReplayConfig) -> dict[str, Any] | None:
    """The fields of the request half-way, None where none is asked for."""
    if config.then_vocabulary or config.then_classes:
        return request_fields(VocabularyConfig(config.then_vocabulary, config.then_classes))
    return request_fields(other_prompts(first)) if config.then_synonyms else None


def _parameters(
    source: Source, words: VocabularyConfig, config: ReplayConfig, params: Mapping[str, object]
) -> dict[str, object]:
    """The parameters of the node that is started."""
    parameters = {**params, **input_parameters(source.topic, config.clock != "off"), **node_parameters(words)}
    model = str(params.get("model.name", ""))
    if model and Path(model).is_dir():  # the node may run in another folder
        parameters["model.name"] = str(Path(model).resolve())
    return parameters


def _score(
    source: Source,
    played: PlayedRecording,
    record: ReplayRecord,
    log: PredictionLog,
    meter: SegmentationAccumulator,
    output: Path | None,
    progress: Progress,
) -> tuple[RunScores, Video | None]:
    """Go through the frames once; write `overlay.webm` and `labelled/` to `output`, where that is given."""
    trace, vocabularies = record.trace, record.vocabularies
    video: OverlayVideo | None = None
    sinks: list[Sink] = []
    if output is not None and trace.answered:
        rate = source.topic.rate or DEFAULT_RATE
        video = OverlayVideo(output / "overlay.webm", rate, list(vocabularies.values()))
        labelled = output / "labelled"
        sinks = [video, LabelledBag(labelled, source.topic.name, source.topic.type, source.truth_names)]
    with (
        progress.stage("scoring", trace.sent) as advance,
        Scorer(meter, trace.answered, sinks, follow=True) as scorer,
        closing(played.frames()) as frames,
    ):
        for frame, sent_s, prediction in log.predictions(frames, trace, vocabularies):
            if prediction is None:
                scorer.add_dropped(frame, sent_s)
            else:
                scorer.add(prediction)
            advance()
        scores = scorer.finish()
    return scores, None if video is None else Video("overlay.webm", video.rate, video.poster)
