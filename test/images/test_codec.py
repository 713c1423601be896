"""Image messages in and out: good ones exactly, bad ones refused by name."""

import array
import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.images import encodings
from ovseg_ros.images.codec import MAX_PIXELS, ImageError, decode_image, fill_image
from ovseg_ros.images.encodings import ENCODINGS


@dataclass
class Image:
    """The fields of sensor_msgs/Image."""

    header: Any = None
    height: int = 0
    width: int = 0
    encoding: str = ""
    is_bigendian: int = 0
    step: int = 0
    data: Any = field(default_factory=lambda: array.array("B"))


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def message(encoding: str, height: int = 6, width: int = 8, padding: int = 0, seed: int = 0) -> Image:
    """A well-formed message of random bytes."""
    layout = ENCODINGS[encoding]
    step = layout.row_bytes(width) + padding
    data = np.random.default_rng(seed).integers(0, 256, layout.data_bytes(height, step), np.uint8)
    return Image("header", height, width, encoding, 0, step, array.array("B", data.tobytes()))


def refusal(decode: Callable[[Any], np.ndarray], msg: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(msg)
    return caught.value


# --- raw images ---


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("padding", [0, 1, 7])
def test_padding_never_shows(encoding: str, padding: int) -> None:
    tight, loose = message(encoding), message(encoding, padding=padding)
    step, rows = tight.step, len(tight.data) // tight.step
    if encoding == "nv24":
        # A row of chroma is as long as two of luma, and padded at its end only.
        parts = [(i * step, step) for i in range(6)] + [((6 + 2 * i) * step, 2 * step) for i in range(6)]
    else:
        parts = [(i * step, step) for i in range(rows)]
    stretch = (step + padding) / step
    filled = bytearray(b"\xa5" * len(loose.data))
    for start, length in parts:
        target = round(start * stretch)
        filled[target : target + length] = tight.data[start : start + length]
    loose.data = array.array("B", bytes(filled))
    np.testing.assert_array_equal(decode_image(loose), decode_image(tight))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_big_endian_matters_for_sixteen_bits_only(encoding: str) -> None:
    little = message(encoding)
    data = np.frombuffer(little.data, np.uint8)
    if encoding.endswith("16"):
        data = data.reshape(-1, 2)[:, ::-1].ravel()
    big = replace(little, is_bigendian=1, data=array.array("B", data.tobytes()))
    np.testing.assert_array_equal(decode_image(big), decode_image(little))


@pytest.mark.parametrize("padding", [0, 5])
def test_rgb8_is_a_view_that_outlives_the_message(padding: int) -> None:
    msg = message("rgb8", padding=padding)
    image = decode_image(msg)
    assert np.shares_memory(image, np.frombuffer(msg.data, np.uint8))
    before = image.copy()
    del msg
    gc.collect()
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "rgb8"])
def test_other_encodings_come_contiguous(encoding: str) -> None:
    assert decode_image(message(encoding, padding=3)).flags.c_contiguous


@pytest.mark.parametrize("container", [bytes, bytearray, memoryview, list, tuple, np.array])
def test_containers_of_the_data(container: Callable[[Any], Any]) -> None:
    msg = message("bgr8")
    expected = decode_image(msg)
    raw = msg.data.tobytes()
    data = np.frombuffer(raw, np.uint8) if container is np.array else container(raw)
    np.testing.assert_array_equal(decode_image(replace(msg, data=data)), expected)


RGB8 = message("rgb8")
DEPTH = np.full((6, 8), np.nan, np.float32)

