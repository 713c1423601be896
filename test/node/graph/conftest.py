"""A real node in an executor thread of its own, and a probe that publishes, subscribes and calls."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.utilities import try_shutdown
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ovseg_ros.images.codec import fill_image
from ovseg_ros.msg import SegmentationSummary
from ovseg_ros.node.camera import image_topic
from ovseg_ros.node.pipeline import Pipeline
from ovseg_ros.node.process import spin
from ovseg_ros.node.segmenter_node import SegmenterNode
from ovseg_ros.srv import GetVocabulary, SetVocabulary

TIMEOUT = 60.0
"""Seconds; machines that are slow and busy take many times what an idle one does."""
LATCHED = QoSProfile(
    depth=200, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


def until_true(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """What `condition` returns, once that is true."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.005)
    pytest.fail(f"{what} did not happen within {timeout} s")


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """`wait_for(condition, what)`: what the condition returns, once that is true."""
    return until_true


class Spinning:
    """A node in an executor thread of its own."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)
        self.thread = threading.Thread(target=spin, args=(self.executor,), daemon=True)
        self.thread.start()

    def on_executor(self, work: Callable[[], Any]) -> Any:
        """Run `work` where the node's callbacks run."""
        task = self.executor.create_task(work)
        until_true(task.done, "work on the executor thread")
        return task.result()

    def stop(self) -> None:
        self.executor.shutdown()
        self.thread.join(TIMEOUT)
        self.node.destroy_node()


class Inbox:
    """The messages of one topic in order of arrival; the last `keep` of them, None for all.

    `journal` is a list that several inboxes share, to see what came before what.
    """

    def __init__(self, keep: int | None = None, journal: list[Any] | None = None) -> None:
        self.messages: deque[Any] = deque(maxlen=keep)
        self.count = 0
        self._journal = journal

    def __call__(self, message: Any) -> None:
        self.messages.append(message)
        self.count += 1
        if self._journal is not None:
            self._journal.append(message)

    def clear(self) -> None:
        self.messages.clear()

    def of(self, header: Header) -> Any:
        """The message with this stamp, or None."""
        return next((m for m in list(self.messages) if m.header.stamp == header.stamp), None)


