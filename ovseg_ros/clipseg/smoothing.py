"""Steady labels: the probabilities of the classes averaged over a camera's last frames, along the motion.

Of a frame that is t seconds old the average takes in exp(-t / T), at the place to which what it shows has
moved since. Probabilities are averaged and not logits: on rendered and driven scenes that kept more of the
mean IoU for the same steadiness, and the confidence stays a probability.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.classifier import Classifier
from ovseg_ros.images.motion import Follower, Motion

OLDEST = 5.0
"""Time constants after which a frame is forgotten wholly; it would count for 0.7 % of the newest."""

LONGEST_SIDE = 160
"""Pixels of the images that are followed: 6 or 7 a patch, and half a millisecond for the flow."""

TOLERANCE = 2.0
"""Of these pixels: a third of a patch."""


class _Seen(NamedTuple):
    """The last frame: what it looked like, when it was taken, and the words that its scores are of."""

    image: UInt8[np.ndarray, "h w"]
    stamp_ns: int
    classifier: Classifier


class _Average(NamedTuple):
    """Frames since `since_ns`: the weighted sum of their probabilities, and behind it that of the weights."""

    since_ns: int
    sums: Float[Tensor, "k+1 h w"]


class Smoother:
    """The last frames of one camera. For one thread at a time.

    Two averages are kept, the second begun half of the longest age later. When the first has reached that
    age the second takes its place, so that nothing in a result is older.

    Args:
        seconds: the time constant T, more than 0.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._follower = Follower(LONGEST_SIDE, TOLERANCE)
        self._seen: _Seen | None = None
        self._averages: list[_Average] = []

    def reset(self) -> None:
        """Forget all frames."""
        self._seen = None
        self._averages = []

    def __call__(
        self,
        scores: Float[Tensor, "k h w"],
        image: UInt8[np.ndarray, "H W 3"],
        stamp_ns: int,
        classifier: Classifier,
    ) -> Float[Tensor, "k h w"]:
        """The next frame's logits, smoothed: the logarithms of mean probabilities.

        They are the given ones where nothing can be kept: after other words, a stamp that is not later or is
        over the longest age later, or an image that shows something else.

        Args:
            scores: logits at the grid. Grids may differ from frame to frame.
            image: that they are of, RGB.
            stamp_ns: when it was taken.
            classifier: that they are by.
        """
        before, self._seen = self._seen, _Seen(self._follower.reduced(image), stamp_ns, classifier)
        averages, self._averages = self._averages, []
        if before is not None:
            averages = self._kept(averages, before, self._seen, (scores.shape[1], scores.shape[2]))
        newest = torch.cat([scores.softmax(dim=0), torch.ones_like(scores[:1])])
        current = [_Average(since, sums.add_(newest)) for since, sums in averages]
        if not current or (len(current) == 1 and self._age(current[0], stamp_ns) >= OLDEST / 2):
            current.append(_Average(stamp_ns, newest))
        self._averages = current
        return mean_logits(current[0].sums) if averages else scores

    def _kept(
        self, averages: list[_Average], before: _Seen, now: _Seen, grid: tuple[int, int]
    ) -> list[_Average]:
        """What of the averages goes on into this frame."""
        elapsed = (now.stamp_ns - before.stamp_ns) / 1e9
        averages = [average for average in averages if self._age(average, now.stamp_ns) < OLDEST]
        if elapsed <= 0 or before.classifier is not now.classifier or not averages:
            return []
        motion = self._follower.motion(before.image, now.image)
        if motion is None:
            return []
        places, followed = cells(motion, grid)
        device = averages[0].sums.device
        where = torch.from_numpy(places).to(device)
        weight = torch.from_numpy(followed).to(device) * math.exp(-elapsed / self.seconds)
        return [_Average(since, carried(sums, where) * weight) for since, sums in averages]

    def _age(self, average: _Average, stamp_ns: int) -> float:
        """In time constants."""
        return (stamp_ns - average.since_ns) / 1e9 / self.seconds


class SmoothingState(NamedTuple):
    """What the scores of one image are smoothed with.

    Attributes:
        smoother: its camera's, which holds the images before it.
        stamp_ns: when the image was taken.
    """

    smoother: Smoother
    stamp_ns: int


def cells(
    motion: Motion, grid: tuple[int, int]
) -> tuple[Float32[np.ndarray, "h w 2"], Float32[np.ndarray, "h w"]]:
    """Where each cell of a grid was, as `grid_sample` counts (x and y from -1 to 1 over the outer edges of
    the image), and the share of it, 0..1, that could be followed."""
    rows, columns = grid
    flow = cv2.resize(motion.flow, (columns, rows), interpolation=cv2.INTER_AREA)
    flow *= np.array([2 / motion.flow.shape[1], 2 / motion.flow.shape[0]], np.float32)
    x = (2 * np.arange(columns, dtype=np.float32) + 1) / columns - 1
    y = (2 * np.arange(rows, dtype=np.float32) + 1) / rows - 1
    places = flow + np.stack(np.meshgrid(x, y), axis=2)
    followed = cv2.resize(motion.followed.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return places, followed


def carried(values: Float[Tensor, "c g m"], places: Float[Tensor, "h w 2"]) -> Float[Tensor, "c h w"]:
    """Values of a grid at places of the image (as of `cells`), bilinear."""
    return F.grid_sample(
        values[None], places[None].to(values.dtype), padding_mode="border", align_corners=False
    )[0]


def mean_logits(sums: Float[Tensor, "k+1 h w"]) -> Float[Tensor, "k h w"]:
    """Logarithms of mean probabilities, from weighted sums of them and, behind these, of the weights."""
    tiny = torch.finfo(sums.dtype).tiny
    return (sums[:-1] / sums[-1:]).clamp_min_(tiny).log_()
