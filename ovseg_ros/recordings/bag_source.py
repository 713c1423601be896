"""The images of a bag, each with the ground truth, the camera_info and what else has its stamp."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ovseg_ros.recordings.bag import TRUTH_TOPIC, Bag
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.recordings.frame import Frame, Message, Source, select
from ovseg_ros.recordings.label_files import LabelFolder
from ovseg_ros.recordings.label_map import LabelMap
from ovseg_ros.recordings.messages import CAMERA_INFO, header_stamp, with_header_stamp
from ovseg_ros.recordings.storage_file import BagError

LOOK_AHEAD_NS = 1_000_000_000
"""What belongs to an image is looked for in this time of recording before and after it."""


class BagSource(Source):
    """The images of one topic of a bag, and their ground truth.

    An image's truth is the label message with the same header stamp, else the nearest within `slop`. With a
    slop a label message goes to one image only: to that of its stamp, else to the nearest that has none.
    Messages of the topics `beside` have the image's own stamp. All of these may have been recorded up to a
    second before or after their image; memory holds no more than the messages of that time.

    Args:
        path: of the bag.
        topic: of its images; "": its only camera.
        labels_topic: of the ground truth; "": `/ground_truth/labels`, where the bag has it; None: no ground
            truth is read.
        labels: a folder with the ground truth, in place of a topic.
        label_map: what the ids of the ground truth mean; None: as the LabelInfo beside the topic says.
        slop: seconds by which the stamps of an image and its ground truth may differ, 0 to 1.
        name: as in `Source`; "": the bag's own.

    Raises BagError on a slop out of range; on entering, where there is no bag or no such topic.
    """

    kind = "bag"

    def __init__(
        self,
        path: Path,
        *,
        topic: str = "",
        labels_topic: str | None = "",
        labels: LabelFolder | None = None,
        label_map: LabelMap | None = None,
        slop: float = 0.0,
        name: str = "",
    ) -> None:
        if not 0 <= slop <= LOOK_AHEAD_NS / 1e9:
            raise BagError(f"the slop between stamps is {slop:g} s; expected 0 to {LOOK_AHEAD_NS / 1e9:g} s")
        super().__init__(path, name)
        self.bag = Bag(path)
        self._image_topic = topic
        self._labels_topic = labels_topic
        self._labels = labels
        self._map = label_map
        self._slop_ns = round(slop * 1e9)
        self._truth_topic: str | None = None

    def __enter__(self) -> "BagSource":
        self.bag.__enter__()
        try:
            self.topic = self.bag.image_topic(self._image_topic)
            self._find_truth()
        except BaseException:
            self.bag.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.bag.__exit__(*exception)

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the bag, as far as it was read."""
        return self.bag.warnings

    @property
    def seconds(self) -> float:
        """From the first to the last message."""
        return (self.bag.end_ns - self.bag.start_ns) / 1e9

    def frames(self, selection: SelectionConfig, beside: tuple[str, ...] = ()) -> Iterator[Frame]:
        """The selected frames in the order of recording. Images without a stamp get the time of recording."""
        matching = _Matching(self.topic.name, self._truth_topic, beside, self._slop_ns)
        frames = (self._frame(number, *found) for number, found in enumerate(matching.images(self.bag)))
        return select(frames, selection, lambda frame: frame.seconds)

    def _find_truth(self) -> None:
        self._truth_topic = None
        if self._labels is not None:
            self.truth_names = self._labels.names
            return
        topic = None if self._labels_topic is None else self.bag.labels_topic(self._labels_topic)
        if topic is None:
            self.truth_missing = (
                f"{self.path} has no ground truth; expected label images on {TRUTH_TOPIC}, or a topic or a "
                "folder named by --labels-topic or --labels-folder (`ovseg bag info` lists topics)"
            )
            return
        self._truth_topic = topic.name
        self._map = self._map or self.bag.label_map(topic.name)
        self.truth_names = self._map.names
        self.truth_missing = (
            f"{self.path} does not say what the ids of {topic.name} mean; expected a vision_msgs/LabelInfo "
            "beside it, or a file with `id: name` lines (--label-names)"
        )

    def _frame(
        self,
        number: int,
        image: Message,
        labels: Message | None,
        camera_info: Message | None,
        beside: Mapping[str, Message],
    ) -> Frame:
        truth: Callable[[], np.ndarray] | None = None
        if self._labels is not None:
            truth = self._labels.reader(image.stamp_ns)
        elif labels is not None:
            truth = partial(self.bag.decode_labels, labels, self._map)
        seconds = (image.log_ns - self.bag.start_ns) / 1e9
        decode, message = partial(self.bag.decode_image, image), partial(_stamped, image)
        return Frame(
            number, "", seconds, image.stamp_ns, image.log_ns, decode, truth, message, camera_info, beside
        )


