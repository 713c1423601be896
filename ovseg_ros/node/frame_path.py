"""The way of the frames: messages, images, segmentations, outputs. All of it runs on the worker thread."""

import time
import traceback
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node

from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import ImageError
from ovseg_ros.node.camera import Camera
from ovseg_ros.node.depth import PATIENCE, DepthMatch, stamp_of
from ovseg_ros.node.frame_slot import Frame, FrameSlot
from ovseg_ros.node.labelled import Labelled
from ovseg_ros.node.newest_frame import Segmented
from ovseg_ros.node.settings import Settings
from ovseg_ros.node.stamps import BACKWARDS, MEANINGS, latency
from ovseg_ros.node.throttle import Throttle
from ovseg_ros.node.vocabulary_outputs import VocabularyOutputs
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Taken:
    """A frame that is to be segmented; `settings` are those of the moment when it was taken."""

    camera: Camera
    frame: Frame
    image: np.ndarray
    stamp: int
    depth: DepthMatch
    settings: Settings


@dataclass(frozen=True)
class _Result:
    camera: Camera
    labelled: Labelled
    arrived: float
    settings: Settings


class FramePath:
    """What the worker does with setups and frames (`worker.Work`).

    `settings()` is asked for each frame, so that a change of parameters falls between two frames.
    """

    def __init__(
        self,
        node: Node,
        cameras: Sequence[Camera],
        vocabulary_outputs: VocabularyOutputs,
        settings: Callable[[], Settings],
    ) -> None:
        self._node = node
        self._cameras: Mapping[FrameSlot, Camera] = {camera.slot: camera for camera in cameras}
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

    def prepare(self, slot: FrameSlot, frame: Frame, setup: Any) -> _Taken | None:
        """Decode a frame; None where nobody wants it or its image cannot be used."""
        camera = self._cameras[slot]
        if not camera.outputs.wanted() and not camera.newest.asked:
            camera.statistics.unwatched()
            return None
        stamp = stamp_of(frame.message)
        depth = camera.depths.begin(stamp)
        self._check_stamp(camera, stamp)
        try:
            image = camera.decode(frame.message)
        except ImageError as error:
            self._rejected(camera, error)
            return None
        return _Taken(camera, frame, image, stamp, depth, self._settings())

    def batch_of(self, taken: _Taken, setup: Any) -> Hashable:
        """Images of one size with answers of one size make a batch, where the device has memory for one."""
        return (taken.image.shape, taken.settings.output.size) if setup.batches else taken.camera.name

    def compute(self, batch: Sequence[_Taken], setup: Any) -> list[_Result]:
        """Segment the images of a batch in one pass."""
        shortage = setup.shortage
        for taken in batch:
            camera, seconds = taken.camera, taken.settings.output.smoothing
            camera.moment = setup.moment(camera.moment, seconds, taken.stamp)
        images, moments = [taken.image for taken in batch], [taken.camera.moment for taken in batch]
        segmentations = setup.segment(images, batch[0].settings.output.size, moments)
        if setup.shortage != shortage:
            self._node.get_logger().warning(
                f"the device ran out of memory: {setup.shortage} until the vocabulary, the method or the "
                "model changes. Lower method.short_side"
            )
        return [
            self._result(taken, segmentation, setup)
            for taken, segmentation in zip(batch, segmentations, strict=True)
        ]

    def publish(self, result: _Result) -> None:
        """Send what is ready to everybody who subscribes."""
        camera, outputs = result.camera, result.camera.outputs
        age = outputs.publish(result.labelled, result.settings.output)
        camera.statistics.published(latency=age, processing=time.monotonic() - result.arrived)
        self._send(outputs.publish_camera_info, result)
        self._send(outputs.publish_cost, result)

    def follow(self, result: _Result) -> None:
        """Send the points, which may wait for their depth and so come after the outputs of every camera."""
        self._send(result.camera.outputs.publish_points, result)

    def failed(self, error: Exception, slots: Sequence[FrameSlot]) -> None:
        """Count and tell what went wrong with the frames of some cameras; the worker goes on."""
        if not self._node.context.ok():
            return
        cameras = [self._cameras[slot] for slot in slots]
        text = str(error) if isinstance(error, OvsegError) else f"{type(error).__name__}: {error}"
        for camera in cameras:
            camera.statistics.failed(text)
        if not isinstance(error, OvsegError):
            text = "".join(traceback.format_exception(error)).rstrip()
        names = ", ".join(camera.name for camera in cameras if camera.name)
        if line := self._throttle(f"{type(error).__name__} {names}", f"{_frame_of(names)} failed: {text}"):
            self._node.get_logger().error(line)

    def _result(self, taken: _Taken, segmentation: Any, setup: Any) -> _Result:
        camera, frame, settings = taken.camera, taken.frame, taken.settings
        labelled = Labelled(
            header=frame.message.header,
            image=taken.image,
            segmentation=segmentation,
            camera_info=camera.camera_info,
            rectified=settings.input.rectified,
            latency=lambda: latency(taken.stamp, self._node.get_clock().now().nanoseconds),
            depth=lambda: taken.depth.get(settings.input.depth_slop, frame.arrived + PATIENCE),
        )
        camera.newest.put(Segmented(labelled, setup, frame.arrived))
        return _Result(camera, labelled, frame.arrived, settings)

    def _send(self, send: Callable[[Labelled], None], result: _Result) -> None:
        try:
            send(result.labelled)
        except ImageError as error:
            self._rejected(result.camera, error)

    def _rejected(self, camera: Camera, error: ImageError) -> None:
        camera.statistics.rejected(error.reason, str(error))
        self._warn(camera, error.reason, f"rejected ({error.reason}): {error}")

    def _check_stamp(self, camera: Camera, stamp: int) -> None:
        oddity = camera.stamps.check(stamp, self._node.get_clock().now().nanoseconds)
        if oddity is None:
            return
        if oddity == BACKWARDS:
            camera.statistics.restart_windows()
        camera.statistics.odd(oddity, MEANINGS[oddity])
        self._warn(camera, oddity, MEANINGS[oddity])

    def _warn(self, camera: Camera, kind: str, message: str) -> None:
        said = f"camera {camera.name}: {message}" if camera.name else message
        if line := self._throttle(f"{kind} {camera.name}", said):
            self._node.get_logger().warning(line)


def _frame_of(names: str) -> str:
    return f"a frame of {names}" if names else "a frame"
