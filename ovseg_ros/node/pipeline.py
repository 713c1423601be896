"""Everything that exists between *configure* and *cleanup*: model, publishers, and the threads that work."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rclpy.exceptions import InvalidHandle
from rclpy.guard_condition import GuardCondition
from rclpy.node import Node
from rclpy.task import Future

from ovseg_ros.clipseg.config import MethodConfig
from ovseg_ros.node.camera import CameraInput
from ovseg_ros.node.frame_path import DecodedFrame, FramePath
from ovseg_ros.node.frames import ArrivedFrame, FrameSetup, LabelledFrame, VocabularySnapshot
from ovseg_ros.node.locate import LocateError, LocateQuery, LocateResult, locate_in
from ovseg_ros.node.outputs import VocabularyOutputs, vocabulary_snapshot
from ovseg_ros.node.settings import InputConfig, Settings
from ovseg_ros.node.vocabulary_state import VocabularyState
from ovseg_ros.node.worker import Cancelled, FrameWorker, SerialQueue
from ovseg_ros.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ovseg_ros.node.engine import Engine, PreparedSegmenter

STOP_TIMEOUT = 10.0
"""Seconds that the work on a frame is waited for; an image takes a few at most."""

ENCODING_STOP_TIMEOUT = 2.0
"""Seconds that the encoding of text is waited for, which may take a minute on a CPU."""


class Pipeline:
    """From subscriptions to publishers, with a model in between.

    Made with a first segmenter, whose vocabulary is in force at once; `change` prepares others on a thread of
    its own. `settled` is triggered whenever a change has come into force or has failed, and `locate` is done.
    """

    def __init__(
        self,
        node: Node,
        engine: "Engine",
        segmenter: "PreparedSegmenter",
        vocabulary: Vocabulary,
        settings: Settings,
        vocabulary_state: VocabularyState,
        settled: GuardCondition,
    ) -> None:
        self.engine = engine
        self.failure = ""
        self._node = node
        self._vocabulary_state = vocabulary_state
        self._settled = settled
        wake = threading.Condition()
        self.cameras = [CameraInput(node, wake, name) for name in settings.camera_names]
        self._camera_names = settings.camera_names
        self._vocabulary_outputs = VocabularyOutputs(node)
        path = FramePath(node, self.cameras, self._vocabulary_outputs)
        slots = [camera.slot for camera in self.cameras]
        self._worker: FrameWorker[ArrivedFrame, FrameSetup, DecodedFrame, LabelledFrame]
        self._worker = FrameWorker(slots, wake, path)
        self._encoding = SerialQueue("vocabulary")
        self._questions = SerialQueue("locate")
        self._lock = threading.Lock()
        self._destroyed = False
        snapshot = self._announceable(vocabulary)
        self.setup = FrameSetup(settings.input, settings.output, snapshot, segmenter)
        """What the next frame is segmented with."""
        self._offer(self.setup)

    @property
    def topics(self) -> list[str]:
        """The full names of the topics that are always published."""
        topics = [topic for camera in self.cameras for topic in camera.outputs.topics]
        return [*topics, *self._vocabulary_outputs.topics]

    def open(self, config: InputConfig) -> None:
        """Open the inputs and let frames flow."""
        self._worker.resume()
        for camera in self.cameras:
            camera.open(config)

    def close(self) -> None:
        """Close the inputs; nothing is published after this, but for the latched topics."""
        for camera in self.cameras:
            camera.close()
        self._worker.pause()

    def use(self, settings: Settings) -> None:
        """Have frames taken in and put out as these settings say, from the next one on."""
        with self._lock:
            self._offer(replace(self.setup, input=settings.input, output=settings.output))

    def change(self, method: MethodConfig, templates: str, vocabulary: Vocabulary) -> Future:
        """Have frames segmented in another way as soon as that is prepared; the changes keep their order.

        The future's result is the snapshot of `vocabulary`, or the exception for which it did not come into
        force.
        """
        future = Future()
        self._encoding.submit(
            partial(self._prepare, method, templates, vocabulary),
            partial(self._changed, vocabulary, future),
        )
        return future

    def locate(self, query: LocateQuery) -> Future:
        """Look for things in the newest frame of each camera that is asked.

        Where that is older than `query.max_age` the next one is waited for, though not of a camera that has
        fallen silent while another has not. The future's result is a `LocateResult`, or the exception for
        which there is none.
        """
        future = Future()
        self._questions.submit(partial(self._locate, query), partial(self._finish, future))
        return future

    def destroy(self) -> bool:
        """Stop the threads and remove the publishers; False if a thread is still at work inside torch."""
        self.close()
        self._encoding.close()
        self._questions.close()
        stopped = self._worker.stop(STOP_TIMEOUT)
        with self._lock:
            self._destroyed = True
            self._vocabulary_state.release()
        for camera in self.cameras:
            camera.outputs.destroy()
        self._vocabulary_outputs.destroy()
        queues = [self._encoding, self._questions]
        return all([queue.join(ENCODING_STOP_TIMEOUT) for queue in queues]) and stopped

    def _prepare(self, method: MethodConfig, templates: str, vocabulary: Vocabulary) -> VocabularySnapshot:
        segmenter = self.engine.prepare(method, templates, vocabulary)
        snapshot = self._announceable(vocabulary)
        with self._lock:
            self._offer(replace(self.setup, vocabulary=snapshot, segmenter=segmenter))
        return snapshot

    def _announceable(self, vocabulary: Vocabulary) -> VocabularySnapshot:
        """The messages of a vocabulary that comes into force now, and its topics; those in force stay."""
        in_force = self._vocabulary_state.in_force
        if in_force is not None and in_force.vocabulary is vocabulary:
            return in_force
        for camera in self.cameras:
            camera.outputs.add_classes(vocabulary)
        now = self._node.get_clock().now().to_msg()
        return vocabulary_snapshot(self._node, vocabulary, self._camera_names, now)

    def _offer(self, setup: FrameSetup) -> None:
        if not self._destroyed:
            self.setup = setup
            self._vocabulary_state.enforce(setup.vocabulary)
            self._worker.offer(setup)

    def _changed(
        self, vocabulary: Vocabulary, future: Future, outcome: VocabularySnapshot | Exception
    ) -> None:
        if isinstance(outcome, Exception):
            self._vocabulary_state.withdraw(vocabulary)
            if not isinstance(outcome, Cancelled):
                self.failure = f"a change could not be prepared, all stays as before: {outcome}"
                if self._node.context.ok():
                    self._node.get_logger().error(self.failure)
        else:
            self.failure = ""
            names = ", ".join(cls.name for cls in vocabulary.classes)
            self._node.get_logger().info(f"vocabulary revision {vocabulary.revision}: {names}")
        self._finish(future, outcome)

    def _locate(self, query: LocateQuery) -> LocateResult:
        self.setup.segmenter.encode_texts(query.texts)
        asked = [camera for camera in self.cameras if camera.name in query.cameras]
        awake = [c for c in asked if c.statistics.snapshot().since_input <= query.stale_after] or asked
        frames = _newest_frames(awake, query.max_age)
        if not frames:
            raise LocateError("there is no image to search: none has come yet; is the camera running?")
        return locate_in(frames, query, [camera.name for camera in asked if camera.name not in frames])

    def _finish(self, future: Future, outcome: VocabularySnapshot | LocateResult | Exception) -> None:
        """Give an outcome to the coroutine that waits for it, and wake the executor, on any thread."""
        future.set_result(outcome)
        try:
            self._settled.trigger()
        except (InvalidHandle, RuntimeError):  # the node is being destroyed, and nobody waits any more
            return


def _newest_frames(cameras: Sequence[CameraInput], max_age: float) -> dict[str, LabelledFrame]:
    """The newest frames by camera, all waited for at once: it takes no longer than with the slowest alone."""
    with ThreadPoolExecutor(len(cameras), "newest frame") as pool:
        frames = list(pool.map(lambda camera: camera.newest.get(max_age), cameras))
    return {camera.name: frame for camera, frame in zip(cameras, frames, strict=True) if frame is not None}
