"""A run whose answers are known: figures, labelled bag, video and pictures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from ovseg_ros.metrics.segmentation import SegmentationAccumulator, SegmentationMetrics
from ovseg_ros.recordings.bag import TRUTH_TOPIC, Bag
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.frame import Frame
from ovseg_ros.recordings.messages import (
    COMPRESSED_IMAGE,
    CONFIDENCE_TOPIC,
    LABEL_INFO_TOPIC,
    LABELS_TOPIC,
    OVERLAY_TOPIC,
    SUMMARY_TOPIC,
    VOCABULARY_TOPIC,
    prediction_messages,
    read_vocabulary_message,
)
from ovseg_ros.recordings.sources import open_source
from ovseg_ros.recordings.writer import make_bag
from ovseg_ros.runs.prediction import Prediction
from ovseg_ros.runs.scoring import RunScores, Scorer
from ovseg_ros.runs.sinks import LabelledBag, OverlayVideo, Sink
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder

IMAGE_TOPIC = "/camera/image/compressed"
DROPPED = (3, 8)
SWITCH = 6


@dataclass
class Case:
    """A run of twelve frames; `frames` are in order, `labels` by number."""

    frames: list[Frame | Prediction]
    vocabularies: list[Vocabulary]
    truth_names: dict[int, str]
    labels: dict[int, np.ndarray]

    def scored(self, *sinks: Sink, pictures: bool = True, follow: bool = False) -> RunScores:
        meter = SegmentationAccumulator(self.truth_names)
        with Scorer(meter, len(self.labels), sinks, pictures=pictures, follow=follow) as scorer:
            for frame in self.frames:
                if isinstance(frame, Prediction):
                    scorer.add(frame)
                else:
                    scorer.add_dropped(frame, frame.number / 5)
            return scorer.finish()


def make_case(folder: Path) -> Case:
    """Frames 3 and 8 are dropped; from frame 6 on the second vocabulary; the top rows are mislabelled, more
    of them in each frame."""
    make_bag(folder / "dataset", folder / "bag")
    builder = VocabularyBuilder()
    vocabularies = [
        builder.build(["road", "sky", "red box"]),
        builder.build(
            ["street; road", "crate; red box", "dragon"],
            background=["sky"],
            costs={"crate": 254, "dragon": 200},
            default_cost=7,
        ),
    ]
    frames: list[Frame | Prediction] = []
    said: dict[int, np.ndarray] = {}
    with open_source(folder / "bag") as source:
        names = dict(source.truth_names)
        for number, frame in enumerate(source.frames(SelectionConfig())):
            frame = replace(frame, **held(frame))
            if number in DROPPED:
                frames.append(frame)
                continue
            vocabulary = vocabularies[number >= SWITCH]
            labels = np.ones((48, 64), np.uint8)
            if frame.truth is not None:
                table = np.zeros(256, np.uint8)
                for truth_id, name in names.items():
                    table[truth_id] = 0 if name in vocabulary.background else vocabulary.by_name(name).id
                labels = table[frame.truth()]
                labels[:number] = vocabulary.classes[0].id
            said[number] = labels
            confidence = np.full_like(labels, 200)
            frames.append(
                Prediction(
                    frame,
                    labels,
                    confidence,
                    vocabulary,
                    latency_ms=100.0 + number,
                    sent_s=number / 5,
                    messages=partial(
                        prediction_messages, labels, confidence, vocabulary, [], 5.0, frame.stamp_ns
                    ),
                )
            )
    return Case(frames, vocabularies, names, said)


def held(frame: Frame) -> dict[str, object]:
    """The frame's contents without their bag."""
    image, truth, message = frame.image(), frame.truth and frame.truth(), frame.message()
    return {
        "image": lambda: image,
        "truth": None if truth is None else lambda: truth,
        "message": lambda: message,
    }


@pytest.fixture
def case(dataset: Path, tmp_path: Path) -> Case:
    return make_case(tmp_path)


def test_figures_equal_a_count_by_hand(case: Case) -> None:
    scores = case.scored()
    names = ("road", "sky", "red box")
    hits, unions, right, pixels = dict.fromkeys(names, 0), dict.fromkeys(names, 0), 0, 0
    for frame in case.frames:
        if not isinstance(frame, Prediction):
            continue
        assert frame.frame.truth is not None
        truth = frame.frame.truth()
        for truth_id, name in enumerate(names, start=1):
            is_background = name in frame.vocabulary.background
            own = 0 if is_background else frame.vocabulary.by_name(name).id
            counted = truth != 255
            hits[name] += int(((truth == truth_id) & (frame.labels == own)).sum())
            unions[name] += int((((truth == truth_id) | (frame.labels == own)) & counted).sum())
            right += int(((truth == truth_id) & (frame.labels == own)).sum())
        pixels += int((truth != 255).sum())
    assert scores.metrics is not None
    assert scores.metrics.per_class_iou == {name: hits[name] / unions[name] for name in names}
    assert scores.metrics.pixel_accuracy == right / pixels
    mean = sum(hits[name] / unions[name] for name in names) / 3
    assert scores.metrics.miou == pytest.approx(mean, abs=1e-12)
    assert [(phase.revision, phase.metrics.frames) for phase in scores.phases] == [(1, 5), (2, 5)]


