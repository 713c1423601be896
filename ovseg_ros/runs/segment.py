"""`ovseg segment`: every frame of images, videos and bags through the model and into files."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ovseg_ros.clipseg import EngineConfig
from ovseg_ros.clipseg.errors import DeviceLost
from ovseg_ros.config import ConfigError
from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics.class_statistics import ClassStatistics
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig
from ovseg_ros.recordings.frame import DEFAULT_RATE, Source
from ovseg_ros.recordings.label_files import write_classes
from ovseg_ros.recordings.sources import find_sources
from ovseg_ros.runs.config import SegmentConfig
from ovseg_ros.runs.predictors import ModelPredictor, warn_of_ignored
from ovseg_ros.runs.progress import Progress
from ovseg_ros.runs.sinks import SegmentFiles
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder, build_vocabulary, shipped_vocabularies

_SHOWN_FAILURES = 10


@dataclass
class SegmentOutcome:
    """What was segmented, source by source as far as the work went.

    Attributes:
        setup: model, method and device, as people read them.
        sources: how many inputs there are.
    """

    vocabulary: Vocabulary
    setup: dict[str, str]
    output: str
    sources: int
    results: list[tuple[Source, ClassStatistics]] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def total(self) -> ClassStatistics:
        """The statistics over all inputs."""
        return ClassStatistics.merged([statistics for _, statistics in self.results])

    def as_json(self) -> dict[str, Any]:
        """All figures, over all inputs and of each."""
        inputs = [
            {
                "path": str(source.path),
                "kind": "image" if source.kind == "images" else source.kind,
                "name": source.name,
                **statistics.as_json(self.vocabulary),
            }
            for source, statistics in self.results
        ]
        return {**self.setup, "output": self.output, **self.total.as_json(self.vocabulary), "inputs": inputs}


def segment(
    paths: Sequence[Path],
    engine: EngineConfig,
    recording: RecordingConfig,
    selection: SelectionConfig,
    config: SegmentConfig,
    progress: Progress,
) -> SegmentOutcome:
    """Segment all inputs and write what is asked for. Ctrl-C ends the run with what it has.

    A frame or an input that fails is reported, counted and skipped; only a lost device ends the work.
    Raises ConfigError where there are no words, OvsegError, and OSError where a result cannot be written.
    """
    if not (engine.vocabulary.classes or engine.vocabulary.file):
        raise ConfigError(
            "give either --classes or --vocabulary; shipped vocabularies: "
            + ", ".join(shipped_vocabularies())
        )
    vocabulary = build_vocabulary(engine.vocabulary, VocabularyBuilder())
    warn_of_ignored(engine, progress)
    output = Path(config.output)
    sources = find_sources(paths, output, recording, selection)
    with progress.stage("loading the model"):
        predictor = ModelPredictor(engine, vocabulary)
    write_classes(output / "classes.json", vocabulary)
    outcome = SegmentOutcome(vocabulary, predictor.segmenter.description, str(output), len(sources))
    work = _Work(predictor, engine.output.overlay_alpha, selection, config, progress)
    started = time.perf_counter()
    try:
        work.segment(sources, outcome)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.seconds = time.perf_counter() - started
    return outcome


@dataclass(frozen=True)
class _Work:
    """Segments sources one after another."""

    predictor: ModelPredictor
    alpha: float
    selection: SelectionConfig
    config: SegmentConfig
    progress: Progress

    def segment(self, sources: Sequence[Source], outcome: SegmentOutcome) -> None:
        """Segment all sources; their statistics are added to the outcome as the work goes."""
        with self.progress.stage("segmenting", sum(map(self._expected, sources))) as advance:
            for source in sources:
                statistics = ClassStatistics()
                outcome.results.append((source, statistics))
                try:
                    for _ in self._frames(source, statistics):
                        advance()
                except OvsegError as error:
                    self._failed(source, statistics, str(error))
                    if isinstance(error, DeviceLost):
                        return
                more = len(statistics.failures) - _SHOWN_FAILURES
                if more > 0:
                    self.progress.warn(f"{source.path}: {more} more frames failed")

    def _frames(self, source: Source, statistics: ClassStatistics) -> Iterator[None]:
        """Segment a source frame by frame."""
        self.predictor.restart()
        with source:
            rate = (source.topic.rate or DEFAULT_RATE) / self.selection.every
            files = SegmentFiles(source.path, source.name, source.kind, rate, self.config, self.alpha)
            with files:
                for frame in source.frames(self._selection(source)):
                    try:
                        prediction = self.predictor.predict(frame, self.predictor.prepare(frame))
                    except DeviceLost:
                        raise
                    except OvsegError as error:
                        place = f"frame {frame.number}: " if source.kind == "bag" else ""
                        self._failed(source, statistics, f"{place}{error}")
                    else:
                        files.write(prediction)
                        labels, confidence = prediction.labels, prediction.confidence
                        statistics.add(labels, confidence, prediction.latency_ms or 0.0)
                    yield
            for warning in source.warnings:
                self.progress.warn(warning)

    def _failed(self, source: Source, statistics: ClassStatistics, reason: str) -> None:
        if str(source.path) not in reason:
            reason = f"{source.path}: {reason}"
        statistics.failures.append(reason)
        if len(statistics.failures) <= _SHOWN_FAILURES:
            self.progress.warn(reason)

    def _expected(self, source: Source) -> int:
        """Frames that the progress bar is to expect; what cannot be opened fails later and counts as one."""
        try:
            with source:
                return source.expected(self._selection(source))
        except OvsegError:
            return 1

    def _selection(self, source: Source) -> SelectionConfig:
        """Images were selected among all of them already."""
        return SelectionConfig() if source.kind == "images" else self.selection
