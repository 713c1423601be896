"""The node's messages: from vocabularies and segmentations to messages and back, for rclpy and bags alike.

What makes a message is handed in: the node has a factory of its own, `message_types.make_message` is that for
bags. So whatever is recorded and whatever is published says the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.recordings.message_types import (
    IMAGE,
    LABEL_INFO,
    SUMMARY,
    VOCABULARY,
    image_message,
    make_header,
    make_message,
    message_types,
)
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary, VocabularyClass
from ovseg_ros.vocabulary.phrases import color_of

LABELS_TOPIC = "/segmenter/labels"
CONFIDENCE_TOPIC = "/segmenter/confidence"
SUMMARY_TOPIC = "/segmenter/summary"
VOCABULARY_TOPIC = "/segmenter/vocabulary"
LABEL_INFO_TOPIC = "/segmenter/label_info"
OVERLAY_TOPIC = "/segmenter/overlay/compressed"

MakeMessage = Callable[..., Any]
"""Makes a message: make("ovseg_ros/msg/Vocabulary", revision=1); fields that are not given are empty."""


class ClassShare(Protocol):
    """What a summary says of a class, as `clipseg.ClassStats` has it."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def share(self) -> float: ...
    @property
    def mean_confidence(self) -> float: ...
    @property
    def peak_confidence(self) -> float: ...


def vocabulary_message(make: MakeMessage, vocabulary: Vocabulary, header: Any, topics: Sequence[str]) -> Any:
    """ovseg_ros/Vocabulary; the header's stamp says when it came into force, `topics` are its classes'
    confidence topics."""
    classes = []
    for entry, topic in zip(vocabulary.classes, topics, strict=True):
        red, green, blue = (value / 255 for value in entry.color)
        classes.append(
            make(
                "ovseg_ros/msg/VocabularyClass",
                id=entry.id,
                name=entry.name,
                synonyms=list(entry.synonyms),
                threshold=vocabulary.threshold_of(entry),
                cost=vocabulary.cost_of(entry),
                color=make("std_msgs/msg/ColorRGBA", r=red, g=green, b=blue, a=1.0),
                confidence_topic=topic,
            )
        )
    return make(
        VOCABULARY,
        header=header,
        revision=vocabulary.revision,
        classes=classes,
        background=list(vocabulary.background),
        threshold=vocabulary.threshold,
        has_costs=vocabulary.has_costs,
        default_cost=vocabulary.default_cost,
    )


def read_vocabulary_message(message: Any) -> Vocabulary:
    """An ovseg_ros/Vocabulary message as a Vocabulary. Where it has costs, each class has its own."""
    classes = tuple(
        VocabularyClass(
            id=int(entry.id),
            name=entry.name,
            synonyms=tuple(entry.synonyms),
            color=color_of(entry.name),
            slug=entry.confidence_topic.rpartition("/")[2],
            threshold=float(entry.threshold),
            cost=int(entry.cost) if message.has_costs else None,
        )
        for entry in message.classes
    )
    return Vocabulary(
        classes,
        tuple(message.background),
        float(message.threshold),
        int(message.revision),
        int(message.default_cost),
    )


def summary_message(
    make: MakeMessage,
    header: Any,
    vocabulary: Vocabulary,
    classes: Sequence[ClassShare],
    topics: Mapping[int, str],
    *,
    unlabelled_share: float,
    inference_ms: float,
    latency_ms: float,
) -> Any:
    """ovseg_ros/SegmentationSummary of one frame.

    `topics` has confidence topics by class id; `latency_ms` is from the header's stamp, NaN where unknown.
    """
    return make(
        SUMMARY,
        header=header,
        vocabulary_revision=vocabulary.revision,
        classes=[
            make(
                "ovseg_ros/msg/ClassSummary",
                id=entry.id,
                name=entry.name,
                share=entry.share,
                mean_confidence=entry.mean_confidence,
                peak_confidence=entry.peak_confidence,
                confidence_topic=topics[entry.id],
            )
            for entry in classes
        ],
        unlabelled_share=unlabelled_share,
        inference_ms=inference_ms,
        latency_ms=latency_ms,
    )


def label_info_message(
    make: MakeMessage, names: Mapping[int, str], header: Any, threshold: float = 0.0
) -> Any:
    """vision_msgs/LabelInfo with these names by id."""
    entries = [
        make("vision_msgs/msg/VisionClass", class_id=number, class_name=name)
        for number, name in sorted(names.items())
    ]
    return make(LABEL_INFO, header=header, class_map=entries, threshold=threshold)


def label_names(vocabulary: Vocabulary) -> dict[int, str]:
    """The name of every value that a label of a vocabulary can have."""
    names = {BACKGROUND_ID: "background", UNLABELLED_ID: "unlabelled"}
    return names | {entry.id: entry.name for entry in vocabulary.classes}


def truth_info_cdr(names: Mapping[int, str], stamp_ns: int) -> bytes:
    """The LabelInfo of ground truth with these names by id, serialized."""
    return _cdr(label_info_message(make_message, names, make_header(stamp_ns)), LABEL_INFO)


def vocabulary_messages(vocabulary: Vocabulary, stamp_ns: int) -> dict[str, bytes]:
    """What the node publishes when a vocabulary comes into force, serialized, by topic."""
    header = make_header(stamp_ns)
    topics = [f"{CONFIDENCE_TOPIC}/{entry.slug}" for entry in vocabulary.classes]
    message = vocabulary_message(make_message, vocabulary, header, topics)
    info = label_info_message(make_message, label_names(vocabulary), header, vocabulary.threshold)
    return {VOCABULARY_TOPIC: _cdr(message, VOCABULARY), LABEL_INFO_TOPIC: _cdr(info, LABEL_INFO)}


def prediction_messages(
    labels: UInt8[np.ndarray, "H W"],
    confidence: UInt8[np.ndarray, "H W"],
    vocabulary: Vocabulary,
    classes: Sequence[ClassShare],
    inference_ms: float,
    stamp_ns: int,
) -> dict[str, bytes]:
    """What the node publishes of one frame (labels, confidence and summary), serialized, by topic."""
    summary = summary_message(
        make_message,
        make_header(stamp_ns),
        vocabulary,
        classes,
        {entry.id: f"{CONFIDENCE_TOPIC}/{entry.slug}" for entry in vocabulary.classes},
        unlabelled_share=float(np.count_nonzero(labels == UNLABELLED_ID) / labels.size),
        inference_ms=inference_ms,
        latency_ms=float("nan"),
    )
    return {
        LABELS_TOPIC: _cdr(image_message(labels, "mono8", stamp_ns), IMAGE),
        CONFIDENCE_TOPIC: _cdr(image_message(confidence, "mono8", stamp_ns), IMAGE),
        SUMMARY_TOPIC: _cdr(summary, SUMMARY),
    }


def _cdr(message: Any, kind: str) -> bytes:
    return bytes(message_types().serialize_cdr(message, kind))
