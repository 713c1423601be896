"""Recorded labels in the place of a model: the frames of a labelled bag give the figures of its run."""

from pathlib import Path

import numpy as np
import pytest

from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.labelled_bag import LabelledBag
from ovseg_ros.recordings.message_types import COMPRESSED_IMAGE
from ovseg_ros.recordings.recording import CONFIDENCE_TOPIC, LABELS_TOPIC, SUMMARY_TOPIC, VOCABULARY_TOPIC
from ovseg_ros.recordings.source import BagSource, FramePart
from ovseg_ros.recordings.writer import BagWriter
from ovseg_ros.runs.findings import Findings, FindingsBuilder
from ovseg_ros.runs.loop import evaluate_frames
from ovseg_ros.runs.recorded_labels import RecordedLabelsError, TopicLabels
from ovseg_ros.vocabulary import VocabularyBuilder

from .test_findings import IMAGE_TOPIC, Case, make_case


@pytest.fixture
def case(dataset: Path, tmp_path: Path) -> Case:
    return make_case(tmp_path)


def without(path: Path, copy: Path, *topics: str) -> Path:
    """A bag without some topics."""
    with Bag(path) as bag, BagWriter(copy) as writer:
        kept = [topic for topic in bag.topics if topic.name not in topics and topic.count]
        for topic in kept:
            writer.add_topic(topic.name, topic.type)
        for message in bag.messages([topic.name for topic in kept]):
            writer.write_cdr(message.topic, message.data, message.log_ns)
    return copy


def scored(path: Path) -> Findings:
    with BagSource(path, image_topic=LABELS_TOPIC) as source:
        labels = TopicLabels(source.bag, LABELS_TOPIC)
        source.beside = labels.topics
        builder = FindingsBuilder(SegmentationAccumulator(source.truth_names), 0, pictures=False)
        return evaluate_frames(source.frames(FramePart()), labels, builder).findings


def test_each_frame_is_in_the_vocabulary_that_it_was_labelled_in(case: Case, tmp_path: Path) -> None:
    labelled = LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names)
    first = case.examined(labelled)
    again = scored(tmp_path / "labelled")
    assert first.quality is not None
    assert again.quality is not None
    assert again.quality == first.quality
    assert [phase.vocabulary.revision for phase in again.phases] == [1, 2]
    assert again.latencies == [5.0] * 10


def test_several_vocabularies_need_the_summaries(case: Case, tmp_path: Path) -> None:
    case.examined(LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names))
    bag = without(tmp_path / "labelled", tmp_path / "less", SUMMARY_TOPIC)
    with pytest.raises(RecordedLabelsError, match=r"2 vocabularies.*summary"):
        scored(bag)


def test_labels_alone_with_their_names(case: Case, tmp_path: Path) -> None:
    case.examined(LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names))
    bag = without(tmp_path / "labelled", tmp_path / "less", SUMMARY_TOPIC, VOCABULARY_TOPIC, CONFIDENCE_TOPIC)
    findings = scored(bag)
    assert findings.quality is not None
    assert findings.quality.ece is None
    assert findings.quality.frames == 10
    assert findings.latencies == []
    nameless = without(bag, tmp_path / "least", f"{LABELS_TOPIC.rpartition('/')[0]}/label_info")
    with pytest.raises(RecordedLabelsError, match="does not say what"):
        scored(nameless)


def test_a_vocabulary_names_what_the_recording_does_not(case: Case, tmp_path: Path) -> None:
    case.examined(LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names))
    words = VocabularyBuilder().build(["road", "sky"], [1, 2])
    with BagSource(tmp_path / "labelled", image_topic=LABELS_TOPIC) as source:
        labels = TopicLabels(source.bag, LABELS_TOPIC, words)
        source.beside = labels.topics
        frames = list(source.frames(FramePart(limit=2)))
        recorded = [labels.prepare(frame) for frame in frames]
    assert labels.vocabularies == [words]
    assert all(item is not None and item[2] is words for item in recorded)
    assert recorded[1] is not None
    assert np.array_equal(recorded[1][0], case.labels[1])
