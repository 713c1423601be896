"""One image of a recording, whatever it came from, and what a source of them is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.recordings.config import SelectionConfig

SourceKind = Literal["bag", "dataset", "images", "video"]


@dataclass(frozen=True)
class TopicInfo:
    """One topic of a bag; `rate` in messages per second over the whole bag, None for fewer than two."""

    name: str
    type: str
    count: int
    rate: float | None


@dataclass(frozen=True, eq=False)
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
        number: of the frame in the recording's time range, from 0.
        name: of its file, without suffix; empty in bags and videos.
        seconds: when it was recorded, after the first message.
        stamp_ns: header stamp; invented at the source's rate for files.
        log_ns: when it was recorded.
        image: decodes it, uint8 [H, W, 3] RGB. Raises OvsegError.
        truth: decodes its ground truth, uint8 [H, W], in the ids of `Source.truth_names`; None for a frame
            without. Raises OvsegError.
        message: its image message, as it is in the bag or would be.
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


class Source(Protocol):
    """A recording that is read in order, by one thread at a time. Use as a context manager.

    Attributes:
        path: of the bag, folder or file.
        kind: what it is.
        name: for people, and for outputs.
        topic: where its images come from, in a folder or video the topic that they would have in a bag.
        truth_names: names of the ground truth's classes by the ids of `Frame.truth`; empty where there is
            none.
        warnings: what is wrong with it, as far as it was read.
    """

    path: Path
    kind: SourceKind
    name: str
    topic: TopicInfo
    truth_names: Mapping[int, str]

    def __enter__(self) -> "Source": ...

    def __exit__(self, *exception: object) -> None: ...

    @property
    def warnings(self) -> list[str]: ...

    def expected(self, selection: SelectionConfig) -> int:
        """About how many frames `frames` gives."""

    def frames(self, selection: SelectionConfig, beside: tuple[str, ...] = ()) -> Iterator[Frame]:
        """The selected frames in the order of recording, with the messages of the topics `beside`."""
