"""The cloud against a twin that goes through it pixel by pixel in float64."""

import math
import struct
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="ROS 2 is not installed")

from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from ovseg_ros.images.codec import ImageError
from ovseg_ros.node.depth import DepthMatch
from ovseg_ros.node.frames import LabelledFrame
from ovseg_ros.node.point_cloud import points_message
from ovseg_ros.node.settings import InputConfig


def camera_info(width: int, height: int, **fields: Any) -> CameraInfo:
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", **fields)
    info.k = [0.9 * width, 0.0, 0.49 * width, 0.0, 0.95 * width, 0.52 * height, 0.0, 0.0, 1.0]
    info.p = [0.8 * width, 0.0, 0.5 * width, -3.0, 0.0, 0.85 * width, 0.5 * height, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def depth_image(values: np.ndarray) -> Image:
    message = Image(height=values.shape[0], width=values.shape[1])
    message.encoding = {"uint16": "16UC1", "float32": "32FC1"}[values.dtype.name]
    message.step = values.shape[1] * values.itemsize
    message.data = values.tobytes()
    return message


def frame(
    size: tuple[int, int], image_size: tuple[int, int], info: Any, depth: Image, rectified: bool = False
) -> LabelledFrame:
    """A frame of noise, with this camera_info and depth."""
    rng = np.random.default_rng(3)
    segmentation = SimpleNamespace(
        labels=rng.integers(0, 256, size, np.uint8),
        confidence=rng.integers(0, 256, size, np.uint8),
        output_size=size,
    )
    match = DepthMatch(0, threading.Condition())
    match.offer(depth)
    return LabelledFrame(
        camera=None,
        smoothing=None,
        header=Header(frame_id="optical"),
        image=rng.integers(0, 256, (*image_size, 3), np.uint8),
        segmentation=segmentation,
        camera_info=info,
        depth=match,
        setup=SimpleNamespace(input=InputConfig(rectified=rectified)),
        arrived=0.0,
    )


def unpack(cloud: PointCloud2, v: int, u: int) -> tuple[Any, ...]:
    """x, y, z, label, confidence and colour of one point, as a reader of the message finds them."""
    codes = {PointField.FLOAT32: "<f", PointField.UINT32: "<I"}
    start = v * cloud.row_step + u * cloud.point_step
    values = []
    for field in cloud.fields:
        code = "<I" if field.name == "rgb" else codes[field.datatype]
        values.append(
            struct.unpack_from(code, bytes(cloud.data[start : start + cloud.point_step]), field.offset)[0]
        )
    return tuple(values)


@pytest.mark.parametrize(
    ("size", "depth_size"),
    [((12, 16), (12, 16)), ((9, 12), (12, 16)), ((12, 16), (6, 8)), ((15, 20), (24, 32))],
)
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_each_point_is_depth_times_ray(size: Any, depth_size: Any, kind: Any) -> None:
    rng = np.random.default_rng(4)
    depth = rng.uniform(0.2, 9.0, depth_size)
    depth = (1000 * depth).astype(kind) if kind is np.uint16 else depth.astype(kind)
    holes = [0] if kind is np.uint16 else [0.0, -2.0, np.nan, np.inf]
    for place, hole in enumerate(holes):
        depth[place, 2 * place : 2 * place + 3] = hole
    info = camera_info(64, 48)
    sent = frame(size, (24, 32), info, depth_image(depth))
    segmentation, image = sent.segmentation, sent.image
    cloud = points_message(sent)

    assert (cloud.height, cloud.width) == size
    assert cloud.header.frame_id == "optical"
    assert [(field.name, field.datatype, field.offset, field.count) for field in cloud.fields] == [
        ("x", PointField.FLOAT32, 0, 1),
        ("y", PointField.FLOAT32, 4, 1),
        ("z", PointField.FLOAT32, 8, 1),
        ("label", PointField.UINT32, 12, 1),
        ("confidence", PointField.FLOAT32, 16, 1),
        ("rgb", PointField.FLOAT32, 20, 1),
    ]
    assert cloud.row_step == cloud.point_step * cloud.width == len(cloud.data) // cloud.height
    assert not cloud.is_bigendian
    assert not cloud.is_dense
    invalid = 0
    for v in range(size[0]):
        for u in range(size[1]):
            x, y, z, label, confidence, rgb = unpack(cloud, v, u)
            metres = near(depth, v, u, size) * (0.001 if kind is np.uint16 else 1.0)
            if not 0 < metres < math.inf:
                invalid += 1
                assert np.isnan([x, y, z]).all()
            else:
                # The pixel in the image that camera_info describes.
                column, row = u * info.width / size[1], v * info.height / size[0]
                expected = (
                    (column - info.k[2]) / info.k[0] * metres,
                    (row - info.k[5]) / info.k[4] * metres,
                    metres,
                )
                assert (x, y, z) == pytest.approx(expected, rel=1e-6, abs=1e-6)
            assert label == segmentation.labels[v, u]
            assert confidence == pytest.approx(segmentation.confidence[v, u] / 255, abs=1e-6)
            red, green, blue = map(int, near(image, v, u, size))
            assert rgb == red << 16 | green << 8 | blue
    assert invalid > 0


def near(array: np.ndarray, v: int, u: int, size: tuple[int, int]) -> Any:
    """The element of `array` nearest to the place of a pixel of an image of `size`."""
    row, column = (
        min(math.floor(place * old / new + 0.5), old - 1)
        for place, old, new in zip((v, u), array.shape, size, strict=False)
    )
    return array[row, column]


def first_point(info: CameraInfo, rectified: bool = False) -> np.ndarray:
    depth = depth_image(np.full((24, 32), 2000, np.uint16))
    return np.array(unpack(points_message(frame((24, 32), (24, 32), info, depth, rectified)), 0, 0)[:3])


def test_rectified_images_follow_p() -> None:
    info = camera_info(64, 48, d=[-0.3, 0.1, 0.0, 0.0, 0.0])
    x, y, z = first_point(info, rectified=True)
    assert (x, y, z) == pytest.approx((-2 * 0.5 / 0.8, -2 * 24 / (0.85 * 64), 2))
    assert not np.allclose(first_point(info), (x, y, z))


def test_window_and_binning_of_the_sensor() -> None:
    info = camera_info(640, 480, binning_x=2, binning_y=2)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 320, 240, 256, 192
    x, y, _ = first_point(info)
    assert x == pytest.approx(2 * (320 - info.k[2]) / info.k[0], abs=1e-6)
    assert y == pytest.approx(2 * (240 - info.k[5]) / info.k[4], abs=1e-6)


@pytest.mark.parametrize(
    ("info", "depth", "reason", "said"),
    [
        (None, (24, 32), "camera_info_missing", "none came"),
        (CameraInfo(width=32, height=24), (24, 32), "camera_info_values", "not calibrated"),
        (CameraInfo(), (24, 32), "camera_info_size", "0 x 0"),
        (camera_info(64, 64), (24, 32), "camera_info_size", "another aspect"),
        (camera_info(32, 24, d=[0.1] * 3), (24, 32), "camera_info_values", "plumb_bob takes"),
        (camera_info(32, 24), (24, 24), "depth_size", "24 x 24 .* 32 x 24"),
    ],
)
def test_what_does_not_fit_is_refused(info: Any, depth: Any, reason: str, said: str) -> None:
    with pytest.raises(ImageError, match=said) as caught:
        points_message(frame((24, 32), (24, 32), info, depth_image(np.ones(depth, np.float32))))
    assert caught.value.reason == reason


def test_sensor_msgs_py_reads_the_cloud() -> None:
    point_cloud2 = pytest.importorskip(
        "sensor_msgs_py.point_cloud2", reason="sensor_msgs_py, which is no wheel, is not installed"
    )
    sent = frame((24, 32), (24, 32), camera_info(32, 24), depth_image(np.full((24, 32), 1.5, np.float32)))
    read = point_cloud2.read_points(points_message(sent), reshape_organized_cloud=True)
    assert read.shape == (24, 32)
    assert (read["z"] == 1.5).all()
    assert np.array_equal(read["label"], sent.segmentation.labels)
