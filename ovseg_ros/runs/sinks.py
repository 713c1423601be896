"""What a run writes frame by frame: the overlay video, the labelled bag, and label images."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from ovseg_ros.images.drawing import overlay, with_legend
from ovseg_ros.images.video import VideoWriter
from ovseg_ros.recordings.bag import TRUTH_INFO_TOPIC, TRUTH_TOPIC
from ovseg_ros.recordings.frame import Frame
from ovseg_ros.recordings.messages import (
    COMPRESSED_IMAGE,
    CONFIDENCE_TOPIC,
    IMAGE,
    LABEL_INFO,
    LABEL_INFO_TOPIC,
    LABELS_TOPIC,
    OVERLAY_TOPIC,
    SUMMARY,
    SUMMARY_TOPIC,
    VOCABULARY,
    VOCABULARY_TOPIC,
    compressed_message,
    image_message,
    message_types,
    truth_info_cdr,
    vocabulary_messages,
)
from ovseg_ros.recordings.writer import BagWriter
from ovseg_ros.runs.config import SegmentConfig
from ovseg_ros.runs.prediction import Prediction
from ovseg_ros.runs.results import FrameResult
from ovseg_ros.vocabulary import Vocabulary

PANEL_WIDTH = 640

RATES = (4.0, 30.0)
"""Least and most frames a second that are pleasant to watch."""

_PHASE_COLORS = ((45, 55, 72), (124, 58, 237), (3, 105, 161), (180, 83, 9))
_LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")


def phase_color(revision: int) -> tuple[int, int, int]:
    """The RGB colour (0..255) of a vocabulary revision in video and report."""
    return _PHASE_COLORS[(revision - 1) % len(_PHASE_COLORS)]


class Sink(AbstractContextManager["Sink", None]):
    """Writes a run frame by frame. Use as a context manager."""

    def write_dropped(self, frame: Frame) -> None:
        """Write a frame without a prediction, where such a frame is shown."""

    @abstractmethod
    def write(
        self,
        prediction: Prediction,
        score: FrameResult,
        image: UInt8[np.ndarray, "H W 3"],
        colored: UInt8[np.ndarray, "H W 3"],
    ) -> None:
        """Write a predicted frame; `image` and its overlay are RGB. Raises OvsegError."""


class OverlayVideo(Sink):
    """Writes image and overlay of the predicted frames side by side, with a line of figures and a
    legend. Its pictures are of one size, whatever the vocabularies.

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

    def __exit__(self, *exception: object) -> None:
        self._video.close()

    def write(
        self, prediction: Prediction, score: FrameResult, image: np.ndarray, colored: np.ndarray
    ) -> None:
        """Add a picture."""
        picture = self._picture(prediction, score, image, colored)
        self._video.write(picture)
        self.poster = picture if self.poster is None else self.poster

    def _picture(
        self, prediction: Prediction, score: FrameResult, image: np.ndarray, colored: np.ndarray
    ) -> np.ndarray:
        vocabulary = prediction.vocabulary
        scale = min(1.0, PANEL_WIDTH / image.shape[1])
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        both = np.hstack(
            [cv2.resize(panel, size, interpolation=cv2.INTER_AREA) for panel in (image, colored)]
        )
        if self._canvas is None:
            blank = np.zeros((2, 2), np.uint8)
            sizes = [
                with_legend(both, words, blank, fixed_size=True).shape
                for words in (vocabulary, *self._vocabularies)
            ]
            self._canvas = max(height for height, _, _ in sizes), max(width for _, width, _ in sizes)
        picture = with_legend(both, vocabulary, prediction.labels, fixed_size=True)
        height, width = self._canvas
        below, right = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return np.vstack([_banner(picture.shape[1], vocabulary, score), picture])


