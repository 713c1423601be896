"""The frames of a report: image, truth, prediction and confidence side by side, and their legend."""

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ovseg_ros.images.drawing import colorize
from ovseg_ros.report.figures import percent
from ovseg_ros.runs.results import FrameResult
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary

_PANEL_WIDTH = 440
_GAP = 6


@dataclass(frozen=True, eq=False)
class Picture:
    """One frame to look at; `truth` in the vocabulary's ids (255: not counted), None for a frame without, as
    is `confidence`."""

    title: str
    score: FrameResult
    vocabulary: Vocabulary
    image: UInt8[np.ndarray, "H W 3"]
    labels: UInt8[np.ndarray, "h w"]
    confidence: UInt8[np.ndarray, "h w"] | None
    truth: UInt8[np.ndarray, "H W"] | None


def panels(picture: Picture) -> list[tuple[str, np.ndarray, bool]]:
    """Image, prediction, and truth and confidence where they are there, all of one size: name, uint8
    [h, w, 3] RGB, and whether it is a photograph (or a flat picture of labels)."""
    found = [("image", picture.image, True)]
    if picture.truth is not None:
        found.append(("ground truth", colorize(picture.truth, picture.vocabulary), False))
    found.append(("prediction", colorize(picture.labels, picture.vocabulary), False))
    if picture.confidence is not None:
        heat = cv2.applyColorMap(picture.confidence, cv2.COLORMAP_VIRIDIS)[..., ::-1]
        found.append(("confidence", heat, True))
    size = size_within(picture.image, _PANEL_WIDTH)
    return [
        (name, cv2.resize(array, size, interpolation=cv2.INTER_AREA if photo else cv2.INTER_NEAREST), photo)
        for name, array, photo in found
    ]


def frame_figures(figures: FrameResult) -> str:
    """The figures of one frame in a line."""
    parts = [f"frame {figures.number + 1}"]
    if figures.latency_ms is not None:
        parts.append(f"{figures.latency_ms:.0f} ms")
    if figures.miou is not None:
        parts.append(f"mean IoU {percent(figures.miou)}")
    return ", ".join(parts)


def legend(picture: Picture) -> list[tuple[str, np.ndarray]]:
    """Words and RGB colour of the classes that the frame shows, in truth or prediction."""
    vocabulary = picture.vocabulary
    seen = set(np.unique(picture.labels).tolist())
    if picture.truth is not None:
        seen |= set(np.unique(picture.truth).tolist())
    unlabelled = "unlabelled" if picture.truth is None else "unlabelled; in the truth: not counted"
    names = {entry.id: "; ".join(entry.prompts) for entry in vocabulary.classes}
    names |= {BACKGROUND_ID: "background", UNLABELLED_ID: unlabelled}
    palette = vocabulary.palette()
    return [(words, palette[number]) for number, words in names.items() if number in seen]


def write_strip(folder: Path, picture: Picture) -> tuple[str, str]:
    """Write the panels of a picture side by side, to `pictures/` in a folder; returns the file's name
    there and a caption."""
    shown = panels(picture)
    gap = np.full((shown[0][1].shape[0], _GAP, 3), 255, np.uint8)
    strip = np.hstack([part for _, array, _ in shown for part in (gap, array)][1:])
    name = f"pictures/frame_{picture.score.number + 1:06d}.jpg"
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / name).write_bytes(_encoded(strip, "jpeg"))
    order = ", ".join(panel for panel, _, _ in shown)
    return name, f"{picture.title}: {frame_figures(picture.score)}; from left to right {order}"


def size_within(image: np.ndarray, width: int) -> tuple[int, int]:
    """Width and height of an image that is made no wider than `width`."""
    scale = min(1.0, width / image.shape[1])
    return max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))


def data_uri(image: np.ndarray, kind: str) -> str:
    """An image, uint8 [H, W, 3] RGB, within the page itself; `kind` is jpeg or png."""
    return f"data:image/{kind};base64,{base64.b64encode(_encoded(image, kind)).decode()}"


def _encoded(image: np.ndarray, kind: str) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 85] if kind == "jpeg" else []
    data = cv2.imencode(f".{kind}", np.ascontiguousarray(image[..., ::-1]), options)[1]
    return bytes(data.tobytes())
