"""Between image messages and arrays: any colour encoding in, RGB out, and masks back into messages.

Works on every object with the fields of sensor_msgs/Image or sensor_msgs/CompressedImage, so that bags, tests
and the graph share one codec. Nothing here needs ROS.
"""

import array
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from ovseg_ros.errors import OvsegError
from ovseg_ros.images.encodings import DEPTH_ENCODINGS, ENCODINGS, Packed, UnknownEncoding, find_encoding

MAX_PIXELS = 64 * 2**20
"""The largest image that is decoded (8192 x 8192 pixels); a larger one is taken for a broken header."""


class ImageError(OvsegError):
    """An image or camera_info message that cannot be used.

    `reason` is a short key that diagnostics count by: zero_size, too_large, odd_size, step_too_small,
    data_size, data_type, empty_encoding, unknown_encoding, depth_image, empty_data, unknown_format, corrupt,
    truncated, array_mismatch, camera_info_missing, camera_info_size, camera_info_values, depth_missing,
    depth_stamp, depth_encoding, depth_data, depth_size, no_costs.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def decode_image(msg: Any) -> np.ndarray:
    """The colours of a sensor_msgs/Image as uint8 [H, W, 3] RGB.

    For `rgb8` this is a view on the message's own data, padded rows included, and read-only where the data
    are (`bytes`): do not write to it. It stays valid for as long as it is held. For all other encodings it is
    a new C-contiguous array. 16-bit values are scaled over their full range; alpha is dropped; encodings
    outside `ENCODINGS` are given to `cv_bridge` where it is installed.

    Raises ImageError where the message contradicts itself, is too large, or holds no colour that can be read.
    """
    try:
        return _decoded(msg)
    except UnknownEncoding as error:
        raise ImageError("unknown_encoding", str(error)) from error


def _decoded(msg: Any) -> np.ndarray:
    name: str = msg.encoding
    width, height, step = int(msg.width), int(msg.height), int(msg.step)
    if not name:
        raise ImageError(
            "empty_encoding", "the image names no encoding; the publisher must set it, e.g. to rgb8"
        )
    if name in DEPTH_ENCODINGS:
        raise _depth_error(f"an image of encoding {name}")
    encoding = find_encoding(name)
    check_size(width, height)
    if problem := encoding.size_problem(width, height):
        raise ImageError("odd_size", f"a {name} image cannot be {width} x {height} pixels: {problem}")
    if step < encoding.row_bytes(width):
        raise ImageError(
            "step_too_small",
            f"step is {step} bytes, but a row of {width} {name} pixels takes {encoding.row_bytes(width)}; "
            "the publisher must set step to its full row length",
        )
    data = byte_array(msg.data)
    expected = encoding.data_bytes(height, step)
    if data.size != expected:
        raise ImageError(
            "data_size",
            f"data holds {data.size} bytes, but {height} rows of {name} with step {step} are {expected}; "
            "height, step and data of the message do not belong together",
        )
    return encoding.decode(data, height, width, step, bool(msg.is_bigendian))


def decode_compressed(msg: Any) -> np.ndarray:
    """The colours of a sensor_msgs/CompressedImage as uint8 [H, W, 3] RGB, C-contiguous.

    Reads JPEG, PNG and WebP, recognised by their content. The pixels are the file's true colours, whichever
    channel order `format` says the encoder was fed with. EXIF orientation is ignored, because camera_info
    speaks of the sensor's rows and columns. Size and completeness are checked before anything is decoded.

    Raises ImageError where the data are no such picture, are cut off, too large or broken, or hold depth.
    """
    form: str = msg.format
    original = form.partition(";")[0].strip()
    if "compressedDepth" in form or original in DEPTH_ENCODINGS:
        raise _depth_error(f"a compressed image of format {form!r}")
    data = byte_array(msg.data).tobytes()
    if not data:
        raise ImageError("empty_data", "the compressed image holds no data")
    try:
        header = read_header(data)
    except ValueError as error:
        raise ImageError("corrupt", f"the compressed image has a broken header: {error}") from None
    if header is None:
        raise ImageError(
            "unknown_format",
            f"the compressed image of format {form!r} is neither JPEG, PNG nor WebP; "
            "let image_transport's `compressed` publish one of these",
        )
    check_size(header.width, header.height)
    if not header.complete:
        raise ImageError(
            "truncated",
            f"the {header.kind} image ends early, after {len(data)} bytes; a part was lost on the way",
        )
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(
            "corrupt", f"the {header.kind} image of {len(data)} bytes cannot be decoded; it is damaged"
        )
    height, width = pixels.shape[:2]
    name = _DECODED_ENCODINGS[pixels.dtype.name, pixels[0, 0].size]
    return ENCODINGS[name].decode(pixels, height, width, pixels.strides[0], sys.byteorder == "big")


def fill_image(msg: Any, pixels: np.ndarray, encoding: str, header: Any) -> None:
    """Puts an array into a sensor_msgs/Image without row padding, by one copy of its bytes.

    `pixels` is uint8, [H, W] for encodings of one channel, else [H, W, C]; it need not be contiguous.
    `header` becomes the message's header as it is.

    Raises ImageError where array and encoding do not fit each other.
    """
    layout = ENCODINGS.get(encoding)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    fits = isinstance(layout, Packed) and layout.dtype == np.uint8 and layout.channels == channels
    if not fits or pixels.ndim not in (2, 3) or pixels.dtype != np.uint8:
        raise ImageError(
            "array_mismatch",
            f"an array of {pixels.dtype} {list(pixels.shape)} does not make a {encoding} image; "
            "it takes uint8 [height, width] or [height, width, channels]",
        )
    msg.header = header
    msg.height, msg.width = pixels.shape[:2]
    msg.encoding = encoding
    msg.is_bigendian = 0
    msg.step = pixels.shape[1] * channels
    # The setters of ROS messages copy an array.array whole, but walk through the elements of a list.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(pixels).data)
    msg.data = data


# What OpenCV decodes to, by type and channels: its colour order is BGR.
_DECODED_ENCODINGS = {
    ("uint8", 1): "mono8",
    ("uint8", 3): "bgr8",
    ("uint8", 4): "bgra8",
    ("uint16", 1): "mono16",
    ("uint16", 3): "bgr16",
    ("uint16", 4): "bgra16",
}


_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START_OF_SCAN = 0xDA
_JPEG_END = b"\xff\xd9"
# SOF0..SOF15 carry the frame's size; C4, C8 and CC in between are tables and an extension.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# TEM and RST0..RST7 stand alone; 00 is a stuffed byte, FF is fill.
_JPEG_WITHOUT_LENGTH = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD8)})


@dataclass(frozen=True)
class ImageHeader:
    """Kind and size (pixels) of a compressed picture; `complete` is False where its end is missing."""

    kind: Literal["jpeg", "png", "webp"]
    width: int
    height: int
    complete: bool


def read_header(data: bytes) -> ImageHeader | None:
    """The header of a JPEG, PNG or WebP picture; None for any other content.

    Raises ValueError where the picture is one of the three but its header is broken or cut off.
    """
    for start, read in _READERS.items():
        if data.startswith(start):
            try:
                return read(data)
            except (struct.error, IndexError):
                raise ValueError("the data end inside the header") from None
    return None


def _read_jpeg(data: bytes) -> ImageHeader:
    size: tuple[int, int] | None = None
    position = 2
    while True:
        # Like decoders, skip what lies between two segments; some cameras leave bytes there.
        position = data.find(b"\xff", position)
        if position < 0:
            raise ValueError("there is no start of scan")
        marker = data[position + 1]
        if marker in _JPEG_WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _JPEG_START_OF_SCAN:
            break
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            size = width, height
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    if size is None:
        raise ValueError("there is no frame header before the start of scan")
    # Scan data never hold the end marker. What follows it (buffers of USB cameras are padded) does no harm.
    return ImageHeader("jpeg", *size, complete=data.rfind(_JPEG_END, position) >= 0)


def _read_png(data: bytes) -> ImageHeader:
    kind, width, height = struct.unpack_from(">4sII", data, 12)
    if kind != b"IHDR":
        raise ValueError("its first chunk is not IHDR")
    position, complete = len(_PNG_SIGNATURE), False
    while not complete and position + 12 <= len(data):
        length, chunk = struct.unpack_from(">I4s", data, position)
        complete = chunk == b"IEND"
        position += length + 12
    return ImageHeader("png", width, height, complete)


def _read_webp(data: bytes) -> ImageHeader:
    payload_bytes, form, chunk = struct.unpack_from("<I4s4s", data, 4)
    if form != b"WEBP":
        raise ValueError("it is a RIFF file of another form than WEBP")
    if chunk == b"VP8X":
        width_low, width_high, height_low, height_high = struct.unpack_from("<HBHB", data, 24)
        width, height = (width_high << 16 | width_low) + 1, (height_high << 16 | height_low) + 1
    elif chunk == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise ValueError(f"its first chunk is {chunk!r}")
    return ImageHeader("webp", width, height, complete=len(data) >= payload_bytes + 8)


_READERS: dict[bytes, Callable[[bytes], ImageHeader]] = {
    b"\xff\xd8": _read_jpeg,
    _PNG_SIGNATURE: _read_png,
    b"RIFF": _read_webp,
}


def check_size(width: int, height: int) -> None:
    """Refuse an image with no pixels, or with more than `MAX_PIXELS`, with an ImageError."""
    if width <= 0 or height <= 0:
        raise ImageError(
            "zero_size", f"the image is {width} x {height} pixels; both sides must be at least 1"
        )
    if width * height > MAX_PIXELS:
        raise ImageError(
            "too_large",
            f"the image claims {width} x {height} pixels; at most {MAX_PIXELS} pixels are decoded",
        )


def byte_array(data: Any) -> np.ndarray:
    """The bytes of a message field as uint8 [N]: a view on a buffer, a copy of a list or tuple.

    Raises ImageError for anything else.
    """
    try:
        return np.frombuffer(bytes(data) if isinstance(data, list | tuple) else data, np.uint8)
    except (TypeError, ValueError, BufferError):
        raise ImageError(
            "data_type", f"data is a {type(data).__name__} that cannot be read as contiguous bytes"
        ) from None


def _depth_error(what: str) -> ImageError:
    return ImageError(
        "depth_image",
        f"{what} is a depth image and holds no colour; subscribe to the camera's colour topic "
        "(a grey camera should publish mono8 or mono16)",
    )
