"""A segmented frame, with what belongs to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header


@dataclass(frozen=True)
class Labelled:
    """A segmented frame.

    Attributes:
        header: the input's.
        image: uint8 [H, W, 3] RGB.
        segmentation: its `clipseg.Segmentation`.
        camera_info: the newest one when the frame was taken, None where none came.
        rectified: whether the image is free of distortion, whatever camera_info says.
        latency: gives the seconds since its stamp, NaN where unknown.
        depth: gives the depth message that belongs to it, or raises ImageError.
    """

    header: Header
    image: np.ndarray
    segmentation: Any
    camera_info: CameraInfo | None
    rectified: bool
    latency: Callable[[], float]
    depth: Callable[[], Image]
