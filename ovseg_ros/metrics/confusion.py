"""Pixels counted by true and predicted id, and labels that change although the truth does not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Int64, UInt8

from ovseg_ros.vocabulary import UNLABELLED_ID

Share = Annotated[float, Ge(0), Le(1)]
Count = Annotated[int, Ge(0)]

EXTRA_COLUMNS = ("background", "unlabelled", "other")
"""The last columns of a confusion table: predictions that stand for no class of the truth. Other is a class
of the vocabulary that claims nothing of the truth; background counts here where it claims nothing."""


class ConfusionMatrix:
    """Counts pixels by true id (row) and predicted id (column), int64 [256, 256].

    Pixels whose true id is `ignore_id` are left out.
    """

    def __init__(self, ignore_id: int = UNLABELLED_ID) -> None:
        self.ignore_id = ignore_id
        self.counts: Int64[np.ndarray, "256 256"] = np.zeros((256, 256), np.int64)

    def update(self, truth: UInt8[np.ndarray, "H W"], prediction: UInt8[np.ndarray, "H W"]) -> None:
        """Add one label image. Raises ValueError where the shapes differ."""
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape} and prediction {prediction.shape}; they must be equal")
        pairs = truth.astype(np.int64)
        pairs <<= 8
        pairs |= prediction
        counts = np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)
        counts[self.ignore_id] = 0
        self.counts += counts

    def add(self, other: "ConfusionMatrix") -> None:
        """Add the counts of another matrix."""
        self.counts += other.counts

    def compute(self, ids: Sequence[int] = range(UNLABELLED_ID)) -> "Scores":
        """The figures over the classes `ids`."""
        ious = per_class_iou(self.counts, ids)
        return Scores(ious, mean(ious.values()), pixel_accuracy(self.counts), int(self.counts.sum()))


class FlickerCounts:
    """Counts, over pairs of consecutive frames, pixels whose truth stays, and those among them whose label
    changes. A pixel without truth in either frame does not count; moving objects count where they overlap
    their former place."""

    def __init__(self) -> None:
        self.steady = 0
        self.changed = 0

    def update(
        self,
        before: tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]],
        after: tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]],
    ) -> None:
        """Add a pair of frames, each its truth and labels. Frames of two sizes have no common pixel."""
        if before[0].shape != after[0].shape:
            return
        steady = (before[0] == after[0]) & (after[0] != UNLABELLED_ID)
        self.steady += int(np.count_nonzero(steady))
        self.changed += int(np.count_nonzero(steady & (before[1] != after[1])))

    def add(self, other: "FlickerCounts") -> None:
        """Add the counts of other pairs."""
        self.steady += other.steady
        self.changed += other.changed

    def compute(self) -> float | None:
        """The share 0..1 of the steady pixels whose label changes; None where there was no such pixel."""
        return share(self.changed, self.steady)


@dataclass(frozen=True)
class Scores:
    """IoU by class id (None: the class is neither in the truth nor predicted), their mean, the share of
    right pixels (both None where nothing was counted), and the number of counted pixels."""

    per_class_iou: dict[int, float | None]
    mean_iou: float | None
    pixel_accuracy: float | None
    pixels: int


@dataclass(frozen=True)
class ConfusionTable:
    """Pixels by true class (row) and predicted class (column), in the truth's words, as
    `TruthMapping.group_name` has them. The columns begin with the rows' classes; `EXTRA_COLUMNS` follow."""

    truth: tuple[str, ...]
    predicted: tuple[str, ...]
    counts: tuple[tuple[Count, ...], ...]

    def __post_init__(self) -> None:
        rows, columns = len(self.truth), len(self.predicted)
        if self.predicted[:rows] != self.truth:
            raise ValueError("predicted names that begin with the true ones")
        if len(self.counts) != rows or any(len(row) != columns for row in self.counts):
            raise ValueError(f"{rows} rows of {columns} counts")

    def without_empty_columns(self) -> "ConfusionTable":
        """The table with those of `EXTRA_COLUMNS` only that any pixel has."""
        size, columns = len(self.truth), range(len(self.predicted))
        kept = [i for i in columns if i < size or any(row[i] for row in self.counts)]
        counts = tuple(tuple(row[i] for i in kept) for row in self.counts)
        return ConfusionTable(self.truth, tuple(self.predicted[i] for i in kept), counts)

    def truth_shares(self) -> dict[str, float]:
        """The share (0..1) of the counted truth of each class."""
        whole = sum(map(sum, self.counts)) or 1
        return {name: sum(row) / whole for name, row in zip(self.truth, self.counts, strict=True)}


def intersection_union(counts: np.ndarray, class_id: int) -> tuple[int, int]:
    """Pixels in truth and prediction, and in either: TP and TP + FP + FN, of a matrix [256, 256]."""
    hit = int(counts[class_id, class_id])
    return hit, int(counts[class_id].sum()) + int(counts[:, class_id].sum()) - hit


def per_class_iou(counts: np.ndarray, ids: Sequence[int]) -> dict[int, float | None]:
    """Intersection over union of each class; None for a class neither in the truth nor predicted."""
    pairs = {class_id: intersection_union(counts, class_id) for class_id in ids}
    return {class_id: share(hit, union) for class_id, (hit, union) in pairs.items()}


def mean_iou(counts: np.ndarray, ids: Sequence[int]) -> float | None:
    """The mean IoU over those classes that occur in the truth or the prediction; None where none does."""
    return mean(per_class_iou(counts, ids).values())


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those values that are there; None where none is."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def pixel_accuracy(counts: np.ndarray) -> float | None:
    """The share of counted pixels whose predicted id is the true one; None where nothing was counted."""
    return share(int(np.trace(counts)), int(counts.sum()))


def share(part: int, whole: int) -> float | None:
    """A part as a share 0..1 of the whole; None of nothing."""
    return part / whole if whole else None
