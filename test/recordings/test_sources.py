"""One way to open recordings: bags, data sets, images, videos; and what they give."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.config import ConfigError
from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import decode_compressed
from ovseg_ros.recordings.bag import TRUTH_INFO_TOPIC, TRUTH_TOPIC
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.datasets.dataset import DatasetError
from ovseg_ros.recordings.file_sources import VIDEO_RATE, VideoSource, images_source, read_image
from ovseg_ros.recordings.frame import DEFAULT_RATE, Frame, Source, SourceError, select
from ovseg_ros.recordings.label_files import LabelWriter
from ovseg_ros.recordings.messages import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    image_message,
    message_types,
    truth_info_cdr,
)
from ovseg_ros.recordings.sources import find_sources, open_source, require_truth
from ovseg_ros.recordings.writer import BagWriter, make_bag
from ovseg_ros.vocabulary import VocabularyBuilder

from ..commands.stand_ins import picture, save_picture, save_video

ALL = SelectionConfig()
NAMES = {1: "road", 2: "sky", 3: "red box"}


def read(source: Source, selection: SelectionConfig = ALL) -> list[Frame]:
    with source:
        return list(source.frames(selection, ()))


def decoded(frame: Frame) -> np.ndarray:
    """The image in a frame's message."""
    message = frame.message()
    assert (message.type, message.stamp_ns) == (COMPRESSED_IMAGE, frame.stamp_ns)
    return decode_compressed(message_types().deserialize_cdr(message.data, message.type))


@pytest.mark.parametrize(("start", "end"), [(3.0, 3.0), (3.0, 2.5)])
def test_a_selection_that_ends_before_it_begins_is_refused(start: float, end: float) -> None:
    with pytest.raises(ConfigError, match="not before"):
        SelectionConfig(start=start, end=end)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 9), st.integers(0, 5), st.integers(0, 5))
def test_a_selection_takes_what_it_counts(
    total: int, every: int, limit: int, start: int, length: int
) -> None:
    selection = SelectionConfig(every, limit, float(start), float(start + length) if length else 0.0)
    asked = []
    items = (asked.append(n) or n for n in range(total))  # type: ignore[func-returns-value]
    chosen = list(select(items, selection, lambda n: n / 10))
    wanted = [n for n in range(total) if n / 10 >= start and (not length or n / 10 < start + length)]
    assert chosen == wanted[::every][: limit or None]
    assert abs(images_source(Path(), [Path()] * total).expected(selection) - len(chosen)) <= 1
    if limit and len(chosen) == limit:
        assert asked[-1] == chosen[-1]


class TestOpening:
    @pytest.mark.parametrize("kind", ["bag", "dataset"])
    @pytest.mark.parametrize(
        ("selection", "stamps"),
        [
            (SelectionConfig(), range(12)),
            (SelectionConfig(every=5), [0, 5, 10]),
            (SelectionConfig(every=2, limit=3), [0, 2, 4]),
            (SelectionConfig(start=0.25, end=0.7), [3, 4, 5, 6]),
            (SelectionConfig(every=2, start=0.3), [3, 5, 7, 9, 11]),
            (SelectionConfig(start=9.0), []),
        ],
    )
    def test_parts_of_a_recording(
        self, kind: str, selection: SelectionConfig, stamps: list[int], dataset: Path, tmp_path: Path
    ) -> None:
        make_bag(dataset, tmp_path / "bag")
        source = open_source(tmp_path / "bag" if kind == "bag" else dataset)
        frames = read(source, selection)
        assert source.kind == kind
        assert [round(frame.seconds * 10) for frame in frames] == list(stamps)
        assert [frame.number for frame in frames] == list(stamps)
        assert abs(source.expected(selection) - len(frames)) <= 1
        assert len([frame.truth() for frame in frames if frame.truth]) == len(frames)

    def test_a_data_set_and_its_bag_give_the_same(self, dataset: Path, tmp_path: Path) -> None:
        make_bag(dataset, tmp_path / "bag")
        folder, bag = open_source(dataset), open_source(tmp_path / "bag")
        for left, right in zip(read(folder), read(bag), strict=True):
            assert left.message() == right.message()
            assert (left.stamp_ns, left.log_ns, left.seconds) == (right.stamp_ns, right.log_ns, right.seconds)
            assert np.array_equal(left.image(), right.image())
            assert np.array_equal(left.truth(), right.truth())
        assert folder.truth_names == bag.truth_names == NAMES
        assert (folder.topic.name, folder.topic.type) == (bag.topic.name, bag.topic.type)
        assert folder.topic.rate == pytest.approx(bag.topic.rate)
        assert [frame.name for frame in read(folder)] == [f"frame{n}" for n in range(1, 13)]

    def test_a_folder_in_a_usual_layout(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            save_picture(tmp_path / "voc/JPEGImages" / f"{name}.jpg")
            labels = tmp_path / "voc/SegmentationClass" / f"{name}.png"
            labels.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(labels), np.full((60, 80), 3, np.uint8))
        for split, names in (("train", "a"), ("val", "b")):
            lists = tmp_path / "voc/ImageSets/Segmentation"
            lists.mkdir(parents=True, exist_ok=True)
            (lists / f"{split}.txt").write_text(names)
        for split, name in (("", "b"), ("train", "a")):
            source = open_source(tmp_path / "voc", RecordingConfig(split=split))
            assert [frame.name for frame in read(source)] == [name]
            (found,) = find_sources([tmp_path / "voc"], tmp_path / "out", RecordingConfig(split=split))
            assert found.name == f"JPEGImages/{name}"
        with pytest.raises(DatasetError, match="no layout"):
            open_source(tmp_path / "voc", RecordingConfig(layout="nothing"))

    def test_images_and_videos(self, tmp_path: Path) -> None:
        for name in ("2.png", "10.jpg", "b.bmp", ".hidden.png"):
            save_picture(tmp_path / "in" / name)
        folder = open_source(tmp_path / "in")
        frames = read(folder)
        assert (folder.kind, folder.name, folder.truth_names) == ("images", "in", {})
        assert [frame.name for frame in frames] == ["2", "10", "b"]
        for frame in frames:
            assert np.array_equal(decoded(frame), frame.image())
        assert np.diff([frame.stamp_ns for frame in frames]).tolist() == [1e9 / DEFAULT_RATE] * 2
        (frame,) = read(open_source(tmp_path / "in/10.jpg"))
        assert np.array_equal(frame.image(), frames[1].image())
        video = open_source(save_video(tmp_path / "a.mp4", 3))
        assert video.kind == "video"
        for frame in read(video):
            assert np.array_equal(decoded(frame), frame.image())

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("nothing", "does not exist"),
            ("notes.doc", "suffix is not known"),
            ("empty", "no dataset folder"),
            ("bags", "holds 2 folders that are bags: a, b"),
        ],
    )
    def test_what_is_no_recording(self, tmp_path: Path, name: str, message: str) -> None:
        (tmp_path / "notes.doc").write_text("")
        (tmp_path / "empty").mkdir()
        for bag in ("a", "b"):
            (tmp_path / "bags" / bag).mkdir(parents=True)
            (tmp_path / "bags" / bag / "metadata.yaml").write_text("")
        with pytest.raises(OvsegError, match=message):
            read(open_source(tmp_path / name))


