"""Depth messages, and the matching of depth to colour by stamp."""

import array
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ovseg_ros.images.codec import ImageError
from ovseg_ros.node.depth import KEPT, DepthBuffer, decode_depth

VALUES = np.array([[0, 1, 1500], [40000, 65535, 250]], np.uint16)
METRES = np.array([[np.nan, 0.001, 1.5], [40.0, 65.535, 0.25]], np.float32)


def message(
    values: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False, **changes: Any
) -> Any:
    height, width = values.shape
    stored = values.astype(values.dtype.newbyteorder(">" if big_endian else "<"))
    rows = np.zeros((height, width * values.itemsize + padding), np.uint8)
    rows[:, : width * values.itemsize] = stored.view(np.uint8).reshape(height, -1)
    fields = {
        "height": height,
        "width": width,
        "encoding": encoding,
        "is_bigendian": int(big_endian),
        "step": rows.shape[1],
        "data": array.array("B", rows.tobytes()),
    }
    return SimpleNamespace(**{**fields, **changes})


@pytest.mark.parametrize("padding", [0, 1, 6])
@pytest.mark.parametrize("big_endian", [False, True])
def test_millimetres(padding: int, big_endian: bool) -> None:
    depth = decode_depth(message(VALUES, "16UC1", padding, big_endian))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, METRES, rtol=1e-6)


@pytest.mark.parametrize("big_endian", [False, True])
def test_metres(big_endian: bool) -> None:
    values = np.array([[0.0, -1.0, 1.5], [np.nan, np.inf, -np.inf]], np.float32)
    expected = np.array([[np.nan, np.nan, 1.5], [np.nan] * 3], np.float32)
    np.testing.assert_array_equal(decode_depth(message(values, "32FC1", 3, big_endian)), expected)


def test_the_message_is_not_written_to() -> None:
    sent = message(np.zeros((2, 3), np.float32), "32FC1")
    before = bytes(sent.data)
    decode_depth(sent)
    assert bytes(sent.data) == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoding": "mono16"}, "depth_encoding"),
        ({"encoding": ""}, "depth_encoding"),
        ({"step": 5}, "depth_data"),
        ({"data": array.array("B", bytes(11))}, "depth_data"),
        ({"data": array.array("B")}, "depth_data"),
        ({"width": 0}, "zero_size"),
        ({"width": 1 << 15, "height": 1 << 15}, "too_large"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode_depth(message(VALUES, **{"encoding": "16UC1", **changes}))
    assert caught.value.reason == reason


def stamped(stamp: float) -> Any:
    nanoseconds = round(stamp * 1e9)
    parts = SimpleNamespace(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
    return SimpleNamespace(header=SimpleNamespace(stamp=parts))


def ns(stamp: float) -> int:
    return round(stamp * 1e9)


def test_the_nearest_stamp_counts() -> None:
    buffer = DepthBuffer()
    depths = [stamped(5 + offset) for offset in (-0.033, -0.004, 0.03)]
    for depth in depths:
        buffer.put(depth)
    buffer.expect(ns(5))
    match = buffer.begin(ns(5))
    assert match.get(0.005) is depths[1]
    with pytest.raises(ImageError, match=r"4\.0 ms away from its image, expected at most 3\.0") as caught:
        match.get(0.003)
    assert caught.value.reason == "depth_stamp"


def test_without_depth_nothing_is_waited_for() -> None:
    match = DepthBuffer().begin(ns(5))
    start = time.monotonic()
    with pytest.raises(ImageError) as caught:
        match.get(0.1, time.monotonic() + 30)
    assert caught.value.reason == "depth_missing"
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("late", [False, True])
def test_depth_is_kept_for_a_slow_model(late: bool) -> None:
    """Whether it came before the work on its image began or after, many newer ones do not drive it away."""
    buffer = DepthBuffer()
    depths = [stamped(5 + 0.033 * count) for count in range(10 * KEPT)]
    buffer.expect(ns(5))
    for depth in depths[: 0 if late else 5 * KEPT]:
        buffer.put(depth)
    first = buffer.begin(ns(5))
    buffer.expect(ns(6))
    for depth in depths[0 if late else 5 * KEPT :]:
        buffer.put(depth)
    assert first.get(0.001) is depths[0]
    assert buffer.begin(ns(6)).get(0.02) is depths[30]
    assert first.get(0.001) is depths[0], "a match outlives the work on its image"


def test_depth_that_comes_a_little_later_is_waited_for() -> None:
    buffer = DepthBuffer()
    buffer.put(stamped(4))
    match = buffer.begin(ns(5))
    depth = stamped(5)
    timer = threading.Timer(0.1, buffer.put, [depth])
    timer.start()
    assert match.get(0.01, time.monotonic() + 30) is depth
    timer.join()


def test_clear_forgets() -> None:
    buffer = DepthBuffer()
    buffer.put(stamped(5))
    buffer.expect(ns(5))
    buffer.clear()
    with pytest.raises(ImageError):
        buffer.begin(ns(5)).get(1)
