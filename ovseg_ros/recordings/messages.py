"""The messages of bags, and those of the node from vocabularies and segmentations and back.

The types are ROS 2 Jazzy's own, `vision_msgs/LabelInfo` and this package's. What makes one of the node's
messages is handed in: the node has a factory of its own, `make_message` is that for bags. So whatever is
recorded and whatever is published says the same.
"""

import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from ovseg_ros.paths import share_directory
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary, VocabularyClass
from ovseg_ros.vocabulary.phrases import color_of

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
LABEL_INFO = "vision_msgs/msg/LabelInfo"
SUMMARY = "ovseg_ros/msg/SegmentationSummary"
VOCABULARY = "ovseg_ros/msg/Vocabulary"

_STAMP_END = 12
"""Bytes of the encapsulation, and of the seconds and nanoseconds of a header behind it."""

LABELS_TOPIC = "/segmenter/labels"
CONFIDENCE_TOPIC = "/segmenter/confidence"
SUMMARY_TOPIC = "/segmenter/summary"
VOCABULARY_TOPIC = "/segmenter/vocabulary"
LABEL_INFO_TOPIC = "/segmenter/label_info"
OVERLAY_TOPIC = "/segmenter/overlay/compressed"

_VISION_MSGS = {
    "vision_msgs/msg/VisionClass": "uint16 class_id\nstring class_name\n",
    LABEL_INFO: "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold\n",
}


@cache
def message_types() -> Typestore:
    """Every message type that the package reads or writes; made once."""
    store = get_typestore(Stores.ROS2_JAZZY)
    files = sorted((share_directory() / "msg").glob("*.msg"))
    own = {f"ovseg_ros/msg/{path.stem}": path.read_text(encoding="utf-8") for path in files}
    types = {}
    for name, text in (_VISION_MSGS | own).items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


def make_message(kind: str, **fields: Any) -> Any:
    """A rosbags message with these fields and the rest empty, as `rosidl` makes it, whatever was added."""
    for name, (node, detail) in message_types().fielddefs[kind][1]:
        if name not in fields:
            fields[name] = _empty(node, detail)
    return message_types().types[kind](**fields)


def make_header(stamp_ns: int, frame_id: str = "camera") -> Any:
    """A std_msgs/Header for rosbags, stamp in nanoseconds."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    stamp = make_message("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return make_message("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


def image_message(pixels: np.ndarray, encoding: str, stamp_ns: int, frame_id: str = "camera") -> Any:
    """A sensor_msgs/Image for rosbags of [H, W] or [H, W, C], rows without padding, in native byte order."""
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).view(np.uint8).reshape(-1)
    return make_message(
        IMAGE,
        header=make_header(stamp_ns, frame_id),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=data.size // height,
        data=data,
    )


def compressed_message(kind: str, data: np.ndarray, stamp_ns: int, frame_id: str = "camera") -> Any:
    """A sensor_msgs/CompressedImage for rosbags of an encoded image, uint8 [N]; `kind` as "jpeg" or "png"."""
    return make_message(COMPRESSED_IMAGE, header=make_header(stamp_ns, frame_id), format=kind, data=data)


def header_stamp(cdr: bytes | memoryview) -> int:
    """Header stamp in nanoseconds of a serialized message whose first field is a std_msgs/Header.

    Read straight from the CDR bytes (OMG CDR: four bytes of encapsulation, then the fields), so that an
    image need not be copied to learn when it was taken. Raises ValueError on fewer bytes than that.
    """
    if len(cdr) < _STAMP_END:
        raise ValueError(f"a message of {len(cdr)} bytes is too short to have a header")
    seconds, nanoseconds = struct.unpack_from(_stamp_format(cdr), cdr, 4)
    return int(seconds * 1_000_000_000 + nanoseconds)


def has_header(kind: str) -> bool:
    """Whether messages of a type begin with a std_msgs/Header; False for types that are not known here."""
    _, fields = message_types().fielddefs.get(kind, ([], []))
    return bool(fields) and fields[0][1][1] == "std_msgs/msg/Header"


def with_header_stamp(cdr: bytes | memoryview, stamp_ns: int) -> bytes:
    """A copy of a serialized message with another header stamp (nanoseconds)."""
    copy = bytearray(cdr)
    struct.pack_into(_stamp_format(cdr), copy, 4, *divmod(stamp_ns, 1_000_000_000))
    return bytes(copy)


def _empty(node: Nodetype, detail: Any) -> Any:
    if node == Nodetype.BASE:
        kind = detail[0]
        return "" if kind == "string" else False if kind == "bool" else 0.0 if "float" in kind else 0
    return make_message(detail) if node == Nodetype.NAME else []


def _stamp_format(cdr: bytes | memoryview) -> str:
    return "<iI" if cdr[1] & 1 else ">iI"


MakeMessage = Callable[..., Any]
"""Makes a message: make("ovseg_ros/msg/Vocabulary", revision=1); fields that are not given are empty."""


class ClassShare(Protocol):
    """What a summary says of a class, as `clipseg.ClassStats` has it."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def share(self) -> float: ...
    @property
    def mean_confidence(self) -> float: ...
    @property
    def peak_confidence(self) -> float: ...


