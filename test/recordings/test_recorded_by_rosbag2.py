"""Bags that rosbag2 itself wrote; skipped where it is not installed."""

from pathlib import Path

import numpy as np
import pytest

from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.messages import IMAGE, image_message, message_types

rosbag2_py = pytest.importorskip("rosbag2_py", reason="rosbag2_py comes with a ROS 2 installation")


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("mode", ["", "message", "file"])
def test_what_rosbag2_records_is_read(tmp_path: Path, storage: str, mode: str) -> None:
    options = rosbag2_py.StorageOptions(uri=str(tmp_path / "bag"), storage_id=storage)
    converter = rosbag2_py.ConverterOptions("cdr", "cdr")
    if mode:
        writer = rosbag2_py.SequentialCompressionWriter(
            rosbag2_py.CompressionOptions("zstd", getattr(rosbag2_py.CompressionMode, mode.upper()), 100, 1)
        )
    else:
        writer = rosbag2_py.SequentialWriter()
    writer.open(options, converter)
    writer.create_topic(rosbag2_py.TopicMetadata(id=0, name="/cam", type=IMAGE, serialization_format="cdr"))
    for index in range(5):
        image = image_message(np.full((4, 6, 3), index, np.uint8), "rgb8", index + 1)
        writer.write("/cam", bytes(message_types().serialize_cdr(image, IMAGE)), index + 1)
    writer.close()
    with Bag(tmp_path / "bag") as bag:
        assert bag.storage == storage
        assert [int(bag.decode_image(m)[0, 0, 0]) for m in bag.messages(["/cam"])] == [0, 1, 2, 3, 4]
        assert bag.warnings == []
