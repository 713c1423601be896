"""Fitting the confidence: the scale of the logits and the threshold that suit a recording best."""

from dataclasses import replace

import numpy as np
import torch
import yaml
from jaxtyping import Float32, Int64
from torch.nn import functional as F

from ovseg_ros.clipseg import Classifier, Segmentation
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics import TruthMapping
from ovseg_ros.metrics.calibration import best_threshold
from ovseg_ros.metrics.segmentation import SegmentationAccumulator, SegmentationMetrics
from ovseg_ros.recordings.frame import Frame
from ovseg_ros.runs.results import (
    CalibrationResult,
    CalibrationSample,
    CalibrationScores,
    LogLikelihoods,
)
from ovseg_ros.vocabulary import BACKGROUND_ID

_SAMPLES = 400_000
_MOST_A_FRAME = 4_000
_SEED = 20_250_725
_RANGE = (1e-3, 1e3)
"""Factors on the logits that are looked at."""

_STEPS = 80
_MOST_SCALE = 1000.0
"""The greatest `method.logit_scale` that the node takes."""


class CalibrationError(OvsegError):
    """A recording that the confidence cannot be fitted to."""


def parameters(fit: CalibrationResult) -> str:
    """YAML for `segment.yaml`, or for `--params-file`."""
    content = {
        "/**": {
            "ros__parameters": {
                "method": {"logit_scale": round(fit.logit_scale, 4)},
                "vocabulary": {"threshold": round(fit.threshold, 4)},
            }
        }
    }
    head = (
        f"# Fitted by `ovseg evaluate --calibrate` on {fit.fitted_on.frames} frames. It holds for the\n"
        "# model, the method and the words that it was fitted with.\n"
    )
    return head + yaml.safe_dump(content, sort_keys=False)


