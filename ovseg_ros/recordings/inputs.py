"""What `ovseg segment` reads: images, folders of images and videos, videos, and bags."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ClassVar, TypeVar

import cv2
import numpy as np
from natsort import natsorted, ns

from ovseg_ros.commands import console
from ovseg_ros.errors import OvsegError
from ovseg_ros.images.headers import read_header

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
VIDEO_SUFFIXES = (".mp4", ".webm", ".avi", ".mov", ".mkv", ".m4v")
BAG_SUFFIXES = (".mcap", ".db3", ".bag")

USUAL_RATE = 25.0
"""Frames a second where a video or bag does not say."""

T = TypeVar("T")


class InputError(OvsegError):
    """A file or folder that cannot be read as an image, a video or a bag."""


@dataclass(frozen=True)
class Selection:
    """Which frames of a sequence are taken: every n-th from the first, at most `limit`."""

    every: int = 1
    limit: int | None = None

    def take(self, items: Iterable[T]) -> Iterator[T]:
        """The chosen items; nothing is read beyond the last of them."""
        stop = None if self.limit is None else (self.limit - 1) * self.every + 1
        return islice(items, 0, stop, self.every)

    def count(self, total: int) -> int:
        """How many of so many items are chosen."""
        chosen = math.ceil(total / self.every)
        return chosen if self.limit is None else min(chosen, self.limit)


@dataclass(frozen=True)
class Frame:
    """One image of a source: its place there from 0, its time stamp (ns) where it has one, and its pixels.

    `read` gives uint8 [H, W, 3] RGB and raises an OvsegError where the image is damaged. Call it before the
    next frame is asked for.
    """

    index: int
    stamp_ns: int | None
    read: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Source(ABC):
    """One input. `name` is the path of its outputs below the output folder, without suffix."""

    path: Path
    name: str

    kind: ClassVar[str]

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """The chosen images in order. Raises an OvsegError where the source itself cannot be read."""

    @abstractmethod
    def count(self) -> int:
        """How many images there should be; containers do not always tell the truth. Raises OvsegError."""

    def rate(self) -> float:
        """Chosen frames a second. Raises OvsegError."""
        return USUAL_RATE


@dataclass(frozen=True)
class ImageSource(Source):
    """An image file."""

    kind = "image"

    def frames(self) -> Iterator[Frame]:
        yield Frame(0, None, partial(read_image, self.path))

    def count(self) -> int:
        return 1


@dataclass(frozen=True)
class VideoSource(Source):
    """A video file, as OpenCV's FFmpeg reads it."""

    selection: Selection = Selection()

    kind = "video"

    def frames(self) -> Iterator[Frame]:
        with self._open() as capture:
            index = None
            for index in self.selection.take(_grab_all(capture)):
                yield Frame(index, None, partial(self._retrieve, capture, index))
            if index is None:
                raise InputError(
                    f"{self.path}: no frame of this video can be decoded; it is damaged or empty"
                )

    def count(self) -> int:
        with self._open() as capture:
            return self.selection.count(max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))))

    def rate(self) -> float:
        with self._open() as capture:
            rate = capture.get(cv2.CAP_PROP_FPS)
        return (rate if 0 < rate <= 240 else USUAL_RATE) / self.selection.every

    @contextmanager
    def _open(self) -> Iterator[cv2.VideoCapture]:
        capture = cv2.VideoCapture(str(self.path))
        try:
            if not capture.isOpened():
                raise InputError(
                    f"{self.path}: cannot be opened as a video; it is damaged or of an unknown format"
                )
            yield capture
        finally:
            capture.release()

    def _retrieve(self, capture: cv2.VideoCapture, index: int) -> np.ndarray:
        intact, image = capture.retrieve()
        if not intact:
            raise InputError(f"{self.path}: frame {index} cannot be decoded")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class BagSource(Source):
    """The images of one topic of a bag; of its only camera where no topic is named."""

    selection: Selection = Selection()
    topic: str | None = None

    kind = "bag"

    def frames(self) -> Iterator[Frame]:
        from ovseg_ros.recordings.bag import Bag

        with Bag(self.path) as bag:
            messages = bag.messages([bag.image_topic(self.topic or "").name])
            for index, message in self.selection.take(enumerate(messages)):
                yield Frame(index, message.stamp_ns, partial(bag.decode_image, message))
            for warning in bag.warnings:
                console.warning(warning)

    def count(self) -> int:
        from ovseg_ros.recordings.bag import Bag

        with Bag(self.path) as bag:
            return self.selection.count(bag.image_topic(self.topic or "").count)

    def rate(self) -> float:
        from ovseg_ros.recordings.bag import Bag

        with Bag(self.path) as bag:
            rate = bag.image_topic(self.topic or "").rate
        return (rate or USUAL_RATE) / self.selection.every


