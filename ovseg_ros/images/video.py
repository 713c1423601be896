"""Videos that every browser plays: WebM with VP8."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from ovseg_ros.errors import OvsegError


class VideoError(OvsegError):
    """A video that cannot be written."""


class VideoWriter:
    """Writes a WebM file at `rate` pictures a second; opened at the first picture, whose size it has."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path = path
        self._rate = rate
        self._size: tuple[int, int] | None = None
        self._writer: cv2.VideoWriter | None = None

    def write(self, picture: np.ndarray) -> None:
        """Add a picture, uint8 [H, W, 3] RGB with even sides; one of another size is resized.

        Raises VideoError where the file cannot be opened.
        """
        size = picture.shape[1], picture.shape[0]
        if self._writer is None:
            self._writer = self._open(size)
            self._size = size
        if size != self._size:
            picture = cv2.resize(picture, self._size)
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Write the end of the file."""
        if self._writer is not None:
            self._writer.release()

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with _silent_stderr():
            codec = cv2.VideoWriter.fourcc(*"VP80")
            writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, codec, self._rate, size)
        if not writer.isOpened():
            raise VideoError(
                f"{self._path}: no VP8 video can be written; the folder must be writable and OpenCV built "
                "with FFmpeg, as its wheels are"
            )
        return writer


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep the C library quiet: OpenCV warns of a codec tag each time it opens a WebM."""
    sys.stderr.flush()
    saved, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)
