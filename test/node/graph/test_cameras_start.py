"""Nodes with several cameras: how they start and stop, and what they say of it."""

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from ovseg_ros.config import ConfigError
from ovseg_ros.node import locate
from ovseg_ros.node.engine import Engine
from ovseg_ros.node.segmenter_node import SegmenterNode
from ovseg_ros.srv import Locate


def test_every_step_of_the_life_cycle(start: Callable[..., Any], probe: Any, cameras: Any) -> None:
    segmenter = start(cameras=["front", "rear"], autostart=False, wait_until="unconfigured")
    labels = [probe.collect(Image, f"segmenter/{name}/labels") for name in ("front", "rear")]
    node = segmenter.node

    def both_come() -> bool:
        return all(inbox.messages for inbox in labels)

    assert probe.transition("configure")
    assert probe.transition("activate")
    cameras.feed(both_come, "labels of both")
    for _ in range(5):
        assert probe.transition("deactivate")
        for inbox in labels:
            inbox.clear()
        cameras.send("front")
        cameras.send("rear")
        time.sleep(0.05)
        assert not any(inbox.messages for inbox in labels), "an inactive node publishes no frame"
        assert probe.transition("activate")
        cameras.feed(both_come, "labels of both again")
    subscriptions = len(list(node.subscriptions))
    assert probe.transition("deactivate")
    assert len(list(node.subscriptions)) == subscriptions - 6
    assert probe.transition("cleanup")
    names = {name for name, _ in probe.node.get_topic_names_and_types() if probe.node.count_publishers(name)}
    assert not [name for name in names if name.startswith(("/segmenter/front", "/segmenter/rear"))]


def test_cameras_change_while_unconfigured_only(start: Callable[..., Any], probe: Any, cameras: Any) -> None:
    start(cameras=["front"])
    refused = probe.set_parameters({"cameras": ["front", "rear"]})
    assert not refused.successful
    assert "clean up" in refused.reason
    assert probe.transition("deactivate")
    assert probe.transition("cleanup")
    wrong = probe.set_parameters({"cameras": ["front", "rear camera"]})
    assert not wrong.successful
    assert "entry 2, 'rear camera'" in wrong.reason
    assert probe.set_parameters({"cameras": ["front", "rear"]}).successful
    assert probe.transition("configure")
    assert probe.transition("activate")
    labels = probe.collect(Image, "segmenter/rear/labels")
    cameras.feed(lambda: labels.messages, "labels of the new camera")


@pytest.mark.usefixtures("_ros")
def test_a_wrong_name_at_start_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"cameras: entry 2, 'a/b', is no part of a ROS name"):
        SegmenterNode(parameter_overrides=[Parameter("cameras", value=["a", "a/b"])])


def test_each_camera_has_a_status_before_there_is_a_model(
    start: Callable[..., Any], probe: Any, wait_for: Callable[..., Any]
) -> None:
    start(cameras=["front", "rear"], autostart=False, wait_until="unconfigured")
    inbox = probe.diagnostics()
    array = wait_for(lambda: list(inbox.messages), "diagnostics")[-1]
    assert [status.name for status in array.status] == [
        "segmenter: segmentation front",
        "segmenter: segmentation rear",
    ]
    topics = [{pair.key: pair.value for pair in status.values}["image topic"] for status in array.status]
    assert topics == ["/front/image", "/rear/image"]


def test_compressed_images_of_remapped_cameras(
    start: Callable[..., Any], probe: Any, status: Callable[..., Any], capfd: Any
) -> None:
    """As with one camera, the compressed images lie behind the name that `front/image` is remapped to."""
    remapping = ["--ros-args", "-r", "front/image:=/camera_front/color/image_raw"]
    segmenter = start(cameras=["front", "rear"], input__transport="compressed", cli_args=remapping)
    assert [camera.name for camera in segmenter.pipeline.cameras] == ["front", "rear"]
    said = capfd.readouterr().err
    assert "/camera_front/color/image_raw/compressed, /front/camera_info, /front/depth" in said
    assert "/rear/image/compressed, /rear/camera_info, /rear/depth" in said
    images = probe.node.create_publisher(CompressedImage, "/camera_front/color/image_raw/compressed", 10)
    labels = probe.collect(Image, "segmenter/front/labels")
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()

    def come() -> bool:
        header = probe.image().header
        images.publish(CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=jpeg))
        return bool(labels.messages)

    probe.feed(come, "labels of compressed images", rate=20)


def test_who_sends_nothing_is_named_with_what_else_there_is(
    start: Callable[..., Any], probe: Any, capfd: Any
) -> None:
    """What another camera reads already is no advice."""
    segmenter = start(cameras=["front", "rear"])
    publishers = [probe.node.create_publisher(Image, name, 10) for name in ("front/image", "back/image")]
    time.sleep(0.5)
    segmenter.on_executor(segmenter.node._hint)
    said = capfd.readouterr().err
    assert "nothing publishes on /rear/image" in said
    assert "-r rear/image:=/back/image" in said
    assert "nothing publishes on /front/image" not in said
    hint = next(line for line in said.splitlines() if "nothing publishes on /rear/image" in line)
    assert "/front/image" not in hint
    for publisher in publishers:
        probe.node.destroy_publisher(publisher)


def test_the_engine_knows_how_many_images_may_come_at_once(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    original = Engine.__init__

    def spy(self: Engine, settings: Any, cameras: int) -> None:
        counts.append(cameras)
        original(self, settings, cameras)

    monkeypatch.setattr(Engine, "__init__", spy)
    start(cameras=["front", "left", "rear"])
    assert counts == [3]


def test_locate_waits_for_no_silent_camera(
    start: Callable[..., Any],
    probe: Any,
    cameras: Any,
    wait_for: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locate, "IMAGE_PATIENCE", 1.0)
    start(cameras=["front", "rear"])

    def ask(camera: str = "") -> Any:
        return probe.call(Locate, "locate", Locate.Request(texts=["wall"], camera=camera))

    with cameras.running({"front": 0.05}):
        answer = wait_for(lambda: (found := ask()).success and found, "an answer")
        assert answer.locations[0].camera == "front"
        assert "rear sends no images" in answer.message
        silent = ask("rear")
    assert not silent.success
    assert "none has come yet" in silent.message
