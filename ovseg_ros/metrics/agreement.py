"""Counts of how labels agree with the truth: pixel by pixel, along borders, and from frame to frame."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Bool, Int64, UInt8

from ovseg_ros.vocabulary import UNLABELLED_ID

Share = Annotated[float, Ge(0), Le(1)]
Count = Annotated[int, Ge(0)]

TOLERANCE = 0.0075
"""Distance between matching borders as a share of the image's diagonal, as in the Berkeley benchmark (Martin,
Fowlkes, Malik, PAMI 2004): 6 pixels at 640 x 480. At least 1 pixel."""

EXTRA_COLUMNS = ("background", "unlabelled", "other")
"""The last columns of a confusion table: predictions that stand for no class of the truth. Other is a class
of the vocabulary that claims nothing of the truth; background counts here where it claims nothing."""

_WIDTHS = ((8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64))


class Counts:
    """Counts over frames that add up, int64 of the shape `shape`."""

    shape: tuple[int, ...]

    def __init__(self) -> None:
        self.counts: Int64[np.ndarray, ...] = np.zeros(self.shape, np.int64)

    def add(self, other: "Counts") -> None:
        """Add the counts of other frames."""
        self.counts += other.counts


class ConfusionMatrix(Counts):
    """Counts pixels by true id (row) and predicted id (column), int64 [256, 256]; those without truth (255)
    are left out."""

    shape = (256, 256)

    def update(self, truth: UInt8[np.ndarray, "H W"], prediction: UInt8[np.ndarray, "H W"]) -> None:
        """Add one label image. Raises ValueError where the shapes differ."""
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape} and prediction {prediction.shape}; they must be equal")
        pairs = truth.astype(np.int64)
        pairs <<= 8
        pairs |= prediction
        counts = np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)
        counts[UNLABELLED_ID] = 0
        self.counts += counts


class BoundaryCounts(Counts):
    """Counts border pixels by class id: predicted ones, those of them with a true border pixel of the class
    within the tolerance, true ones, and those of them with a predicted one near; int64 [4, 256].

    A border pixel has one of its four neighbours in another class; the image's edge is no border. Predicted
    borders where there is no truth are not counted, but the truth's may match them, since the truth is often
    left open just there. P and R are taken from the counts over all frames; Csurka et al., What is a good
    evaluation measure for semantic segmentation? (BMVC 2013), averages them frame by frame.
    """

    shape = (4, 256)

    def update(
        self,
        truth: UInt8[np.ndarray, "H W"],
        labels: UInt8[np.ndarray, "H W"],
        ids: Iterable[int] = range(UNLABELLED_ID),
    ) -> None:
        """Add one frame, truth and labels in one set of ids; only the classes `ids` count."""
        tolerance = max(1.0, TOLERANCE * math.hypot(*truth.shape))
        wanted = np.zeros(256, bool)
        wanted[list(ids)] = True
        wanted[UNLABELLED_ID] = False
        truth_places, truth_ids = _border_pixels(truth, wanted)
        label_places, label_ids = _border_pixels(labels, wanted)
        counted = truth.ravel()[label_places] != UNLABELLED_ID
        truth_near = _near(truth.shape, label_places, label_ids, truth_places, truth_ids, tolerance)
        label_near = _near(
            truth.shape, truth_places, truth_ids, label_places[counted], label_ids[counted], tolerance
        )
        parts = (label_ids[counted], label_ids[counted][label_near], truth_ids, truth_ids[truth_near])
        for row, part in zip(self.counts, parts, strict=True):
            row += np.bincount(part, minlength=256)


class FlickerCounts(Counts):
    """Counts, over pairs of consecutive frames, pixels whose truth stays, and those among them whose label
    changes, int64 [2]. A pixel without truth in either frame does not count; moving objects count where they
    overlap their former place."""

    shape = (2,)

    def update(
        self,
        before: tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]],
        after: tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]],
    ) -> None:
        """Add a pair of frames, each its truth and labels. Frames of two sizes have no common pixel."""
        if before[0].shape != after[0].shape:
            return
        steady = (before[0] == after[0]) & (after[0] != UNLABELLED_ID)
        changed = steady & (before[1] != after[1])
        self.counts += [np.count_nonzero(steady), np.count_nonzero(changed)]

    def compute(self) -> float | None:
        """The share 0..1 of the steady pixels whose label changes; None where there was no such pixel."""
        steady, changed = map(int, self.counts)
        return share(changed, steady)


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


def per_class_iou(counts: Int64[np.ndarray, "256 256"], ids: Iterable[int]) -> dict[int, float | None]:
    """Intersection over union, TP / (TP + FP + FN); None for a class neither in the truth nor predicted."""
    hits, unions = counts.diagonal(), counts.sum(axis=0) + counts.sum(axis=1) - counts.diagonal()
    return {class_id: share(int(hits[class_id]), int(unions[class_id])) for class_id in ids}


def mean_iou(counts: Int64[np.ndarray, "256 256"], ids: Iterable[int]) -> float | None:
    """The mean IoU over those classes that occur in the truth or the prediction; None where none does."""
    return mean(per_class_iou(counts, ids).values())


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those values that are there; None where none is."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def pixel_accuracy(counts: Int64[np.ndarray, "256 256"]) -> float | None:
    """The share of counted pixels whose predicted id is the true one; None where nothing was counted."""
    return share(int(np.trace(counts)), int(counts.sum()))


def share(part: int, whole: int) -> float | None:
    """A part as a share 0..1 of the whole; None of nothing."""
    return part / whole if whole else None


def boundary_f(counts: Int64[np.ndarray, "4"]) -> float | None:
    """F of one class's counts (predicted, of these matched, true, of these matched); None without borders."""
    predicted, predicted_hits, true, true_hits = (int(count) for count in counts)
    if not predicted + true:
        return None
    precision, recall = share(predicted_hits, predicted) or 0.0, share(true_hits, true) or 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _border_pixels(labels: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat places and classes of the border pixels of the wanted classes."""
    border = np.zeros(labels.shape, bool)
    below = labels[1:] != labels[:-1]
    border[1:] |= below
    border[:-1] |= below
    right = labels[:, 1:] != labels[:, :-1]
    border[:, 1:] |= right
    border[:, :-1] |= right
    places = np.flatnonzero(border)
    ids = labels.ravel()[places]
    kept = wanted[ids]
    return places[kept], ids[kept]


def _near(
    shape: tuple[int, ...],
    spots: np.ndarray,
    spot_ids: np.ndarray,
    places: np.ndarray,
    ids: np.ndarray,
    tolerance: float,
) -> Bool[np.ndarray, " n"]:
    """Whether each place has a spot of its own class within the tolerance."""
    near = np.zeros(places.size, bool)
    common = np.intersect1d(spot_ids, ids)
    for start in range(0, common.size, 64):
        chunk = common[start : start + 64]
        bits = np.zeros(256, next(kind for width, kind in _WIDTHS if chunk.size <= width))
        bits[chunk] = np.left_shift(1, np.arange(chunk.size, dtype=bits.dtype), dtype=bits.dtype)
        marks = np.zeros(shape, bits.dtype)
        marks.ravel()[spots] = bits[spot_ids]
        near |= (_spread(marks, tolerance).ravel()[places] & bits[ids]) != 0
    return near


def _spread(marks: np.ndarray, radius: float) -> np.ndarray:
    """The union (bit for bit) of the marks within a disk around each pixel, so that one pass serves as many
    classes as a mark has bits. The disk is put together from rows, each a step wider than the one before."""
    height, width = marks.shape
    reach = int(radius)
    padded = np.pad(marks, reach)
    row = padded[:, reach : reach + width].copy()
    result = np.zeros_like(marks)
    half_widths = {step: int(math.sqrt(radius**2 - step**2)) for step in range(reach + 1)}
    for half_width in range(reach + 1):
        if half_width:
            row |= padded[:, reach - half_width : reach - half_width + width]
            row |= padded[:, reach + half_width : reach + half_width + width]
        for step in (step for step, wide in half_widths.items() if wide == half_width):
            result |= row[reach + step : reach + step + height]
            result |= row[reach - step : reach - step + height]
    return result
