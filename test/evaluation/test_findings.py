"""A recording with known answers: figures, labelled bag, video and page, without ROS."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ovseg_ros.evaluation.bags import TRUTH_INFO_TOPIC, TRUTH_TOPIC, Bag, BagWriter
from ovseg_ros.evaluation.datasets import make_bag
from ovseg_ros.evaluation.findings import Findings, examine
from ovseg_ros.evaluation.frames import read_frames
from ovseg_ros.evaluation.recording import (
    LABELS_TOPIC,
    OVERLAY_TOPIC,
    VOCABULARY_TOPIC,
    LabelledBagWriter,
    read_labelled,
)
from ovseg_ros.evaluation.replay_result import ReplayResult, VocabularyCall
from ovseg_ros.evaluation.report import Context, render
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder

IMAGE_TOPIC = "/camera/image/compressed"
DROPPED = (3, 8)
SWITCH = 6


@dataclass
class Case:
    """A replay of twelve frames whose answers are known."""

    recording: Path
    result: ReplayResult
    vocabularies: list[Vocabulary]
    answered: list[tuple[int, np.ndarray, np.ndarray]]


@pytest.fixture
def case(dataset: Path, tmp_path: Path, made_up_answers: Any) -> Case:
    """Frames 3 and 8 are dropped; from frame 6 on the second vocabulary; the top rows are mislabelled."""
    return make_case(dataset, tmp_path, made_up_answers)


def make_case(dataset: Path, folder: Path, answers: Any) -> Case:
    make_bag(dataset, folder / "bag")
    builder = VocabularyBuilder()
    vocabularies = [
        builder.build(["road", "sky", "red box"]),
        builder.build(["street; road", "crate; red box", "dragon"], background=["sky"]),
    ]
    result = ReplayResult(rate=5.0, seconds=2.4, call=VocabularyCall(SWITCH, 0.04, True, ""))
    answered = []
    with Bag(folder / "bag") as bag, BagWriter(folder / "recording") as output:
        writer = LabelledBagWriter(output, IMAGE_TOPIC, bag.image_topic().type)
        for message in bag.messages([TRUTH_INFO_TOPIC]):
            writer.write_truth_info(message.data, bag.start_ns)
        for number, frame in enumerate(read_frames(bag, IMAGE_TOPIC)):
            assert frame.truth is not None
            vocabulary = vocabularies[number >= SWITCH]
            result.sent_s[frame.stamp_ns] = number / 5
            result.frames_in += 1
            if number in (0, SWITCH):
                writer.write_vocabulary(answers.vocabulary(vocabulary), None, frame.image.log_ns)
            if number in DROPPED:
                writer.write_frame(frame, None)
                continue
            truth = bag.decode_labels(frame.truth)
            names = bag.label_names()
            table = np.zeros(256, np.uint8)
            for truth_id, name in names.items():
                if name != "sky" or number < SWITCH:
                    table[truth_id] = vocabulary.by_name(name).id
            labels = table[truth]
            labels[: number + 1] = vocabulary.classes[0].id
            writer.write_frame(frame, answers.answer(labels, vocabulary.revision, frame.stamp_ns))
            result.latency_ms[frame.stamp_ns] = 100.0 + number
            answered.append((number, truth, labels))
    return Case(folder / "recording", result, vocabularies, answered)


def examined(case: Case, folder: Path) -> Findings:
    return examine(
        case.recording, IMAGE_TOPIC, case.result, folder / "labelled", folder / "overlay.webm", 5.0
    )


def test_figures_equal_a_count_by_hand(case: Case, tmp_path: Path) -> None:
    findings = examined(case, tmp_path)
    names = ("road", "sky", "red box")
    hits, unions, right, pixels = dict.fromkeys(names, 0), dict.fromkeys(names, 0), 0, 0
    for number, truth, labels in case.answered:
        vocabulary = case.vocabularies[number >= SWITCH]
        for truth_id, name in enumerate(names, start=1):
            own = 0 if name == "sky" and number >= SWITCH else vocabulary.by_name(name).id
            counted = truth != 255
            hits[name] += int(((truth == truth_id) & (labels == own)).sum())
            unions[name] += int((((truth == truth_id) | (labels == own)) & counted).sum())
            right += int(((truth == truth_id) & (labels == own)).sum())
        pixels += int((truth != 255).sum())
    assert findings.scores is not None
    assert findings.scores.per_class_iou == {name: hits[name] / unions[name] for name in names}
    assert findings.scores.pixel_accuracy == right / pixels
    mean = sum(hits[name] / unions[name] for name in names) / 3
    assert findings.scores.mean_iou == pytest.approx(mean, abs=1e-12)
    assert [(phase.vocabulary.revision, phase.frames) for phase in findings.phases] == [(1, 5), (2, 5)]


def test_dropped_frames_stay_without_figures(case: Case, tmp_path: Path) -> None:
    findings = examined(case, tmp_path)
    assert [frame.number for frame in findings.frames if frame.revision is None] == list(DROPPED)
    assert findings.latencies == [100.0 + number for number, _, _ in case.answered]
    assert findings.frames[4].sent_s == 0.8


def test_the_labelled_bag_is_in_order_of_time_and_complete(case: Case, tmp_path: Path) -> None:
    examined(case, tmp_path)
    with Bag(tmp_path / "labelled") as bag:
        counts = {topic.name: topic.count for topic in bag.topics}
        times = [message.log_ns for message in bag.messages(list(counts))]
        frames = list(read_labelled(bag, IMAGE_TOPIC))
        first_answer = [frame.vocabulary and frame.vocabulary.revision for frame in frames]
        labels = [bag.decode_labels(f.parts[LABELS_TOPIC]) for f in frames if f.vocabulary]
    assert times == sorted(set(times))
    assert counts[IMAGE_TOPIC] == counts[TRUTH_TOPIC] == 12
    assert counts[LABELS_TOPIC] == counts[OVERLAY_TOPIC] == 10
    assert counts[VOCABULARY_TOPIC] == 2
    assert first_answer == [None if n in DROPPED else 1 + (n >= SWITCH) for n in range(12)]
    assert all(np.array_equal(a, b) for a, (_, _, b) in zip(labels, case.answered, strict=True))


def test_the_video_shows_the_answered_frames(case: Case, tmp_path: Path) -> None:
    examined(case, tmp_path)
    capture = cv2.VideoCapture(str(tmp_path / "overlay.webm"))
    frames = []
    while (item := capture.read())[0]:
        frames.append(item[1])
    assert len(frames) == 10
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(5.0, abs=0.1)
    assert len({frame.shape for frame in frames}) == 1


def test_the_pictures_are_the_best_the_worst_and_those_around_the_change(case: Case, tmp_path: Path) -> None:
    findings = examined(case, tmp_path)
    numbers = {picture.figures.number: picture.title for picture in findings.pictures}
    assert len(numbers) == len(findings.pictures)
    assert "last frame in vocabulary 1" in numbers[5]
    assert "first frame in vocabulary 2" in numbers[6]
    assert numbers[0] == numbers[1] == "Among the best"
    assert numbers[11] == "Among the worst"


def test_without_truth_there_are_samples_and_no_scores(
    tmp_path: Path, make_dataset: Callable, made_up_answers: Any
) -> None:
    make_dataset(tmp_path / "dataset")
    make_bag(tmp_path / "dataset", tmp_path / "bag")
    vocabulary = VocabularyBuilder().build(["road"])
    result = ReplayResult()
    with Bag(tmp_path / "bag") as bag, BagWriter(tmp_path / "recording") as output:
        writer = LabelledBagWriter(output, IMAGE_TOPIC, bag.image_topic().type)
        for frame in read_frames(bag, IMAGE_TOPIC):
            if not result.sent_s:
                writer.write_vocabulary(made_up_answers.vocabulary(vocabulary), None, frame.image.log_ns)
            result.sent_s[frame.stamp_ns] = 0.0
            result.latency_ms[frame.stamp_ns] = 1.0
            answer = made_up_answers.answer(np.ones((48, 64), np.uint8), 1, frame.stamp_ns)
            writer.write_frame(frame, answer)
    findings = examined(Case(tmp_path / "recording", result, [vocabulary], []), tmp_path)
    assert findings.scores is None
    assert findings.phases[0].scores.mean_iou is None
    assert [picture.figures.number for picture in findings.pictures] == [0, 2, 4, 7, 9, 11]


def test_the_page_holds_everything_and_hides_nothing(case: Case, tmp_path: Path) -> None:
    findings = examined(case, tmp_path)
    assert findings.scores is not None
    metrics = {
        "bag": "bag <one>",
        "model": "tiny",
        "method": "clipseg",
        "device": "cpu",
        "machine": {"machine": "a small one"},
        "miou": findings.scores.mean_iou,
        "pixel_accuracy": findings.scores.pixel_accuracy,
        "frames_in": 12,
        "frames_out": 10,
        "frames_dropped": 2,
        "latency_ms": {"p50": 105.0, "p95": 111.0, "p99": 111.0},
        "command": "ovseg demo --vocabulary 'a <b>'",
    }
    context = Context(
        "Replay of <bag>", metrics, "overlay.webm", 5.0, 5.0, 10.0, case.result.call, ["A note."]
    )
    page = render(findings, context)
    assert "Replay of &lt;bag&gt;" in page
    assert "ovseg demo --vocabulary &#39;a &lt;b&gt;&#39;" in page
    assert "10 / 12" in page
    assert "answered after 40 ms" in page
    assert "street; road" in page
    assert "reconstruction" in page
    assert "A note." in page
    assert page.count("<svg") == 2
    assert len(re.findall(r'<img src="data:image/(?:jpeg|png);base64,', page)) == 4 * len(findings.pictures)
    outside = set(re.findall(r'(?:src|href)="(?!data:)([^"#]+)"', page))
    assert outside == {"overlay.webm"}
