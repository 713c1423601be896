"""A client of the segmenter node: publishes images, and takes what the node publishes, by header stamp."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ovseg_ros import msg, srv
from ovseg_ros.errors import OvsegError
from ovseg_ros.graph.names import GraphNames
from ovseg_ros.recordings.frame import Message
from ovseg_ros.recordings.messages import (
    COMPRESSED_IMAGE,
    header_stamp,
    read_vocabulary_message,
)
from ovseg_ros.vocabulary import Vocabulary

_OUTPUT_QOS = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED_QOS = QoSProfile(
    depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
SetVocabularyRequest: TypeAlias = srv.SetVocabulary.Request
_SERVICES = {"set_vocabulary": srv.SetVocabulary, "get_vocabulary": srv.GetVocabulary}
_PRIVATE_SERVICES = {"get_state": GetState, "get_parameters": GetParameters}
_OUTPUTS = {"labels": Image, "confidence": Image, "summary": msg.SegmentationSummary}
_INCOMPLETE = 32
"""The oldest incomplete output is given up when this many newer ones have begun."""


class ReplayError(OvsegError):
    """The node did not start, died, or published nothing."""


@dataclass
class NodeOutput:
    """What the node published for one frame, as CDR bytes; `arrived_at` is the time.monotonic() at which the
    labels arrived."""

    stamp_ns: int
    labels: bytes = b""
    confidence: bytes = b""
    summary: bytes = b""
    arrived_at: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all messages have arrived."""
        return bool(self.labels and self.confidence and self.summary)


@contextmanager
def _names_checked() -> Iterator[None]:
    try:
        yield
    except NameValidationException as error:
        raise ReplayError(f"the graph takes no such name: {error}") from error


