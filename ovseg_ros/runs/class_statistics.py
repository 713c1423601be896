"""Statistics of the classes over frames without ground truth: shares, confidences, times and failures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from ovseg_ros.recordings.frame import Source
from ovseg_ros.runs.prediction import Prediction
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary

_LISTED_SOURCES = 20
_LISTED_CLASSES = 3


def _by_id() -> np.ndarray:
    return np.zeros(256)


@dataclass
class ClassStatistics:
    """Sums over the frames of one source, or of several with `merged`.

    `shares`, `confidences` and `seen` have a value per id: sum of the shares of the pixels (0..1), sum of
    share times mean confidence (0..1), number of frames with the label.
    """

    inference_ms: list[float] = field(default_factory=list)
    shares: np.ndarray = field(default_factory=_by_id)
    confidences: np.ndarray = field(default_factory=_by_id)
    seen: np.ndarray = field(default_factory=_by_id)
    failures: list[str] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Number of segmented frames."""
        return len(self.inference_ms)

    def add(self, prediction: Prediction) -> None:
        """Count one frame that the model labelled."""
        labels = prediction.labels.ravel()
        confidence = None if prediction.confidence is None else prediction.confidence.ravel()
        pixels = np.bincount(labels, minlength=256)
        self.inference_ms.append(prediction.latency_ms or 0.0)
        self.shares += pixels / labels.size
        self.confidences += np.bincount(labels, weights=confidence, minlength=256) / (255 * labels.size)
        self.seen += pixels > 0

    def time(self, percentile: float) -> float | None:
        """A percentile (0..100) of the milliseconds of inference per frame; None without frames."""
        return float(np.percentile(self.inference_ms, percentile)) if self.inference_ms else None

    def share(self, class_id: int) -> float:
        """Mean share of the pixels, 0..1."""
        return float(self.shares[class_id]) / max(1, self.frames)

    def confidence(self, class_id: int) -> float:
        """Mean confidence over the pixels with this label, 0..1; 0 where there are none."""
        share = float(self.shares[class_id])
        return float(self.confidences[class_id]) / share if share else 0.0

    @classmethod
    def merged(cls, parts: Sequence["ClassStatistics"]) -> "ClassStatistics":
        """The sum of several."""
        total = cls()
        for part in parts:
            total.inference_ms += part.inference_ms
            total.shares += part.shares
            total.confidences += part.confidences
            total.seen += part.seen
            total.failures += part.failures
        return total


def class_table(statistics: ClassStatistics, vocabulary: Vocabulary) -> Table:
    """The classes seen, the largest first, and a line with those that were not."""
    table = Table("class", title="Classes", title_justify="left")
    table.add_column("id", justify="right")
    table.add_column("share", justify="right")
    table.add_column("confidence", justify="right")
    table.add_column("in frames", justify="right")
    for class_id, name in _by_share(statistics, vocabulary):
        share, confidence = f"{statistics.share(class_id):.1%}", f"{statistics.confidence(class_id):.2f}"
        table.add_row(Text(name), str(class_id), share, confidence, f"{statistics.seen[class_id]:.0f}")
    missing = [cls.name for cls in vocabulary.classes if not statistics.seen[cls.id]]
    if missing:
        table.caption = Text(f"not seen: {', '.join(missing)}")
        table.caption_justify = "left"
    return table


def source_table(results: Sequence[tuple[Source, ClassStatistics]], vocabulary: Vocabulary) -> Table:
    """One line for each of the first sources: frames, time, largest classes."""
    table = Table("input", title="Inputs", title_justify="left")
    table.add_column("frames", justify="right")
    table.add_column("p50 ms", justify="right")
    table.add_column("p95 ms", justify="right")
    table.add_column("largest classes")
    for source, statistics in results[:_LISTED_SOURCES]:
        largest = _by_share(statistics, vocabulary)[:_LISTED_CLASSES]
        shares = ", ".join(f"{name} {statistics.share(class_id):.0%}" for class_id, name in largest)
        times = [milliseconds(statistics.time(50)), milliseconds(statistics.time(95))]
        table.add_row(
            Text(source.name),
            str(statistics.frames),
            *times,
            Text(shares or ("failed" if statistics.failures else "")),
        )
    if len(results) > _LISTED_SOURCES:
        table.caption = f"and {len(results) - _LISTED_SOURCES} more"
        table.caption_justify = "left"
    return table


def milliseconds(time: float | None) -> str:
    """A time for people."""
    return "-" if time is None else f"{time:.1f}"


def as_json(
    results: Sequence[tuple[Source, ClassStatistics]],
    vocabulary: Vocabulary,
    setup: dict[str, str],
    output: Path,
) -> dict[str, Any]:
    """All numbers of a run. Shares and confidences are 0..1, times milliseconds of inference per frame."""
    return {
        **setup,
        "output": str(output),
        **_numbers(ClassStatistics.merged([part for _, part in results]), vocabulary),
        "inputs": [
            {
                "path": str(source.path),
                "kind": "image" if source.kind == "images" else source.kind,
                "name": source.name,
                **_numbers(statistics, vocabulary),
            }
            for source, statistics in results
        ],
    }


def _numbers(statistics: ClassStatistics, vocabulary: Vocabulary) -> dict[str, Any]:
    classes = [
        {
            "id": cls.id,
            "name": cls.name,
            "share": statistics.share(cls.id),
            "mean_confidence": statistics.confidence(cls.id),
            "frames": int(statistics.seen[cls.id]),
        }
        for cls in vocabulary.classes
    ]
    return {
        "frames": statistics.frames,
        "failed": statistics.failures,
        "inference_ms": {"p50": statistics.time(50), "p95": statistics.time(95)},
        "background_share": statistics.share(BACKGROUND_ID),
        "unlabelled_share": statistics.share(UNLABELLED_ID),
        "classes": classes,
    }


def _by_share(statistics: ClassStatistics, vocabulary: Vocabulary) -> list[tuple[int, str]]:
    """Ids and names of all labels seen, the largest share first."""
    names = [(cls.id, cls.name) for cls in vocabulary.classes]
    names += [(BACKGROUND_ID, "(background)"), (UNLABELLED_ID, "(unlabelled)")]
    return sorted(
        (item for item in names if statistics.seen[item[0]]), key=lambda item: -statistics.shares[item[0]]
    )
