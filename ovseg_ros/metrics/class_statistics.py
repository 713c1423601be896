"""Statistics of the classes over frames without ground truth: shares, confidences, times and failures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary


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

    def add(
        self,
        labels: UInt8[np.ndarray, "H W"],
        confidence: UInt8[np.ndarray, "H W"] | None,
        inference_ms: float,
    ) -> None:
        """Count one frame."""
        labels = labels.ravel()
        pixels = np.bincount(labels, minlength=256)
        self.inference_ms.append(inference_ms)
        self.shares += pixels / labels.size
        if confidence is not None:
            weighted = np.bincount(labels, weights=confidence.ravel(), minlength=256)
            self.confidences += weighted / (255 * labels.size)
        self.seen += pixels > 0

    def by_share(self, vocabulary: Vocabulary) -> list[tuple[int, str]]:
        """Ids and names of all labels seen, the largest share first."""
        names = [(cls.id, cls.name) for cls in vocabulary.classes]
        names += [(BACKGROUND_ID, "(background)"), (UNLABELLED_ID, "(unlabelled)")]
        return sorted((item for item in names if self.seen[item[0]]), key=lambda item: -self.shares[item[0]])

    def as_json(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """The figures; shares and confidences are 0..1, times milliseconds of inference per frame."""
        return {
            "frames": self.frames,
            "failed": self.failures,
            "inference_ms": {"p50": self.time(50), "p95": self.time(95)},
            "background_share": self.share(BACKGROUND_ID),
            "unlabelled_share": self.share(UNLABELLED_ID),
            "classes": [
                {
                    "id": cls.id,
                    "name": cls.name,
                    "share": self.share(cls.id),
                    "mean_confidence": self.confidence(cls.id),
                    "frames": int(self.seen[cls.id]),
                }
                for cls in vocabulary.classes
            ],
        }

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
        for name, part in product(vars(total), parts):
            setattr(total, name, getattr(total, name) + getattr(part, name))
        return total
