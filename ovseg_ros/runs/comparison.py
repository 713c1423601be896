"""Figures of methods side by side on the same frames: quality with its uncertainty, time and memory."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Int64, UInt8

from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics import ConfusionMatrix, TruthMapping, bootstrap
from ovseg_ros.metrics.bootstrap import Interval
from ovseg_ros.metrics.confusion import share
from ovseg_ros.runs.results import BootstrapSettings, ComparisonResult, MethodResult


class CompareError(OvsegError):
    """A comparison that cannot be made."""


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
    ) -> ComparisonResult:
        """The figures, without what was compared and how. Raises CompareError where no frame was counted."""
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
                MethodResult(
                    name=name,
                    miou=_known(miou),
                    miou_interval=Interval.of(drawn[place]),
                    pixel_accuracy=_known(float(bootstrap.accuracy(total))),
                    pixel_accuracy_interval=Interval.of(accuracies),
                    miou_difference=_known(miou - base),
                    miou_difference_interval=Interval.of(drawn[place] - drawn[at]),
                    p50_ms=float(np.median(times)),
                    p95_ms=float(np.percentile(times, 95)),
                    peak_mb=self._peaks[place],
                    per_class_iou=self._per_class(total),
                )
            )
        return ComparisonResult(
            frames=self.frames,
            reference=reference,
            bootstrap=BootstrapSettings(draws, seed, bootstrap.LEVEL),
            ignored_classes=self._mapping.ignored,
            left_out=tuple(left_out),
            interrupted=interrupted,
            rows=tuple(rows),
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


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _most(one: float | None, other: float | None) -> float | None:
    there = [value for value in (one, other) if value is not None]
    return max(there, default=None)
