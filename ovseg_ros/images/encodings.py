"""The colour encodings that the node reads: how each lies in memory, and how it becomes RGB.

Names are those of `sensor_msgs/image_encodings.hpp`, and `nv12`, which drivers use beside it. The memory
layouts of the YUV encodings are those of V4L2's pixel formats of the same name (UYVY, YUYV, NV12, NV21,
NV24); their colours follow ITU-R BT.601 in limited range, as in OpenCV. Where `cv_bridge` converts an
encoding, this table gives the same colours.
"""

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import cv2
import numpy as np

Array = np.ndarray
"""Pixel arrays are [H, W] or [H, W, C]; the result of a conversion is uint8 [H, W, 3] in RGB order."""


@dataclass(frozen=True)
class Packed:
    """Pixels row by row, `channels` values of `dtype` each.

    `to_rgb` gets [H, W] for one channel, else [H, W, C], in the machine's own byte order; rows may be padded.
    It gives uint8, or uint16 over the full range.
    """

    to_rgb: Callable[[Array], Array]
    channels: int
    dtype: type[np.generic] = np.uint8
    width_multiple: int = 1
    min_side: int = 1

    def size_problem(self, width: int, height: int) -> str | None:
        """What the encoding cannot hold about an image of that size; None where all is well."""
        if width % self.width_multiple:
            return f"its width must be a multiple of {self.width_multiple}"
        if min(width, height) < self.min_side:
            return f"it needs at least {self.min_side} rows and columns"
        return None

    def row_bytes(self, width: int) -> int:
        """The bytes that one row of pixels takes, padding left out: the least `step`."""
        return width * self.channels * np.dtype(self.dtype).itemsize

    def data_bytes(self, height: int, step: int) -> int:
        """The length of a message's data, padding included."""
        return height * step

    def decode(self, data: Array, height: int, width: int, step: int, big_endian: bool) -> Array:
        """The image as uint8 [height, width, 3] RGB, from contiguous uint8 [data_bytes(height, step)].

        The result is a view on the data where no byte must change.
        """
        stored = np.dtype(self.dtype).newbyteorder(">" if big_endian else "<")
        shape: tuple[int, ...] = (height, width, self.channels)
        strides: tuple[int, ...] = (step, self.channels * stored.itemsize, stored.itemsize)
        if self.channels == 1:
            shape, strides = shape[:2], strides[:2]
        # Strides are in bytes, so a step that is no multiple of the pixel, or of the value, is read exactly.
        pixels = np.ndarray(shape, stored, buffer=data, strides=strides)
        # OpenCV takes neither foreign byte order nor values at odd addresses.
        rgb = self.to_rgb(np.require(pixels, dtype=self.dtype, requirements="A"))
        # 16 bits over their full range, rounded; colours of a mosaic are interpolated before the low bits go.
        return cv2.convertScaleAbs(rgb, alpha=255 / 65535) if rgb.dtype == np.uint16 else rgb