class GraphClient:
    """A ROS node that publishes one camera and subscribes to everything that the segmenter publishes for it.

    A thread of its own receives the messages and puts every complete output into `outputs`; all methods may
    be called from any other thread. The time of an arrival is the one that the middleware notes when the
    labels are there, so neither this thread nor the interpreter's lock delays it; where a middleware notes
    none, it is the time at which this thread takes them. Use as a context manager.
    """

    def __init__(self, names: GraphNames | None = None) -> None:
        self.names = names or GraphNames()
        self.outputs: SimpleQueue[NodeOutput] = SimpleQueue()
        self.vocabularies: dict[int, Vocabulary] = {}
        """The vocabularies that came into force, by revision."""
        self.diagnostics: dict[str, str] = {}
        self.failure = ""
        """Why the node cannot be configured, empty where it does not say so."""
        self._incomplete: OrderedDict[int, NodeOutput] = OrderedDict()
        self._newest: msg.Vocabulary | None = None
        self._reported = threading.Event()
        self._context = Context()
        self._error: Exception | None = None

    def __enter__(self) -> "GraphClient":
        rclpy.init(context=self._context)
        self._node = Node("ovseg_replay", context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        try:
            self._connect()
        except ReplayError:
            self._node.destroy_node()
            rclpy.shutdown(context=self._context)
            raise
        self._thread = threading.Thread(target=self._spin, name="outputs", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    @_names_checked()
    def _connect(self) -> None:
        node, names = self._node, self.names
        services = [(name, names.in_namespace(name), kind) for name, kind in _SERVICES.items()]
        services += [(name, names.private(name), kind) for name, kind in _PRIVATE_SERVICES.items()]
        self._services = {name: node.create_client(kind, full_name) for name, full_name, kind in services}
        for name, kind in _OUTPUTS.items():
            take = partial(self._take_output, name)
            node.create_subscription(kind, names.private(name), take, _OUTPUT_QOS, raw=True)
        node.create_subscription(
            msg.Vocabulary, names.private("vocabulary"), self._take_vocabulary, _LATCHED_QOS
        )
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)

    @_names_checked()
    def open_camera(self) -> None:
        """Create the publishers of images on the topics in `names`. Raises ReplayError on invalid names."""
        create, names = self._node.create_publisher, self.names
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._raw = create(Image, names.raw_image, newest)
        self._compressed = create(CompressedImage, names.compressed_image, newest)
        self._camera_info = create(CameraInfo, names.camera_info, newest)

    def next_output(self, timeout: float) -> NodeOutput | None:
        """The next output, None where there is none within `timeout` seconds.

        Raises what went wrong on the thread that receives messages.
        """
        if self._error is not None:
            raise self._error
        with suppress(Empty):
            return self.outputs.get(timeout=timeout)
        return None

    def nodes(self) -> int:
        """How many nodes of the segmenter's name the graph knows."""
        known = self._node.get_node_names_and_namespaces()
        return [f"{space.rstrip('/')}/{node}" for node, space in known].count(self.names.full_node)

    def other_cameras(self) -> list[str]:
        """The nodes that publish on the image topics, except this client."""
        others: set[str] = set()
        for topic in (self.names.raw_image, self.names.compressed_image):
            found = self._node.get_publishers_info_by_topic(topic)
            names = [f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in found]
            if (own := self._node.get_fully_qualified_name()) in names:
                names.remove(own)  # once: another replay has the same name
            others |= set(names)
        return sorted(others)

    def is_clock_published(self) -> bool:
        return self._node.count_publishers("/clock") > 0

    def wait_until_active(self, timeout: float, check: Callable[[], None]) -> None:
        """Wait for the node to be active. `check()` is called repeatedly and may raise.

        Raises ReplayError where the node reports that it cannot be configured, or after `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            check()
            reply = self._reply("get_state", GetState.Request(), 2.0)
            if reply is not None and reply.current_state.id == State.PRIMARY_STATE_ACTIVE:
                return
            if self.failure:
                raise ReplayError(f"the node cannot be configured: {self.failure}")
            time.sleep(0.2)
        raise ReplayError(f"the node {self.names.full_node} was not active after {timeout:.0f} s")

    def wait_for_diagnostics(self, timeout: float) -> None:
        """Wait for the node's next diagnostics, `timeout` seconds at most."""
        self._reported.clear()
        self._reported.wait(timeout)

    def parameter(self, name: str, timeout: float = 10.0) -> Any | None:
        """A bool or string parameter of the node; None where it does not reply."""
        reply = self._reply("get_parameters", GetParameters.Request(names=[name]), timeout)
        if reply is None or not reply.values:
            return None
        value = reply.values[0]
        return {1: value.bool_value, 4: value.string_value}.get(value.type)

    def offer_clock(self) -> None:
        self._clock = self._node.create_publisher(Clock, "/clock", 1)

    def publish_clock(self, time_ns: int) -> None:
        seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
        self._clock.publish(Clock(clock=Time(sec=seconds, nanosec=nanoseconds)))

    def publish(self, image: Message, camera_info: Message | None) -> float:
        """Send camera_info and image; returns time.monotonic() just before the image went out."""
        if camera_info is not None:
            self._camera_info.publish(camera_info.data)
        publisher = self._compressed if image.type == COMPRESSED_IMAGE else self._raw
        sent_at = time.monotonic()
        publisher.publish(image.data)
        return sent_at

    def call(self, service: str, request: Any, on_reply: Callable[[Any, float], None]) -> None:
        """Call a service; `on_reply(response, seconds)` is called on the client's thread."""
        called = time.monotonic()
        future = self._services[service].call_async(request)
        future.add_done_callback(lambda done: on_reply(done.result(), time.monotonic() - called))

    def same_vocabulary(self) -> SetVocabularyRequest | None:
        """A request that sets the vocabulary in force again.

        None where no vocabulary is known, or a class has its own threshold, which no request can hold.
        """
        newest = self._newest
        if newest is None or any(entry.threshold != newest.threshold for entry in newest.classes):
            return None
        return SetVocabularyRequest(
            classes=["; ".join((entry.name, *entry.synonyms)) for entry in newest.classes],
            ids=[entry.id for entry in newest.classes],
            background=newest.background,
            threshold=newest.threshold,
            costs=[entry.cost for entry in newest.classes] if newest.has_costs else [],
            default_cost=newest.default_cost,
        )

    def _reply(self, service: str, request: Any, timeout: float) -> Any | None:
        """The response of a service; None where it is not there, or does not reply in time."""
        replies: SimpleQueue[Any] = SimpleQueue()
        if self._services[service].wait_for_service(timeout):
            self.call(service, request, lambda response, _: replies.put(response))
            with suppress(Empty):
                return replies.get(timeout=timeout)
        return None

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # raised by `check`, on a thread that handles it
            self._error = error

    def _take_output(self, name: str, data: bytes, info: Mapping[str, int]) -> None:
        stamp_ns = header_stamp(data)
        output = self._incomplete.setdefault(stamp_ns, NodeOutput(stamp_ns))
        setattr(output, name, data)
        if name == "labels":
            received = info["received_timestamp"] or time.time_ns()  # the middleware uses the system clock
            output.arrived_at = time.monotonic() - max(0.0, (time.time_ns() - received) / 1e9)
        if output.complete:
            del self._incomplete[stamp_ns]
            self.outputs.put(output)
        while len(self._incomplete) > _INCOMPLETE:
            self._incomplete.popitem(last=False)

    def _take_vocabulary(self, message: msg.Vocabulary) -> None:
        self._newest = message
        self.vocabularies[message.revision] = read_vocabulary_message(message)

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{self.names.full_node.lstrip('/')}: segmentation":
                self.diagnostics = {entry.key: entry.value for entry in status.values}
                unconfigured = self.diagnostics.get("state") == "unconfigured"
                failed = unconfigured and status.level == DiagnosticStatus.ERROR
                self.failure = status.message if failed else ""
                self._reported.set()
