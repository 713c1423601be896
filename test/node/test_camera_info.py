"""camera_info for masks of another size than the camera's image."""

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.images.codec import ImageError
from ovseg_ros.node.camera_info import scale_camera_info


@dataclass
class Roi:
    """The fields of sensor_msgs/RegionOfInterest."""

    x_offset: int = 0
    y_offset: int = 0
    height: int = 0
    width: int = 0
    do_rectify: bool = False


@dataclass
class CameraInfo:
    """The fields of sensor_msgs/CameraInfo."""

    header: str = "the input's header"
    height: int = 480
    width: int = 640
    distortion_model: str = "plumb_bob"
    d: Any = (0.1, -0.2, 0.01, 0.02, 0.0)
    k: Any = (500.0, 0.0, 322.5, 0.0, 510.0, 238.5, 0.0, 0.0, 1.0)
    r: Any = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    p: Any = (480.0, 0.0, 320.0, -48.0, 0.0, 490.0, 240.0, -4.9, 0.0, 0.0, 1.0, 0.0)
    binning_x: int = 0
    binning_y: int = 0
    roi: Roi = field(default_factory=Roi)


def test_half_the_size() -> None:
    info = CameraInfo()
    before = copy.deepcopy(info)
    half = scale_camera_info(info, 320, 240)
    assert (half.width, half.height) == (320, 240)
    assert list(half.k) == [250.0, 0.0, 161.25, 0.0, 255.0, 119.25, 0.0, 0.0, 1.0]
    assert list(half.p) == [240.0, 0.0, 160.0, -24.0, 0.0, 245.0, 120.0, -2.45, 0.0, 0.0, 1.0, 0.0]
    assert (half.header, half.distortion_model, half.d, half.r) == (
        info.header,
        info.distortion_model,
        info.d,
        info.r,
    )
    assert half.roi == Roi()
    assert info == before


def test_the_same_size_changes_nothing() -> None:
    info = CameraInfo(roi=Roi(x_offset=10, y_offset=21, height=401, width=533), binning_x=2, binning_y=2)
    same = scale_camera_info(info, 266, 200)
    assert replace(same, k=tuple(same.k), p=tuple(same.p)) == info


def test_each_axis_has_its_own_scale() -> None:
    mask = scale_camera_info(CameraInfo(width=1280, height=720), 592, 336, image_size=(1280, 720))
    np.testing.assert_allclose(mask.k[0] / 500.0, 592 / 1280)
    np.testing.assert_allclose(mask.k[4] / 510.0, 336 / 720)
    assert (mask.width, mask.height) == (592, 336)


def test_each_axis_of_a_window_has_its_own_scale() -> None:
    info = CameraInfo(roi=Roi(x_offset=100, y_offset=100, width=400, height=300))
    mask = scale_camera_info(info, 100, 150, image_size=(400, 300))
    assert mask.roi == Roi(x_offset=25, y_offset=50, width=100, height=150)
    assert (mask.width, mask.height) == (160, 240)


def test_info_of_the_full_size_stream_serves_a_smaller_image() -> None:
    mask = scale_camera_info(CameraInfo(width=1280, height=960), 320, 240, image_size=(640, 480))
    assert (mask.width, mask.height) == (320, 240)
    np.testing.assert_allclose(mask.k[0], 500.0 / 4)


def test_a_window_and_binning_are_kept_and_describe_the_mask() -> None:
    info = CameraInfo(
        width=1280,
        height=960,
        binning_x=2,
        binning_y=2,
        roi=Roi(x_offset=200, y_offset=100, height=600, width=800, do_rectify=True),
    )
    before = copy.deepcopy(info)
    mask = scale_camera_info(info, 200, 150)
    assert info == before
    assert mask.roi == Roi(x_offset=100, y_offset=50, height=300, width=400, do_rectify=True)
    assert (mask.binning_x, mask.binning_y) == (2, 2)
    assert (mask.roi.width // mask.binning_x, mask.roi.height // mask.binning_y) == (200, 150)
    assert (mask.width, mask.height) == (640, 480)
    np.testing.assert_allclose(mask.k[0], 250.0)


@given(
    point=st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(1, 50)),
    full=st.tuples(st.integers(64, 4000), st.integers(64, 4000)),
    mask=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
)
def test_a_point_is_projected_to_the_scaled_pixel(
    point: tuple[float, float, float], full: tuple[int, int], mask: tuple[int, int]
) -> None:
    info = CameraInfo(width=full[0], height=full[1])
    scaled = scale_camera_info(info, *mask, image_size=full)
    scale = np.array([mask[0] / full[0], mask[1] / full[1]])
    for matrix, columns, position in (("k", 3, point), ("p", 4, (*point, 1.0))):
        u, v, w = np.reshape(getattr(info, matrix), (3, columns)) @ position
        scaled_u, scaled_v, scaled_w = np.reshape(getattr(scaled, matrix), (3, columns)) @ position
        np.testing.assert_allclose(
            [scaled_u / scaled_w, scaled_v / scaled_w], scale * [u / w, v / w], atol=1e-6
        )


