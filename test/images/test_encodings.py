"""Every encoding of the table against a decoder that reads one pixel after the other."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.images.encodings import DEPTH_ENCODINGS, ENCODINGS

RGB = tuple[int, int, int]

CHANNEL_ORDERS = {
    "rgb8": "rgb",
    "bgr8": "bgr",
    "rgba8": "rgba",
    "bgra8": "bgra",
    "mono8": "y",
    "8UC1": "y",
    "8UC3": "bgr",
    "8UC4": "bgra",
    "rgb16": "rgb",
    "bgr16": "bgr",
    "rgba16": "rgba",
    "bgra16": "bgra",
    "mono16": "y",
}
BAYER = [f"bayer_{pattern}{bits}" for pattern in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16)]
# Where Y0, U, Y1, V stand among the four bytes of two pixels.
YUV422 = {"uyvy": (1, 0, 3, 2), "yuv422": (1, 0, 3, 2), "yuyv": (0, 1, 2, 3), "yuv422_yuy2": (0, 1, 2, 3)}
# The side of the block that shares one chroma pair, and where U and V stand in the pair.
SEMI_PLANAR = {"nv12": (2, 0, 1), "nv21": (2, 1, 0), "nv24": (1, 0, 1)}


def value_bytes(name: str) -> int:
    return 2 if name.endswith("16") else 1


def rgb_of_yuv(y: int, u: int, v: int) -> RGB:
    """ITU-R BT.601, limited range, in floating point; luma below black is black."""
    luma = 255 / 219 * (max(y, 16) - 16)
    red = luma + 255 / 224 * 1.402 * (v - 128)
    green = luma - 255 / 224 * (0.344136 * (u - 128) + 0.714136 * (v - 128))
    blue = luma + 255 / 224 * 1.772 * (u - 128)
    red, green, blue = (min(255, max(0, round(value))) for value in (red, green, blue))
    return red, green, blue


def slow_packed(name: str, data: bytes, step: int, big_endian: bool) -> Callable[[int, int], RGB]:
    order, size = CHANNEL_ORDERS[name], value_bytes(name)

    def pixel(row: int, column: int) -> RGB:
        start = row * step + column * len(order) * size
        values = {}
        for index, letter in enumerate(order):
            stored = data[start + index * size : start + (index + 1) * size]
            value = int.from_bytes(stored, "big" if big_endian else "little")
            values[letter] = value if size == 1 else round(value * 255 / 65535)
        red, green, blue = (values["y" if "y" in values else letter] for letter in "rgb")
        return red, green, blue

    return pixel


def slow_yuv422(name: str, data: bytes, step: int) -> Callable[[int, int], RGB]:
    first_y, u, second_y, v = YUV422[name]

    def pixel(row: int, column: int) -> RGB:
        pair = data[row * step + column // 2 * 4 :]
        return rgb_of_yuv(pair[second_y if column % 2 else first_y], pair[u], pair[v])

    return pixel


def slow_semi_planar(name: str, data: bytes, step: int, height: int) -> Callable[[int, int], RGB]:
    block, u, v = SEMI_PLANAR[name]

    def pixel(row: int, column: int) -> RGB:
        start = height * step + row // block * (2 * step // block) + column // block * 2
        return rgb_of_yuv(data[row * step + column], data[start + u], data[start + v])

    return pixel


def whole(pixel: Callable[[int, int], RGB], height: int, width: int) -> np.ndarray:
    return np.array([[pixel(row, column) for column in range(width)] for row in range(height)])


def mosaic(name: str, color: RGB, height: int, width: int) -> np.ndarray:
    """What a sensor behind that Bayer filter sees of one colour: uint8 or uint16 [height, width]."""
    pattern = name.removeprefix("bayer_")[:4]
    values = [color["rgb".index(letter)] for letter in pattern]
    tile = np.array(values, np.uint16 if value_bytes(name) == 2 else np.uint8).reshape(2, 2)
    return np.tile(tile, (height // 2 + 1, width // 2 + 1))[:height, :width]


def demosaic(name: str, sensor: np.ndarray, row: int, column: int) -> RGB:
    """The bilinear colour of a pixel that is not at the border: the mean of each colour's nearest sites."""
    pattern = name.removeprefix("bayer_")[:4]
    values: dict[str, list[int]] = {"r": [], "g": [], "b": []}
    for r in range(row - 1, row + 2):
        for c in range(column - 1, column + 2):
            values[pattern[r % 2 * 2 + c % 2]].append(int(sensor[r, c]))
    own = pattern[row % 2 * 2 + column % 2]
    if own == "g":
        means = {letter: (sum(sites) + 1) // 2 for letter, sites in values.items()}
    else:
        cross = [
            sensor[row - 1, column],
            sensor[row + 1, column],
            sensor[row, column - 1],
            sensor[row, column + 1],
        ]
        means = {letter: (sum(sites) + 2) // 4 for letter, sites in values.items()}
        means["g"] = (sum(map(int, cross)) + 2) // 4
    means[own] = int(sensor[row, column])
    red, green, blue = (
        means[letter] if value_bytes(name) == 1 else (means[letter] + 128) // 257 for letter in "rgb"
    )
    return red, green, blue


def padded(rows: np.ndarray, padding: int) -> np.ndarray:
    """Rows of bytes [H, N] as a message carries them: 0xA5 behind each row, all in one line."""
    return np.pad(rows, ((0, 0), (0, padding)), constant_values=0xA5).ravel()


def test_the_slow_decoders_cover_the_table() -> None:
    assert {*CHANNEL_ORDERS, *BAYER, *YUV422, *SEMI_PLANAR} == set(ENCODINGS)
    assert not DEPTH_ENCODINGS & set(ENCODINGS)


@settings(deadline=None, max_examples=300)
@given(
    name=st.sampled_from([*CHANNEL_ORDERS, *YUV422, *SEMI_PLANAR]),
    blocks=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.integers(0, 9),
    big_endian=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_size_padding_and_byte_order(
    name: str, blocks: tuple[int, int], padding: int, big_endian: bool, seed: int
) -> None:
    encoding = ENCODINGS[name]
    side = 2 if name in (*YUV422, "nv12", "nv21") else 1
    height, width = blocks[0] * side, blocks[1] * side
    step = encoding.row_bytes(width) + padding
    data = np.random.default_rng(seed).integers(0, 256, encoding.data_bytes(height, step), np.uint8)

    image = encoding.decode(data, height, width, step, big_endian)

    if name in CHANNEL_ORDERS:
        slow, tolerance = slow_packed(name, data.tobytes(), step, big_endian), 0
    elif name in YUV422:
        slow, tolerance = slow_yuv422(name, data.tobytes(), step), 1
    else:
        slow, tolerance = slow_semi_planar(name, data.tobytes(), step, height), 1
    assert image.dtype == np.uint8
    assert image.shape == (height, width, 3)
    np.testing.assert_allclose(image.astype(int), whole(slow, height, width), rtol=0, atol=tolerance)


@settings(deadline=None, max_examples=150)
@given(
    name=st.sampled_from(BAYER),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    padding=st.integers(0, 5),
    big_endian=st.booleans(),
    color=st.tuples(*[st.integers(0, 255)] * 3),
)
def test_bayer_gives_back_a_plain_colour(
    name: str, size: tuple[int, int], padding: int, big_endian: bool, color: RGB
) -> None:
    sensor = mosaic(name, color, *size)
    if value_bytes(name) == 2:
        sensor *= 257
    stored = sensor.astype(sensor.dtype.newbyteorder(">" if big_endian else "<"))
    data = padded(stored.view(np.uint8), padding)

    image = ENCODINGS[name].decode(data, *size, data.size // size[0], big_endian)

    np.testing.assert_array_equal(image, np.broadcast_to(color, (*size, 3)))


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(BAYER),
    size=st.tuples(st.integers(3, 8), st.integers(3, 8)),
    largest=st.sampled_from([255, 1000, 65535]),
    seed=st.integers(0, 2**32 - 1),
)
def test_bayer_is_interpolated_in_its_own_depth(
    name: str, size: tuple[int, int], largest: int, seed: int
) -> None:
    dtype, largest = (np.uint16, largest) if value_bytes(name) == 2 else (np.uint8, 255)
    sensor = np.random.default_rng(seed).integers(0, largest, size, dtype, endpoint=True)
    data = sensor.view(np.uint8).ravel()

    image = ENCODINGS[name].decode(data, *size, sensor.strides[0], sys.byteorder == "big")

    inside = whole(lambda r, c: demosaic(name, sensor, r + 1, c + 1), size[0] - 2, size[1] - 2)
    np.testing.assert_array_equal(image[1:-1, 1:-1], inside)


@pytest.mark.parametrize("name", [*YUV422, *SEMI_PLANAR])
@pytest.mark.parametrize(
    ("yuv", "rgb"),
    [
        ((16, 128, 128), (0, 0, 0)),
        ((235, 128, 128), (255, 255, 255)),
        ((81, 90, 240), (255, 0, 0)),
        ((145, 54, 34), (0, 255, 0)),
        ((41, 240, 110), (0, 0, 255)),
    ],
    ids=["black", "white", "red", "green", "blue"],
)
def test_yuv_of_the_colour_bars(name: str, yuv: RGB, rgb: RGB) -> None:
    if name in YUV422:
        y, u, second_y, v = YUV422[name]
        pair = np.zeros(4, np.uint8)
        pair[[y, u, second_y, v]] = yuv[0], yuv[1], yuv[0], yuv[2]
        data = np.tile(pair, 2)
        step = 4
    else:
        block, u, _ = SEMI_PLANAR[name]
        chroma = yuv[1:] if u == 0 else yuv[:0:-1]
        data = np.array([yuv[0]] * 4 + list(chroma) * (4 // block**2), np.uint8)
        step = 2
    image = ENCODINGS[name].decode(data, 2, 2, step, False)
    np.testing.assert_allclose(image.astype(int), np.broadcast_to(rgb, (2, 2, 3)), rtol=0, atol=2)


def test_sixteen_bits_are_rounded_to_eight_over_the_full_range() -> None:
    values = np.arange(65536, dtype=np.uint16)
    grey = ENCODINGS["mono16"].decode(values.view(np.uint8), 256, 256, 512, sys.byteorder == "big")
    np.testing.assert_array_equal(grey[..., 0].ravel(), (values.astype(int) + 128) // 257)
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize(
    ("name", "width", "height", "problem"),
    [
        ("yuyv", 5, 4, "width"),
        ("uyvy", 4, 5, ""),
        ("nv12", 5, 4, "width and height"),
        ("nv21", 4, 5, "width and height"),
        ("nv24", 5, 5, ""),
        ("bayer_rggb8", 2, 9, "at least 3"),
        ("bayer_rggb8", 3, 3, ""),
        ("mono8", 1, 1, ""),
    ],
)
def test_sizes_that_an_encoding_cannot_hold(name: str, width: int, height: int, problem: str) -> None:
    found = ENCODINGS[name].size_problem(width, height) or ""
    assert bool(found) == bool(problem)
    assert problem in found
