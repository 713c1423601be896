"""What exists between *configure* and *cleanup*: the work on frames, and what prepares it."""

import threading
import time
import traceback
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from rclpy.exceptions import InvalidHandle
from rclpy.guard_condition import GuardCondition
from rclpy.node import Node
from rclpy.task import Future

from ovseg_ros import srv
from ovseg_ros.clipseg.config import MethodConfig
from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import ImageError
from ovseg_ros.node.camera import CameraInput
from ovseg_ros.node.depth import stamp_of
from ovseg_ros.node.frames import ArrivedFrame, DecodedFrame, FrameSetup, LabelledFrame, VocabularySnapshot
from ovseg_ros.node.lifecycle import NodeState, Throttle
from ovseg_ros.node.locate import LocateError, LocateQuery, locate_in
from ovseg_ros.node.outputs import VocabularyOutputs, vocabulary_snapshot
from ovseg_ros.node.settings import InputConfig, Settings
from ovseg_ros.node.statistics import STAMP_WARNINGS
from ovseg_ros.node.worker import Cancelled, FrameSlot, FrameWorker, SerialQueue
from ovseg_ros.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ovseg_ros.node.engine import Engine, OutputSize, PreparedSegmenter

STOP_TIMEOUT = 10.0
"""Seconds that the work on a frame is waited for; an image takes a few at most."""

ENCODING_STOP_TIMEOUT = 2.0
"""Seconds that the encoding of text is waited for, which may take a minute on a CPU."""


