"""Bags without ROS: what is in them, their images and ground truth.

Reads rosbag2 (sqlite3 and mcap, a folder or a storage file of it) and ROS 1 bags.
"""

from collections.abc import Sequence

import numpy as np

from ovseg_ros.images.codec import decode_compressed, decode_image
from ovseg_ros.recordings.frame import Message, TopicInfo
from ovseg_ros.recordings.label_map import LabelMap, decode_label_image
from ovseg_ros.recordings.message_types import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
)
from ovseg_ros.recordings.part import BagError
from ovseg_ros.recordings.reader import BagReader
from ovseg_ros.recordings.writer import BagWriter

__all__ = ["TRUTH_INFO_TOPIC", "TRUTH_TOPIC", "Bag", "BagError", "BagWriter"]

TRUTH_TOPIC = "/ground_truth/labels"
TRUTH_INFO_TOPIC = "/ground_truth/label_info"
_DEPTH_NAMES = {"compressedDepth", "depth", "depth_raw", "depth_registered"}


class Bag(BagReader):
    """A bag open for reading: its messages, and what they are as images and ground truth."""

    @property
    def cameras(self) -> list[TopicInfo]:
        """The colour image topics that hold images, each camera once: a raw topic goes before its own
        compressed twin. Pictures that a segmentation wrote (those that lie beside a LabelInfo topic), and
        depth images known by their name (REP 118), are no cameras."""
        label_folders = {_parent(t.name) for t in self.topics if t.type == LABEL_INFO} - {""}
        images = {
            t.name: t
            for t in self.topics
            if t.type in (IMAGE, COMPRESSED_IMAGE)
            and t.count
            and _parent(_source(t.name)) not in label_folders
            and not _is_depth(t.name)
        }
        return [t for t in images.values() if t.name == _source(t.name) or _source(t.name) not in images]

    def image_topic(self, topic: str | None = None) -> TopicInfo:
        """The colour image topic to use: the named one, else the only camera of the bag. Raises BagError."""
        listing = _listing(self.topics)
        if topic is not None:
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

    def labels_topic(self, topic: str | None = None) -> TopicInfo | None:
        """The topic with the ground truth: the named one, else `/ground_truth/labels` where the bag has it.

        Raises BagError where the named one is missing, empty or no image topic.
        """
        if topic is not None:
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

    def label_names(self, labels_topic: str = TRUTH_TOPIC) -> dict[int, str]:
        """Names by the ids that `decode_labels` gives with `label_map`; empty where the bag has none."""
        return dict(self.label_map(labels_topic).names)

    def decode_labels(self, message: Message, label_map: LabelMap | None = None) -> np.ndarray:
        """Label ids uint8 [H, W] of an image message, 255 where void; the ids as they are without a map.

        Raises BagError on another encoding, damaged data, or an id that has no place in 0..254.
        """
        try:
            return decode_label_image(self.read(message), label_map or LabelMap())
        except ValueError as error:
            raise BagError(f"{self.path}: {message.topic} {error}") from error

    def decode_image(self, message: Message) -> np.ndarray:
        """RGB uint8 [H, W, 3] of an Image or CompressedImage message. Raises ImageError, BagError."""
        decode = decode_compressed if message.type == COMPRESSED_IMAGE else decode_image
        return decode(self.read(message))


def _parent(topic: str) -> str:
    return topic.rpartition("/")[0]


def _source(topic: str) -> str:
    """The raw topic of a compressed one, by the rule of image_transport."""
    return topic.removesuffix("/compressed")


def _is_depth(topic: str) -> bool:
    parts = topic.split("/")
    return not _DEPTH_NAMES.isdisjoint(parts) or any(part.startswith("aligned_depth") for part in parts)


def _listing(topics: Sequence[TopicInfo]) -> str:
    return "\n".join(f"  {t.name}  {t.type}  {t.count} messages" for t in topics) or "  (no topics)"