BAD_IMAGES = [
    ("step one byte short", replace(RGB8, step=23, data=bytes(6 * 23)), "step_too_small", "24"),
    ("step in pixels", replace(RGB8, step=8, data=bytes(6 * 8)), "step_too_small", "24"),
    ("step zero", replace(RGB8, step=0), "step_too_small", "24"),
    ("step negative", replace(RGB8, step=-24), "step_too_small", "-24"),
    ("16-bit step of 8 bits", replace(message("mono16"), step=8, data=bytes(48)), "step_too_small", "16"),
    ("nv12 step", replace(message("nv12"), step=7, data=bytes(63)), "step_too_small", "8"),
    ("data one short", replace(RGB8, data=RGB8.data[:-1]), "data_size", "143"),
    ("data one long", replace(RGB8, data=RGB8.data + array.array("B", [0])), "data_size", "145"),
    ("data none", replace(RGB8, data=b""), "data_size", "0 bytes"),
    ("last row unpadded", replace(message("rgb8", padding=4), data=bytes(6 * 28 - 4)), "data_size", "168"),
    ("nv12 without chroma", replace(message("nv12"), data=bytes(48)), "data_size", "72"),
    ("nv21 as high as its data", replace(message("nv21"), height=9 * 2, data=bytes(72)), "data_size", "216"),
    ("nv24 with chroma of 4:2:0", replace(message("nv24"), data=bytes(72)), "data_size", "144"),
    ("height zero", replace(RGB8, height=0, data=b""), "zero_size", "8 x 0"),
    ("width zero", replace(RGB8, width=0, step=0, data=b""), "zero_size", "0 x 6"),
    ("all zero", replace(RGB8, width=0, height=0, step=0, data=b""), "zero_size", "0 x 0"),
    ("width negative", replace(RGB8, width=-8), "zero_size", "-8 x 6"),
    ("absurd size", replace(RGB8, width=2**32 - 1, height=2**32 - 1), "too_large", str(MAX_PIXELS)),
    ("one row too many", replace(RGB8, width=8192, height=8193, step=3 * 8192), "too_large", "8193"),
    ("yuyv of odd width", replace(message("yuyv"), width=7), "odd_size", "multiple of 2"),
    ("nv12 of odd width", replace(message("nv12"), width=7), "odd_size", "multiples of 2"),
    ("nv21 of odd height", replace(message("nv21"), height=5), "odd_size", "multiples of 2"),
    ("bayer of two rows", replace(message("bayer_rggb8"), height=2), "odd_size", "at least 3"),
    ("no encoding", replace(RGB8, encoding=""), "empty_encoding", "rgb8"),
    ("unknown encoding", replace(RGB8, encoding="rgb12"), "unknown_encoding", "bayer_rggb8"),
    ("upper case", replace(RGB8, encoding="RGB8"), "unknown_encoding", "'RGB8'"),
    (
        "float with NaN",
        Image("header", 6, 8, "32FC1", 0, 32, array.array("B", DEPTH.tobytes())),
        "depth_image",
        "32FC1",
    ),
    ("depth in mm", Image("header", 6, 8, "16UC1", 0, 16, bytes(96)), "depth_image", "mono16"),
    ("data of text", replace(RGB8, data="x" * 144), "data_type", "str"),
    ("data missing", replace(RGB8, data=None), "data_type", "NoneType"),
    ("values over 255", replace(RGB8, data=[256] * 144), "data_type", "list"),
    ("data with gaps", replace(RGB8, data=memoryview(bytes(288))[::2]), "data_type", "memoryview"),
]


@pytest.fixture
def without_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    encodings._cv_bridge.cache_clear()
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    yield
    encodings._cv_bridge.cache_clear()


@pytest.mark.usefixtures("without_cv_bridge")
@pytest.mark.parametrize(
    ("msg", "reason", "told"), [row[1:] for row in BAD_IMAGES], ids=[row[0] for row in BAD_IMAGES]
)
def test_bad_images_are_refused_by_name(msg: Image, reason: str, told: str) -> None:
    error = refusal(decode_image, msg)
    assert error.reason == reason
    assert told in str(error)


@pytest.mark.usefixtures("without_cv_bridge")
@settings(deadline=None, max_examples=200)
@given(
    encoding=st.sampled_from(list(ENCODINGS)),
    height=st.integers(-1, 7),
    width=st.integers(-1, 7),
    is_bigendian=st.integers(0, 255),
    padding=st.integers(-1, 5),
    surplus=st.integers(-1, 1),
)
def test_only_messages_that_agree_with_themselves_are_decoded(
    encoding: str, height: int, width: int, is_bigendian: int, padding: int, surplus: int
) -> None:
    layout = ENCODINGS[encoding]
    step = layout.row_bytes(width) + padding
    data = bytes(max(0, layout.data_bytes(height, step) + surplus))
    msg = Image("header", height, width, encoding, is_bigendian, step, data)
    if min(height, width) < 1 or padding < 0 or surplus or layout.size_problem(width, height):
        refusal(decode_image, msg)
    else:
        image = decode_image(msg)
        assert image.shape == (height, width, 3)
        assert image.dtype == np.uint8


