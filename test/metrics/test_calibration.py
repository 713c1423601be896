"""ECE, Brier score, reliability and the best threshold against sums pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ovseg_ros.metrics import ConfidenceCounts
from ovseg_ros.metrics.calibration import BINS, best_threshold

SHAPE = (4, 6)
IDS = st.sampled_from([0, 1, 2, 255])
BYTES = st.one_of(st.integers(0, 255), st.sampled_from([0, 16, 17, 18, 127, 254, 255]))
FRAMES = st.lists(
    st.tuples(
        arrays(np.uint8, SHAPE, elements=IDS),
        arrays(np.uint8, SHAPE, elements=IDS),
        arrays(np.uint8, SHAPE, elements=BYTES),
    ),
    min_size=1,
    max_size=3,
)


def pixels_of(frames: list) -> list[tuple[int, int, int]]:
    return [
        (int(t), int(p), int(c))
        for truth, labels, confidence in frames
        for t, p, c in zip(truth.flat, labels.flat, confidence.flat, strict=True)
        if t != 255
    ]


@given(FRAMES)
def test_figures_equal_sums_pixel_by_pixel(frames: list) -> None:
    counts = ConfidenceCounts()
    for frame in frames:
        counts.update(*frame)
    shown = [(c / 255, float(t == p)) for t, p, c in pixels_of(frames) if p != 255]
    found = counts.compute()
    if not shown:
        assert found is None
        return
    assert found is not None
    bins: list[list[tuple[float, float]]] = [[] for _ in range(BINS)]
    for confidence, right in shown:
        bins[min(BINS - 1, math.floor(confidence * BINS + 1e-12))].append((confidence, right))
    gaps = [abs(sum(r for _, r in part) - sum(c for c, _ in part)) for part in bins]
    assert found.ece == pytest.approx(sum(gaps) / len(shown), abs=1e-12)
    assert found.brier == pytest.approx(sum((c - r) ** 2 for c, r in shown) / len(shown), abs=1e-12)
    assert [entry.pixels for entry in found.bins] == [len(part) for part in bins]
    assert [(entry.low, entry.high) for entry in found.bins] == [
        (i / BINS, (i + 1) / BINS) for i in range(BINS)
    ]
    for part, entry in zip(bins, found.bins, strict=True):
        if part:
            assert entry.confidence == pytest.approx(sum(c for c, _ in part) / len(part))
            assert entry.accuracy == pytest.approx(sum(r for _, r in part) / len(part))
        else:
            assert entry.confidence is entry.accuracy is None


def slow_miou(pixels: list[tuple[int, int, int]], threshold: float, spared: int) -> float | None:
    """Mean IoU of the classes 0, 1, 2, where pixels below the threshold have no label."""
    kept = [(t, p if p == spared or c >= 255 * threshold else 255) for t, p, c in pixels]
    ious = []
    for wanted in (0, 1, 2):
        both = sum(t == p == wanted for t, p in kept)
        either = sum(wanted in (t, p) for t, p in kept)
        if either:
            ious.append(both / either)
    return sum(ious) / len(ious) if ious else None


@given(FRAMES, st.sampled_from([0, 9]))
def test_no_threshold_is_better_than_the_best(frames: list, spared: int) -> None:
    counts = ConfidenceCounts()
    for frame in frames:
        counts.update(*frame)
    pixels = pixels_of(frames)
    wrong, right = counts.counts
    truth = np.array([sum(t == wanted for t, _, _ in pixels) for wanted in (0, 1, 2)])
    found = best_threshold(right[:3], (wrong + right)[:3], truth, np.arange(3) == spared)
    if not pixels:
        assert found is None
        return
    assert found is not None
    threshold, miou = found
    assert slow_miou(pixels, threshold, spared) == pytest.approx(miou, abs=1e-12)
    levels = [0.0, *((level - 0.5) / 255 for level in range(1, 256))]
    slow = [slow_miou(pixels, level, spared) for level in levels]
    best = max(value for value in slow if value is not None)
    assert miou == pytest.approx(best, abs=1e-12)
    lower = [value for level, value in zip(levels, slow, strict=True) if level < threshold and value]
    assert all(value < miou + 1e-12 for value in lower)


def test_parts_add_up() -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (3, 7, 9)).astype(np.uint8) for _ in range(4)]
    whole, halves = ConfidenceCounts(), [ConfidenceCounts(), ConfidenceCounts()]
    for index, frame in enumerate(frames):
        whole.update(*frame)
        halves[index % 2].update(*frame)
    halves[0].add(halves[1])
    assert np.array_equal(whole.counts, halves[0].counts)


def test_shapes_must_be_equal() -> None:
    image = np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match="must be equal"):
        ConfidenceCounts().update(image, image, image[:1])
