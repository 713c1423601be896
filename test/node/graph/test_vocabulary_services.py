"""The vocabulary over the graph: asked for, refused, swapped while frames flow."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rclpy.qos import QoSProfile

from ovseg_ros.clipseg import Segmenter
from ovseg_ros.msg import Vocabulary
from ovseg_ros.node.engine import PreparedSegmenter
from ovseg_ros.srv import GetVocabulary, SetVocabulary

REFUSED = [
    ({"classes": []}, "no class"),
    ({"classes": ["road", " "]}, "class 2"),
    ({"classes": ["road", "Road"]}, "duplicate"),
    ({"classes": ["road; street", "street"]}, "duplicate"),
    ({"classes": [f"thing {number}" for number in range(255)]}, "254"),
    ({"classes": ["x" * 201]}, "200"),
    ({"classes": ["ro\x07ad"]}, "control"),
    ({"classes": ["road"], "ids": [0]}, "background"),
    ({"classes": ["road"], "ids": [255]}, "unlabelled"),
    ({"classes": ["road"], "ids": [300]}, "1..254"),
    ({"classes": ["road", "car"], "ids": [7, 7]}, "id 7"),
    ({"classes": ["road", "car"], "ids": [7]}, "ids"),
    ({"classes": ["road"], "threshold": 1.5}, "threshold"),
    ({"classes": ["road"], "threshold": float("nan")}, "threshold"),
    ({"classes": ["road"], "background": ["road"]}, "duplicate"),
]


@pytest.fixture
def latched(probe: Any) -> Any:
    return probe.collect(Vocabulary, "segmenter/vocabulary", latched=True)


def names(vocabulary: Vocabulary) -> list[str]:
    return [entry.name for entry in vocabulary.classes]


def topics_under(probe: Any, prefix: str) -> set[str]:
    return {name for name, _ in probe.node.get_topic_names_and_types() if name.startswith(prefix)}


def test_the_answer_tells_everything_about_the_classes(segmenter: Any, probe: Any) -> None:
    answer = probe.set_vocabulary(["traffic cone", "person; pedestrian"], background=["sky"], threshold=0.25)
    assert answer.success, answer.message
    vocabulary = answer.vocabulary
    cone, person = vocabulary.classes
    assert (cone.name, list(cone.synonyms)) == ("traffic cone", [])
    assert (person.name, list(person.synonyms)) == ("person", ["pedestrian"])
    assert cone.confidence_topic == "/segmenter/confidence/traffic_cone"
    assert cone.threshold == vocabulary.threshold == 0.25
    assert list(vocabulary.background) == ["sky"]
    assert 0 <= cone.color.r <= 1
    assert cone.color.a == 1
    kept = probe.set_vocabulary(["person"])
    assert kept.vocabulary.threshold == 0.25
    assert kept.vocabulary.classes[0].id == person.id
    assert kept.vocabulary.revision == vocabulary.revision + 1


@pytest.mark.parametrize(("request_fields", "reason"), REFUSED)
def test_a_refused_vocabulary_changes_nothing(
    segmenter: Any, probe: Any, request_fields: dict[str, Any], reason: str
) -> None:
    before = probe.get_vocabulary()
    answer = probe.set_vocabulary(**request_fields)
    assert not answer.success
    assert reason in answer.message
    after = probe.get_vocabulary()
    assert (names(after), after.revision) == (names(before), before.revision)
    assert names(answer.vocabulary) == names(before)


def test_confidence_topics_come_and_go_with_the_vocabulary(
    segmenter: Any, probe: Any, wait_for: Callable[..., Any]
) -> None:
    for words in (["floor", "red ball"], ["floor", "9 volt battery"]):
        answer = probe.set_vocabulary(words)
        expected = {entry.confidence_topic for entry in answer.vocabulary.classes}
        wait_for(
            lambda expected=expected: topics_under(probe, "/segmenter/confidence/") == expected,
            f"the topics {sorted(expected)}",
        )
    assert f"/segmenter/confidence/class_{answer.vocabulary.classes[1].id}" in expected


def test_the_latched_topic_follows_without_any_frame(
    segmenter: Any, probe: Any, latched: Any, wait_for: Callable[..., Any]
) -> None:
    revision = probe.set_vocabulary(["left", "right"]).vocabulary.revision
    wait_for(lambda: any(m.revision == revision for m in list(latched.messages)), "the latched vocabulary")
    (message,) = (m for m in latched.messages if m.revision == revision)
    assert message == probe.get_vocabulary(), "topic and service tell the same, stamp included"
    assert message.header.stamp.sec > 0
    late = probe.collect(Vocabulary, "segmenter/vocabulary", latched=True)
    wait_for(lambda: late.messages, "the latched vocabulary for a late subscriber")
    assert names(late.messages[0]) == ["left", "right"]


def test_label_info_holds_every_label(segmenter: Any, probe: Any, wait_for: Callable[..., Any]) -> None:
    kinds = pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    answer = probe.set_vocabulary(["road", "car"], threshold=0.5)
    infos = probe.collect(kinds.LabelInfo, "segmenter/label_info", latched=True)
    expected = {0: "background", 255: "unlabelled", **{c.id: c.name for c in answer.vocabulary.classes}}
    wait_for(
        lambda: (
            infos.messages
            and {entry.class_id: entry.class_name for entry in infos.messages[-1].class_map} == expected
        ),
        "label_info",
    )
    assert infos.messages[-1].threshold == 0.5


def test_twenty_calls_at_once_are_answered_each_and_in_order(
    segmenter: Any, probe: Any, wait_for: Callable[..., Any]
) -> None:
    first = probe.get_vocabulary().revision
    # With the usual depth of 10 a client may lose answers that come in one burst.
    client = probe.node.create_client(SetVocabulary, "set_vocabulary", qos_profile=QoSProfile(depth=100))
    assert client.wait_for_service(10)
    calls = [
        client.call_async(SetVocabulary.Request(classes=[f"thing {number}", "other"])) for number in range(20)
    ]
    wait_for(lambda: all(call.done() for call in calls), "twenty answers")
    answers = [call.result() for call in calls]
    assert all(answer.success for answer in answers)
    assert [names(answer.vocabulary)[0] for answer in answers] == [f"thing {n}" for n in range(20)]
    assert [answer.vocabulary.revision for answer in answers] == list(range(first + 1, first + 21))
    assert names(probe.get_vocabulary()) == ["thing 19", "other"]
    found = wait_for(
        lambda: segmenter.node.get_parameter("vocabulary.classes").value == ["thing 19", "other"],
        "parameters that follow",
    )
    assert found


def test_254_classes_and_then_one(
    segmenter: Any, probe: Any, labels: Any, summaries: Any, wait_for: Callable[..., Any]
) -> None:
    many = probe.set_vocabulary([f"item {number}" for number in range(254)])
    assert many.success, many.message
    assert "background" not in many.message
    assert sorted(entry.id for entry in many.vocabulary.classes) == list(range(1, 255))
    revision = many.vocabulary.revision
    probe.feed(
        lambda: any(s.vocabulary_revision == revision for s in list(summaries.messages)), "254 classes"
    )
    one = probe.set_vocabulary(["item 7"])
    assert "add background prompts" in one.message
    assert one.vocabulary.classes[0].id == many.vocabulary.classes[7].id
    summaries.clear()
    summary = probe.feed(
        lambda: next(
            (s for s in list(summaries.messages) if s.vocabulary_revision == one.vocabulary.revision), None
        ),
        "one class",
    )
    image = wait_for(lambda: labels.of(summary.header), "its labels")
    assert set(image.data) <= {one.vocabulary.classes[0].id, 255}
    assert summary.classes[0].share + summary.unlabelled_share == pytest.approx(1)


def test_services_answer_while_a_slow_frame_is_inferred(
    segmenter: Any, probe: Any, labels: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    original = PreparedSegmenter.segment
    busy: list[float] = []

    def slow(self: PreparedSegmenter, *args: Any) -> Any:
        busy.append(time.monotonic())
        time.sleep(0.4)
        return original(self, *args)

    probe.set_vocabulary(["road", "car"])
    probe.set_vocabulary(["tree"])
    monkeypatch.setattr(PreparedSegmenter, "segment", slow)
    probe.feed(lambda: busy, "a slow frame")
    waits: dict[str, list[float]] = {"get_vocabulary": [], "set_vocabulary": []}
    for number in range(20):
        probe.images.publish(probe.image())
        for name, kind in (("get_vocabulary", GetVocabulary), ("set_vocabulary", SetVocabulary)):
            request = kind.Request()
            if kind is SetVocabulary:
                request.classes = [["road", "car"], ["tree"]][number % 2]
            client = probe.node.create_client(kind, name)
            assert client.wait_for_service(10)
            begin = time.monotonic()
            future = client.call_async(request)
            while not future.done():
                assert time.monotonic() - begin < 10
                time.sleep(0.0005)
            waits[name].append(time.monotonic() - begin)
            probe.node.destroy_client(client)
    with capsys.disabled():
        for name, values in waits.items():
            print(f"\n{name} beside a frame of 400 ms: median {1e3 * np.median(values):.1f} ms", end="")
    assert np.median(waits["get_vocabulary"]) < 0.3
    assert np.median(waits["set_vocabulary"]) < 0.3


def test_a_call_during_inference_counts_from_the_next_frame(
    segmenter: Any, probe: Any, summaries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = probe.set_vocabulary(["before"]).vocabulary.revision
    original = PreparedSegmenter.segment
    begun: list[int] = []

    def slow(self: PreparedSegmenter, *args: Any) -> Any:
        begun.append(self._classifier.vocabulary.revision)
        time.sleep(0.3)
        return original(self, *args)

    monkeypatch.setattr(PreparedSegmenter, "segment", slow)
    probe.feed(lambda: begun, "a slow frame")
    new = probe.set_vocabulary(["after"]).vocabulary.revision
    probe.feed(lambda: any(s.vocabulary_revision == new for s in list(summaries.messages)), "the new words")
    order = [s.vocabulary_revision for s in summaries.messages if s.vocabulary_revision >= old]
    assert order[0] == old, "the frame that was being inferred keeps its vocabulary"
    assert order == sorted(order)


def test_encoding_that_fails_keeps_the_old_vocabulary(
    segmenter: Any, probe: Any, monkeypatch: pytest.MonkeyPatch, status: Callable[..., Any]
) -> None:
    before = probe.set_vocabulary(["steady"])
    original = Segmenter.encode

    def broken(self: Segmenter, vocabulary: Any, **how: Any) -> Any:
        if vocabulary.classes[0].name == "impossible":
            raise RuntimeError("the text tower broke")
        return original(self, vocabulary, **how)

    monkeypatch.setattr(Segmenter, "encode", broken)
    answer = probe.set_vocabulary(["impossible"])
    assert not answer.success
    assert "the text tower broke" in answer.message
    assert names(answer.vocabulary) == names(probe.get_vocabulary()) == names(before.vocabulary)
    status(lambda level, message, values: "the text tower broke" in message, "a warning", feed=True)
    assert probe.set_vocabulary(["possible"]).success
