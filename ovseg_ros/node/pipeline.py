"""Everything that exists between *configure* and *cleanup*: model, publishers, and the threads that work."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from rclpy.node import Node
from rclpy.task import Future

from ovseg_ros import msg
from ovseg_ros.node.camera import Camera
from ovseg_ros.node.frame_path import FramePath
from ovseg_ros.node.locate import Answer, LocateError, answer
from ovseg_ros.node.newest_frame import Segmented
from ovseg_ros.node.serial_queue import Cancelled, SerialQueue
from ovseg_ros.node.settings import InputSettings, MethodSettings, Settings
from ovseg_ros.node.vocabulary_keeper import VocabularyKeeper
from ovseg_ros.node.vocabulary_outputs import VocabularyOutputs
from ovseg_ros.node.worker import FrameWorker
from ovseg_ros.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ovseg_ros.node.engine import Engine, Setup

STOP_TIMEOUT = 10.0
"""Seconds that the work on a frame is waited for; an image takes a few at most."""

ENCODING_STOP_TIMEOUT = 2.0
"""Seconds that the encoding of text is waited for, which may take a minute on a CPU."""


class Pipeline:
    """From subscriptions to publishers, with a model in between.

    Made with its first `setup`; `change` makes others on a thread of its own. `settled()` is called, on any
    thread, whenever a change has come into force or has failed.
    """

    def __init__(
        self,
        node: Node,
        engine: "Engine",
        setup: "Setup",
        cameras: Sequence[str],
        keeper: VocabularyKeeper,
        settings: Callable[[], Settings],
        as_message: Callable[[Vocabulary], msg.Vocabulary],
        settled: Callable[[], None],
    ) -> None:
        self.engine = engine
        self.failure = ""
        self._node = node
        self._keeper = keeper
        self._settings = settings
        self._settled = settled
        self._setup = setup
        wake = threading.Condition()
        self.cameras = [Camera(node, wake, name) for name in cameras]
        self._vocabulary_outputs = VocabularyOutputs(node, as_message)
        path = FramePath(node, self.cameras, self._vocabulary_outputs, settings)
        slots = [camera.slot for camera in self.cameras]
        self._worker: FrameWorker[Setup, Any, Any] = FrameWorker(slots, wake, path)
        self._encoding = SerialQueue("vocabulary")
        self._questions = SerialQueue("locate")
        self._lock = threading.Lock()
        self._destroyed = False
        self._use(setup)

    @property
    def setup(self) -> "Setup":
        """What the next frame is segmented with."""
        return self._setup

    @property
    def topics(self) -> list[str]:
        """The full names of the topics that are always published."""
        topics = [topic for camera in self.cameras for topic in camera.outputs.topics]
        return [*topics, *self._vocabulary_outputs.topics]

    def open(self, settings: InputSettings) -> None:
        """Open the inputs and let frames flow."""
        self._worker.resume()
        for camera in self.cameras:
            camera.open(settings)

    def close(self) -> None:
        """Close the inputs; nothing is published after this, but for the latched topics."""
        for camera in self.cameras:
            camera.close()
        self._worker.pause()

    def change(self, method: MethodSettings, templates: str, vocabulary: Vocabulary) -> Future:
        """Have frames segmented in another way as soon as that is prepared; the changes keep their order.

        The future's result is `vocabulary`, or the exception for which it did not come into force.
        """
        future = Future()

        def work() -> Vocabulary:
            self._use(self.engine.prepare(method, templates, vocabulary))
            return vocabulary

        def done(outcome: Vocabulary | Exception) -> None:
            if isinstance(outcome, Exception):
                self._keeper.withdraw(vocabulary)
            if not isinstance(outcome, Cancelled):
                self._tell(outcome)
            future.set_result(outcome)
            self._settled()

        self._encoding.submit(work, done)
        return future

    def locate(
        self, cameras: Sequence[str], texts: Sequence[tuple[str, ...]], threshold: float, max_age: float
    ) -> Future:
        """Look for things in the newest frame of each of these cameras.

        Where that is older than `max_age` seconds the next one is waited for, though not of a camera that has
        fallen silent while another has not. The future's result is an `Answer`, or the exception for which
        there is none.
        """
        future = Future()

        def work() -> Answer:
            self._setup.encode_texts(texts)
            asked = [camera for camera in self.cameras if camera.name in cameras]
            stale_after = self._settings().input.stale_after
            awake = [c for c in asked if c.statistics.snapshot().since_input <= stale_after] or asked
            frames = _newest_frames(awake, max_age)
            if not frames:
                raise LocateError("there is no image to search: none has come yet; is the camera running?")
            return answer(frames, texts, threshold, [c.name for c in asked if c.name not in frames])

        def done(outcome: Answer | Exception) -> None:
            future.set_result(outcome)
            self._settled()

        self._questions.submit(work, done)
        return future

    def destroy(self) -> bool:
        """Stop the threads and remove the publishers; False if a thread is still at work inside torch."""
        self.close()
        self._encoding.close()
        self._questions.close()
        stopped = self._worker.stop(STOP_TIMEOUT)
        with self._lock:
            self._destroyed = True
            self._keeper.release()
        for camera in self.cameras:
            camera.outputs.destroy()
        self._vocabulary_outputs.destroy()
        queues = [self._encoding, self._questions]
        return all([queue.join(ENCODING_STOP_TIMEOUT) for queue in queues]) and stopped

    def _use(self, setup: "Setup") -> None:
        for camera in self.cameras:
            camera.outputs.add_classes(setup.vocabulary)
        with self._lock:
            if not self._destroyed:
                self._setup = setup
                self._keeper.enforce(setup.vocabulary, self._node.get_clock().now().to_msg())
                self._worker.offer(setup)

    def _tell(self, outcome: Vocabulary | Exception) -> None:
        if isinstance(outcome, Exception):
            self.failure = f"a change could not be prepared, all stays as before: {outcome}"
            if self._node.context.ok():
                self._node.get_logger().error(self.failure)
            return
        self.failure = ""
        self._node.get_logger().info(
            f"vocabulary revision {outcome.revision}: " + ", ".join(cls.name for cls in outcome.classes)
        )


def _newest_frames(cameras: Sequence[Camera], max_age: float) -> dict[str, Segmented]:
    """The newest frames by camera, all waited for at once: it takes no longer than with the slowest alone."""
    with ThreadPoolExecutor(len(cameras), "newest frame") as pool:
        frames = list(pool.map(lambda camera: camera.newest.get(max_age), cameras))
    return {camera.name: frame for camera, frame in zip(cameras, frames, strict=True) if frame is not None}
