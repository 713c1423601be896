"""One storage file of a bag, however it is read: what it has, and its messages."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ovseg_ros.errors import OvsegError


class BagError(OvsegError):
    """A bag that cannot be read or written as asked."""


@dataclass(frozen=True)
class Channel:
    """A topic as one storage file has it; `type` in ROS 2's form, as `sensor_msgs/msg/Image`."""

    topic: str
    type: str
    count: int


class Record(NamedTuple):
    """A recorded message: `data` as it stands in the file, in the encoding `cdr` or `ros1`."""

    topic: str
    type: str
    log_ns: int
    data: bytes
    encoding: str


class Part(Protocol):
    """An open storage file. `start_ns` and `end_ns` are the times of the first and the last message, None
    where there is none; `storage` is mcap, sqlite3 or ros1; `compression` none, zstd, lz4 or bz2; `losses`
    says in words what could not be read so far."""

    storage: str
    compression: str
    channels: list[Channel]
    start_ns: int | None
    end_ns: int | None
    losses: list[str]

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Record]:
        """The messages of these topics in the order of recording, `start_ns <= log_ns < stop_ns`."""

    def close(self) -> None:
        """Close the file."""


def ros2_type(name: str) -> str:
    """The name of a message type in ROS 2's form: `sensor_msgs/Image` becomes `sensor_msgs/msg/Image`."""
    package, _, last = name.partition("/")
    return name if "/" in last else f"{package}/msg/{last}"


def within(log_ns: int, start_ns: int | None, stop_ns: int | None) -> bool:
    """Whether a time lies in a range that may be open on either side."""
    return (start_ns is None or start_ns <= log_ns) and (stop_ns is None or log_ns < stop_ns)
