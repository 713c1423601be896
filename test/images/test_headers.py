"""Kind, size and completeness of compressed pictures, read without decoding."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.images.codec import ImageHeader, read_header

JPEG_FRAME_SIZE = struct.pack(">HHBHH", 0xFFC0, 17, 8, 48, 64)


def picture(suffix: str, height: int, width: int, channels: int = 3, *options: int) -> bytes:
    shape = (height, width) if channels == 1 else (height, width, channels)
    pixels = np.random.default_rng(height * 1000 + width).integers(0, 256, shape, np.uint8)
    return cv2.imencode(suffix, pixels, options)[1].tobytes()


def jpeg(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments)


SCAN = b"\xff\xda\x00\x02scan\xff\xd9"
FRAME = JPEG_FRAME_SIZE + bytes(10)


@settings(deadline=None, max_examples=60)
@given(
    case=st.sampled_from(
        [
            ("jpeg", ".jpg", 3),
            ("jpeg", ".jpg", 1),
            ("jpeg", ".jpg", 3, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
            ("png", ".png", 3),
            ("png", ".png", 4),
            ("webp", ".webp", 3, cv2.IMWRITE_WEBP_QUALITY, 80),
            ("webp", ".webp", 4, cv2.IMWRITE_WEBP_QUALITY, 80),
            ("webp", ".webp", 3, cv2.IMWRITE_WEBP_QUALITY, 101),
        ]
    ),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
)
def test_size_as_the_encoder_wrote_it(case: tuple, height: int, width: int) -> None:
    kind, suffix, channels, *options = case
    data = picture(suffix, height, width, channels, *options)
    assert read_header(data) == ImageHeader(kind, width, height, complete=True)
    assert read_header(data + bytes(100)) == ImageHeader(kind, width, height, complete=True)
    assert read_header(data[:-1]) == ImageHeader(kind, width, height, complete=False)


@pytest.mark.parametrize(
    ("options", "chunk"), [((80, 4), b"VP8X"), ((80, 3), b"VP8 "), ((101, 3), b"VP8L")], ids=lambda v: str(v)
)
def test_the_three_kinds_of_webp_are_met(options: tuple[int, int], chunk: bytes) -> None:
    quality, channels = options
    assert picture(".webp", 20, 30, channels, cv2.IMWRITE_WEBP_QUALITY, quality)[12:16] == chunk


def test_extended_webp_holds_sizes_of_24_bits() -> None:
    sides = (0x012344).to_bytes(3, "little") + (0x030201).to_bytes(3, "little")
    data = b"RIFF" + struct.pack("<I4s4sII", 22, b"WEBP", b"VP8X", 10, 0) + sides
    assert read_header(data) == ImageHeader("webp", 0x012345, 0x030202, complete=True)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(FRAME, SCAN),
        jpeg(b"\xff\xff\xff", FRAME, SCAN),
        jpeg(b"left here by the camera", FRAME, SCAN),
        jpeg(b"\xff\xe1\x00\x08\xff\xc0\x00\x11\x08\x00", FRAME, SCAN),
        jpeg(b"\xff\xc4\x00\x04\x00\x00", FRAME, b"\xff\xdd\x00\x04\x00\x00", SCAN),
        jpeg(FRAME, SCAN, b"the last frame's end"),
    ],
    ids=[
        "plain",
        "fill bytes",
        "bytes between",
        "a frame inside a segment",
        "tables",
        "old bytes at the end",
    ],
)
def test_jpeg_segments(data: bytes) -> None:
    assert read_header(data) == ImageHeader("jpeg", 64, 48, complete=True)


def test_the_end_of_a_thumbnail_is_not_the_end() -> None:
    thumbnail = b"\xff\xe1\x00\x08\xff\xd8\xff\xd9\x00\x00"
    cut_off = jpeg(thumbnail, FRAME, SCAN[:-2])
    assert read_header(cut_off) == ImageHeader("jpeg", 64, 48, complete=False)


@pytest.mark.parametrize("data", [b"", b"\xff", b"GIF89a", b"II*\x00", b"\x89PNX\r\n\x1a\n", bytes(100)])
def test_other_content_is_none(data: bytes) -> None:
    assert read_header(data) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (jpeg(), "no start of scan"),
        (jpeg(b"\xff"), "inside the header"),
        (jpeg(FRAME[:6]), "inside the header"),
        (jpeg(FRAME), "no start of scan"),
        (jpeg(SCAN), "no frame header"),
        (picture(".png", 9, 9)[:20], "inside the header"),
        (picture(".png", 9, 9).replace(b"IHDR", b"IDAT"), "IHDR"),
        (picture(".webp", 9, 9)[:18], "inside the header"),
        (b"RIFF" + struct.pack("<I4s4s", 4, b"WAVE", b"fmt ") + bytes(40), "RIFF"),
        (b"RIFF" + struct.pack("<I4s4s", 4, b"WEBP", b"ICCP") + bytes(40), "ICCP"),
    ],
)
def test_broken_headers_say_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_header(data)