class FramePath:
    """What the worker does with setups and frames, on its thread; `slot` says from which camera they are."""

    def __init__(self, node: Node, cameras: Sequence[CameraInput], outputs: VocabularyOutputs) -> None:
        self._node = node
        self._cameras = {camera.slot: camera for camera in cameras}
        self._vocabulary_outputs = outputs
        self._throttle = Throttle()
        self._announced: VocabularySnapshot | None = None

    def announce(self, setup: FrameSetup) -> None:
        """Publish the setup's vocabulary, unless it is the one that was published last."""
        if setup.vocabulary is not self._announced:
            for camera in self._cameras.values():
                camera.outputs.use(setup.vocabulary.vocabulary)
            self._vocabulary_outputs.publish(setup.vocabulary)
            self._announced = setup.vocabulary

    def prepare(self, slot: FrameSlot, frame: ArrivedFrame, setup: FrameSetup) -> DecodedFrame | None:
        """Decode a frame; None where nobody wants it or its image cannot be used."""
        camera = self._cameras[slot]
        if not camera.outputs.wanted() and not camera.newest.asked:
            camera.statistics.skipped()
            return None
        stamp = stamp_of(frame.message)
        depth = camera.depths.begin(stamp)
        warning = camera.statistics.check_stamp(stamp, self._node.get_clock().now().nanoseconds)
        if warning is not None:
            self._warn(camera, warning, STAMP_WARNINGS[warning])
        try:
            image = camera.decode(frame.message)
        except ImageError as error:
            self._rejected(camera, error)
            return None
        camera.smoothing = setup.segmenter.next_smoothing(camera.smoothing, setup.output.smoothing, stamp)
        return DecodedFrame(camera, frame.message.header, image, depth, camera.smoothing, frame.arrived)

    def batch_of(self, frame: DecodedFrame, setup: FrameSetup) -> Hashable:
        """Images of one size make a batch, where the device has memory for one."""
        return frame.image.shape if setup.segmenter.batches else frame.camera.name

    def compute(self, batch: Sequence[DecodedFrame], setup: FrameSetup) -> list[LabelledFrame]:
        """Segment the images of a batch in one pass."""
        shortage = setup.segmenter.shortage
        segmentations = setup.segmenter.segment(
            [frame.image for frame in batch],
            cast("OutputSize", setup.output.size),
            [frame.smoothing for frame in batch],
        )
        if setup.segmenter.shortage != shortage:
            self._node.get_logger().warning(
                f"the device ran out of memory: {setup.segmenter.shortage} until the vocabulary, the method "
                "or the model changes. Lower method.short_side"
            )
        return [
            LabelledFrame(
                **vars(frame), segmentation=segmentation, camera_info=frame.camera.camera_info, setup=setup
            )
            for frame, segmentation in zip(batch, segmentations, strict=True)
        ]

    def publish(self, slot: FrameSlot, frame: LabelledFrame) -> None:
        """Send what is ready to everybody who subscribes."""
        camera = self._cameras[slot]
        camera.newest.put(frame)
        latency, failed = camera.outputs.publish(frame)
        camera.statistics.published(latency=latency, processing=time.monotonic() - frame.arrived)
        for error in failed:
            self._rejected(camera, error)

    def follow(self, slot: FrameSlot, frame: LabelledFrame) -> None:
        """Send the points, which may wait for their depth and so come after the outputs of every camera."""
        camera = self._cameras[slot]
        try:
            camera.outputs.publish_points(frame)
        except ImageError as error:
            self._rejected(camera, error)

    def failed(self, error: Exception, slots: Sequence[FrameSlot]) -> None:
        """Count and report what went wrong with the frames of some cameras; the worker goes on."""
        if not self._node.context.ok():
            return
        cameras = [self._cameras[slot] for slot in slots]
        text = str(error) if isinstance(error, OvsegError) else f"{type(error).__name__}: {error}"
        for camera in cameras:
            camera.statistics.failed(text)
        if not isinstance(error, OvsegError):
            text = "".join(traceback.format_exception(error)).rstrip()
        names = ", ".join(camera.name for camera in cameras if camera.name)
        frame = f"a frame of {names}" if names else "a frame"
        if line := self._throttle(f"{type(error).__name__} {names}", f"{frame} failed: {text}"):
            self._node.get_logger().error(line)

    def _rejected(self, camera: CameraInput, error: ImageError) -> None:
        camera.statistics.rejected(error.reason, str(error))
        self._warn(camera, error.reason, f"rejected ({error.reason}): {error}")

    def _warn(self, camera: CameraInput, kind: str, message: str) -> None:
        named = f"camera {camera.name}: {message}" if camera.name else message
        if line := self._throttle(f"{kind} {camera.name}", named):
            self._node.get_logger().warning(line)


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
        state: NodeState,
        settled: GuardCondition,
    ) -> None:
        self.engine = engine
        self.failure = ""
        self._node = node
        self._vocabulary_state = state.vocabulary
        self._settled = settled
        wake = threading.Condition()
        self.cameras = [CameraInput(node, wake, name) for name in state.settings.camera_names]
        self._vocabulary_outputs = VocabularyOutputs(node)
        path = FramePath(node, self.cameras, self._vocabulary_outputs)
        self._worker = FrameWorker([camera.slot for camera in self.cameras], wake, path)
        self._encoding = SerialQueue("vocabulary")
        self._questions = SerialQueue("locate")
        self._lock = threading.Lock()
        self._destroyed = False
        snapshot = self._announceable(vocabulary)
        self.setup = FrameSetup(state.settings.input, state.settings.output, snapshot, segmenter)
        """What the next frame is segmented with."""
        self._offer(self.setup)

    @property
    def topics(self) -> list[str]:
        """The full names of the topics that are always published."""
        topics = [topic for camera in self.cameras for topic in camera.outputs.topics]
        return topics + self._vocabulary_outputs.topics

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

        The future's result is the snapshot of `vocabulary`, or the error that kept it from coming into force.
        """
        future = Future()
        prepare = partial(self._prepare, method, templates, vocabulary)
        self._encoding.submit(prepare, partial(self._changed, vocabulary, future))
        return future

    def locate(self, query: LocateQuery) -> Future:
        """Look for things in the newest frame of each camera that is asked; the result is the response.

        Where that is older than `query.max_age` the next one is waited for, though not of a camera that has
        fallen silent while another has not. Errors are results of the future, too.
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
        for camera in self.cameras:
            camera.outputs.destroy()
        self._vocabulary_outputs.destroy()
        joined = [queue.join(ENCODING_STOP_TIMEOUT) for queue in (self._encoding, self._questions)]
        return stopped and all(joined)

    def _prepare(self, method: MethodConfig, templates: str, vocabulary: Vocabulary) -> VocabularySnapshot:
        segmenter = self.engine.prepare(method, templates, vocabulary)
        snapshot = self.setup.vocabulary
        if snapshot.vocabulary is not vocabulary:
            snapshot = self._announceable(vocabulary)
        with self._lock:
            self._offer(replace(self.setup, vocabulary=snapshot, segmenter=segmenter))
        return snapshot

    def _announceable(self, vocabulary: Vocabulary) -> VocabularySnapshot:
        """The messages of a vocabulary that comes into force now, and its topics."""
        for camera in self.cameras:
            camera.outputs.add_classes(vocabulary)
        names = [camera.name for camera in self.cameras]
        return vocabulary_snapshot(self._node, vocabulary, names, self._node.get_clock().now().to_msg())

    def _offer(self, setup: FrameSetup) -> None:
        if not self._destroyed:
            self.setup = setup
            self._worker.offer(setup)

    def _changed(
        self, vocabulary: Vocabulary, future: Future, outcome: VocabularySnapshot | Exception
    ) -> None:
        if isinstance(outcome, Exception):
            self._vocabulary_state.withdraw(vocabulary, self.setup.vocabulary.vocabulary)
            if not isinstance(outcome, Cancelled):
                self.failure = f"a change could not be prepared, all stays as before: {outcome}"
                if self._node.context.ok():
                    self._node.get_logger().error(self.failure)
        else:
            self.failure = ""
            names = ", ".join(cls.name for cls in vocabulary.classes)
            self._node.get_logger().info(f"vocabulary revision {vocabulary.revision}: {names}")
        self._finish(future, outcome)

    def _locate(self, query: LocateQuery) -> srv.Locate.Response:
        self.setup.segmenter.encode_texts(query.texts)
        asked = [camera for camera in self.cameras if camera.name in query.cameras]
        awake = [c for c in asked if c.statistics.snapshot().since_input <= query.stale_after] or asked
        # All are waited for at once: it takes no longer than with the slowest camera alone.
        with ThreadPoolExecutor(len(awake), "newest frame") as pool:
            newest = zip(awake, pool.map(lambda camera: camera.newest.get(query.max_age), awake), strict=True)
            frames = {camera.name: frame for camera, frame in newest if frame is not None}
        if not frames:
            raise LocateError("there is no image to search: none has come yet; is the camera running?")
        return locate_in(frames, query, [camera.name for camera in asked if camera.name not in frames])

    def _finish(self, future: Future, outcome: object) -> None:
        """Give an outcome to the coroutine that waits for it, and wake the executor, on any thread."""
        future.set_result(outcome)
        with suppress(InvalidHandle, RuntimeError):  # the node is being destroyed, and nobody waits any more
            self._settled.trigger()
