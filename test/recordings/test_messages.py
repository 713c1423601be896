"""One mapping to messages: the node and a recorded bag say the same, and nothing is lost on the way back."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ovseg_ros.recordings.messages import (
    LABEL_INFO,
    SUMMARY,
    SUMMARY_TOPIC,
    VOCABULARY,
    VOCABULARY_TOPIC,
    label_info_message,
    label_names,
    make_header,
    make_message,
    message_types,
    prediction_messages,
    read_vocabulary_message,
    summary_message,
    vocabulary_message,
    vocabulary_messages,
)
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder

STAMP_NS = 7_000_000_009
WITH_COSTS = VocabularyBuilder().build(
    ["road", "person; pedestrian"],
    [9, 4],
    ["sky"],
    threshold=0.5,
    thresholds={"person": 0.75},
    costs={"person": 254},
    default_cost=9,
)
WITHOUT_COSTS = VocabularyBuilder().build(["road", "person"], default_cost=3)
TOPICS = ["/prefix/road", "/prefix/person"]
SHARES = [
    SimpleNamespace(id=9, name="road", share=0.25, mean_confidence=0.5, peak_confidence=0.75),
    SimpleNamespace(id=4, name="person", share=0.0, mean_confidence=0.0, peak_confidence=0.125),
]

Build = Callable[[Callable[..., Any], Any], Any]


def vocabulary(make: Callable[..., Any], header: Any) -> Any:
    return vocabulary_message(make, WITH_COSTS, header, TOPICS)


def summary(make: Callable[..., Any], header: Any) -> Any:
    topics = dict(zip((9, 4), TOPICS, strict=True))
    return summary_message(
        make, header, WITH_COSTS, SHARES, topics, unlabelled_share=0.5, inference_ms=12.5, latency_ms=math.nan
    )


def label_info(make: Callable[..., Any], header: Any) -> Any:
    return label_info_message(make, label_names(WITH_COSTS), header, WITH_COSTS.threshold)


@pytest.mark.parametrize(
    ("build", "kind"), [(vocabulary, VOCABULARY), (summary, SUMMARY), (label_info, LABEL_INFO)]
)
def test_the_graph_and_a_bag_are_given_the_same(build: Build, kind: str) -> None:
    package = kind.partition("/")[0]
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    pytest.importorskip(f"{package}.msg", reason=f"{package} is not installed")
    from rclpy.serialization import serialize_message

    from ovseg_ros.node.outputs import make_message as make

    stamp = make("builtin_interfaces/msg/Time", sec=7, nanosec=9)
    published = build(make, make("std_msgs/msg/Header", stamp=stamp, frame_id="camera"))
    recorded = build(make_message, make_header(STAMP_NS))
    types = message_types()
    # Once through the same serializer, as the padding between fields may be anything.
    received = types.deserialize_cdr(serialize_message(published), kind)
    assert bytes(types.serialize_cdr(recorded, kind)) == bytes(types.serialize_cdr(received, kind))


def test_a_vocabulary_keeps_everything() -> None:
    message = vocabulary(make_message, make_header(STAMP_NS))
    assert message.header.stamp.sec == 7
    assert message.revision == 1
    assert list(message.background) == ["sky"]
    road, person = message.classes
    assert (road.id, road.name, road.threshold) == (9, "road", 0.5)
    assert (person.id, list(person.synonyms), person.threshold) == (4, ["pedestrian"], 0.75)
    assert (road.cost, person.cost, message.default_cost, message.has_costs) == (9, 254, 9, True)
    assert person.confidence_topic == "/prefix/person"
    expected = tuple(value / 255 for value in WITH_COSTS.classes[0].color)
    assert (road.color.r, road.color.g, road.color.b, road.color.a) == pytest.approx((*expected, 1.0))


def test_label_info_names_every_value_of_a_mask() -> None:
    info = label_info(make_message, make_header(STAMP_NS))
    assert [(entry.class_id, entry.class_name) for entry in info.class_map] == [
        (0, "background"),
        (4, "person"),
        (9, "road"),
        (255, "unlabelled"),
    ]
    assert info.threshold == 0.5
    assert info.header.stamp.nanosec == 9


@pytest.mark.parametrize("words", [WITH_COSTS, WITHOUT_COSTS])
def test_a_recorded_vocabulary_comes_back(words: Vocabulary) -> None:
    data = vocabulary_messages(words, STAMP_NS)[VOCABULARY_TOPIC]
    read = read_vocabulary_message(message_types().deserialize_cdr(data, VOCABULARY))
    for entry, given in zip(read.classes, words.classes, strict=True):
        assert (entry.id, entry.name, entry.synonyms) == (given.id, given.name, given.synonyms)
        assert (entry.color, entry.slug) == (given.color, given.slug)
        assert read.threshold_of(entry) == words.threshold_of(given)
        assert read.cost_of(entry) == words.cost_of(given)
    assert (read.has_costs, read.default_cost) == (words.has_costs, words.default_cost)
    assert (read.background, read.threshold, read.revision) == (words.background, words.threshold, 1)


def test_a_summary_counts_what_is_unlabelled() -> None:
    labels = np.array([[9, 255], [255, 255]], np.uint8)
    data = prediction_messages(labels, labels, WITH_COSTS, SHARES, 12.5, STAMP_NS)[SUMMARY_TOPIC]
    read: Any = message_types().deserialize_cdr(data, SUMMARY)
    assert (read.vocabulary_revision, read.unlabelled_share, read.inference_ms) == (1, 0.75, 12.5)
    assert math.isnan(read.latency_ms)
    assert [(entry.name, entry.confidence_topic) for entry in read.classes] == [
        ("road", "/segmenter/confidence/road"),
        ("person", "/segmenter/confidence/person"),
    ]
