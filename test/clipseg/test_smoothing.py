"""Scores smoothed over time, against a slow twin that carries every frame on its own in float64."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.clipseg.smoothing import OLDEST, Smoother, carried, cells, mean_logits
from ovseg_ros.images.motion import Follower, Motion

HEIGHT, WIDTH, GRID = 120, 160, (6, 8)
STEP_NS = 100_000_000
WORDS, OTHER_WORDS = object(), object()
"""Stand-ins for classifiers: a smoother asks only whether it is the same one."""


def scene(seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (25, 60, 3)).astype(np.uint8)
    return cv2.resize(coarse, (480, 200), interpolation=cv2.INTER_CUBIC)


def view(column: int, seed: int = 0) -> np.ndarray:
    return np.ascontiguousarray(scene(seed)[40 : 40 + HEIGHT, column : column + WIDTH])


def random_scores(count: int, classes: int = 3, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(classes, *GRID, generator=generator) for _ in range(count)]


def probabilities(scores: torch.Tensor) -> torch.Tensor:
    return scores.double().softmax(dim=0)


def bilinear(values: np.ndarray, x: float, y: float) -> np.ndarray:
    """Values [c, h, w] at a place in cells from the centre of the first, the border going on outside."""
    height, width = values.shape[1:]
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    left, top = min(int(x), max(0, width - 2)), min(int(y), max(0, height - 2))
    right, bottom, u, v = min(left + 1, width - 1), min(top + 1, height - 1), x - left, y - top
    upper = (1 - u) * values[:, top, left] + u * values[:, top, right]
    lower = (1 - u) * values[:, bottom, left] + u * values[:, bottom, right]
    return (1 - v) * upper + v * lower


def carried_slowly(values: np.ndarray, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Values [c, h, w] of a grid as the next frame sees them, and the share of each cell that is followed."""
    height, width = values.shape[1:]
    tall, wide = motion.followed.shape[0] // height, motion.followed.shape[1] // width
    found, share = np.zeros_like(values), np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            cell = np.s_[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
            dx, dy = motion.flow[cell].astype(float).mean(axis=(0, 1))
            found[:, row, column] = bilinear(values, column + dx / wide, row + dy / tall)
            share[row, column] = motion.followed[cell].mean()
    return found, share


def smoothed_slowly(frames: list[np.ndarray], scores: list[torch.Tensor], seconds: float) -> list[np.ndarray]:
    """Mean probabilities of frames a tenth of a second apart: of each frame since the last but one half of
    the longest age its own map, times its weight, with the weight behind it."""
    follower, half = Follower(160, 2.0), round(OLDEST * seconds / 2 / 0.1)
    maps: list[np.ndarray] = []
    answers = []
    for number, frame in enumerate(frames):
        if number:
            motion = follower.motion(follower.reduced(frames[number - 1]), follower.reduced(frame))
            assert motion is not None
            for place, sums in enumerate(maps):
                moved, share = carried_slowly(sums, motion)
                maps[place] = moved * share * math.exp(-0.1 / seconds)
        maps.append(np.concatenate([probabilities(scores[number]).numpy(), np.ones((1, *GRID))]))
        total = sum(maps[max(0, number // half - 1) * half :])
        answers.append(total[:-1] / total[-1])
    return answers


def run(
    smoother: Smoother, frames: list[np.ndarray], scores: list[torch.Tensor], start: int = 0
) -> list[torch.Tensor]:
    return [
        smoother(one, frame, (start + number) * STEP_NS, WORDS)
        for number, (frame, one) in enumerate(zip(frames, scores, strict=True))
    ]


@pytest.mark.parametrize("step", [0, 4, -11])
def test_the_average_equals_the_twin(step: int) -> None:
    frames = [view(180 + number * step) for number in range(16)]
    scores = random_scores(16)
    found = run(Smoother(0.2), frames, scores)
    expected = smoothed_slowly(frames, scores, 0.2)
    for logits, shares in zip(found, expected, strict=True):
        np.testing.assert_allclose(probabilities(logits).numpy(), shares, rtol=0, atol=2e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(1, 1), (3, 4), (6, 8), (12, 5)]))
def test_a_grid_is_read_where_the_twin_reads_it(seed: int, grid: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    motion = Motion(
        random.uniform(-30, 30, (HEIGHT, WIDTH, 2)).astype(np.float32).cumsum(axis=0) / 40,
        random.random((HEIGHT, WIDTH)) < 0.7,
    )
    values = random.random((2, *grid))
    places, followed = cells(motion, grid)
    expected, share = carried_slowly(values, motion)
    found = carried(torch.from_numpy(values), torch.from_numpy(places)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(followed, share, rtol=0, atol=1e-5)


def test_mean_logits_are_logarithms_of_mean_probabilities() -> None:
    sums = torch.tensor([0.5, 1.5, 0.0, 2.0]).view(4, 1, 1)
    found = mean_logits(sums).flatten()
    torch.testing.assert_close(found[:2], torch.tensor([0.25, 0.75]).log())
    assert torch.isfinite(found).all()


def test_noise_falls_on_a_still_image_and_the_mean_stays() -> None:
    truth = torch.tensor([0.7, 0.2, 0.1]).log().view(3, 1, 1)
    scores = [truth + noise / 6 for noise in random_scores(30)]
    found = run(Smoother(0.2), [view(100)] * 30, scores)
    raw, smooth = (torch.stack([probabilities(one) for one in ones[5:]]) for ones in (scores, found))
    assert smooth.std(dim=0).mean() < 0.6 * raw.std(dim=0).mean()
    assert (smooth.mean(dim=(0, 2, 3)) - raw.mean(dim=(0, 2, 3))).abs().max() < 0.01


def test_what_does_not_change_stays_as_it_is() -> None:
    (one,) = random_scores(1)
    for found in run(Smoother(0.3), [view(100)] * 20, [one] * 20):
        torch.testing.assert_close(found.softmax(dim=0), one.softmax(dim=0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("interval", [0.033, 0.1, 0.2])
def test_a_change_is_believed_after_the_same_time_at_any_rate(interval: float) -> None:
    """Probability 0.9 for one class, then for the other: equal weights after T ln 2 where T is long for the
    interval, and the next frame decides."""
    before, after = (torch.tensor(p).log().view(2, 1, 1).expand(2, *GRID) for p in ([0.9, 0.1], [0.1, 0.9]))
    smoother, step = Smoother(0.3), round(interval * 1e9)
    for number in range(40):
        smoother(before, view(100), number * step, WORDS)
    for number in range(40, 80):
        found = smoother(after, view(100), number * step, WORDS)
        if (found[1] > found[0]).all():
            break
    waited = (number - 39) * interval
    assert 0.3 * math.log(2) - 1e-6 <= waited + interval
    assert waited <= 0.3 * math.log(2) + interval + 1e-6


def test_labels_follow_the_motion_within_a_cell() -> None:
    """A disc fixed to the scene, seen in every other frame, while the camera pans by 0.6 cells a frame."""
    grid, smoother = (15, 20), Smoother(0.3)
    rows, columns = (np.indices(grid) + 0.5) * 8
    for number in range(16):
        left = 100 + 5 * number
        where = np.hypot(rows - 60, columns - (200 - left))
        seen = np.where(where < 24, 3.0, -3.0) if number % 2 == 0 else np.full(grid, -0.2)
        scores = torch.from_numpy(np.stack([np.zeros(grid), seen])).float()
        found = smoother(scores, view(left), number * STEP_NS, WORDS)
        disc = (found[1] > found[0]).numpy()
        assert disc.any()
        assert abs(columns[disc].mean() - (200 - left)) < 8
        assert abs(rows[disc].mean() - 60) < 8
        assert 0.5 * (where < 24).sum() < disc.sum() < 2 * (where < 24).sum()


def begun(seconds: float = 0.2) -> Smoother:
    """A smoother that has seen half a second of one view, which ends at stamp 0.5 s."""
    smoother = Smoother(seconds)
    run(smoother, [view(100)] * 6, random_scores(6))
    return smoother


def test_the_next_frame_is_smoothed() -> None:
    """Or the tests of what is not would prove nothing."""
    (one,) = random_scores(1, seed=9)
    assert not torch.equal(begun()(one, view(100), 6 * STEP_NS, WORDS), one)
    assert not torch.equal(begun()(one, view(103), 6 * STEP_NS, WORDS), one)


@pytest.mark.parametrize("stamp", [0, 4 * STEP_NS, 5 * STEP_NS, 5 * STEP_NS + 1_000_000_000, 10**18])
def test_stamps_that_jump_forget_all(stamp: int) -> None:
    """Back, the same again, the longest age later, and far into the future."""
    one, two = random_scores(2, seed=9)
    smoother, fresh = begun(), Smoother(0.2)
    assert torch.equal(smoother(one, view(100), stamp, WORDS), one)
    fresh(one, view(100), stamp, WORDS)
    after = stamp + STEP_NS
    assert torch.equal(smoother(two, view(100), after, WORDS), fresh(two, view(100), after, WORDS))


def test_a_cut_forgets_all() -> None:
    one, two = random_scores(2, seed=9)
    smoother = begun()
    assert torch.equal(smoother(one, view(100, seed=1), 6 * STEP_NS, WORDS), one)
    assert not torch.equal(smoother(two, view(100, seed=1), 7 * STEP_NS, WORDS), two)


def test_other_words_never_mix() -> None:
    one, two = random_scores(2, seed=9)
    smoother = begun()
    assert torch.equal(smoother(one, view(100), 6 * STEP_NS, OTHER_WORDS), one)
    assert torch.equal(smoother(two, view(100), 7 * STEP_NS, WORDS), two)
    (more,) = random_scores(1, classes=7)
    assert torch.equal(smoother(more, view(100), 8 * STEP_NS, OTHER_WORDS), more)


def test_reset_forgets_all() -> None:
    (one,) = random_scores(1, seed=9)
    smoother = begun()
    smoother.reset()
    assert torch.equal(smoother(one, view(100), 6 * STEP_NS, WORDS), one)


def test_nothing_is_older_than_the_longest_age() -> None:
    """Two streams that differ in their first frame only: the same to the last bit from then on."""
    scores = random_scores(14)
    found = [
        run(Smoother(0.2), [view(100)] * 14, [first, *scores[1:]])
        for first in (scores[0], 20 * torch.randn(3, *GRID))
    ]
    ages = [number for number in range(14) if not torch.equal(found[0][number], found[1][number])]
    assert ages == list(range(round(OLDEST * 0.2 / 0.1)))


def test_another_grid_takes_over() -> None:
    """As when the short side changes to hold a latency."""
    tilt = torch.linspace(-2, 2, 8).expand(6, 8)
    smoother = Smoother(0.2)
    run(smoother, [view(100)] * 4, [torch.stack([tilt, -tilt])] * 4)
    found = smoother(torch.zeros(2, 12, 16), view(100), 4 * STEP_NS, WORDS)
    assert found.shape == (2, 12, 16)
    left, right = found[0] - found[1] < -0.1, found[0] - found[1] > 0.1
    assert left[:, :6].all()
    assert right[:, -6:].all()


def test_the_given_scores_are_left_alone() -> None:
    scores = random_scores(8)
    before = [one.clone() for one in scores]
    found = run(Smoother(0.2), [view(100)] * 8, scores)
    kept = [one.clone() for one in found]
    run(Smoother(0.2), [view(100)] * 8, scores)
    for one, copy in zip([*scores, *found], [*before, *kept], strict=True):
        assert torch.equal(one, copy)


def test_another_time_constant_holds_from_the_next_frame() -> None:
    (one,) = random_scores(1, seed=9)
    shorter = begun()
    shorter.seconds = 0.05
    less, more = (smoother(one, view(100), 6 * STEP_NS, WORDS) for smoother in (shorter, begun()))
    change = [(probabilities(found) - probabilities(one)).abs().mean() for found in (less, more)]
    assert change[0] < 0.5 * change[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_same() -> None:
    frames, scores = [view(180 + 4 * number) for number in range(8)], random_scores(8)
    on_host = run(Smoother(0.2), frames, scores)
    on_device = run(Smoother(0.2), frames, [one.cuda() for one in scores])
    for mine, theirs in zip(on_device, on_host, strict=True):
        torch.testing.assert_close(mine.cpu(), theirs, rtol=0, atol=1e-4)