def find_sources(
    inputs: Sequence[Path], output: Path, selection: Selection, topic: str | None = None
) -> list[Source]:
    """All sources behind the given files and folders.

    Folders are searched through all levels, in natural order (2 before 10), without hidden files and without
    the output folder; a folder that is a bag is taken as a bag. `selection` applies to all images together
    and to each video and bag. Names are unique, also where file systems ignore case; an input given twice is
    taken once. Raises InputError.
    """
    images: list[Source] = []
    sequences: list[Source] = []
    seen: set[Path] = set()
    names: set[str] = set()
    for path, relative in (entry for given in inputs for entry in _expand(given, output)):
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        name = _unique(relative, names)
        if path.is_dir() or path.suffix.lower() in BAG_SUFFIXES:
            sequences.append(BagSource(path, name, selection, topic))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            sequences.append(VideoSource(path, name, selection))
        else:
            images.append(ImageSource(path, name))
    return [*selection.take(images), *sequences]


def read_image(path: Path) -> np.ndarray:
    """An image file as uint8 [H, W, 3] RGB, upright as its EXIF says. Raises InputError."""
    try:
        data = path.read_bytes()
        header = read_header(data)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if header is not None and not header.complete:
        raise InputError(
            f"{path}: the {header.kind} image ends early, after {len(data)} bytes; it is cut off"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: cannot be decoded as an image; it is damaged, empty or of another format")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _expand(given: Path, output: Path) -> list[tuple[Path, Path]]:
    """The files (or bags) of one input, each with its path below the output folder, without suffix."""
    if not given.exists():
        raise InputError(f"{given} does not exist; expected an image, a folder, a video or a bag")
    known = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, *BAG_SUFFIXES)
    if given.is_file():
        if given.suffix.lower() not in known:
            raise InputError(f"{given}: the suffix is not known, expected one of {' '.join(known)}")
        return [(given, Path(given.stem))]
    if (given / "metadata.yaml").exists() or any(p.suffix in (".mcap", ".db3") for p in given.iterdir()):
        return [(given, Path(given.resolve().name))]
    if given.resolve() == output.resolve():
        raise InputError(f"{given} is both input and output, expected a folder of its own for the output")
    files = [
        (path, path.relative_to(given))
        for path in given.rglob("*")
        if path.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
        and path.is_file()
        and output.resolve() not in path.resolve().parents
    ]
    visible = [
        (path, place.with_suffix(""))
        for path, place in natsorted(files, key=lambda file: file[1], alg=ns.PATH | ns.IGNORECASE)
        if not any(part.startswith(".") for part in place.parts)
    ]
    if not visible:
        raise InputError(
            f"{given} holds no image or video, expected files that end in "
            f"{' '.join((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))}"
        )
    return visible


def _unique(name: Path, taken: set[str]) -> str:
    candidate, number = name.as_posix(), 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name.as_posix()}_{number}"
    taken.add(candidate.casefold())
    return candidate


def _grab_all(capture: cv2.VideoCapture) -> Iterator[int]:
    """Step through a video without decoding; gives the place of each frame."""
    index = 0
    while capture.grab():
        yield index
        index += 1
