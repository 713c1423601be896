"""Figures of label images against ground truth."""

from ovseg_ros.metrics.agreement import (
    BoundaryCounts,
    ConfusionMatrix,
    FlickerCounts,
    mean,
    mean_iou,
    per_class_iou,
    pixel_accuracy,
)
from ovseg_ros.metrics.calibration import ConfidenceCounts
from ovseg_ros.metrics.segmentation import FrameScore, SegmentationAccumulator, SegmentationMetrics
from ovseg_ros.metrics.truth_mapping import MappingError, TruthMapping, read_mapping

__all__ = [
    "BoundaryCounts",
    "ConfidenceCounts",
    "ConfusionMatrix",
    "FlickerCounts",
    "FrameScore",
    "MappingError",
    "SegmentationAccumulator",
    "SegmentationMetrics",
    "TruthMapping",
    "mean",
    "mean_iou",
    "per_class_iou",
    "pixel_accuracy",
    "read_mapping",
]