class Calibrator:
    """Collects logits of pixels with truth, drawn evenly from the frames, and fits to them.

    Temperature scaling as in Guo et al., On Calibration of Modern Neural Networks (ICML 2017): the factor on
    the logits with the least mean negative log-likelihood of the true class. Then the threshold with the
    highest mean IoU over the same pixels. Only pixels whose class is among the scores can be used.

    Args:
        classifier: the words.
        mapping: how the truth belongs to them.
        frames: about how many frames will come.
        scale: of the logits as they come.
    """

    def __init__(self, classifier: Classifier, mapping: TruthMapping, frames: int, scale: float) -> None:
        self._mapping = mapping
        self._scale = scale
        self._a_frame = min(_MOST_A_FRAME, max(1, _SAMPLES // max(1, frames)))
        self._ids = classifier.ids.cpu().numpy()
        self._row = np.full(256, -1)
        self._row[self._ids] = np.arange(self._ids.size)
        self._random = np.random.default_rng(_SEED)
        self._logits: list[np.ndarray] = []
        self._truth: list[np.ndarray] = []

    def add(self, frame: Frame, segmentation: Segmentation) -> None:
        """Take pixels of one frame."""
        if frame.truth is None:
            return
        truth = frame.truth()
        rows = self._row[self._mapping.table[truth]]
        places = np.flatnonzero(rows >= 0)
        if not places.size:
            return
        chosen = self._random.choice(places, min(self._a_frame, places.size), replace=False)
        self._logits.append(_logits_at(segmentation, chosen, truth.shape))
        self._truth.append(rows.ravel()[chosen])

    def fit(self) -> CalibrationResult:
        """The fit to all pixels so far; its scores are left empty. Raises CalibrationError without pixels."""
        if not self._logits:
            raise CalibrationError(
                "no frame of the part to fit to has ground truth that a class claims; expected labelled "
                "frames in the first half (see --start, --end and --limit)"
            )
        logits, truth = np.concatenate(self._logits), np.concatenate(self._truth)
        factor = min(fit_factor(logits, truth), _MOST_SCALE / self._scale)
        scale = factor * self._scale
        likelihoods = (negative_log_likelihood(logits, truth, used) for used in (1.0, factor))
        return CalibrationResult(
            logit_scale=scale,
            temperature=self._scale / scale,
            threshold=self._threshold(factor * logits, truth),
            fitted_on=CalibrationSample(len(self._logits), truth.size),
            negative_log_likelihood=LogLikelihoods(*likelihoods),
            before=CalibrationScores(),
            after=CalibrationScores(),
        )

    def _threshold(self, logits: np.ndarray, truth: np.ndarray) -> float:
        shown = logits.argmax(axis=1)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        confidence = np.rint(255 / exponentials.sum(axis=1)).astype(np.int64)
        size = self._ids.size
        claimed = np.isin(self._ids, list(self._mapping.groups))
        hits, predicted = (
            np.bincount(shown[kept] * 256 + confidence[kept], minlength=size * 256).reshape(size, 256)[
                claimed
            ]
            for kept in (shown == truth, np.ones_like(shown, bool))
        )
        totals = np.bincount(truth, minlength=size)[claimed]
        best = best_threshold(hits, predicted, totals, self._ids[claimed] == BACKGROUND_ID)
        return 0.0 if best is None else best[0]


class Recalibrated:
    """Measures what the fit makes of segmentations that were made without it, with the logits at `scale`."""

    def __init__(
        self, fit: CalibrationResult, scale: float, classifier: Classifier, meter: SegmentationAccumulator
    ) -> None:
        self._fit = fit
        self._factor = fit.logit_scale / scale
        self._classifier = classifier
        vocabulary = classifier.vocabulary
        thresholds = [0.0] if vocabulary.background else []
        thresholds += [
            fit.threshold if entry.threshold is None else entry.threshold for entry in vocabulary.classes
        ]
        self._thresholds = classifier.thresholds.new_tensor(thresholds)
        self.meter = meter

    def add(self, frame: Frame, segmentation: Segmentation) -> None:
        """Measure one frame."""
        if frame.truth is None:
            return
        truth = frame.truth()
        height, width = truth.shape
        labels, confidence = labels_and_confidence(
            segmentation.scores[None] * self._factor,
            (height, width),
            self._classifier.ids,
            self._thresholds,
        )
        self.meter.update(
            truth, labels[0].cpu().numpy(), confidence[0].cpu().numpy(), segmentation.vocabulary
        )

    def result(self, before: SegmentationMetrics) -> CalibrationResult:
        """The fit, with the metrics of the same frames without it and with it."""
        after = self.meter.compute()
        return replace(
            self._fit,
            before=CalibrationScores.of(before),
            after=CalibrationScores.of(after),
            reliability_after=after.reliability,
        )


def fit_factor(logits: Float32[np.ndarray, "n k"], truth: Int64[np.ndarray, " n"]) -> float:
    """The factor on the logits with the least negative log-likelihood, which is convex in the factor; by
    golden-section search over its logarithm."""
    low, high = np.log(_RANGE[0]), np.log(_RANGE[1])
    golden = (np.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = (negative_log_likelihood(logits, truth, float(np.exp(x))) for x in (left, right))
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = negative_log_likelihood(logits, truth, float(np.exp(left)))
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = negative_log_likelihood(logits, truth, float(np.exp(right)))
        if high - low < 1e-4:
            break
    return float(np.exp((low + high) / 2))


def negative_log_likelihood(
    logits: Float32[np.ndarray, "n k"], truth: Int64[np.ndarray, " n"], factor: float
) -> float:
    """Mean over the pixels of -log softmax(factor * logits)[truth], in nats."""
    scaled = torch.from_numpy(logits) * factor
    return float(F.cross_entropy(scaled.double(), torch.from_numpy(truth)))


def _logits_at(segmentation: Segmentation, places: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Logits at pixels of an image of that size (flat places), bilinear as `labelling` upsamples them."""
    scores = segmentation.scores.float()
    rows, columns = np.divmod(places, size[1])
    # `grid_sample` counts from -1 to 1 over the outer edges of the corner pixels.
    where = np.stack([(2 * columns + 1) / size[1] - 1, (2 * rows + 1) / size[0] - 1], axis=1)
    grid = torch.from_numpy(where.astype(np.float32)).to(scores.device)[None, None]
    found = F.grid_sample(scores[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, 0].T.cpu().numpy()
