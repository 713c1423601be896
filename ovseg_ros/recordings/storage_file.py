"""One storage file of a bag, whatever its format: what it has, its messages, and decompression."""

import bz2
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lz4.frame

from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.frame import TopicInfo

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_DECOMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "zstd": lambda data: zstd.ZstdDecompressor().decompress(data),
    "lz4": lambda data: lz4.frame.LZ4FrameDecompressor().decompress(data),
    "bz2": lambda data: bz2.BZ2Decompressor().decompress(data),
}


class BagError(OvsegError):
    """A bag that cannot be read or written as asked."""


class RawMessage(NamedTuple):
    """A message as it is in the file: `data` in the encoding `cdr` or `ros1`."""

    topic: str
    type: str
    log_ns: int
    data: bytes
    encoding: str


class StorageFile(ABC):
    """An open storage file. `start_ns` and `end_ns` are the times of the first and the last message, None
    where there is none; `storage` is mcap, sqlite3 or ros1; `compression` none, zstd, lz4 or bz2; `problem`
    says why the file is not intact, `losses` what could not be read so far."""

    storage: str
    compression = "none"
    problem = ""
    channels: list[TopicInfo]
    start_ns: int | None
    end_ns: int | None

    def __init__(self, path: Path, file: Any) -> None:
        """`file` is what `close` closes, as it does where the file's contents cannot be surveyed."""
        self.path = path
        self.losses: list[str] = []
        self._file = file
        try:
            self._survey()
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def _survey(self) -> None:
        """Find the topics and the times. Raises ValueError, OSError."""

    @abstractmethod
    def messages(self, topics: Collection[str], start_ns: int = 0) -> Iterator[RawMessage]:
        """The messages of these topics from a time on, in the order of recording."""

    def lose(self, loss: str) -> None:
        """Note what could not be read; it follows the file's name."""
        if loss not in self.losses:
            self.losses.append(loss)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def ros2_type(name: str) -> str:
    """The name of a message type in ROS 2's form: `sensor_msgs/Image` becomes `sensor_msgs/msg/Image`."""
    package, _, last = name.partition("/")
    return name if "/" in last else f"{package}/msg/{last}"


def decompress(data: bytes, compression: str) -> bytes:
    """The content of compressed data (none, zstd, lz4 or bz2), of cut-off data as much as there is.

    Raises ValueError on what is not such data.
    """
    if compression not in _DECOMPRESSORS:
        raise ValueError(f"the compression {compression!r} is not known")
    try:
        return _DECOMPRESSORS[compression](data)
    except (zstd.ZstdError, RuntimeError, OSError, EOFError) as error:
        raise ValueError(f"{compression} data are damaged: {error}") from error
