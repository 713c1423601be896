"""What the node would publish, as CDR bytes, for frames that were labelled without it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8
from rosbags.interfaces import Nodetype

from ovseg_ros.graph.graph_names import NODE_NAME
from ovseg_ros.recordings.message_types import (
    IMAGE,
    LABEL_INFO,
    SUMMARY,
    VOCABULARY,
    image_message,
    make_header,
    message_types,
)
from ovseg_ros.recordings.recording import Answer
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary

_TOPIC = f"/{NODE_NAME}/confidence"


class Stats(Protocol):
    """What a summary tells of a class, as `clipseg.ClassStats` has it."""

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


def make_answer(
    labels: UInt8[np.ndarray, "H W"],
    confidence: UInt8[np.ndarray, "H W"],
    vocabulary: Vocabulary,
    stats: Sequence[Stats],
    inference_ms: float,
    stamp_ns: int,
) -> Answer:
    """Labels, confidence and summary of one frame."""
    slugs = {entry.id: entry.slug for entry in vocabulary.classes}
    summary = new_message(
        SUMMARY,
        header=make_header(stamp_ns),
        vocabulary_revision=vocabulary.revision,
        classes=[
            new_message(
                "ovseg_ros/msg/ClassSummary",
                id=entry.id,
                name=entry.name,
                share=entry.share,
                mean_confidence=entry.mean_confidence,
                peak_confidence=entry.peak_confidence,
                confidence_topic=f"{_TOPIC}/{slugs[entry.id]}",
            )
            for entry in stats
        ],
        unlabelled_share=float(np.count_nonzero(labels == UNLABELLED_ID) / labels.size),
        inference_ms=inference_ms,
        latency_ms=float("nan"),
    )
    return Answer(
        _cdr(image_message(labels, "mono8", stamp_ns), IMAGE),
        _cdr(image_message(confidence, "mono8", stamp_ns), IMAGE),
        _cdr(summary, SUMMARY),
        vocabulary.revision,
    )


def vocabulary_cdr(vocabulary: Vocabulary, stamp_ns: int) -> bytes:
    """`~/vocabulary`."""
    classes = []
    for entry in vocabulary.classes:
        red, green, blue = (value / 255 for value in entry.color)
        classes.append(
            new_message(
                "ovseg_ros/msg/VocabularyClass",
                id=entry.id,
                name=entry.name,
                synonyms=list(entry.synonyms),
                threshold=vocabulary.threshold_of(entry),
                color=new_message("std_msgs/msg/ColorRGBA", r=red, g=green, b=blue, a=1.0),
                confidence_topic=f"{_TOPIC}/{entry.slug}",
            )
        )
    message = new_message(
        VOCABULARY,
        header=make_header(stamp_ns),
        revision=vocabulary.revision,
        classes=classes,
        background=list(vocabulary.background),
        threshold=vocabulary.threshold,
    )
    return _cdr(message, VOCABULARY)


def vocabulary_info_cdr(vocabulary: Vocabulary, stamp_ns: int) -> bytes:
    """`~/label_info`."""
    names = {entry.id: entry.name for entry in vocabulary.classes}
    names |= {BACKGROUND_ID: "background", UNLABELLED_ID: "unlabelled"}
    return label_info_cdr(names, stamp_ns, vocabulary.threshold)


def label_info_cdr(names: Mapping[int, str], stamp_ns: int, threshold: float = 0.0) -> bytes:
    """A LabelInfo with these names by id."""
    entries = [
        new_message("vision_msgs/msg/VisionClass", class_id=number, class_name=name)
        for number, name in sorted(names.items())
    ]
    message = new_message(LABEL_INFO, header=make_header(stamp_ns), class_map=entries, threshold=threshold)
    return _cdr(message, LABEL_INFO)


def new_message(kind: str, **fields: Any) -> Any:
    """A message with these fields and the rest empty, as `rosidl` makes it, whatever fields were added."""
    for name, (node, detail) in message_types().fielddefs[kind][1]:
        if name not in fields:
            fields[name] = _blank(node, detail)
    return message_types().types[kind](**fields)


def _blank(node: Nodetype, detail: Any) -> Any:
    if node == Nodetype.BASE:
        kind = detail[0]
        return "" if kind == "string" else False if kind == "bool" else 0.0 if "float" in kind else 0
    return new_message(detail) if node == Nodetype.NAME else []


def _cdr(message: Any, kind: str) -> bytes:
    return bytes(message_types().serialize_cdr(message, kind))
