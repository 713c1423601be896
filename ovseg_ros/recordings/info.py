"""What is in a bag: topics, times, cameras with sizes and gaps, ground truth, damage."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import read_header
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.frame import Message, TopicInfo
from ovseg_ros.recordings.messages import COMPRESSED_IMAGE, IMAGE

GAP_FACTOR = 5.0
"""A pause is a gap where it is longer than this many times the topic's median period."""


@dataclass(frozen=True)
class Gap:
    """A pause in a topic: when it begins (s from the bag's start) and how long it is (s)."""

    start_s: float
    seconds: float


@dataclass
class ImageTopic:
    """What the messages of an image topic hold: how many images of which (width, height) and of which
    encoding or format, the sum of their data, their times of recording and stamps (ns)."""

    topic: TopicInfo
    start_ns: int
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    data_bytes: int = 0
    times: list[int] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)

    @property
    def period_s(self) -> float | None:
        """The median time between two recordings; None for fewer than two."""
        return float(np.median(np.diff(np.sort(self.times)) / 1e9)) if len(self.times) > 1 else None

    @property
    def gaps(self) -> list[Gap]:
        """The pauses between two recordings."""
        times = np.sort(self.times)
        steps = np.diff(times) / 1e9
        places = np.flatnonzero(steps > GAP_FACTOR * (self.period_s or np.inf))
        return [Gap(float((times[n] - self.start_ns) / 1e9), float(steps[n])) for n in places]

    def add(self, bag: Bag, message: Message) -> None:
        """Count one message."""
        self.times.append(message.log_ns)
        self.stamps.append(message.stamp_ns)
        try:
            image = bag.read(message)
            self.data_bytes += len(image.data)
            if message.type == IMAGE:
                self.sizes[int(image.width), int(image.height)] += 1
                self.formats[image.encoding] += 1
                return
            self.formats[image.format] += 1
            header = read_header(image.data.tobytes())
            if header is not None:
                self.sizes[header.width, header.height] += 1
                if not header.complete:
                    raise ValueError(f"the {header.kind} image ends early")
        except (OvsegError, ValueError) as error:
            bag.leave_out(message.topic, message.log_ns, error)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {
            "sizes": [
                {"width": width, "height": height, "images": count}
                for (width, height), count in self.sizes.most_common()
            ],
            "formats": self.formats,
            "data_bytes": self.data_bytes,
            "period_s": self.period_s,
            "gaps": [asdict(gap) for gap in self.gaps],
        }


@dataclass(frozen=True)
class TruthInfo:
    """The ground truth of a bag: its topic, its classes by id, how many label images there are, and how
    many of the cameras' images have one of the same stamp (None where that was not counted)."""

    topic: str
    classes: Mapping[int, str]
    labels: int
    matched_images: int | None


@dataclass(frozen=True)
class BagInfo:
    """All that `ovseg bag info` shows. `images` is empty where the messages were not read."""

    path: Path
    storage: str
    compression: str
    files: list[Path]
    file_bytes: int
    start_ns: int
    duration_s: float
    topics: list[TopicInfo]
    cameras: list[str]
    images: list[ImageTopic]
    truth: TruthInfo | None
    warnings: list[str]

    @property
    def messages(self) -> int:
        """How many messages there are."""
        return sum(topic.count for topic in self.topics)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        images = {entry.topic.name: entry.as_json() for entry in self.images}
        topics = [
            {"name": topic.name, "type": topic.type, "messages": topic.count, "rate_hz": topic.rate}
            | images.get(topic.name, {})
            for topic in self.topics
        ]
        plain = {name: value for name, value in vars(self).items() if name != "images"}
        return plain | {
            "path": str(self.path),
            "files": [str(file) for file in self.files],
            "messages": self.messages,
            "topics": topics,
            "truth": self.truth and asdict(self.truth),
        }


def inspect_bag(
    path: Path | str,
    *,
    labels_topic: str | None = None,
    quick: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> BagInfo:
    """Look into a bag. Unless `quick`, the messages of its image topics are read for sizes and gaps.

    `progress` is called with (image messages read, in all). Raises BagError.
    """
    with Bag(path) as bag:
        label_topic = bag.labels_topic(labels_topic or "")
        images = {
            topic.name: ImageTopic(topic, bag.start_ns)
            for topic in bag.topics
            if topic.type in (IMAGE, COMPRESSED_IMAGE) and topic.count
        }
        if not quick:
            total = sum(entry.topic.count for entry in images.values())
            for number, message in enumerate(bag.messages(list(images)), start=1):
                images[message.topic].add(bag, message)
                if progress:
                    progress(number, total)
        cameras = [topic.name for topic in bag.cameras]
        truth = None
        if label_topic is not None:
            cameras = [name for name in cameras if name != label_topic.name]
            stamps = {stamp for name in cameras for stamp in images[name].stamps}
            truth = TruthInfo(
                label_topic.name,
                bag.label_map(label_topic.name).names,
                label_topic.count,
                None if quick else len(stamps & set(images[label_topic.name].stamps)),
            )
        return BagInfo(
            path=bag.path,
            storage=bag.storage,
            compression=bag.compression,
            files=bag.files,
            file_bytes=sum(file.stat().st_size for file in bag.files),
            start_ns=bag.start_ns,
            duration_s=(bag.end_ns - bag.start_ns) / 1e9,
            topics=bag.topics,
            cameras=cameras,
            images=[] if quick else list(images.values()),
            truth=truth,
            warnings=bag.warnings,
        )
