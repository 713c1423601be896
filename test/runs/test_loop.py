"""The offline loop: order, threads, frames that cannot be used, an early end."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.bag import TRUTH_INFO_TOPIC, TRUTH_TOPIC
from ovseg_ros.recordings.datasets.dataset_bag import make_bag
from ovseg_ros.recordings.datasets.layouts import open_dataset
from ovseg_ros.recordings.label_files import LabelFolder, LabelWriter
from ovseg_ros.recordings.message_types import IMAGE, LABEL_INFO, image_message
from ovseg_ros.recordings.messages import truth_info_cdr
from ovseg_ros.recordings.source import BagSource, DatasetSource, FramePart, FrameSource, SourceFrame
from ovseg_ros.recordings.writer import BagWriter
from ovseg_ros.runs.answered_frame import AnsweredFrame
from ovseg_ros.runs.findings import FindingsBuilder
from ovseg_ros.runs.loop import OfflineRun, evaluate_frames
from ovseg_ros.vocabulary import VocabularyBuilder

WORDS = VocabularyBuilder().build(["road", "sky", "red box"])


class Noise:
    """Gives each frame labels of its own; every fifth has none, every seventh cannot be read."""

    def prepare(self, frame: SourceFrame) -> np.ndarray | None:
        if frame.number % 7 == 6:
            raise OvsegError("it is torn")
        if frame.number % 5 == 4:
            return None
        return np.random.default_rng(frame.number).integers(0, 5, (2, 48, 64)).astype(np.uint8)

    def label(
        self, frame: SourceFrame, prepared: np.ndarray | None, truth: np.ndarray | None
    ) -> AnsweredFrame | None:
        if prepared is None:
            return None
        labels, confidence = prepared
        source, image = frame.source, frame.image
        known = (frame.number, frame.seconds, source, image, labels, confidence)
        return AnsweredFrame(*known, WORDS, truth, 1.0)


def noisy(
    source: FrameSource, part: FramePart | None = None, **settings: object
) -> tuple[OfflineRun, SegmentationAccumulator]:
    with source:
        meter = SegmentationAccumulator(source.truth_names)
        builder = FindingsBuilder(meter, 12, pictures=False)
        return evaluate_frames(source.frames(part or FramePart()), Noise(), builder, **settings), meter


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_threads_do_not_change_the_figures(workers: int, dataset: Path) -> None:
    plain, meter = noisy(DatasetSource(open_dataset(dataset)), workers=0)
    threaded, other = noisy(DatasetSource(open_dataset(dataset)), workers=workers)
    assert threaded.findings.frames == plain.findings.frames
    assert [frame.number for frame in plain.findings.frames] == [0, 1, 2, 3, 5, 7, 8, 10, 11]
    assert plain.left_out == threaded.left_out
    assert plain.left_out == [
        "frame 4: no labels of its stamp",
        "frame 6: it is torn",
        "frame 9: no labels of its stamp",
    ]
    assert meter.compute() == other.compute()


def test_a_bag_and_its_folder_give_the_same(dataset: Path, tmp_path: Path) -> None:
    make_bag(dataset, tmp_path / "bag")
    folder, first = noisy(DatasetSource(open_dataset(dataset)))
    bag, second = noisy(BagSource(tmp_path / "bag"))
    assert bag.findings.frames == folder.findings.frames
    assert first.compute() == second.compute()


def test_an_early_end_gives_what_there_is(dataset: Path) -> None:
    seen = threading.Semaphore(0)
    done: list[int] = []

    def on_frame() -> None:
        done.append(len(done))
        seen.release()

    run, meter = noisy(
        DatasetSource(open_dataset(dataset)), workers=0, on_frame=on_frame, stop=lambda: len(done) >= 3
    )
    assert len(run.findings.frames) == 3
    assert meter.compute().frames == 3


def test_frames_are_not_read_far_ahead(dataset: Path) -> None:
    source = DatasetSource(open_dataset(dataset))
    read: list[int] = []
    behind: list[int] = []

    def counted(frames: Iterator[SourceFrame]) -> Iterator[SourceFrame]:
        for frame in frames:
            read.append(frame.number)
            yield frame

    builder = FindingsBuilder(SegmentationAccumulator(source.truth_names), 12, pictures=False)
    evaluate_frames(
        counted(source.frames(FramePart())),
        Noise(),
        builder,
        workers=1,
        on_frame=lambda: behind.append(len(read) - len(behind)),
    )
    assert max(behind) <= 8


@pytest.mark.parametrize("kind", ["bag", "folder"])
@pytest.mark.parametrize(
    ("part", "stamps_s"),
    [
        (FramePart(), range(12)),
        (FramePart(every=5), [0, 5, 10]),
        (FramePart(every=2, limit=3), [0, 2, 4]),
        (FramePart(start_s=0.25, end_s=0.7), [3, 4, 5, 6]),
        (FramePart(every=2, start_s=0.3), [3, 5, 7, 9, 11]),
        (FramePart(start_s=9.0), []),
    ],
)
def test_parts_of_a_recording(
    kind: str, part: FramePart, stamps_s: list[int], dataset: Path, tmp_path: Path
) -> None:
    make_bag(dataset, tmp_path / "bag")
    source: FrameSource = (
        BagSource(tmp_path / "bag") if kind == "bag" else DatasetSource(open_dataset(dataset))
    )
    with source:
        frames = list(source.frames(part))
        expected = source.expected(part)
        truths = [frame.truth() for frame in frames if frame.truth]
    assert [round(frame.seconds * 10) for frame in frames] == list(stamps_s)
    assert abs(expected - len(frames)) <= 1
    assert len(truths) == len(frames)


def test_ground_truth_from_a_folder(dataset: Path, tmp_path: Path) -> None:
    make_bag(dataset, tmp_path / "bag")
    with BagSource(tmp_path / "bag") as source:
        stamps = [frame.source.stamp_ns for frame in source.frames(FramePart())]
        own = [frame.truth() for frame in source.frames(FramePart()) if frame.truth]
    writer = LabelWriter(tmp_path / "truth", WORDS)
    for number, stamp in enumerate(stamps[:4]):
        writer.write(number, stamp, own[number], None)
    labels = LabelFolder(tmp_path / "truth")
    for other in (
        BagSource(tmp_path / "bag", labels=labels),
        DatasetSource(open_dataset(dataset), labels=labels),
    ):
        with other:
            frames = list(other.frames(FramePart()))
            assert other.truth_names == {1: "road", 2: "sky", 3: "red box"}
        assert [frame.truth is None for frame in frames] == [False] * 4 + [True] * 8
        assert all(
            np.array_equal(frame.truth(), truth) for frame, truth in zip(frames[:4], own, strict=False)
        )


def test_ground_truth_of_nearly_the_same_stamp(tmp_path: Path) -> None:
    image, labels, late_ns = np.zeros((4, 6, 3), np.uint8), np.ones((4, 6), np.uint8), 20_000_000
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/camera/image", IMAGE)
        bag.add_topic(TRUTH_TOPIC, IMAGE)
        bag.add_topic(TRUTH_INFO_TOPIC, LABEL_INFO, latched=True)
        bag.write_cdr(TRUTH_INFO_TOPIC, truth_info_cdr({1: "road"}, 1), 1)
        for stamp in (1_000_000_000, 2_000_000_000):
            bag.write("/camera/image", image_message(image, "rgb8", stamp), stamp)
            bag.write(TRUTH_TOPIC, image_message(labels, "mono8", stamp + late_ns), stamp + late_ns)
    for slop_s, found in ((0.0, [False, False]), (0.05, [True, True])):
        with BagSource(tmp_path / "bag", slop_s=slop_s) as source:
            assert [frame.truth is not None for frame in source.frames(FramePart())] == found
