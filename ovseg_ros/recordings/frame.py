"""One image of a recording, whatever it came from, and what a source of them is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.config import SelectionConfig

SourceKind = Literal["bag", "dataset", "images", "video"]

IMAGE_FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}
"""The suffixes of image files that a CompressedImage can hold, and their format in it."""

DEFAULT_RATE = 10.0
"""Frames a second of image files, and of a bag that does not say."""

ItemT = TypeVar("ItemT")


class SourceError(OvsegError):
    """A recording that cannot be opened or read, or lacks what is needed."""


@dataclass(frozen=True)
class TopicInfo:
    """One topic of a bag or of a file of it; `type` in ROS 2's form, as `sensor_msgs/msg/Image`; `rate` in
    messages per second over the whole bag, None for fewer than two."""

    name: str
    type: str
    count: int
    rate: float | None = None


@dataclass(frozen=True)
class Message:
    """One recorded message: `log_ns` is when it was recorded, `data` its CDR bytes, `stamp_ns` its header
    stamp (the time of recording where it has none)."""

    topic: str
    type: str
    log_ns: int
    data: bytes
    stamp_ns: int


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a recording; decoded where it is asked for, in any thread.

    Attributes:
        number: its place in the recording, from 0, whatever part of it was selected.
        name: of its file, without suffix; empty in bags and videos.
        seconds: when it was recorded, after the first message.
        stamp_ns: header stamp, the time of recording where it has none; invented at the source's rate for
            files.
        log_ns: when it was recorded.
        image: decodes it, uint8 [H, W, 3] RGB. Raises OvsegError.
        truth: decodes its ground truth, uint8 [H, W], in the ids of `Source.truth_names`; None for a frame
            without. Raises OvsegError.
        message: its image message, as it is in the bag or would be, with the stamp `stamp_ns`.
        camera_info: the newest one when it was recorded, None where there is none.
        beside: messages of the same stamp on the further topics that were asked for.
    """

    number: int
    name: str
    seconds: float
    stamp_ns: int
    log_ns: int
    image: Callable[[], UInt8[np.ndarray, "H W 3"]]
    truth: Callable[[], UInt8[np.ndarray, "H W"]] | None
    message: Callable[[], Message]
    camera_info: Message | None = None
    beside: Mapping[str, Message] = field(default_factory=dict)


class Source(ABC):
    """A recording that is read in order, by one thread at a time. Use as a context manager; it may be entered
    again. The attributes from `topic` on are known once it was entered.

    Attributes:
        path: of the bag, folder or file.
        kind: what it is.
        name: for people, and for outputs.
        topic: where its images come from, in a folder or video the topic that they would have in a bag.
        truth_names: names of the ground truth's classes by the ids of `Frame.truth`; empty where there is
            none.
        truth_missing: why `truth_names` is empty, and what was expected.
    """

    kind: SourceKind
    topic: TopicInfo

    def __init__(self, path: Path, name: str = "") -> None:
        """`name` is by default that of the path."""
        self.path = path
        self.name = name or path.resolve().name
        self.truth_names: Mapping[int, str] = {}
        self.truth_missing = ""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *exception: object) -> None:  # noqa: B027
        """Nothing stays open."""

    @property
    def warnings(self) -> list[str]:
        """What is wrong with it, as far as it was read."""
        return []

    @property
    @abstractmethod
    def seconds(self) -> float:
        """How long it is."""

    @abstractmethod
    def frames(self, selection: SelectionConfig, beside: tuple[str, ...] = ()) -> Iterator[Frame]:
        """The selected frames in the order of recording, with the messages of the topics `beside`."""

    def expected(self, selection: SelectionConfig) -> int:
        """About how many frames `frames` gives; not every video says how many it holds."""
        recorded, seconds = self.topic.count, self.seconds
        if seconds > 0:
            end = min(selection.end or seconds, seconds)
            recorded = round(recorded * max(0.0, end - selection.start) / seconds)
        selected = -(-recorded // selection.every)
        return min(selected, selection.limit or selected)


def select(
    items: Iterable[ItemT], selection: SelectionConfig, seconds: Callable[[ItemT], float]
) -> Iterator[ItemT]:
    """The selected items; nothing is read beyond the last of them.

    `seconds` says when an item was recorded, after the first message.
    """
    start, end = selection.start, selection.end
    if end:
        items = takewhile(lambda item: seconds(item) < end, items)
    if start:
        items = (item for item in items if seconds(item) >= start)
    stop = (selection.limit - 1) * selection.every + 1 if selection.limit else None
    return islice(items, 0, stop, selection.every)
