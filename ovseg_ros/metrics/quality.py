"""Everything that is measured against ground truth over a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from ovseg_ros.images.motion import Follower
from ovseg_ros.metrics import Calibration, TruthMapping, mean
from ovseg_ros.metrics.boundary import TOLERANCE, boundary_f
from ovseg_ros.metrics.calibration import best_threshold
from ovseg_ros.metrics.confusion import share
from ovseg_ros.metrics.frame_counts import BESIDE, FrameCounts, Pool
from ovseg_ros.vocabulary import UNLABELLED_ID, Vocabulary

FOLLOWED_SIDE, FOLLOWED_WITHIN = 320, 1.0
"""Longer side of the images in which motion is followed, and pixels that the way there and back may miss."""


@dataclass(frozen=True, eq=False)
class Quality:
    """Figures over a run. Shares are 0..1; None where there is nothing to tell.

    Only pixels whose truth a class of the vocabulary (or its background) claims are counted; predicted
    background, 255 and classes that claim nothing are wrong there.

    Attributes:
        classes: in the truth's words, as `TruthMapping.group_name` has them.
        frames, pixels: counted.
        confusion: pixels by true class (row) and predicted one (column); the columns go on with `BESIDE`.
        per_class_iou: intersection over union; None for a class neither in the truth nor predicted.
        miou: mean of those.
        frequency_weighted_iou: mean of the IoU, each weighted by the class's share of the truth.
        pixel_accuracy: share of right pixels.
        mean_accuracy: mean over the classes in the truth of the share of their pixels that are right.
        per_class_boundary_f, boundary_f: F of the borders within `metrics.boundary.TOLERANCE`, and its mean.
        calibration: confidence against truth; None without confidence.
        best_threshold: on the confidence, gives the highest mean IoU; `best_threshold_miou` is that.
        flicker: share of the pixels whose label changes between consecutive frames, of those whose truth
            does not.
        flicker_along_motion: the same at the places to which the image has moved between the two frames, of
            those that optical flow can follow; None without images.
        unlabelled_share: share of the counted pixels that are labelled 255.
    """

    classes: tuple[str, ...]
    frames: int
    pixels: int
    confusion: Int64[np.ndarray, "g g+3"]
    per_class_iou: dict[str, float | None]
    miou: float | None
    frequency_weighted_iou: float | None
    pixel_accuracy: float | None
    mean_accuracy: float | None
    per_class_boundary_f: dict[str, float | None]
    boundary_f: float | None
    calibration: Calibration | None
    best_threshold: float | None
    best_threshold_miou: float | None
    flicker: float | None
    flicker_along_motion: float | None
    unlabelled_share: float | None

    @property
    def ece(self) -> float | None:
        """Expected calibration error."""
        return self.calibration.ece if self.calibration else None

    @property
    def brier(self) -> float | None:
        """Brier score of the shown label."""
        return self.calibration.brier if self.calibration else None

    def figures(self) -> dict[str, Any]:
        """For JSON. Bins of the reliability curve that are empty have None for confidence and accuracy."""
        return {
            "frames": self.frames,
            "pixels": self.pixels,
            "miou": self.miou,
            "frequency_weighted_iou": self.frequency_weighted_iou,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": self.mean_accuracy,
            "per_class_iou": self.per_class_iou,
            "boundary_f": self.boundary_f,
            "per_class_boundary_f": self.per_class_boundary_f,
            "boundary_tolerance": TOLERANCE,
            "ece": self.ece,
            "brier": self.brier,
            "reliability": _reliability(self.calibration),
            "best_threshold": {"threshold": self.best_threshold, "miou": self.best_threshold_miou},
            "flicker": self.flicker,
            "flicker_along_motion": self.flicker_along_motion,
            "unlabelled_share": self.unlabelled_share,
            "confusion": {
                "truth": list(self.classes),
                "predicted": [*self.classes, *BESIDE],
                "counts": self.confusion.tolist(),
            },
        }


def _reliability(calibration: Calibration | None) -> list[dict[str, Any]]:
    if calibration is None:
        return []
    low, high = calibration.edges[:-1].tolist(), calibration.edges[1:].tolist()
    columns = (calibration.counts, calibration.confidence, calibration.accuracy)
    return [
        {
            "low": bottom,
            "high": top,
            "pixels": pixels,
            "confidence": confidence if pixels else None,
            "accuracy": accuracy if pixels else None,
        }
        for bottom, top, pixels, confidence, accuracy in zip(
            low, high, *(column.tolist() for column in columns), strict=True
        )
    ]


@dataclass(frozen=True, eq=False)
class ScoredFrame:
    """A frame's counts, and what was counted; the truth is in the vocabulary's ids, 255 where nothing claims
    it. The image is as `Follower.reduced` gives it; None where it was not asked for."""

    vocabulary: Vocabulary
    truth: UInt8[np.ndarray, "H W"]
    labels: UInt8[np.ndarray, "H W"]
    confidence: UInt8[np.ndarray, "H W"] | None
    counts: FrameCounts
    miou: float | None
    pixel_accuracy: float | None
    image: UInt8[np.ndarray, "h w"] | None = None


class QualityMeter:
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
        self._counts: dict[int, FrameCounts] = {}
        self._previous: ScoredFrame | None = None
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
    ) -> ScoredFrame:
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
    ) -> ScoredFrame:
        """Count a frame on its own; may run in several threads."""
        mapping = self.mapping(vocabulary)
        owned = mapping.truth_as_vocabulary(truth)
        counts = FrameCounts(frames=1)
        counts.confusion.update(owned, labels)
        counts.boundary.update(owned, labels, mapping.groups)
        if confidence is not None:
            counts.confidence.update(owned, labels, confidence)
        small = None if image is None else self._follower.reduced(image)
        figures = counts.scores(mapping.groups)
        return ScoredFrame(vocabulary, owned, labels, confidence, counts, *figures, small)

    def add(self, frame: ScoredFrame) -> None:
        """Add a frame that `score` counted; in the order of time, for the flicker's sake."""
        previous = self._previous
        # Other words are other labels: a change of vocabulary is no flicker.
        if previous is not None and previous.vocabulary.revision == frame.vocabulary.revision:
            frame.counts.flicker.update((previous.truth, previous.labels), (frame.truth, frame.labels))
            self._count_along_motion(previous, frame)
        self._counts.setdefault(frame.vocabulary.revision, FrameCounts()).add(frame.counts)
        self._previous = frame

    def _count_along_motion(self, before: ScoredFrame, after: ScoredFrame) -> None:
        if before.image is None or after.image is None:
            return
        motion = self._follower.motion(before.image, after.image)
        if motion is not None:
            truth, labels = (motion.carried(image, UNLABELLED_ID) for image in (before.truth, before.labels))
            after.counts.flicker_along_motion.update((truth, labels), (after.truth, after.labels))

    def compute(self, vocabulary: Vocabulary | None = None) -> Quality:
        """The figures over all frames, or over those labelled in one vocabulary."""
        if vocabulary is None:
            return _pooled([(self._mappings[number], counts) for number, counts in self._counts.items()])
        return _pooled([(self.mapping(vocabulary), self._counts.get(vocabulary.revision, FrameCounts()))])


