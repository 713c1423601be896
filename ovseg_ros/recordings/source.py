"""The frames of a bag or a dataset folder with their ground truth, for work without a graph."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.graph.pacing import USUAL_RATE
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.datasets.dataset import IMAGE_FORMATS, Dataset, Item
from ovseg_ros.recordings.file_sources import COMPRESSED_TOPIC, FIRST_STAMP_NS
from ovseg_ros.recordings.frame import Message, SourceError, TopicInfo
from ovseg_ros.recordings.frames import Frame, read_frames
from ovseg_ros.recordings.label_files import LabelFolder
from ovseg_ros.recordings.label_map import LabelMap
from ovseg_ros.recordings.message_types import COMPRESSED_IMAGE, make_header, message_types


@dataclass(frozen=True)
class FramePart:
    """Which frames are taken: those recorded from `start_s` to `end_s` (seconds after the first message), of
    these every `every`-th, at most `limit`."""

    every: int = 1
    limit: int | None = None
    start_s: float | None = None
    end_s: float | None = None

    def take(self, frames: Iterator["SourceFrame"]) -> Iterator["SourceFrame"]:
        """The chosen frames; nothing is read beyond the last of them."""
        stop = None if self.limit is None else (self.limit - 1) * self.every + 1
        return islice(self._within(frames), 0, stop, self.every)

    def expected(self, recorded: int, seconds: float) -> int:
        """About how many of so many frames, spread over so many seconds, are chosen."""
        if seconds > 0:
            start, end = self.start_s or 0.0, seconds if self.end_s is None else min(self.end_s, seconds)
            recorded = round(recorded * max(0.0, end - start) / seconds)
        chosen = -(-recorded // self.every)
        return chosen if self.limit is None else min(chosen, self.limit)

    def _within(self, frames: Iterator["SourceFrame"]) -> Iterator["SourceFrame"]:
        for frame in frames:
            if self.end_s is not None and frame.seconds >= self.end_s:
                return
            if self.start_s is None or frame.seconds >= self.start_s:
                yield frame


@dataclass(frozen=True, eq=False)
class SourceFrame:
    """One frame, decoded where it is asked for.

    Attributes:
        number: of the frame in the time range, from 0.
        seconds: when it was recorded, after the first message.
        source: its messages.
        image: decodes the image, uint8 [H, W, 3] RGB; raises ImageError, BagError.
        truth: decodes its ground truth, uint8 [H, W]; None for a frame without. Raises BagError.
    """

    number: int
    seconds: float
    source: Frame
    image: Callable[[], UInt8[np.ndarray, "H W 3"]]
    truth: Callable[[], UInt8[np.ndarray, "H W"]] | None


class FrameSource(Protocol):
    """Frames with ground truth. Use as a context manager.

    Attributes:
        truth_names: names of the truth's classes by the ids that `SourceFrame.truth` gives.
    """

    truth_names: dict[int, str]

    def __enter__(self) -> "FrameSource": ...

    def __exit__(self, *exception: object) -> None: ...

    @property
    def topic(self) -> TopicInfo:
        """Where the images come from (in a dataset folder: the topic that they would have in a bag)."""

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the source, as far as it was read."""

    def expected(self, part: FramePart) -> int:
        """About how many frames `frames` gives."""

    def frames(self, part: FramePart) -> Iterator[SourceFrame]:
        """The chosen frames in the order of recording."""


