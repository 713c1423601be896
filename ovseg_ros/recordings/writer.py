"""Writing new bags without ROS: message by message, and of data set folders."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from ovseg_ros.recordings.bag import TRUTH_INFO_TOPIC, TRUTH_TOPIC
from ovseg_ros.recordings.datasets.dataset import DatasetError
from ovseg_ros.recordings.datasets.layouts import open_dataset
from ovseg_ros.recordings.file_sources import (
    COMPRESSED_TOPIC,
    FIRST_STAMP_NS,
    RAW_TOPIC,
    file_content,
    read_image,
)
from ovseg_ros.recordings.messages import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    compressed_message,
    image_message,
    message_types,
    truth_info_cdr,
)
from ovseg_ros.recordings.storage_file import BagError

_NO_TIME = QosTime(0, 0)
_KEPT = (QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL)
_LATCHED = Qos(*_KEPT, _NO_TIME, _NO_TIME, QosLiveliness.AUTOMATIC, _NO_TIME, False)


class BagWriter:
    """Writes a new rosbag2 folder in mcap storage, its chunks compressed. Use as a context manager.

    Raises BagError where the folder exists already. A folder that an error left half written is reported
    as such when read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise BagError(f"{self.path} exists already; delete it or choose another place")
        self._writer = Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> "BagWriter":
        try:
            self._writer.open()
        except OSError as error:
            raise BagError(f"{self.path} cannot be written: {error}") from error
        return self

    def __exit__(self, *exception: Any) -> None:
        self._writer.__exit__(*exception)

    def add_topic(self, name: str, kind: str, *, latched: bool = False) -> None:
        """Announce a topic; `latched` marks it transient local, so that a player sends it to late comers."""
        qos = [_LATCHED] if latched else []
        self._connections[name] = self._writer.add_connection(
            name, kind, typestore=message_types(), offered_qos_profiles=qos
        )

    def write(self, topic: str, message: Any, log_ns: int) -> None:
        """Write a rosbags message object to an announced topic at a time in nanoseconds."""
        kind = self._connections[topic].msgtype
        self.write_cdr(topic, message_types().serialize_cdr(message, kind), log_ns)

    def write_cdr(self, topic: str, data: bytes | memoryview, log_ns: int) -> None:
        """Write CDR bytes as they are."""
        self._writer.write(self._connections[topic], log_ns, data)


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


def make_bag(
    folder: Path | str,
    output: Path | str,
    *,
    layout: str = "",
    split: str = "",
    rate: float = 10.0,
    limit: int | None = None,
    compressed: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> BagSummary:
    """Write a rosbag2 (mcap) of a dataset folder, a frame each 1/`rate` seconds, at most `limit` frames.

    Topics: `/camera/image/compressed` (the files' own bytes) or `/camera/image` (rgb8), and where the
    folder has labels `/ground_truth/labels` (mono8: class n of the dataset, counted from 0, has the id
    n + 1; void stays 255) and `/ground_truth/label_info`, latched. Files go in natural order of name (2
    before 10) or in that of the dataset's own list; sequences that differ in a prefix follow one another.
    `layout` and `split` as in `open_dataset`. `progress` is called with (frames done, frames in all).
    Raises DatasetError on the folder, BagError where `output` exists already.
    """
    if not rate > 0:
        raise DatasetError(f"the rate is {rate}; expected a number of frames a second above 0")
    dataset = open_dataset(folder, layout, split)
    items = dataset.items[:limit]
    topic, kind = (COMPRESSED_TOPIC, COMPRESSED_IMAGE) if compressed else (RAW_TOPIC, IMAGE)
    labelled = 0
    with BagWriter(output) as bag:
        bag.add_topic(topic, kind)
        if dataset.legend.names:
            bag.add_topic(TRUTH_INFO_TOPIC, LABEL_INFO, latched=True)
            bag.add_topic(TRUTH_TOPIC, IMAGE)
            bag.write_cdr(
                TRUTH_INFO_TOPIC, truth_info_cdr(dataset.legend.names, FIRST_STAMP_NS), FIRST_STAMP_NS
            )
        for index, item in enumerate(items):
            stamp = FIRST_STAMP_NS + round(index * 1e9 / rate)
            pixels = read_image(item.image)
            if compressed:
                bag.write(topic, compressed_message(*file_content(item.image), stamp), stamp)
            else:
                bag.write(topic, image_message(pixels, "rgb8", stamp), stamp)
            if item.labels is not None:
                truth = dataset.read_labels(item)
                if truth.shape != pixels.shape[:2]:
                    raise DatasetError(
                        f"{item.labels} is {_size(truth.shape)} and its image {item.image.name} "
                        f"{_size(pixels.shape)}"
                    )
                bag.write(TRUTH_TOPIC, image_message(truth, "mono8", stamp), stamp)
                labelled += 1
            if progress:
                progress(index + 1, len(items))
    classes = tuple(dataset.legend.names.values())
    return BagSummary(
        Path(output), len(items), labelled, classes, len(items) / rate, dataset.layout, dataset.split
    )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
