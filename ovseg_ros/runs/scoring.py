"""Scoring a run: frames and predictions go in, in order; figures, pictures and outputs come out."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from ovseg_ros.images.drawing import overlay
from ovseg_ros.metrics import MappingError, read_mapping
from ovseg_ros.metrics.segmentation import FrameScore, SegmentationAccumulator, SegmentationMetrics
from ovseg_ros.recordings.frame import Frame
from ovseg_ros.report.pictures import Picture
from ovseg_ros.runs.facts import command, machine
from ovseg_ros.runs.prediction import Prediction
from ovseg_ros.runs.results import FrameResult, RunKind, RunResult, VocabularyPhase
from ovseg_ros.runs.sinks import Sink
from ovseg_ros.vocabulary import Vocabulary

_EXTREMES = 2
_SAMPLES = 6


@dataclass
class RunScores:
    """The scores of a run. `metrics` is None where no predicted frame has ground truth."""

    frames: list[FrameResult] = field(default_factory=list)
    phases: list[VocabularyPhase] = field(default_factory=list)
    metrics: SegmentationMetrics | None = None
    pictures: list[Picture] = field(default_factory=list)

    def result(self, kind: RunKind, *, bag: str, image_topic: str, about: Mapping[str, str]) -> RunResult:
        """What every run reports; `about` has its model, method and device."""
        return RunResult(
            kind=kind,
            metrics=self.metrics or SegmentationMetrics(),
            vocabulary_revisions=tuple(phase.revision for phase in self.phases),
            phases=tuple(self.phases),
            model=about.get("model", "unknown"),
            method=about.get("method", "unknown"),
            device=about.get("device", "unknown"),
            bag=bag,
            image_topic=image_topic,
            command=command(),
            machine=machine(),
            per_frame=tuple(self.frames),
        )


class Scorer:
    """Takes frames in order and scores them. Use as a context manager, which opens and closes the sinks.

    Args:
        meter: measures them; also says how the ground truth's names and the vocabulary come together.
        expected: about how many predicted frames will come, for an even choice of pictures.
        sinks: the labelled bag and the video, where they are wanted.
        pictures: whether to keep some frames as pictures.
        follow: whether to measure the flicker along the motion. Without it, pictures and sinks no image is
            decoded.
    """

    def __init__(
        self,
        meter: SegmentationAccumulator,
        expected: int,
        sinks: Sequence[Sink] = (),
        *,
        pictures: bool = True,
        follow: bool = False,
    ) -> None:
        self._meter = meter
        self._follow = follow
        self._sinks = sinks
        self._pictures = _Pictures(expected) if pictures else None
        self._frames: list[FrameResult] = []
        self._predicted: dict[int, int] = {}
        self._with_truth: set[int] = set()
        self._vocabularies: dict[int, Vocabulary] = {}
        self._open = ExitStack()

    def __enter__(self) -> "Scorer":
        with ExitStack() as opened:
            for sink in self._sinks:
                opened.enter_context(sink)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def score(self, prediction: Prediction) -> FrameScore | None:
        """Count a frame on its own, before `add`; may run in several threads. None for one without ground
        truth. Raises OvsegError where its truth or its image cannot be decoded."""
        frame = prediction.frame
        if frame.truth is None or not self._meter.truth_names:
            return None
        truth, labels, confidence = frame.truth(), prediction.labels, prediction.confidence
        if labels.shape != truth.shape:
            size = (truth.shape[1], truth.shape[0])
            labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
            if confidence is not None:
                confidence = cv2.resize(confidence, size, interpolation=cv2.INTER_NEAREST)
        image = frame.image() if self._follow else None
        return self._meter.score(truth, labels, confidence, prediction.vocabulary, image)

    def add_dropped(self, frame: Frame, sent_s: float) -> None:
        """Take a frame without a prediction."""
        self._frames.append(FrameResult(frame.number, sent_s))
        for sink in self._sinks:
            sink.write_dropped(frame)

    def add(self, prediction: Prediction, scored: FrameScore | None = None) -> FrameResult:
        """Take a predicted frame, with its counts where `score` made them already."""
        revision = prediction.vocabulary.revision
        self._vocabularies[revision] = prediction.vocabulary
        self._predicted[revision] = self._predicted.get(revision, 0) + 1
        scored = scored or self.score(prediction)
        miou = pixel_accuracy = None
        if scored is not None:
            self._meter.add(scored)
            self._with_truth.add(revision)
            miou, pixel_accuracy = scored.miou, scored.pixel_accuracy
        known = (prediction.frame.number, prediction.sent_s, revision, prediction.latency_ms)
        score = FrameResult(*known, miou, pixel_accuracy)
        self._frames.append(score)
        if self._pictures is not None:
            self._pictures.offer(prediction, score, scored.truth if scored else None)
        if self._sinks:
            image = prediction.frame.image()
            colored = overlay(image, prediction.labels, prediction.vocabulary)
            for sink in self._sinks:
                sink.write(prediction, score, image, colored)
        return score

    def finish(self) -> RunScores:
        """The scores of the frames so far."""
        phases = [self._phase(vocabulary) for vocabulary in self._vocabularies.values()]
        metrics = self._meter.compute() if self._with_truth else None
        pictures = self._pictures.chosen() if self._pictures is not None else []
        return RunScores(self._frames, phases, metrics, pictures)

    def _phase(self, vocabulary: Vocabulary) -> VocabularyPhase:
        metrics = SegmentationMetrics()
        ignored: tuple[str, ...] = ()
        if vocabulary.revision in self._with_truth:
            metrics, ignored = self._meter.compute(vocabulary), self._meter.mapping(vocabulary).ignored
        return VocabularyPhase(
            revision=vocabulary.revision,
            classes=tuple("; ".join(entry.prompts) for entry in vocabulary.classes),
            background=tuple(vocabulary.background),
            ignored=ignored,
            metrics=replace(metrics, frames=self._predicted[vocabulary.revision]),
        )


def make_meter(
    truth_names: Mapping[int, str], mapping: str, vocabularies: Sequence[Vocabulary]
) -> SegmentationAccumulator:
    """The meter for a run.

    Args:
        truth_names: names of the ground truth's classes by id.
        mapping: a file as `metrics.read_mapping` reads it; "": by name and synonym alone.
        vocabularies: that predictions will be in.

    Raises MappingError where ground truth and vocabularies have nothing in common.
    """
    meter = SegmentationAccumulator(truth_names, read_mapping(Path(mapping)) if mapping else None)
    if not any(meter.mapping(vocabulary).groups for vocabulary in vocabularies):
        prompts = [prompt for words in vocabularies for entry in words.classes for prompt in entry.prompts]
        raise MappingError(
            f"no class of the ground truth ({', '.join(truth_names.values())}) is called like one of the "
            f"vocabulary ({', '.join(prompts)}); expected synonyms in the vocabulary, or a mapping file "
            "(--mapping)"
        )
    return meter


class _Pictures:
    """Keeps the best frames, the worst, the ones around each change of vocabulary, and some evenly spread
    where there is no ground truth to choose by. Images are decoded only for the frames that are kept."""

    def __init__(self, expected: int) -> None:
        self._spread = set(np.linspace(0, expected - 1, _SAMPLES).round().astype(int).tolist())
        self._seen = 0
        self._previous: tuple[Prediction, FrameResult, np.ndarray | None] | None = None
        self._best: list[Picture] = []
        self._worst: list[Picture] = []
        self._changes: list[Picture] = []
        self._samples: list[Picture] = []

    def offer(self, prediction: Prediction, score: FrameResult, truth: np.ndarray | None) -> None:
        """Look at the next predicted frame; `truth` as in Picture."""
        current = (prediction, score, truth)
        revision = prediction.vocabulary.revision
        if self._previous is not None and self._previous[0].vocabulary.revision != revision:
            last = self._previous[0].vocabulary.revision
            self._changes.append(_picture(f"The last frame in vocabulary {last}", *self._previous))
            self._changes.append(_picture(f"The first frame in vocabulary {revision}", *current))
        if score.miou is not None:
            if len(self._best) < _EXTREMES or score.miou > _miou(self._best[-1]):
                self._best.append(_picture("Among the best", *current))
                self._best = sorted(self._best, key=lambda p: -_miou(p))[:_EXTREMES]
            if len(self._worst) < _EXTREMES or score.miou < _miou(self._worst[-1]):
                self._worst.append(_picture("Among the worst", *current))
                self._worst = sorted(self._worst, key=_miou)[:_EXTREMES]
        elif self._seen in self._spread:
            self._samples.append(_picture("Sample", *current))
        # Its messages are let go with the next frame; a chosen picture holds arrays of its own.
        self._previous = current
        self._seen += 1

    def chosen(self) -> list[Picture]:
        """The chosen frames, each once."""
        once: dict[int, Picture] = {}
        for picture in [*self._changes, *self._best, *reversed(self._worst), *self._samples]:
            once.setdefault(picture.score.number, picture)
        return list(once.values())


def _picture(title: str, prediction: Prediction, score: FrameResult, truth: np.ndarray | None) -> Picture:
    labels, confidence = prediction.labels, prediction.confidence
    return Picture(title, score, prediction.vocabulary, prediction.frame.image(), labels, confidence, truth)


def _miou(picture: Picture) -> float:
    return picture.score.miou or 0.0