class BagSource:
    """A bag.

    Args:
        path: of the bag.
        image_topic: None: its only camera.
        labels_topic: of the ground truth. None: `/ground_truth/labels`.
        labels: a folder with the ground truth, instead of a topic.
        label_map: what the ids of the ground truth mean. None: as the LabelInfo beside the topic says.
        slop_s: seconds by which the stamps of an image and its ground truth may differ.

    Attributes:
        bag: the bag.
        beside: further topics whose messages of the same stamp come with each frame.

    Raises BagError; SourceError on entering where there is no ground truth.
    """

    def __init__(
        self,
        path: Path,
        *,
        image_topic: str | None = None,
        labels_topic: str | None = None,
        labels: LabelFolder | None = None,
        label_map: LabelMap | None = None,
        slop_s: float = 0.0,
    ) -> None:
        self.bag = Bag(path)
        self.truth_names: dict[int, str] = {}
        self._image_topic = image_topic
        self._labels_topic = labels_topic
        self._labels = labels
        self._map = label_map
        self._slop_s = slop_s
        self.beside: Sequence[str] = ()

    def __enter__(self) -> "BagSource":
        self.bag.__enter__()
        try:
            self._prepare()
        except BaseException:
            self.bag.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.bag.__exit__(*exception)

    @property
    def topic(self) -> TopicInfo:
        """The image topic."""
        return self._topic

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the bag, as far as it was read."""
        return self.bag.warnings

    def expected(self, part: FramePart) -> int:
        """About how many frames `frames` gives."""
        return part.expected(self._topic.count, (self.bag.end_ns - self.bag.start_ns) / 1e9)

    def frames(self, part: FramePart) -> Iterator[SourceFrame]:
        """The chosen frames in the order of recording."""
        found = read_frames(
            self.bag,
            self._topic.name,
            labels_topic=self._truth_topic,
            beside=self.beside,
            slop_s=self._slop_s,
        )
        return part.take(map(self._frame, count(), found))

    def _prepare(self) -> None:
        self._topic = self.bag.image_topic(self._image_topic or "")
        if self._labels is not None:
            self._truth_topic, self.truth_names = None, self._labels.names
            return
        topic = self.bag.labels_topic(self._labels_topic or "")
        if topic is None:
            raise SourceError(
                f"{self.bag.path} has no ground truth; expected label images on /ground_truth/labels, or a "
                "topic or a folder named by --labels-topic or --labels-folder (`ovseg bag info` lists topics)"
            )
        self._truth_topic = topic.name
        self._map = self._map or self.bag.label_map(topic.name)
        self.truth_names = dict(self._map.names)
        if not self.truth_names:
            raise SourceError(
                f"{self.bag.path} does not say what the ids of {topic.name} mean; expected a "
                "vision_msgs/LabelInfo beside it, or a file with `id: name` lines (--label-names)"
            )

    def _frame(self, number: int, frame: Frame) -> SourceFrame:
        truth: Callable[[], np.ndarray] | None = None
        if self._labels is not None:
            file = self._labels.find(frame.stamp_ns)
            truth = None if file is None else partial(self._labels.read, file)
            frame = replace(frame, truth=None)
        elif frame.truth is not None:
            truth = partial(self.bag.decode_labels, frame.truth, self._map)
        seconds = (frame.image.log_ns - self.bag.start_ns) / 1e9
        return SourceFrame(number, seconds, frame, partial(self.bag.decode_image, frame.image), truth)


class DatasetSource:
    """A dataset folder, its images in order as if recorded at `rate` frames a second.

    Args:
        dataset: the folder.
        labels: a folder with other ground truth, whose files end in the stamps that `ovseg bag make` gives.
        messages: whether the frames' messages hold the images, as a labelled bag needs them.
        rate: frames a second.

    Raises SourceError where there is no ground truth.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        labels: LabelFolder | None = None,
        messages: bool = False,
        rate: float = USUAL_RATE,
    ) -> None:
        if labels is None and not dataset.classes:
            raise SourceError(
                f"{dataset.folder} has no ground truth; expected labels/ and classes.txt, or --labels-folder"
            )
        self.truth_names = dataset.label_names if labels is None else labels.names
        self._dataset = dataset
        self._labels = labels
        self._messages = messages
        self._rate = rate

    def __enter__(self) -> "DatasetSource":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    @property
    def topic(self) -> TopicInfo:
        """The topic that the images would have in a bag."""
        return TopicInfo(COMPRESSED_TOPIC, COMPRESSED_IMAGE, len(self._dataset.items), self._rate)

    @property
    def warnings(self) -> list[str]:
        """None: a folder is read as it is, or not."""
        return []

    def expected(self, part: FramePart) -> int:
        """How many frames `frames` gives."""
        return part.expected(len(self._dataset.items), len(self._dataset.items) / self._rate)

    def frames(self, part: FramePart) -> Iterator[SourceFrame]:
        """The chosen frames in their order."""
        return part.take(map(self._frame, count(), self._dataset.items))

    def _frame(self, number: int, item: Item) -> SourceFrame:
        stamp_ns = FIRST_STAMP_NS + round(number * 1e9 / self._rate)
        truth: Callable[[], np.ndarray] | None = None
        if self._labels is not None:
            file = self._labels.find(stamp_ns)
            truth = None if file is None else partial(self._labels.read, file)
        elif item.labels is not None:
            truth = partial(self._dataset.labels.read, item.labels)
        source = Frame(self._message(item, stamp_ns))
        return SourceFrame(
            number, number / self._rate, source, partial(self._dataset.read_image, item), truth
        )

    def _message(self, item: Item, stamp_ns: int) -> Message:
        data = np.fromfile(item.image, np.uint8) if self._messages else np.zeros(0, np.uint8)
        kind = IMAGE_FORMATS[item.image.suffix.lower()]
        message = message_types().types[COMPRESSED_IMAGE](
            header=make_header(stamp_ns), format=kind, data=data
        )
        content = bytes(message_types().serialize_cdr(message, COMPRESSED_IMAGE))
        return Message(COMPRESSED_TOPIC, COMPRESSED_IMAGE, stamp_ns, content, stamp_ns)
