"""How well the borders of the labels follow those of the truth."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from ovseg_ros.metrics.confusion import mean, share
from ovseg_ros.vocabulary import UNLABELLED_ID

TOLERANCE = 0.0075
"""Distance between matching borders as a share of the image's diagonal, as in the Berkeley benchmark (Martin,
Fowlkes, Malik, PAMI 2004): 6 pixels at 640 x 480. At least 1 pixel."""

_WIDTHS = ((8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64))


@dataclass(frozen=True)
class BoundaryScores:
    """F by class id, 2 P R / (P + R), None for a class without border in truth and prediction; their mean."""

    per_class: dict[int, float | None]
    mean: float | None


class BoundaryCounts:
    """Counts border pixels by class id: predicted ones, those of them with a true border pixel of the class
    within the tolerance, true ones, and those of them with a predicted one near; int64 [4, 256].

    A border pixel has one of its four neighbours in another class; the image's edge is no border. Predicted
    borders where there is no truth are not counted, but the truth's may match them, since the truth is often
    left open just there. P and R are taken from the counts over all frames; Csurka et al., What is a good
    evaluation measure for semantic segmentation? (BMVC 2013), averages them frame by frame.
    """

    def __init__(self) -> None:
        self.counts: Int64[np.ndarray, "4 256"] = np.zeros((4, 256), np.int64)

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

    def add(self, other: "BoundaryCounts") -> None:
        """Add the counts of other frames."""
        self.counts += other.counts

    def compute(self, ids: Sequence[int] = range(UNLABELLED_ID)) -> BoundaryScores:
        """The figures over the classes `ids`."""
        per_class = {class_id: boundary_f(self.counts[:, class_id]) for class_id in ids}
        return BoundaryScores(per_class, mean(per_class.values()))


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
    beside = labels[:, 1:] != labels[:, :-1]
    border[:, 1:] |= beside
    border[:, :-1] |= beside
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
    for chunk in _chunks(np.intersect1d(spot_ids, ids)):
        bits = np.zeros(256, _bits_type(chunk.size))
        bits[chunk] = np.left_shift(1, np.arange(chunk.size, dtype=bits.dtype), dtype=bits.dtype)
        marks = np.zeros(shape, bits.dtype)
        marks.ravel()[spots] = bits[spot_ids]
        near |= (_spread(marks, tolerance).ravel()[places] & bits[ids]) != 0
    return near


def _chunks(ids: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, ids.size, 64):
        yield ids[start : start + 64]


def _bits_type(count: int) -> type[np.unsignedinteger]:
    return next(kind for width, kind in _WIDTHS if count <= width)


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
