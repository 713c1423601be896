"""Reading and writing bags: every format, the choice of a topic, damage."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ovseg_ros.evaluation.bags import Bag, BagError, BagWriter, describe, read_images
from ovseg_ros.evaluation.frames import read_frames
from ovseg_ros.evaluation.message_types import (
    CAMERA_INFO,
    IMAGE,
    LABEL_INFO,
    SUMMARY,
    header_stamp,
    image_message,
    label_info_message,
    make_header,
    message_types,
    with_header_stamp,
)

SECOND = 1_000_000_000


def picture(value: int, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def write_topics(path: Path, topics: list[tuple[str, str]], count: int = 3) -> Path:
    """A bag whose image topics hold `count` pictures of one grey, the number of the message."""
    with BagWriter(path) as bag:
        for name, kind in topics:
            bag.add_topic(name, kind)
        for index in range(count):
            stamp = (index + 1) * SECOND
            for name, kind in topics:
                if kind == IMAGE:
                    bag.write(name, image_message(picture(index), "rgb8", stamp), stamp)
                elif kind == LABEL_INFO:
                    bag.write(name, label_info_message(["road"], stamp), stamp)
    return path


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("single_file", [False, True])
def test_rosbag2_in_both_storages_as_folder_and_as_file(
    tmp_path: Path, plugin: StoragePlugin, single_file: bool
) -> None:
    types = message_types()
    with Writer(tmp_path / "bag", version=8, storage_plugin=plugin) as writer:
        connection = writer.add_connection("/cam", IMAGE, typestore=types)
        for index in range(3):
            message = image_message(picture(index), "rgb8", (index + 5) * SECOND)
            writer.write(connection, (index + 1) * SECOND, types.serialize_cdr(message, IMAGE))
    path = next((tmp_path / "bag").glob("bag.*")) if single_file else tmp_path / "bag"
    images = list(read_images(path))
    assert [stamp for stamp, _ in images] == [5 * SECOND, 6 * SECOND, 7 * SECOND]
    assert all(np.array_equal(image, picture(i)) for i, (_, image) in enumerate(images))


def test_ros1_bag(tmp_path: Path) -> None:
    types = get_typestore(Stores.ROS1_NOETIC)
    header, time = types.types["std_msgs/msg/Header"], types.types["builtin_interfaces/msg/Time"]
    with Ros1Writer(tmp_path / "old.bag") as writer:
        connection = writer.add_connection("/cam", IMAGE, typestore=types)
        for index in range(3):
            message = types.types[IMAGE](
                header(index, time(index + 5, 7), "camera"),
                2,
                3,
                "rgb8",
                0,
                9,
                picture(index, (2, 3)).ravel(),
            )
            writer.write(connection, (index + 1) * SECOND, types.serialize_ros1(message, IMAGE))
    images = list(read_images(tmp_path / "old.bag"))
    assert [stamp for stamp, _ in images] == [(n + 5) * SECOND + 7 for n in range(3)]
    assert all(np.array_equal(image, picture(i, (2, 3))) for i, (_, image) in enumerate(images))


def test_describe_gives_types_counts_and_rates(tmp_path: Path) -> None:
    write_topics(tmp_path / "bag", [("/b/image", IMAGE), ("/a/image", IMAGE)], count=5)
    topics = describe(tmp_path / "bag")
    assert [(t.name, t.type, t.count) for t in topics] == [("/a/image", IMAGE, 5), ("/b/image", IMAGE, 5)]
    assert topics[0].rate == pytest.approx(1.0)


def test_an_image_without_a_stamp_has_the_time_of_recording(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/image", IMAGE)
        bag.write("/image", image_message(picture(0), "rgb8", 0), 9 * SECOND)
    assert [stamp for stamp, _ in read_images(tmp_path / "bag")] == [9 * SECOND]


@pytest.mark.parametrize(
    ("topics", "chosen"),
    [
        ([("/cam/image", IMAGE), ("/cam/image/compressed", IMAGE)], "/cam/image"),
        ([("/cam/image", IMAGE), ("/truth/labels", IMAGE), ("/truth/label_info", LABEL_INFO)], "/cam/image"),
        ([("/cam/image", IMAGE), ("/cam/depth/compressedDepth", IMAGE)], "/cam/image"),
        ([("/image", IMAGE), ("/label_info", LABEL_INFO)], "/image"),
    ],
)
def test_the_only_camera_is_found(tmp_path: Path, topics: list[tuple[str, str]], chosen: str) -> None:
    with Bag(write_topics(tmp_path / "bag", topics)) as bag:
        assert bag.image_topic().name == chosen


def test_several_cameras_ask_for_a_choice(tmp_path: Path) -> None:
    write_topics(tmp_path / "bag", [("/left/image", IMAGE), ("/right/image", IMAGE)])
    with pytest.raises(
        BagError, match=r"several image topics.*\n  --topic /left/image\n  --topic /right/image"
    ):
        list(read_images(tmp_path / "bag"))
    assert len(list(read_images(tmp_path / "bag", "/right/image"))) == 3


def test_no_image_topic_lists_what_there_is(tmp_path: Path) -> None:
    write_topics(tmp_path / "bag", [("/label_info", LABEL_INFO)])
    with pytest.raises(
        BagError, match=r"no camera image[\s\S]*/label_info  vision_msgs/msg/LabelInfo  3 messages"
    ):
        list(read_images(tmp_path / "bag"))
    with pytest.raises(BagError, match=r"no image topic '/cam'[\s\S]*/label_info"):
        list(read_images(tmp_path / "bag", "/cam"))


def test_an_empty_topic_is_named(tmp_path: Path) -> None:
    write_topics(tmp_path / "bag", [("/cam/image", IMAGE)], count=0)
    with pytest.raises(BagError, match="'/cam/image' holds no message"):
        list(read_images(tmp_path / "bag", "/cam/image"))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_truncated_bag_says_so(tmp_path: Path, plugin: StoragePlugin, share: float) -> None:
    types = message_types()
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    with Writer(tmp_path / "bag", version=8, storage_plugin=plugin) as writer:
        connection = writer.add_connection("/cam", IMAGE, typestore=types)
        for index in range(20):
            message = image_message(noise, "rgb8", index)
            writer.write(connection, index + 1, types.serialize_cdr(message, IMAGE))
    file = next((tmp_path / "bag").glob("bag.*"))
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BagError, match=r"bag cannot be read: .*ros2 bag reindex"):
        list(read_images(tmp_path / "bag"))


def test_a_missing_metadata_file_is_no_trouble_with_one_storage_file(tmp_path: Path) -> None:
    write_topics(tmp_path / "bag", [("/cam/image", IMAGE)])
    (tmp_path / "bag" / "metadata.yaml").unlink()
    assert len(list(read_images(tmp_path / "bag"))) == 3
    shutil.copy(tmp_path / "bag" / "bag.mcap", tmp_path / "bag" / "bag_1.mcap")
    with pytest.raises(
        BagError, match=r"2 storage files and no metadata\.yaml; write one with `ros2 bag reindex"
    ):
        describe(tmp_path / "bag")


def test_what_is_no_bag_is_told(tmp_path: Path, dataset: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "zero.bag").write_bytes(b"")
    (tmp_path / "text.mcap").write_text("hello", encoding="utf-8")
    for path, message in [
        (tmp_path / "absent", "absent does not exist"),
        (tmp_path / "notes.txt", "is no bag; expected a rosbag2 folder, or a .mcap, .db3 or .bag file"),
        (tmp_path / "zero.bag", "cannot be read: .*empty"),
        (tmp_path / "text.mcap", "cannot be read: .*magic"),
        (dataset, "ovseg bag make"),
    ]:
        with pytest.raises(BagError, match=message):
            describe(path)


def test_own_types_and_latched_topics_can_be_written(tmp_path: Path) -> None:
    types = message_types().types
    summary = types[SUMMARY](
        header=make_header(3 * SECOND),
        vocabulary_revision=7,
        classes=[
            types["ovseg_ros/msg/ClassSummary"](
                id=3,
                name="road",
                share=0.5,
                mean_confidence=0.25,
                peak_confidence=1.0,
                confidence_topic="/segmenter/confidence/road",
            )
        ],
        unlabelled_share=0.0,
        inference_ms=1.5,
        latency_ms=float("nan"),
    )
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/segmenter/summary", SUMMARY)
        bag.add_topic("/segmenter/label_info", LABEL_INFO, latched=True)
        bag.write("/segmenter/summary", summary, 3 * SECOND)
    with Bag(tmp_path / "bag") as bag:
        (message,) = bag.messages(["/segmenter/summary"])
        read = bag.read(message)
    assert message.stamp_ns == 3 * SECOND
    assert (read.vocabulary_revision, read.classes[0].name, read.classes[0].share) == (7, "road", 0.5)
    assert "transient_local" in (tmp_path / "bag" / "metadata.yaml").read_text(encoding="utf-8")


def test_the_stamp_is_read_and_replaced_in_serialized_bytes() -> None:
    stamp = 12 * SECOND + 345
    data = bytes(message_types().serialize_cdr(image_message(picture(1), "rgb8", stamp), IMAGE))
    assert header_stamp(data) == stamp
    moved = with_header_stamp(data, 99 * SECOND + 1)
    read: Any = message_types().deserialize_cdr(moved, IMAGE)
    assert (read.header.stamp.sec, read.header.stamp.nanosec, read.encoding) == (99, 1, "rgb8")
    assert header_stamp(data) == stamp


@pytest.mark.parametrize("encoding", ["rgb8", "16UC1"])
def test_labels_of_another_encoding_are_refused(tmp_path: Path, encoding: str) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/ground_truth/labels", IMAGE)
        bag.write("/ground_truth/labels", image_message(picture(0), encoding, 1), 1)
    with Bag(tmp_path / "bag") as bag:
        (message,) = bag.messages(["/ground_truth/labels"])
        with pytest.raises(BagError, match=f"encoding '{encoding}'; labels must be mono8"):
            bag.decode_labels(message)


def test_labels_with_padded_rows_and_with_too_little_data(tmp_path: Path) -> None:
    message = image_message(np.arange(15, dtype=np.uint8).reshape(3, 5), "mono8", 1)
    message.width = 4
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/ground_truth/labels", IMAGE)
        bag.write("/ground_truth/labels", message, 1)
        message.height = 4
        bag.write("/ground_truth/labels", message, 2)
    with Bag(tmp_path / "bag") as bag:
        good, short = bag.messages(["/ground_truth/labels"])
        assert bag.decode_labels(good).tolist() == [[0, 1, 2, 3], [5, 6, 7, 8], [10, 11, 12, 13]]
        with pytest.raises(BagError, match="too short"):
            bag.decode_labels(short)


class TestFrames:
    @pytest.mark.parametrize("delay", [-0.9, 0.0, 0.4, 0.9])
    def test_truth_recorded_earlier_or_later_is_matched_by_stamp(self, tmp_path: Path, delay: float) -> None:
        messages = []
        for index in range(20):
            stamp = (index + 10) * SECOND // 2
            messages.append(("/cam/image", image_message(picture(index), "rgb8", stamp), stamp))
            labels = np.full((4, 6), index, np.uint8)
            if index != 7:
                when = stamp + int(delay * SECOND)
                messages.append(("/ground_truth/labels", image_message(labels, "mono8", stamp), when))
        with BagWriter(tmp_path / "bag") as bag:
            bag.add_topic("/cam/image", IMAGE)
            bag.add_topic("/ground_truth/labels", IMAGE)
            for topic, message, when in sorted(messages, key=lambda entry: entry[2]):
                bag.write(topic, message, when)
        with Bag(tmp_path / "bag") as bag:
            frames = list(read_frames(bag, "/cam/image"))
            values = [None if f.truth is None else int(bag.decode_labels(f.truth)[0, 0]) for f in frames]
        assert values == [None if index == 7 else index for index in range(20)]

    def test_an_image_without_a_stamp_is_given_the_time_of_recording(self, tmp_path: Path) -> None:
        with BagWriter(tmp_path / "bag") as bag:
            bag.add_topic("/image", IMAGE)
            bag.write("/image", image_message(picture(0), "rgb8", 0), 9 * SECOND + 5)
        with Bag(tmp_path / "bag") as bag:
            (frame,) = read_frames(bag, "/image")
        assert frame.stamp_ns == header_stamp(frame.image.data) == 9 * SECOND + 5

    def test_camera_info_lies_beside_the_image(self, tmp_path: Path) -> None:
        types = message_types().types
        region = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        with BagWriter(tmp_path / "bag") as bag:
            bag.add_topic("/cam/image/compressed", IMAGE)
            bag.add_topic("/cam/camera_info", CAMERA_INFO)
            for index in range(3):
                info = types[CAMERA_INFO](
                    make_header(index + 1),
                    4,
                    6,
                    "plumb_bob",
                    np.zeros(5),
                    np.eye(3).ravel(),
                    np.eye(3).ravel(),
                    np.zeros(12),
                    0,
                    0,
                    region,
                )
                bag.write("/cam/camera_info", info, index + 1)
                image = image_message(picture(index), "rgb8", index + 1)
                bag.write("/cam/image/compressed", image, index + 1)
        with Bag(tmp_path / "bag") as bag:
            frames = list(read_frames(bag, "/cam/image/compressed"))
        assert [frame.camera_info and frame.camera_info.stamp_ns for frame in frames] == [1, 2, 3]