def vocabulary_message(make: MakeMessage, vocabulary: Vocabulary, header: Any, topics: Sequence[str]) -> Any:
    """ovseg_ros/Vocabulary; the header's stamp says when it came into force, `topics` are its classes'
    confidence topics."""
    classes = []
    for entry, topic in zip(vocabulary.classes, topics, strict=True):
        red, green, blue = (value / 255 for value in entry.color)
        classes.append(
            make(
                "ovseg_ros/msg/VocabularyClass",
                id=entry.id,
                name=entry.name,
                synonyms=list(entry.synonyms),
                threshold=vocabulary.threshold_of(entry),
                cost=vocabulary.cost_of(entry),
                color=make("std_msgs/msg/ColorRGBA", r=red, g=green, b=blue, a=1.0),
                confidence_topic=topic,
            )
        )
    return make(
        VOCABULARY,
        header=header,
        revision=vocabulary.revision,
        classes=classes,
        background=list(vocabulary.background),
        threshold=vocabulary.threshold,
        has_costs=vocabulary.has_costs,
        default_cost=vocabulary.default_cost,
    )


def read_vocabulary_message(message: Any) -> Vocabulary:
    """An ovseg_ros/Vocabulary message as a Vocabulary. Where it has costs, each class has its own."""
    classes = tuple(
        VocabularyClass(
            id=int(entry.id),
            name=entry.name,
            synonyms=tuple(entry.synonyms),
            color=color_of(entry.name),
            slug=entry.confidence_topic.rpartition("/")[2],
            threshold=float(entry.threshold),
            cost=int(entry.cost) if message.has_costs else None,
        )
        for entry in message.classes
    )
    return Vocabulary(
        classes,
        tuple(message.background),
        float(message.threshold),
        int(message.revision),
        int(message.default_cost),
    )


def summary_message(
    make: MakeMessage,
    header: Any,
    vocabulary: Vocabulary,
    classes: Sequence[ClassShare],
    topics: Mapping[int, str],
    *,
    unlabelled_share: float,
    inference_ms: float,
    latency_ms: float,
) -> Any:
    """ovseg_ros/SegmentationSummary of one frame.

    `topics` has confidence topics by class id; `latency_ms` is from the header's stamp, NaN where unknown.
    """
    return make(
        SUMMARY,
        header=header,
        vocabulary_revision=vocabulary.revision,
        classes=[
            make(
                "ovseg_ros/msg/ClassSummary",
                id=entry.id,
                name=entry.name,
                share=entry.share,
                mean_confidence=entry.mean_confidence,
                peak_confidence=entry.peak_confidence,
                confidence_topic=topics[entry.id],
            )
            for entry in classes
        ],
        unlabelled_share=unlabelled_share,
        inference_ms=inference_ms,
        latency_ms=latency_ms,
    )


def label_info_message(
    make: MakeMessage, names: Mapping[int, str], header: Any, threshold: float = 0.0
) -> Any:
    """vision_msgs/LabelInfo with these names by id."""
    entries = [
        make("vision_msgs/msg/VisionClass", class_id=number, class_name=name)
        for number, name in sorted(names.items())
    ]
    return make(LABEL_INFO, header=header, class_map=entries, threshold=threshold)


def label_names(vocabulary: Vocabulary) -> dict[int, str]:
    """The name of every value that a label of a vocabulary can have."""
    names = {BACKGROUND_ID: "background", UNLABELLED_ID: "unlabelled"}
    return names | {entry.id: entry.name for entry in vocabulary.classes}


def truth_info_cdr(names: Mapping[int, str], stamp_ns: int) -> bytes:
    """The LabelInfo of ground truth with these names by id, serialized."""
    return _cdr(label_info_message(make_message, names, make_header(stamp_ns)), LABEL_INFO)


def vocabulary_messages(vocabulary: Vocabulary, stamp_ns: int) -> dict[str, bytes]:
    """What the node publishes when a vocabulary comes into force, serialized, by topic."""
    header = make_header(stamp_ns)
    topics = [f"{CONFIDENCE_TOPIC}/{entry.slug}" for entry in vocabulary.classes]
    message = vocabulary_message(make_message, vocabulary, header, topics)
    info = label_info_message(make_message, label_names(vocabulary), header, vocabulary.threshold)
    return {VOCABULARY_TOPIC: _cdr(message, VOCABULARY), LABEL_INFO_TOPIC: _cdr(info, LABEL_INFO)}


def prediction_messages(
    labels: UInt8[np.ndarray, "H W"],
    confidence: UInt8[np.ndarray, "H W"],
    vocabulary: Vocabulary,
    classes: Sequence[ClassShare],
    inference_ms: float,
    stamp_ns: int,
) -> dict[str, bytes]:
    """What the node publishes of one frame (labels, confidence and summary), serialized, by topic."""
    summary = summary_message(
        make_message,
        make_header(stamp_ns),
        vocabulary,
        classes,
        {entry.id: f"{CONFIDENCE_TOPIC}/{entry.slug}" for entry in vocabulary.classes},
        unlabelled_share=float(np.count_nonzero(labels == UNLABELLED_ID) / labels.size),
        inference_ms=inference_ms,
        latency_ms=float("nan"),
    )
    return {
        LABELS_TOPIC: _cdr(image_message(labels, "mono8", stamp_ns), IMAGE),
        CONFIDENCE_TOPIC: _cdr(image_message(confidence, "mono8", stamp_ns), IMAGE),
        SUMMARY_TOPIC: _cdr(summary, SUMMARY),
    }


def _cdr(message: Any, kind: str) -> bytes:
    return bytes(message_types().serialize_cdr(message, kind))
