"""Our end of the graph: gives the node images and takes what it answers, by header stamp."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ovseg_ros import msg, srv
from ovseg_ros.evaluation.frames import Frame
from ovseg_ros.evaluation.message_types import COMPRESSED_IMAGE, header_stamp
from ovseg_ros.evaluation.node_process import NODE_NAME, ReplayError
from ovseg_ros.evaluation.recording import Answer

IMAGE_TOPIC = "/image"
COMPRESSED_TOPIC = "/image/compressed"
_OUTPUT_QOS = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED_QOS = QoSProfile(
    depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


@dataclass
class Parts:
    """What has come of the answer to one frame; `labels_at` is time.monotonic() of the labels' arrival."""

    labels: bytes | None = None
    confidence: bytes | None = None
    summary: bytes | None = None
    labels_at: float = 0.0

    def answer(self) -> Answer | None:
        """The whole answer once every part has come."""
        if self.labels is None or self.confidence is None or self.summary is None:
            return None
        revision = deserialize_message(self.summary, msg.SegmentationSummary).vocabulary_revision
        return Answer(self.labels, self.confidence, self.summary, revision)


@dataclass
class Latched:
    """The vocabularies and their LabelInfo in the order of arrival, as CDR bytes."""

    vocabularies: dict[int, bytes] = field(default_factory=dict)
    label_infos: list[bytes] = field(default_factory=list)


class GraphClient:
    """A node that publishes one camera and listens to everything that the segmenter says of it.

    Nothing runs by itself: `spin` takes in what has arrived. `on_answer(stamp_ns, answer, labels_at)` is
    called for every complete answer. Use as a context manager.
    """

    def __init__(self, on_answer: Callable[[int, Answer, float], None]) -> None:
        self.latched = Latched()
        self.diagnostics: dict[str, str] = {}
        self.failure = ""
        self._on_answer = on_answer
        self._parts: dict[int, Parts] = {}
        self._context = Context()

    def __enter__(self) -> "GraphClient":
        rclpy.init(context=self._context)
        self._node = node = Node("ovseg_replay", context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._raw = node.create_publisher(Image, IMAGE_TOPIC, qos)
        self._compressed = node.create_publisher(CompressedImage, COMPRESSED_TOPIC, qos)
        self._camera_info = node.create_publisher(CameraInfo, "/camera_info", qos)
        self._get_state = node.create_client(GetState, f"/{NODE_NAME}/get_state")
        self._set_vocabulary = node.create_client(srv.SetVocabulary, "/set_vocabulary")
        for kind, name in ((Image, "labels"), (Image, "confidence"), (msg.SegmentationSummary, "summary")):
            self._subscribe(kind, name, _OUTPUT_QOS, partial(self._take_part, name))
        self._subscribe(msg.Vocabulary, "vocabulary", _LATCHED_QOS, self._take_vocabulary)
        try:
            from vision_msgs.msg import LabelInfo
        except ImportError:
            node.get_logger().warning("vision_msgs is not installed: label_info is not recorded")
        else:
            self._subscribe(LabelInfo, "label_info", _LATCHED_QOS, self.latched.label_infos.append)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)
        return self

    def __exit__(self, *exception: object) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def spin(self, until: float, done: Callable[[], bool] = lambda: False) -> bool:
        """Take in what arrives until the time.monotonic() `until`; earlier, and True, once `done()` is."""
        while not done():
            remaining = until - time.monotonic()
            self._executor.spin_once(timeout_sec=min(max(remaining, 0.0), 0.1))
            if remaining <= 0:
                return done()
        return True

    def wait_until_active(self, timeout: float, check: Callable[[], None]) -> None:
        """Wait for the node to be active. `check()` is called all the while and may raise.

        Raises ReplayError where the node says that it cannot be configured, or after `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            check()
            if self._get_state.service_is_ready():
                reply = self._call(self._get_state, GetState.Request(), 2.0)
                if reply is not None and reply.current_state.id == State.PRIMARY_STATE_ACTIVE:
                    return
            if self.failure:
                raise ReplayError(f"the node cannot be configured: {self.failure}")
            self.spin(time.monotonic() + 0.2)
        raise ReplayError(f"the node was not active after {timeout:.0f} s")

    def publish(self, frame: Frame, image: bytes) -> float:
        """Send a frame's camera_info and `image`, CDR bytes of the frame's type; returns time.monotonic()."""
        if frame.camera_info is not None:
            self._camera_info.publish(frame.camera_info.data)
        publisher: Publisher = self._compressed if frame.image.type == COMPRESSED_IMAGE else self._raw
        sent_at = time.monotonic()
        publisher.publish(image)
        return sent_at

    def set_vocabulary(self, request: srv.SetVocabulary.Request, on_reply: Callable[[Any], None]) -> None:
        """Call the service; `on_reply(response)` is called from `spin`."""
        future = self._set_vocabulary.call_async(request)
        future.add_done_callback(lambda done: on_reply(done.result()))

    def forget(self, stamp_ns: int) -> None:
        """Drop what has come of a frame that will not be answered whole."""
        self._parts.pop(stamp_ns, None)

    def _call(self, client: Client, request: Any, timeout: float) -> Any | None:
        future = client.call_async(request)
        self.spin(time.monotonic() + timeout, future.done)
        if not future.done():
            client.remove_pending_request(future)
            return None
        return future.result()

    def _subscribe(self, kind: type, name: str, qos: QoSProfile, callback: Callable[[bytes], None]) -> None:
        self._node.create_subscription(kind, f"/{NODE_NAME}/{name}", callback, qos, raw=True)

    def _take_part(self, name: str, data: bytes) -> None:
        stamp_ns = header_stamp(data)
        parts = self._parts.setdefault(stamp_ns, Parts())
        setattr(parts, name, data)
        if name == "labels":
            parts.labels_at = time.monotonic()
        answer = parts.answer()
        if answer is not None:
            del self._parts[stamp_ns]
            self._on_answer(stamp_ns, answer, parts.labels_at)

    def _take_vocabulary(self, data: bytes) -> None:
        self.latched.vocabularies[deserialize_message(data, msg.Vocabulary).revision] = data

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{NODE_NAME}: segmentation":
                self.diagnostics = {entry.key: entry.value for entry in status.values}
                unconfigured = self.diagnostics.get("state") == "unconfigured"
                self.failure = (
                    status.message if unconfigured and status.level == DiagnosticStatus.ERROR else ""
                )