# --- cv_bridge ---


def fake_cv_bridge(monkeypatch: pytest.MonkeyPatch, **methods: Any) -> None:
    module = ModuleType("cv_bridge")
    module.__dict__["CvBridge"] = lambda: SimpleNamespace(**methods)
    monkeypatch.setitem(sys.modules, "cv_bridge", module)


@pytest.mark.usefixtures("without_cv_bridge")
@pytest.mark.parametrize(("is_bigendian", "stored"), [(0, "<u2"), (1, ">u2")])
def test_unknown_encodings_reach_cv_bridge_tight_and_in_native_order(
    monkeypatch: pytest.MonkeyPatch, is_bigendian: int, stored: str
) -> None:
    values = np.arange(12, dtype=np.uint16).reshape(2, 3, 2)
    seen: list[Any] = []

    def convert(msg: Any, encoding: str) -> np.ndarray:
        seen.append((msg, encoding))
        return np.full((2, 3, 3), 7, np.uint8)

    fake_cv_bridge(
        monkeypatch,
        encoding_to_dtype_with_channels=lambda encoding: ("uint16", 2),
        imgmsg_to_cv2=convert,
    )
    rows = np.pad(values.astype(stored).view(np.uint8).reshape(2, 12), ((0, 0), (0, 3)))
    image = decode_image(Image("header", 2, 3, "grey_alpha16", is_bigendian, 15, rows.tobytes()))

    assert (image == 7).all()
    ((given_msg, encoding),) = seen
    assert encoding == "rgb8"
    assert (given_msg.height, given_msg.width, given_msg.step) == (2, 3, 12)
    assert given_msg.encoding == "grey_alpha16"
    assert given_msg.is_bigendian == (sys.byteorder == "big")
    np.testing.assert_array_equal(np.frombuffer(given_msg.data, np.uint16).reshape(2, 3, 2), values)


def failing(*_: Any) -> Any:
    raise RuntimeError("not a color format")


@pytest.mark.usefixtures("without_cv_bridge")
@pytest.mark.parametrize(
    "methods",
    [
        {"encoding_to_dtype_with_channels": failing},
        {"encoding_to_dtype_with_channels": lambda encoding: ("uint8", 2), "imgmsg_to_cv2": failing},
    ],
    ids=["unknown there too", "not convertible"],
)
def test_what_cv_bridge_refuses_is_refused(
    monkeypatch: pytest.MonkeyPatch, methods: dict[str, Callable[..., Any]]
) -> None:
    fake_cv_bridge(monkeypatch, **methods)
    error = refusal(decode_image, Image("header", 2, 3, "8UC2", 0, 6, bytes(12)))
    assert error.reason == "unknown_encoding"
    assert "not a color format" in str(error)


@pytest.mark.usefixtures("without_cv_bridge")
def test_a_cv_bridge_that_does_not_load_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("cv_bridge")
    module.__dict__["CvBridge"] = failing
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    assert "cannot be imported" in str(refusal(decode_image, replace(RGB8, encoding="8UC2")))


@pytest.mark.parametrize(
    "encoding",
    [
        "rgb8",
        "bgr8",
        "rgba8",
        "bgra8",
        "mono8",
        "rgb16",
        "bgr16",
        "rgba16",
        "bgra16",
        "mono16",
        "yuv422",
        "yuv422_yuy2",
        *[name for name in ENCODINGS if name.startswith("bayer_")],
    ],
)
def test_agrees_with_cv_bridge(encoding: str) -> None:
    try:
        from cv_bridge import CvBridge
        from cv_bridge.boost import cv_bridge_boost  # noqa: F401
    except Exception as error:  # one that was built for another NumPy fails in many ways
        pytest.skip(f"cv_bridge, which comes with ROS and not from PyPI, cannot be imported: {error}")
    # A step that is a multiple of the pixel: cv_bridge itself shears the rows of any other.
    msg = message(encoding, height=12, width=16, padding=24)
    np.testing.assert_array_equal(decode_image(msg), CvBridge().imgmsg_to_cv2(msg, "rgb8"))