def test_dropped_frames_stay_without_figures(case: Case) -> None:
    scores = case.scored()
    assert [frame.number for frame in scores.frames if frame.revision is None] == list(DROPPED)
    latencies = [frame.latency_ms for frame in scores.frames if frame.latency_ms is not None]
    assert latencies == [100.0 + number for number in case.labels]
    assert scores.frames[4].sent_s == 0.8


def test_labels_of_another_size_are_scored_at_the_size_of_the_truth(case: Case) -> None:
    meter = SegmentationAccumulator(case.truth_names)
    frame = case.frames[0]
    assert isinstance(frame, Prediction)
    small = replace(frame, labels=frame.labels[::2, ::2], confidence=frame.confidence[::2, ::2])
    scored = Scorer(meter, 1).score(small)
    assert scored is not None
    assert scored.labels.shape == (48, 64)
    assert np.array_equal(scored.labels, np.kron(small.labels, np.ones((2, 2), np.uint8)))


def test_the_labelled_bag_is_in_order_of_time_and_complete(case: Case, tmp_path: Path) -> None:
    case.scored(LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names))
    with Bag(tmp_path / "labelled") as bag:
        counts = {topic.name: topic.count for topic in bag.topics}
        times = [message.log_ns for message in bag.messages(list(counts))]
        labels = [bag.decode_labels(message) for message in bag.messages([LABELS_TOPIC])]
        words = [read_vocabulary_message(bag.read(m)) for m in bag.messages([VOCABULARY_TOPIC])]
        revisions = [bag.read(m).vocabulary_revision for m in bag.messages([SUMMARY_TOPIC])]
        names = bag.label_map().names
        second = bag.label_map(LABELS_TOPIC).names
    assert times == sorted(set(times))
    assert counts[IMAGE_TOPIC] == counts[TRUTH_TOPIC] == 12
    assert counts[LABELS_TOPIC] == counts[CONFIDENCE_TOPIC] == counts[OVERLAY_TOPIC] == 10
    assert counts[VOCABULARY_TOPIC] == counts[LABEL_INFO_TOPIC] == 2
    assert [(w.revision, w.background) for w in words] == [(1, ()), (2, ("sky",))]
    assert [c.prompts for c in words[1].classes] == [c.prompts for c in case.vocabularies[1].classes]
    assert [(w.has_costs, w.default_cost) for w in words] == [(False, 0), (True, 7)]
    assert [words[1].cost_of(c) for c in words[1].classes] == [7, 254, 200]
    assert revisions == [1 + (number >= SWITCH) for number in case.labels]
    assert names == {1: "road", 2: "sky", 3: "red box"}
    assert second[case.vocabularies[1].by_name("crate").id] == "crate"
    assert all(np.array_equal(a, b) for a, b in zip(labels, case.labels.values(), strict=True))


def test_the_video_shows_the_answered_frames(case: Case, tmp_path: Path) -> None:
    video = OverlayVideo(tmp_path / "overlay.webm", 5.0, case.vocabularies)
    case.scored(video)
    capture = cv2.VideoCapture(str(tmp_path / "overlay.webm"))
    frames = []
    while (item := capture.read())[0]:
        frames.append(item[1])
    assert len(frames) == 10
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(5.0, abs=0.1)
    assert len({frame.shape for frame in frames}) == 1
    assert video.poster is not None
    assert video.poster.shape == frames[0].shape


def test_the_pictures_are_the_best_the_worst_and_those_around_the_change(case: Case) -> None:
    scores = case.scored()
    numbers = {picture.score.number: picture.title for picture in scores.pictures}
    assert len(numbers) == len(scores.pictures)
    assert "last frame in vocabulary 1" in numbers[5]
    assert "first frame in vocabulary 2" in numbers[6]
    assert numbers[0] == numbers[1] == "Among the best"
    assert numbers[11] == "Among the worst"


def test_without_pictures_outputs_and_following_no_image_is_decoded(case: Case) -> None:
    def fail() -> np.ndarray:
        raise AssertionError("an image was decoded")

    case.frames = [
        replace(frame, frame=replace(frame.frame, image=fail)) if isinstance(frame, Prediction) else frame
        for frame in case.frames
    ]
    assert case.scored(pictures=False).pictures == []
    for wish in ({"pictures": True}, {"pictures": False, "follow": True}):
        with pytest.raises(AssertionError, match="decoded"):
            case.scored(**wish)


def test_without_truth_there_are_samples_and_no_figures(
    tmp_path: Path, make_dataset: Callable[..., list[np.ndarray]]
) -> None:
    make_dataset(tmp_path / "dataset")
    for file in [*(tmp_path / "dataset" / "labels").iterdir(), tmp_path / "dataset" / "classes.txt"]:
        file.unlink()
    (tmp_path / "dataset" / "labels").rmdir()
    scores = make_case(tmp_path).scored()
    assert scores.metrics is None
    assert scores.phases[0].metrics == SegmentationMetrics(frames=scores.phases[0].metrics.frames)
    samples = [picture.score.number for picture in scores.pictures if picture.title == "Sample"]
    assert {0, 11} <= set(samples)
