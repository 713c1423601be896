"""What `ovseg segment` writes: overlays with a legend, label and confidence pictures, and classes.json."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from ovseg_ros.images.drawing import overlay, with_legend
from ovseg_ros.images.video import VideoWriter
from ovseg_ros.recordings.inputs import Frame, ImageSource, Source

if TYPE_CHECKING:
    from ovseg_ros.clipseg import Segmentation

_LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")


@dataclass(frozen=True)
class OutputOptions:
    """Where the results go, which of them, and how strong the overlay's colours are (0..1)."""

    folder: Path
    overlay: bool = True
    labels: bool = True
    confidence: bool = False
    alpha: float = 0.5


class FrameWriter(Protocol):
    """Writes the results of one source. Raises OvsegError or OSError."""

    def write(self, frame: Frame, image: np.ndarray, segmentation: "Segmentation") -> None:
        """Write the results of one frame; `image` is uint8 [H, W, 3] RGB."""


@contextmanager
def open_writer(source: Source, options: OutputOptions) -> Iterator[FrameWriter]:
    """The writer for a source; closed on leaving, whatever happened, so that what it has is complete."""
    if isinstance(source, ImageSource):
        yield _ImageWriter(source, options)
        return
    writer = _SequenceWriter(source, options)
    try:
        yield writer
    finally:
        writer.close()


class _ImageWriter:
    """`<name>_overlay.jpg` (.png beside lossless images), `<name>_labels.png`, `<name>_confidence.png`."""

    def __init__(self, source: Source, options: OutputOptions) -> None:
        self._options = options
        self._stem = options.folder / source.name
        self._suffix = ".png" if source.path.suffix.lower() in _LOSSLESS else ".jpg"

    def write(self, frame: Frame, image: np.ndarray, segmentation: "Segmentation") -> None:
        if self._options.overlay:
            colored = overlay(image, segmentation.labels, segmentation.vocabulary, self._options.alpha)
            picture = with_legend(colored, segmentation.vocabulary, segmentation.labels)
            _write_image(_beside(self._stem, f"_overlay{self._suffix}"), picture)
        if self._options.labels:
            _write_image(_beside(self._stem, "_labels.png"), segmentation.labels)
        if self._options.confidence:
            _write_image(_beside(self._stem, "_confidence.png"), segmentation.confidence)


class _SequenceWriter:
    """`<name>_overlay.webm`, and folders `<name>_labels` and `<name>_confidence` with a picture a frame.

    A picture is called by the frame's place in the source, with its time stamp (ns) where it has one.
    """

    def __init__(self, source: Source, options: OutputOptions) -> None:
        self._options = options
        self._stem = options.folder / source.name
        self._video = (
            VideoWriter(_beside(self._stem, "_overlay.webm"), source.rate()) if options.overlay else None
        )

    def write(self, frame: Frame, image: np.ndarray, segmentation: "Segmentation") -> None:
        if self._video is not None:
            colored = overlay(image, segmentation.labels, segmentation.vocabulary, self._options.alpha)
            self._video.write(
                with_legend(colored, segmentation.vocabulary, segmentation.labels, fixed_size=True)
            )
        name = (
            f"{frame.index:06d}.png" if frame.stamp_ns is None else f"{frame.index:06d}_{frame.stamp_ns}.png"
        )
        if self._options.labels:
            _write_image(_beside(self._stem, "_labels") / name, segmentation.labels)
        if self._options.confidence:
            _write_image(_beside(self._stem, "_confidence") / name, segmentation.confidence)

    def close(self) -> None:
        """End the video."""
        if self._video is not None:
            self._video.close()


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _write_image(path: Path, image: np.ndarray) -> None:
    """Write RGB or single-channel uint8 in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    # Encoded in memory: cv2.imwrite only says that it failed, write_bytes says why.
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
