"""The way of one frame: message, image, segmentation, outputs. All of it runs on the worker thread."""

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node

from ovseg_ros.errors import OvsegError
from ovseg_ros.node.camera import Camera
from ovseg_ros.node.frame_slot import Frame, FrameSlot
from ovseg_ros.node.image_codec import ImageError
from ovseg_ros.node.publishers import Labelled, VocabularyOutputs
from ovseg_ros.node.settings import OutputSettings
from ovseg_ros.node.stamps import BACKWARDS, MEANINGS, latency
from ovseg_ros.node.throttle import Throttle
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Result:
    camera: Camera
    labelled: Labelled
    arrived: float


class FramePath:
    """What the worker does with setups and frames: the functions that `FrameWorker` is given.

    `output_settings()` is asked once a frame, so that a change of parameters falls between two frames.
    """

    def __init__(
        self,
        node: Node,
        cameras: Mapping[FrameSlot, Camera],
        vocabulary_outputs: VocabularyOutputs,
        output_settings: Callable[[], OutputSettings],
    ) -> None:
        self._node = node
        self._cameras = cameras
        self._vocabulary_outputs = vocabulary_outputs
        self._output_settings = output_settings
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
        if not camera.outputs.wanted():
            camera.statistics.unwatched()
            return None
        message = frame.message
        stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        self._check_stamp(camera, stamp)
        try:
            image = camera.decode(message)
        except ImageError as error:
            self._rejected(camera, error)
            return None
        was_reduced = setup.reduced
        segmentation = setup.segment(image, self._output_settings().size)
        if setup.reduced and not was_reduced:
            self._node.get_logger().warning(
                "the device ran out of memory: images are segmented at a smaller size until the vocabulary, "
                "the method or the model changes. Lower method.short_side"
            )
        return _Result(
            camera,
            Labelled(
                header=message.header,
                image=image,
                segmentation=segmentation,
                camera_info=camera.camera_info,
                latency=lambda: latency(stamp, self._node.get_clock().now().nanoseconds),
            ),
            frame.arrived,
        )

    def publish(self, result: _Result) -> None:
        """Send everything that somebody subscribes to."""
        camera = result.camera
        age = camera.outputs.publish(result.labelled, self._output_settings())
        camera.statistics.published(latency=age, processing=time.monotonic() - result.arrived)
        try:
            camera.outputs.publish_camera_info(result.labelled)
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
