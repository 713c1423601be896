"""Whether the confidence says how often the labels are right."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from ovseg_ros.metrics.agreement import Count, Counts, Share, mean
from ovseg_ros.vocabulary import UNLABELLED_ID

BINS = 15
"""Equally wide bins of confidence, as in Guo et al., On Calibration of Modern Neural Networks (ICML 2017)."""

_LEVELS = np.arange(256)
_BIN_OF = np.minimum(_LEVELS * BINS // 255, BINS - 1)


@dataclass(frozen=True)
class ReliabilityBin:
    """The pixels with a confidence of low..high (0..1): how many, their mean confidence and the share of them
    that is right, both None in an empty bin."""

    low: float
    high: float
    pixels: Count
    confidence: Share | None
    accuracy: Share | None

    def __post_init__(self) -> None:
        if self.pixels and (self.confidence is None or self.accuracy is None):
            raise ValueError("confidence and accuracy of a bin with pixels")


@dataclass(frozen=True)
class Calibration:
    """Confidence against truth over the counted, labelled pixels.

    Attributes:
        ece: expected calibration error, sum over the bins of (share of pixels) * |accuracy - confidence|.
        brier: mean of (confidence - right)^2, `right` being 0 or 1: the Brier score of the shown label.
        bins: each with low <= confidence < high, the last one with 1 too.
    """

    ece: float
    brier: float
    bins: tuple[ReliabilityBin, ...]


class ConfidenceCounts(Counts):
    """Counts pixels by wrong (0) or right (1), label, and confidence (0..255), int64 [2, 256, 256].

    Pixels without truth do not count.
    """

    shape = (2, 256, 256)

    def update(
        self,
        truth: UInt8[np.ndarray, "H W"],
        labels: UInt8[np.ndarray, "H W"],
        confidence: UInt8[np.ndarray, "H W"],
    ) -> None:
        """Add one frame; truth and labels in the vocabulary's ids. Raises ValueError where shapes differ."""
        if not truth.shape == labels.shape == confidence.shape:
            raise ValueError(
                f"truth is {truth.shape}, labels {labels.shape}, confidence {confidence.shape}; "
                "they must be equal"
            )
        # 0 wrong, 1 right, 2 without truth (the label there may be 255 too, which would look right).
        places = (truth == labels).astype(np.int64)
        places[truth == UNLABELLED_ID] = 2
        places <<= 8
        places |= labels
        places <<= 8
        places |= confidence
        counts = np.bincount(places.ravel(), minlength=3 << 16).reshape(3, 256, 256)
        self.counts += counts[:2]

    def compute(self) -> Calibration | None:
        """The figures; None where no labelled pixel has truth."""
        wrong, right = np.delete(self.counts, UNLABELLED_ID, axis=1).sum(axis=1)
        pixels = wrong + right
        total = int(pixels.sum())
        if not total:
            return None
        weights = (pixels, right, pixels * _LEVELS)
        counts, hits, sums = (np.bincount(_BIN_OF, weights=part, minlength=BINS) for part in weights)
        levels, edges = _LEVELS / 255, (np.arange(BINS + 1) / BINS).tolist()
        bins = (
            ReliabilityBin(low, high, int(count), *((said / count, hit / count) if count else (None, None)))
            for low, high, count, said, hit in zip(
                edges, edges[1:], counts.tolist(), (sums / 255).tolist(), hits.tolist(), strict=False
            )
        )
        return Calibration(
            ece=float(np.abs(hits - sums / 255).sum() / total),
            brier=float((right * (1 - levels) ** 2 + wrong * levels**2).sum() / total),
            bins=tuple(bins),
        )


def best_threshold(
    hits: Int64[np.ndarray, "g 256"],
    predicted: Int64[np.ndarray, "g 256"],
    truth: Int64[np.ndarray, " g"],
    spared: Bool[np.ndarray, " g"],
) -> tuple[float, float] | None:
    """The threshold on the confidence that gives the highest mean IoU, and that mean IoU.

    A pixel below the threshold is a miss of its true class and no false alarm of another. The candidates lie
    between two levels of the confidence, so that the node, which compares before it rounds, keeps the same
    pixels. Of equal ones the lowest; None where nothing was counted.

    Args:
        hits, predicted: right pixels and all pixels of each class with truth, by confidence.
        truth: true pixels of each class.
        spared: classes that no threshold takes pixels from (the background).
    """
    kept_hits, kept = (values[:, ::-1].cumsum(axis=1)[:, ::-1] for values in (hits, predicted))
    kept_hits = np.where(spared[:, None], kept_hits[:, :1], kept_hits)
    kept = np.where(spared[:, None], kept[:, :1], kept)
    unions = truth[:, None] + kept - kept_hits
    scores = []
    for level in range(256):
        pairs = zip(kept_hits[:, level], unions[:, level], strict=True)
        scores.append(mean(int(hit) / int(union) if union else None for hit, union in pairs))
    there = {level: value for level, value in enumerate(scores) if value is not None}
    if not there:
        return None
    level = max(there, key=lambda level: there[level])
    return max(0.0, level - 0.5) / 255, there[level]
