"""Small bags in every format, for the tests of reading them."""

from pathlib import Path

import numpy as np
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ovseg_ros.recordings.messages import IMAGE, image_message, message_types

SECOND = 1_000_000_000
TOPIC = "/cam/image"


def noise(number: int) -> np.ndarray:
    """A picture that no compression makes smaller, uint8 [60, 80, 3]; another one for each number."""
    return np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)


def write_rosbag2(
    path: Path,
    plugin: StoragePlugin,
    mode: CompressionMode = CompressionMode.NONE,
    times: range = range(20),
) -> Path:
    """A rosbag2 folder with a noise picture for each time in seconds, stamp and recording alike."""
    types = message_types()
    writer = Writer(path, version=9, storage_plugin=plugin)
    if mode != CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection(TOPIC, IMAGE, typestore=types)
        for time in times:
            message = image_message(noise(time + 1), "rgb8", (time + 1) * SECOND)
            writer.write(connection, (time + 1) * SECOND, types.serialize_cdr(message, IMAGE))
    return path


def storage_file(path: Path) -> Path:
    """The one storage file of a rosbag2 folder."""
    (file,) = (entry for entry in path.iterdir() if entry.name != "metadata.yaml")
    return file


def write_ros1(path: Path, compression: str | None = None, count: int = 20) -> Path:
    """A ROS 1 bag with a noise picture each second."""
    types = get_typestore(Stores.ROS1_NOETIC)
    header, time = types.types["std_msgs/msg/Header"], types.types["builtin_interfaces/msg/Time"]
    writer = Ros1Writer(path)
    if compression is not None:
        writer.set_compression(getattr(Ros1Writer.CompressionFormat, compression))
    with writer:
        connection = writer.add_connection(TOPIC, IMAGE, typestore=types)
        for index in range(count):
            message = types.types[IMAGE](
                header(index, time(index + 1, 0), "camera"), 60, 80, "rgb8", 0, 240, noise(index + 1).ravel()
            )
            writer.write(connection, (index + 1) * SECOND, types.serialize_ros1(message, IMAGE))
    return path
