"""Label files of datasets: index and colour images as ids."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovseg_ros.recordings.datasets.dataset import (
    DatasetError,
    class_table,
    read_color_labels,
    read_index_labels,
)


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_palette_labels_are_read_by_index(tmp_path: Path) -> None:
    palette = Image.frombytes("P", (2, 2), bytes([0, 1, 2, 255]))
    palette.putpalette([value for color in range(256) for value in (255 - color, color, 7)])
    palette.save(tmp_path / "labels.png")
    assert read_index_labels(tmp_path / "labels.png", range(3)).tolist() == [[1, 2], [3, 255]]


def test_values_of_any_order_and_several_void_ones(tmp_path: Path) -> None:
    path = save(tmp_path / "labels.png", np.array([[7, 0, 33, 8]], np.uint8))
    assert read_index_labels(path, [33, 7], frozenset({0, 8, 255})).tolist() == [[2, 255, 1, 255]]


def test_a_value_of_no_class_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "labels.png", np.array([[1, 9]], np.uint8))
    with pytest.raises(DatasetError, match=r"the value 9, .* the 4 classes have 1 to 3, 5, void has 0, 255"):
        read_index_labels(path, [1, 2, 3, 5], frozenset({0, 255}))


def test_colours(tmp_path: Path) -> None:
    red, blue, void = (255, 0, 0), (0, 0, 1), (0, 0, 0)
    path = save(tmp_path / "labels.png", np.array([[red, void], [blue, red]], np.uint8))
    assert read_color_labels(path, [blue, red]).tolist() == [[2, 255], [1, 2]]
    with pytest.raises(DatasetError, match=r"has the colour \(255, 0, 0\), which is of none"):
        read_color_labels(path, [blue])


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.png").write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read as an image"):
        read_index_labels(tmp_path / "labels.png", range(3))
    with pytest.raises(DatasetError, match="cannot be read as an image"):
        read_color_labels(tmp_path / "labels.png", [(1, 2, 3)])


def test_pixels_of_several_channels_are_no_index(tmp_path: Path) -> None:
    path = save(tmp_path / "labels.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(DatasetError, match="kind RGB; expected one 8-bit channel"):
        read_index_labels(path, range(3))


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("pascal_voc", 21, {0: "background", 1: "aeroplane", 15: "person", 20: "tvmonitor"}),
        ("pascal_context", 59, {1: "aeroplane", 2: "bag", 23: "dog", 59: "wood"}),
        ("pascal_context_59", 59, {1: "aeroplane", 2: "bicycle", 21: "bag", 59: "wood"}),
        ("ade20k", 150, {1: "wall", 13: "person", 21: "car", 150: "flag"}),
        ("cityscapes", 19, {7: "road", 23: "sky", 33: "bicycle"}),
        ("coco_stuff", 171, {0: "person", 89: "toothbrush", 91: "banner", 181: "wood"}),
        ("camvid_segnet", 11, {0: "sky", 3: "road", 10: "bicyclist"}),
    ],
)
def test_the_shipped_tables_hold_what_the_datasets_say(name: str, count: int, some: dict[int, str]) -> None:
    table = class_table(name)
    assert len(table) == len(set(table.values())) == count
    assert all(isinstance(entry, str) for entry in table.values())
    assert {value: table[value] for value in some} == some


def test_the_colours_of_camvid() -> None:
    table = {name: tuple(color) for name, color in class_table("camvid").items()}
    assert len(table) == len(set(table.values())) == 31
    assert table["Road"] == (128, 64, 128)
    assert (0, 0, 0) not in table.values()