class TestTruth:
    def test_from_a_folder(self, dataset: Path, tmp_path: Path) -> None:
        make_bag(dataset, tmp_path / "bag")
        frames = read(open_source(tmp_path / "bag"))
        own = [frame.truth() for frame in frames if frame.truth]
        writer = LabelWriter(tmp_path / "truth", VocabularyBuilder().build(list(NAMES.values())))
        for frame, truth in zip(frames[:4], own, strict=False):
            writer.write(frame.number, frame.stamp_ns, truth, None)
        for path in (tmp_path / "bag", dataset):
            source = open_source(path, truth=TruthConfig(labels_folder=str(tmp_path / "truth")))
            frames = read(source)
            assert source.truth_names == NAMES
            assert [frame.truth is None for frame in frames] == [False] * 4 + [True] * 8
            assert all(
                np.array_equal(frame.truth(), truth) for frame, truth in zip(frames[:4], own, strict=False)
            )

    def test_of_nearly_the_same_stamp(self, tmp_path: Path) -> None:
        self.write(tmp_path / "bag", late_ns=20_000_000)
        for slop, found in ((0.0, [False, False]), (0.05, [True, True])):
            frames = read(open_source(tmp_path / "bag", truth=TruthConfig(slop=slop)))
            assert [frame.truth is not None for frame in frames] == found

    @pytest.mark.parametrize(
        ("names", "topic", "missing"),
        [
            ({1: "road"}, TRUTH_TOPIC, ""),
            ({}, TRUTH_TOPIC, "does not say what the ids of /ground_truth/labels mean; .*--label-names"),
            ({1: "road"}, "/elsewhere/labels", "has no ground truth; expected label images on /ground_truth"),
        ],
    )
    def test_is_required_by_who_needs_it(
        self, tmp_path: Path, names: dict[int, str], topic: str, missing: str
    ) -> None:
        self.write(tmp_path / "bag", names, topic)
        with open_source(tmp_path / "bag", RecordingConfig(topic="/camera/image")) as source:
            if missing:
                with pytest.raises(SourceError, match=missing):
                    require_truth(source)
            else:
                require_truth(source)

    def test_images_have_none(self, tmp_path: Path, make_dataset: Callable) -> None:
        save_picture(tmp_path / "in/images/a.png")
        for path in (tmp_path / "in", tmp_path / "in/images", tmp_path / "in/images/a.png"):
            with open_source(path) as source, pytest.raises(SourceError, match="has no ground truth"):
                require_truth(source)

    def write(
        self, path: Path, names: dict[int, str] | None = None, topic: str = TRUTH_TOPIC, late_ns: int = 0
    ) -> None:
        image, labels = np.zeros((4, 6, 3), np.uint8), np.ones((4, 6), np.uint8)
        with BagWriter(path) as bag:
            bag.add_topic("/camera/image", IMAGE)
            bag.add_topic(topic, IMAGE)
            bag.add_topic(TRUTH_INFO_TOPIC, LABEL_INFO, latched=True)
            bag.write_cdr(TRUTH_INFO_TOPIC, truth_info_cdr({1: "road"} if names is None else names, 1), 1)
            for stamp in (1_000_000_000, 2_000_000_000):
                bag.write("/camera/image", image_message(image, "rgb8", stamp), stamp)
                bag.write(topic, image_message(labels, "mono8", stamp + late_ns), stamp + late_ns)