def _banner(width: int, vocabulary: Vocabulary, score: FrameResult) -> np.ndarray:
    height = 2 * round(max(24, width / 32) / 2)
    banner = np.full((height, width, 3), phase_color(vocabulary.revision), np.uint8)
    text = f"frame {score.number + 1}   vocabulary {vocabulary.revision}"
    if score.latency_ms is not None:
        text += f"   {score.latency_ms:.0f} ms"
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, round(0.42 * height), 1)
    place = (round(0.4 * height), round(0.71 * height))
    cv2.putText(banner, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return banner


class LabelledBag(Sink):
    """Writes a bag with image, ground truth, labels, confidence, summary and overlay of every frame, and each
    vocabulary before the first frame in it.

    Every message is logged at the time at which the source has the frame's image, or a nanosecond after
    the message before: readers do not agree on the order of messages of one time.

    Args:
        path: the new bag. Raises BagError where it exists.
        image_topic, image_type: of the images.
        truth_names: names of the ground truth's classes by id; none where there is no ground truth.
    """

    def __init__(self, path: Path, image_topic: str, image_type: str, truth_names: Mapping[int, str]) -> None:
        self._bag = BagWriter(path)
        self._image_topic = image_topic
        self._topics = {
            image_topic: image_type,
            TRUTH_TOPIC: IMAGE,
            TRUTH_INFO_TOPIC: LABEL_INFO,
            LABELS_TOPIC: IMAGE,
            CONFIDENCE_TOPIC: IMAGE,
            SUMMARY_TOPIC: SUMMARY,
            VOCABULARY_TOPIC: VOCABULARY,
            LABEL_INFO_TOPIC: LABEL_INFO,
            OVERLAY_TOPIC: COMPRESSED_IMAGE,
        }
        self._truth_names = truth_names
        self._last_ns = 0
        self._revisions: set[int] = set()

    def __enter__(self) -> "LabelledBag":
        self._bag.__enter__()
        for name, kind in self._topics.items():
            self._bag.add_topic(name, kind, latched=kind in (LABEL_INFO, VOCABULARY))
        return self

    def __exit__(self, *exception: object) -> None:
        self._bag.__exit__(*exception)

    def write_dropped(self, frame: Frame) -> None:
        """A frame without a prediction: its image and its ground truth."""
        self._write_truth_names(frame)
        self._write_frame(frame)

    def write(
        self, prediction: Prediction, score: FrameResult, image: np.ndarray, colored: np.ndarray
    ) -> None:
        """A predicted frame and its overlay."""
        frame, vocabulary = prediction.frame, prediction.vocabulary
        self._write_truth_names(frame)
        if vocabulary.revision not in self._revisions:
            self._revisions.add(vocabulary.revision)
            for topic, data in vocabulary_messages(vocabulary, frame.stamp_ns).items():
                self._write(topic, data, frame.log_ns)
        self._write_frame(frame)
        for topic, data in (prediction.messages() if prediction.messages else {}).items():
            self._write(topic, data, frame.log_ns)
        jpeg = cv2.imencode(".jpg", cv2.cvtColor(colored, cv2.COLOR_RGB2BGR))[1].reshape(-1)
        message = compressed_message("rgb8; jpeg compressed bgr8", jpeg, frame.stamp_ns)
        self._write_message(OVERLAY_TOPIC, message, frame.log_ns)

    def _write_truth_names(self, frame: Frame) -> None:
        if self._truth_names and not self._last_ns:
            self._write(TRUTH_INFO_TOPIC, truth_info_cdr(self._truth_names, frame.log_ns), frame.log_ns)

    def _write_frame(self, frame: Frame) -> None:
        self._write(self._image_topic, frame.message().data, frame.log_ns)
        if frame.truth is not None:  # as it is decoded: that is what the names belong to
            truth = image_message(np.ascontiguousarray(frame.truth()), "mono8", frame.stamp_ns)
            self._write_message(TRUTH_TOPIC, truth, frame.log_ns)

    def _write_message(self, topic: str, message: object, log_ns: int) -> None:
        self._write(topic, message_types().serialize_cdr(message, self._topics[topic]), log_ns)

    def _write(self, topic: str, data: bytes | memoryview, log_ns: int) -> None:
        self._last_ns = max(log_ns, self._last_ns + 1)
        self._bag.write_cdr(topic, data, self._last_ns)


class SegmentFiles(AbstractContextManager["SegmentFiles", None]):
    """What `ovseg segment` writes for one source. Use as a context manager, which ends the video.

    Of an image: `<name>_overlay.jpg` (.png of lossless images), `<name>_labels.png` and
    `<name>_confidence.png`. Of a bag or a video: `<name>_overlay.webm`, and folders `<name>_labels` and
    `<name>_confidence` with a picture a frame, called by the frame's number, and in a bag by its stamp (ns).

    Args:
        path, name: of the source; `name` below the output folder.
        kind: of the source.
        rate: of its frames.
        config: what is written, and where.
        alpha: opacity of the overlay's colours, 0..1.
    """

    def __init__(
        self, path: Path, name: str, kind: str, rate: float, config: SegmentConfig, alpha: float
    ) -> None:
        self._config = config
        self._alpha = alpha
        self._stem = Path(config.output) / name
        self._kind = kind
        self._suffix = ".png" if path.suffix.lower() in _LOSSLESS else ".jpg"
        is_sequence = kind != "images"
        self._video = VideoWriter(self._file("_overlay.webm"), rate) if is_sequence else None

    def __exit__(self, *exception: object) -> None:
        if self._video is not None:
            self._video.close()

    def write(self, prediction: Prediction) -> None:
        """Write the results of one frame. Raises OvsegError, OSError."""
        frame, vocabulary, labels = prediction.frame, prediction.vocabulary, prediction.labels
        if self._config.overlay:
            colored = overlay(frame.image(), labels, vocabulary, self._alpha)
            if self._video is None:
                _write_image(self._file(f"_overlay{self._suffix}"), with_legend(colored, vocabulary, labels))
            else:
                self._video.write(with_legend(colored, vocabulary, labels, fixed_size=True))
        stamp = f"_{frame.stamp_ns}" if self._kind == "bag" else ""
        number = "" if self._video is None else f"/{frame.number:06d}{stamp}"
        if self._config.labels:
            _write_image(self._file(f"_labels{number}.png"), labels)
        if self._config.confidence and prediction.confidence is not None:
            _write_image(self._file(f"_confidence{number}.png"), prediction.confidence)

    def _file(self, ending: str) -> Path:
        return Path(f"{self._stem}{ending}")


def _write_image(path: Path, image: np.ndarray) -> None:
    """Write RGB or single-channel uint8 in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    # Encoded in memory: cv2.imwrite only says that it failed, write_bytes says why.
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
