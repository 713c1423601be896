"""Depth images: what they hold, and which of them belongs to which colour image."""

import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from ovseg_ros.images.codec import ImageError, byte_array, check_size
from ovseg_ros.images.geometry import valid_depth

if TYPE_CHECKING:
    from sensor_msgs.msg import Image

KEPT = 4
"""The number of newest depth images that are kept for a colour image that comes after its depth."""

PATIENCE = 0.05
"""Seconds after the arrival of a colour image that its depth is waited for; registering takes some time."""

_FORMS: dict[str, tuple[np.dtype[Any], int]] = {
    "16UC1": (np.dtype(np.uint16), 1000),
    "32FC1": (np.dtype(np.float32), 1),
}
"""Type and how many of its units make a metre, by REP 118."""


def decode_depth(msg: "Image") -> np.ndarray:
    """The depth of a sensor_msgs/Image (16UC1 in millimetres or 32FC1 in metres) as float32 [H, W] in metres.

    NaN where there is no measurement: 0, negative, NaN or infinite.

    Raises ImageError where the message contradicts itself, is too large, or has another encoding.
    """
    if msg.encoding not in _FORMS:
        raise ImageError(
            "depth_encoding",
            f"the depth image has the encoding {msg.encoding!r}; expected 16UC1 (millimetres) or 32FC1 "
            "(metres)",
        )
    kind, per_metre = _FORMS[msg.encoding]
    width, height, step = int(msg.width), int(msg.height), int(msg.step)
    check_size(width, height)
    data = byte_array(msg.data)
    if step < width * kind.itemsize or data.size != height * step:
        raise ImageError(
            "depth_data",
            f"the depth image has {data.size} bytes and step {step} for {width} x {height} pixels of "
            f"{kind.itemsize} bytes; height, step and data of the message do not belong together",
        )
    if bool(msg.is_bigendian) != (sys.byteorder == "big"):
        kind = kind.newbyteorder()
    values = np.ndarray((height, width), kind, data, strides=(step, kind.itemsize))
    depth = values.astype(np.float32)
    depth /= np.float32(per_metre)
    depth[~valid_depth(depth)] = np.nan
    return depth


def stamp_of(msg: Any) -> int:
    """The stamp of a message in nanoseconds."""
    return int(msg.header.stamp.sec) * 1_000_000_000 + int(msg.header.stamp.nanosec)


class DepthMatch:
    """The depth image that fits best to a colour image with the stamp `stamp`, in nanoseconds."""

    def __init__(self, stamp: int, changed: threading.Condition) -> None:
        self.stamp = stamp
        self._changed = changed
        self._found: Image | None = None

    def offer(self, msg: "Image") -> None:
        """A depth image that may fit better than that before."""
        if self._found is None or self._distance(msg) < self._distance(self._found):
            self._found = msg

    def get(self, slop: float, deadline: float = 0.0) -> "Image":
        """The depth image, if its stamp is within `slop` seconds.

        Waits for it until `deadline` (monotonic, seconds) where depth images come at all.

        Raises ImageError where there is none (reason depth_missing), or none near enough (depth_stamp).
        """
        with self._changed:
            if self._found is not None:
                patience = max(0.0, deadline - time.monotonic())
                self._changed.wait_for(lambda: self._distance(self._found) <= slop, patience)
            found = self._found
        if found is None:
            raise ImageError(
                "depth_missing",
                "no depth image came: remap `depth` to the depth that is registered to the colour image",
            )
        distance = self._distance(found)
        if distance > slop:
            raise ImageError(
                "depth_stamp",
                f"the nearest depth image is {1e3 * distance:.1f} ms away from its image, expected at most "
                f"{1e3 * slop:.1f}: have both stamped by one clock, or raise input.depth_slop",
            )
        return found

    def _distance(self, msg: "Image") -> float:
        return abs(stamp_of(msg) - self.stamp) / 1e9


class DepthBuffer:
    """Keeps for the colour image that waits, and for the one that is worked on, the depth that fits best.

    So a slow model loses no depth, and only a few images are held. `put` and `expect` are called by the
    executor thread, `begin` by the worker.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest: deque[Image] = deque(maxlen=KEPT)
        self._waiting: DepthMatch | None = None
        self._current: DepthMatch | None = None

    def put(self, msg: "Image") -> None:
        """A depth image came."""
        with self._changed:
            self._newest.append(msg)
            for match in (self._waiting, self._current):
                if match is not None:
                    match.offer(msg)
            self._changed.notify_all()

    def expect(self, stamp: int) -> None:
        """A colour image came, in place of the one that waited."""
        with self._changed:
            self._waiting = self._wanted(stamp)

    def begin(self, stamp: int) -> DepthMatch:
        """The work on a colour image began. What is returned gets better until that on the next begins."""
        with self._changed:
            waiting = self._waiting
            self._current = waiting if waiting and waiting.stamp == stamp else self._wanted(stamp)
            return self._current

    def clear(self) -> None:
        """Forget everything: the input was closed."""
        with self._changed:
            self._newest.clear()
            self._waiting = self._current = None

    def _wanted(self, stamp: int) -> DepthMatch:
        match = DepthMatch(stamp, self._changed)
        for msg in self._newest:
            match.offer(msg)
        return match
