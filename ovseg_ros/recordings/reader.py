"""A bag as recorded messages: what topics it has, its messages in order, and what is wrong with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ovseg_ros.recordings.frame import Message, TopicInfo
from ovseg_ros.recordings.message_types import has_header, header_stamp, message_types
from ovseg_ros.recordings.part import BagError, Part, Record
from ovseg_ros.recordings.salvage.decompress import ZSTD_MAGIC, decompress
from ovseg_ros.recordings.storage import open_parts, salvage

Self = TypeVar("Self", bound="BagReader")


@dataclass
class _Unreadable:
    """Messages of one topic that could not be read: how many, and where and why the first."""

    count: int
    seconds: float
    reason: str


class BagReader:
    """A bag open for reading. Use as a context manager.

    What is damaged or missing in a bag of which something can be read is told in `warnings`, which grows
    while one reads. Raises BagError on opening what is no bag, or where nothing can be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._parts: list[tuple[Path, Part]] = []
        self._damage: list[str] = []
        self._unreadable: dict[str, _Unreadable] = {}
        self._messages_compressed = False

    def __enter__(self: Self) -> Self:
        self._parts = open_parts(self.path, self._warn)
        return self

    def __exit__(self, *exception: object) -> None:
        for _, part in self._parts:
            part.close()

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the bag, as far as it was read; a line each."""
        lost = [f"{path.name} {loss}" for path, part in self._parts for loss in part.losses]
        left_out = [
            f"{entry.count} message{'s' * (entry.count > 1)} of {topic} could not be read; "
            f"the first at {entry.seconds:.3f} s: {entry.reason}"
            for topic, entry in sorted(self._unreadable.items())
        ]
        name = self.path.name
        lines = (*self._damage, *lost, *left_out)
        return [line if line.startswith(f"{name} ") else f"{name}: {line}" for line in lines]

    @property
    def storage(self) -> str:
        """mcap, sqlite3 or ros1."""
        return self._parts[0][1].storage

    @property
    def compression(self) -> str:
        """How the bag's content is compressed: none, zstd, lz4 or bz2. Compression of each message by itself
        shows when the first has been read."""
        return "zstd" if self._messages_compressed else self._parts[0][1].compression

    @property
    def files(self) -> list[Path]:
        """The storage files; the folder, where its files are compressed as a whole."""
        return [path for path, _ in self._parts]

    @property
    def topics(self) -> list[TopicInfo]:
        """Every topic, by name."""
        seconds = (self.end_ns - self.start_ns) / 1e9
        counts: dict[tuple[str, str], int] = {}
        for _, part in self._parts:
            for channel in part.channels:
                key = (channel.topic, channel.type)
                counts[key] = counts.get(key, 0) + channel.count
        return [
            TopicInfo(name, kind, count, (count - 1) / seconds if count > 1 and seconds > 0 else None)
            for (name, kind), count in sorted(counts.items())
        ]

    @property
    def start_ns(self) -> int:
        """When the first message was recorded; 0 in an empty bag."""
        return min((p.start_ns for _, p in self._parts if p.start_ns is not None), default=0)

    @property
    def end_ns(self) -> int:
        """When the last message was recorded; 0 in an empty bag."""
        return max((p.end_ns for _, p in self._parts if p.end_ns is not None), default=0)

    def topic(self, name: str) -> TopicInfo | None:
        """The topic of that name, None where the bag has none."""
        return next((topic for topic in self.topics if topic.name == name), None)

    def messages(
        self, topics: Sequence[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Message]:
        """The messages of these topics in the order of recording; none for topics the bag lacks.

        With `start_ns` and `stop_ns` only those with `start_ns <= log_ns < stop_ns`. Messages that are
        damaged are left out and told in `warnings`.
        """
        for path, part in self._parts:
            for record in self._records(path, part, topics, start_ns, stop_ns):
                try:
                    yield self._message(record)
                except BagError as error:
                    self.leave_out(record.topic, record.log_ns, error)

    def leave_out(self, topic: str, log_ns: int, reason: object) -> None:
        """Note in `warnings` that a message could not be used, as by whoever fails to decode an image."""
        seconds = (log_ns - self.start_ns) / 1e9
        entry = self._unreadable.setdefault(topic, _Unreadable(0, seconds, str(reason)))
        entry.count += 1

    def read(self, message: Message) -> Any:
        """The message's fields as a rosbags object. Raises BagError on damaged data or an unknown type."""
        try:
            return message_types().deserialize_cdr(message.data, message.type)
        except KeyError as error:
            raise BagError(f"{message.topic}: the message type {message.type} is not known here") from error
        # rosbags lets through whatever its generated code meets in damaged bytes.
        except Exception as error:
            raise BagError(
                f"{message.topic}: the {len(message.data)} bytes of a message are no {message.type}: {error}"
            ) from error

    def _warn(self, text: str) -> None:
        if text not in self._damage:
            self._damage.append(text)

    def _records(
        self, path: Path, part: Part, topics: Sequence[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[Record]:
        """A file's messages; where it turns out to be damaged, what is left behind that place."""
        last_ns: int | None = None
        records = part.messages(topics, start_ns, stop_ns)
        while True:
            try:
                record = next(records, None)
            # rosbags lets through whatever its parsing meets in a damaged file.
            except Exception as error:
                self._warn(f"{path.name} is damaged ({' '.join(str(error).split())}); what is left was read")
                break
            if record is None:
                return
            last_ns = record.log_ns
            yield record
        if path.is_dir():
            return
        try:
            rest = salvage(path)
        except BagError:
            return
        try:
            yield from rest.messages(topics, start_ns if last_ns is None else last_ns + 1, stop_ns)
        finally:
            for loss in rest.losses:
                self._warn(f"{path.name} {loss}")
            rest.close()

    def _message(self, record: Record) -> Message:
        data = record.data
        if data[: len(ZSTD_MAGIC)] == ZSTD_MAGIC:  # rosbag2 compressed each message; CDR begins with a 0
            self._messages_compressed = True
            try:
                data = decompress(data, "zstd")
            except ValueError as error:
                raise BagError(str(error)) from error
        if record.encoding == "ros1":
            try:
                data = bytes(message_types().ros1_to_cdr(record.data, record.type))
            except KeyError as error:
                raise BagError(f"the message type {record.type} is not known here") from error
            # rosbags lets through whatever its generated code meets in damaged bytes.
            except Exception as error:
                raise BagError(f"its {len(record.data)} bytes are no {record.type}: {error}") from error
        stamp_ns = 0
        if has_header(record.type):
            try:
                stamp_ns = header_stamp(data)
            except ValueError as error:
                raise BagError(str(error)) from error
        return Message(record.topic, record.type, record.log_ns, data, stamp_ns or record.log_ns)
