import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ovseg_ros.clipseg import labelling
from ovseg_ros.clipseg.labelling import class_probability, labels_and_confidence


def probabilities(scores: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """All K x H x W of them at once, in float64."""
    return F.interpolate(scores.double()[None], size, mode="bilinear", align_corners=False)[0].softmax(0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    classes=st.integers(1, 9),
    grid=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    tile=st.sampled_from([1, 64, 1000, 1 << 20]),
)
def test_tiles_equal_the_whole(
    seed: int, classes: int, grid: tuple[int, int], size: tuple[int, int], tile: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(classes, *grid, generator=generator)
    ids = torch.randperm(255, generator=generator)[:classes].to(torch.uint8)
    thresholds = torch.rand(classes, generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelling, "TILE_ELEMENTS", tile)
        labels, confidence = labels_and_confidence(scores, size, ids, thresholds)
        single = class_probability(scores, size, classes - 1)
    exact = probabilities(scores, size)
    best, winner = exact.max(0)
    assert labels.shape == confidence.shape == size
    assert (confidence.double() - 255 * best).abs().max() <= 0.5001
    assert (single.double() - 255 * exact[-1]).abs().max() <= 0.5001
    # Labels may differ only where rounding decides: two equal scores, or a threshold met exactly.
    expected = torch.where(best < thresholds[winner], 255, ids[winner])
    runner_up = exact.topk(min(2, classes), dim=0).values[-1] if classes > 1 else torch.zeros_like(best)
    clear = (best - runner_up > 1e-5) & ((best - thresholds[winner]).abs() > 1e-5)
    assert torch.equal(labels[clear], expected.to(torch.uint8)[clear])


def test_threshold_hides_labels_and_keeps_confidence() -> None:
    scores = torch.zeros(2, 1, 1)
    ids = torch.tensor([3, 9], dtype=torch.uint8)
    labels, confidence = labels_and_confidence(scores, (2, 2), ids, torch.tensor([0.6, 0.6]))
    assert (labels == 255).all()
    assert (confidence == 128).all()


def test_scores_far_apart_do_not_overflow() -> None:
    scores = torch.tensor([1e4, -1e4]).view(2, 1, 1)
    ids = torch.tensor([1, 2], dtype=torch.uint8)
    labels, confidence = labels_and_confidence(scores, (3, 3), ids, torch.zeros(2))
    assert (labels == 1).all()
    assert (confidence == 255).all()
