"""MCAP files record by record (https://mcap.dev/spec), for files that lack their end or have a hole.

Also reads files of other profiles than `ros2`, as long as their messages are CDR or ROS 1 bytes.
"""

import io
import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ovseg_ros.recordings.frame import TopicInfo
from ovseg_ros.recordings.storage_file import RawMessage, StorageFile, decompress, ros2_type

MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _MESSAGE_INDEX, _DATA_END = 3, 4, 5, 6, 7, 15
_HEAD = struct.Struct("<BQ")
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_CHUNK_HEAD = struct.Struct("<QQQI")
_INDEX_ENTRY = struct.Struct("<QQ")


@dataclass(slots=True)
class _Piece:
    """A chunk, or a message that lies outside of chunks: place and length of its content in the file."""

    offset: int
    length: int
    is_chunk: bool
    counts: Counter[int] = field(default_factory=Counter)


class SalvagedMcap(StorageFile):
    """What can be read of an MCAP file.

    Raises ValueError on opening what is no MCAP file, and OSError.
    """

    storage = "mcap"

    def __init__(self, path: Path) -> None:
        self._topics: dict[int, tuple[str, str, str]] = {}
        self._types: dict[int, str] = {}
        self._pieces: list[_Piece] = []
        self._times: list[int] = []
        super().__init__(path, path.open("rb"))

    def _survey(self) -> None:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin as an MCAP file")
        self._find_pieces()
        counts: Counter[int] = Counter()
        for piece in self._pieces:
            counts.update(piece.counts)
        self.channels = [
            TopicInfo(topic, kind, counts[number]) for number, (topic, kind, _) in self._topics.items()
        ]
        self.start_ns = min(self._times, default=None)
        self.end_ns = max(self._times, default=None)

    def messages(self, topics: Collection[str], start_ns: int = 0) -> Iterator[RawMessage]:
        """The messages of these topics, sorted by time within each chunk."""
        wanted = {number for number, (topic, _, _) in self._topics.items() if topic in topics}
        for piece in self._pieces:
            if wanted.isdisjoint(piece.counts):
                continue
            try:
                content = self._content(piece)
            except ValueError as error:
                self._lose(piece, error)
                continue
            found = []
            for number, log_ns, place, length in _messages(content):
                if number in wanted and log_ns >= start_ns:
                    topic, kind, encoding = self._topics[number]
                    found.append(RawMessage(topic, kind, log_ns, content[place : place + length], encoding))
            yield from sorted(found, key=lambda message: message.log_ns)

    def _find_pieces(self) -> None:
        """Find every chunk and message, learn the topics and count."""
        chunk: _Piece | None = None
        times: list[int] = []
        once: dict[int, Counter[int]] = {}
        for op, offset, length, complete in _records(self._file):
            if op == _MESSAGE_INDEX and chunk is not None:
                number = struct.unpack("<H", _read_at(self._file, offset, 2))[0]
                # The last entry of what was cut off may not be whole.
                whole = (length - 6) // _INDEX_ENTRY.size * _INDEX_ENTRY.size
                entries = list(_INDEX_ENTRY.iter_unpack(_read_at(self._file, offset + 6, max(0, whole))))
                chunk.counts[number] += len(entries)
                times += [log_ns for log_ns, _ in entries]
                continue
            if chunk is not None:
                self._add_chunk(chunk, times)
                chunk, times = None, []
            if op == _CHUNK:
                chunk = _Piece(offset, length, True)
            elif op == _MESSAGE and complete and length >= _MESSAGE_HEAD.size:
                number, _, log_ns, _ = _MESSAGE_HEAD.unpack(_read_at(self._file, offset, _MESSAGE_HEAD.size))
                self._pieces.append(_Piece(offset, length, False, once.setdefault(number, Counter([number]))))
                self._note_times([log_ns])
            elif op in (_SCHEMA, _CHANNEL) and complete:
                self._learn(op, _read_at(self._file, offset, length))
            if not complete:
                self.losses.append(f"ends early, at {offset + length} bytes")
            if op == _DATA_END:
                return
        if chunk is not None:
            self._add_chunk(chunk, times)

    def _add_chunk(self, chunk: _Piece, times: list[int]) -> None:
        """Take a chunk whose messages' times are known as far as the index behind it says."""
        if chunk.length < _CHUNK_HEAD.size + 12:
            return
        if not chunk.counts or not set(chunk.counts) <= set(self._topics):
            try:
                content = self._content(chunk)
            except ValueError as error:
                self._lose(chunk, error)
                return
            chunk.counts.clear()
            times.clear()
            for number, log_ns, _, _ in _messages(content):
                chunk.counts[number] += 1
                times.append(log_ns)
            for op, place, length, complete in _records(io.BytesIO(content)):
                if op in (_SCHEMA, _CHANNEL) and complete:
                    self._learn(op, content[place : place + length])
        if chunk.counts:
            self._pieces.append(chunk)
            self._note_times(times)

    def _lose(self, chunk: _Piece, error: ValueError) -> None:
        loss = f"has a chunk at {chunk.offset} bytes that is left out: {error}"
        if loss not in self.losses:
            self.losses.append(loss)

    def _note_times(self, times: list[int]) -> None:
        self._times = [min([*times, *self._times]), max([*times, *self._times])]

    def _content(self, piece: _Piece) -> bytes:
        """The records of a piece. Raises ValueError where a chunk is damaged."""
        data = _read_at(self._file, piece.offset, piece.length)
        if not piece.is_chunk:
            return _HEAD.pack(_MESSAGE, len(data)) + data
        *_, size, checksum = _CHUNK_HEAD.unpack_from(data)
        compression, place = _string(data, _CHUNK_HEAD.size)
        self.compression = compression or "none"
        # Behind the name is the length of the compressed data, 8 bytes.
        content = decompress(data[place + 8 :], self.compression)
        if checksum and len(content) == size and zlib.crc32(content) != checksum:
            raise ValueError("its checksum is wrong")
        return content

    def _learn(self, op: int, record: bytes) -> None:
        if op == _SCHEMA:
            number = struct.unpack_from("<H", record)[0]
            self._types[number] = _string(record, 2)[0]
            return
        number, schema = struct.unpack_from("<HH", record)
        topic, place = _string(record, 4)
        encoding = _string(record, place)[0]
        self._topics[number] = (topic, ros2_type(self._types.get(schema, "unknown/unknown")), encoding)


