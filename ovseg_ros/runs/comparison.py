"""Figures of methods side by side on the same frames: quality with its uncertainty, time and memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics import ConfusionMatrix, TruthMapping, bootstrap
from ovseg_ros.metrics.bootstrap import Interval
from ovseg_ros.metrics.confusion import share


class CompareError(OvsegError):
    """A comparison that cannot be made."""


@dataclass(frozen=True)
class ComparisonRow:
    """One method over all frames. Shares are 0..1; NaN where there is nothing to tell.

    Attributes:
        name: of the method or variant.
        miou, pixel_accuracy: over the classes and pixels that the vocabulary claims of the truth.
        miou_interval, accuracy_interval: where they lie in 95 % of the draws of frames.
        difference, difference_interval: of the mean IoU to the reference's, over the same draws.
        ms: median time of a frame; `p95_ms` the 95th percentile.
        peak_mb: most memory during its frames; None where the system does not tell.
        per_class_iou: by the truth's names; None for a class neither in the truth nor predicted.
    """

    name: str
    miou: float
    miou_interval: Interval | None
    pixel_accuracy: float
    accuracy_interval: Interval | None
    difference: float
    difference_interval: Interval | None
    ms: float
    p95_ms: float
    peak_mb: float | None
    per_class_iou: dict[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        rows: in the order asked for.
        reference: name of the row that the differences are to.
        frames: that every method labelled.
        ignored: classes of the truth that the vocabulary does not claim.
        left_out: frames that could not be used, and why.
        interrupted: whether the user ended it early.
        draws, seed: of the bootstrap.
    """

    rows: tuple[ComparisonRow, ...]
    reference: str
    frames: int
    ignored: tuple[str, ...]
    left_out: tuple[str, ...]
    interrupted: bool
    draws: int
    seed: int

    def figures(self) -> dict[str, Any]:
        """For JSON; NaN becomes None."""
        return {
            "frames": self.frames,
            "reference": self.reference,
            "bootstrap": {"draws": self.draws, "seed": self.seed, "level": bootstrap.LEVEL},
            "ignored_classes": list(self.ignored),
            "left_out": list(self.left_out),
            "interrupted": self.interrupted,
            "rows": [_row_figures(row) for row in self.rows],
        }


class ComparisonCounts:
    """Counts of every frame and method, and what was measured beside them.

    Args:
        names: of the methods.
        mapping: how the truth belongs to the vocabulary.
    """

    def __init__(self, names: Sequence[str], mapping: TruthMapping) -> None:
        self._names = list(names)
        self._mapping = mapping
        self._ids = list(mapping.groups)
        self._counts: list[Int64[np.ndarray, "m g 3"]] = []
        self._ms: list[list[float]] = []
        self._peaks: list[float | None] = [None] * len(self._names)

    @property
    def frames(self) -> int:
        """Frames that every method labelled."""
        return len(self._counts)

    def add(
        self,
        truth: UInt8[np.ndarray, "H W"],
        labels: Sequence[UInt8[np.ndarray, "H W"]],
        ms: Sequence[float],
        peaks: Sequence[float | None],
    ) -> None:
        """Add a frame: its truth in its own ids, and each method's labels, time and peak memory.

        Raises ValueError where the sizes differ.
        """
        owned = self._mapping.truth_as_vocabulary(truth)
        self._counts.append(np.stack([self._count(owned, found) for found in labels]))
        self._ms.append(list(ms))
        self._peaks = [_most(*pair) for pair in zip(self._peaks, peaks, strict=True)]

    def compute(
        self,
        reference: str,
        *,
        left_out: Sequence[str] = (),
        interrupted: bool = False,
        draws: int = bootstrap.DRAWS,
        seed: int = 0,
    ) -> Comparison:
        """The figures. Raises CompareError where no frame was counted."""
        if not self._counts:
            reason = f"; the first was left out because: {left_out[0]}" if left_out else ""
            raise CompareError(f"no frame with ground truth was labelled by every method{reason}")
        counts = np.stack(self._counts, axis=1)
        mean_iou = partial(bootstrap.miou, known=counts[0, ..., 1].sum(axis=0) > 0)
        drawn = [bootstrap.draw(part, mean_iou, draws=draws, seed=seed) for part in counts]
        at = self._names.index(reference)
        base = float(mean_iou(counts[at].sum(axis=0)))
        rows = []
        for place, name in enumerate(self._names):
            total = counts[place].sum(axis=0)
            accuracies = bootstrap.draw(counts[place], bootstrap.accuracy, draws=draws, seed=seed)
            miou, times = float(mean_iou(total)), [frame[place] for frame in self._ms]
            rows.append(
                ComparisonRow(
                    name=name,
                    miou=miou,
                    miou_interval=Interval.of(drawn[place]),
                    pixel_accuracy=float(bootstrap.accuracy(total)),
                    accuracy_interval=Interval.of(accuracies),
                    difference=miou - base,
                    difference_interval=Interval.of(drawn[place] - drawn[at]),
                    ms=float(np.median(times)),
                    p95_ms=float(np.percentile(times, 95)),
                    peak_mb=self._peaks[place],
                    per_class_iou=self._per_class(total),
                )
            )
        return Comparison(
            rows=tuple(rows),
            reference=reference,
            frames=self.frames,
            ignored=self._mapping.ignored,
            left_out=tuple(left_out),
            interrupted=interrupted,
            draws=draws,
            seed=seed,
        )

    def _count(self, owned: np.ndarray, labels: np.ndarray) -> Int64[np.ndarray, "g 3"]:
        """Right, true and predicted pixels of each class, of the pixels that have a true class."""
        matrix = ConfusionMatrix()
        matrix.update(owned, labels)
        square = matrix.counts[np.ix_(self._ids, self._ids)]
        truth = matrix.counts[self._ids].sum(axis=1)
        return np.stack([np.diagonal(square), truth, square.sum(axis=0)], axis=1)

    def _per_class(self, total: Int64[np.ndarray, "g 3"]) -> dict[str, float | None]:
        names = [self._mapping.group_name(owner) for owner in self._ids]
        unions = [int(truth + predicted - hits) for hits, truth, predicted in total]
        ious = [share(int(counts[0]), union) for counts, union in zip(total, unions, strict=True)]
        return dict(zip(names, ious, strict=True))


def _row_figures(row: ComparisonRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "miou": _known(row.miou),
        "miou_interval": row.miou_interval,
        "pixel_accuracy": _known(row.pixel_accuracy),
        "pixel_accuracy_interval": row.accuracy_interval,
        "miou_difference": _known(row.difference),
        "miou_difference_interval": row.difference_interval,
        "p50_ms": row.ms,
        "p95_ms": row.p95_ms,
        "peak_mb": row.peak_mb,
        "per_class_iou": row.per_class_iou,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _most(one: float | None, other: float | None) -> float | None:
    there = [value for value in (one, other) if value is not None]
    return max(there, default=None)
