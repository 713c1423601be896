from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("std_msgs", reason="ROS 2 is not installed")

from builtin_interfaces.msg import Time

from ovseg_ros.node.outputs import vocabulary_snapshot
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


@pytest.fixture
def node() -> Any:
    """Stands for a node under the name /prefix."""
    return SimpleNamespace(resolve_topic_name=lambda name: name.replace("~", "/prefix"))


def test_a_vocabulary_keeps_everything(node: Any) -> None:
    snapshot = vocabulary_snapshot(node, VOCABULARY, [""], STAMP)
    message = snapshot.message
    assert snapshot.vocabulary is VOCABULARY
    assert message.header.stamp == STAMP
    assert message.revision == 1
    assert list(message.background) == ["sky"]
    road, person = message.classes
    assert (road.id, road.name, road.threshold) == (9, "road", 0.5)
    assert (person.id, list(person.synonyms), person.threshold) == (4, ["pedestrian"], 0.75)
    assert (road.cost, person.cost, message.default_cost, message.has_costs) == (9, 254, 9, True)
    assert person.confidence_topic == "/prefix/confidence/person"
    expected = tuple(value / 255 for value in VOCABULARY.classes[0].color)
    assert (road.color.r, road.color.g, road.color.b, road.color.a) == pytest.approx((*expected, 1.0))


def test_with_named_cameras_topics_are_relative(node: Any) -> None:
    message = vocabulary_snapshot(node, VOCABULARY, ["front", "rear"]).message
    assert [entry.confidence_topic for entry in message.classes] == ["confidence/road", "confidence/person"]
    assert message.header.stamp == Time(), "it is not in force yet"


def test_label_info_names_every_value_of_a_mask(node: Any) -> None:
    pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    info = vocabulary_snapshot(node, VOCABULARY, [""], STAMP).label_info
    assert [(entry.class_id, entry.class_name) for entry in info.class_map] == [
        (0, "background"),
        (4, "person"),
        (9, "road"),
        (255, "unlabelled"),
    ]
    assert info.threshold == 0.5
    assert info.header.stamp == STAMP
