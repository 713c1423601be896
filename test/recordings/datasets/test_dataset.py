"""Dataset folders become bags: what goes in comes out, and what is wrong is said."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.datasets.dataset import DatasetError
from ovseg_ros.recordings.datasets.layouts import open_dataset
from ovseg_ros.recordings.file_sources import read_image
from ovseg_ros.recordings.frame import Frame
from ovseg_ros.recordings.sources import open_source
from ovseg_ros.recordings.storage_file import BagError
from ovseg_ros.recordings.writer import make_bag


def read_bag(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return list(source.frames(SelectionConfig()))


def test_compressed_images_are_the_files_own_bytes(dataset: Path, tmp_path: Path) -> None:
    make_bag(dataset, tmp_path / "bag")
    with Bag(tmp_path / "bag") as bag:
        messages = [bag.read(m) for m in bag.messages(["/camera/image/compressed"])]
    files = [dataset / "images" / f"frame{n}.jpg" for n in range(1, 13)]
    assert [m.data.tobytes() for m in messages] == [f.read_bytes() for f in files]
    assert {m.format for m in messages} == {"jpeg"}


def test_raw_images_and_labels_come_back(tmp_path: Path, make_dataset: Callable) -> None:
    labels = make_dataset(tmp_path / "set", count=3, suffix="png")
    summary = make_bag(tmp_path / "set", tmp_path / "bag", rate=4.0, compressed=False)
    assert (summary.frames, summary.labelled, summary.classes) == (
        3,
        3,
        ("road", "sky", "red box"),
    )
    frames = read_bag(tmp_path / "bag")
    truths = [frame.truth() for frame in frames if frame.truth]
    images = [frame.image() for frame in frames]
    with Bag(tmp_path / "bag") as bag:
        assert bag.label_map().names == {1: "road", 2: "sky", 3: "red box"}
    for truth, values in zip(truths, labels, strict=True):
        assert np.array_equal(truth == 255, values == 255)
        assert np.array_equal(truth[values != 255], values[values != 255] + 1)
    assert np.diff([frame.stamp_ns for frame in frames]).tolist() == [250_000_000, 250_000_000]
    for index, image in enumerate(images, start=1):
        with Image.open(tmp_path / "set" / "images" / f"frame{index}.png") as file:
            assert np.array_equal(image, np.array(file.convert("RGB")))


def test_frames_without_labels_go_without_truth_and_are_counted(dataset: Path, tmp_path: Path) -> None:
    (dataset / "labels" / "frame3.png").unlink()
    summary = make_bag(dataset, tmp_path / "bag")
    assert (summary.frames, summary.labelled) == (12, 11)
    frames = read_bag(tmp_path / "bag")
    assert [index for index, frame in enumerate(frames, start=1) if frame.truth is None] == [3]


def test_a_folder_of_images_alone_is_a_bag_without_truth(tmp_path: Path, make_dataset: Callable) -> None:
    make_dataset(tmp_path / "set", count=2)
    for file in [*(tmp_path / "set" / "labels").iterdir(), tmp_path / "set" / "classes.txt"]:
        file.unlink()
    (tmp_path / "set" / "labels").rmdir()
    make_bag(tmp_path / "set", tmp_path / "bag")
    with Bag(tmp_path / "bag") as bag:
        assert [topic.name for topic in bag.topics] == ["/camera/image/compressed"]


def test_a_dataset_is_read_without_a_bag(tmp_path: Path, make_dataset: Callable) -> None:
    values = make_dataset(tmp_path / "set", count=12, suffix="png")
    (tmp_path / "set" / "labels" / "frame12.png").unlink()
    dataset = open_dataset(tmp_path / "set")
    assert (dataset.layout, dataset.split, dataset.legend.names) == (
        "folders",
        None,
        {1: "road", 2: "sky", 3: "red box"},
    )
    assert [item.name for item in dataset.items] == [f"frame{n}" for n in range(1, 13)]
    assert dataset.items[11].labels is None
    labels = dataset.read_labels(dataset.items[1])
    assert np.array_equal(labels, np.where(values[1] == 255, 255, values[1] + 1))
    assert read_image(dataset.items[1].image).shape == (48, 64, 3)


def test_a_limit(dataset: Path, tmp_path: Path) -> None:
    assert make_bag(dataset, tmp_path / "bag", limit=5, rate=2).seconds == 2.5
    with Bag(tmp_path / "bag") as bag:
        assert bag.topic("/ground_truth/labels").count == 5


def test_an_existing_bag_is_not_overwritten(dataset: Path, tmp_path: Path) -> None:
    make_bag(dataset, tmp_path / "bag")
    with pytest.raises(BagError, match="exists already"):
        make_bag(dataset, tmp_path / "bag")


def spoil_size(folder: Path) -> None:
    cv2.imwrite(str(folder / "labels" / "frame2.png"), np.zeros((10, 20), np.uint8))


def spoil_value(folder: Path) -> None:
    cv2.imwrite(str(folder / "labels" / "frame2.png"), np.full((48, 64), 7, np.uint8))


def spoil_channels(folder: Path) -> None:
    cv2.imwrite(str(folder / "labels" / "frame2.png"), np.zeros((48, 64, 3), np.uint8))


def spoil_image(folder: Path) -> None:
    (folder / "images" / "frame2.jpg").write_bytes(b"no picture")


def spoil_label_file(folder: Path) -> None:
    (folder / "labels" / "frame2.png").write_bytes(b"no picture")


def remove_classes(folder: Path) -> None:
    (folder / "classes.txt").unlink()


def repeat_class(folder: Path) -> None:
    (folder / "classes.txt").write_text("road\nsky\nroad\n", encoding="utf-8")


def blank_class(folder: Path) -> None:
    (folder / "classes.txt").write_text("road\n\nsky\n", encoding="utf-8")


def empty_classes(folder: Path) -> None:
    (folder / "classes.txt").write_text("\n", encoding="utf-8")


def remove_images(folder: Path) -> None:
    for file in (folder / "images").iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_size, r"frame2\.png is 20 x 10 and its image frame2\.jpg 64 x 48"),
        (spoil_value, r"frame2\.png has the value 7, .* the 3 classes have 0 to 2, void has 255"),
        (spoil_channels, r"frame2\.png has 3 channels of uint8; expected an image of one channel"),
        (spoil_image, r"frame2\.jpg: cannot be decoded as an image"),
        (spoil_label_file, r"frame2\.png cannot be read as an image"),
        (remove_classes, "no classes.txt"),
        (repeat_class, "line 3 names 'road' a second time"),
        (blank_class, "line 2 is blank"),
        (empty_classes, "names 0 classes"),
        (remove_images, "holds no .jpg or .png file"),
    ],
)
def test_what_is_wrong_is_said(
    dataset: Path, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(dataset)
    with pytest.raises(OvsegError, match=message):
        make_bag(dataset, tmp_path / "bag")


def test_a_rate_of_zero_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected a number of frames a second above 0"):
        make_bag(dataset, tmp_path / "bag", rate=0)
