from types import SimpleNamespace

import pytest

pytest.importorskip("std_msgs", reason="ROS 2 is not installed")

from builtin_interfaces.msg import Time

from ovseg_ros.node.messages import label_info_message, vocabulary_message
from ovseg_ros.vocabulary import VocabularyBuilder

STAMP = Time(sec=7)
VOCABULARY = VocabularyBuilder().build(
    ["road", "person; pedestrian"],
    [9, 4],
    ["sky"],
    threshold=0.5,
    thresholds={"person": 0.75},
    costs={"person": 254},
    default_cost=9,
)
KINDS = SimpleNamespace(LabelInfo=SimpleNamespace, VisionClass=SimpleNamespace)
"""Stands for vision_msgs.msg, which is not installed everywhere."""


def test_a_vocabulary_keeps_everything() -> None:
    message = vocabulary_message(VOCABULARY, STAMP, lambda slug: f"/prefix/{slug}")
    assert message.header.stamp == STAMP
    assert message.revision == 1
    assert list(message.background) == ["sky"]
    road, person = message.classes
    assert (road.id, road.name, road.threshold) == (9, "road", 0.5)
    assert (person.id, list(person.synonyms), person.threshold) == (4, ["pedestrian"], 0.75)
    assert (road.cost, person.cost, message.default_cost, message.has_costs) == (9, 254, 9, True)
    assert person.confidence_topic == "/prefix/person"
    expected = tuple(value / 255 for value in VOCABULARY.classes[0].color)
    assert (road.color.r, road.color.g, road.color.b, road.color.a) == pytest.approx((*expected, 1.0))


def test_label_info_names_every_value_of_a_mask() -> None:
    info = label_info_message(VOCABULARY, STAMP, KINDS)
    assert [(entry.class_id, entry.class_name) for entry in info.class_map] == [
        (0, "background"),
        (4, "person"),
        (9, "road"),
        (255, "unlabelled"),
    ]
    assert info.threshold == 0.5
    assert info.header.stamp == STAMP
