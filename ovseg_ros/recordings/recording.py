"""The labelled bag: a replayed bag's images and truth with what the node answered, in order of time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from ovseg_ros.recordings.bag import TRUTH_INFO_TOPIC, TRUTH_TOPIC, Bag
from ovseg_ros.recordings.frames import Frame
from ovseg_ros.recordings.message_types import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    SUMMARY,
    VOCABULARY,
    make_header,
    message_types,
)
from ovseg_ros.recordings.messages import (
    CONFIDENCE_TOPIC,
    LABEL_INFO_TOPIC,
    LABELS_TOPIC,
    OVERLAY_TOPIC,
    SUMMARY_TOPIC,
    VOCABULARY_TOPIC,
    read_vocabulary_message,
)
from ovseg_ros.recordings.writer import BagWriter

__all__ = [
    "CONFIDENCE_TOPIC",
    "LABELS_TOPIC",
    "LABEL_INFO_TOPIC",
    "OVERLAY_TOPIC",
    "SUMMARY_TOPIC",
    "VOCABULARY_TOPIC",
    "Answer",
    "AnswerLog",
    "LabelledBagWriter",
    "read_vocabulary_message",
]

_LOGGED = {LABELS_TOPIC: IMAGE, CONFIDENCE_TOPIC: IMAGE, SUMMARY_TOPIC: SUMMARY}


@dataclass(frozen=True)
class Answer:
    """What the node said to one frame, each as CDR bytes; `revision` is that of the vocabulary it used."""

    labels: bytes
    confidence: bytes
    summary: bytes
    revision: int


class LabelledBagWriter:
    """Writes a labelled bag; frames come in the order of the source bag.

    Every message is logged at the time at which the source has the frame's image, or a nanosecond after
    the message before: readers do not agree on the order of messages of one time.
    """

    def __init__(self, bag: BagWriter, image_topic: str, image_type: str) -> None:
        self._bag = bag
        self._image_topic = image_topic
        self._last_ns = 0
        bag.add_topic(image_topic, image_type)
        bag.add_topic(TRUTH_TOPIC, IMAGE)
        bag.add_topic(TRUTH_INFO_TOPIC, LABEL_INFO, latched=True)
        bag.add_topic(LABELS_TOPIC, IMAGE)
        bag.add_topic(CONFIDENCE_TOPIC, IMAGE)
        bag.add_topic(SUMMARY_TOPIC, SUMMARY)
        bag.add_topic(VOCABULARY_TOPIC, VOCABULARY, latched=True)
        bag.add_topic(LABEL_INFO_TOPIC, LABEL_INFO, latched=True)
        bag.add_topic(OVERLAY_TOPIC, COMPRESSED_IMAGE)

    def write_truth_info(self, data: bytes, log_ns: int) -> None:
        """The names of the truth, before the first frame."""
        self._write(TRUTH_INFO_TOPIC, data, log_ns)

    def write_vocabulary(self, vocabulary: bytes, label_info: bytes | None, log_ns: int) -> None:
        """A vocabulary that came into force, before the first frame labelled with it."""
        self._write(VOCABULARY_TOPIC, vocabulary, log_ns)
        if label_info is not None:
            self._write(LABEL_INFO_TOPIC, label_info, log_ns)

    def write_frame(self, frame: Frame, answer: Answer | None) -> None:
        """An image with its truth, and the answer where there was one."""
        log_ns = frame.image.log_ns
        self._write(self._image_topic, frame.image.data, log_ns)
        if frame.truth is not None:
            self._write(TRUTH_TOPIC, frame.truth.data, log_ns)
        if answer is not None:
            self._write(LABELS_TOPIC, answer.labels, log_ns)
            self._write(CONFIDENCE_TOPIC, answer.confidence, log_ns)
            self._write(SUMMARY_TOPIC, answer.summary, log_ns)

    def write_overlay(self, picture: np.ndarray, stamp_ns: int, log_ns: int) -> None:
        """The overlay of a frame, uint8 [H, W, 3] RGB, as JPEG."""
        jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].reshape(-1)
        message = message_types().types[COMPRESSED_IMAGE](
            header=make_header(stamp_ns), format="rgb8; jpeg compressed bgr8", data=jpeg
        )
        self._write(OVERLAY_TOPIC, message_types().serialize_cdr(message, COMPRESSED_IMAGE), log_ns)

    def _write(self, topic: str, data: bytes | memoryview, log_ns: int) -> None:
        self._last_ns = max(log_ns, self._last_ns + 1)
        self._bag.write_cdr(topic, data, self._last_ns)


class AnswerLog:
    """The answers of a run on disk, by the number of the frame; use as a context manager while writing.

    They are kept as a bag in which the time of a message is the frame's number: no image is written while a
    run is measured, and memory does not grow with it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bag = BagWriter(path)

    def __enter__(self) -> "AnswerLog":
        self._bag.__enter__()
        for name, kind in _LOGGED.items():
            self._bag.add_topic(name, kind)
        return self

    def __exit__(self, *exception: object) -> None:
        self._bag.__exit__(*exception)

    def write(self, number: int, labels: bytes, confidence: bytes, summary: bytes) -> None:
        """The answer to a frame, as CDR bytes."""
        for name, data in zip(_LOGGED, (labels, confidence, summary), strict=True):
            self._bag.write_cdr(name, data, number)

    def read(self) -> Iterator[tuple[int, Answer]]:
        """The answers in the order of the frames' numbers, once writing has ended."""
        with Bag(self._path) as bag:
            for number, group in groupby(bag.messages(list(_LOGGED)), key=lambda message: message.log_ns):
                parts = {message.topic: message for message in group}
                labels, confidence, summary = (parts[name].data for name in _LOGGED)
                revision = bag.read(parts[SUMMARY_TOPIC]).vocabulary_revision
                yield number, Answer(labels, confidence, summary, int(revision))
