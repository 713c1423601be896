"""Methods side by side on the same frames: the content of comparison.json, and the counts behind it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from jaxtyping import Int64, UInt8

from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics import ConfusionMatrix, TruthMapping, bootstrap
from ovseg_ros.metrics.agreement import Count, Share, share
from ovseg_ros.metrics.bootstrap import Interval
from ovseg_ros.runs.results import OPTIONAL, Number


class CompareError(OvsegError):
    """A comparison that cannot be made."""


@dataclass(frozen=True)
class MethodResult:
    """One method over all frames of a comparison.

    Attributes:
        name: of the method or variant.
        miou, pixel_accuracy: over the classes and pixels that the vocabulary claims of the truth.
        miou_interval, pixel_accuracy_interval: where they lie in 95 % of the draws of frames.
        miou_difference, miou_difference_interval: to the reference's, over the same draws.
        p50_ms, p95_ms: percentiles of the time of a frame.
        peak_mb: most memory during its frames; None where the system does not report it.
        per_class_iou: by the truth's names; None for a class neither in the truth nor predicted.
    """

    name: str
    miou: Share | None = None
    miou_interval: Interval | None = None
    pixel_accuracy: Share | None = None
    pixel_accuracy_interval: Interval | None = None
    miou_difference: Number | None = None
    miou_difference_interval: Interval | None = None
    p50_ms: Number | None = None
    p95_ms: Number | None = None
    peak_mb: Number | None = None
    per_class_iou: dict[str, Share | None] = field(default_factory=dict)


@dataclass(frozen=True)
class BootstrapSettings:
    """Of the intervals: draws of frames, their seed, and the share of the draws within an interval."""

    draws: Count
    seed: Count
    level: Share


@dataclass(frozen=True, kw_only=True)
class ComparisonResult:
    """What `ovseg compare` found.

    Attributes:
        data, classes: what was labelled, and the names of the classes, separated by commas.
        timing: how the times are to be read.
        frames: that every method labelled.
        reference: name of the row that the differences are to.
        ignored_classes: of the truth, that the vocabulary does not claim.
        left_out: frames that could not be used, and why.
        interrupted: whether the user ended it early.
        rows: in the order asked for.
    """

    data: str | None = None
    classes: str | None = None
    model: str | None = None
    device: str | None = None
    precision: str | None = None
    short_side: str | None = None
    windows: str | None = field(default=None, metadata=OPTIONAL)
    templates: str | None = None
    timing: str = ""
    command: str | None = None
    frames: Count
    reference: str
    bootstrap: BootstrapSettings | None = None
    ignored_classes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    interrupted: bool = False
    rows: tuple[MethodResult, ...]

    @property
    def settings(self) -> dict[str, str]:
        """What was compared, and on what, by name."""
        names = ("data", "classes", "model", "device", "precision", "short_side", "windows", "templates")
        return {name: text for name in names if (text := getattr(self, name)) is not None}


class ComparisonCounts:
    """Counts, times and peak memory of every frame and method; `names` are those of the methods."""

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
        owned = self._mapping.table[truth]
        self._counts.append(np.stack([self._count(owned, found) for found in labels]))
        self._ms.append(list(ms))
        self._peaks = [most(*pair) for pair in zip(self._peaks, peaks, strict=True)]

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


def most(*values: float | None) -> float | None:
    """The greatest of the values that are known; None of none."""
    return max((value for value in values if value is not None), default=None)
