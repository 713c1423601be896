"""The video of a run: image and overlay beside each other, with a line of figures and a legend."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ovseg_ros.images.drawing import with_legend
from ovseg_ros.images.video import VideoWriter
from ovseg_ros.runs.answered_frame import AnsweredFrame, SentFrame
from ovseg_ros.runs.results import FrameResult
from ovseg_ros.vocabulary import Vocabulary

PANEL_WIDTH = 640

RATES = (4.0, 30.0)
"""Least and most frames a second that are pleasant to watch."""

_PHASE_COLORS = ((45, 55, 72), (124, 58, 237), (3, 105, 161), (180, 83, 9))


def phase_color(revision: int) -> tuple[int, int, int]:
    """RGB (0..255) that stands for a vocabulary revision in video and report."""
    return _PHASE_COLORS[(revision - 1) % len(_PHASE_COLORS)]


class OverlayVideo:
    """Writes the answered frames. Its pictures are of one size, whatever the vocabularies.

    Args:
        path: the WebM file.
        rate: pictures a second, brought within `RATES`.
        vocabularies: all that frames will come with.

    Attributes:
        rate: pictures a second.
        poster: the first picture, RGB uint8; None before there is one.
    """

    def __init__(self, path: Path, rate: float, vocabularies: Sequence[Vocabulary]) -> None:
        self.rate = float(np.clip(rate, *RATES))
        self._video = VideoWriter(path, self.rate)
        self._vocabularies = vocabularies
        self._canvas: tuple[int, int] | None = None
        self.poster: np.ndarray | None = None

    def __enter__(self) -> "OverlayVideo":
        return self

    def __exit__(self, *exception: object) -> None:
        self._video.close()

    def write(self, frame: SentFrame) -> None:
        """A frame without answer is not shown."""

    def write_answered(
        self, frame: AnsweredFrame, figures: FrameResult, image: np.ndarray, colored: np.ndarray
    ) -> None:
        """Add a picture; `image` and its overlay are uint8 [H, W, 3] RGB. Raises VideoError."""
        picture = self._picture(frame, figures, image, colored)
        self._video.write(picture)
        self.poster = picture if self.poster is None else self.poster

    def _picture(
        self, frame: AnsweredFrame, figures: FrameResult, image: np.ndarray, colored: np.ndarray
    ) -> np.ndarray:
        scale = min(1.0, PANEL_WIDTH / image.shape[1])
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        both = np.hstack(
            [cv2.resize(panel, size, interpolation=cv2.INTER_AREA) for panel in (image, colored)]
        )
        if self._canvas is None:
            blank = np.zeros((2, 2), np.uint8)
            sizes = [
                with_legend(both, words, blank, fixed_size=True).shape
                for words in (frame.vocabulary, *self._vocabularies)
            ]
            self._canvas = max(height for height, _, _ in sizes), max(width for _, width, _ in sizes)
        picture = with_legend(both, frame.vocabulary, frame.labels, fixed_size=True)
        height, width = self._canvas
        below, right = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return np.vstack([_banner(picture.shape[1], frame.vocabulary, figures), picture])


def _banner(width: int, vocabulary: Vocabulary, figures: FrameResult) -> np.ndarray:
    height = 2 * round(max(24, width / 32) / 2)
    banner = np.full((height, width, 3), phase_color(vocabulary.revision), np.uint8)
    text = f"frame {figures.number + 1}   vocabulary {vocabulary.revision}"
    if figures.latency_ms is not None:
        text += f"   {figures.latency_ms:.0f} ms"
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, round(0.42 * height), 1)
    place = (round(0.4 * height), round(0.71 * height))
    cv2.putText(banner, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return banner
