"""The fit of scale and threshold against a search, on scores whose truth was drawn from their softmax."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.runs.calibrate import (
    CalibrationError,
    Calibrator,
    Recalibrated,
    fit_factor,
    negative_log_likelihood,
    parameters,
)
from ovseg_ros.vocabulary import VocabularyBuilder

NAMES = {1: "a", 2: "b", 3: "c"}
WORDS = VocabularyBuilder().build(["a", "b"], background=["c"])
IDS = (0, 1, 2)
TRUTH_OF_ROW = np.array([3, 1, 2], np.uint8)


def classifier() -> Any:
    return SimpleNamespace(
        vocabulary=WORDS, ids=torch.tensor(IDS, dtype=torch.uint8), thresholds=torch.zeros(3)
    )


def scene(seed: int, factor: float) -> tuple[Any, Any]:
    """A frame with truth drawn by pixel from softmax(factor * upsampled scores), and its segmentation."""
    random = np.random.default_rng(seed)
    scores = torch.from_numpy(random.normal(0, 2, (3, 5, 7)).astype(np.float32))
    logits = F.interpolate(scores[None], (40, 56), mode="bilinear", align_corners=False)[0].numpy()
    shares = np.exp(factor * logits.astype(np.float64))
    shares /= shares.sum(axis=0)
    drawn = (random.random((40, 56)) > np.cumsum(shares, axis=0)).sum(axis=0).clip(0, 2)
    return frame(TRUTH_OF_ROW[drawn]), SimpleNamespace(scores=scores, vocabulary=WORDS)


def frame(truth: np.ndarray | None) -> Any:
    return SimpleNamespace(truth=None if truth is None else lambda: truth)


def slow_nll(logits: np.ndarray, truth: np.ndarray, factor: float) -> float:
    total = 0.0
    for row, own in zip(factor * logits.astype(np.float64), truth, strict=True):
        total += np.log(np.exp(row - row.max()).sum()) + row.max() - row[own]
    return total / len(truth)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 20.0))
def test_no_factor_is_better_than_the_fitted_one(seed: int, factor: float) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1, (60, 4)).astype(np.float32)
    noisy = factor * logits + random.gumbel(size=logits.shape)
    truth = noisy.argmax(axis=1)
    found = fit_factor(logits, truth)
    least = slow_nll(logits, truth, found)
    assert negative_log_likelihood(logits, truth, found) == pytest.approx(least, abs=1e-6)
    for other in np.geomspace(0.01, 100, 41):
        assert slow_nll(logits, truth, other) >= least - 1e-6


def test_the_scale_that_the_truth_was_drawn_with_is_found() -> None:
    meter = SegmentationAccumulator(NAMES)
    calibrator = Calibrator(classifier(), meter.mapping(WORDS), 20, 10.0)
    for seed in range(20):
        calibrator.add(*scene(seed, 1.7))
    fit = calibrator.fit()
    assert fit.logit_scale == pytest.approx(17.0, rel=0.03)
    assert fit.temperature == pytest.approx(1 / 1.7, rel=0.03)
    assert (fit.fitted_on.frames, fit.fitted_on.pixels) == (20, 20 * 40 * 56)
    assert fit.negative_log_likelihood.after < fit.negative_log_likelihood.before
    written = yaml.safe_load(parameters(fit))["/**"]["ros__parameters"]
    assert written["method"]["logit_scale"] == pytest.approx(fit.logit_scale, abs=1e-4)
    assert written["vocabulary"]["threshold"] == pytest.approx(fit.threshold, abs=1e-4)


def test_the_fit_calibrates_frames_that_it_has_not_seen() -> None:
    meter = SegmentationAccumulator(NAMES)
    calibrator = Calibrator(classifier(), meter.mapping(WORDS), 10, 10.0)
    for seed in range(10):
        calibrator.add(*scene(seed, 0.4))
    fit = calibrator.fit()
    unchanged = replace(fit, logit_scale=10.0, threshold=0.0)
    before = Recalibrated(unchanged, 10.0, classifier(), SegmentationAccumulator(NAMES))
    after = Recalibrated(fit, 10.0, classifier(), SegmentationAccumulator(NAMES))
    for seed in range(100, 110):
        before.add(*scene(seed, 0.4))
        after.add(*scene(seed, 0.4))
    unfitted, fitted = before.meter.compute(), after.meter.compute()
    assert unfitted.ece is not None
    assert fitted.ece is not None
    assert fitted.ece < 0.02 < unfitted.ece
    assert fitted.brier < unfitted.brier
    assert fitted.miou >= unfitted.miou - 0.01
    scores = after.result(unfitted)
    assert (scores.before.ece, scores.after.ece) == (unfitted.ece, fitted.ece)
    assert scores.reliability_after == fitted.reliability


def test_nothing_to_fit_to() -> None:
    calibrator = Calibrator(classifier(), SegmentationAccumulator(NAMES).mapping(WORDS), 1, 10.0)
    _, segmentation = scene(0, 1.0)
    calibrator.add(frame(None), segmentation)
    calibrator.add(frame(np.full((40, 56), 255, np.uint8)), segmentation)
    with pytest.raises(CalibrationError, match="no frame"):
        calibrator.fit()