# --- filling messages ---


@settings(deadline=None, max_examples=50)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    encoding=st.sampled_from(["rgb8", "bgr8", "rgba8", "mono8", "8UC1"]),
    seed=st.integers(0, 1000),
)
def test_what_is_filled_in_is_read_back(height: int, width: int, encoding: str, seed: int) -> None:
    channels = ENCODINGS[encoding].row_bytes(1)
    picture = pixels(height, width, channels, seed)
    msg = Image(is_bigendian=1, step=999)
    fill_image(msg, picture, encoding, "the input's header")

    assert isinstance(msg.data, array.array)
    assert msg.data.typecode == "B"
    assert msg.data.tobytes() == picture.tobytes()
    assert (msg.header, msg.height, msg.width) == ("the input's header", height, width)
    assert (msg.encoding, msg.is_bigendian, msg.step) == (encoding, 0, width * channels)
    colors = {"mono8": picture[..., None], "8UC1": picture[..., None], "bgr8": picture[..., ::-1]}
    expected = colors.get(encoding, picture)[..., :3]
    np.testing.assert_array_equal(decode_image(msg), np.broadcast_to(expected, (height, width, 3)))


def test_any_memory_layout_is_filled_in_as_rows() -> None:
    large = pixels(12, 20)
    read_only = large.copy()
    read_only.flags.writeable = False
    for picture in (large[::2, ::-1], large.transpose(1, 0, 2), np.asfortranarray(large), read_only):
        msg = Image()
        fill_image(msg, picture, "rgb8", None)
        np.testing.assert_array_equal(decode_image(msg), picture)


def test_a_filled_message_owns_its_bytes() -> None:
    labels = pixels(4, 5, 1)
    msg, before = Image(), labels.tobytes()
    fill_image(msg, labels, "mono8", None)
    labels[:] = 0
    assert msg.data.tobytes() == before


@pytest.mark.parametrize(
    ("picture", "encoding"),
    [
        (np.zeros((4, 5), np.float32), "mono8"),
        (np.zeros((4, 5), bool), "mono8"),
        (np.zeros((4, 5), np.uint8), "rgb8"),
        (np.zeros((4, 5, 3), np.uint8), "mono8"),
        (np.zeros((4, 5, 3), np.uint8), "rgba8"),
        (np.zeros((4, 5), np.uint8), "mono16"),
        (np.zeros((4, 5), np.uint8), "nv12"),
        (np.zeros((4, 5), np.uint8), "labels"),
        (np.zeros(20, np.uint8), "mono8"),
        (np.zeros((1, 4, 5, 3), np.uint8), "rgb8"),
    ],
)
def test_an_array_that_does_not_make_such_an_image(picture: np.ndarray, encoding: str) -> None:
    msg = Image()
    with pytest.raises(ImageError, match=encoding) as caught:
        fill_image(msg, picture, encoding, None)
    assert caught.value.reason == "array_mismatch"
    assert msg == Image()


def test_with_the_messages_of_ros() -> None:
    sensor_msgs = pytest.importorskip("sensor_msgs.msg", reason="ROS 2 messages are not installed")
    std_msgs = pytest.importorskip("std_msgs.msg", reason="ROS 2 messages are not installed")
    header = std_msgs.Header(frame_id="camera")
    picture = pixels(48, 64)
    msg = sensor_msgs.Image()
    fill_image(msg, picture, "rgb8", header)
    assert isinstance(msg.data, array.array)
    assert msg.header.frame_id == "camera"
    image = decode_image(msg)
    np.testing.assert_array_equal(image, picture)
    assert np.shares_memory(image, np.frombuffer(msg.data, np.uint8))
