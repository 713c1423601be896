"""What goes out for each frame of one camera, each output made only while it has subscribers."""

import threading

import numpy as np
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from ovseg_ros import msg
from ovseg_ros.images.codec import ImageError, fill_image
from ovseg_ros.images.drawing import overlay
from ovseg_ros.node.camera_info import scale_camera_info
from ovseg_ros.node.labelled import Labelled
from ovseg_ros.node.messages import summary_message
from ovseg_ros.node.point_cloud import points_message
from ovseg_ros.node.settings import OutputSettings
from ovseg_ros.vocabulary import Vocabulary

OUTPUT_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)

SILENT = PublisherEventCallbacks(use_default_callbacks=False)
"""No event handlers: each would be one more thing that the executor waits on, and there may be 254 classes.

It also makes it safe to create and destroy such a publisher outside the executor thread, which looks at the
event handlers of publishers but not at the publishers.
"""


class CameraOutputs:
    """The topics of one camera under `prefix`. `publish` and `use` are called by the worker only."""

    def __init__(self, node: Node, prefix: str) -> None:
        self._node = node
        self._prefix = prefix

        def create(kind: type, name: str) -> Publisher:
            return node.create_publisher(kind, prefix + name, OUTPUT_QOS)

        self._labels = create(Image, "labels")
        self._confidence = create(Image, "confidence")
        self._summary = create(msg.SegmentationSummary, "summary")
        self._overlay = create(Image, "overlay")
        self._camera_info = create(CameraInfo, "camera_info")
        self._cost = create(Image, "cost")
        self._points = create(PointCloud2, "points")
        self._fixed = (
            self._labels,
            self._confidence,
            self._summary,
            self._overlay,
            self._camera_info,
            self._cost,
            self._points,
        )
        self._lock = threading.Lock()
        self._by_slug: dict[str, Publisher] = {}
        self._needed: dict[int, set[str]] = {}  # revision -> slugs, from the one in use on
        self._in_use: dict[int, Publisher] = {}  # class id -> publisher
        self._class_topics: dict[int, str] = {}  # class id -> full name of its topic
        self._destroyed = False

    @property
    def topics(self) -> list[str]:
        """The full names of the topics that are always there."""
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
        return any(map(_watched, self._fixed)) or any(map(_watched, self._in_use.values()))

    def publish(self, frame: Labelled, settings: OutputSettings) -> float:
        """Publish one frame on every image topic that has a subscriber, and return its latency.

        Every message carries the input's header unchanged.
        """
        segmentation = frame.segmentation
        if _watched(self._labels):
            self._send_image(self._labels, segmentation.labels, "mono8", frame.header)
        latency = frame.latency()
        if _watched(self._confidence):
            self._send_image(self._confidence, segmentation.confidence, "mono8", frame.header)
        for class_id, publisher in self._in_use.items():
            if _watched(publisher):
                pixels = segmentation.class_confidence(class_id)
                self._send_image(publisher, pixels, "mono8", frame.header)
        if _watched(self._summary):
            self._summary.publish(summary_message(segmentation, frame.header, latency, self._class_topics))
        if _watched(self._overlay):
            pixels = overlay(
                frame.image, segmentation.labels, segmentation.vocabulary, alpha=settings.overlay_alpha
            )
            self._send_image(self._overlay, pixels, "rgb8", frame.header)
        return latency

    def publish_camera_info(self, frame: Labelled) -> None:
        """Publish the camera_info that fits the labels of `frame`, if there is one and a subscriber.

        Raises:
            ImageError: it contradicts itself or belongs to an image of another shape.
        """
        if frame.camera_info is None or not _watched(self._camera_info):
            return
        height, width = frame.segmentation.labels.shape
        image_size = frame.image.shape[1], frame.image.shape[0]
        info = scale_camera_info(frame.camera_info, width, height, image_size)
        info.header = frame.header
        self._camera_info.publish(info)

    def publish_cost(self, frame: Labelled) -> None:
        """Publish what planners pay for the pixels of `frame`, if somebody subscribes.

        Raises:
            ImageError: the vocabulary has no costs.
        """
        if not _watched(self._cost):
            return
        if not frame.segmentation.vocabulary.has_costs:
            raise ImageError(
                "no_costs",
                f"somebody subscribes to {self._cost.topic_name}, but no class of the vocabulary has a cost; "
                "give costs in its file, in vocabulary.costs, or with set_vocabulary",
            )
        self._send_image(self._cost, frame.segmentation.expected_cost(), "mono8", frame.header)

    def publish_points(self, frame: Labelled) -> None:
        """Publish the points of `frame`, if somebody subscribes.

        Raises:
            ImageError: depth or camera_info is missing, or cannot be used.
        """
        if not _watched(self._points):
            return
        self._points.publish(points_message(frame))

    def destroy(self) -> None:
        """Remove every topic, for good."""
        with self._lock:
            self._destroyed = True
            publishers = (*self._fixed, *self._by_slug.values())
            self._by_slug, self._in_use = {}, {}
        for publisher in publishers:
            self._node.destroy_publisher(publisher)

    @staticmethod
    def _send_image(publisher: Publisher, pixels: np.ndarray, encoding: str, header: Header) -> None:
        message = Image()
        fill_image(message, pixels, encoding, header)
        publisher.publish(message)


def _watched(publisher: Publisher) -> bool:
    return bool(publisher.get_subscription_count() > 0)
