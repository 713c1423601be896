"""Writing new bags without ROS."""

from pathlib import Path
from typing import Any

from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from ovseg_ros.recordings.messages import message_types
from ovseg_ros.recordings.storage_file import BagError

_NO_TIME = QosTime(0, 0)
_LATCHED = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    _NO_TIME,
    _NO_TIME,
    QosLiveliness.AUTOMATIC,
    _NO_TIME,
    False,
)


class BagWriter:
    """Writes a new rosbag2 folder in mcap storage, its chunks compressed. Use as a context manager.

    Raises BagError where the folder exists already. A folder that an error left half written is reported
    as such when read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise BagError(f"{self.path} exists already; delete it or choose another place")
        self._writer = Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> "BagWriter":
        try:
            self._writer.open()
        except OSError as error:
            raise BagError(f"{self.path} cannot be written: {error}") from error
        return self

    def __exit__(self, *exception: Any) -> None:
        self._writer.__exit__(*exception)

    def add_topic(self, name: str, kind: str, *, latched: bool = False) -> None:
        """Announce a topic; `latched` marks it transient local, so that a player sends it to late comers."""
        qos = [_LATCHED] if latched else []
        self._connections[name] = self._writer.add_connection(
            name, kind, typestore=message_types(), offered_qos_profiles=qos
        )

    def write(self, topic: str, message: Any, log_ns: int) -> None:
        """Write a rosbags message object to an announced topic at a time in nanoseconds."""
        kind = self._connections[topic].msgtype
        self.write_cdr(topic, message_types().serialize_cdr(message, kind), log_ns)

    def write_cdr(self, topic: str, data: bytes | memoryview, log_ns: int) -> None:
        """Write CDR bytes as they are."""
        self._writer.write(self._connections[topic], log_ns, data)
