"""ROS 1 bags record by record (http://wiki.ros.org/Bags/Format/2.0), for bags without their index."""

import io
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from ovseg_ros.recordings.storage_file import RawMessage, StorageFile, decompress, ros2_type

MAGIC = b"#ROSBAG V2.0\n"
_MESSAGE, _CHUNK, _CONNECTION = 2, 5, 7

_Fields = dict[str, bytes]


class SalvagedRos1(StorageFile):
    """What can be read of a ROS 1 bag.

    Raises ValueError on opening what is no ROS 1 bag of version 2.0, and OSError.
    """

    storage = "ros1"

    def __init__(self, path: Path) -> None:
        self._topics: dict[int, tuple[str, str]] = {}
        super().__init__(path, path.open("rb"))

    def _survey(self) -> None:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin as a ROS 1 bag of version 2.0")
        found = ((number, log_ns) for number, log_ns, _ in self._all_messages(self.losses))
        self._count(self._topics, found)

    def messages(self, topics: Collection[str], start_ns: int = 0) -> Iterator[RawMessage]:
        """The messages of these topics in the order of the file."""
        for number, log_ns, data in self._all_messages([]):
            topic, kind = self._topics[number]
            if topic in topics and log_ns >= start_ns:
                yield RawMessage(topic, kind, log_ns, data, "ros1")

    def _all_messages(self, losses: list[str]) -> Iterator[tuple[int, int, bytes]]:
        """Connection, time and data of every message; what cannot be read is added to `losses`."""
        place = len(MAGIC)
        end = self._file.seek(0, 2)
        while place < end:
            # A place of its own, as somebody else may read the file between two messages.
            self._file.seek(place)
            record = _read_record(self._file)
            if record is None:
                losses.append(f"ends early, at {end} bytes")
                return
            fields, data, _ = record
            place = self._file.tell()
            if _op(fields) != _CHUNK:
                yield from self._message(fields, data)
                continue
            self.compression = fields.get("compression", b"none").decode(errors="replace")
            try:
                content = io.BytesIO(decompress(data, self.compression))
            except ValueError as error:
                losses.append(f"has a chunk before {place} bytes that is left out: {error}")
                continue
            while (record := _read_record(content)) and record[2]:
                yield from self._message(record[0], record[1])

    def _message(self, fields: _Fields, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        op = _op(fields)
        if op not in (_MESSAGE, _CONNECTION) or len(fields.get("conn", b"")) != 4:
            return
        number = struct.unpack("<I", fields["conn"])[0]
        if op == _CONNECTION:
            kind = _fields(data).get("type", b"unknown/unknown").decode(errors="replace")
            self._topics[number] = (fields.get("topic", b"").decode(errors="replace"), ros2_type(kind))
        elif number in self._topics and len(fields.get("time", b"")) == 8:
            seconds, nanoseconds = struct.unpack("<II", fields["time"])
            yield number, seconds * 1_000_000_000 + nanoseconds, data


def compression_of(path: Path) -> str:
    """How the first chunk of a ROS 1 bag is compressed: none, bz2 or lz4."""
    with path.open("rb") as file:
        file.seek(len(MAGIC))
        _read_record(file)
        record = _read_record(file)
    return (record[0] if record else {}).get("compression", b"none").decode(errors="replace")


def _read_record(file: BinaryIO) -> tuple[_Fields, bytes, bool] | None:
    """Header fields and data of the next record, and whether the data are whole; None at the file's end."""
    head, data = _read_sized(file), _read_sized(file)
    return None if head is None or data is None else (_fields(head[0]), *data)


def _read_sized(file: BinaryIO) -> tuple[bytes, bool] | None:
    """Bytes with their length before them, as far as they are there, and whether all are."""
    length = file.read(4)
    if len(length) < 4:
        return None
    size = struct.unpack("<I", length)[0]
    data = file.read(size)
    return data, len(data) == size


def _fields(head: bytes) -> _Fields:
    """`name=value` fields, each with its length before it."""
    fields = {}
    place = 0
    while place + 4 <= len(head):
        end = place + 4 + struct.unpack_from("<I", head, place)[0]
        name, _, value = head[place + 4 : end].partition(b"=")
        fields[name.decode(errors="replace")] = value
        place = end
    return fields


def _op(fields: _Fields) -> int:
    return next(iter(fields.get("op", b"")), 0)
