"""The message types of bags: ROS 2 Jazzy's own, `vision_msgs/LabelInfo` and this package's."""

import struct
import sys
from functools import cache
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from ovseg_ros.paths import share_directory

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
LABEL_INFO = "vision_msgs/msg/LabelInfo"
SUMMARY = "ovseg_ros/msg/SegmentationSummary"
VOCABULARY = "ovseg_ros/msg/Vocabulary"

# Encapsulation, seconds and nanoseconds.
_STAMP_END = 12

_VISION_MSGS = {
    "vision_msgs/msg/VisionClass": "uint16 class_id\nstring class_name\n",
    LABEL_INFO: "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold\n",
}


@cache
def message_types() -> Typestore:
    """Every message type that the evaluation reads or writes; made once."""
    store = get_typestore(Stores.ROS2_JAZZY)
    definitions = dict(_VISION_MSGS)
    for path in sorted((share_directory() / "msg").glob("*.msg")):
        definitions[f"ovseg_ros/msg/{path.stem}"] = path.read_text(encoding="utf-8")
    types = {}
    for name, text in definitions.items():
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
    types = message_types().types
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    stamp = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)


def image_message(pixels: np.ndarray, encoding: str, stamp_ns: int, frame_id: str = "camera") -> Any:
    """A sensor_msgs/Image for rosbags of [H, W] or [H, W, C], rows without padding, in native byte order."""
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).view(np.uint8).reshape(-1)
    return message_types().types[IMAGE](
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
    return message_types().types[COMPRESSED_IMAGE](make_header(stamp_ns, frame_id), kind, data)


def header_stamp(cdr: bytes | memoryview) -> int:
    """Header stamp in nanoseconds of a serialized message whose first field is a std_msgs/Header.

    Read straight from the CDR bytes (OMG CDR: four bytes of encapsulation, then the fields), so that
    an image need not be copied to learn when it was taken. Raises ValueError on fewer bytes than that.
    """
    if len(cdr) < _STAMP_END:
        raise ValueError(f"a message of {len(cdr)} bytes is too short to have a header")
    seconds, nanoseconds = struct.unpack_from(_stamp_format(cdr), cdr, 4)
    return seconds * 1_000_000_000 + nanoseconds


def has_header(kind: str) -> bool:
    """Whether messages of a type begin with a std_msgs/Header; False for types that are not known here."""
    if kind not in message_types().fielddefs:
        return False
    _, fields = message_types().fielddefs[kind]
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
    little_endian = cdr[1] & 1
    return "<iI" if little_endian else ">iI"
