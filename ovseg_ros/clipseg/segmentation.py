"""The result for one image: labels, confidence, and what is derived from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ovseg_ros.clipseg.backends import device_errors
from ovseg_ros.clipseg.labelling import class_probability, mean_value
from ovseg_ros.vocabulary import UNKNOWN_COST, UNLABELLED_ID, Vocabulary


@dataclass(frozen=True)
class ClassStats:
    """What one frame holds of one class.

    Attributes:
        id, name: of the class.
        share: of the pixels that carry its label, 0..1.
        mean_confidence: over those pixels, 0..1; 0 where there are none.
        peak_confidence: the class's highest probability at any patch, 0..1, whether it wins there or not.
    """

    id: int
    name: str
    share: float
    mean_confidence: float
    peak_confidence: float


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The result for one image.

    Attributes:
        labels: class ids; 0 background, 255 unlabelled.
        confidence: probability of the winning class, 0..255.
        vocabulary: that was in force.
        inference_ms: time from the image to these arrays; of a batch, the batch's.
        input_size: height and width of the image.
        grid: rows and columns of patches that the model saw.
        scores: logits at the grid, on the device.
        features: of every patch, length 1, on the device.
    """

    labels: UInt8[np.ndarray, "H W"]
    confidence: UInt8[np.ndarray, "H W"]
    vocabulary: Vocabulary
    inference_ms: float
    input_size: tuple[int, int]
    grid: tuple[int, int]
    scores: Float[Tensor, "k h w"]
    features: Float[Tensor, "n e"]

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of `labels`."""
        return self.labels.shape[0], self.labels.shape[1]

    def class_confidence(self, class_id: int) -> UInt8[np.ndarray, "H W"]:
        """The probability of one class at every pixel, 0..255.

        Raises:
            KeyError: no such class in the vocabulary.
        """
        with torch.inference_mode(), device_errors():
            return class_probability(self.scores, self.output_size, self._row(class_id)).cpu().numpy()

    def expected_cost(self) -> UInt8[np.ndarray, "H W"]:
        """What planners pay at every pixel: the mean cost of what it may be, 0..254; 255 where unlabelled."""
        vocabulary = self.vocabulary
        background = [vocabulary.default_cost] if vocabulary.background else []
        costs = [*background, *map(vocabulary.cost_of, vocabulary.classes)]
        with torch.inference_mode(), device_errors():
            by_row = torch.tensor(costs, dtype=self.scores.dtype, device=self.scores.device)
            cost = mean_value(self.scores, self.output_size, by_row).cpu().numpy()
        cost[self.labels == UNLABELLED_ID] = UNKNOWN_COST
        return cost

    def summary(self) -> list[ClassStats]:
        """One entry for each class of the vocabulary, in its order."""
        with torch.inference_mode(), device_errors():
            peaks = self.scores.softmax(dim=0).amax(dim=(1, 2)).cpu().numpy()
        sums = np.bincount(self.labels.ravel(), weights=self.confidence.ravel(), minlength=256)
        stats = []
        for row, entry in enumerate(self.vocabulary.classes, start=self._first_row):
            pixels = int(self._pixels[entry.id])
            mean = float(sums[entry.id]) / (255 * pixels) if pixels else 0.0
            share = pixels / self.labels.size
            stats.append(ClassStats(entry.id, entry.name, share, mean, float(peaks[row])))
        return stats

    @property
    def unlabelled_share(self) -> float:
        """Share of the pixels below their threshold, 0..1."""
        return int(self._pixels[UNLABELLED_ID]) / self.labels.size

    def _row(self, class_id: int) -> int:
        for row, entry in enumerate(self.vocabulary.classes, start=self._first_row):
            if entry.id == class_id:
                return row
        raise KeyError(f"no class with id {class_id} in the vocabulary")

    @property
    def _first_row(self) -> int:
        """Row of the first class in `scores`; the background, if there is one, comes before the classes."""
        return 1 if self.vocabulary.background else 0

    @cached_property
    def _pixels(self) -> np.ndarray:
        return np.bincount(self.labels.ravel(), minlength=256)
