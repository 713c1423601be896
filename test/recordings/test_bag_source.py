"""The images of a bag meet their labels and camera_info; ranges, several cameras."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.recordings.bag import TRUTH_TOPIC, Bag
from ovseg_ros.recordings.bag_source import BagSource
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.frame import Frame, Message, TopicInfo
from ovseg_ros.recordings.label_map import LabelMap
from ovseg_ros.recordings.messages import (
    CAMERA_INFO,
    IMAGE,
    header_stamp,
    image_message,
    make_header,
    message_types,
)
from ovseg_ros.recordings.storage_file import BagError
from ovseg_ros.recordings.writer import BagWriter

from .bag_builders import SECOND

MS = 1_000_000
IMAGE_TOPIC = "/cam/image"
ALL = SelectionConfig()


def write_bag(path: Path, messages: list[tuple[str, int, int, int]]) -> Path:
    """A bag of (topic, stamp, time of recording, value of all pixels), written in the order of recording."""
    with BagWriter(path) as bag:
        for topic in sorted({topic for topic, _, _, _ in messages}):
            bag.add_topic(topic, IMAGE)
        for topic, stamp, log_ns, value in sorted(messages, key=lambda entry: entry[2]):
            encoding = "mono8" if "labels" in topic else "rgb8"
            shape = (2, 3) if "labels" in topic else (2, 3, 3)
            bag.write(topic, image_message(np.full(shape, value, np.uint8), encoding, stamp), log_ns)
    return path


class BagInMemory(Bag):
    """Empty images of (topic, stamp and time of recording in ns from 1 ms on); `given` counts reading, and
    label images decode to their time in ms."""

    def __init__(self, messages: list[tuple[str, int]]) -> None:
        super().__init__("memory")
        types = message_types()
        self.given = 0
        self._messages = []
        for topic, time in sorted(messages, key=lambda entry: entry[1]):
            image = image_message(np.zeros((1, 1), np.uint8), "mono8", time + MS)
            data = bytes(types.serialize_cdr(image, IMAGE))
            self._messages.append(Message(topic, IMAGE, time + MS, data, time + MS))
        names = sorted({message.topic for message in self._messages})
        self.topics = [TopicInfo(name, IMAGE, 1, None) for name in names]
        self.start_ns, self.end_ns = self._messages[0].log_ns, self._messages[-1].log_ns

    def __enter__(self) -> "BagInMemory":
        return self

    def messages(self, topics: Sequence[str], start_ns: int = 0) -> Iterator[Message]:
        for message in self._messages:
            if message.topic in topics:
                self.given += 1
                yield message

    def decode_labels(self, message: Message, label_map: LabelMap | None = None) -> np.ndarray:
        return np.array([[message.stamp_ns // MS - 1]])


def in_memory(messages: list[tuple[str, int]], slop: float = 0.0) -> BagSource:
    source = BagSource(Path("memory"), topic=IMAGE_TOPIC, slop=slop)
    source.bag = BagInMemory(messages)
    return source


def read(source: BagSource, selection: SelectionConfig = ALL, beside: tuple[str, ...] = ()) -> list[Frame]:
    with source:
        return list(source.frames(selection, beside))


def values(frames: list[Frame]) -> list[tuple[int, int | None]]:
    """The value of each frame's image, and that of its labels."""
    return [(int(f.image()[0, 0, 0]), None if f.truth is None else int(f.truth()[0, 0])) for f in frames]


@pytest.mark.parametrize("delay", [-0.9, 0.0, 0.4, 0.9])
def test_truth_recorded_earlier_or_later_is_matched_by_stamp(tmp_path: Path, delay: float) -> None:
    messages = []
    for index in range(20):
        stamp = (index + 10) * SECOND // 2
        messages.append((IMAGE_TOPIC, stamp, stamp, index))
        if index != 7:
            messages.append((TRUTH_TOPIC, stamp, stamp + int(delay * SECOND), index))
    found = values(read(BagSource(write_bag(tmp_path / "bag", messages), topic=IMAGE_TOPIC)))
    assert found == [(index, None if index == 7 else index) for index in range(20)]


