"""A frame with the labels that were predicted for it; a frame without a prediction was dropped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.recordings.frame import Frame
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Prediction:
    """The labels of one frame, of whatever origin: the model, the node, or a recording.

    Attributes:
        frame: that they belong to.
        labels: ids of the vocabulary.
        confidence: of the shown label, 0..255; None where it was not recorded.
        vocabulary: of the labels.
        latency_ms: from sending to labels; offline, the time of inference; None where it is not known.
        sent_s: when the frame was sent, seconds from the start; offline, when it was recorded.
        messages: serialises the node's messages for the frame (labels, confidence and summary, CDR bytes by
            topic); None where a labelled bag is not wanted.
    """

    frame: Frame
    labels: UInt8[np.ndarray, "H W"]
    confidence: UInt8[np.ndarray, "H W"] | None
    vocabulary: Vocabulary
    latency_ms: float | None
    sent_s: float
    messages: Callable[[], Mapping[str, bytes]] | None = None
