"""The labelled bag of a run, frame by frame."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ovseg_ros.recordings.answer_messages import label_info_cdr, vocabulary_cdr, vocabulary_info_cdr
from ovseg_ros.recordings.bag import TRUTH_TOPIC
from ovseg_ros.recordings.frame import Message
from ovseg_ros.recordings.message_types import IMAGE, image_message, message_types
from ovseg_ros.recordings.recording import LabelledBagWriter
from ovseg_ros.recordings.writer import BagWriter
from ovseg_ros.runs.answered_frame import AnsweredFrame, SentFrame
from ovseg_ros.runs.results import FrameResult


class LabelledBag:
    """Writes image, truth, labels, confidence, summary and overlay of every frame, and each vocabulary before
    the first frame in it.

    Args:
        path: the new bag. Raises BagError where it exists.
        image_topic, image_type: of the images.
        truth_names: names of the truth's classes by id; none where there is no truth.
    """

    def __init__(self, path: Path, image_topic: str, image_type: str, truth_names: Mapping[int, str]) -> None:
        self._bag = BagWriter(path)
        self._topic = (image_topic, image_type)
        self._truth_names = truth_names
        self._writer: LabelledBagWriter | None = None
        self._revisions: set[int] = set()

    def __enter__(self) -> "LabelledBag":
        self._bag.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bag.__exit__(*exception)

    def write(self, frame: SentFrame) -> None:
        """A frame without answer."""
        self._opened(frame).write_frame(frame.source, None)

    def write_answered(
        self, frame: AnsweredFrame, figures: FrameResult, image: np.ndarray, colored: np.ndarray
    ) -> None:
        """An answered frame and its overlay, uint8 [H, W, 3] RGB."""
        writer, log_ns, vocabulary = self._opened(frame), frame.source.image.log_ns, frame.vocabulary
        if vocabulary.revision not in self._revisions:
            self._revisions.add(vocabulary.revision)
            info = vocabulary_info_cdr(vocabulary, frame.source.stamp_ns)
            writer.write_vocabulary(vocabulary_cdr(vocabulary, frame.source.stamp_ns), info, log_ns)
        source = frame.source
        if frame.truth is not None:  # as it was decoded: that is what the names belong to
            message = image_message(np.ascontiguousarray(frame.truth), "mono8", source.stamp_ns)
            data = bytes(message_types().serialize_cdr(message, IMAGE))
            source = replace(source, truth=Message(TRUTH_TOPIC, IMAGE, log_ns, data, source.stamp_ns))
        writer.write_frame(source, frame.answer)
        writer.write_overlay(colored, frame.source.stamp_ns, log_ns)

    def _opened(self, frame: SentFrame) -> LabelledBagWriter:
        """The writer, which begins with the names of the truth."""
        if self._writer is None:
            self._writer = LabelledBagWriter(self._bag, *self._topic)
            if self._truth_names:
                log_ns = frame.source.image.log_ns
                self._writer.write_truth_info(label_info_cdr(self._truth_names, log_ns), log_ns)
        return self._writer
