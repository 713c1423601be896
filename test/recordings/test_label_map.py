"""Ids of label images: encodings, void, numbers beyond a byte, names."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.recordings.label_map import LabelMap, LabelMapError, decode_label_image


def message(pixels: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False) -> Any:
    """An Image with these pixels and padding bytes behind each row."""
    order = ">" if big_endian else "<"
    rows = pixels.astype(pixels.dtype.newbyteorder(order)).view(np.uint8).reshape(pixels.shape[0], -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return SimpleNamespace(
        encoding=encoding,
        height=pixels.shape[0],
        width=pixels.shape[1],
        step=data.shape[1],
        is_bigendian=int(big_endian),
        data=data.reshape(-1),
    )


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(
    ("encoding", "dtype", "values", "expected"),
    [
        ("mono8", np.uint8, [0, 1, 254, 255], [0, 1, 254, 255]),
        ("8UC1", np.uint8, [0, 1, 254, 255], [0, 1, 254, 255]),
        ("mono16", np.uint16, [0, 254, 255, 65535], [0, 254, 255, 255]),
        ("16UC1", np.uint16, [0, 254, 255, 65535], [0, 254, 255, 255]),
        ("16SC1", np.int16, [0, 254, -1, -32768], [0, 254, 255, 255]),
    ],
)
def test_every_encoding_without_names(
    encoding: str, dtype: type, values: list[int], expected: list[int], big_endian: bool, padding: int
) -> None:
    pixels: np.ndarray = np.array([values, values[::-1]], dtype)
    decoded = decode_label_image(message(pixels, encoding, padding, big_endian), LabelMap())
    assert decoded.dtype == np.uint8
    assert decoded.tolist() == [expected, expected[::-1]]


def test_bytes_are_not_copied_where_nothing_changes() -> None:
    image = message(np.zeros((4, 6), np.uint8), "mono8")
    assert np.shares_memory(decode_label_image(image, LabelMap.from_names({1: "road"})), image.data)


@pytest.mark.parametrize(("dtype", "encoding"), [(np.uint16, "mono16"), (np.int16, "16SC1")])
def test_an_id_that_does_not_fit_is_named_with_the_way_out(dtype: type, encoding: str) -> None:
    with pytest.raises(ValueError, match=r"the id 300, but ids go to 254 .* a line `300: NAME` in a mapping"):
        decode_label_image(message(np.array([[1, 300]], dtype), encoding), LabelMap())


def test_ids_beyond_a_byte_get_free_numbers_and_small_ones_stay() -> None:
    label_map = LabelMap.from_names({1: "road", 3000: "sky", 40000: "tree", 5: None})
    decoded = label_map.apply(np.array([[1, 3000, 40000, 5, 2]], np.uint16))
    assert label_map.names == {1: "road", decoded[0, 1]: "sky", decoded[0, 2]: "tree"}
    assert len({1, *decoded[0, 1:3].tolist()}) == 3
    assert decoded[0, 3] == 255
    # Pixels that had one of the given numbers without a name must not count as its class.
    assert decoded[0, 4] == 255


def test_several_ids_of_one_name_are_one_class() -> None:
    label_map = LabelMap.from_names({7: "road", 8: "road", 9: "sky"})
    assert label_map.names == {7: "road", 9: "sky"}
    assert label_map.apply(np.array([[7, 8, 9, 10]], np.uint8)).tolist() == [[7, 7, 9, 10]]


@given(
    names=st.dictionaries(
        st.integers(-5, 600),
        st.one_of(st.none(), st.sampled_from([f"class {n}" for n in range(40)])),
        max_size=60,
    ),
    values=st.lists(st.integers(-5, 600), min_size=1, max_size=40),
)
def test_decoded_ids_have_the_names_of_the_recorded_ones(
    names: dict[int, str | None], values: list[int]
) -> None:
    label_map = LabelMap.from_names(names)
    known = [value for value in values if value in names or value < 255] or [0]
    decoded = label_map.apply(np.array([known], np.int16))[0].tolist()
    for value, number in zip(known, decoded, strict=True):
        name = None if value < 0 or value == 255 else names.get(value)
        assert label_map.names.get(number) == name
        assert (number == 255) or name is not None or number == value


def test_255_classes_and_more() -> None:
    assert len(LabelMap.from_names({number: str(number) for number in range(255)}).names) == 255
    with pytest.raises(LabelMapError, match="more than 254 classes"):
        LabelMap.from_names({number: str(number) for number in range(1000, 1255)})
    with pytest.raises(LabelMapError, match="70000 does not fit into 16 bits"):
        LabelMap.from_names({70000: "road"})


class TestFiles:
    def test_yaml_and_json(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("0: ~\n7: road\n3001: ' traffic light '\n", encoding="utf-8")
        (tmp_path / "a.json").write_text(
            '{"0": null, "7": "road", "3001": "traffic light"}', encoding="utf-8"
        )
        expected = LabelMap.from_names({0: None, 7: "road", 3001: "traffic light"})
        assert LabelMap.read(tmp_path / "a.yaml") == LabelMap.read(tmp_path / "a.json") == expected

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "is no mapping of label ids; expected `id: name` lines"),
            ("- road\n", "is no mapping"),
            ("road: 7\n", "has 'road' for a label id"),
            ("true: road\n", "has True for a label id"),
            ("7: on\n", "names the id 7 True; .*quote"),
            ("7: ''\n", "names the id 7 ''"),
            ("7: [", "cannot be read"),
            ("99999: road\n", "does not fit into 16 bits"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, text: str, problem: str) -> None:
        (tmp_path / "map.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(LabelMapError, match=problem):
            LabelMap.read(tmp_path / "map.yaml")

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(LabelMapError, match="cannot be read as a mapping"):
            LabelMap.read(tmp_path / "absent.yaml")


class TestCompressedLabels:
    def message(self, suffix: str, pixels: np.ndarray, form: str) -> Any:
        return SimpleNamespace(format=form, data=cv2.imencode(suffix, pixels)[1].reshape(-1))

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_png(self, dtype: type) -> None:
        image = self.message(".png", np.array([[0, 7, 255]], dtype), "mono8; png compressed ")
        assert decode_label_image(image, LabelMap()).tolist() == [[0, 7, 255]]

    @pytest.mark.skipif(sys.byteorder == "big", reason="the values are those of a little-endian machine")
    def test_png_of_signed_ids(self) -> None:
        pixels = np.array([[0, 7, -1]], np.int16).view(np.uint16)
        image = self.message(".png", pixels, "16SC1; png compressed ")
        assert decode_label_image(image, LabelMap()).tolist() == [[0, 7, 255]]

    def test_lossy_and_coloured_ones_are_refused(self) -> None:
        with pytest.raises(ValueError, match="must be PNG, as a lossy format changes ids"):
            decode_label_image(self.message(".jpg", np.zeros((8, 8), np.uint8), "jpeg"), LabelMap())
        with pytest.raises(ValueError, match="has 3 channels of uint8; expected an image of one channel"):
            decode_label_image(self.message(".png", np.zeros((8, 8, 3), np.uint8), "png"), LabelMap())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"encoding": "rgb8"}, "encoding 'rgb8'; labels must be mono8 or one of mono8, 8UC1"),
        ({"height": 5}, "data is too short"),
        ({"step": 3}, "data is too short"),
        ({"width": 0}, "0 x 4 pixels"),
    ],
)
def test_messages_that_contradict_themselves(change: dict[str, Any], problem: str) -> None:
    image = message(np.zeros((4, 6), np.uint8), "mono8")
    vars(image).update(change)
    with pytest.raises(ValueError, match=problem):
        decode_label_image(image, LabelMap())
