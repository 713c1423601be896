"""MCAP files that rosbag2 does not write, put together record by record."""

import struct
import zlib
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.messages import IMAGE, image_message, message_types
from ovseg_ros.recordings.storage_file import BagError
from ovseg_ros.recordings.storages.mcap import McapFile

MAGIC = b"\x89MCAP0\r\n"


def record(op: int, content: bytes) -> bytes:
    return struct.pack("<BQ", op, len(content)) + content


def text(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode()


def header(profile: str = "ros2") -> bytes:
    return MAGIC + record(1, text(profile) + text("test"))


def topic(number: int, name: str, kind: str = IMAGE, encoding: str = "cdr") -> bytes:
    schema = record(3, struct.pack("<H", number) + text(kind) + text("ros2msg") + text(""))
    channel = struct.pack("<HH", number, number) + text(name) + text(encoding) + struct.pack("<I", 0)
    return schema + record(4, channel)


def message(number: int, log_ns: int, data: bytes) -> bytes:
    return record(5, struct.pack("<HIQQ", number, 0, log_ns, log_ns) + data)


def chunk(content: bytes, compression: str = "", checksum: int | None = None) -> bytes:
    packed = {"": lambda data: data, "lz4": lz4.frame.compress}[compression](content)
    crc = zlib.crc32(content) if checksum is None else checksum
    head = struct.pack("<QQQI", 0, 0, len(content), crc) + text(compression)
    return record(6, head + struct.pack("<Q", len(packed)) + packed)


def image(value: int) -> bytes:
    pixels = np.full((2, 3, 3), value, np.uint8)
    return bytes(message_types().serialize_cdr(image_message(pixels, "rgb8", value + 1), IMAGE))


def values(path: Path) -> tuple[list[int], list[str]]:
    """The grey value of each image on /cam, and the warnings."""
    with Bag(path) as bag:
        found = [int(bag.decode_image(m)[0, 0, 0]) for m in bag.messages(["/cam"])]
        return found, bag.warnings


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def test_messages_outside_of_chunks(tmp_path: Path) -> None:
    records = [topic(1, "/cam"), *(message(1, n, image(n)) for n in range(5))]
    found, warnings = values(write(tmp_path / "a.mcap", header(), *records))
    assert found == [0, 1, 2, 3, 4]
    assert any("5 messages can be read" in warning for warning in warnings)


def test_chunks_without_an_index_in_lz4(tmp_path: Path) -> None:
    first = chunk(topic(1, "/cam") + message(1, 2, image(2)) + message(1, 1, image(1)), "lz4")
    second = chunk(message(1, 3, image(3)), "lz4")
    path = write(tmp_path / "a.mcap", header(), first, second)
    # Within a chunk the messages are sorted by time.
    assert values(path)[0] == [1, 2, 3]
    part = McapFile(path)
    assert (part.compression, part.start_ns, part.end_ns) == ("lz4", 1, 3)
    part.close()


def test_a_chunk_with_a_wrong_checksum_is_left_out(tmp_path: Path) -> None:
    chunks = [
        chunk(topic(1, "/cam") + message(1, 1, image(1))),
        chunk(message(1, 2, image(2)), checksum=7),
        chunk(message(1, 3, image(3))),
    ]
    found, warnings = values(write(tmp_path / "a.mcap", header(), *chunks))
    assert found == [1, 3]
    assert any("left out: its checksum is wrong" in warning for warning in warnings)


def test_a_chunk_that_is_cut_gives_its_whole_messages(tmp_path: Path) -> None:
    content = topic(1, "/cam") + b"".join(message(1, n, image(n)) for n in range(5))
    whole = header() + chunk(content)
    found, warnings = values(write(tmp_path / "a.mcap", whole[:-10]))
    assert found == [0, 1, 2, 3]
    assert f"a.mcap ends early, at {len(whole) - 10} bytes" in warnings


def test_another_profile_with_ros1_messages(tmp_path: Path) -> None:
    types = get_typestore(Stores.ROS1_NOETIC)
    time = types.types["builtin_interfaces/msg/Time"](5, 0)
    old = types.types[IMAGE](
        types.types["std_msgs/msg/Header"](0, time, "camera"), 1, 1, "rgb8", 0, 3, np.full(3, 9, np.uint8)
    )
    data = bytes(types.serialize_ros1(old, IMAGE))
    records = [topic(1, "/cam", "sensor_msgs/Image", "ros1"), message(1, 1, data)]
    path = write(tmp_path / "a.mcap", header("ros1"), *records)
    found, warnings = values(path)
    assert found == [9]
    assert any("it has no end" in warning for warning in warnings)


def test_messages_in_an_encoding_that_is_not_ros(tmp_path: Path) -> None:
    records = [topic(1, "/cam", "foxglove.CompressedImage", "protobuf"), message(1, 1, b"anything")]
    path = write(tmp_path / "a.mcap", header(""), *records)
    with Bag(path) as bag, pytest.raises(BagError, match="no camera image"):
        bag.image_topic()


@pytest.mark.parametrize("content", [b"", MAGIC, MAGIC + b"\x01", b"rubbish" * 10])
def test_files_without_a_message(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BagError, match="cannot be read"):
        values(write(tmp_path / "a.mcap", content))
