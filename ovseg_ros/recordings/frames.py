"""A bag's images, each with the ground truth, the camera_info and what else belongs to it."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ovseg_ros.recordings.bag import Bag, BagError
from ovseg_ros.recordings.frame import Message
from ovseg_ros.recordings.message_types import CAMERA_INFO, header_stamp, with_header_stamp

LOOK_AHEAD_NS = 1_000_000_000
"""So long before or after its image (time of recording) what belongs to an image is looked for."""


@dataclass(frozen=True)
class Frame:
    """One image of a bag, its label message and the newest camera_info.

    `beside` has the messages of the same stamp of the further topics that were asked for.
    """

    image: Message
    truth: Message | None = None
    camera_info: Message | None = None
    beside: Mapping[str, Message] = field(default_factory=dict)

    @property
    def stamp_ns(self) -> int:
        """The image's header stamp in nanoseconds."""
        return self.image.stamp_ns


def camera_info_topic(bag: Bag, image_topic: str) -> str | None:
    """The camera_info beside an image topic, by the rule of image_transport, where the bag has it."""
    camera = image_topic.removesuffix("/compressed").rpartition("/")[0]
    topic = bag.topic(f"{camera}/camera_info")
    return topic.name if topic is not None and topic.type == CAMERA_INFO else None


def read_frames(
    bag: Bag,
    image_topic: str,
    *,
    labels_topic: str | None = None,
    beside: Sequence[str] = (),
    start_s: float = 0.0,
    end_s: float | None = None,
    slop_s: float = 0.0,
) -> Iterator[Frame]:
    """The frames of an image topic in the order of recording.

    An image's truth is the label message of `labels_topic` (None: `/ground_truth/labels`, where the bag has
    it) with the same header stamp, else the nearest within `slop_s` seconds (0 to 1). With a slop a label
    message goes to one image only: to that of its stamp, else to the nearest that has none. Messages of the
    topics `beside` have the image's own stamp. All of these may have been recorded up to a second before or
    after their image; memory holds no more than the messages of that time. Only images recorded from
    `start_s` up to, not including, `end_s` (seconds from the bag's start) are given; nothing far outside is
    read. An image without a stamp is given the time of recording. Messages too short to hold a header are
    left out and told in `bag.warnings`.

    Raises BagError where `labels_topic` is missing, or a number out of range.
    """
    if not 0 <= slop_s <= LOOK_AHEAD_NS / 1e9:
        raise BagError(f"the slop between stamps is {slop_s:g} s; expected 0 to {LOOK_AHEAD_NS / 1e9:g} s")
    if not start_s >= 0 or not (end_s is None or end_s > start_s):
        end = "the bag's end" if end_s is None else f"{end_s:g} s"
        raise BagError(f"the time range is {start_s:g} s to {end}; expected 0 <= start < end")
    labels = bag.labels_topic(labels_topic or "")
    start_ns = bag.start_ns + round(start_s * 1e9)
    stop_ns = bag.end_ns + 1 if end_s is None else bag.start_ns + round(end_s * 1e9)
    matching = _Matching(bag, image_topic, labels.name if labels else None, beside, round(slop_s * 1e9))
    return matching.frames(start_ns, stop_ns)


class _Matching:
    """Walks through a bag and brings together what belongs together.

    `waiting` has the stamp, the time of recording and the frame of each image for which something may still
    come; None stands for a frame outside of the range, to which a label message may belong.
    """

    def __init__(
        self, bag: Bag, image_topic: str, truth: str | None, beside: Sequence[str], slop_ns: int
    ) -> None:
        self._bag = bag
        self._image_topic = image_topic
        self._truth = truth
        self._beside = beside
        self._slop_ns = slop_ns
        self._waiting: deque[tuple[int, int, Frame | None]] = deque()
        sides = [name for name in (truth, *beside) if name is not None and name != image_topic]
        self._by_stamp: dict[str, dict[int, Message]] = {name: {} for name in sides}

    def frames(self, start_ns: int, stop_ns: int) -> Iterator[Frame]:
        """The frames recorded in a range of time."""
        info = camera_info_topic(self._bag, self._image_topic)
        camera_info: Message | None = None
        names = [self._image_topic, *([info] if info else []), *self._by_stamp]
        for message in self._bag.messages(names, start_ns - LOOK_AHEAD_NS, stop_ns + LOOK_AHEAD_NS):
            # Images whose time is over go first: what they waited with may be dropped for this message.
            yield from self._release(message.log_ns - 1)
            if message.topic == self._image_topic:
                wanted = start_ns <= message.log_ns < stop_ns
                frame = Frame(_stamped(message), None, camera_info) if wanted else None
                self._waiting.append((message.stamp_ns, message.log_ns, frame))
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

    def _release(self, now_ns: int | None) -> Iterator[Frame]:
        """The images from the front of the queue that have all that is theirs, or need no longer wait."""
        while self._waiting:
            stamp, log_ns, frame = self._waiting[0]
            found = {name: known[stamp] for name, known in self._by_stamp.items() if stamp in known}
            still_expected = len(found) < len(self._by_stamp)
            if still_expected and now_ns is not None and now_ns < log_ns + LOOK_AHEAD_NS:
                return
            truth = found.get(self._truth or "") or self._nearest(stamp)
            self._waiting.popleft()
            if truth is not None and self._slop_ns:
                del self._by_stamp[truth.topic][truth.stamp_ns]
            if frame is not None:
                beside = {name: found[name] for name in self._beside if name in found}
                yield replace(frame, truth=truth, beside=beside)

    def _nearest(self, stamp: int) -> Message | None:
        """The nearest label message within the slop that is no nearer to another image which lacks one."""
        if self._truth not in self._by_stamp or not self._slop_ns:
            return None
        truths = self._by_stamp[self._truth]
        others = {other for other, _, _ in self._waiting} - {stamp}
        lacking = others - truths.keys()
        near = [
            (abs(own - stamp), own)
            for own in truths.keys() - others
            if abs(own - stamp) <= self._slop_ns
            and all(abs(own - other) >= abs(own - stamp) for other in lacking)
        ]
        return truths[min(near)[1]] if near else None


def _stamped(image: Message) -> Message:
    if header_stamp(image.data) == image.stamp_ns:
        return image
    return replace(image, data=with_header_stamp(image.data, image.stamp_ns))
