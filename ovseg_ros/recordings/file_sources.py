"""Images from files: data set folders, image files and videos, as if recorded at a fixed rate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from ovseg_ros.images.codec import read_header
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.datasets.dataset import Dataset
from ovseg_ros.recordings.frame import (
    DEFAULT_RATE,
    IMAGE_FORMATS,
    Frame,
    Message,
    Source,
    SourceError,
    SourceKind,
    TopicInfo,
    select,
)
from ovseg_ros.recordings.label_files import LabelFolder
from ovseg_ros.recordings.messages import COMPRESSED_IMAGE, compressed_message, message_types

COMPRESSED_TOPIC = "/camera/image/compressed"
RAW_TOPIC = "/camera/image"
FIRST_STAMP_NS = 1_000_000_000_000

VIDEO_RATE = 25.0
"""Frames a second of a video that does not say."""

_EXIF = b"Exif\0\0"

_Encoded = tuple[str, np.ndarray]
"""The format of an encoded image and its bytes, uint8 [N], as a CompressedImage holds them."""


@dataclass(frozen=True)
class _Picture:
    """One image of a source: how it is decoded, encoded for a message, and how its ground truth is read."""

    name: str
    image: Callable[[], np.ndarray]
    encoded: Callable[[], _Encoded]
    truth: Callable[[], np.ndarray] | None = None


class FileSource(Source):
    """Images from files, with the topic and the stamps that they would have in a bag.

    `labels` is a folder with ground truth whose files end in these stamps; it takes precedence over the
    pictures' own truth, which `truth_names` names.
    """

    def __init__(
        self,
        path: Path,
        kind: SourceKind,
        pictures: Sequence[_Picture],
        labels: LabelFolder | None = None,
        name: str = "",
        truth_names: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(path, name)
        self.kind = kind
        self.truth_names = truth_names if labels is None else labels.names
        self.truth_missing = (
            f"{path} has no ground truth; expected a data set with labels/ and classes.txt or in another "
            "layout of `ovseg bag make`, or --labels-folder"
        )
        self._pictures = pictures
        self._labels = labels
        self._set_topic(len(pictures), DEFAULT_RATE)

    @property
    def seconds(self) -> float:
        """How long it is at its rate."""
        return self.topic.count / self._rate

    def frames(self, selection: SelectionConfig, beside: tuple[str, ...] = ()) -> Iterator[Frame]:
        """The selected frames in their order."""
        for number in select(range(self.topic.count), selection, self._seconds):
            yield self._frame(number, self._pictures[number])

    def _set_topic(self, count: int, rate: float) -> None:
        self._rate = rate
        self.topic = TopicInfo(COMPRESSED_TOPIC, COMPRESSED_IMAGE, count, rate)

    def _seconds(self, number: int) -> float:
        return number / self._rate

    def _frame(self, number: int, picture: _Picture) -> Frame:
        stamp_ns = FIRST_STAMP_NS + round(number * 1e9 / self._rate)
        truth = picture.truth if self._labels is None else self._labels.reader(stamp_ns)

        def message() -> Message:
            content = compressed_message(*picture.encoded(), stamp_ns)
            cdr = bytes(message_types().serialize_cdr(content, COMPRESSED_IMAGE))
            return Message(COMPRESSED_TOPIC, COMPRESSED_IMAGE, stamp_ns, cdr, stamp_ns)

        seconds = self._seconds(number)
        return Frame(number, picture.name, seconds, stamp_ns, stamp_ns, picture.image, truth, message)


def dataset_source(dataset: Dataset, labels: LabelFolder | None = None) -> FileSource:
    """A data set folder, its images in order; `labels` is other ground truth than its own."""
    pictures = [
        _Picture(
            item.name,
            partial(read_image, item.image),
            partial(file_content, item.image),
            None if item.labels is None else partial(dataset.read_labels, item),
        )
        for item in dataset.items
    ]
    return FileSource(dataset.folder, "dataset", pictures, labels, truth_names=dataset.legend.names)


def images_source(
    path: Path, files: Sequence[Path], labels: LabelFolder | None = None, name: str = ""
) -> FileSource:
    """Image files in their order; `path` is their folder, or the one file."""
    pictures = [_Picture(f.stem, partial(read_image, f), partial(file_content, f)) for f in files]
    return FileSource(path, "images", pictures, labels, name)


class VideoSource(FileSource):
    """A video file, as OpenCV's FFmpeg reads it."""

    def __init__(self, path: Path, labels: LabelFolder | None = None, name: str = "") -> None:
        super().__init__(path, "video", (), labels, name)

    def __enter__(self) -> "VideoSource":
        with self._open() as capture:
            count = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
            rate = capture.get(cv2.CAP_PROP_FPS)
        self._set_topic(count, rate if 0 < rate <= 240 else VIDEO_RATE)
        return self

    def frames(self, selection: SelectionConfig, beside: tuple[str, ...] = ()) -> Iterator[Frame]:
        """The selected frames in their order. Raises SourceError where the video holds none."""
        with self._open() as capture:
            for number in select(self._grab_all(capture), selection, self._seconds):
                intact, pixels = capture.retrieve()
                image = partial(self._image, number, pixels if intact else None)
                yield self._frame(number, _Picture("", image, partial(_as_png, image)))

    @contextmanager
    def _open(self) -> Iterator[cv2.VideoCapture]:
        capture = cv2.VideoCapture(str(self.path))
        try:
            if not capture.isOpened():
                raise SourceError(
                    f"{self.path}: cannot be opened as a video; it is damaged or of an unknown format"
                )
            yield capture
        finally:
            capture.release()

    def _grab_all(self, capture: cv2.VideoCapture) -> Iterator[int]:
        """Step through the video without decoding; gives the number of each frame."""
        number = 0
        while capture.grab():
            yield number
            number += 1
        if not number:
            raise SourceError(f"{self.path}: no frame of this video can be decoded; it is damaged or empty")

    def _image(self, number: int, pixels: np.ndarray | None) -> np.ndarray:
        if pixels is None:
            raise SourceError(f"{self.path}: frame {number} cannot be decoded")
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def read_image(path: Path) -> np.ndarray:
    """An image file as uint8 [H, W, 3] RGB, upright as its EXIF says. Raises SourceError."""
    try:
        data = path.read_bytes()
        header = read_header(data)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    if header is not None and not header.complete:
        raise SourceError(
            f"{path}: the {header.kind} image ends early, after {len(data)} bytes; it is cut off"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        image = None
    if image is None:
        raise SourceError(f"{path}: cannot be decoded as an image; it is damaged, empty or of another format")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def file_content(path: Path) -> _Encoded:
    """The file's own bytes where a CompressedImage can hold them, else the image as PNG.

    The node's decoder does not turn an image as its EXIF says (camera_info would not fit); such a file is
    turned here.
    """
    kind = IMAGE_FORMATS.get(path.suffix.lower())
    if kind is not None:
        data = np.fromfile(path, np.uint8)
        if _EXIF not in data.tobytes():
            return kind, data
    return _as_png(partial(read_image, path))


def _as_png(image: Callable[[], np.ndarray]) -> _Encoded:
    bgr = cv2.cvtColor(image(), cv2.COLOR_RGB2BGR)
    return "png", cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].reshape(-1)
