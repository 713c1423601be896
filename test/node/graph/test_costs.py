"""`~/cost`: what planners pay, as the vocabulary in force has it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sensor_msgs.msg import Image

from ovseg_ros.clipseg import Segmentation


def test_costs_come_with_the_vocabulary(
    segmenter: Any, probe: Any, labels: Any, status: Callable[..., Any]
) -> None:
    costs = probe.collect(Image, "segmenter/cost")
    status(
        lambda level, message, values: (
            level == 1
            and "no class of the vocabulary has a cost" in message
            and "rejected: no_costs" in values
        ),
        "a warning that there are no costs",
        feed=True,
    )
    assert not costs.messages

    answer = probe.set_vocabulary(["floor", "box", "lamp"], costs=[-1, 254, 100], default_cost=30)
    assert answer.success, answer.message
    assert [entry.cost for entry in answer.vocabulary.classes] == [30, 254, 100]
    assert answer.vocabulary.has_costs

    def pair() -> Any:
        return next((m, labels.of(m.header)) for m in list(costs.messages) if labels.of(m.header))

    cost, label = probe.feed(lambda: costs.count > 2 and pair(), "costs with labels")
    assert cost.encoding == "mono8"
    assert cost.step == cost.width == label.width
    values = np.frombuffer(cost.data, np.uint8)
    assert values.min() >= 30
    assert values.max() <= 254


def test_a_service_call_without_costs_ends_them(segmenter: Any, probe: Any) -> None:
    assert probe.set_vocabulary(["floor", "box"], costs=[0, 254]).success
    answer = probe.set_vocabulary(["floor", "box"])
    assert not answer.vocabulary.has_costs


def test_wrong_costs_are_refused(segmenter: Any, probe: Any) -> None:
    before = probe.get_vocabulary()
    for costs, said in (([1], "2 classes came with 1 costs"), ([0, 255], "class 'box' is 255")):
        answer = probe.set_vocabulary(["floor", "box"], costs=costs)
        assert not answer.success
        assert said in answer.message
    assert probe.get_vocabulary() == before


def test_parameters_follow_and_lead(segmenter: Any, probe: Any, wait_for: Callable[..., Any]) -> None:
    def parameter(name: str) -> Any:
        return segmenter.on_executor(lambda: segmenter.node.get_parameter(f"vocabulary.{name}").value)

    assert probe.set_vocabulary(["floor", "box"], costs=[-1, 254], default_cost=5).success
    wait_for(lambda: list(parameter("costs")) == ["box: 254"], "the parameter to follow")
    assert parameter("default_cost") == 5

    # Costs belong to the classes that they name, and go with them.
    assert probe.set_parameters({"vocabulary.classes": ["tree"]}).successful
    wait_for(lambda: [c.name for c in probe.get_vocabulary().classes] == ["tree"], "the tree")
    assert not probe.get_vocabulary().has_costs
    assert probe.set_parameters({"vocabulary.costs": ["tree: 99"]}).successful
    wait_for(lambda: probe.get_vocabulary().classes[0].cost == 99, "the cost")
    refused = probe.set_parameters({"vocabulary.costs": ["bush: 99"]})
    assert not refused.successful
    assert "'bush'" in refused.reason


def test_nothing_is_computed_for_nobody(segmenter: Any, probe: Any, labels: Any, monkeypatch: Any) -> None:
    assert probe.set_vocabulary(["floor", "box"], costs=[0, 254]).success
    made: list[int] = []
    monkeypatch.setattr(Segmentation, "expected_cost", lambda _: made.append(1))
    probe.feed(lambda: labels.count > 3, "labels")
    assert not made
