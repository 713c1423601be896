"""Image and video files to run `ovseg` on, and a segmenter that costs nothing."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from ovseg_ros.vocabulary import Vocabulary


class FakeSegmenter:
    """Red pixels get the first class, all others the second; `before` is called with each image's number."""

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []
        self.settings: list[dict[str, Any]] = []
        self.before: Callable[[int], None] = lambda number: None
        self.description = {"model": "fake", "method": "clipseg", "device": "cpu", "precision": "float32"}

    def encode(self, vocabulary: Vocabulary) -> SimpleNamespace:
        return SimpleNamespace(vocabulary=vocabulary)

    def segment(self, image: np.ndarray, classifier: Any, **settings: Any) -> SimpleNamespace:
        self.images.append(image)
        self.settings.append(settings)
        self.before(len(self.images))
        first, second = (cls.id for cls in classifier.vocabulary.classes[:2])
        return SimpleNamespace(
            labels=np.where(image[..., 0] > 127, first, second).astype(np.uint8),
            confidence=np.full(image.shape[:2], 51, np.uint8),
            vocabulary=classifier.vocabulary,
            inference_ms=float(len(self.images)),
        )


def save_picture(path: Path, red: float = 0.5, size: tuple[int, int] = (60, 80)) -> Path:
    """An image file of height and width `size`, the left part red, the rest black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(red, size))
    return path


def picture(red: float = 0.5, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """What `save_picture` saves, BGR."""
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[:, : round(red * size[1]), 2] = 255
    return pixels


def save_video(path: Path, frames: int, rate: float = 8.0) -> Path:
    """A video whose n-th frame is red in n tenths of its width."""
    codec = {".mp4": "mp4v", ".avi": "MJPG"}[path.suffix]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, (80, 60))
    for number in range(frames):
        writer.write(picture(number / 10))
    writer.release()
    return path


def read_video(path: Path) -> list[np.ndarray]:
    """All frames of a video."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (answer := capture.read())[0]:
        frames.append(answer[1])
    return frames