def test_an_image_without_a_stamp_is_given_the_time_of_recording(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", [("/image", 0, 9 * SECOND + 5, 0)])
    (frame,) = read(BagSource(path))
    assert frame.stamp_ns == header_stamp(frame.message().data) == 9 * SECOND + 5


def test_camera_info_lies_beside_the_image(tmp_path: Path) -> None:
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
            image = image_message(np.zeros((4, 6, 3), np.uint8), "rgb8", index + 1)
            bag.write("/cam/image/compressed", image, index + 1)
    frames = read(BagSource(tmp_path / "bag"))
    assert [frame.camera_info and frame.camera_info.stamp_ns for frame in frames] == [1, 2, 3]


class TestSlop:
    def read(self, path: Path, images: list[int], labels: list[int], slop_s: float) -> list[int | None]:
        """The stamp (ms) of the labels of each image; stamps in ms, recorded when they were stamped."""
        start = 10 * SECOND
        messages = [(IMAGE_TOPIC, start + t * MS, start + t * MS, 0) for t in images]
        messages += [(TRUTH_TOPIC, start + t * MS, start + t * MS, t) for t in labels]
        frames = read(BagSource(write_bag(path, messages), topic=IMAGE_TOPIC, slop=slop_s))
        assert len(frames) == len(images)
        return [value for _, value in values(frames)]

    @pytest.mark.parametrize(
        ("images", "labels", "slop_s", "expected"),
        [
            ([0, 100, 200], [1, 100, 203], 0.0, [None, 100, None]),
            ([0, 100, 200], [1, 100, 203], 0.002, [1, 100, None]),
            ([0, 100, 200], [1, 100, 203], 0.01, [1, 100, 203]),
            # A label image goes to the nearest image, not to the first within reach.
            ([0, 100], [90], 0.1, [None, 90]),
            # An exact match takes precedence over a near one, and its label image to no other.
            ([0, 10], [10], 0.05, [None, 10]),
            # Each label image goes to one image only.
            ([0, 10, 20], [9], 0.05, [None, 9, None]),
        ],
    )
    def test_the_nearest_within_the_slop(
        self, tmp_path: Path, images: list[int], labels: list[int], slop_s: float, expected: list[int | None]
    ) -> None:
        assert self.read(tmp_path / "bag", images, labels, slop_s) == expected

    @given(
        images=st.lists(st.integers(0, 3000), unique=True, max_size=12, min_size=1).map(sorted),
        labels=st.lists(st.integers(0, 3000), unique=True, max_size=12),
        slop=st.integers(0, 300),
    )
    def test_matches_are_exact_where_possible_and_else_near_and_single(
        self, images: list[int], labels: list[int], slop: int
    ) -> None:
        messages = [(IMAGE_TOPIC, t * MS) for t in images] + [(TRUTH_TOPIC, t * MS) for t in labels]
        frames = read(in_memory(messages, slop / 1000))
        assert [frame.stamp_ns for frame in frames] == [(t + 1) * MS for t in images]
        found = [None if frame.truth is None else int(frame.truth()[0, 0]) for frame in frames]
        for image, label in zip(images, found, strict=True):
            if image in labels:
                assert label == image
            elif label is not None:
                assert abs(label - image) <= slop
                later = [other for other in images if other > image and other not in labels]
                assert all(abs(label - other) >= abs(label - image) for other in later)
        given_away = [label for label in found if label is not None]
        assert len(given_away) == len(set(given_away))
        for label in set(labels) - set(given_away):
            nearest = min(images, key=lambda image: abs(label - image))
            assert abs(label - nearest) > slop or found[images.index(nearest)] is not None

    @pytest.mark.parametrize("slop_s", [-0.1, 1.1])
    def test_a_slop_out_of_range_is_refused(self, tmp_path: Path, slop_s: float) -> None:
        with pytest.raises(BagError, match=r"slop between stamps is .* expected 0 to 1"):
            BagSource(tmp_path / "bag", slop=slop_s)


class TestRange:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Ten frames, one a second from 100 s on; the labels of each are recorded 0.5 s later."""
        times = [(100 + index) * SECOND for index in range(10)]
        return write_bag(
            tmp_path / "bag",
            [(IMAGE_TOPIC, time, time, index) for index, time in enumerate(times)]
            + [(TRUTH_TOPIC, time, time + SECOND // 2, index) for index, time in enumerate(times)],
        )

    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            (0.0, 0.0, [*range(10)]),
            (2.5, 0.0, [3, 4, 5, 6, 7, 8, 9]),
            (2.0, 5.0, [2, 3, 4]),
            (8.5, 100.0, [9]),
            (50.0, 0.0, []),
        ],
    )
    def test_the_frames_of_a_range_with_their_truth(
        self, path: Path, start: float, end: float, expected: list[int]
    ) -> None:
        frames = read(BagSource(path, topic=IMAGE_TOPIC), SelectionConfig(start=start, end=end))
        assert values(frames) == [(index, index) for index in expected]
        assert [frame.number for frame in frames] == expected

    def test_labels_of_an_image_outside_go_to_no_other(self, tmp_path: Path) -> None:
        start = 100 * SECOND
        times = [(IMAGE_TOPIC, start), (IMAGE_TOPIC, start + 500 * MS), (TRUTH_TOPIC, start + 450 * MS)]
        path = write_bag(tmp_path / "bag", [(topic, time, time, 0) for topic, time in times])
        (frame,) = read(BagSource(path, topic=IMAGE_TOPIC, slop=0.5), SelectionConfig(end=0.4))
        assert frame.truth is None


def test_messages_of_further_topics_come_beside_by_stamp(tmp_path: Path) -> None:
    messages = [(IMAGE_TOPIC, t * SECOND, t * SECOND, t) for t in range(1, 4)]
    messages += [(TRUTH_TOPIC, t * SECOND, t * SECOND, t) for t in range(1, 4)]
    messages += [("/node/labels", t * SECOND, t * SECOND + 300 * MS, 10 + t) for t in (1, 3)]
    with BagSource(write_bag(tmp_path / "bag", messages), topic=IMAGE_TOPIC) as source:
        frames = list(source.frames(ALL, ("/node/labels", "/absent")))
        decode = source.bag.decode_labels
        found = [{name: int(decode(message)[0, 0]) for name, message in f.beside.items()} for f in frames]
        assert values(frames) == [(1, 1), (2, 2), (3, 3)]
    assert found == [{"/node/labels": 11}, {}, {"/node/labels": 13}]


def test_two_cameras_with_truth_of_their_own(tmp_path: Path) -> None:
    messages = [
        (topic, time * SECOND, time * SECOND, value + time)
        for time in range(1, 4)
        for topic, value in [
            ("/left/image", 10),
            ("/right/image", 20),
            ("/left/labels", 30),
            ("/right/labels", 40),
        ]
    ]
    path = write_bag(tmp_path / "bag", messages)
    right = BagSource(path, topic="/right/image", labels_topic="/right/labels")
    assert values(read(right)) == [(21, 41), (22, 42), (23, 43)]
    assert values(read(BagSource(path, topic="/left/image"))) == [(11, None), (12, None), (13, None)]
    with pytest.raises(BagError, match="no image topic '/labels'"):
        read(BagSource(path, topic="/left/image", labels_topic="/labels"))


def test_memory_holds_only_the_messages_of_a_short_time() -> None:
    """Of images whose labels never come, those of one second wait."""
    times = [t * SECOND // 10 for t in range(200)]
    bag = BagInMemory([(IMAGE_TOPIC, t) for t in times] + [(TRUTH_TOPIC, t + 1) for t in times])
    source = BagSource(Path("memory"), topic=IMAGE_TOPIC)
    source.bag = bag
    with source:
        ahead = [bag.given / 2 - index for index, _ in enumerate(source.frames(ALL, ()))]
    assert len(ahead) == 200
    assert max(ahead) <= 12
