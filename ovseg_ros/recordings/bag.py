"""Bags without ROS: what is in them, their messages, and what these are as images and ground truth.

Reads rosbag2 (sqlite3 and mcap, a folder or a storage file of it) and ROS 1 bags.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ovseg_ros.images.codec import decode_compressed, decode_image
from ovseg_ros.recordings.frame import Message, TopicInfo
from ovseg_ros.recordings.label_map import LabelMap, decode_label_image
from ovseg_ros.recordings.messages import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    has_header,
    header_stamp,
    message_types,
)
from ovseg_ros.recordings.storage import open_files
from ovseg_ros.recordings.storage_file import ZSTD_MAGIC, BagError, RawMessage, StorageFile, decompress

TRUTH_TOPIC = "/ground_truth/labels"
TRUTH_INFO_TOPIC = "/ground_truth/label_info"
_DEPTH_NAMES = {"compressedDepth", "depth", "depth_raw", "depth_registered"}


class Bag:
    """A bag open for reading. Use as a context manager.

    What is damaged or missing in a bag of which something can be read is reported in `warnings`, which grows
    while one reads. Raises BagError on opening what is no bag, or where nothing can be read.

    Attributes, once it is open:
        files: the storage files.
        storage: mcap, sqlite3 or ros1.
        start_ns, end_ns: when the first and the last message were recorded; 0 in an empty bag.
        topics: every topic, by name.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._files: list[StorageFile] = []
        self._damage: list[str] = []
        self._unreadable: Counter[str] = Counter()
        self._first_unreadable: dict[str, str] = {}
        self._messages_compressed = False

    def __enter__(self) -> "Bag":
        self._files = files = open_files(self.path, self._warn)
        self.files = [file.path for file in files]
        self.storage = files[0].storage
        self.start_ns = min((file.start_ns for file in files if file.start_ns is not None), default=0)
        self.end_ns = max((file.end_ns for file in files if file.end_ns is not None), default=0)
        seconds = (self.end_ns - self.start_ns) / 1e9
        counts: Counter[tuple[str, str]] = Counter()
        for channel in chain.from_iterable(file.channels for file in files):
            counts[channel.name, channel.type] += channel.count
        self.topics = [
            TopicInfo(name, kind, count, (count - 1) / seconds if count > 1 and seconds > 0 else None)
            for (name, kind), count in sorted(counts.items())
        ]
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files:
            file.close()

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the bag, as far as it was read; a line each."""
        lines = [*self._damage, *(f"{file.path.name} {loss}" for file in self._files for loss in file.losses)]
        for topic, count in sorted(self._unreadable.items()):
            lines.append(
                f"{count} message{'s' * (count > 1)} of {topic} could not be read; "
                f"the first at {self._first_unreadable[topic]}"
            )
        name = self.path.name
        return [line if line.startswith(f"{name} ") else f"{name}: {line}" for line in lines]

    @property
    def compression(self) -> str:
        """How the bag's content is compressed: none, zstd, lz4 or bz2. Compression of each message by itself
        shows when the first has been read."""
        return "zstd" if self._messages_compressed else self._files[0].compression

    def topic(self, name: str) -> TopicInfo | None:
        """The topic of that name, None where the bag has none."""
        return next((topic for topic in self.topics if topic.name == name), None)

    @property
    def cameras(self) -> list[TopicInfo]:
        """The colour image topics that hold images, each camera once: a raw topic takes precedence over its
        own compressed twin. Pictures that a segmentation wrote (those that lie beside a LabelInfo topic), and
        depth images known by their name (REP 118), are no cameras."""
        label_folders = {_parent(t.name) for t in self.topics if t.type == LABEL_INFO} - {""}
        images = {
            t.name: t
            for t in self.topics
            if t.type in (IMAGE, COMPRESSED_IMAGE)
            and t.count
            and _parent(_raw(t.name)) not in label_folders
            and not _is_depth(t.name)
        }
        return [t for t in images.values() if t.name == _raw(t.name) or _raw(t.name) not in images]

    def image_topic(self, topic: str = "") -> TopicInfo:
        """The colour image topic to use: the named one, else the only camera of the bag. Raises BagError."""
        lines = [f"  {t.name}  {t.type}  {t.count} messages" for t in self.topics]
        listing = "\n".join(lines or ["  (no topics)"])
        if topic:
            chosen = self.topic(topic)
            if chosen is None or chosen.type not in (IMAGE, COMPRESSED_IMAGE):
                raise BagError(f"{self.path}: no image topic {topic!r}. The bag has:\n{listing}")
            if not chosen.count:
                raise BagError(f"{self.path}: the topic {topic!r} holds no message")
            return chosen
        cameras = self.cameras
        if not cameras:
            raise BagError(
                f"{self.path}: no camera image (Image or CompressedImage). The bag has:\n{listing}"
            )
        if len(cameras) > 1:
            names = "\n".join(f"  --topic {t.name}" for t in cameras)
            raise BagError(f"{self.path}: several image topics; choose one with\n{names}")
        return cameras[0]

    def labels_topic(self, topic: str = "") -> TopicInfo | None:
        """The topic with the ground truth: the named one, else `/ground_truth/labels` where the bag has it.

        Raises BagError where the named one is missing, empty or no image topic.
        """
        if topic:
            return self.image_topic(topic)
        usual = self.topic(TRUTH_TOPIC)
        return usual if usual and usual.count and usual.type in (IMAGE, COMPRESSED_IMAGE) else None

    def label_map(self, labels_topic: str = TRUTH_TOPIC) -> LabelMap:
        """The ids of a labels topic and their names, from the LabelInfo beside it: `label_info` in the same
        namespace, or below the topic itself. Without names where there is none."""
        names: dict[int, str | None] = {}
        for place in (f"{_parent(labels_topic)}/label_info", f"{labels_topic}/label_info"):
            info = self.topic(place)
            if info is None or info.type != LABEL_INFO:
                continue
            for message in self.messages([info.name]):
                names.update({int(c.class_id): str(c.class_name) for c in self.read(message).class_map})
        return LabelMap.from_names(names)

    def messages(self, topics: Sequence[str], start_ns: int = 0) -> Iterator[Message]:
        """The messages of these topics from a time of recording on, in order; none for topics the bag lacks.
        Messages that are damaged are left out and reported in `warnings`."""
        for file in self._files:
            for raw in file.messages(topics, start_ns):
                try:
                    yield self._message(raw)
                except BagError as error:
                    self.leave_out(raw.topic, raw.log_ns, error)

    def leave_out(self, topic: str, log_ns: int, reason: object) -> None:
        """Note in `warnings` that a message could not be used, as by whoever fails to decode an image."""
        seconds = (log_ns - self.start_ns) / 1e9
        self._first_unreadable.setdefault(topic, f"{seconds:.3f} s: {reason}")
        self._unreadable[topic] += 1

    def read(self, message: Message) -> Any:
        """The message's fields as a rosbags object. Raises BagError on damaged data or an unknown type."""
        try:
            return _convert(message_types().deserialize_cdr, message.data, message.type)
        except BagError as error:
            raise BagError(f"{message.topic}: {error}") from error

    def decode_image(self, message: Message) -> np.ndarray:
        """RGB uint8 [H, W, 3] of an Image or CompressedImage message. Raises ImageError, BagError."""
        decode = decode_compressed if message.type == COMPRESSED_IMAGE else decode_image
        return decode(self.read(message))

    def decode_labels(self, message: Message, label_map: LabelMap | None = None) -> np.ndarray:
        """Label ids uint8 [H, W] of an image message, 255 where void; the ids as they are without a map.

        Raises BagError on another encoding, damaged data, or an id that has no place in 0..254.
        """
        try:
            return decode_label_image(self.read(message), label_map or LabelMap())
        except ValueError as error:
            raise BagError(f"{self.path}: {message.topic} {error}") from error

    def _warn(self, text: str) -> None:
        if text not in self._damage:
            self._damage.append(text)

    def _message(self, raw: RawMessage) -> Message:
        """Decompressed, in CDR and with its stamp. Raises BagError on damaged data or an unknown type."""
        data = raw.data
        try:
            if data[: len(ZSTD_MAGIC)] == ZSTD_MAGIC:  # rosbag2 compressed each message; CDR begins with a 0
                self._messages_compressed = True
                data = decompress(data, "zstd")
            if raw.encoding == "ros1":
                data = bytes(_convert(message_types().ros1_to_cdr, raw.data, raw.type))
            stamp_ns = header_stamp(data) if has_header(raw.type) else 0
        except ValueError as error:
            raise BagError(str(error)) from error
        return Message(raw.topic, raw.type, raw.log_ns, data, stamp_ns or raw.log_ns)


def _convert(convert: Callable[[bytes, str], Any], data: bytes, kind: str) -> Any:
    """What rosbags makes of a message's bytes. Raises BagError on damaged data or an unknown type."""
    try:
        return convert(data, kind)
    except KeyError as error:
        raise BagError(f"the message type {kind} is not known here") from error
    # rosbags lets through whatever its generated code meets in damaged bytes.
    except Exception as error:
        raise BagError(f"the {len(data)} bytes of a message are no {kind}: {error}") from error


def _parent(topic: str) -> str:
    return topic.rpartition("/")[0]


def _raw(topic: str) -> str:
    """The raw topic of a compressed one, by the rule of image_transport."""
    return topic.removesuffix("/compressed")


def _is_depth(topic: str) -> bool:
    parts = topic.split("/")
    return not _DEPTH_NAMES.isdisjoint(parts) or any(part.startswith("aligned_depth") for part in parts)
