"""Figures of label images against ground truth. Each metric counts in integers with `update`, adds up exactly
with `add` in whatever order, and gives its figures with `compute`."""

from ovseg_ros.metrics.boundary import BoundaryCounts, BoundaryScores
from ovseg_ros.metrics.calibration import Calibration, ConfidenceCounts
from ovseg_ros.metrics.confusion import (
    ConfusionMatrix,
    Scores,
    mean,
    mean_iou,
    per_class_iou,
    pixel_accuracy,
)
from ovseg_ros.metrics.flicker import FlickerCounts
from ovseg_ros.metrics.truth_mapping import MappingError, TruthMapping, read_mapping

__all__ = [
    "BoundaryCounts",
    "BoundaryScores",
    "Calibration",
    "ConfidenceCounts",
    "ConfusionMatrix",
    "FlickerCounts",
    "MappingError",
    "Scores",
    "TruthMapping",
    "mean",
    "mean_iou",
    "per_class_iou",
    "pixel_accuracy",
    "read_mapping",
]
