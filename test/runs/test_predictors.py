"""Recorded labels in the place of a model: the frames of a labelled bag give the figures of its run."""

from pathlib import Path

import numpy as np
import pytest

from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.bag_source import BagSource
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.messages import (
    COMPRESSED_IMAGE,
    CONFIDENCE_TOPIC,
    LABELS_TOPIC,
    SUMMARY_TOPIC,
    VOCABULARY_TOPIC,
)
from ovseg_ros.recordings.writer import BagWriter
from ovseg_ros.runs.loop import score_frames
from ovseg_ros.runs.predictors import RecordedLabelsError, TopicPredictor
from ovseg_ros.runs.scoring import RunScores, Scorer
from ovseg_ros.runs.sinks import LabelledBag
from ovseg_ros.vocabulary import VocabularyBuilder

from .test_scoring import IMAGE_TOPIC, Case, make_case


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


def scored(path: Path) -> RunScores:
    with BagSource(path, topic=LABELS_TOPIC) as source:
        predictor = TopicPredictor(source.bag, LABELS_TOPIC)
        scorer = Scorer(SegmentationAccumulator(source.truth_names), 0, pictures=False)
        score_frames(source.frames(SelectionConfig(), predictor.beside), predictor, scorer)
        return scorer.finish()


def test_each_frame_is_in_the_vocabulary_that_it_was_labelled_in(case: Case, tmp_path: Path) -> None:
    labelled = LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names)
    first = case.scored(labelled)
    again = scored(tmp_path / "labelled")
    assert first.metrics is not None
    assert again.metrics is not None
    assert again.metrics == first.metrics
    assert [phase.revision for phase in again.phases] == [1, 2]
    assert [frame.latency_ms for frame in again.frames if frame.revision] == [5.0] * 10


def test_several_vocabularies_need_the_summaries(case: Case, tmp_path: Path) -> None:
    case.scored(LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names))
    bag = without(tmp_path / "labelled", tmp_path / "less", SUMMARY_TOPIC)
    with pytest.raises(RecordedLabelsError, match=r"2 vocabularies.*summary"):
        scored(bag)


def test_labels_alone_with_their_names(case: Case, tmp_path: Path) -> None:
    case.scored(LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names))
    bag = without(tmp_path / "labelled", tmp_path / "less", SUMMARY_TOPIC, VOCABULARY_TOPIC, CONFIDENCE_TOPIC)
    scores = scored(bag)
    assert scores.metrics is not None
    assert scores.metrics.ece is None
    assert scores.metrics.frames == 10
    assert {frame.latency_ms for frame in scores.frames} == {None}
    nameless = without(bag, tmp_path / "least", f"{LABELS_TOPIC.rpartition('/')[0]}/label_info")
    with pytest.raises(RecordedLabelsError, match="does not say what"):
        scored(nameless)


def test_a_vocabulary_names_what_the_recording_does_not(case: Case, tmp_path: Path) -> None:
    case.scored(LabelledBag(tmp_path / "labelled", IMAGE_TOPIC, COMPRESSED_IMAGE, case.truth_names))
    words = VocabularyBuilder().build(["road", "sky"], [1, 2])
    with BagSource(tmp_path / "labelled", topic=LABELS_TOPIC) as source:
        predictor = TopicPredictor(source.bag, LABELS_TOPIC, words)
        frames = list(source.frames(SelectionConfig(limit=2), predictor.beside))
        recorded = [predictor.prepare(frame) for frame in frames]
    assert predictor.vocabularies == [words]
    assert all(item is not None and item.vocabulary is words for item in recorded)
    assert recorded[1] is not None
    assert np.array_equal(recorded[1].labels, case.labels[1])
