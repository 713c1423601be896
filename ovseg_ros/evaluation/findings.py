"""What a replay showed: figures, the labelled bag with overlays, the video and the pictures of the report."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from ovseg_ros.drawing import overlay, with_legend
from ovseg_ros.evaluation.bags import TRUTH_TOPIC, Bag, BagWriter
from ovseg_ros.evaluation.metrics import NamedScores, Scorer
from ovseg_ros.evaluation.recording import (
    CONFIDENCE_TOPIC,
    LABELS_TOPIC,
    VOCABULARY_TOPIC,
    LabelledBagWriter,
    LabelledFrame,
    read_labelled,
    read_vocabulary_message,
)
from ovseg_ros.evaluation.replay_result import ReplayResult
from ovseg_ros.video import VideoWriter
from ovseg_ros.vocabulary import Vocabulary

PANEL_WIDTH = 640
_EXTREMES = 2
_PHASE_COLORS = ((45, 55, 72), (124, 58, 237), (3, 105, 161), (180, 83, 9))


def phase_color(revision: int) -> tuple[int, int, int]:
    """RGB (0..255) that stands for a vocabulary revision in video and report."""
    return _PHASE_COLORS[(revision - 1) % len(_PHASE_COLORS)]


@dataclass(frozen=True)
class FrameFigures:
    """One frame: its number in the bag from 0, when it was sent (s from the start) and what came of it.

    `revision` and `latency_ms` are None for a frame that was dropped, the rest where there is no truth.
    """

    number: int
    sent_s: float
    revision: int | None = None
    latency_ms: float | None = None
    miou: float | None = None
    pixel_accuracy: float | None = None


@dataclass(frozen=True)
class Picture:
    """One frame side by side: arrays uint8, RGB or ids; `truth` in the vocabulary's ids, if there is one."""

    title: str
    figures: FrameFigures
    vocabulary: Vocabulary
    image: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True)
class Phase:
    """The frames answered in one vocabulary."""

    vocabulary: Vocabulary
    frames: int
    scores: NamedScores
    ignored: tuple[str, ...]


@dataclass
class Findings:
    """All that is told of a replay. `scores` is None where no answered frame has truth; `poster` is the
    video's first picture, RGB uint8."""

    frames: list[FrameFigures] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    scores: NamedScores | None = None
    pictures: list[Picture] = field(default_factory=list)
    poster: np.ndarray | None = None

    @property
    def latencies(self) -> list[float]:
        """Latency of the answered frames in ms."""
        return [frame.latency_ms for frame in self.frames if frame.latency_ms is not None]


def examine(
    recording: Path,
    image_topic: str,
    result: ReplayResult,
    labelled: Path,
    video: Path,
    video_rate: float,
    on_frame: Callable[[], None] = lambda: None,
) -> Findings:
    """Go through a recording once: count, write the labelled bag with overlays and the video."""
    with Bag(recording) as bag, BagWriter(labelled) as output:
        kind = bag.image_topic(image_topic).type
        return _Examination(bag, LabelledBagWriter(output, image_topic, kind), result).run(
            read_labelled(bag, image_topic), VideoWriter(video, video_rate), on_frame
        )


