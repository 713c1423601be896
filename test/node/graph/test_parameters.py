"""Parameters over the graph: described, refused with a reason, applied between two frames."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rcl_interfaces.srv import DescribeParameters
from rclpy.parameter import Parameter

from ovseg_ros.clipseg import Segmenter
from ovseg_ros.node.parameters import OPTIONS


@pytest.fixture(autouse=True)
def _as_before(segmenter: Any, probe: Any) -> Iterator[None]:
    yield
    before = [
        Parameter("vocabulary.classes", value=["floor", "wall"]),
        Parameter("vocabulary.background", Parameter.Type.STRING_ARRAY, []),
        Parameter("method.short_side", value=64),
    ]
    segmenter.on_executor(lambda: segmenter.node.set_parameters_atomically(before))


def value_of(segmenter: Any, name: str) -> Any:
    return segmenter.on_executor(lambda: segmenter.node.get_parameter(name).value)


def test_every_parameter_is_described(segmenter: Any, probe: Any) -> None:
    names = list(OPTIONS)
    answer = probe.call(
        DescribeParameters, "segmenter/describe_parameters", DescribeParameters.Request(names=names)
    )
    by_name = {descriptor.name: descriptor for descriptor in answer.descriptors}
    assert set(by_name) == set(names)
    assert all(len(descriptor.description) > 20 for descriptor in by_name.values())
    assert by_name["autostart"].read_only
    assert by_name["method.short_side"].integer_range[0].to_value == 2048
    assert by_name["output.overlay_alpha"].floating_point_range[0].to_value == 1.0
    assert "raw, compressed" in by_name["input.transport"].additional_constraints
    assert "unconfigured" in by_name["model.device"].additional_constraints


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"output.size": "huge"}, "one of input, model"),
        ({"output.size": 3}, "type"),
        ({"output.overlay_alpha": 1.5}, "range"),
        ({"output.overlay_alpha": float("nan")}, "range"),
        ({"method.short_side": 5}, "range"),
        ({"method.name": "magic"}, "'magic'"),
        ({"vocabulary.classes": ["road", "road"]}, "duplicate"),
        ({"vocabulary.classes": ["road"], "vocabulary.background": ["road"]}, "duplicate"),
        ({"vocabulary.file": "no-such-file"}, "no-such-file"),
        ({"vocabulary.templates": "some"}, "one of auto"),
        ({"model.name": "ViT-L-14"}, "clean up"),
        ({"model.device": "cuda"}, "clean up"),
        ({"input.transport": "compressed"}, "deactivate"),
        ({"autostart": False}, "read-only"),
        ({"no.such.parameter": 1}, "undeclared"),
    ],
)
def test_a_refused_change_has_a_reason_and_no_effect(
    segmenter: Any, probe: Any, change: dict[str, Any], reason: str
) -> None:
    settings, revision = segmenter.node.state.settings, probe.get_vocabulary().revision
    result = probe.set_parameters({"output.size": "model", **change})
    assert not result.successful
    assert reason in result.reason
    assert segmenter.node.state.settings == settings, "none of the change is applied"
    assert value_of(segmenter, "output.size") == "input"
    assert probe.get_vocabulary().revision == revision


def test_words_come_by_parameter_as_by_service(segmenter: Any, probe: Any, summaries: Any) -> None:
    assert probe.set_parameters({"vocabulary.classes": ["mug; cup", "spoon"]}).successful
    summary = probe.feed(
        lambda: next(
            (s for s in summaries.messages if [c.name for c in s.classes] == ["mug", "spoon"]), None
        ),
        "the new words",
    )
    vocabulary = probe.get_vocabulary()
    assert vocabulary.revision == summary.vocabulary_revision
    assert list(vocabulary.classes[0].synonyms) == ["cup"]


def test_a_threshold_leaves_the_words(segmenter: Any, probe: Any, wait_for: Callable[..., Any]) -> None:
    probe.set_vocabulary(["mug", "spoon"])
    assert probe.set_parameters({"vocabulary.threshold": 0.75}).successful
    vocabulary = wait_for(
        lambda: (v := probe.get_vocabulary()).threshold == 0.75 and v, "the threshold in force"
    )
    assert [entry.name for entry in vocabulary.classes] == ["mug", "spoon"]
    assert probe.set_parameters({"vocabulary.threshold": 0}).successful, "a whole number is a number"


def test_parameters_tell_what_the_service_set(
    segmenter: Any, probe: Any, wait_for: Callable[..., Any]
) -> None:
    probe.set_vocabulary(["mug; cup", "spoon"], background=["table"], threshold=0.3)
    wait_for(lambda: value_of(segmenter, "vocabulary.classes") == ["mug; cup", "spoon"], "the classes")
    assert value_of(segmenter, "vocabulary.background") == ["table"]
    assert value_of(segmenter, "vocabulary.threshold") == 0.3


def test_a_file_takes_the_place_of_words(
    segmenter: Any, probe: Any, tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    probe.set_vocabulary(["mug"], background=["table"])
    path = tmp_path / "words.yaml"
    path.write_text("classes:\n  - {name: chair, threshold: 0.5}\n  - lamp\nthreshold: 0.125\n")
    assert probe.set_parameters({"vocabulary.file": str(path)}).successful
    vocabulary = wait_for(
        lambda: (v := probe.get_vocabulary()).classes[0].name == "chair" and v, "the words of the file"
    )
    assert [entry.threshold for entry in vocabulary.classes] == [0.5, 0.125]
    assert list(vocabulary.background) == []
    assert value_of(segmenter, "vocabulary.classes") == []


def test_the_method_changes_between_two_frames(segmenter: Any, probe: Any, labels: Any) -> None:
    assert probe.set_parameters({"output.size": "model"}).successful
    for short_side in (48, 64):
        assert probe.set_parameters({"method.short_side": short_side}).successful
        probe.feed(lambda s=short_side: any(m.height == s for m in list(labels.messages)), "the new size")
    before = probe.get_vocabulary().revision
    assert probe.set_parameters({"method.name": "maskclip"}).successful
    probe.feed(lambda: segmenter.node.state.settings.method.name == "maskclip", "another method")
    assert probe.get_vocabulary().revision == before, "the words are the same ones"
    assert probe.set_parameters({"output.size": "input", "method.name": "clipseg"}).successful


def test_no_segmenter_is_made_on_the_executor_thread(
    segmenter: Any, probe: Any, wait_for: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than the services may wait; a change that is refused has its reason all the same."""
    made: list[str] = []
    original = Segmenter.__init__

    def spy(self: Segmenter, *args: Any, **options: Any) -> None:
        made.append(threading.current_thread().name)
        original(self, *args, **options)

    monkeypatch.setattr(Segmenter, "__init__", spy)
    refused = probe.set_parameters({"method.window_stride": 64})
    assert not refused.successful
    assert "window stride is 64" in refused.reason
    assert not made
    assert probe.set_parameters({"method.gamma": 2.0}).successful
    wait_for(lambda: made, "the segmenter of the changed method")
    assert made == ["vocabulary"]
    assert probe.set_parameters({"method.gamma": 0.0}).successful


def test_an_empty_list_of_no_type_empties_the_background(
    segmenter: Any, probe: Any, wait_for: Callable[..., Any]
) -> None:
    """What `ros2 param set` sends for [] is a list of booleans."""
    probe.set_vocabulary(["mug"], background=["table"])
    assert probe.set_parameters({"vocabulary.background": []}).successful
    wait_for(lambda: list(probe.get_vocabulary().background) == [], "no background")
