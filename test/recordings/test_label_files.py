"""Label images as files: names, stamps, values, and what cannot be read."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ovseg_ros.recordings.label_files import LabelFileError, LabelFolder, LabelWriter
from ovseg_ros.recordings.label_map import LabelMap
from ovseg_ros.vocabulary import VocabularyBuilder

IDS = np.array([[0, 1, 7], [254, 255, 1]], np.uint8)


def test_what_is_written_is_read_bit_for_bit(tmp_path: Path) -> None:
    vocabulary = VocabularyBuilder().build(
        ["road; street", "kerb"], [1, 7], ["sky"], 0.25, {"kerb": 0.5}, {"kerb": 200}, 9
    )
    confidence = np.arange(6, dtype=np.uint8).reshape(2, 3)
    LabelWriter(tmp_path / "new" / "labels", vocabulary).write(3, 1_700_000_000_000_000_001, IDS, confidence)
    folder = LabelFolder(tmp_path / "new" / "labels")
    file = folder.find(1_700_000_000_000_000_001)
    assert file is not None
    assert file.name == "000003_1700000000000000001.png"
    assert np.array_equal(folder.read(file), IDS)
    assert np.array_equal(folder.confidence(file), confidence)
    assert folder.vocabulary() == vocabulary
    assert folder.names == {1: "road", 7: "kerb"}
    assert folder.find(1) is None


def test_what_an_earlier_run_wrote_goes(tmp_path: Path) -> None:
    vocabulary = VocabularyBuilder().build(["road"])
    cv2.imwrite(str(tmp_path / "7.png"), IDS)
    LabelWriter(tmp_path, vocabulary).write(0, 5, IDS, IDS)
    LabelWriter(tmp_path, vocabulary).write(1, 6, IDS, None)
    names = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.png")}
    assert names == {"7.png", "000001_6.png"}


def test_a_folder_with_classes_txt_counts_from_zero(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("road\nsky\n", encoding="utf-8")
    cv2.imwrite(str(tmp_path / "42.png"), np.array([[0, 1, 255]], np.uint8))
    folder = LabelFolder(tmp_path)
    file = folder.find(42)
    assert file is not None
    assert folder.read(file).tolist() == [[1, 2, 255]]
    assert folder.names == {1: "road", 2: "sky"}
    assert folder.confidence(file) is None
    assert folder.vocabulary() is None


def test_palette_and_16_bit_files(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    palette.putpalette([0, 0, 0, 200, 10, 10] + [0] * 762)
    palette.save(tmp_path / "1.png")
    cv2.imwrite(str(tmp_path / "2.png"), np.array([[0, 1000, 65535]], np.uint16))
    folder = LabelFolder(tmp_path, LabelMap.from_names({1: "road", 1000: "sky"}))
    assert folder.read(tmp_path / "1.png").tolist() == [[0, 1]]
    sky = next(number for number, name in folder.names.items() if name == "sky")
    assert folder.read(tmp_path / "2.png").tolist() == [[0, sky, 255]]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no label image"),
        ({"left.png": IDS}, "no label image"),
        ({"1.png": IDS}, "does not say what its values mean"),
        ({"1.png": IDS, "classes.json": b"{}"}, "cannot be read"),
    ],
)
def test_a_folder_that_is_none(files: dict[str, np.ndarray | bytes], message: str, tmp_path: Path) -> None:
    for name, content in files.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            cv2.imwrite(str(tmp_path / name), content)
    with pytest.raises(LabelFileError, match=message):
        LabelFolder(tmp_path)


def test_a_colour_or_broken_file_is_no_label_image(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((2, 2, 3), np.uint8))
    (tmp_path / "2.png").write_bytes(b"no image")
    folder = LabelFolder(tmp_path, LabelMap.from_names({1: "road"}))
    for name, problem in (("1.png", "has 3 channels of uint8"), ("2.png", "cannot be read as an image")):
        with pytest.raises(LabelFileError, match=f"{name} {problem}"):
            folder.read(tmp_path / name)
