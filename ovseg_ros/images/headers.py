"""What a compressed picture says about itself before it is decoded: kind, size, whether its end is there.

Reads JPEG (ITU-T T.81), PNG (ISO/IEC 15948) and WebP (RFC 9649). No pixel is touched, so a file that claims a
huge image costs nothing here.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
    return ImageHeader("png", width, height, complete=_png_ends(data))


def _png_ends(data: bytes) -> bool:
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IEND":
            return True
        position += length + 12
    return False


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
