"""What is asked of an answer afterwards."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ovseg_ros.clipseg import Segmentation
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder


def answer(vocabulary: Vocabulary, scores: torch.Tensor, size: tuple[int, int]) -> Segmentation:
    first = [0] if vocabulary.background else []
    ids = torch.tensor([*first, *(cls.id for cls in vocabulary.classes)], dtype=torch.uint8)
    thresholds = torch.tensor([*map(float, first), *map(vocabulary.threshold_of, vocabulary.classes)])
    labels, confidence = labels_and_confidence(scores[None], size, ids, thresholds)
    return Segmentation(
        labels=labels[0].numpy(),
        confidence=confidence[0].numpy(),
        vocabulary=vocabulary,
        inference_ms=0.0,
        input_size=size,
        grid=(scores.shape[1], scores.shape[2]),
        scores=scores,
        features=torch.zeros(scores.shape[1] * scores.shape[2], 1),
    )


@pytest.mark.parametrize("background", [[], ["wall", "sky"]])
@pytest.mark.parametrize("size", [(19, 30), (3, 4)])
def test_cost_is_the_mean_of_what_a_pixel_may_be(background: list[str], size: tuple[int, int]) -> None:
    vocabulary = VocabularyBuilder().build(
        ["floor", "person", "grass"],
        background=background,
        threshold=0.45,
        costs={"person": 254, "grass": 60},
        default_cost=10,
    )
    costs = [10.0] * bool(background) + [10.0, 254.0, 60.0]
    scores = 2 * torch.randn(len(costs), 5, 7, generator=torch.Generator().manual_seed(1))
    result = answer(vocabulary, scores, size)
    cost = result.expected_cost()
    upsampled = F.interpolate(scores[None].double(), size, mode="bilinear", align_corners=False)[0]
    expected = (upsampled.softmax(0) * torch.tensor(costs, dtype=torch.float64)[:, None, None]).sum(0)
    unlabelled = result.labels == 255
    assert cost.dtype == np.uint8
    assert unlabelled.any()
    assert not unlabelled.all()
    assert (cost[unlabelled] == 255).all()
    assert np.abs(cost[~unlabelled] - expected.numpy()[~unlabelled]).max() <= 0.501


def test_certain_costs_are_the_costs_of_the_labels() -> None:
    vocabulary = VocabularyBuilder().build(["floor", "person"], costs={"floor": 0, "person": 254})
    scores = torch.tensor([[[90.0, -90.0]], [[-90.0, 90.0]]])
    assert answer(vocabulary, scores, (1, 2)).expected_cost().tolist() == [[0, 254]]
