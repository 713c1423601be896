"""Figures of label images against ground truth."""

from typing import ParamSpec, Protocol, TypeVar

from typing_extensions import Self

from ovseg_ros.metrics.boundary import BoundaryCounts, BoundaryScores
from ovseg_ros.metrics.calibration import Calibration, ConfidenceCounts
from ovseg_ros.metrics.confusion import (
    ConfusionMatrix,
    FlickerCounts,
    Scores,
    mean,
    mean_iou,
    per_class_iou,
    pixel_accuracy,
)
from ovseg_ros.metrics.segmentation import (
    FrameScore,
    SegmentationAccumulator,
    SegmentationMetrics,
)
from ovseg_ros.metrics.truth_mapping import MappingError, TruthMapping, read_mapping

__all__ = [
    "BoundaryCounts",
    "BoundaryScores",
    "Calibration",
    "ConfidenceCounts",
    "ConfusionMatrix",
    "FlickerCounts",
    "FrameScore",
    "MappingError",
    "Metric",
    "Scores",
    "SegmentationAccumulator",
    "SegmentationMetrics",
    "TruthMapping",
    "mean",
    "mean_iou",
    "per_class_iou",
    "pixel_accuracy",
    "read_mapping",
]

Frame = ParamSpec("Frame")
Figures = TypeVar("Figures", covariant=True)


class Metric(Protocol[Frame, Figures]):
    """Counts frames in whole numbers, so that they add up exactly in whatever order."""

    def update(self, *frame: Frame.args, **named: Frame.kwargs) -> None:
        """Count a frame: label images uint8 [H, W] of one size."""

    def add(self, other: Self) -> None:
        """Add what another of the kind has counted."""

    def compute(self) -> Figures:
        """The figures of what was counted."""
