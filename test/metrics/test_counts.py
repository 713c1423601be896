"""The counts of parts add up to the counts of the whole, whatever is counted."""

import copy
from typing import Any

import numpy as np
import pytest

from ovseg_ros.metrics import BoundaryCounts, ConfidenceCounts, ConfusionMatrix, FlickerCounts

METRICS: tuple[Any, ...] = (ConfusionMatrix(), BoundaryCounts(), ConfidenceCounts(), FlickerCounts())


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)
def test_parts_add_up_to_the_whole_in_any_order(metric: Any) -> None:
    random = np.random.default_rng(3)
    whole, parts = copy.deepcopy(metric), [copy.deepcopy(metric) for _ in range(3)]
    for part in parts:
        truth, labels, confidence = random.integers(0, 4, (3, 12, 9)).astype(np.uint8)
        frame = {
            ConfusionMatrix: (truth, labels),
            BoundaryCounts: (truth, labels),
            ConfidenceCounts: (truth, labels, confidence),
            FlickerCounts: ((truth, labels), (truth, confidence)),
        }[type(metric)]
        part.update(*frame)
        whole.update(*frame)
    total = copy.deepcopy(metric)
    for part in reversed(parts):
        total.add(part)
    for name, value in vars(total).items():
        assert np.array_equal(value, vars(whole)[name]), name
        assert not np.array_equal(value, vars(metric)[name]), name
