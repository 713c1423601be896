"""Configure, activate, and everything that can happen in between."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter

import ovseg_ros.node.pipeline
from ovseg_ros.msg import Vocabulary
from ovseg_ros.node.engine import Engine, PreparedSegmenter


def threads_of_ours() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name in ("frames", "vocabulary")]


def test_a_manager_takes_every_step(start: Callable[..., Any], probe: Any, labels: Any) -> None:
    segmenter = start(autostart=False, wait_until="unconfigured")
    assert probe.state() == "unconfigured"
    assert probe.transition("configure")
    assert probe.state() == "inactive"
    probe.images.publish(probe.image())
    assert probe.transition("activate")
    probe.feed(lambda: labels.messages, "labels")
    assert probe.transition("deactivate")
    labels.clear()
    for _ in range(10):
        probe.images.publish(probe.image())
        time.sleep(0.01)
    assert not labels.messages, "an inactive node publishes no frame"
    assert probe.transition("activate")
    probe.feed(lambda: labels.messages, "labels again")
    assert probe.transition("deactivate")
    assert probe.transition("cleanup")
    assert not threads_of_ours()
    assert probe.transition("unconfigured_shutdown")
    assert probe.state() == "finalized"
    assert segmenter.phase == "unconfigured"


def test_autostart_brings_the_node_up_alone(start: Callable[..., Any], probe: Any, labels: Any) -> None:
    start()
    assert probe.state() == "active"
    probe.feed(lambda: labels.messages, "labels")


def test_a_step_that_the_state_does_not_allow_is_answered(start: Callable[..., Any], probe: Any) -> None:
    start(autostart=False, wait_until="unconfigured")
    assert not probe.transition("activate")
    assert probe.transition("configure")
    assert not probe.transition("configure")
    assert probe.state() == "inactive"


def test_a_model_that_is_not_there_leaves_the_node_alive(
    start: Callable[..., Any], probe: Any, status: Callable[..., Any], tmp_path: Path, tiny_model_dir: Path
) -> None:
    missing = tmp_path / "nothing-here"
    start(model__name=str(missing), wait_until="unconfigured")
    status(
        lambda level, message, values: level == 2 and str(missing) in message, "the failure with its place"
    )
    assert not probe.transition("configure")
    assert probe.state() == "unconfigured"
    assert probe.set_parameters({"model.name": str(tiny_model_dir)}).successful
    assert probe.transition("configure")
    assert probe.transition("activate")
    status(lambda level, message, values: values["state"] == "active", "an active node")


def test_a_vocabulary_that_is_wrong_fails_before_the_model_is_loaded(
    start: Callable[..., Any], probe: Any, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "__init__", lambda *_: pytest.fail("the model was loaded"))
    start(vocabulary__classes=["road", "road"], wait_until="unconfigured")
    status(lambda level, message, values: level == 2 and "duplicate" in message, "the failure")


def test_a_step_that_breaks_is_reported_and_can_be_repeated(
    start: Callable[..., Any], probe: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    start(autostart=False, wait_until="unconfigured")
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "prepare", lambda *_: 1 / 0)
        assert not probe.transition("configure")
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert probe.state() == "unconfigured"
    assert probe.transition("configure")


def test_words_set_before_configure_are_kept_for_it(start: Callable[..., Any], probe: Any) -> None:
    start(autostart=False, wait_until="unconfigured")
    assert probe.get_vocabulary().revision == 0
    answer = probe.set_vocabulary(["mug", "spoon"], threshold=0.3)
    assert answer.success
    assert "configured" in answer.message
    assert not probe.set_vocabulary(["mug", "mug"]).success
    assert probe.transition("configure")
    vocabulary = probe.get_vocabulary()
    assert [entry.name for entry in vocabulary.classes] == ["mug", "spoon"]
    assert [entry.id for entry in vocabulary.classes] == [entry.id for entry in answer.vocabulary.classes]
    assert vocabulary.threshold == pytest.approx(0.3)


def test_ids_and_words_outlive_a_cleanup(start: Callable[..., Any], probe: Any) -> None:
    start()
    before = probe.set_vocabulary(["mug", "floor", "spoon"]).vocabulary
    for step in ("deactivate", "cleanup", "configure"):
        assert probe.transition(step)
    after = probe.get_vocabulary()
    assert [(e.name, e.id) for e in after.classes] == [(e.name, e.id) for e in before.classes]


def test_an_inactive_node_takes_words_and_latches_them(
    start: Callable[..., Any], probe: Any, wait_for: Callable[..., Any]
) -> None:
    start(autostart=False, wait_until="unconfigured")
    assert probe.transition("configure")
    latched = probe.collect(Vocabulary, "segmenter/vocabulary", latched=True)
    revision = probe.set_vocabulary(["mug"]).vocabulary.revision
    wait_for(lambda: any(m.revision == revision for m in list(latched.messages)), "the latched vocabulary")


def test_a_hundred_times_on_and_off_leaves_nothing_behind(
    start: Callable[..., Any], probe: Any, labels: Any
) -> None:
    segmenter = start()
    node = segmenter.node

    def count() -> tuple[int, int, int]:
        return len(list(node.subscriptions)), len(list(node.waitables)), threading.active_count()

    def cycle() -> None:
        assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS

    segmenter.on_executor(cycle)
    before = count()
    for _ in range(100):
        probe.images.publish(probe.image())
        segmenter.on_executor(cycle)
    assert count() == before
    labels.clear()
    probe.feed(lambda: labels.messages, "labels after a hundred cycles")


def test_cleanup_lets_go_of_the_model(
    start: Callable[..., Any], probe: Any, labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[Any] = []
    original = Engine.__init__

    def remember(self: Engine, *args: Any) -> None:
        original(self, *args)
        engines.append(weakref.ref(self._model))

    monkeypatch.setattr(Engine, "__init__", remember)
    start()
    probe.feed(lambda: labels.messages, "labels")
    for _ in range(2):
        for step in ("deactivate", "cleanup", "configure", "activate"):
            assert probe.transition(step)
    assert probe.transition("deactivate")
    assert probe.transition("cleanup")
    gc.collect()
    assert len(engines) == 3
    assert not any(reference() for reference in engines)


@pytest.mark.parametrize("step", ["deactivate", "destroy"])
def test_ends_during_an_inference(
    start: Callable[..., Any], probe: Any, labels: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    segmenter = start()
    original = PreparedSegmenter.segment
    busy, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(self: PreparedSegmenter, *args: Any) -> Any:
        busy.set()
        assert go_on.wait(60)
        ended.set()
        return original(self, *args)

    monkeypatch.setattr(PreparedSegmenter, "segment", slow)
    probe.feed(busy.is_set, "a slow frame")
    if step == "destroy":
        threading.Timer(0.5, go_on.set).start()
        segmenter.stop()
        assert ended.is_set(), "the node waits for its thread"
        assert not threads_of_ours()
    else:
        assert probe.transition("deactivate")
        assert not ended.is_set(), "deactivate does not wait for the frame"
        go_on.set()
        assert ended.wait(60)
    time.sleep(0.1)
    assert not labels.messages, "the frame is not published any more"


def test_ends_without_waiting_for_a_long_encoding(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = start()
    encoding, go_on = threading.Event(), threading.Event()

    def slow(*_: Any) -> None:
        encoding.set()
        assert go_on.wait(20)

    monkeypatch.setattr(Engine, "prepare", slow)
    monkeypatch.setattr(ovseg_ros.node.pipeline, "ENCODING_STOP_TIMEOUT", 0.1)
    change = Parameter("vocabulary.classes", value=["new words"])
    assert segmenter.on_executor(lambda: segmenter.node.set_parameters_atomically([change])).successful
    assert encoding.wait(10)
    assert segmenter.on_executor(segmenter.node.destroy_node) is False, "a thread is still at work"
    go_on.set()


def test_cleanup_answers_a_call_that_waits_for_its_words(
    start: Callable[..., Any], probe: Any, monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., Any]
) -> None:
    from ovseg_ros.srv import SetVocabulary

    segmenter = start()
    original = Engine.prepare
    encoding, go_on = threading.Event(), threading.Event()

    def slow(self: Engine, *args: Any) -> Any:
        encoding.set()
        assert go_on.wait(20)
        return original(self, *args)

    monkeypatch.setattr(Engine, "prepare", slow)
    client = probe.node.create_client(SetVocabulary, "set_vocabulary")
    assert client.wait_for_service(10)
    calls = [client.call_async(SetVocabulary.Request(classes=[word])) for word in ("first", "second")]
    wait_for(encoding.is_set, "the encoding")
    timer = threading.Timer(0.3, go_on.set)
    timer.start()
    assert probe.transition("deactivate")
    assert probe.transition("cleanup")
    wait_for(lambda: all(call.done() for call in calls), "both answers")
    for call in calls:
        assert not call.result().success
        assert "cleaned up" in call.result().message
    assert segmenter.phase == "unconfigured"


@pytest.mark.usefixtures("_ros")
def test_a_wrong_parameter_at_start_is_explained() -> None:
    from ovseg_ros.config import ConfigError
    from ovseg_ros.node.segmenter_node import SegmenterNode

    with pytest.raises(ConfigError, match=r"output\.size must be one of input, model; got 'huge'"):
        SegmenterNode(parameter_overrides=[Parameter("output.size", value="huge")])
