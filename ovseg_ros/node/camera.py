"""One camera: its subscriptions, its newest frame, and its outputs."""

import threading
import time
from collections import Counter
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ovseg_ros.images.codec import decode_compressed, decode_image
from ovseg_ros.node.camera_names import input_name, output_prefix
from ovseg_ros.node.depth import DepthBuffer, stamp_of
from ovseg_ros.node.frame_slot import Frame, FrameSlot
from ovseg_ros.node.newest_frame import NewestFrame
from ovseg_ros.node.publishers import CameraOutputs
from ovseg_ros.node.settings import InputSettings
from ovseg_ros.node.stamps import StampWatch
from ovseg_ros.node.statistics import FrameStatistics

TRANSPORTS = {"raw": (Image, decode_image), "compressed": (CompressedImage, decode_compressed)}


class Camera:
    """A camera's way in (`open`, `close`; executor thread), its `outputs`, and what became of its frames.

    Everything that is kept from one frame of a camera to its next lives here: with smoothing, the last one's
    `moment` of `engine.Setup`. `name` is empty for the only camera of a node.
    """

    def __init__(self, node: Node, wake: threading.Condition, name: str) -> None:
        self.name = name
        self._node = node
        self._subscriptions: list[Subscription] = []
        self.slot = FrameSlot(wake)
        self.depths = DepthBuffer()
        self.newest = NewestFrame(received=lambda: self.slot.counts[0])
        self.outputs = CameraOutputs(node, output_prefix(name))
        self.stamps = StampWatch()
        self.moment: Any = None
        self.statistics = FrameStatistics()
        self.camera_info: CameraInfo | None = None
        self.qos_mismatches: Counter[str] = Counter()
        self.decode = decode_image

    def open(self, settings: InputSettings) -> None:
        """Subscribe."""
        message_type, self.decode = TRANSPORTS[settings.transport]
        self.stamps.reset()
        self.moment = None
        self.statistics.restart_windows()
        topic = image_topic(self._node, settings.transport, self.name)
        profile = QoSProfile(depth=1, reliability=ReliabilityPolicy[settings.reliability.upper()])
        events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible_qos)
        self._subscriptions = [
            self._node.create_subscription(
                message_type, topic, self._on_image, profile, event_callbacks=events
            ),
            self._node.create_subscription(
                CameraInfo, input_name(self.name, "camera_info"), self._on_camera_info, profile
            ),
            self._node.create_subscription(Image, input_name(self.name, "depth"), self.depths.put, profile),
        ]

    def close(self) -> None:
        """Unsubscribe, and forget what waits."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self.slot.clear()
        self.depths.clear()
        self.newest.clear()
        self.camera_info = None

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.arrived()
        self.depths.expect(stamp_of(message))
        self.slot.put(Frame(message, time.monotonic()))

    def _on_camera_info(self, info: CameraInfo) -> None:
        self.camera_info = info

    def _on_incompatible_qos(self, event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        self.qos_mismatches[policy] += event.total_count_change
        images = f"images of {self.name}" if self.name else "images"
        self._node.get_logger().warning(
            f"a publisher of {images} offers a QoS that does not fit ({policy}); nothing is received from "
            "it. Set input.reliability to best_effort, which fits every publisher"
        )


def image_topic(node: Node, transport: str, camera: str) -> str:
    """The full name of the topic that a camera's images come from.

    As image_transport does it, compressed images come from the name that `image` is remapped to, with
    "/compressed" behind it, unless `image/compressed` itself is remapped.
    """
    plain, compressed = input_name(camera, "image"), input_name(camera, "image/compressed")
    if transport == "raw":
        return node.resolve_topic_name(plain)
    resolved = node.resolve_topic_name(compressed)
    if resolved != node.resolve_topic_name(compressed, only_expand=True):
        return resolved
    return node.resolve_topic_name(plain) + "/compressed"


def input_topics(node: Node, transport: str, camera: str) -> list[str]:
    """The full names of all topics that a camera reads."""
    others = [node.resolve_topic_name(input_name(camera, name)) for name in ("camera_info", "depth")]
    return [image_topic(node, transport, camera), *others]