def compression_of(path: Path) -> str:
    """How the first chunk of an MCAP file is compressed: none, zstd or lz4; none without chunks."""
    with path.open("rb") as file:
        file.seek(len(MAGIC))
        for op, offset, _, _ in _records(file):
            if op == _CHUNK:
                return _string(_read_at(file, offset, 64), _CHUNK_HEAD.size)[0] or "none"
            if op in (_MESSAGE, _DATA_END):
                break
    return "none"


def _records(file: BinaryIO) -> Iterator[tuple[int, int, int, bool]]:
    """Kind, place and length of each record from the file's place on, and whether it is there as a whole."""
    place = file.tell()
    end = file.seek(0, 2)
    while place + _HEAD.size <= end:
        op, length = _HEAD.unpack(_read_at(file, place, _HEAD.size))
        place += _HEAD.size
        yield op, place, min(length, end - place), place + length <= end
        place += length


def _messages(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Channel, time of recording, place and length of the data of each message that is there as a whole."""
    for op, place, length, complete in _records(io.BytesIO(content)):
        if op == _MESSAGE and complete and length >= _MESSAGE_HEAD.size:
            number, _, log_ns, _ = _MESSAGE_HEAD.unpack_from(content, place)
            yield number, log_ns, place + _MESSAGE_HEAD.size, length - _MESSAGE_HEAD.size


def _read_at(file: BinaryIO, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def _string(data: bytes, place: int) -> tuple[str, int]:
    """A string with its length before it, and the place behind it."""
    length = struct.unpack_from("<I", data, place)[0]
    end = place + 4 + length
    return data[place + 4 : end].decode(errors="replace"), end
