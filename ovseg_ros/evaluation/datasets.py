"""Dataset folders as bags.

A dataset folder has `images/` (JPEG or PNG), `labels/` (single-channel 8-bit PNG of the same stem; a
pixel is a line of `classes.txt` counted from 0, 255 is void) and `classes.txt`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from natsort import natsorted
from PIL import Image

from ovseg_ros.errors import OvsegError
from ovseg_ros.evaluation.bags import TRUTH_INFO_TOPIC, TRUTH_TOPIC, BagWriter
from ovseg_ros.evaluation.message_types import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    image_message,
    label_info_message,
    make_header,
    message_types,
)
from ovseg_ros.node.image_codec import decode_compressed
from ovseg_ros.vocabulary import MAX_CLASSES, UNLABELLED_ID

COMPRESSED_TOPIC = "/camera/image/compressed"
RAW_TOPIC = "/camera/image"
FIRST_STAMP_NS = 1_000_000_000_000
_FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}


class DatasetError(OvsegError):
    """A dataset folder that is not laid out as expected."""


@dataclass(frozen=True)
class BagSummary:
    """What went into a bag: frames, how many of them have ground truth, the classes' names."""

    path: Path
    frames: int
    labelled: int
    classes: tuple[str, ...]
    seconds: float

    @property
    def without_truth(self) -> int:
        """Frames that go without ground truth."""
        return self.frames - self.labelled


def make_bag(
    folder: Path | str,
    output: Path | str,
    *,
    rate: float = 10.0,
    compressed: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> BagSummary:
    """Write a rosbag2 (mcap) of a dataset folder, a frame each 1/`rate` seconds.

    Topics: `/camera/image/compressed` (the files' own bytes) or `/camera/image` (rgb8), and where the
    folder has labels `/ground_truth/labels` (mono8: class n of `classes.txt`, counted from 0, has the
    id n + 1; void stays 255) and `/ground_truth/label_info`, latched. Files go in natural order of
    name (2 before 10); sequences told apart by a prefix follow one another.
    `progress` is called with (frames done, frames in all).
    Raises DatasetError on the folder, BagError where `output` exists already.
    """
    folder = Path(folder)
    if not rate > 0:
        raise DatasetError(f"the rate is {rate}; expected a number of frames a second above 0")
    images = _images(folder)
    classes = _classes(folder)
    labels = {path.stem: path for path in sorted((folder / "labels").glob("*.png"))} if classes else {}
    labelled = 0
    with BagWriter(output) as bag:
        bag.add_topic(
            COMPRESSED_TOPIC if compressed else RAW_TOPIC, COMPRESSED_IMAGE if compressed else IMAGE
        )
        if classes:
            bag.add_topic(TRUTH_INFO_TOPIC, LABEL_INFO, latched=True)
            bag.add_topic(TRUTH_TOPIC, IMAGE)
            bag.write(TRUTH_INFO_TOPIC, label_info_message(classes, FIRST_STAMP_NS), FIRST_STAMP_NS)
        for index, path in enumerate(images):
            stamp = FIRST_STAMP_NS + round(index * 1e9 / rate)
            size = _write_image(bag, path, stamp, compressed)
            if path.stem in labels:
                truth = read_labels(labels[path.stem], len(classes))
                if truth.shape != size:
                    raise DatasetError(
                        f"{labels[path.stem]} is {_size(truth.shape)} and its image {path.name} {_size(size)}"
                    )
                bag.write(TRUTH_TOPIC, image_message(truth, "mono8", stamp), stamp)
                labelled += 1
            if progress:
                progress(index + 1, len(images))
    return BagSummary(Path(output), len(images), labelled, tuple(classes), len(images) / rate)


def read_labels(path: Path, class_count: int) -> np.ndarray:
    """A label file as ids uint8 [H, W]: n becomes n + 1, void stays 255. Raises DatasetError."""
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("L", "P"):
                raise DatasetError(
                    f"{path} has pixels of kind {picture.mode}; expected one 8-bit channel (grey or palette)"
                )
            values = np.array(picture, np.uint8)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read as an image: {error}") from error
    beyond = np.unique(values[(values >= class_count) & (values != UNLABELLED_ID)])
    if beyond.size:
        raise DatasetError(
            f"{path} has the value {int(beyond[0])}; classes.txt has {class_count} classes, so expected "
            f"0 to {class_count - 1}, or 255 for void"
        )
    return np.where(values == UNLABELLED_ID, values, values + 1).astype(np.uint8)


def _images(folder: Path) -> list[Path]:
    if not (folder / "images").is_dir():
        raise DatasetError(f"{folder} has no folder images/; expected images/, labels/ and classes.txt")
    images = [p for p in (folder / "images").iterdir() if p.suffix.lower() in _FORMATS]
    if not images:
        raise DatasetError(f"{folder / 'images'} holds no .jpg or .png file")
    return natsorted(images, key=lambda path: path.name)


def _classes(folder: Path) -> list[str]:
    """The names of classes.txt; none for a folder without labels."""
    if not (folder / "labels").is_dir():
        return []
    file = folder / "classes.txt"
    if not file.is_file():
        raise DatasetError(f"{folder} has labels/ but no classes.txt; expected a class name a line")
    names = [line.strip() for line in file.read_text(encoding="utf-8").rstrip().splitlines()]
    for number, name in enumerate(names, start=1):
        if not name:
            raise DatasetError(f"{file}: line {number} is blank; expected a class name")
        if name in names[: number - 1]:
            raise DatasetError(f"{file}: line {number} names {name!r} a second time")
    if not 1 <= len(names) <= MAX_CLASSES:
        raise DatasetError(f"{file} names {len(names)} classes; expected 1 to {MAX_CLASSES}")
    return names


def _write_image(bag: BagWriter, path: Path, stamp_ns: int, compressed: bool) -> tuple[int, int]:
    """Write one image file; returns its (height, width)."""
    content = path.read_bytes()
    data = np.frombuffer(content, np.uint8)
    kind = _FORMATS[path.suffix.lower()]
    try:
        pixels = decode_compressed(SimpleNamespace(format=kind, data=data))
    except OvsegError as error:
        raise DatasetError(f"{path} cannot be read as an image: {error}") from error
    if compressed:
        message = message_types().types[COMPRESSED_IMAGE](
            header=make_header(stamp_ns), format=kind, data=data
        )
        bag.write(COMPRESSED_TOPIC, message, stamp_ns)
    else:
        bag.write(RAW_TOPIC, image_message(pixels, "rgb8", stamp_ns), stamp_ns)
    return pixels.shape[0], pixels.shape[1]


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
