"""Bags without ROS: what is in them, their images and ground truth, and writing new ones.

Reads rosbag2 (sqlite3 and mcap, a folder or its single storage file) and ROS 1 bags.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from ovseg_ros.errors import OvsegError
from ovseg_ros.evaluation.message_types import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    header_stamp,
    message_types,
)
from ovseg_ros.node.image_codec import decode_compressed, decode_image

TRUTH_TOPIC = "/ground_truth/labels"
TRUTH_INFO_TOPIC = "/ground_truth/label_info"
_STORAGE_SUFFIXES = (".mcap", ".db3")
_NO_TIME = QosTime(0, 0)


class BagError(OvsegError):
    """A bag that cannot be read or written as asked."""


@dataclass(frozen=True)
class TopicInfo:
    """One topic of a bag; `rate` in messages per second over the whole bag, None for fewer than two."""

    name: str
    type: str
    count: int
    rate: float | None


@dataclass(frozen=True)
class BagMessage:
    """One recorded message: `log_ns` is when the bag received it, `data` its CDR bytes."""

    topic: str
    type: str
    log_ns: int
    data: bytes

    @property
    def stamp_ns(self) -> int:
        """Header stamp; the time of recording where the header has none."""
        return header_stamp(self.data) or self.log_ns


class Bag:
    """A bag open for reading. Use as a context manager.

    Raises BagError on opening what is no bag, is damaged, or lacks its metadata; and on reading on
    behind the place where a file is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._reader = AnyReader([_storage_path(self.path)], default_typestore=message_types())
        self._ros1 = not self._reader.is2

    def __enter__(self) -> "Bag":
        with self._reading():
            self._reader.open()
        return self

    def __exit__(self, *exception: object) -> None:
        self._reader.close()

    @property
    def topics(self) -> list[TopicInfo]:
        """Every topic, by name."""
        seconds = self._reader.duration / 1e9 if self._reader.message_count else 0.0
        counts: dict[tuple[str, str], int] = {}
        for connection in self._reader.connections:
            key = (connection.topic, connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
        return [
            TopicInfo(name, kind, count, (count - 1) / seconds if count > 1 and seconds > 0 else None)
            for (name, kind), count in sorted(counts.items())
        ]

    @property
    def start_ns(self) -> int:
        """When the first message was recorded; 0 in an empty bag."""
        return self._reader.start_time if self._reader.message_count else 0

    def topic(self, name: str) -> TopicInfo | None:
        """The topic of that name, None where the bag has none."""
        return next((topic for topic in self.topics if topic.name == name), None)

    def messages(self, topics: Sequence[str]) -> Iterator[BagMessage]:
        """The messages of these topics in the order of recording; none for topics the bag lacks."""
        connections = [c for c in self._reader.connections if c.topic in topics]
        if not connections:
            return
        recorded = self._reader.messages(connections)
        while True:
            with self._reading():
                item = next(recorded, None)
                if item is None:
                    return
                connection, log_ns, raw = item
                data = message_types().ros1_to_cdr(raw, connection.msgtype) if self._ros1 else raw
            yield BagMessage(connection.topic, connection.msgtype, log_ns, bytes(data))

    def read(self, message: BagMessage) -> Any:
        """The message's fields as a rosbags object."""
        types = message_types() if self._ros1 else self._reader.typestore
        with self._reading():
            return types.deserialize_cdr(message.data, message.type)

    def image_topic(self, topic: str | None = None) -> TopicInfo:
        """The colour image topic to use: the named one, else the only camera of the bag.

        A raw topic goes before its own compressed twin. Pictures that a segmentation wrote (those that
        lie beside a LabelInfo topic) and `compressedDepth` are no cameras.
        """
        images = [t for t in self.topics if t.type in (IMAGE, COMPRESSED_IMAGE)]
        listing = _listing(self.topics)
        if topic is not None:
            chosen = next((t for t in images if t.name == topic), None)
            if chosen is None:
                raise BagError(f"{self.path}: no image topic {topic!r}. The bag has:\n{listing}")
            if not chosen.count:
                raise BagError(f"{self.path}: the topic {topic!r} holds no message")
            return chosen
        label_folders = {_parent(t.name) for t in self.topics if t.type == LABEL_INFO} - {""}
        cameras = [
            t
            for t in images
            if t.count and _parent(t.name) not in label_folders and not t.name.endswith("/compressedDepth")
        ]
        sources = {t.name.removesuffix("/compressed") for t in cameras}
        if not cameras:
            raise BagError(
                f"{self.path}: no camera image (Image or CompressedImage). The bag has:\n{listing}"
            )
        if len(sources) > 1:
            names = "\n".join(f"  --topic {t.name}" for t in cameras)
            raise BagError(f"{self.path}: several image topics; choose one with\n{names}")
        return next((t for t in cameras if t.type == IMAGE), cameras[0])

    def label_names(self, labels_topic: str = TRUTH_TOPIC) -> dict[int, str]:
        """Names by id from the LabelInfo beside a labels topic; empty where there is none."""
        info = self.topic(f"{_parent(labels_topic)}/label_info")
        if info is None or info.type != LABEL_INFO:
            return {}
        names: dict[int, str] = {}
        for message in self.messages([info.name]):
            names.update({int(c.class_id): str(c.class_name) for c in self.read(message).class_map})
        return names

    def decode_labels(self, message: BagMessage) -> np.ndarray:
        """Label ids uint8 [H, W] of a `mono8` image message."""
        image = self.read(message)
        if image.encoding not in ("mono8", "8UC1"):
            raise BagError(
                f"{self.path}: {message.topic} has the encoding {image.encoding!r}; labels must be mono8"
            )
        height, width, step = int(image.height), int(image.width), int(image.step)
        if step < width or image.data.size < step * height:
            raise BagError(f"{self.path}: {message.topic} has a message whose data is too short")
        return image.data[: step * height].reshape(height, step)[:, :width]

    def decode_image(self, message: BagMessage) -> np.ndarray:
        """RGB uint8 [H, W, 3] of an Image or CompressedImage message. Raises ImageError."""
        decode = decode_compressed if message.type == COMPRESSED_IMAGE else decode_image
        return decode(self.read(message))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Whatever the reader meets in a damaged file becomes a BagError."""
        try:
            yield
        except Exception as error:
            raise BagError(
                f"{self.path} cannot be read: {error} A recording that was cut off is mended by "
                "`ros2 bag reindex` (ROS 1: `rosbag reindex`) or `mcap recover`."
            ) from error


def describe(path: Path | str) -> list[TopicInfo]:
    """Every topic of a bag, by name. Raises BagError."""
    with Bag(path) as bag:
        return bag.topics


def read_images(path: Path | str, topic: str | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Header stamp (ns) and RGB uint8 [H, W, 3] of every image of a topic, in the order of recording.

    Without `topic`, the bag's only camera. Raises BagError, and ImageError on an image that cannot be
    decoded.
    """
    with Bag(path) as bag:
        for message in bag.messages([bag.image_topic(topic).name]):
            yield message.stamp_ns, bag.decode_image(message)


class BagWriter:
    """Writes a new rosbag2 folder in mcap storage, its chunks compressed. Use as a context manager.

    Raises BagError where the folder exists already. A folder that an error left half written is of no
    use and says so when read, as it has no metadata.
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


_LATCHED = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    _NO_TIME,
    _NO_TIME,
    QosLiveliness.AUTOMATIC,
    _NO_TIME,
    False,
)


def _storage_path(path: Path) -> Path:
    """What to hand to the reader, or a BagError that says why this is no bag."""
    if not path.exists():
        raise BagError(f"{path} does not exist")
    if path.is_file():
        if path.suffix in (*_STORAGE_SUFFIXES, ".bag"):
            return path
        raise BagError(f"{path} is no bag; expected a rosbag2 folder, or a .mcap, .db3 or .bag file")
    if (path / "metadata.yaml").exists():
        return path
    files = [entry for entry in sorted(path.iterdir()) if entry.suffix in _STORAGE_SUFFIXES]
    if len(files) == 1:
        return files[0]
    if files:
        raise BagError(
            f"{path} has {len(files)} storage files and no metadata.yaml; write one with "
            f"`ros2 bag reindex {path}`"
        )
    hint = f"; to make a bag of a dataset folder: ovseg bag make {path}" if (path / "images").is_dir() else ""
    raise BagError(f"{path} is no bag: it has no metadata.yaml and no .mcap or .db3 file{hint}")


def _parent(topic: str) -> str:
    return topic.rpartition("/")[0]


def _listing(topics: Sequence[TopicInfo]) -> str:
    return "\n".join(f"  {t.name}  {t.type}  {t.count} messages" for t in topics) or "  (no topics)"
