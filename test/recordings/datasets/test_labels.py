"""Label files of datasets: index and colour images as ids."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovseg_ros.recordings.datasets.legends import color_legend, index_legend, shipped_legend, shipped_table


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_palette_labels_are_read_by_index(tmp_path: Path) -> None:
    palette = Image.frombytes("P", (2, 2), bytes([0, 1, 2, 255]))
    palette.putpalette([value for color in range(256) for value in (255 - color, color, 7)])
    palette.save(tmp_path / "labels.png")
    legend = index_legend({0: "a", 1: "b", 2: "c"})
    assert legend.read(tmp_path / "labels.png").tolist() == [[1, 2], [3, 255]]


def test_values_of_any_order_and_several_void_ones(tmp_path: Path) -> None:
    path = save(tmp_path / "labels.png", np.array([[7, 0, 33, 8]], np.uint8))
    legend = index_legend({33: "a", 7: "b", 0: None, 8: None})
    assert legend.names == {1: "a", 2: "b"}
    assert legend.read(path).tolist() == [[2, 255, 1, 255]]


def test_values_of_16_bits(tmp_path: Path) -> None:
    path = save(tmp_path / "labels.png", np.array([[7, 300, 65535]], np.uint16))
    assert index_legend({300: "a", 7: None}).read(path).tolist() == [[255, 1, 255]]


def test_a_value_of_no_class_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "labels.png", np.array([[1, 9]], np.uint8))
    legend = index_legend({0: None, 1: "a", 2: "b", 3: "c", 5: "d"})
    with pytest.raises(ValueError, match=r"the value 9, .* the 4 classes have 1 to 3, 5, void has 0, 255"):
        legend.read(path)


def test_colours(tmp_path: Path) -> None:
    red, blue, void = (255, 0, 0), (0, 0, 1), (0, 0, 0)
    path = save(tmp_path / "labels.png", np.array([[red, void], [blue, red]], np.uint8))
    assert color_legend({"a": blue, "b": red}).read(path).tolist() == [[2, 255], [1, 2]]
    with pytest.raises(ValueError, match=r"has the colour \(255, 0, 0\), which is of none"):
        color_legend({"a": blue}).read(path)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG", b"\x89PNG" + bytes(21) + b"\3"])
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.png").write_bytes(content)
    for legend in (index_legend({0: "a"}), color_legend({"a": (1, 2, 3)})):
        with pytest.raises(ValueError, match="cannot be read as an image"):
            legend.read(tmp_path / "labels.png")


def test_pixels_of_several_channels_are_no_index(tmp_path: Path) -> None:
    path = save(tmp_path / "labels.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="has 3 channels of uint8; expected an image of one channel"):
        index_legend({0: "a"}).read(path)


@pytest.mark.parametrize(
    ("name", "count", "some"),
    [
        ("pascal_voc", 21, {0: "background", 1: "aeroplane", 15: "person", 20: "tvmonitor"}),
        ("pascal_context", 59, {1: "aeroplane", 2: "bag", 23: "dog", 59: "wood"}),
        ("pascal_context_59", 59, {1: "aeroplane", 2: "bicycle", 21: "bag", 59: "wood"}),
        ("ade20k", 150, {1: "wall", 13: "person", 21: "car", 150: "flag"}),
        ("cityscapes", 19, {7: "road", 23: "sky", 33: "bicycle"}),
        ("cityscapes_train_ids", 19, {0: "road", 10: "sky", 18: "bicycle"}),
        ("coco_stuff", 171, {0: "person", 89: "toothbrush", 91: "banner", 181: "wood"}),
        ("coco_stuff_train_ids", 171, {0: "person", 79: "toothbrush", 80: "banner", 170: "wood"}),
        ("camvid_segnet", 11, {0: "sky", 3: "road", 10: "bicyclist"}),
    ],
)
def test_the_shipped_tables_hold_what_the_datasets_say(name: str, count: int, some: dict[int, str]) -> None:
    table = shipped_table(name)
    classes = list(shipped_legend(name).names.values())
    assert classes == [entry for entry in table.values() if entry is not None]
    assert len(classes) == len(set(classes)) == count
    assert all(isinstance(entry, str) for entry in classes)
    assert {value: table[value] for value in some} == some


def test_the_colours_of_camvid() -> None:
    table = {name: tuple(color) for name, color in shipped_table("camvid").items()}
    assert len(table) == len(set(table.values())) == 31
    assert table["Road"] == (128, 64, 128)
    assert (0, 0, 0) not in table.values()
