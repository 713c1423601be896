"""Answers and vocabularies as serialized messages, by the names of before."""

from collections.abc import Mapping, Sequence

import numpy as np

from ovseg_ros.recordings.messages import (
    LABEL_INFO_TOPIC,
    VOCABULARY_TOPIC,
    ClassShare,
    prediction_messages,
    truth_info_cdr,
    vocabulary_messages,
)
from ovseg_ros.recordings.recording import Answer
from ovseg_ros.vocabulary import Vocabulary


def make_answer(
    labels: np.ndarray,
    confidence: np.ndarray,
    vocabulary: Vocabulary,
    stats: Sequence[ClassShare],
    inference_ms: float,
    stamp_ns: int,
) -> Answer:
    """Labels, confidence and summary of one frame."""
    messages = prediction_messages(labels, confidence, vocabulary, stats, inference_ms, stamp_ns)
    return Answer(*messages.values(), vocabulary.revision)  # type: ignore[call-arg, arg-type]


def vocabulary_cdr(vocabulary: Vocabulary, stamp_ns: int) -> bytes:
    """`~/vocabulary`."""
    return vocabulary_messages(vocabulary, stamp_ns)[VOCABULARY_TOPIC]


def vocabulary_info_cdr(vocabulary: Vocabulary, stamp_ns: int) -> bytes:
    """`~/label_info`."""
    return vocabulary_messages(vocabulary, stamp_ns)[LABEL_INFO_TOPIC]


def label_info_cdr(names: Mapping[int, str], stamp_ns: int) -> bytes:
    """A LabelInfo with these names by id."""
    return truth_info_cdr(names, stamp_ns)
