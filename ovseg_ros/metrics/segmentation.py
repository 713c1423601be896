"""Everything that is measured against ground truth over a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64, UInt8

from ovseg_ros.images.motion import Follower
from ovseg_ros.metrics.agreement import (
    EXTRA_COLUMNS,
    TOLERANCE,
    BoundaryCounts,
    ConfusionMatrix,
    ConfusionTable,
    Count,
    FlickerCounts,
    Share,
    boundary_f,
    mean,
    mean_iou,
    pixel_accuracy,
    share,
)
from ovseg_ros.metrics.calibration import ConfidenceCounts, ReliabilityBin, best_threshold
from ovseg_ros.metrics.truth_mapping import TruthMapping
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary

FOLLOWED_SIDE, FOLLOWED_WITHIN = 320, 1.0
"""Longer side of the images in which motion is followed, and pixels that the way there and back may miss."""


@dataclass(frozen=True)
class BestThreshold:
    """The threshold on the confidence with the highest mean IoU, and that; None without confidence."""

    threshold: Share | None = None
    miou: Share | None = None


@dataclass(frozen=True)
class SegmentationMetrics:
    """Figures over a run. Shares are 0..1; None where there is nothing to measure.

    Only pixels whose truth a class of the vocabulary (or its background) claims are counted; predicted
    background, 255 and classes that claim nothing are wrong there.

    Attributes:
        frames, pixels: counted.
        miou: mean of `per_class_iou`.
        frequency_weighted_iou: mean of the IoU, each weighted by the class's share of the truth.
        pixel_accuracy: share of right pixels.
        mean_accuracy: mean over the classes in the truth of the share of their pixels that are right.
        per_class_iou: intersection over union; None for a class neither in the truth nor predicted.
        boundary_f: mean of `per_class_boundary_f`, the F of the borders within `boundary_tolerance`.
        ece, brier, reliability: confidence against truth, see `metrics.calibration`.
        flicker: share of the pixels whose label changes between consecutive frames, of those whose truth
            does not.
        flicker_along_motion: the same at the places to which the image has moved between the two frames, of
            those that optical flow can follow; None without images.
        unlabelled_share: share of the counted pixels that are labelled 255.
    """

    frames: Count | None = None
    pixels: Count | None = None
    miou: Share | None = None
    frequency_weighted_iou: Share | None = None
    pixel_accuracy: Share | None = None
    mean_accuracy: Share | None = None
    per_class_iou: dict[str, Share | None] = field(default_factory=dict)
    boundary_f: Share | None = None
    per_class_boundary_f: dict[str, Share | None] = field(default_factory=dict)
    boundary_tolerance: Share | None = None
    ece: Share | None = None
    brier: Share | None = None
    reliability: tuple[ReliabilityBin, ...] = ()
    best_threshold: BestThreshold = BestThreshold()
    flicker: Share | None = None
    flicker_along_motion: Share | None = None
    unlabelled_share: Share | None = None
    confusion: ConfusionTable | None = None


@dataclass
class FrameStatistics:
    """What one frame, or several of one vocabulary, add to the metrics: whole numbers only."""

    frames: int = 0
    confusion: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    boundary: BoundaryCounts = field(default_factory=BoundaryCounts)
    confidence: ConfidenceCounts = field(default_factory=ConfidenceCounts)
    flicker: FlickerCounts = field(default_factory=FlickerCounts)
    flicker_along_motion: FlickerCounts = field(default_factory=FlickerCounts)

    def add(self, other: "FrameStatistics") -> None:
        """Add the counts of other frames."""
        self.frames += other.frames
        self.confusion.add(other.confusion)
        self.boundary.add(other.boundary)
        self.confidence.add(other.confidence)
        self.flicker.add(other.flicker)
        self.flicker_along_motion.add(other.flicker_along_motion)


@dataclass(frozen=True, eq=False)
class FrameScore:
    """A frame's counts, and what was counted; the truth is in the vocabulary's ids, 255 where nothing claims
    it. The image is as `Follower.reduced` gives it; None where it was not asked for."""

    vocabulary: Vocabulary
    truth: UInt8[np.ndarray, "H W"]
    labels: UInt8[np.ndarray, "H W"]
    confidence: UInt8[np.ndarray, "H W"] | None
    statistics: FrameStatistics
    miou: float | None
    pixel_accuracy: float | None
    image: UInt8[np.ndarray, "h w"] | None = None


class SegmentationAccumulator:
    """Measures a run frame by frame, by vocabulary revision and over all.

    A class is what it claims of the truth: "pedestrian" and later "person; pedestrian" are one class
    in the figures over all, since both claim the truth's "pedestrian".

    Args:
        truth_names: names of the truth's classes by id.
        given: what a mapping file says of them (`metrics.read_mapping`).
    """

    def __init__(self, truth_names: Mapping[int, str], given: Mapping[str, str] | None = None) -> None:
        self.truth_names = dict(truth_names)
        self._given = given
        self._mappings: dict[int, TruthMapping] = {}
        self._statistics: dict[int, FrameStatistics] = {}
        self._previous: FrameScore | None = None
        self._follower = Follower(FOLLOWED_SIDE, FOLLOWED_WITHIN)

    def mapping(self, vocabulary: Vocabulary) -> TruthMapping:
        """How the truth belongs to this vocabulary. Raises MappingError."""
        if vocabulary.revision not in self._mappings:
            mapping = TruthMapping.by_name(self.truth_names, vocabulary, self._given)
            self._mappings[vocabulary.revision] = mapping
        return self._mappings[vocabulary.revision]

    def update(
        self,
        truth: UInt8[np.ndarray, "H W"],
        labels: UInt8[np.ndarray, "H W"],
        confidence: UInt8[np.ndarray, "H W"] | None,
        vocabulary: Vocabulary,
        image: UInt8[np.ndarray, "h w 3"] | None = None,
    ) -> FrameScore:
        """Count the next frame; truth in its own ids, labels in the vocabulary's, all of one size. The image
        (RGB, of any size) is for the flicker along the motion.

        Raises ValueError where the sizes differ.
        """
        frame = self.score(truth, labels, confidence, vocabulary, image)
        self.add(frame)
        return frame

    def score(
        self,
        truth: UInt8[np.ndarray, "H W"],
        labels: UInt8[np.ndarray, "H W"],
        confidence: UInt8[np.ndarray, "H W"] | None,
        vocabulary: Vocabulary,
        image: UInt8[np.ndarray, "h w 3"] | None = None,
    ) -> FrameScore:
        """Count a frame on its own, as `update` does; may run in several threads."""
        mapping = self.mapping(vocabulary)
        mapped = mapping.table[truth]
        statistics = FrameStatistics(frames=1)
        statistics.confusion.update(mapped, labels)
        statistics.boundary.update(mapped, labels, mapping.groups)
        if confidence is not None:
            statistics.confidence.update(mapped, labels, confidence)
        counts = statistics.confusion.counts
        figures = mean_iou(counts, mapping.groups), pixel_accuracy(counts)
        small = None if image is None else self._follower.reduced(image)
        return FrameScore(vocabulary, mapped, labels, confidence, statistics, *figures, small)

    def add(self, frame: FrameScore) -> None:
        """Add a frame that `score` counted; in the order of time, for the flicker's sake."""
        previous = self._previous
        # Other words are other labels: a change of vocabulary is no flicker.
        if previous is not None and previous.vocabulary.revision == frame.vocabulary.revision:
            after = (frame.truth, frame.labels)
            frame.statistics.flicker.update((previous.truth, previous.labels), after)
            if previous.image is not None and frame.image is not None:
                motion = self._follower.motion(previous.image, frame.image)
                if motion is not None:
                    truth = motion.carried(previous.truth, UNLABELLED_ID)
                    labels = motion.carried(previous.labels, UNLABELLED_ID)
                    frame.statistics.flicker_along_motion.update((truth, labels), after)
        self._statistics.setdefault(frame.vocabulary.revision, FrameStatistics()).add(frame.statistics)
        self._previous = frame

    def compute(self, vocabulary: Vocabulary | None = None) -> SegmentationMetrics:
        """The figures over all frames, or over those labelled in one vocabulary."""
        if vocabulary is None:
            parts = [(self._mappings[number], counts) for number, counts in self._statistics.items()]
        else:
            counts = self._statistics.get(vocabulary.revision, FrameStatistics())
            parts = [(self.mapping(vocabulary), counts)]
        names = dict.fromkeys(mapping.group_name(owner) for mapping, _ in parts for owner in mapping.groups)
        pool = _Pool(list(names))
        for mapping, counts in parts:
            pool.add(mapping, counts)
        return pool.compute()


