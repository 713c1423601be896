"""On intact files the readers for damaged ones give what rosbags gives."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from ovseg_ros.recordings.storage import IntactFile, salvage

from ..bag_builders import SECOND, TOPIC, storage_file, write_ros1, write_rosbag2

MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3


@pytest.mark.parametrize(
    "write",
    [
        lambda path: storage_file(write_rosbag2(path, MCAP)),
        lambda path: storage_file(write_rosbag2(path, MCAP, CompressionMode.STORAGE, range(200))),
        lambda path: storage_file(write_rosbag2(path, SQLITE)),
        lambda path: write_ros1(path.with_suffix(".bag")),
        lambda path: write_ros1(path.with_suffix(".bag"), "BZ2"),
        lambda path: write_ros1(path.with_suffix(".bag"), "LZ4"),
    ],
    ids=["mcap", "mcap-zstd", "sqlite3", "ros1", "ros1-bz2", "ros1-lz4"],
)
def test_the_same_as_rosbags(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    file = write(tmp_path / "bag")
    intact, salvaged = IntactFile(file), salvage(file)
    try:
        assert salvaged.channels == intact.channels
        assert (salvaged.start_ns, salvaged.end_ns) == (intact.start_ns, intact.end_ns)
        assert (salvaged.storage, salvaged.compression) == (intact.storage, intact.compression)
        assert list(salvaged.messages([TOPIC])) == list(intact.messages([TOPIC]))
        later = list(salvaged.messages([TOPIC], 7 * SECOND))
        assert later == list(intact.messages([TOPIC], 7 * SECOND)) != []
        assert list(salvaged.messages(["/other"])) == []
        assert salvaged.losses == []
    finally:
        intact.close()
        salvaged.close()