@dataclass(frozen=True)
class SemiPlanar:
    """A plane of luma, below it a plane of interleaved chroma pairs, one for each block of pixels.

    `block` is the side of such a block. `step` is that of a luma row; a chroma row takes 2 / block of it.
    The methods are those of `Packed`. `to_rgb` gets luma [H, W] and chroma [H / block, W / block, 2].
    """

    to_rgb: Callable[[Array, Array], Array]
    block: int

    def size_problem(self, width: int, height: int) -> str | None:
        if width % self.block or height % self.block:
            return f"its width and height must be multiples of {self.block}"
        return None

    def row_bytes(self, width: int) -> int:
        return width

    def data_bytes(self, height: int, step: int) -> int:
        return height * step + (height // self.block) * (2 * step // self.block)

    def decode(self, data: Array, height: int, width: int, step: int, big_endian: bool) -> Array:
        luma = np.ndarray((height, width), np.uint8, buffer=data, strides=(step, 1))
        chroma = np.ndarray(
            (height // self.block, width // self.block, 2),
            np.uint8,
            buffer=data,
            offset=height * step,
            strides=(2 * step // self.block, 2, 1),
        )
        return self.to_rgb(luma, chroma)


Encoding = Packed | SemiPlanar
"""How the pixels of one encoding lie in a message, and how they become RGB."""


def _cvt(code: int) -> Callable[[Array], Array]:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _two_planes(code: int) -> Callable[[Array, Array], Array]:
    return lambda luma, chroma: cv2.cvtColorTwoPlane(luma, chroma, code)


# Rows R, G, B; columns Y, U, V. ITU-R BT.601, limited range: Y in 16..235, U and V in 16..240 around 128.
_BT601 = np.array([[1.164, 0.0, 1.596], [1.164, -0.391, -0.813], [1.164, 2.018, 0.0]])
_BT601_AFFINE = np.column_stack([_BT601, -_BT601 @ [16, 128, 128]])


def _yuv444(luma: Array, chroma: Array) -> Array:
    # Luma below black counts as black, as OpenCV has it for the other YUV encodings.
    return cv2.transform(cv2.merge([np.maximum(luma, 16), chroma]), _BT601_AFFINE)


_RGB: Callable[[Array], Array] = lambda pixels: pixels  # noqa: E731
_GREY, _BGR = _cvt(cv2.COLOR_GRAY2RGB), _cvt(cv2.COLOR_BGR2RGB)
_RGBA, _BGRA = _cvt(cv2.COLOR_RGBA2RGB), _cvt(cv2.COLOR_BGRA2RGB)
_UYVY = Packed(_cvt(cv2.COLOR_YUV2RGB_UYVY), 2, width_multiple=2)
_YUYV = Packed(_cvt(cv2.COLOR_YUV2RGB_YUY2), 2, width_multiple=2)

# OpenCV names a Bayer pattern by the pixels at (1, 1) and (1, 2), ROS by the first two rows: RGGB is BayerBG.
_BAYER_CODES = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
# OpenCV leaves a mosaic of fewer than three rows or columns black.
_BAYER_MIN_SIDE = 3

ENCODINGS: Mapping[str, Encoding] = MappingProxyType(
    {
        "rgb8": Packed(_RGB, 3),
        "bgr8": Packed(_BGR, 3),
        "rgba8": Packed(_RGBA, 4),
        "bgra8": Packed(_BGRA, 4),
        "mono8": Packed(_GREY, 1),
        # OpenCV's type names say nothing about colour; by its convention three channels are BGR.
        "8UC1": Packed(_GREY, 1),
        "8UC3": Packed(_BGR, 3),
        "8UC4": Packed(_BGRA, 4),
        "rgb16": Packed(_RGB, 3, np.uint16),
        "bgr16": Packed(_BGR, 3, np.uint16),
        "rgba16": Packed(_RGBA, 4, np.uint16),
        "bgra16": Packed(_BGRA, 4, np.uint16),
        "mono16": Packed(_GREY, 1, np.uint16),
        **{
            f"bayer_{pattern}{8 * dtype().itemsize}": Packed(_cvt(code), 1, dtype, min_side=_BAYER_MIN_SIDE)
            for dtype in (np.uint8, np.uint16)
            for pattern, code in _BAYER_CODES.items()
        },
        "uyvy": _UYVY,
        "yuv422": _UYVY,
        "yuyv": _YUYV,
        "yuv422_yuy2": _YUYV,
        "nv12": SemiPlanar(_two_planes(cv2.COLOR_YUV2RGB_NV12), 2),
        "nv21": SemiPlanar(_two_planes(cv2.COLOR_YUV2RGB_NV21), 2),
        "nv24": SemiPlanar(_yuv444, 1),
    }
)
"""The one table from an encoding's name to what it means."""

DEPTH_ENCODINGS = frozenset({"16UC1", "32FC1"})
"""Depth images by REP 118 (millimetres and metres): they hold no colour."""


class UnknownEncoding(ValueError):
    """Neither the table nor `cv_bridge` converts an encoding; the message says what they convert."""


def find_encoding(name: str) -> Encoding:
    """An encoding of the table, or one that `cv_bridge` converts.

    For cv_bridge rows and byte order are put right first: it shears rows whose step is no multiple of the
    pixel, and its big-endian path fails with NumPy 2.

    Raises:
        UnknownEncoding: there is none; also from `decode`, where cv_bridge refuses the pixels.
    """
    if encoding := ENCODINGS.get(name):
        return encoding
    bridge = _cv_bridge()
    unknown = f"encoding {name!r} is not supported; supported are {', '.join(ENCODINGS)}"
    if bridge is None:
        raise UnknownEncoding(f"{unknown}; cv_bridge, which may know more, cannot be imported")

    def to_rgb(pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        tight = SimpleNamespace(
            height=height,
            width=width,
            encoding=name,
            is_bigendian=sys.byteorder == "big",
            step=pixels.nbytes // height,
            data=pixels.tobytes(),
        )
        try:
            converted: Array = bridge.imgmsg_to_cv2(tight, "rgb8")
            return converted
        except Exception as error:
            raise UnknownEncoding(f"{unknown}; cv_bridge refuses it too: {error}") from error

    try:
        dtype, channels = bridge.encoding_to_dtype_with_channels(name)
    except Exception as error:
        raise UnknownEncoding(f"{unknown}; cv_bridge does not know it either: {error}") from error
    return Packed(to_rgb, channels, np.dtype(dtype).type)


@functools.cache
def _cv_bridge() -> Any | None:
    try:
        from cv_bridge import CvBridge

        return CvBridge()
    except Exception:
        # Not only ImportError: a cv_bridge that was built for another NumPy fails in other ways.
        return None
