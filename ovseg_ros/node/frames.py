"""The data that pass through the node: a frame as it arrives, what it is segmented with, what comes of it.

What a frame needs goes down with it: nothing that works on frames asks the node for its settings or words.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ovseg_ros import msg
from ovseg_ros.clipseg.config import OutputConfig
from ovseg_ros.node.depth import DepthMatch
from ovseg_ros.node.settings import InputConfig
from ovseg_ros.vocabulary import Vocabulary

if TYPE_CHECKING:  # torch is imported in *configure*, and vision_msgs is not everywhere
    from vision_msgs.msg import LabelInfo

    from ovseg_ros.clipseg import Segmentation, SmoothingState
    from ovseg_ros.node.camera import CameraInput
    from ovseg_ros.node.engine import PreparedSegmenter


@dataclass(frozen=True)
class ArrivedFrame:
    """A message as it arrived, not yet decoded; `arrived` is monotonic time in seconds."""

    message: Image | CompressedImage
    arrived: float


@dataclass(frozen=True)
class VocabularySnapshot:
    """A vocabulary with the messages that describe it, made once.

    `message.header.stamp` is when it came into force, 0 before. `label_info` is None without vision_msgs.
    """

    vocabulary: Vocabulary
    message: msg.Vocabulary
    label_info: "LabelInfo | None"


@dataclass(frozen=True)
class FrameSetup:
    """What frames are segmented and published with, from one round of the worker to the next."""

    input: InputConfig
    output: OutputConfig
    vocabulary: VocabularySnapshot
    segmenter: "PreparedSegmenter"


@dataclass(frozen=True)
class DecodedFrame:
    """A frame that is to be segmented.

    Attributes:
        header: the input's.
        image: uint8 [H, W, 3] RGB.
        depth: finds the depth message that belongs to it.
        arrived: monotonic time in seconds.
    """

    camera: "CameraInput"
    header: Header
    image: np.ndarray
    depth: DepthMatch
    smoothing: "SmoothingState | None"
    arrived: float

    @property
    def image_size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    @property
    def age(self) -> float:
        """Seconds since the frame came."""
        return time.monotonic() - self.arrived


@dataclass(frozen=True)
class LabelledFrame(DecodedFrame):
    """A segmented frame with the newest camera_info, None where none came, and what it was segmented with."""

    segmentation: "Segmentation"
    camera_info: CameraInfo | None
    setup: FrameSetup
