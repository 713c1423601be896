"""How the image moved from one frame of a camera to the next, by dense optical flow.

The flow is OpenCV's inverse search on patches (Kroeger et al., Fast Optical Flow using Dense Inverse Search,
ECCV 2016), at a small size. Plain NumPy and OpenCV, without ROS and without torch.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

NARROWEST = 0.5
"""Ratio of the sides to which narrower images are stretched: the flow's coarsest level, whose scale goes by
the longer side, must hold a patch of 8 pixels (OpenCV reads beyond the image otherwise)."""

LEAST_FOLLOWED = 0.5
"""Share of the image that must be found again, or the frames show different things. In rendered and driven
scenes 430 of 440 pairs of consecutive frames passed (the others turn too fast), and none of 500 cuts."""

LEAST_ALIKE = 0.3
"""Correlation of the brightness along the motion below which the frames show different things, however well
flows agree: without texture they agree on anything."""

NOISE = 4.0
"""Grey levels of deviation below which an image has no texture to compare."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Where what a frame shows was in the frame before.

    Attributes:
        flow: from each pixel of the new frame to its former place, columns and rows, in pixels of this size.
        followed: whether that place is inside the image, and leads back here.
    """

    flow: Float32[np.ndarray, "h w 2"]
    followed: Bool[np.ndarray, "h w"]

    def carried(self, before: UInt8[np.ndarray, "H W"], lost: int) -> UInt8[np.ndarray, "H W"]:
        """A label image of the frame before, as the new frame sees it; `lost` where it is not followed."""
        height, width = before.shape
        small_height, small_width = self.flow.shape[:2]
        scale = np.array([width / small_width, height / small_height], np.float32)
        x, y = _sources(cv2.resize(self.flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale)
        found = cv2.remap(before, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=lost)
        followed = cv2.resize(
            self.followed.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
        )
        return np.where(followed > 0, found, np.uint8(lost))


class Follower:
    """Follows a camera's image. For one thread at a time.

    Args:
        longest: side of the small images that are compared, in pixels.
        tolerance: greatest error of the flow to the former frame and back, in these pixels.
    """

    def __init__(self, longest: int, tolerance: float) -> None:
        self._longest = longest
        self._tolerance = tolerance
        # The stubs of OpenCV lack it.
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)  # type: ignore[attr-defined]

    def reduced(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w"]:
        """An RGB image as `motion` takes it: small and grey."""
        height, width = image.shape[:2]
        least = NARROWEST * max(height, width)
        scale = self._longest / max(height, width)
        size = (round(max(width, least) * scale), round(max(height, least) * scale))
        return cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)

    def motion(self, before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]) -> Motion | None:
        """The motion between two reduced frames; None where they show different things, or have two sizes."""
        if before.shape != after.shape:
            return None
        flow = self._flow.calc(after, before, None)
        back = self._flow.calc(before, after, None)
        x, y = _sources(flow)
        missed = flow + cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        miss_x, miss_y = missed[..., 0], missed[..., 1]
        height, width = after.shape
        followed = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
        followed &= miss_x * miss_x + miss_y * miss_y < self._tolerance**2
        if np.count_nonzero(followed) < LEAST_FOLLOWED * followed.size:
            return None
        found = cv2.remap(before, x, y, cv2.INTER_LINEAR)
        return Motion(flow, followed) if _alike(found[followed], after[followed]) else None


def _alike(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether brightness that should be the same is, but for exposure: by the coefficient of correlation."""
    a, b = (values.astype(np.float32) for values in (before, after))
    a -= a.mean()
    b -= b.mean()
    power_a, power_b = float(a @ a), float(b @ b)
    if max(power_a, power_b) < NOISE**2 * a.size:
        return True
    return bool(float(a @ b) > LEAST_ALIKE * (power_a * power_b) ** 0.5)


def _sources(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows that a flow leads to."""
    height, width = flow.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return flow[..., 0] + columns, flow[..., 1] + rows[:, None]
