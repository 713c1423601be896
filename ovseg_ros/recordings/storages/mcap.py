"""MCAP files record by record (https://mcap.dev/spec), of any profile."""

import io
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from ovseg_ros.recordings.storage_file import decompress, ros2_type
from ovseg_ros.recordings.storages.chunked import ChunkedFile, Piece

MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _MESSAGE_INDEX, _DATA_END = 3, 4, 5, 6, 7, 15
_HEAD = struct.Struct("<BQ")
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_CHUNK_HEAD = struct.Struct("<QQQI")
_INDEX_ENTRY = struct.Struct("<QQ")


class McapFile(ChunkedFile):
    """An MCAP file."""

    storage = "mcap"

    def _find_pieces(self) -> None:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin as an MCAP file")
        self._types: dict[int, str] = {}
        self.problem = "it has no end"
        chunk = Piece(0, 0, True)
        once: dict[int, Counter[int]] = {}
        for op, offset, length, complete in _records(self._file):
            if not complete:
                self.lose(f"ends early, at {offset + length} bytes")
            if op == _CHUNK and length >= _CHUNK_HEAD.size + 12:
                chunk = Piece(offset, length, True)
                if not self._pieces:
                    self.compression = _string(self._read_at(offset, 64), _CHUNK_HEAD.size)[0] or "none"
                self._pieces.append(chunk)
            elif op == _MESSAGE_INDEX and length >= 6:
                number = struct.unpack("<H", self._read_at(offset, 2))[0]
                # The last entry of what was cut off may not be whole.
                whole = (length - 6) // _INDEX_ENTRY.size * _INDEX_ENTRY.size
                entries = _INDEX_ENTRY.iter_unpack(self._read_at(offset + 6, whole))
                chunk.add(number, [log_ns for log_ns, _ in entries])
            elif op == _MESSAGE and complete and length >= _MESSAGE_HEAD.size:
                number, _, log_ns, _ = _MESSAGE_HEAD.unpack(self._read_at(offset, _MESSAGE_HEAD.size))
                # Each of many thousand messages would have a counter of its own.
                counts = once.setdefault(number, Counter([number]))
                place, length = offset - _HEAD.size, length + _HEAD.size
                self._pieces.append(Piece(place, length, False, counts, log_ns, log_ns))
            elif op in (_SCHEMA, _CHANNEL) and complete:
                self._learn(op, self._read_at(offset, length))
            elif op == _DATA_END:
                self._file.seek(-len(MAGIC), io.SEEK_END)
                self.problem = "" if self._file.read() == MAGIC else self.problem
                return

    def _content(self, piece: Piece) -> bytes:
        data = self._read_at(piece.offset, piece.length)
        if not piece.is_chunk:
            return data
        *_, size, checksum = _CHUNK_HEAD.unpack_from(data)
        compression, place = _string(data, _CHUNK_HEAD.size)
        # Behind the name is the length of the compressed data, 8 bytes.
        content = decompress(data[place + 8 :], compression or "none")
        if checksum and len(content) == size and zlib.crc32(content) != checksum:
            raise ValueError("its checksum is wrong")
        return content

    def _messages(self, content: bytes) -> Iterator[tuple[int, int, int, int]]:
        for op, place, length, complete in _records(io.BytesIO(content)):
            if op in (_SCHEMA, _CHANNEL) and complete:
                self._learn(op, content[place : place + length])
            elif op == _MESSAGE and complete and length >= _MESSAGE_HEAD.size:
                number, _, log_ns, _ = _MESSAGE_HEAD.unpack_from(content, place)
                yield number, log_ns, place + _MESSAGE_HEAD.size, length - _MESSAGE_HEAD.size

    def _learn(self, op: int, record: bytes) -> None:
        if op == _SCHEMA:
            number = struct.unpack_from("<H", record)[0]
            self._types[number] = _string(record, 2)[0]
            return
        number, schema = struct.unpack_from("<HH", record)
        topic, place = _string(record, 4)
        encoding = _string(record, place)[0]
        self._topics[number] = (topic, ros2_type(self._types.get(schema, "unknown/unknown")), encoding)


def _records(file: BinaryIO) -> Iterator[tuple[int, int, int, bool]]:
    """Kind, place and length of each record from the file's place on, and whether it is there as a whole."""
    place = file.tell()
    end = file.seek(0, io.SEEK_END)
    while place + _HEAD.size <= end:
        file.seek(place)
        op, length = _HEAD.unpack(file.read(_HEAD.size))
        place += _HEAD.size
        yield op, place, min(length, end - place), place + length <= end
        place += length


def _string(data: bytes, place: int) -> tuple[str, int]:
    """A string with its length before it, and the place behind it."""
    length = struct.unpack_from("<I", data, place)[0]
    end = place + 4 + length
    return data[place + 4 : end].decode(errors="replace"), end
