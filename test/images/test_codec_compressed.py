"""Compressed image messages: good ones in their true colours, bad ones refused by name."""

import array
import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.images.codec import ImageError, decode_compressed


@dataclass
class Compressed:
    """The fields of sensor_msgs/CompressedImage."""

    format: str
    data: Any


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def refusal(form: str, data: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode_compressed(Compressed(form, data))
    return caught.value


def encoded(suffix: str, picture: np.ndarray, *options: int) -> bytes:
    """The file of an image in RGB (or RGBA, or grey) order."""
    if picture.ndim == 3:
        code = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        picture = cv2.cvtColor(picture, code)
    return cv2.imencode(suffix, picture, options)[1].tobytes()


PLAIN = np.full((16, 24, 3), (200, 100, 30), np.uint8)
JPEG = encoded(".jpg", PLAIN)
NOISY_JPEG = encoded(".jpg", pixels(48, 64))
PNG = encoded(".png", pixels(16, 24))
WEBP = encoded(".webp", pixels(16, 24), cv2.IMWRITE_WEBP_QUALITY, 80)


@pytest.mark.parametrize(
    "form",
    [
        "jpeg",
        "jpg",
        "",
        "rgb8; jpeg compressed bgr8",
        "bgr8; jpeg compressed bgr8",
        "rgb8; jpeg compressed rgb8",
        "bayer_rggb8; jpeg compressed bgr8",
        "png",
    ],
)
def test_jpeg_gives_its_true_colours_under_every_format(form: str) -> None:
    image = decode_compressed(Compressed(form, array.array("B", JPEG)))
    assert image.flags.c_contiguous
    np.testing.assert_allclose(image.astype(int), PLAIN, rtol=0, atol=3)


@pytest.mark.parametrize("form", ["png", "rgb8; png compressed bgr8", "bgr8; png compressed bgr8"])
def test_png_is_exact(form: str) -> None:
    np.testing.assert_array_equal(decode_compressed(Compressed(form, PNG)), pixels(16, 24))


def test_lossless_webp_is_exact() -> None:
    data = encoded(".webp", pixels(16, 24), cv2.IMWRITE_WEBP_QUALITY, 101)
    np.testing.assert_array_equal(decode_compressed(Compressed("webp", data)), pixels(16, 24))


def test_grey_pictures_become_grey_rgb() -> None:
    grey = np.full((16, 24), 77, np.uint8)
    for suffix in (".jpg", ".png"):
        image = decode_compressed(Compressed("mono8; compressed", encoded(suffix, grey)))
        np.testing.assert_array_equal(image, np.full((16, 24, 3), 77))


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_png_is_scaled_like_a_raw_image(channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (6, 8, channels), np.uint16)
    data = cv2.imencode(".png", values if channels == 1 else values[..., ::-1])[1].tobytes()
    form = "mono16; png compressed " if channels == 1 else "rgb16; png compressed bgr16"
    expected = np.broadcast_to((values.astype(int) + 128) // 257, (6, 8, 3))
    np.testing.assert_array_equal(decode_compressed(Compressed(form, data)), expected)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_alpha_is_dropped(suffix: str) -> None:
    picture = pixels(16, 24, 4)
    picture[..., 3] = np.maximum(picture[..., 3], 1)  # lossless WebP forgets colours that cannot be seen
    options = (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ()
    image = decode_compressed(Compressed("rgba8; compressed", encoded(suffix, picture, *options)))
    np.testing.assert_array_equal(image, picture[..., :3])


def test_exif_orientation_is_ignored() -> None:
    tag_orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + tag_orientation + bytes(4)
    turned = JPEG[:2] + struct.pack(">HH", 0xFFE1, len(exif) + 2) + exif + JPEG[2:]
    upright = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    assert upright is not None
    assert upright.shape == (24, 16, 3)
    assert decode_compressed(Compressed("jpeg", turned)).shape == (16, 24, 3)


def test_padding_behind_a_picture_does_no_harm() -> None:
    for data in (JPEG, PNG, WEBP):
        assert decode_compressed(Compressed("", data + bytes(4096))).shape == (16, 24, 3)


def huge(data: bytes, at: int, form: str, *size: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, at, *size)
    return bytes(changed)


BAD_COMPRESSED = [
    ("no data", "jpeg", b"", "empty_data", "no data"),
    ("jpeg cut in half", "jpeg", NOISY_JPEG[: len(NOISY_JPEG) // 2], "truncated", "jpeg"),
    ("jpeg without its last byte", "jpeg", JPEG[:-1], "truncated", "jpeg"),
    ("jpeg cut and padded", "jpeg", JPEG[:-2] + bytes(64), "truncated", "jpeg"),
    ("jpeg cut in its header", "jpeg", JPEG[:100], "corrupt", "header"),
    ("jpeg of noise", "jpeg", JPEG[:2] + bytes(range(256)) * 4, "corrupt", "header"),
    ("png cut in half", "png", PNG[: len(PNG) // 2], "truncated", "png"),
    ("png without its last byte", "png", PNG[:-1], "truncated", "png"),
    ("png with a changed byte", "png", PNG[:100] + bytes([PNG[100] ^ 255]) + PNG[101:], "corrupt", "png"),
    ("webp cut in half", "webp", WEBP[: len(WEBP) // 2], "truncated", "webp"),
    ("huge png", "png", huge(PNG, 16, ">II", 2**31 - 1, 2**31 - 1), "too_large", "2147483647"),
    ("huge jpeg", "jpeg", huge(JPEG, JPEG.find(b"\xff\xc0") + 5, ">HH", 65535, 65535), "too_large", "65535"),
    ("huge webp", "webp", huge(WEBP, 26, "<HH", 16383, 16383), "too_large", "16383"),
    ("jpeg of no rows", "jpeg", huge(JPEG, JPEG.find(b"\xff\xc0") + 5, ">HH", 0, 24), "zero_size", "24 x 0"),
    ("png of no columns", "png", huge(PNG, 16, ">II", 0, 16), "zero_size", "0 x 16"),
    ("h264", "h264", b"\0\0\0\1\x67" + bytes(40), "unknown_format", "'h264'"),
    ("tiff", "rgb8; tiff compressed ", b"II*\0" + bytes(40), "unknown_format", "tiff"),
    ("depth", "16UC1; compressedDepth png", bytes(12) + PNG, "depth_image", "compressedDepth"),
    ("depth without its coding", "32FC1; compressedDepth", bytes(12) + PNG, "depth_image", "32FC1"),
    ("depth by its format alone", "compressedDepth rvl", bytes(40), "depth_image", "rvl"),
    ("depth in a plain png", "16UC1; png compressed ", PNG, "depth_image", "16UC1"),
    ("data missing", "jpeg", None, "data_type", "NoneType"),
]


@pytest.mark.parametrize(
    ("form", "data", "reason", "told"),
    [row[1:] for row in BAD_COMPRESSED],
    ids=[row[0] for row in BAD_COMPRESSED],
)
def test_bad_compressed_images_are_refused_by_name(form: str, data: bytes, reason: str, told: str) -> None:
    error = refusal(form, data)
    assert error.reason == reason
    assert told in str(error)


@pytest.mark.parametrize(
    "row", [row for row in BAD_COMPRESSED if row[3] == "too_large"], ids=lambda row: row[0]
)
def test_a_huge_picture_is_refused_before_it_is_decoded(row: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    assert refusal(row[1], row[2]).reason == "too_large"


def test_what_the_decoder_raises_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise cv2.error("inside the decoder")

    monkeypatch.setattr(cv2, "imdecode", broken)
    assert refusal("jpeg", JPEG).reason == "corrupt"


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP], ids=["jpeg", "png", "webp"])
def test_no_beginning_of_a_picture_is_taken_for_the_whole(data: bytes) -> None:
    for length in range(0, len(data), 7):
        refusal("", data[:length])


@settings(deadline=None, max_examples=150)
@given(data=st.sampled_from([NOISY_JPEG, PNG, WEBP]), where=st.floats(0, 1), value=st.integers(0, 255))
def test_a_changed_byte_is_decoded_or_refused(data: bytes, where: float, value: int) -> None:
    changed = bytearray(data)
    changed[int(where * (len(data) - 1))] = value
    try:
        image = decode_compressed(Compressed("", bytes(changed)))
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.shape[2] == 3


def test_with_the_messages_of_ros() -> None:
    sensor_msgs = pytest.importorskip("sensor_msgs.msg", reason="ROS 2 messages are not installed")
    msg = sensor_msgs.CompressedImage(format="rgb8; png compressed bgr8")
    msg.data = array.array("B", PNG)
    np.testing.assert_array_equal(decode_compressed(msg), pixels(16, 24))