_Matched = tuple[Message, Message | None, Message | None, Mapping[str, Message]]
"""An image with its label message, the camera_info, and the messages of further topics by their names."""


class _Matching:
    """Brings together what belongs together. Images for which something may still come wait for it, each with
    its camera_info."""

    def __init__(self, image_topic: str, truth: str | None, beside: Sequence[str], slop_ns: int) -> None:
        self._image_topic = image_topic
        self._truth = truth
        self._beside = beside
        self._slop_ns = slop_ns
        self._waiting: deque[tuple[Message, Message | None]] = deque()
        self._by_stamp: dict[str, dict[int, Message]] = {
            name: {} for name in (truth, *beside) if name not in (None, image_topic)
        }

    def images(self, bag: Bag) -> Iterator[_Matched]:
        """All images of a bag in the order of recording."""
        info = _camera_info_topic(bag, self._image_topic)
        camera_info: Message | None = None
        names = [self._image_topic, *([info] if info else []), *self._by_stamp]
        for message in bag.messages(names):
            # Images whose time is over go first: what they waited with may be dropped for this message.
            yield from self._release(message.log_ns - 1)
            if message.topic == self._image_topic:
                self._waiting.append((message, camera_info))
            elif message.topic == info:
                camera_info = message
            else:
                self._keep(message)
            yield from self._release(message.log_ns)
        yield from self._release(None)

    def _keep(self, message: Message) -> None:
        known = self._by_stamp[message.topic]
        known[message.stamp_ns] = message
        for stamp in [s for s, m in known.items() if m.log_ns < message.log_ns - 2 * LOOK_AHEAD_NS]:
            del known[stamp]

    def _release(self, now_ns: int | None) -> Iterator[_Matched]:
        """The images from the front of the queue that have all that is theirs, or need no longer wait."""
        while self._waiting:
            image, camera_info = self._waiting[0]
            stamp = image.stamp_ns
            found = {name: known[stamp] for name, known in self._by_stamp.items() if stamp in known}
            still_expected = len(found) < len(self._by_stamp)
            if still_expected and now_ns is not None and now_ns < image.log_ns + LOOK_AHEAD_NS:
                return
            truth = found.get(self._truth or "") or self._nearest(stamp)
            self._waiting.popleft()
            if truth is not None and self._slop_ns:
                del self._by_stamp[truth.topic][truth.stamp_ns]
            beside = {name: found[name] for name in self._beside if name in found}
            yield image, truth, camera_info, beside

    def _nearest(self, stamp: int) -> Message | None:
        """The nearest label message within the slop that is no nearer to another image which lacks one."""
        if self._truth not in self._by_stamp or not self._slop_ns:
            return None
        truths = self._by_stamp[self._truth]
        others = {image.stamp_ns for image, _ in self._waiting} - {stamp}
        lacking = others - truths.keys()
        near = [
            (abs(own - stamp), own)
            for own in truths.keys() - others
            if abs(own - stamp) <= self._slop_ns
            and all(abs(own - other) >= abs(own - stamp) for other in lacking)
        ]
        return truths[min(near)[1]] if near else None


def _camera_info_topic(bag: Bag, image_topic: str) -> str | None:
    """The camera_info beside an image topic, by the rule of image_transport, where the bag has it."""
    camera = image_topic.removesuffix("/compressed").rpartition("/")[0]
    topic = bag.topic(f"{camera}/camera_info")
    return topic.name if topic is not None and topic.type == CAMERA_INFO else None


def _stamped(image: Message) -> Message:
    """The message with its stamp in its bytes too, where it was recorded without."""
    if header_stamp(image.data) == image.stamp_ns:
        return image
    return replace(image, data=with_header_stamp(image.data, image.stamp_ns))
