"""What goes out: for each frame of a camera, while somebody subscribes, and the latched vocabulary."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from ovseg_ros import msg
from ovseg_ros.images.codec import ImageError, fill_image
from ovseg_ros.images.drawing import overlay
from ovseg_ros.node.camera_info import scale_camera_info
from ovseg_ros.node.depth import stamp_of
from ovseg_ros.node.frames import LabelledFrame, VocabularySnapshot
from ovseg_ros.node.point_cloud import points_message
from ovseg_ros.node.statistics import latency
from ovseg_ros.recordings import messages
from ovseg_ros.vocabulary import Vocabulary

OUTPUT_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)

SILENT = PublisherEventCallbacks(use_default_callbacks=False)
"""No event handlers: each would be one more thing that the executor waits on, and there may be 254 classes.

It also makes it safe to create and destroy such a publisher outside the executor thread, which looks at the
event handlers of publishers but not at the publishers.
"""

LATCHED_QOS = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class CameraOutputs:
    """The topics of one camera under `prefix`. `publish` and `use` are called by the worker only."""

    def __init__(self, node: Node, prefix: str) -> None:
        self._node = node
        self._prefix = prefix
        kinds = {"labels": Image, "confidence": Image, "summary": msg.SegmentationSummary, "overlay": Image}
        kinds |= {"camera_info": CameraInfo, "cost": Image, "points": PointCloud2}
        self._fixed = [node.create_publisher(kind, prefix + name, OUTPUT_QOS) for name, kind in kinds.items()]
        self._labels, self._confidence, self._summary, self._overlay, *others = self._fixed
        self._camera_info, self._cost, self._points = others
        self._lock = threading.Lock()
        self._by_slug: dict[str, Publisher] = {}
        self._needed: dict[int, set[str]] = {}  # revision -> slugs, from the one in use on
        self._in_use: dict[int, Publisher] = {}  # class id -> publisher
        self._class_topics: dict[int, str] = {}  # class id -> full name of its topic
        self._destroyed = False

    @property
    def topics(self) -> list[str]:
        return [publisher.topic_name for publisher in self._fixed]

    def add_classes(self, vocabulary: Vocabulary) -> None:
        """Create the confidence topics that `vocabulary` needs beside those that are there.

        It may run on any thread, and not much of the time of the others is taken from them.
        """
        with self._lock:
            self._needed[vocabulary.revision] = {cls.slug for cls in vocabulary.classes}
        for cls in vocabulary.classes:
            with self._lock:
                if not self._destroyed and cls.slug not in self._by_slug:
                    self._by_slug[cls.slug] = self._node.create_publisher(
                        Image, f"{self._prefix}confidence/{cls.slug}", OUTPUT_QOS, event_callbacks=SILENT
                    )

    def use(self, vocabulary: Vocabulary) -> None:
        """Publish the classes of `vocabulary` from the next frame on, after `add_classes` was called for it.

        Topics that neither it nor a later vocabulary has are removed.
        """
        with self._lock:
            self._in_use = {cls.id: self._by_slug[cls.slug] for cls in vocabulary.classes}
            self._class_topics = {number: publisher.topic_name for number, publisher in self._in_use.items()}
            self._needed = {
                revision: slugs for revision, slugs in self._needed.items() if revision >= vocabulary.revision
            }
            kept = set().union(*self._needed.values())
            obsolete = [self._by_slug.pop(slug) for slug in list(self._by_slug) if slug not in kept]
        for publisher in obsolete:
            self._node.destroy_publisher(publisher)

    def wanted(self) -> bool:
        """Whether anybody subscribes to anything that needs a segmentation."""
        return any(map(_subscribed, self._fixed)) or any(map(_subscribed, self._in_use.values()))

    def publish(self, frame: LabelledFrame) -> tuple[float, list[ImageError]]:
        """Publish one frame on every topic that has a subscriber, but for the points.

        Every message carries the input's header unchanged. Returns the seconds from the frame's stamp until
        its labels went out, NaN where unknown, and why what else was wanted could not be published.
        """
        segmentation = frame.segmentation

        def send(publisher: Publisher, pixels: Callable[[], np.ndarray], encoding: str = "mono8") -> None:
            if _subscribed(publisher):
                message = Image()
                fill_image(message, pixels(), encoding, frame.header)
                publisher.publish(message)

        send(self._labels, lambda: segmentation.labels)
        age = latency(stamp_of(frame), self._node.get_clock().now().nanoseconds)
        send(self._confidence, lambda: segmentation.confidence)
        for class_id, publisher in self._in_use.items():
            send(publisher, partial(segmentation.class_confidence, class_id))
        if _subscribed(self._summary):
            summary = messages.summary_message(
                make_message,
                frame.header,
                segmentation.vocabulary,
                segmentation.summary(),
                self._class_topics,
                unlabelled_share=segmentation.unlabelled_share,
                inference_ms=segmentation.inference_ms,
                latency_ms=1e3 * age,
            )
            self._summary.publish(summary)
        alpha = frame.setup.output.overlay_alpha
        drawn = partial(overlay, frame.image, segmentation.labels, segmentation.vocabulary, alpha=alpha)
        send(self._overlay, drawn, "rgb8")
        failed = []
        try:
            if frame.camera_info is not None and _subscribed(self._camera_info):
                self._camera_info.publish(_scaled_camera_info(frame, frame.camera_info))
        except ImageError as error:
            failed.append(error)
        if segmentation.vocabulary.has_costs:
            send(self._cost, segmentation.expected_cost)
        elif _subscribed(self._cost):
            text = (
                f"somebody subscribes to {self._cost.topic_name}, but no class of the vocabulary has a cost; "
                "give costs in its file, in vocabulary.costs, or with set_vocabulary"
            )
            failed.append(ImageError("no_costs", text))
        return age, failed

    def publish_points(self, frame: LabelledFrame) -> None:
        """Publish the points of `frame`, if somebody subscribes. Raises ImageError where it cannot."""
        if _subscribed(self._points):
            self._points.publish(points_message(frame))

    def destroy(self) -> None:
        """Remove every topic, for good."""
        with self._lock:
            self._destroyed = True
            publishers = (*self._fixed, *self._by_slug.values())
            self._by_slug, self._in_use = {}, {}
        for publisher in publishers:
            self._node.destroy_publisher(publisher)


class VocabularyOutputs:
    """`~/vocabulary` and `~/label_info`, latched. `publish` is called by the worker only."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publishers = [node.create_publisher(msg.Vocabulary, "~/vocabulary", LATCHED_QOS)]
        try:
            from vision_msgs.msg import LabelInfo
        except ImportError as error:
            node.get_logger().warning(
                f"~/label_info is not published, since vision_msgs cannot be imported ({error}); "
                "install ros-jazzy-vision-msgs if a consumer such as Nav2's semantic layer needs it"
            )
        else:
            self._publishers.insert(0, node.create_publisher(LabelInfo, "~/label_info", LATCHED_QOS))

    @property
    def topics(self) -> list[str]:
        return [publisher.topic_name for publisher in self._publishers]

    def publish(self, snapshot: VocabularySnapshot) -> None:
        """Announce the vocabulary that comes into force now; `~/label_info` first, where it is there."""
        *label_info, vocabulary = self._publishers
        for publisher in label_info:
            publisher.publish(snapshot.label_info)
        vocabulary.publish(snapshot.message)

    def destroy(self) -> None:
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)


