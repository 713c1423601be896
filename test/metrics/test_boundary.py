"""Boundary F against a search over all pairs of border pixels."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ovseg_ros.metrics import BoundaryCounts, mean
from ovseg_ros.metrics import agreement as module

LABELS = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 11)), elements=st.integers(0, 3))


def slow_border(labels: np.ndarray, class_id: int) -> list[tuple[int, int]]:
    height, width = labels.shape
    found = []
    for y, x in product(range(height), range(width)):
        beside = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        other = [labels[b] != class_id for b in beside if 0 <= b[0] < height and 0 <= b[1] < width]
        if labels[y, x] == class_id and any(other):
            found.append((y, x))
    return found


def slow_counts(truth: np.ndarray, labels: np.ndarray, class_id: int, tolerance: float) -> list[int]:
    true, said = slow_border(truth, class_id), slow_border(labels, class_id)
    counted = [place for place in said if truth[place] != 255]

    def near(place: tuple[int, int], others: list[tuple[int, int]]) -> bool:
        return any(math.dist(place, other) <= tolerance for other in others)

    return [
        len(counted),
        sum(near(place, true) for place in counted),
        len(true),
        sum(near(place, said) for place in true),
    ]


def slow_f(counts: list[int]) -> float | None:
    predicted, predicted_hits, true, true_hits = counts
    if not predicted and not true:
        return None
    precision = predicted_hits / predicted if predicted else 0.0
    recall = true_hits / true if true else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@given(st.data(), st.sampled_from([1.0, 1.5, 2.0, 2.3, 3.7]))
def test_counts_equal_a_search_over_all_pairs(data: st.DataObject, tolerance: float) -> None:
    truth = data.draw(LABELS)
    labels = data.draw(arrays(np.uint8, truth.shape, elements=st.integers(0, 4)))
    truth = np.where(truth == 3, 255, truth).astype(np.uint8)
    ids = [0, 1, 2, 4]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TOLERANCE", tolerance / math.hypot(*truth.shape))
        counts = BoundaryCounts()
        counts.update(truth, labels, ids)
    effective = max(1.0, tolerance / math.hypot(*truth.shape) * math.hypot(*truth.shape))
    slow = {class_id: slow_counts(truth, labels, class_id, effective) for class_id in ids}
    assert {class_id: counts.counts[:, class_id].tolist() for class_id in ids} == slow
    scores = {class_id: module.boundary_f(counts.counts[:, class_id]) for class_id in ids}
    assert scores == {class_id: slow_f(slow[class_id]) for class_id in ids}
    there = [value for value in scores.values() if value is not None]
    assert mean(scores.values()) == (pytest.approx(sum(there) / len(there)) if there else None)


def test_more_classes_than_a_mark_has_bits() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 200, (20, 30)).astype(np.uint8)
    labels = random.integers(0, 200, (20, 30)).astype(np.uint8)
    counts = BoundaryCounts()
    counts.update(truth, labels, range(200))
    for class_id in range(0, 200, 7):
        assert counts.counts[:, class_id].tolist() == slow_counts(truth, labels, class_id, 1.0)


def test_the_tolerance_is_a_share_of_the_diagonal() -> None:
    truth = np.zeros((480, 640), np.uint8)
    truth[:, 320:] = 1
    for shift, expected in ((6, 1.0), (7, 0.0)):
        labels = np.zeros_like(truth)
        labels[:, 320 + shift :] = 1
        counts = BoundaryCounts()
        counts.update(truth, labels, [0, 1])
        assert [module.boundary_f(counts.counts[:, class_id]) for class_id in (0, 1)] == [expected] * 2


def test_parts_add_up() -> None:
    random = np.random.default_rng(1)
    pairs = [random.integers(0, 3, (2, 12, 17)).astype(np.uint8) for _ in range(4)]
    whole, halves = BoundaryCounts(), [BoundaryCounts(), BoundaryCounts()]
    for index, (truth, labels) in enumerate(pairs):
        whole.update(truth, labels, [0, 1, 2])
        halves[index % 2].update(truth, labels, [0, 1, 2])
    halves[0].add(halves[1])
    assert np.array_equal(whole.counts, halves[0].counts)
