"""`~/points` of a real node: aligned with its labels, made for somebody only, told when it cannot be made."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

import ovseg_ros.node.outputs
from ovseg_ros.node.point_cloud import POINT

SIZE = (48, 64)


def points_of(cloud: PointCloud2) -> np.ndarray:
    return np.frombuffer(cloud.data, POINT).reshape(cloud.height, cloud.width)


class DepthCamera:
    """Colour, camera_info and depth of one moment, published by the probe."""

    def __init__(self, probe: Any, offset: float = 0.0) -> None:
        self.probe = probe
        self.offset = offset
        self.publisher = probe.node.create_publisher(Image, "depth", 10)
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        self.millimetres = (1000 + 10 * rows + columns).astype(np.uint16)
        self.millimetres[5, 7] = 0
        self.info = CameraInfo(width=SIZE[1], height=SIZE[0])
        self.info.k = [60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0]

    def __call__(self) -> Image:
        """The colour image, once the rest is on its way."""
        image = self.probe.image(SIZE)
        stamp = image.header.stamp
        nanoseconds = stamp.sec * 10**9 + stamp.nanosec + round(self.offset * 1e9)
        depth = Image(height=SIZE[0], width=SIZE[1], encoding="16UC1", step=2 * SIZE[1])
        depth.header = Header(stamp=Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9))
        depth.data = self.millimetres.tobytes()
        self.probe.infos.publish(self.info)
        self.publisher.publish(depth)
        return image


@pytest.mark.parametrize("output_size", ["input", "model"])
def test_points_are_aligned_with_labels(start: Any, probe: Any, labels: Any, output_size: str) -> None:
    start(output__size=output_size)
    clouds = probe.collect(PointCloud2, "segmenter/points")
    confidences = probe.collect(Image, "segmenter/confidence")
    infos = probe.collect(CameraInfo, "segmenter/camera_info")
    size = SIZE if output_size == "input" else (64, 80)
    camera = DepthCamera(probe)

    def complete() -> Any:
        for cloud in list(clouds.messages):
            found = [inbox.of(cloud.header) for inbox in (labels, confidences, infos)]
            if all(found) and (cloud.height, cloud.width) == size:
                return cloud, *found
        return None

    cloud, label, confidence, info = probe.feed(complete, "a cloud with its labels", camera)
    assert cloud.header == label.header
    assert (cloud.height, cloud.width) == (label.height, label.width)
    points = points_of(cloud)
    assert np.array_equal(points["label"].ravel(), np.frombuffer(label.data, np.uint8))
    np.testing.assert_allclose(
        points["confidence"].ravel(), np.frombuffer(confidence.data, np.uint8) / 255, atol=1e-6
    )
    rows, columns = np.mgrid[: size[0], : size[1]]
    from_row = np.minimum(np.floor(rows * SIZE[0] / size[0] + 0.5), SIZE[0] - 1).astype(int)
    from_column = np.minimum(np.floor(columns * SIZE[1] / size[1] + 0.5), SIZE[1] - 1).astype(int)
    z = camera.millimetres[from_row, from_column] / 1000
    z[z == 0] = np.nan
    assert np.isnan(z).any()
    np.testing.assert_allclose(points["z"], z, rtol=1e-6)
    # The published camera_info belongs to the cloud.
    np.testing.assert_allclose(points["x"], (columns - info.k[2]) / info.k[0] * z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(points["y"], (rows - info.k[5]) / info.k[4] * z, rtol=1e-5, atol=1e-6)


def test_without_a_subscriber_no_point_is_made(
    start: Any, probe: Any, labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    made: list[str] = []
    monkeypatch.setattr(ovseg_ros.node.outputs, "points_message", lambda *_, **__: made.append("points"))
    camera = DepthCamera(probe)
    probe.feed(lambda: labels.count > 3, "labels", camera)
    assert not made


def test_what_is_missing_is_reported(start: Any, probe: Any, status: Callable[..., Any]) -> None:
    start()
    clouds = probe.collect(PointCloud2, "segmenter/points")

    def told(reason: str, words: str) -> None:
        status(
            lambda level, message, values: (
                level == 1 and words in message and int(values.get(f"rejected: {reason}", 0)) > 0
            ),
            reason,
            feed=True,
        )

    told("camera_info_missing", "need camera_info")
    for _ in range(20):
        probe.infos.publish(DepthCamera(probe).info)
    told("depth_missing", "remap `depth`")
    assert not clouds.messages


def test_depth_of_another_moment_is_not_used(start: Any, probe: Any, status: Callable[..., Any]) -> None:
    start()
    clouds = probe.collect(PointCloud2, "segmenter/points")
    camera = DepthCamera(probe, offset=0.3)
    inbox = probe.diagnostics()

    def told() -> Any:
        return any(
            "input.depth_slop" in entry.message for array in list(inbox.messages) for entry in array.status
        )

    probe.feed(told, "a warning of the stamps", camera, rate=2)
    assert not clouds.messages
    assert probe.set_parameters({"input.depth_slop": 0.5}).successful
    probe.feed(lambda: clouds.messages, "a cloud with a wide slop", camera, rate=2)
