"""The offline loop: order, threads, frames that cannot be used, an early end."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.frame import Frame
from ovseg_ros.recordings.sources import open_source
from ovseg_ros.recordings.writer import make_bag
from ovseg_ros.runs.loop import score_frames, until_interrupted
from ovseg_ros.runs.prediction import Prediction
from ovseg_ros.runs.scoring import RunScores, Scorer
from ovseg_ros.runs.signals import Interruption
from ovseg_ros.vocabulary import VocabularyBuilder

WORDS = VocabularyBuilder().build(["road", "sky", "red box"])


class Noise:
    """Gives each frame labels of its own; every fifth has none, every seventh cannot be read."""

    beside = ()
    vocabularies = (WORDS,)

    def prepare(self, frame: Frame) -> np.ndarray | None:
        if frame.number % 7 == 6:
            raise OvsegError("it is torn")
        if frame.number % 5 == 4:
            return None
        return np.random.default_rng(frame.number).integers(0, 5, (2, 48, 64)).astype(np.uint8)

    def predict(self, frame: Frame, prepared: np.ndarray | None) -> Prediction | None:
        if prepared is None:
            return None
        labels, confidence = prepared
        return Prediction(frame, labels, confidence, WORDS, 1.0, frame.seconds)


def noisy(
    path: Path, interruption: Interruption | None = None, **settings: object
) -> tuple[RunScores, list[str], SegmentationAccumulator]:
    with open_source(path) as source:
        meter = SegmentationAccumulator(source.truth_names)
        scorer = Scorer(meter, 12, pictures=False)
        frames = source.frames(SelectionConfig())
        if interruption is not None:
            frames = until_interrupted(interruption, frames)
        left_out = score_frames(frames, Noise(), scorer, **settings)
        return scorer.finish(), left_out, meter


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_threads_do_not_change_the_figures(workers: int, dataset: Path) -> None:
    plain, plain_left_out, meter = noisy(dataset, workers=0)
    threaded, left_out, other = noisy(dataset, workers=workers)
    assert threaded.frames == plain.frames
    assert [frame.number for frame in plain.frames] == [0, 1, 2, 3, 5, 7, 8, 10, 11]
    assert plain_left_out == left_out
    assert left_out == [
        "frame 4: no labels of its stamp",
        "frame 6: it is torn",
        "frame 9: no labels of its stamp",
    ]
    assert meter.compute() == other.compute()


def test_a_bag_and_its_folder_give_the_same(dataset: Path, tmp_path: Path) -> None:
    make_bag(dataset, tmp_path / "bag")
    folder, _, first = noisy(dataset)
    bag, _, second = noisy(tmp_path / "bag")
    assert bag.frames == folder.frames
    assert first.compute() == second.compute()


def test_an_early_end_gives_what_there_is(dataset: Path) -> None:
    done: list[int] = []
    interruption = Interruption()

    def on_frame() -> None:
        done.append(len(done))
        interruption.requested = len(done) >= 3

    scores, _, meter = noisy(dataset, workers=0, on_frame=on_frame, interruption=interruption)
    assert len(scores.frames) == 3
    assert meter.compute().frames == 3


def test_frames_are_not_read_far_ahead(dataset: Path) -> None:
    read: list[int] = []
    behind: list[int] = []

    def counted(frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            read.append(frame.number)
            yield frame

    with open_source(dataset) as source:
        score_frames(
            counted(source.frames(SelectionConfig())),
            Noise(),
            Scorer(SegmentationAccumulator(source.truth_names), 12, pictures=False),
            workers=1,
            on_frame=lambda: behind.append(len(read) - len(behind)),
        )
    assert max(behind) <= 8