class Probe(Spinning):
    """Everything that is around the node on a robot."""

    def __init__(self) -> None:
        super().__init__(Node("probe"))
        self.images = self.node.create_publisher(Image, "image", 10)
        self.infos = self.node.create_publisher(CameraInfo, "camera_info", 10)

    def collect(self, kind: type, topic: str, latched: bool = False, **options: Any) -> Inbox:
        inbox = Inbox(**options)
        profile = LATCHED if latched else QoSProfile(depth=200)
        self.node.create_subscription(kind, topic, inbox, profile)
        return inbox

    def image(
        self,
        size: tuple[int, int] = (48, 64),
        pixels: np.ndarray | None = None,
        encoding: str = "rgb8",
        stamp: Time | None = None,
    ) -> Image:
        """An image message of `size` (height, width), by default a colour ramp stamped with now."""
        if pixels is None:
            rows, columns = np.mgrid[: size[0], : size[1]]
            pixels = np.stack([rows * 3 % 256, columns * 3 % 256, rows + columns], axis=-1).astype(np.uint8)
        message = Image()
        header = Header(frame_id="optical", stamp=stamp or self.node.get_clock().now().to_msg())
        fill_image(message, pixels, encoding, header)
        return message

    def feed(
        self,
        until: Callable[[], Any],
        what: str,
        make: Callable[[], Image] | None = None,
        rate: float = 50.0,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Publish images until the condition holds, as a camera does whether anybody listens or not."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if result := until():
                return result
            self.images.publish((make or self.image)())
            time.sleep(1 / rate)
        pytest.fail(f"{what} did not happen within {timeout} s")

    @contextmanager
    def feeding(self, rate: float = 100.0) -> Iterator[None]:
        """A camera that runs beside the test."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(1 / rate):
                self.images.publish(self.image())

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def call(
        self, kind: Any, name: str, request: Any = None, timeout: float = TIMEOUT, again: float = TIMEOUT
    ) -> Any:
        """The answer of a service, which is asked once more after each `again` seconds.

        The first answer of another process may be lost: it is sent before the two know each other well.
        """
        client = self.node.create_client(kind, name)
        try:
            assert client.wait_for_service(timeout), f"{name} is not there"
            futures: list[Any] = []
            asked = -math.inf

            def answer() -> Any:
                nonlocal asked
                if time.monotonic() - asked >= again:
                    asked = time.monotonic()
                    futures.append(client.call_async(request if request is not None else kind.Request()))
                return next((future for future in futures if future.done()), None)

            return until_true(answer, f"an answer of {name}", timeout).result()
        finally:
            self.node.destroy_client(client)

    def set_vocabulary(self, classes: Sequence[str], **fields: Any) -> Any:
        return self.call(SetVocabulary, "set_vocabulary", SetVocabulary.Request(classes=classes, **fields))

    def get_vocabulary(self) -> Any:
        return self.call(GetVocabulary, "get_vocabulary").vocabulary

    def set_parameters(self, values: Mapping[str, Any]) -> Any:
        """The result of one atomic change."""
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        return self.call(SetParametersAtomically, "segmenter/set_parameters_atomically", request).result

    def transition(self, name: str) -> bool:
        number = getattr(Transition, f"TRANSITION_{name.upper()}")
        request = ChangeState.Request(transition=Transition(id=number))
        return bool(self.call(ChangeState, "segmenter/change_state", request).success)

    def state(self) -> str:
        return str(self.call(GetState, "segmenter/get_state").current_state.label)

    def diagnostics(self) -> Inbox:
        return self.collect(DiagnosticArray, "/diagnostics")


class Cameras:
    """Cameras around the node under test, which send in step or each at its own rate."""

    def __init__(self, probe: Probe, names: Sequence[str]) -> None:
        self.probe = probe
        self.images = {name: probe.node.create_publisher(Image, f"{name}/image", 10) for name in names}
        self.sent: dict[str, list[Image]] = {name: [] for name in names}

    def image(self, name: str, size: tuple[int, int] = (48, 64)) -> Image:
        image: Image = self.probe.image(size)
        image.header.frame_id = f"{name}_optical"
        return image

    def send(self, name: str, size: tuple[int, int] = (48, 64)) -> None:
        self.sent[name].append(self.image(name, size))
        self.images[name].publish(self.sent[name][-1])

    def feed(self, until: Callable[[], Any], what: str, **sizes: tuple[int, int]) -> Any:
        """Have these cameras, or all, send at the same moments until the condition holds."""
        sizes = sizes or dict.fromkeys(self.images, (48, 64))

        def sent() -> Any:
            for name, size in sizes.items():
                self.send(name, size)
            time.sleep(0.03)
            return until()

        return until_true(sent, what)

    def running(self, periods: dict[str, float], **sizes: tuple[int, int]) -> "Running":
        """Have the cameras send beside the test, each with its own period in seconds."""
        return Running(self, periods, sizes)


class Running:
    def __init__(
        self, cameras: Cameras, periods: dict[str, float], sizes: dict[str, tuple[int, int]]
    ) -> None:
        self._stop = threading.Event()

        def run(name: str, period: float) -> None:
            while not self._stop.wait(period):
                cameras.send(name, sizes.get(name, (48, 64)))

        self._threads = [threading.Thread(target=run, args=entry) for entry in periods.items()]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Segmenter(Spinning):
    """The node under test; one at a time, since all have the same name."""

    running: ClassVar[list[str]] = []
    node: SegmenterNode

    def __init__(self, node: SegmenterNode) -> None:
        assert not self.running, "another node under test is still running"
        self.running.append(node.get_name())
        super().__init__(node)

    def stop(self) -> None:
        super().stop()
        self.running.clear()

    @property
    def pipeline(self) -> Pipeline:
        assert self.node.state.pipeline is not None
        return self.node.state.pipeline

    @property
    def phase(self) -> str:
        return self.node.state.phase.name.lower()

    def rest(self) -> None:
        """Wait until nothing of what was sent before is on its way, and nobody around the node is left."""
        cameras, worker = self.pipeline.cameras, self.pipeline._worker
        topics = [image_topic(self.node, self.node.state.settings.input.transport, c.name) for c in cameras]
        until_true(lambda: not any(map(self.node.count_publishers, topics)), "the end of all publishers")
        until_true(lambda: not any(c.outputs.wanted() for c in cameras), "the end of all subscribers")
        self.on_executor(lambda: None)
        until_true(lambda: not any(camera.slot.waiting for camera in cameras), "the end of all frames")
        # A setup is taken up between two rounds, so the round that was under way is over then.
        worker.offer(self.pipeline.setup)
        until_true(lambda: worker._offered is None, "the end of the round")


@pytest.fixture(scope="session")
def _ros() -> Iterator[None]:
    rclpy.init()
    yield
    try_shutdown()


@pytest.fixture(scope="session")
def start_segmenter(_ros: None, tiny_model_dir: Path) -> Callable[..., Segmenter]:
    """Starts a node with a tiny model; parameters are given with `__` for the dot. The caller stops it."""
    import torch

    torch.set_num_threads(1)

    def start(wait_until: str = "active", cli_args: Sequence[str] = (), **parameters: Any) -> Segmenter:
        values = {
            "model.name": str(tiny_model_dir),
            "method.short_side": 64,
            "vocabulary.classes": ["floor", "wall", "box; crate"],
            **{name.replace("__", "."): value for name, value in parameters.items()},
        }
        segmenter = Segmenter(
            SegmenterNode(
                cli_args=list(cli_args),
                parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
            )
        )
        until_true(lambda: segmenter.phase == wait_until, f"state {wait_until}", timeout=60)
        return segmenter

    return start


@pytest.fixture
def start(start_segmenter: Callable[..., Segmenter]) -> Iterator[Callable[..., Segmenter]]:
    """Starts nodes that end with the test."""
    started: list[Segmenter] = []

    def start_one(**parameters: Any) -> Segmenter:
        started.append(start_segmenter(**parameters))
        return started[-1]

    yield start_one
    for segmenter in started:
        segmenter.stop()


@pytest.fixture(scope="module")
def segmenter(start_segmenter: Callable[..., Segmenter]) -> Iterator[Segmenter]:
    """A node that is active, shared by the tests of one module."""
    shared = start_segmenter()
    yield shared
    shared.stop()


@pytest.fixture(autouse=True)
def _at_rest(request: pytest.FixtureRequest) -> None:
    """A node that tests share begins each of them with nothing left of the one before."""
    if "segmenter" in request.fixturenames:
        request.getfixturevalue("segmenter").rest()


@pytest.fixture
def probe(_ros: None) -> Iterator[Probe]:
    probe = Probe()
    yield probe
    probe.stop()


@pytest.fixture
def summaries(probe: Probe) -> Inbox:
    return probe.collect(SegmentationSummary, "segmenter/summary")


@pytest.fixture
def labels(probe: Probe) -> Inbox:
    return probe.collect(Image, "segmenter/labels")


@pytest.fixture
def status(probe: Probe) -> Callable[..., Any]:
    """Waits for a diagnostic status that fulfils a condition on (level, message, values)."""
    inbox = probe.diagnostics()

    def wait(condition: Callable[[int, str, dict[str, str]], bool], what: str, feed: bool = False) -> Any:
        def found() -> Any:
            for array in list(inbox.messages):
                for entry in array.status:
                    values = {pair.key: pair.value for pair in entry.values}
                    if condition(entry.level[0], entry.message, values):
                        return entry
            inbox.clear()
            return None

        return probe.feed(found, what) if feed else until_true(found, what)

    return wait


@pytest.fixture
def cameras(probe: Probe) -> Cameras:
    """Two cameras, front and rear."""
    return Cameras(probe, ["front", "rear"])
