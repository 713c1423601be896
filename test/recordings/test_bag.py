"""Reading and writing bags: every format, the choice of a topic, damage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.frame import Message, TopicInfo
from ovseg_ros.recordings.messages import (
    IMAGE,
    LABEL_INFO,
    SUMMARY,
    header_stamp,
    image_message,
    make_header,
    message_types,
    truth_info_cdr,
    with_header_stamp,
)
from ovseg_ros.recordings.storage_file import BagError
from ovseg_ros.recordings.writer import BagWriter

SECOND = 1_000_000_000


def picture(value: int, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def read_images(path: Path, topic: str = "") -> list[tuple[int, np.ndarray]]:
    """Stamp and picture of every image of a topic."""
    with Bag(path) as bag:
        return [(m.stamp_ns, bag.decode_image(m)) for m in bag.messages([bag.image_topic(topic).name])]


def describe(path: Path) -> list[TopicInfo]:
    with Bag(path) as bag:
        return bag.topics


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
                    bag.write_cdr(name, truth_info_cdr({1: "road"}, stamp), stamp)
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
        (
            [("/cam/image", IMAGE), ("/node/overlay/compressed", IMAGE), ("/node/label_info", LABEL_INFO)],
            "/cam/image",
        ),
        ([("/cam/color/image", IMAGE), ("/cam/depth/image", IMAGE)], "/cam/color/image"),
        (
            [("/depth_camera/image", IMAGE), ("/cam/aligned_depth_to_color/image", IMAGE)],
            "/depth_camera/image",
        ),
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


def truth_bag(path: Path, pixels: np.ndarray, encoding: str, names: dict[int, str] | None = None) -> Path:
    """A bag with one label image, and a LabelInfo where there are names."""
    types = message_types().types
    with BagWriter(path) as bag:
        bag.add_topic("/ground_truth/labels", IMAGE)
        bag.write("/ground_truth/labels", image_message(pixels, encoding, 1), 1)
        if names is not None:
            entries = [types["vision_msgs/msg/VisionClass"](number, name) for number, name in names.items()]
            bag.add_topic("/ground_truth/label_info", LABEL_INFO)
            bag.write("/ground_truth/label_info", types[LABEL_INFO](make_header(1), entries, 0.0), 1)
    return path


def test_labels_of_sixteen_bits_get_the_names_and_numbers_of_the_label_info(tmp_path: Path) -> None:
    pixels = np.array([[7, 3000, -1]], np.int16)
    with Bag(truth_bag(tmp_path / "bag", pixels, "16SC1", {7: "road", 3000: "sky"})) as bag:
        (message,) = bag.messages(["/ground_truth/labels"])
        label_map = bag.label_map()
        labels = bag.decode_labels(message, label_map)
        assert bag.label_map().names == dict(label_map.names)
        with pytest.raises(BagError, match=r"/ground_truth/labels has the id 3000, but ids go to 254"):
            bag.decode_labels(message)
    assert labels[0, 2] == 255
    assert [label_map.names[number] for number in labels[0, :2].tolist()] == ["road", "sky"]


def test_labels_without_label_info_have_no_names(tmp_path: Path) -> None:
    with Bag(truth_bag(tmp_path / "bag", np.array([[3]], np.uint8), "mono8")) as bag:
        assert bag.label_map().names == {}
        assert bag.labels_topic().name == "/ground_truth/labels"
        with pytest.raises(BagError, match="no image topic '/other'"):
            bag.labels_topic("/other")


def test_labels_of_another_encoding_are_refused(tmp_path: Path) -> None:
    with Bag(truth_bag(tmp_path / "bag", picture(0), "rgb8")) as bag:
        (message,) = bag.messages(["/ground_truth/labels"])
        with pytest.raises(BagError, match="encoding 'rgb8'; labels must be mono8"):
            bag.decode_labels(message)


class TestDamagedMessages:
    def bag(self, path: Path, data: bytes, kind: str = IMAGE) -> Path:
        """Three messages, the middle one of these bytes."""
        types = message_types()
        with BagWriter(path) as bag:
            bag.add_topic("/cam/image", kind)
            for index in range(3):
                good = types.serialize_cdr(image_message(picture(index), "rgb8", (index + 1) * SECOND), IMAGE)
                bag.write_cdr("/cam/image", data if index == 1 else good, (index + 1) * SECOND)
        return path

    @pytest.mark.parametrize("data", [b"", b"\0\1\0\0", b"\x28\xb5\x2f\xfdrubbish"])
    def test_one_without_a_header_is_left_out_and_reported(self, tmp_path: Path, data: bytes) -> None:
        with Bag(self.bag(tmp_path / "bag", data)) as bag:
            assert [m.stamp_ns for m in bag.messages(["/cam/image"])] == [SECOND, 3 * SECOND]
            (warning,) = bag.warnings
        assert warning.startswith("bag: 1 message of /cam/image could not be read; the first at 1.000 s: ")

    def test_one_with_a_header_alone_cannot_be_decoded(self, tmp_path: Path) -> None:
        with Bag(self.bag(tmp_path / "bag", b"\0\1\0\0" + bytes(20))) as bag:
            good, bad, _ = bag.messages(["/cam/image"])
            assert bag.decode_image(good).shape == (4, 6, 3)
            with pytest.raises(BagError, match="the 24 bytes of a message are no sensor_msgs/msg/Image"):
                bag.decode_image(bad)
            bag.leave_out(bad.topic, bad.log_ns, "no image")
            bag.leave_out(bad.topic, bad.log_ns, "no image either")
            assert bag.warnings == [
                "bag: 2 messages of /cam/image could not be read; the first at 1.000 s: no image"
            ]

    def test_a_type_that_is_not_known_is_named(self, tmp_path: Path) -> None:
        with Bag(write_topics(tmp_path / "bag", [("/cam/image", IMAGE)])) as bag:
            message = Message("/scan", "my_msgs/msg/Scan", 1, b"\0\1\0\0", 1)
            with pytest.raises(BagError, match=r"/scan: the message type my_msgs/msg/Scan is not known"):
                bag.read(message)


def test_messages_are_read_from_a_time_on(tmp_path: Path) -> None:
    with Bag(write_topics(tmp_path / "bag", [("/cam/image", IMAGE)], count=6)) as bag:
        assert (bag.start_ns, bag.end_ns) == (SECOND, 6 * SECOND)
        times = [m.log_ns for m in bag.messages(["/cam/image"], 4 * SECOND)]
    assert times == [4 * SECOND, 5 * SECOND, 6 * SECOND]
