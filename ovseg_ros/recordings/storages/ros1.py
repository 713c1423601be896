"""ROS 1 bags record by record (http://wiki.ros.org/Bags/Format/2.0)."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from ovseg_ros.recordings.storage_file import decompress, ros2_type
from ovseg_ros.recordings.storages.chunked import ChunkedFile, Piece

MAGIC = b"#ROSBAG V2.0\n"
_MESSAGE, _BAG, _INDEX, _CHUNK, _CONNECTION = 2, 3, 4, 5, 7
_LONGEST_HEAD = 2**20
_INDEX_ENTRY = struct.Struct("<III")

_Fields = dict[str, bytes]


class Ros1File(ChunkedFile):
    """A ROS 1 bag of version 2.0."""

    storage = "ros1"

    def _find_pieces(self) -> None:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin as a ROS 1 bag of version 2.0")
        chunk = Piece(0, 0, True)
        self.problem = "it has no index"
        for start, fields, place, length, complete in _records(self._file):
            op, number = _op(fields), _number(fields)
            if op == _BAG and any(fields.get("index_pos", b"")):
                self.problem = ""
            elif op == _CHUNK:
                chunk = Piece(start, place + length - start, True)
                self._pieces.append(chunk)
                self.compression = fields.get("compression", b"none").decode(errors="replace")
            elif op == _INDEX and number is not None:
                whole = length // _INDEX_ENTRY.size * _INDEX_ENTRY.size
                entries = _INDEX_ENTRY.iter_unpack(self._read_at(place, whole))
                chunk.add(number, [_nanoseconds(*entry[:2]) for entry in entries])
            elif op in (_MESSAGE, _CONNECTION):
                self._pieces.append(Piece(start, place + length - start, False))
                for found, log_ns, _, _ in self._messages(self._content(self._pieces[-1])):
                    self._pieces[-1].add(found, [log_ns])
            if not complete:
                self.problem = f"it ends early, at {place + length} bytes"

    def _content(self, piece: Piece) -> bytes:
        data = self._read_at(piece.offset, piece.length)
        if not piece.is_chunk:
            return data
        _, fields, place, length, _ = next(_records(io.BytesIO(data)))
        compression = fields.get("compression", b"none").decode(errors="replace")
        return decompress(data[place : place + length], compression)

    def _messages(self, content: bytes) -> Iterator[tuple[int, int, int, int]]:
        for _, fields, place, length, complete in _records(io.BytesIO(content)):
            op, number = _op(fields), _number(fields)
            if op == _CONNECTION and number is not None:
                name = fields.get("topic", b"").decode(errors="replace")
                kind = _fields(content[place : place + length]).get("type", b"unknown/unknown")
                self._topics[number] = (name, ros2_type(kind.decode(errors="replace")), "ros1")
            elif op == _MESSAGE and complete and number in self._topics and len(fields.get("time", b"")) == 8:
                yield number, _nanoseconds(*struct.unpack("<II", fields["time"])), place, length


def _records(file: BinaryIO) -> Iterator[tuple[int, _Fields, int, int, bool]]:
    """Place and header fields of each record from the file's place on, place and length of its data, and
    whether these are there as a whole."""
    start = file.tell()
    end = file.seek(0, io.SEEK_END)
    while start + 8 <= end:
        file.seek(start)
        size = struct.unpack("<I", file.read(4))[0]
        head, rest = file.read(min(size, _LONGEST_HEAD)), file.read(4)
        whole = len(head) == size and len(rest) == 4
        # Behind what is no header nothing more can be found.
        place, length = file.tell(), struct.unpack("<I", rest)[0] if whole else end
        yield start, _fields(head) if whole else {}, place, min(length, end - place), place + length <= end
        start = place + length


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


def _number(fields: _Fields) -> int | None:
    """The connection that a record belongs to."""
    number = fields.get("conn", b"")
    return int(struct.unpack("<I", number)[0]) if len(number) == 4 else None


def _nanoseconds(seconds: int, nanoseconds: int) -> int:
    return seconds * 1_000_000_000 + nanoseconds
