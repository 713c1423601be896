"""What MCAP files and ROS 1 bags have in common: chunks of messages with an index behind each."""

import struct
from abc import abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ovseg_ros.recordings.frame import TopicInfo
from ovseg_ros.recordings.storage_file import RawMessage, StorageFile


@dataclass(slots=True)
class Piece:
    """A chunk, or a message that lies outside of chunks: place and length of its record in the file, and the
    numbers of messages by channel and their times, as far as they are known without reading it."""

    offset: int
    length: int
    is_chunk: bool
    counts: Counter[int] = field(default_factory=Counter)
    start_ns: int = 2**64
    end_ns: int = -1

    def add(self, channel: int, times: Sequence[int]) -> None:
        """Count messages of a channel."""
        if times:
            self.counts[channel] += len(times)
            self.start_ns, self.end_ns = min(self.start_ns, *times), max(self.end_ns, *times)


class ChunkedFile(StorageFile):
    """A file of chunks; `_topics` has name, type and encoding by channel, as far as they were met.

    Raises ValueError on opening what is no such file, and OSError.
    """

    _file: BinaryIO

    def __init__(self, path: Path) -> None:
        self._topics: dict[int, tuple[str, str, str]] = {}
        self._pieces: list[Piece] = []
        super().__init__(path, path.open("rb"))

    @abstractmethod
    def _find_pieces(self) -> None:
        """Go through the file for chunks, their indices, and messages outside of chunks."""

    @abstractmethod
    def _content(self, piece: Piece) -> bytes:
        """The records of a piece. Raises ValueError where they are damaged."""

    @abstractmethod
    def _messages(self, content: bytes) -> Iterator[tuple[int, int, int, int]]:
        """Channel, time, place and length of each message that is there as a whole; learns the topics."""

    def _survey(self) -> None:
        self._find_pieces()
        for piece in self._pieces:
            if piece.is_chunk and not (piece.counts and piece.counts.keys() <= self._topics.keys()):
                piece.counts.clear()
                for number, log_ns, _ in self._read(piece):
                    piece.add(number, [log_ns])
        self._pieces = [piece for piece in self._pieces if piece.counts]
        counts = Counter[int]()
        for piece in self._pieces:
            counts.update(piece.counts)
        self.channels = [TopicInfo(name, kind, counts[n]) for n, (name, kind, _) in self._topics.items()]
        self.start_ns = min((piece.start_ns for piece in self._pieces), default=None)
        self.end_ns = max((piece.end_ns for piece in self._pieces), default=None)

    def messages(self, topics: Collection[str], start_ns: int = 0) -> Iterator[RawMessage]:
        """As in `StorageFile`; holds the messages of those chunks whose times overlap."""
        wanted = {number for number, (topic, _, _) in self._topics.items() if topic in topics}
        pieces = [p for p in self._pieces if p.end_ns >= start_ns and not wanted.isdisjoint(p.counts)]
        waiting: list[RawMessage] = []
        for piece in sorted(pieces, key=lambda piece: piece.start_ns):
            early = bisect_left(waiting, piece.start_ns, key=_log_ns)
            yield from waiting[:early]
            found = (
                RawMessage(*self._topics[number][:2], log_ns, data, self._topics[number][2])
                for number, log_ns, data in self._read(piece)
                if number in wanted and log_ns >= start_ns
            )
            waiting = sorted([*waiting[early:], *found], key=_log_ns)
        yield from waiting

    def _read(self, piece: Piece) -> Iterator[tuple[int, int, bytes]]:
        """Channel, time and data of the messages of a piece; what is damaged is noted in `losses`."""
        try:
            content = self._content(piece)
            for number, log_ns, place, length in self._messages(content):
                yield number, log_ns, content[place : place + length]
        except (ValueError, struct.error) as error:
            self.lose(f"is damaged: a chunk at {piece.offset} bytes is left out: {error}")

    def _read_at(self, place: int, length: int) -> bytes:
        self._file.seek(place)
        return self._file.read(length)


def _log_ns(message: RawMessage) -> int:
    return message.log_ns
