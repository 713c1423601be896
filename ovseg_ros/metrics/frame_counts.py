"""What frames add to the figures, in whole numbers that add up exactly."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from ovseg_ros.metrics import (
    BoundaryCounts,
    ConfidenceCounts,
    ConfusionMatrix,
    FlickerCounts,
    TruthMapping,
    mean_iou,
    pixel_accuracy,
)
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID

BESIDE = ("background", "unlabelled", "other")
"""The last columns of a pooled confusion matrix: predictions that stand for no class of the truth. Other is a
class of the vocabulary that claims nothing of the truth; background counts here where it claims nothing."""


@dataclass
class FrameCounts:
    """What one frame, or several of one vocabulary, add to the figures: whole numbers only."""

    frames: int = 0
    confusion: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    boundary: BoundaryCounts = field(default_factory=BoundaryCounts)
    confidence: ConfidenceCounts = field(default_factory=ConfidenceCounts)
    flicker: FlickerCounts = field(default_factory=FlickerCounts)
    flicker_along_motion: FlickerCounts = field(default_factory=FlickerCounts)

    def add(self, other: "FrameCounts") -> None:
        """Add the counts of other frames."""
        self.frames += other.frames
        self.confusion.add(other.confusion)
        self.boundary.add(other.boundary)
        self.confidence.add(other.confidence)
        self.flicker.add(other.flicker)
        self.flicker_along_motion.add(other.flicker_along_motion)

    def scores(self, ids: Iterable[int]) -> tuple[float | None, float | None]:
        """Mean IoU over the classes `ids`, and pixel accuracy."""
        return mean_iou(self.confusion.counts, list(ids)), pixel_accuracy(self.confusion.counts)


class Pool:
    """Counts over several vocabularies, whose classes are brought together by the truth that they claim.

    `confusion` has a row for each of the names and `BESIDE` behind their columns; `boundary` and
    `by_confidence` (wrong, right) belong to the rows; `spared` marks rows that are the background somewhere.
    """

    def __init__(self, names: list[str]) -> None:
        self.places = {name: place for place, name in enumerate(names)}
        size = len(names)
        self.confusion = np.zeros((size, size + len(BESIDE)), np.int64)
        self.boundary = np.zeros((size, 4), np.int64)
        self.by_confidence = np.zeros((2, size, 256), np.int64)
        self.spared = np.zeros(size, bool)
        self.confidence = ConfidenceCounts()
        self.flicker = FlickerCounts()
        self.flicker_along_motion = FlickerCounts()
        self.frames = 0

    @property
    def truth(self) -> Int64[np.ndarray, " g"]:
        """True pixels of each class."""
        return self.confusion.sum(axis=1)

    def add(self, mapping: TruthMapping, counts: FrameCounts) -> None:
        size = len(self.places)
        column = np.full(256, size + BESIDE.index("other"))
        column[BACKGROUND_ID] = size + BESIDE.index("background")
        column[UNLABELLED_ID] = size + BESIDE.index("unlabelled")
        places = {owner: self.places[mapping.group_name(owner)] for owner in mapping.groups}
        for owner, place in places.items():
            column[owner] = place
        for owner, place in places.items():
            matrix = counts.confusion.counts[owner]
            np.add.at(self.confusion[place], column, matrix)
            self.boundary[place] += counts.boundary.counts[:, owner]
            self.by_confidence[:, place] += counts.confidence.counts[:, owner]
            self.spared[place] |= owner == BACKGROUND_ID
        self.confidence.add(counts.confidence)
        self.flicker.add(counts.flicker)
        self.flicker_along_motion.add(counts.flicker_along_motion)
        self.frames += counts.frames