def _pooled(parts: list[tuple[TruthMapping, FrameCounts]]) -> Quality:
    names = list(dict.fromkeys(mapping.group_name(owner) for mapping, _ in parts for owner in mapping.groups))
    pool = Pool(names)
    for mapping, counts in parts:
        pool.add(mapping, counts)
    size = len(names)
    square = pool.confusion[:, :size]
    hits = [int(hit) for hit in np.diagonal(square)]
    truth = [int(row) for row in pool.truth]
    predicted = [int(column) for column in square.sum(axis=0)]
    ious = [share(h, t + p - h) for h, t, p in zip(hits, truth, predicted, strict=True)]
    pixels = sum(truth)
    weighted = sum(t * iou for t, iou in zip(truth, ious, strict=True) if iou is not None)
    boundary = {name: boundary_f(row) for name, row in zip(names, pool.boundary, strict=True)}
    calibration = pool.confidence.compute()
    wrong, right = pool.by_confidence
    best = best_threshold(right, wrong + right, pool.truth, pool.spared) if calibration else None
    return Quality(
        classes=tuple(names),
        frames=pool.frames,
        pixels=pixels,
        confusion=pool.confusion,
        per_class_iou=dict(zip(names, ious, strict=True)),
        miou=mean(ious),
        frequency_weighted_iou=weighted / pixels if pixels else None,
        pixel_accuracy=share(sum(hits), pixels),
        mean_accuracy=mean(share(h, t) for h, t in zip(hits, truth, strict=True)),
        per_class_boundary_f=boundary,
        boundary_f=mean(boundary.values()),
        calibration=calibration,
        best_threshold=best[0] if best else None,
        best_threshold_miou=best[1] if best else None,
        flicker=pool.flicker.compute(),
        flicker_along_motion=pool.flicker_along_motion.compute(),
        unlabelled_share=share(int(pool.confusion[:, size + BESIDE.index("unlabelled")].sum()), pixels),
    )