def test_names_are_sorted_as_people_count(tmp_path: Path) -> None:
    names = ["b1.png", "B02.png", "a10b2.png", "a10b10.png", "a9.png", "2.png", "10.png", "x/1.png"]
    for name in reversed(names):
        save_picture(tmp_path / "in" / name)
    found = [source.name for source in find_sources([tmp_path / "in"], tmp_path / "out")]
    assert found == ["2", "10", "a9", "a10b2", "a10b10", "b1", "B02", "x/1"]


def test_an_input_given_twice_is_taken_once(tmp_path: Path) -> None:
    photo = save_picture(tmp_path / "in/a.png")
    sources = find_sources([photo, tmp_path / "in", tmp_path / "in/../in/a.png"], tmp_path / "out")
    assert [source.path for source in sources] == [photo]


def test_every_kind_finds_its_reader(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.Mp4", "c.mcap", "d.bag"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "e.1").mkdir()
    (tmp_path / "e.1/metadata.yaml").write_text("")
    sources = find_sources(sorted(tmp_path.iterdir()), tmp_path / "out", RecordingConfig(topic="/image"))
    assert [(source.name, source.kind) for source in sources] == [
        ("a", "images"), ("b", "video"), ("c", "bag"), ("d", "bag"), ("e.1", "bag"),
    ]  # fmt: skip


@pytest.mark.parametrize(("every", "limit", "expected"), [(1, 0, "abcde"), (2, 0, "ace"), (2, 2, "ac")])
def test_all_images_are_selected_from_together(tmp_path: Path, every: int, limit: int, expected: str) -> None:
    folders = [save_picture(tmp_path / f"in_{name}/{name}.png").parent for name in "abcde"]
    found = find_sources(folders, tmp_path / "out", selection=SelectionConfig(every, limit))
    assert [source.name for source in found] == list(expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "does not exist"),
        ("notes.doc", "suffix is not known"),
        ("empty", "holds no image or video"),
    ],
)
def test_what_is_no_input(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "notes.doc").write_text("")
    (tmp_path / "empty/.hidden").mkdir(parents=True)
    save_picture(tmp_path / "empty/.hidden/a.png")
    with pytest.raises(SourceError, match=message):
        find_sources([tmp_path / name], tmp_path / "out")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp"])
def test_images_of_every_kind_are_read_as_rgb(tmp_path: Path, suffix: str) -> None:
    image = read_image(save_picture(tmp_path / f"a{suffix}", size=(40, 60)))
    assert (image.shape, image.dtype) == ((40, 60, 3), np.uint8)
    assert image[20, 5].tolist() == pytest.approx([255, 0, 0], abs=8)
    assert image[20, 55].tolist() == pytest.approx([0, 0, 0], abs=8)


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 4)])
def test_grey_deep_and_transparent_images_become_rgb(tmp_path: Path, shape: tuple[int, ...]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full(shape, 0x8000, np.uint16))
    image = read_image(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((8, 6, 3), np.uint8)
    assert abs(int(image[0, 0, 0]) - 128) <= 1


def test_a_turned_photograph_is_put_upright(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", picture(size=(40, 60)))[1].tobytes()
    quarter_turn = b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + quarter_turn + jpeg[2:])
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (60, 40, 3)
    assert image[5, 20, 0] > 200
    assert image[55, 20, 0] < 50
    (frame,) = read(open_source(tmp_path / "a.jpg"))
    assert np.array_equal(decoded(frame), image)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(SourceError, match="cannot be read"):
        read_image(tmp_path / "a.png")


def test_frames_of_a_video(tmp_path: Path) -> None:
    video = VideoSource(save_video(tmp_path / "a.mp4", 10, rate=8))
    frames = read(video, SelectionConfig(every=4))
    assert [frame.number for frame in frames] == [0, 4, 8]
    assert [frame.seconds for frame in frames] == pytest.approx([0.0, 0.5, 1.0])
    for frame in frames:
        assert (frame.image()[..., 0] > 127).mean() == pytest.approx(frame.number / 10, abs=0.05)
    assert video.expected(SelectionConfig(every=4)) == 3
    assert video.topic.rate == pytest.approx(8.0)


def test_a_video_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with (
        pytest.raises(SourceError, match=r"a\.mp4: cannot be opened as a video"),
        VideoSource(tmp_path / "a.mp4"),
    ):
        pass


def test_files_have_a_usual_rate(tmp_path: Path) -> None:
    source = open_source(save_picture(tmp_path / "a.png"))
    assert source.expected(ALL) == len(read(source)) == 1
    assert source.topic.rate == DEFAULT_RATE
    assert VIDEO_RATE > 0
