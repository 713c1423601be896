"""`ovseg segment`: every frame of images, videos and bags through the model and into files."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ovseg_ros.clipseg import Classifier, DeviceLost, Segmenter, load_segmenter
from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.config import ConfigError
from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.inputs import Selection, Source, find_sources
from ovseg_ros.recordings.label_files import write_classes
from ovseg_ros.runs.class_statistics import ClassStatistics
from ovseg_ros.runs.config import SegmentConfig
from ovseg_ros.runs.progress import Advance, Progress
from ovseg_ros.runs.segment_outputs import OutputOptions, open_writer
from ovseg_ros.runs.setup import word_choice
from ovseg_ros.vocabulary import Vocabulary, shipped_vocabularies

_SHOWN_FAILURES = 10


@dataclass
class SegmentOutcome:
    """What was segmented, source by source as far as the work went, and with what; `setup` for people."""

    vocabulary: Vocabulary
    setup: dict[str, str]
    sources: int
    results: list[tuple[Source, ClassStatistics]] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False


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
    vocabulary = word_choice(engine.vocabulary, TruthConfig()).build({})
    output = Path(config.output)
    chosen = Selection(selection.every, selection.limit or None)
    sources = find_sources(paths, output, chosen, recording.topic or None)
    wanted = OutputOptions(
        output, config.overlay, config.labels, config.confidence, engine.output.overlay_alpha
    )
    with progress.stage("loading the model"):
        segmenter = load_segmenter(engine)
        classifier = segmenter.encode(vocabulary)
    write_classes(output / "classes.json", vocabulary)
    outcome = SegmentOutcome(vocabulary, segmenter.description, len(sources))
    started = time.perf_counter()
    try:
        with progress.stage("segmenting", _count(sources)) as advance:
            _segment_all(sources, segmenter, classifier, wanted, outcome, progress, advance)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.seconds = time.perf_counter() - started
    return outcome


def _segment_all(
    sources: Sequence[Source],
    segmenter: Segmenter,
    classifier: Classifier,
    options: OutputOptions,
    outcome: SegmentOutcome,
    progress: Progress,
    advance: Advance,
) -> None:
    for source in sources:
        statistics = ClassStatistics()
        outcome.results.append((source, statistics))
        try:
            _segment_source(source, segmenter, classifier, options, statistics, progress, advance)
        except OvsegError as error:
            _failed(source, statistics, str(error), progress)
            if isinstance(error, DeviceLost):
                return
        if len(statistics.failures) > _SHOWN_FAILURES:
            progress.warn(f"{source.path}: {len(statistics.failures) - _SHOWN_FAILURES} more frames failed")


def _segment_source(
    source: Source,
    segmenter: Segmenter,
    classifier: Classifier,
    options: OutputOptions,
    statistics: ClassStatistics,
    progress: Progress,
    advance: Advance,
) -> None:
    with open_writer(source, options) as writer:
        for frame in source.frames():
            try:
                image = frame.read()
                segmentation = segmenter.segment(image, classifier)
            except DeviceLost:
                raise
            except OvsegError as error:
                reason = f"frame {frame.index}: {error}" if source.kind == "bag" else str(error)
                _failed(source, statistics, reason, progress)
            else:
                writer.write(frame, image, segmentation)
                statistics.add(segmentation)
            advance()


def _failed(source: Source, statistics: ClassStatistics, reason: str, progress: Progress) -> None:
    if str(source.path) not in reason:
        reason = f"{source.path}: {reason}"
    statistics.failures.append(reason)
    if len(statistics.failures) <= _SHOWN_FAILURES:
        progress.warn(reason)


def _count(sources: Sequence[Source]) -> int:
    """Frames that the progress bar is to expect; what cannot be opened fails later and counts as one."""
    total = 0
    for source in sources:
        try:
            total += source.count()
        except OvsegError:
            total += 1
    return total
