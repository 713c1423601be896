import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.metrics import ConfusionMatrix, bootstrap, mean_iou, pixel_accuracy
from ovseg_ros.metrics.bootstrap import Interval


def frame_counts(seed: int, frames: int, groups: int) -> np.ndarray:
    """Counts [f, g, 3] as real frames have them: hits are at most truth and prediction."""
    generator = np.random.default_rng(seed)
    hits = generator.integers(0, 50, (frames, groups))
    truth = hits + generator.integers(0, 30, (frames, groups))
    predicted = hits + generator.integers(0, 30, (frames, groups))
    return np.stack([hits, truth, predicted], axis=-1)


def known(counts: np.ndarray) -> np.ndarray:
    """The classes that the truth has."""
    return np.any(counts[..., 1].reshape(-1, counts.shape[-2]), axis=0)


def slow_miou(counts: np.ndarray, has_truth: np.ndarray) -> float:
    ious = []
    for (hits, truth, predicted), somewhere in zip(counts.tolist(), has_truth.tolist(), strict=True):
        if truth + predicted and (truth or not somewhere):
            ious.append(hits / (truth + predicted - hits))
    return sum(ious) / len(ious) if ious else math.nan


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 6), groups=st.integers(1, 4), rare=st.booleans())
def test_draws_equal_a_slow_loop_over_the_same_choices(
    seed: int, frames: int, groups: int, rare: bool
) -> None:
    counts = frame_counts(seed, frames, groups)
    counts[int(rare) :, 0, :2] = 0  # the first class is in one frame's truth, or in none
    mine = bootstrap.draw(counts, partial(bootstrap.miou, known=known(counts)), draws=40, seed=seed)
    chosen = np.random.default_rng(seed).integers(0, frames, size=(40, frames))
    expected = [slow_miou(counts[rows].sum(axis=0), known(counts)) for rows in chosen]
    np.testing.assert_allclose(mine, expected, rtol=1e-12)


def test_a_class_of_one_frame_does_not_pull_the_draws_down() -> None:
    counts = np.zeros((20, 2, 3), np.int64)
    counts[:, 0] = 50, 100, 100
    counts[0, 1] = 50, 100, 100
    counts[1:, 1] = 0, 0, 1  # now and then a pixel is taken for the rare class
    drawn = bootstrap.draw(counts, partial(bootstrap.miou, known=known(counts)), seed=0)
    figure = float(bootstrap.miou(counts.sum(axis=0), known(counts)))
    assert Interval.of(drawn).low <= figure < Interval.of(drawn).high
    assert drawn.min() > 0.25


def test_figures_equal_the_metrics() -> None:
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 4, (20, 30)).astype(np.uint8)
    truth[:2] = 255
    labels = np.where(generator.random((20, 30)) < 0.6, truth, generator.integers(0, 4, (20, 30)))
    matrix = ConfusionMatrix()
    matrix.update(truth, labels.astype(np.uint8))
    square = matrix.counts[:4, :4]
    counts = np.stack([np.diagonal(square), square.sum(axis=1), square.sum(axis=0)], axis=-1)
    assert bootstrap.miou(counts, known(counts)) == pytest.approx(
        mean_iou(matrix.counts, range(4)), abs=1e-12
    )
    assert bootstrap.accuracy(counts) == pytest.approx(pixel_accuracy(matrix.counts), abs=1e-12)


def test_nothing_counted_gives_no_figure() -> None:
    empty = np.zeros((2, 3), np.int64)
    assert math.isnan(bootstrap.miou(empty, known(empty)))
    assert math.isnan(bootstrap.accuracy(empty))
    assert Interval.of(np.array([math.nan])) is None


def test_the_seed_fixes_the_draws() -> None:
    counts = frame_counts(1, 9, 3)
    first = bootstrap.draw(counts, bootstrap.accuracy, draws=300, seed=5)
    np.testing.assert_array_equal(first, bootstrap.draw(counts, bootstrap.accuracy, draws=300, seed=5))
    assert not np.array_equal(first, bootstrap.draw(counts, bootstrap.accuracy, draws=300, seed=6))


def test_draws_are_paired() -> None:
    """A method that is better by the same in every frame is better by as much in every draw."""
    counts = frame_counts(2, 12, 1)
    counts[..., 2] = counts[..., 1] = 100
    better = counts.copy()
    better[..., 0] += 10
    drawn = [bootstrap.draw(c, bootstrap.accuracy, draws=200, seed=0) for c in (counts, better)]
    np.testing.assert_allclose(drawn[1] - drawn[0], 0.1, atol=1e-12)
    assert np.ptp(drawn[0]) > 0.01


def test_the_interval_of_one_frame_is_its_figure() -> None:
    counts = frame_counts(4, 1, 3)
    interval = Interval.of(bootstrap.draw(counts, bootstrap.accuracy, draws=100, seed=0))
    assert interval.low == interval.high == pytest.approx(float(bootstrap.accuracy(counts[0])))


def test_the_interval_narrows_with_the_number_of_frames() -> None:
    def width(frames: int) -> float:
        drawn = bootstrap.draw(frame_counts(7, frames, 3), bootstrap.accuracy, draws=500, seed=0)
        interval = Interval.of(drawn)
        assert interval.low < np.median(drawn) < interval.high
        return interval.high - interval.low

    assert width(400) < 0.5 * width(25)
