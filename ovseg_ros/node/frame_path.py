"""The way of one frame: message, image, segmentation, outputs. All of it runs on the worker thread."""

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node

from ovseg_ros.errors import OvsegError
from ovseg_ros.node.camera import Camera
from ovseg_ros.node.depth import PATIENCE, stamp_of
from ovseg_ros.node.frame_slot import Frame, FrameSlot
from ovseg_ros.node.image_codec import ImageError
from ovseg_ros.node.labelled import Labelled
from ovseg_ros.node.newest_frame import Segmented
from ovseg_ros.node.settings import Settings
from ovseg_ros.node.stamps import BACKWARDS, MEANINGS, latency
from ovseg_ros.node.throttle import Throttle
from ovseg_ros.node.vocabulary_outputs import VocabularyOutputs
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Result:
    camera: Camera
    labelled: Labelled
    arrived: float


class FramePath:
    """What the worker does with setups and frames: the functions that `FrameWorker` is given.

    `settings()` is asked for each frame, so that a change of parameters falls between two frames.
    """

    def __init__(
        self,
        node: Node,
        cameras: Mapping[FrameSlot, Camera],
        vocabulary_outputs: VocabularyOutputs,
        settings: Callable[[], Settings],
    ) -> None:
        self._node = node
        self._cameras = cameras
        self._vocabulary_outputs = vocabulary_outputs
        self._settings = settings
        self._throttle = Throttle()
        self._announced: Vocabulary | None = None

    def announce(self, setup: Any) -> None:
        """Publish the setup's vocabulary, unless it is the one that was published last."""
        if setup.vocabulary is self._announced:
            return
        for camera in self._cameras.values():
            camera.outputs.use(setup.vocabulary)
        self._vocabulary_outputs.publish(setup.vocabulary)
        self._announced = setup.vocabulary

    def compute(self, slot: FrameSlot, frame: Frame, setup: Any) -> _Result | None:
        """Segment one frame; None where nobody wants it or its image cannot be used."""
        camera = self._cameras[slot]
        if not camera.outputs.wanted() and not camera.newest.asked:
            camera.statistics.unwatched()
            return None
        message = frame.message
        settings = self._settings()
        stamp = stamp_of(message)
        depth = camera.depths.begin(stamp)
        self._check_stamp(camera, stamp)
        try:
            image = camera.decode(message)
        except ImageError as error:
            self._rejected(camera, error)
            return None
        was_reduced = setup.reduced
        segmentation = setup.segment(image, settings.output.size)
        if setup.reduced and not was_reduced:
            self._node.get_logger().warning(
                "the device ran out of memory: images are segmented at a smaller size until the vocabulary, "
                "the method or the model changes. Lower method.short_side"
            )
        labelled = Labelled(
            header=message.header,
            image=image,
            segmentation=segmentation,
            camera_info=camera.camera_info,
            rectified=settings.input.rectified,
            latency=lambda: latency(stamp, self._node.get_clock().now().nanoseconds),
            depth=lambda: depth.get(settings.input.depth_slop, frame.arrived + PATIENCE),
        )
        camera.newest.put(Segmented(labelled, setup, frame.arrived))
        return _Result(camera, labelled, frame.arrived)

    def publish(self, result: _Result) -> None:
        """Send everything that somebody subscribes to."""
        camera, outputs = result.camera, result.camera.outputs
        age = outputs.publish(result.labelled, self._settings().output)
        camera.statistics.published(latency=age, processing=time.monotonic() - result.arrived)
        # Points come last, because they may wait for their depth.
        for send in (outputs.publish_camera_info, outputs.publish_cost, outputs.publish_points):
            try:
                send(result.labelled)
            except ImageError as error:
                self._rejected(camera, error)

    def failed(self, error: Exception) -> None:
        """Count and tell what went wrong with a frame; the worker goes on with the next one."""
        if not self._node.context.ok():
            return
        text = str(error) if isinstance(error, OvsegError) else f"{type(error).__name__}: {error}"
        for camera in self._cameras.values():
            camera.statistics.failed(text)
        if not isinstance(error, OvsegError):
            text = "".join(traceback.format_exception(error)).rstrip()
        if line := self._throttle(type(error).__name__, f"a frame failed: {text}"):
            self._node.get_logger().error(line)

    def _rejected(self, camera: Camera, error: ImageError) -> None:
        camera.statistics.rejected(error.reason, str(error))
        self._warn(error.reason, f"rejected ({error.reason}): {error}")

    def _check_stamp(self, camera: Camera, stamp: int) -> None:
        oddity = camera.stamps.check(stamp, self._node.get_clock().now().nanoseconds)
        if oddity is None:
            return
        if oddity == BACKWARDS:
            camera.statistics.restart_windows()
        camera.statistics.odd(oddity, MEANINGS[oddity])
        self._warn(oddity, MEANINGS[oddity])

    def _warn(self, kind: str, message: str) -> None:
        if line := self._throttle(kind, message):
            self._node.get_logger().warning(line)
