"""Dataset folders: images with pixel labels in the layouts of the common datasets, and bags made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import decode_compressed
from ovseg_ros.recordings.bag import TRUTH_INFO_TOPIC, TRUTH_TOPIC
from ovseg_ros.recordings.datasets.labels import DatasetError, LabelReader
from ovseg_ros.recordings.datasets.layouts import IMAGE_FORMATS, LAYOUTS, Item, choose_split
from ovseg_ros.recordings.message_types import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    image_message,
    label_info_message,
    make_header,
    message_types,
)
from ovseg_ros.recordings.writer import BagWriter

__all__ = ["BagSummary", "Dataset", "DatasetError", "Item", "make_bag", "open_dataset", "recognise"]

COMPRESSED_TOPIC = "/camera/image/compressed"
RAW_TOPIC = "/camera/image"
FIRST_STAMP_NS = 1_000_000_000_000


@dataclass(frozen=True)
class Dataset:
    """The images of a dataset folder (of one part of it, `split`, where it has parts) in order.

    Class n of `classes`, counted from 0, has the id n + 1 in label images; 255 is void.
    """

    folder: Path
    layout: str
    split: str | None
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    labels: LabelReader

    @property
    def label_names(self) -> dict[int, str]:
        """The names of the classes by id."""
        return dict(enumerate(self.classes, start=1))

    def read_image(self, item: Item) -> np.ndarray:
        """An image, uint8 [H, W, 3] RGB. Raises DatasetError."""
        kind = IMAGE_FORMATS[item.image.suffix.lower()]
        try:
            data = np.frombuffer(item.image.read_bytes(), np.uint8)
            return decode_compressed(SimpleNamespace(format=kind, data=data))
        except (OSError, OvsegError) as error:
            raise DatasetError(f"{item.image} cannot be read as an image: {error}") from error

    def read_labels(self, item: Item) -> np.ndarray | None:
        """Ids uint8 [H, W]; None where the image has no labels. Raises DatasetError."""
        return None if item.labels is None or not self.classes else self.labels.read(item.labels)


@dataclass(frozen=True)
class BagSummary:
    """What went into a bag: frames, how many of them have ground truth, the classes' names."""

    path: Path
    frames: int
    labelled: int
    classes: tuple[str, ...]
    seconds: float
    layout: str
    split: str | None

    @property
    def without_truth(self) -> int:
        """Frames that go without ground truth."""
        return self.frames - self.labelled


def recognise(folder: Path | str) -> list[str]:
    """The layouts that fit a folder; none where it is no dataset that is known."""
    return [layout.name for layout in LAYOUTS.values() if layout.root(Path(folder)) is not None]


def open_dataset(folder: Path | str, layout: str | None = None, split: str | None = None) -> Dataset:
    """The dataset in a folder: its layout is recognised unless named, of its parts the validation part is
    taken unless another is named.

    Raises DatasetError where the folder fits no layout, or several, or lacks something.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder")
    if layout is not None and layout not in LAYOUTS:
        raise DatasetError(f"there is no layout {layout!r}; expected one of {', '.join(LAYOUTS)}")
    names = [layout] if layout else recognise(folder)
    if len(names) > 1:
        raise DatasetError(f"{folder} fits several layouts; choose one: --layout {' or '.join(names)}")
    chosen = LAYOUTS[names[0]] if names else None
    root = chosen.root(folder) if chosen else None
    if chosen is None or root is None:
        tried = [chosen] if chosen else LAYOUTS.values()
        listing = "\n".join(f"  {entry.name}: {entry.looked_for}" for entry in tried)
        raise DatasetError(f"{folder} is no dataset folder; looked for\n{listing}")
    part = choose_split(chosen, root, split)
    contents = chosen.load(root, part)
    return Dataset(root, chosen.name, part, tuple(contents.classes), tuple(contents.items), contents.reader)


def make_bag(
    folder: Path | str,
    output: Path | str,
    *,
    layout: str | None = None,
    split: str | None = None,
    rate: float = 10.0,
    limit: int | None = None,
    compressed: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> BagSummary:
    """Write a rosbag2 (mcap) of a dataset folder, a frame each 1/`rate` seconds, at most `limit` frames.

    Topics: `/camera/image/compressed` (the files' own bytes) or `/camera/image` (rgb8), and where the
    folder has labels `/ground_truth/labels` (mono8: class n of the dataset, counted from 0, has the id
    n + 1; void stays 255) and `/ground_truth/label_info`, latched. Files go in natural order of name (2
    before 10) or in that of the dataset's own list; sequences told apart by a prefix follow one another.
    `layout` and `split` as in `open_dataset`. `progress` is called with (frames done, frames in all).
    Raises DatasetError on the folder, BagError where `output` exists already.
    """
    if not rate > 0:
        raise DatasetError(f"the rate is {rate}; expected a number of frames a second above 0")
    dataset = open_dataset(folder, layout, split)
    items = dataset.items[:limit]
    labelled = 0
    with BagWriter(output) as bag:
        bag.add_topic(
            COMPRESSED_TOPIC if compressed else RAW_TOPIC, COMPRESSED_IMAGE if compressed else IMAGE
        )
        if dataset.classes:
            bag.add_topic(TRUTH_INFO_TOPIC, LABEL_INFO, latched=True)
            bag.add_topic(TRUTH_TOPIC, IMAGE)
            info = label_info_message(list(dataset.classes), FIRST_STAMP_NS)
            bag.write(TRUTH_INFO_TOPIC, info, FIRST_STAMP_NS)
        for index, item in enumerate(items):
            stamp = FIRST_STAMP_NS + round(index * 1e9 / rate)
            pixels = dataset.read_image(item)
            _write_image(bag, item.image, pixels, stamp, compressed)
            truth = dataset.read_labels(item)
            if truth is not None:
                if truth.shape != pixels.shape[:2]:
                    raise DatasetError(
                        f"{item.labels} is {_size(truth.shape)} and its image {item.image.name} "
                        f"{_size(pixels.shape)}"
                    )
                bag.write(TRUTH_TOPIC, image_message(truth, "mono8", stamp), stamp)
                labelled += 1
            if progress:
                progress(index + 1, len(items))
    return BagSummary(
        Path(output), len(items), labelled, dataset.classes, len(items) / rate, dataset.layout, dataset.split
    )


def _write_image(bag: BagWriter, path: Path, pixels: np.ndarray, stamp_ns: int, compressed: bool) -> None:
    if not compressed:
        bag.write(RAW_TOPIC, image_message(pixels, "rgb8", stamp_ns), stamp_ns)
        return
    message = message_types().types[COMPRESSED_IMAGE](
        header=make_header(stamp_ns),
        format=IMAGE_FORMATS[path.suffix.lower()],
        data=np.frombuffer(path.read_bytes(), np.uint8),
    )
    bag.write(COMPRESSED_TOPIC, message, stamp_ns)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
