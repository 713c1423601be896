"""A bag's images, each with the ground truth and the camera_info that belong to it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ovseg_ros.evaluation.bags import TRUTH_TOPIC, Bag, BagMessage
from ovseg_ros.evaluation.message_types import CAMERA_INFO, IMAGE, header_stamp, with_header_stamp

LOOK_AHEAD_NS = 1_000_000_000


@dataclass(frozen=True)
class Frame:
    """One image of a bag, its label message of the same header stamp and the newest camera_info."""

    image: BagMessage
    truth: BagMessage | None = None
    camera_info: BagMessage | None = None

    @property
    def stamp_ns(self) -> int:
        """The image's header stamp in nanoseconds."""
        return self.image.stamp_ns


def truth_topic(bag: Bag) -> str | None:
    """`/ground_truth/labels` where the bag has it."""
    topic = bag.topic(TRUTH_TOPIC)
    return topic.name if topic is not None and topic.type == IMAGE and topic.count else None


def camera_info_topic(bag: Bag, image_topic: str) -> str | None:
    """The camera_info beside an image topic, by the rule of image_transport, where the bag has it."""
    camera = image_topic.removesuffix("/compressed").rpartition("/")[0]
    topic = bag.topic(f"{camera}/camera_info")
    return topic.name if topic is not None and topic.type == CAMERA_INFO else None


def read_frames(bag: Bag, image_topic: str) -> Iterator[Frame]:
    """The frames of an image topic in the order of recording.

    Truth may have been recorded up to a second before or after its image; memory holds no more than
    the messages of that time. An image without a stamp is given the time of recording.
    """
    truth, info = truth_topic(bag), camera_info_topic(bag, image_topic)
    waiting: deque[Frame] = deque()
    truths: dict[int, BagMessage] = {}
    camera_info: BagMessage | None = None

    def release(now_ns: int | None) -> Iterator[Frame]:
        while waiting:
            frame = waiting[0]
            found = truths.get(frame.stamp_ns)
            still_expected = truth is not None and found is None
            if still_expected and now_ns is not None and now_ns < frame.image.log_ns + LOOK_AHEAD_NS:
                return
            waiting.popleft()
            yield Frame(frame.image, found, frame.camera_info)

    for message in bag.messages([name for name in (image_topic, truth, info) if name]):
        if message.topic == info:
            camera_info = message
        elif message.topic == truth:
            truths[message.stamp_ns] = message
            for stamp in [s for s, m in truths.items() if m.log_ns < message.log_ns - 2 * LOOK_AHEAD_NS]:
                del truths[stamp]
        else:
            waiting.append(Frame(_stamped(message), None, camera_info))
        yield from release(message.log_ns)
    yield from release(None)


def _stamped(image: BagMessage) -> BagMessage:
    if header_stamp(image.data) == image.stamp_ns:
        return image
    return replace(image, data=with_header_stamp(image.data, image.stamp_ns))
