"""A frame with what the segmentation said of it: what replay and `ovseg evaluate` hand to the findings."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.recordings.frames import Frame
from ovseg_ros.recordings.recording import Answer
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class SentFrame:
    """A frame that was given to the segmentation; as such, one that was not answered.

    Attributes:
        number: of the frame in the order of sending, from 0.
        sent_s: when it was sent, seconds from the start; offline, when it was recorded.
        source: its messages, as they go into a labelled bag.
    """

    number: int
    sent_s: float
    source: Frame


@dataclass(frozen=True, eq=False)
class AnsweredFrame(SentFrame):
    """A frame and its labels.

    Attributes:
        image: decodes the image, uint8 [H, W, 3] RGB; raises ImageError.
        labels: ids of the vocabulary.
        confidence: of the shown label, 0..255; None where it was not recorded.
        vocabulary: that the labels are in.
        truth: ids of the ground truth, None for a frame without.
        latency_ms: from sending to labels; offline, the time of inference; None where labels were read.
        answer: the messages of the answer; None where there are none, they are made when they are needed.
    """

    image: Callable[[], UInt8[np.ndarray, "H W 3"]]
    labels: UInt8[np.ndarray, "H W"]
    confidence: UInt8[np.ndarray, "H W"] | None
    vocabulary: Vocabulary
    truth: UInt8[np.ndarray, "H W"] | None
    latency_ms: float | None
    answer: Answer | None = None
