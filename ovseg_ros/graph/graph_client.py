"""Our end of the graph: gives the node images and takes what it answers, by header stamp."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.context import Context
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ovseg_ros import msg, srv
from ovseg_ros.graph.graph_names import GraphNames
from ovseg_ros.graph.node_process import ReplayError
from ovseg_ros.recordings.frames import Frame
from ovseg_ros.recordings.message_types import COMPRESSED_IMAGE, header_stamp
from ovseg_ros.recordings.recording import read_vocabulary_message
from ovseg_ros.vocabulary import Vocabulary

_OUTPUT_QOS = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED_QOS = QoSProfile(
    depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
_PARTS = {"labels": Image, "confidence": Image, "summary": msg.SegmentationSummary}
_INCOMPLETE = 32
"""Answers of which a part is still to come are given up when so many newer ones have begun."""


@dataclass
class Arrival:
    """The answer to one frame as CDR bytes; `at` is the time.monotonic() at which its labels arrived."""

    stamp_ns: int
    labels: bytes = b""
    confidence: bytes = b""
    summary: bytes = b""
    at: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every part has come."""
        return bool(self.labels and self.confidence and self.summary)


class GraphClient:
    """A node that publishes one camera and listens to everything that the segmenter says of it.

    A thread of its own takes in what arrives and puts every complete answer into `arrivals`; all methods may
    be called from any other thread. The time of an arrival is the one that the middleware notes when the
    labels are there, so neither this thread nor the interpreter's lock delays it; where a middleware notes
    none, it is the time at which this thread takes them. Use as a context manager.
    """

    def __init__(self, names: GraphNames | None = None) -> None:
        self.names = names or GraphNames()
        self.arrivals: SimpleQueue[Arrival] = SimpleQueue()
        self.vocabularies: dict[int, Vocabulary] = {}
        """The vocabularies that came into force, by revision."""
        self.diagnostics: dict[str, str] = {}
        self.failure = ""
        self._incomplete: OrderedDict[int, Arrival] = OrderedDict()
        self._newest: msg.Vocabulary | None = None
        self._told = threading.Event()
        self._context = Context()
        self._error: Exception | None = None

    def __enter__(self) -> "GraphClient":
        rclpy.init(context=self._context)
        self._node = Node("ovseg_replay", context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        try:
            self._connect()
        except NameValidationException as error:
            self._node.destroy_node()
            rclpy.shutdown(context=self._context)
            raise ReplayError(f"the graph takes no such name: {error}") from error
        self._thread = threading.Thread(target=self._spin, name="arrivals", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _connect(self) -> None:
        node, names = self._node, self.names
        self._get_state = node.create_client(GetState, names.private("get_state"))
        self._get_parameters = node.create_client(GetParameters, names.private("get_parameters"))
        self._set_vocabulary = node.create_client(srv.SetVocabulary, names.in_namespace("set_vocabulary"))
        self._get_vocabulary = node.create_client(srv.GetVocabulary, names.in_namespace("get_vocabulary"))
        for name, kind in _PARTS.items():
            take = partial(self._take_part, name)
            node.create_subscription(kind, names.private(name), take, _OUTPUT_QOS, raw=True)
        node.create_subscription(
            msg.Vocabulary, names.private("vocabulary"), self._take_vocabulary, _LATCHED_QOS
        )
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)

    def open_camera(self) -> None:
        """Become a publisher of images, on the topics that `names` tells now.

        Raises ReplayError where they are no valid names.
        """
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        topics = ("raw_image", Image), ("compressed_image", CompressedImage), ("camera_info", CameraInfo)
        try:
            self._raw, self._compressed, self._camera_info = (
                self._node.create_publisher(kind, getattr(self.names, topic), newest)
                for topic, kind in topics
            )
        except NameValidationException as error:
            raise ReplayError(f"the graph takes no such name: {error}") from error

    def next_arrival(self, timeout: float) -> Arrival | None:
        """The next answer, None where there is none within `timeout` seconds."""
        try:
            return self.arrivals.get(timeout=timeout)
        except Empty:
            return None

    def check(self) -> None:
        """Raises what went wrong on the thread that takes in answers."""
        if self._error is not None:
            raise self._error

    def is_there(self) -> bool:
        """Whether the graph knows a node of the segmenter's name."""
        return self.namesakes() > 0

    def namesakes(self) -> int:
        """How many nodes of the segmenter's name the graph knows."""
        known = self._node.get_node_names_and_namespaces()
        return [f"{space.rstrip('/')}/{node}" for node, space in known].count(self.names.full_node)

    def other_cameras(self) -> list[str]:
        """The nodes that publish on the image topics, but for this client."""
        others: set[str] = set()
        for topic in (self.names.raw_image, self.names.compressed_image):
            found = self._node.get_publishers_info_by_topic(topic)
            names = [f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in found]
            if (own := self._node.get_fully_qualified_name()) in names:
                names.remove(own)  # once: another replay has the same name
            others |= set(names)
        return sorted(others)

    def is_clock_published(self) -> bool:
        """Whether somebody on the graph publishes /clock."""
        return self._node.count_publishers("/clock") > 0

    def wait_until_active(self, timeout: float, check: Callable[[], None]) -> None:
        """Wait for the node to be active. `check()` is called all the while and may raise.

        Raises ReplayError where the node says that it cannot be configured, or after `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            check()
            reply = self._call(self._get_state, GetState.Request(), 2.0)
            if reply is not None and reply.current_state.id == State.PRIMARY_STATE_ACTIVE:
                return
            if self.failure:
                raise ReplayError(f"the node cannot be configured: {self.failure}")
            time.sleep(0.2)
        raise ReplayError(f"the node {self.names.full_node} was not active after {timeout:.0f} s")

    def wait_for_diagnostics(self, timeout: float) -> None:
        """Wait until the node has told anew how it is, `timeout` seconds at most."""
        self._told.clear()
        self._told.wait(timeout)

    def parameter(self, name: str, timeout: float = 10.0) -> Any | None:
        """A bool or string parameter of the node; None where it does not tell."""
        reply = self._call(self._get_parameters, GetParameters.Request(names=[name]), timeout)
        if reply is None or not reply.values:
            return None
        value = reply.values[0]
        return {1: value.bool_value, 4: value.string_value}.get(value.type)

    def offer_clock(self) -> None:
        """Become a publisher of /clock."""
        self._clock = self._node.create_publisher(Clock, "/clock", 1)

    def publish_clock(self, time_ns: int) -> None:
        """Say on /clock what time it is."""
        seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
        self._clock.publish(Clock(clock=Time(sec=seconds, nanosec=nanoseconds)))

    def publish(self, frame: Frame, image: bytes) -> float:
        """Send a frame's camera_info and `image`, CDR bytes of the frame's type; returns time.monotonic()
        just before the image went out."""
        if frame.camera_info is not None:
            self._camera_info.publish(frame.camera_info.data)
        publisher = self._compressed if frame.image.type == COMPRESSED_IMAGE else self._raw
        sent_at = time.monotonic()
        publisher.publish(image)
        return sent_at

    def set_vocabulary(
        self, request: srv.SetVocabulary.Request, on_reply: Callable[[Any, float], None]
    ) -> None:
        """Call the service; `on_reply(response, seconds)` is called on the client's thread."""
        self._call_timed(self._set_vocabulary, request, on_reply)

    def same_vocabulary(self) -> srv.SetVocabulary.Request | None:
        """A call that sets the vocabulary in force anew.

        None where no vocabulary is known, or where a call cannot say it: a class has its own threshold.
        """
        words = self._newest
        if words is None or any(entry.threshold != words.threshold for entry in words.classes):
            return None
        return srv.SetVocabulary.Request(
            classes=["; ".join((entry.name, *entry.synonyms)) for entry in words.classes],
            ids=[entry.id for entry in words.classes],
            background=words.background,
            threshold=words.threshold,
            costs=[entry.cost for entry in words.classes] if words.has_costs else [],
            default_cost=words.default_cost,
        )

    def get_vocabulary(self, on_reply: Callable[[Any, float], None]) -> None:
        """Call the service; `on_reply(response, seconds)` is called on the client's thread."""
        self._call_timed(self._get_vocabulary, srv.GetVocabulary.Request(), on_reply)

    def _call_timed(self, client: Client, request: Any, on_reply: Callable[[Any, float], None]) -> None:
        called = time.monotonic()
        future = client.call_async(request)
        future.add_done_callback(lambda done: on_reply(done.result(), time.monotonic() - called))

    def _call(self, client: Client, request: Any, timeout: float) -> Any | None:
        if not client.wait_for_service(timeout):
            return None
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(timeout):
            client.remove_pending_request(future)
            return None
        return future.result()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # told by `check`, on a thread that somebody looks at
            self._error = error

    def _take_part(self, name: str, data: bytes, info: Mapping[str, int]) -> None:
        stamp_ns = header_stamp(data)
        arrival = self._incomplete.setdefault(stamp_ns, Arrival(stamp_ns))
        setattr(arrival, name, data)
        if name == "labels":
            arrival.at = time.monotonic() - _age(info)
        if arrival.complete:
            del self._incomplete[stamp_ns]
            self.arrivals.put(arrival)
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
                self.failure = (
                    status.message if unconfigured and status.level == DiagnosticStatus.ERROR else ""
                )
                self._told.set()


def _age(info: Mapping[str, int]) -> float:
    """Seconds since the middleware had a message, by the clock of the system that it uses."""
    received = info["received_timestamp"]
    return max(0.0, (time.time_ns() - received) / 1e9) if received > 0 else 0.0