def _subscribed(publisher: Publisher) -> bool:
    return bool(publisher.get_subscription_count() > 0)


def _scaled_camera_info(frame: LabelledFrame, info: CameraInfo) -> CameraInfo:
    """The calibration for the labels; ImageError where it does not fit the image."""
    height, width = frame.segmentation.output_size
    scaled = scale_camera_info(info, width, height, frame.image_size)
    scaled.header = frame.header
    return scaled


def vocabulary_snapshot(
    node: Node, vocabulary: Vocabulary, cameras: Sequence[str], stamp: Time | None = None
) -> VocabularySnapshot:
    """The messages of a vocabulary that came into force at `stamp`, or did not yet.

    One message serves all cameras: where these have names, each has its own topics behind its own prefix.
    """
    paths = [f"confidence/{cls.slug}" for cls in vocabulary.classes]
    topics = paths if any(cameras) else [node.resolve_topic_name(f"~/{path}") for path in paths]
    header = Header(stamp=stamp or Time())
    message = messages.vocabulary_message(make_message, vocabulary, header, topics)
    names = messages.label_names(vocabulary)
    try:
        info = messages.label_info_message(make_message, names, header, vocabulary.threshold)
    except ImportError:
        info = None
    return VocabularySnapshot(vocabulary, message, info)


def make_message(kind: str, **fields: object) -> Any:
    """A message of a kind such as "std_msgs/msg/Header"; fields that are not given are empty."""
    package, _, name = kind.split("/")
    return getattr(import_module(f"{package}.msg"), name)(**fields)
