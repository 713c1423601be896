"""On intact files the readers give what rosbags gives."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from rosbags.rosbag2 import Reader as Ros2Reader

from ovseg_ros.recordings.storage import open_files

from ..bag_builders import SECOND, TOPIC, storage_file, write_ros1, write_rosbag2

MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3


@pytest.mark.parametrize(
    ("storage", "compression", "write"),
    [
        ("mcap", "none", lambda path: storage_file(write_rosbag2(path, MCAP))),
        (
            "mcap",
            "zstd",
            lambda path: storage_file(write_rosbag2(path, MCAP, CompressionMode.STORAGE, range(200))),
        ),
        ("sqlite3", "none", lambda path: storage_file(write_rosbag2(path, SQLITE))),
        ("ros1", "none", lambda path: write_ros1(path.with_suffix(".bag"))),
        ("ros1", "bz2", lambda path: write_ros1(path.with_suffix(".bag"), "BZ2")),
        ("ros1", "lz4", lambda path: write_ros1(path.with_suffix(".bag"), "LZ4")),
    ],
)
def test_the_same_as_rosbags(
    tmp_path: Path, storage: str, compression: str, write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path / "bag")
    warnings: list[str] = []
    (file,) = open_files(path, warnings.append)
    with (Ros1Reader if storage == "ros1" else Ros2Reader)(path) as reader:
        assert (file.storage, file.compression) == (storage, compression)
        assert [(c.name, c.type, c.count) for c in file.channels] == [
            (c.topic, c.msgtype, c.msgcount) for c in reader.connections
        ]
        # rosbags counts the end as the nanosecond behind the last message.
        assert (file.start_ns, file.end_ns) == (reader.start_time, reader.end_time - 1)
        expected = [(c.topic, log_ns, data) for c, log_ns, data in reader.messages()]
        assert [(m.topic, m.log_ns, m.data) for m in file.messages([TOPIC])] == expected
        later = [entry for entry in expected if entry[1] >= 7 * SECOND]
        assert [(m.topic, m.log_ns, m.data) for m in file.messages([TOPIC], 7 * SECOND)] == later != []
        assert list(file.messages(["/other"])) == []
        assert (file.losses, warnings) == ([], [])
    file.close()
