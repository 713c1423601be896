"""`ovseg bag`: its arguments reach the recordings, their answers the user."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import Result

from .stand_ins import save_picture

Run = Callable[..., Result]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset folder of four images, two of them with labels."""
    folder = tmp_path / "dataset"
    for number in range(4):
        save_picture(folder / f"images/{number}.jpg")
    size = cv2.imread(str(folder / "images/0.jpg")).shape[:2]
    (folder / "labels").mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f"labels/{number}.png"), np.zeros(size, np.uint8))
    (folder / "classes.txt").write_text("road\nsky\n", encoding="utf-8")
    return folder


def test_make_and_info(ovseg: Run, dataset: Path, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    made = ovseg("bag", "make", dataset, "--output", bag, "--rate", 2, "--raw")
    assert made.exit_code == 0, made.output
    expected = f"{bag}: 4 frames (2.0 s) of the layout folders, 2 with ground truth of 2 classes"
    assert expected in made.stdout
    info = ovseg("bag", "info", bag, "--json", tmp_path / "info.json")
    assert info.exit_code == 0, info.output
    [line] = [line for line in info.stdout.splitlines() if "│ /camera/image " in line]
    assert [part.strip() for part in line.split("│")[1:-1]] == [
        "/camera/image", "sensor_msgs/msg/Image", "4", "2.0 Hz",
    ]  # fmt: skip
    height, width = cv2.imread(str(dataset / "images/0.jpg")).shape[:2]
    assert f"camera /camera/image: {width} x {height}, rgb8" in info.stdout
    truth = "ground truth: /ground_truth/labels, 2 label images, 2 images with labels of their stamp"
    assert truth in info.stdout
    assert "classes: 1 road, 2 sky" in info.stdout
    numbers = json.loads((tmp_path / "info.json").read_text())
    assert (numbers["messages"], numbers["truth"]["labels"], numbers["warnings"]) == (7, 2, [])


def test_layout_split_and_limit_reach_the_dataset(ovseg: Run, tmp_path: Path) -> None:
    for number in range(3):
        save_picture(tmp_path / f"CamVid/train/{number}.png")
    (tmp_path / "CamVid/trainannot").mkdir()
    made = ovseg(
        "bag", "make", tmp_path, "--output", tmp_path / "bag",
        "--layout", "camvid_segnet", "--split", "train", "--limit", 2,
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "2 frames (0.2 s) of the layout camvid_segnet train, 0 with ground truth" in made.stdout
    wrong = ovseg("bag", "make", tmp_path, "--output", tmp_path / "other", "--split", "night")
    assert wrong.exit_code == 1
    assert "no split 'night'; it has train" in wrong.stderr


def test_a_damaged_bag_is_told_with_a_warning(ovseg: Run, dataset: Path, tmp_path: Path) -> None:
    ovseg("bag", "make", dataset, "--output", tmp_path / "bag", "--raw")
    (tmp_path / "bag" / "metadata.yaml").unlink()
    file = tmp_path / "bag" / "bag.mcap"
    file.write_bytes(file.read_bytes()[:-30])
    info = ovseg("bag", "info", tmp_path / "bag", "--quick")
    assert info.exit_code == 0, info.output
    assert "warning: bag: there is no metadata.yaml" in info.stderr
    assert "7 messages can be read" in info.stderr


def test_trouble_is_one_line(ovseg: Run, tmp_path: Path) -> None:
    result = ovseg("bag", "info", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {tmp_path} is no bag")
