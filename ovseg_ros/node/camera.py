"""One camera: its topics, its subscriptions, its newest frame, its outputs, and hints where nothing comes."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ovseg_ros.images.codec import decode_compressed, decode_image
from ovseg_ros.node.depth import DepthBuffer, stamp_of
from ovseg_ros.node.frames import ArrivedFrame
from ovseg_ros.node.locate import NewestFrame
from ovseg_ros.node.outputs import CameraOutputs
from ovseg_ros.node.settings import InputConfig
from ovseg_ros.node.statistics import CameraStatistics
from ovseg_ros.node.worker import FrameSlot

if TYPE_CHECKING:
    from ovseg_ros.clipseg import SmoothingState

TRANSPORTS = {"raw": (Image, decode_image), "compressed": (CompressedImage, decode_compressed)}


class CameraInput:
    """A camera's way in (`open`, `close`; executor thread), its `outputs`, and what became of its frames.

    Everything that is kept from one frame of a camera to its next is here: with smoothing, the `smoothing` of
    the last one. `name` is empty for the only camera of a node.
    """

    def __init__(self, node: Node, wake: threading.Condition, name: str) -> None:
        self.name = name
        self._node = node
        self._subscriptions: list[Subscription] = []
        self.slot = FrameSlot(wake)
        self.depths = DepthBuffer()
        self.newest = NewestFrame(self.slot)
        self.outputs = CameraOutputs(node, f"~/{name}/" if name else "~/")
        self.smoothing: SmoothingState | None = None
        self.statistics = CameraStatistics()
        self.camera_info: CameraInfo | None = None
        self.qos_mismatches: Counter[str] = Counter()
        self.decode = decode_image

    def open(self, config: InputConfig) -> None:
        message_type, self.decode = TRANSPORTS[config.transport]
        self.smoothing = None
        self.statistics.opened()
        topic = image_topic(self._node, config.transport, self.name)
        profile = QoSProfile(depth=1, reliability=ReliabilityPolicy[config.reliability.upper()])
        events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible_qos)
        self._subscriptions = [
            self._node.create_subscription(
                message_type, topic, self._on_image, profile, event_callbacks=events
            ),
            self._node.create_subscription(
                CameraInfo, _input_name(self.name, "camera_info"), self._on_camera_info, profile
            ),
            self._node.create_subscription(Image, _input_name(self.name, "depth"), self.depths.put, profile),
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
        self.slot.put(ArrivedFrame(message, time.monotonic()))

    def _on_camera_info(self, info: CameraInfo) -> None:
        self.camera_info = info

    def _on_incompatible_qos(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
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
    plain, compressed = _input_name(camera, "image"), _input_name(camera, "image/compressed")
    if transport == "raw":
        return node.resolve_topic_name(plain)
    resolved = node.resolve_topic_name(compressed)
    if resolved != node.resolve_topic_name(compressed, only_expand=True):
        return resolved
    return node.resolve_topic_name(plain) + "/compressed"


def input_topics(node: Node, transport: str, camera: str) -> list[str]:
    others = [node.resolve_topic_name(_input_name(camera, name)) for name in ("camera_info", "depth")]
    return [image_topic(node, transport, camera), *others]


def missing_publisher_hints(node: Node, transport: str, cameras: Sequence[str]) -> list[str]:
    """What to say of each camera that nothing publishes images for: which image topics there are.

    Users remap names that do not exist, and get silence.
    """
    topics = {camera: image_topic(node, transport, camera) for camera in cameras}
    silent = {camera: topic for camera, topic in topics.items() if node.count_publishers(topic) == 0}
    taken = set(topics.values()) - set(silent.values())
    return [_hint(node, transport, camera, topic, taken) for camera, topic in silent.items()]


def _hint(node: Node, transport: str, camera: str, topic: str, taken: set[str]) -> str:
    there = {name: _published(node, kind.__name__, taken) for name, (kind, _) in TRANSPORTS.items()}
    text = f"nothing publishes on {topic}"
    if there[transport]:
        example = there[transport][0].removesuffix("/compressed")
        remapping = f"{_input_name(camera, 'image')}:={example}"
        return f"{text}; there are: {', '.join(there[transport])}. Remap with --ros-args -r {remapping}"
    other = "compressed" if transport == "raw" else "raw"
    if there[other]:
        return f"{text}; there are {other} images: {', '.join(there[other])}. Set input.transport to {other}"
    return f"{text}, and there is no other image topic: is the camera running?"


def _published(node: Node, kind: str, taken: set[str]) -> list[str]:
    """The topics of a type that others publish, without those that a camera of this node already reads."""
    own = node.get_fully_qualified_name() + "/"
    return [
        name
        for name, types in node.get_topic_names_and_types()
        if f"sensor_msgs/msg/{kind}" in types
        and not name.startswith(own)
        and name not in taken
        and node.count_publishers(name) > 0
    ]


def _input_name(camera: str, name: str) -> str:
    """The name of one of a camera's inputs, before it is remapped: `image`, or `front/image`."""
    return f"{camera}/{name}" if camera else name