class _Examination:
    def __init__(self, bag: Bag, writer: LabelledBagWriter, result: ReplayResult) -> None:
        self._bag = bag
        self._writer = writer
        self._result = result
        self._scorer = Scorer(bag.label_names())
        self._answered: dict[int, int] = {}
        self._vocabularies: dict[int, Vocabulary] = {}
        self._canvas: tuple[int, int] | None = None
        self._gallery = _Gallery(result.frames_out)
        self._has_truth = False
        self._poster: np.ndarray | None = None

    def run(
        self, frames: Iterable[LabelledFrame], video: VideoWriter, on_frame: Callable[[], None]
    ) -> Findings:
        findings = Findings()
        try:
            for number, frame in enumerate(frames):
                for message in frame.messages:
                    self._writer.copy(message)
                findings.frames.append(self._frame(number, frame, video))
                on_frame()
        finally:
            video.close()
        findings.phases = [
            Phase(
                vocabulary,
                self._answered[revision],
                self._scorer.revision_scores(vocabulary),
                self._scorer.mapping(vocabulary).ignored if self._has_truth else (),
            )
            for revision, vocabulary in self._vocabularies.items()
        ]
        findings.scores = self._scorer.scores() if self._has_truth else None
        findings.pictures = self._gallery.pictures()
        findings.poster = self._poster
        return findings

    def _frame(self, number: int, frame: LabelledFrame, video: VideoWriter) -> FrameFigures:
        stamp, vocabulary = frame.stamp_ns, frame.vocabulary
        sent = self._result.sent_s[stamp]
        if vocabulary is None:
            return FrameFigures(number, sent)
        self._vocabularies[vocabulary.revision] = vocabulary
        self._answered[vocabulary.revision] = self._answered.get(vocabulary.revision, 0) + 1
        image = self._bag.decode_image(frame.image)
        labels = self._bag.decode_labels(frame.parts[LABELS_TOPIC])
        confidence = self._bag.decode_labels(frame.parts[CONFIDENCE_TOPIC])
        figures, truth = self._score(number, frame, labels, vocabulary)
        colored = overlay(image, labels, vocabulary)
        self._writer.write_overlay(colored, stamp, frame.messages[-1].log_ns)
        picture = self._video_picture(image, colored, labels, vocabulary, figures)
        video.write(picture)
        self._poster = picture if self._poster is None else self._poster
        self._gallery.offer(Picture("", figures, vocabulary, image, labels, confidence, truth))
        return figures

    def _score(
        self, number: int, frame: LabelledFrame, labels: np.ndarray, vocabulary: Vocabulary
    ) -> tuple[FrameFigures, np.ndarray | None]:
        """The frame's figures, and its truth in the vocabulary's ids."""
        stamp = frame.stamp_ns
        known = (number, self._result.sent_s[stamp], vocabulary.revision, self._result.latency_ms[stamp])
        message = frame.parts.get(TRUTH_TOPIC)
        if message is None or not self._scorer.truth_names:
            return FrameFigures(*known), None
        self._has_truth = True
        truth = self._bag.decode_labels(message)
        if labels.shape != truth.shape:
            size = (truth.shape[1], truth.shape[0])
            labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        scores = self._scorer.update(truth, labels, vocabulary)
        claimed = self._scorer.mapping(vocabulary).truth_as_vocabulary(truth)
        return FrameFigures(*known, scores.mean_iou, scores.pixel_accuracy), claimed

    def _video_picture(
        self,
        image: np.ndarray,
        colored: np.ndarray,
        labels: np.ndarray,
        vocabulary: Vocabulary,
        figures: FrameFigures,
    ) -> np.ndarray:
        """Image and overlay beside each other, a line of figures above, the legend below; of one size for
        the whole bag, whatever the vocabularies."""
        scale = min(1.0, PANEL_WIDTH / image.shape[1])
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        both = np.hstack(
            [cv2.resize(panel, size, interpolation=cv2.INTER_AREA) for panel in (image, colored)]
        )
        if self._canvas is None:
            blank = np.zeros((2, 2), np.uint8)
            sizes = [
                with_legend(
                    both, read_vocabulary_message(self._bag.read(message)), blank, fixed_size=True
                ).shape
                for message in self._bag.messages([VOCABULARY_TOPIC])
            ]
            self._canvas = max(height for height, _, _ in sizes), max(width for _, width, _ in sizes)
        picture = with_legend(both, vocabulary, labels, fixed_size=True)
        height, width = self._canvas
        below, right = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return np.vstack([_banner(picture.shape[1], vocabulary, figures), picture])


class _Gallery:
    """Keeps a few frames: the best, the worst, the ones around each change of vocabulary, and some evenly
    spread where there is no truth to choose by."""

    def __init__(self, frames_out: int) -> None:
        self._spread = set(np.linspace(0, frames_out - 1, 6).round().astype(int).tolist())
        self._seen = 0
        self._previous: Picture | None = None
        self._best: list[Picture] = []
        self._worst: list[Picture] = []
        self._changes: list[Picture] = []
        self._samples: list[Picture] = []

    def offer(self, picture: Picture) -> None:
        """Look at the next answered frame."""
        previous = self._previous
        if previous and previous.vocabulary.revision != picture.vocabulary.revision:
            self._changes.append(
                replace(previous, title=f"The last frame in vocabulary {previous.vocabulary.revision}")
            )
            self._changes.append(
                replace(picture, title=f"The first frame in vocabulary {picture.vocabulary.revision}")
            )
        if picture.figures.miou is not None:
            self._best = sorted([*self._best, picture], key=lambda p: -_miou(p))[:_EXTREMES]
            self._worst = sorted([*self._worst, picture], key=_miou)[:_EXTREMES]
        elif self._seen in self._spread:
            self._samples.append(picture)
        self._previous = picture
        self._seen += 1

    def pictures(self) -> list[Picture]:
        """The chosen frames, each once."""
        chosen = [
            *self._changes,
            *(replace(p, title="Among the best") for p in self._best),
            *(replace(p, title="Among the worst") for p in reversed(self._worst)),
            *(replace(p, title="Sample") for p in self._samples),
        ]
        once: dict[int, Picture] = {}
        for picture in chosen:
            once.setdefault(picture.figures.number, picture)
        return list(once.values())


def _miou(picture: Picture) -> float:
    return picture.figures.miou or 0.0


def _banner(width: int, vocabulary: Vocabulary, figures: FrameFigures) -> np.ndarray:
    height = 2 * round(max(24, width / 32) / 2)
    banner = np.full((height, width, 3), phase_color(vocabulary.revision), np.uint8)
    text = f"frame {figures.number + 1}   vocabulary {vocabulary.revision}   {figures.latency_ms:.0f} ms"
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, round(0.42 * height), 1)
    place = (round(0.4 * height), round(0.71 * height))
    cv2.putText(banner, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return banner