def test_an_uncalibrated_camera_without_a_size_gets_one() -> None:
    info = CameraInfo(width=0, height=0, k=[0.0] * 9, p=[0.0] * 12)
    mask = scale_camera_info(info, 320, 240)
    assert (mask.width, mask.height) == (320, 240)
    assert not np.any(mask.k)


@pytest.mark.parametrize(
    ("info", "size", "image_size", "reason", "told"),
    [
        (CameraInfo(width=0), (320, 240), None, "camera_info_size", "0 x 480"),
        (CameraInfo(height=0), (320, 240), None, "camera_info_size", "640 x 0"),
        (CameraInfo(), (320, 180), None, "camera_info_size", "640 x 480"),
        (CameraInfo(), (320, 240), (640, 360), "camera_info_size", "640 x 360"),
        (CameraInfo(), (320, 240), (480, 640), "camera_info_size", "480 x 640"),
        (CameraInfo(), (640, 473), None, "camera_info_size", "aspect"),
        (CameraInfo(roi=Roi(width=300, height=300)), (640, 480), None, "camera_info_size", "300 x 300"),
        (
            CameraInfo(roi=Roi(x_offset=400, width=320, height=240)),
            (320, 240),
            None,
            "camera_info_size",
            "400, 0",
        ),
        (CameraInfo(roi=Roi(y_offset=481)), (640, 480), None, "camera_info_size", "0, 481"),
        (CameraInfo(), (0, 240), None, "camera_info_size", "0 x 240"),
        (CameraInfo(), (320, -1), None, "camera_info_size", "320 x -1"),
        (CameraInfo(k=(math.nan,) * 9), (320, 240), None, "camera_info_values", "not finite"),
        (CameraInfo(p=(math.inf,) * 12), (320, 240), None, "camera_info_values", "not finite"),
    ],
)
def test_what_cannot_be_scaled_is_refused(
    info: CameraInfo, size: tuple[int, int], image_size: tuple[int, int] | None, reason: str, told: str
) -> None:
    with pytest.raises(ImageError) as caught:
        scale_camera_info(info, *size, image_size=image_size)
    assert caught.value.reason == reason
    assert told in str(caught.value)


def test_one_percent_of_aspect_is_tolerated() -> None:
    mask = scale_camera_info(CameraInfo(), 640, 476)
    np.testing.assert_allclose(mask.k[4], 510.0 * 476 / 480)


def test_with_the_messages_of_ros() -> None:
    sensor_msgs = pytest.importorskip("sensor_msgs.msg", reason="ROS 2 messages are not installed")
    plain = CameraInfo()
    info = sensor_msgs.CameraInfo(width=640, height=480, distortion_model="plumb_bob", d=list(plain.d))
    info.k, info.r, info.p = list(plain.k), list(plain.r), list(plain.p)
    info.header.frame_id = "camera"
    before = copy.deepcopy(info)
    half = scale_camera_info(info, 320, 240)
    assert isinstance(half, sensor_msgs.CameraInfo)
    assert half.header.frame_id == "camera"
    assert (half.width, half.height) == (320, 240)
    np.testing.assert_allclose(half.k[[0, 2, 4, 5]], [250.0, 161.25, 255.0, 119.25])
    np.testing.assert_allclose(half.p[3], -24.0)
    np.testing.assert_array_equal(half.r, info.r)
    assert info == before
