"""Figures against a count pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ovseg_ros.metrics import ConfusionMatrix, mean_iou, per_class_iou, pixel_accuracy

FEW_IDS = st.sampled_from([0, 1, 2, 3, 254, 255])
LABELS = arrays(np.uint8, (5, 7), elements=FEW_IDS)


def slow_figures(
    pairs: list[tuple[np.ndarray, np.ndarray]], ids: list[int], ignore: int = 255
) -> tuple[dict[int, float | None], float | None, float | None]:
    """IoU, mean and accuracy by walking over every pixel with Python's own numbers."""
    pixels = [
        (int(t), int(p))
        for truth, prediction in pairs
        for t, p in zip(truth.flat, prediction.flat, strict=True)
        if t != ignore
    ]
    ious = {}
    for wanted in ids:
        both = sum(1 for t, p in pixels if t == wanted and p == wanted)
        either = sum(1 for t, p in pixels if t == wanted or p == wanted)
        ious[wanted] = both / either if either else None
    there = [iou for iou in ious.values() if iou is not None]
    mean = sum(there) / len(there) if there else None
    accuracy = sum(1 for t, p in pixels if t == p) / len(pixels) if pixels else None
    return ious, mean, accuracy


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=3))
def test_figures_equal_a_count_pixel_by_pixel(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    matrix = ConfusionMatrix()
    for truth, prediction in pairs:
        matrix.update(truth, prediction)
    ids = [1, 2, 3, 254]
    ious, mean, accuracy = slow_figures(pairs, ids)
    assert per_class_iou(matrix.counts, ids) == ious
    assert mean_iou(matrix.counts, ids) == (pytest.approx(mean, abs=1e-12) if mean is not None else None)
    assert pixel_accuracy(matrix.counts) == accuracy
    assert matrix.counts.sum() == sum(int((truth != 255).sum()) for truth, _ in pairs)


def test_a_case_by_hand() -> None:
    matrix = ConfusionMatrix()
    matrix.update(np.array([[1, 1, 2, 255]], np.uint8), np.array([[1, 2, 2, 1]], np.uint8))
    assert per_class_iou(matrix.counts, [1, 2, 3]) == {1: 0.5, 2: 0.5, 3: None}
    assert mean_iou(matrix.counts, [1, 2, 3]) == 0.5
    assert pixel_accuracy(matrix.counts) == pytest.approx(2 / 3)


def test_nothing_counted_gives_no_figure() -> None:
    counts = ConfusionMatrix().counts
    assert (mean_iou(counts, [1, 2]), pixel_accuracy(counts), counts.sum()) == (None, None, 0)


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ValueError, match="must be equal"):
        ConfusionMatrix().update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_counts_are_exact_beyond_32_bits() -> None:
    matrix = ConfusionMatrix()
    matrix.counts[1, 1] = 2**40
    matrix.update(np.ones((1, 1), np.uint8), np.ones((1, 1), np.uint8))
    assert matrix.counts[1, 1] == 2**40 + 1