class _Pool:
    """Counts over several vocabularies, whose classes are brought together by the truth that they claim.

    `confusion` has a row for each of the names and `EXTRA_COLUMNS` behind their columns; `boundary` and
    `by_confidence` (wrong, right) belong to the rows; `spared` marks rows that are the background somewhere.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        size = len(names)
        self.confusion = np.zeros((size, size + len(EXTRA_COLUMNS)), np.int64)
        self.boundary = np.zeros((size, 4), np.int64)
        self.by_confidence: Int64[np.ndarray, "2 g 256"] = np.zeros((2, size, 256), np.int64)
        self.spared = np.zeros(size, bool)
        self.all = FrameStatistics()

    def add(self, mapping: TruthMapping, counts: FrameStatistics) -> None:
        size = len(self.names)
        column = np.full(256, size + EXTRA_COLUMNS.index("other"))
        column[BACKGROUND_ID] = size + EXTRA_COLUMNS.index("background")
        column[UNLABELLED_ID] = size + EXTRA_COLUMNS.index("unlabelled")
        rows = {owner: self.names.index(mapping.group_name(owner)) for owner in mapping.groups}
        for owner, row in rows.items():
            column[owner] = row
        for owner, row in rows.items():
            np.add.at(self.confusion[row], column, counts.confusion.counts[owner])
            self.boundary[row] += counts.boundary.counts[:, owner]
            self.by_confidence[:, row] += counts.confidence.counts[:, owner]
            self.spared[row] |= owner == BACKGROUND_ID
        self.all.add(counts)

    def compute(self) -> SegmentationMetrics:
        names, size = self.names, len(self.names)
        square, truths = self.confusion[:, :size], self.confusion.sum(axis=1)
        hits = [int(hit) for hit in np.diagonal(square)]
        truth = [int(row) for row in truths]
        predicted = [int(column) for column in square.sum(axis=0)]
        ious = [share(h, t + p - h) for h, t, p in zip(hits, truth, predicted, strict=True)]
        pixels = sum(truth)
        weighted = sum(t * iou for t, iou in zip(truth, ious, strict=True) if iou is not None)
        boundary = {name: boundary_f(row) for name, row in zip(names, self.boundary, strict=True)}
        calibration = self.all.confidence.compute()
        wrong, right = self.by_confidence
        best = best_threshold(right, wrong + right, truths, self.spared) if calibration else None
        return SegmentationMetrics(
            frames=self.all.frames,
            pixels=pixels,
            miou=mean(ious),
            frequency_weighted_iou=weighted / pixels if pixels else None,
            pixel_accuracy=share(sum(hits), pixels),
            mean_accuracy=mean(share(h, t) for h, t in zip(hits, truth, strict=True)),
            per_class_iou=dict(zip(names, ious, strict=True)),
            boundary_f=mean(boundary.values()),
            per_class_boundary_f=boundary,
            boundary_tolerance=TOLERANCE,
            ece=calibration.ece if calibration else None,
            brier=calibration.brier if calibration else None,
            reliability=calibration.bins if calibration else (),
            best_threshold=BestThreshold(*best) if best else BestThreshold(),
            flicker=self.all.flicker.compute(),
            flicker_along_motion=self.all.flicker_along_motion.compute(),
            unlabelled_share=share(
                int(self.confusion[:, size + EXTRA_COLUMNS.index("unlabelled")].sum()), pixels
            ),
            confusion=ConfusionTable(
                tuple(names), (*names, *EXTRA_COLUMNS), tuple(map(tuple, self.confusion.tolist()))
            ),
        )
