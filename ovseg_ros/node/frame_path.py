"""The way of the frames: messages, images, segmentations, outputs. All of it runs on the worker thread."""

import time
import traceback
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from rclpy.node import Node

from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import ImageError
from ovseg_ros.node.camera import CameraInput
from ovseg_ros.node.depth import DepthMatch, stamp_of
from ovseg_ros.node.frames import ArrivedFrame, FrameSetup, LabelledFrame, VocabularySnapshot
from ovseg_ros.node.outputs import VocabularyOutputs
from ovseg_ros.node.statistics import STAMP_WARNINGS
from ovseg_ros.node.throttle import Throttle
from ovseg_ros.node.worker import FrameSlot

if TYPE_CHECKING:
    from ovseg_ros.clipseg import SmoothingState
    from ovseg_ros.node.engine import OutputSize


class DecodedFrame(NamedTuple):
    """A frame that is to be segmented: its image, and what belongs to it."""

    camera: CameraInput
    arrived: ArrivedFrame
    image: np.ndarray
    depth: DepthMatch
    smoothing: "SmoothingState | None"


class FramePath:
    """What the worker does with setups and frames (`worker.Work`)."""

    def __init__(
        self, node: Node, cameras: Sequence[CameraInput], vocabulary_outputs: VocabularyOutputs
    ) -> None:
        self._node = node
        self._cameras: Mapping[FrameSlot, CameraInput] = {camera.slot: camera for camera in cameras}
        self._vocabulary_outputs = vocabulary_outputs
        self._throttle = Throttle()
        self._announced: VocabularySnapshot | None = None

    def announce(self, setup: FrameSetup) -> None:
        """Publish the setup's vocabulary, unless it is the one that was published last."""
        if setup.vocabulary is self._announced:
            return
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
        return DecodedFrame(camera, frame, image, depth, camera.smoothing)

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
        labelled = []
        for frame, segmentation in zip(batch, segmentations, strict=True):
            labelled.append(
                LabelledFrame(
                    header=frame.arrived.message.header,
                    image=frame.image,
                    segmentation=segmentation,
                    camera_info=frame.camera.camera_info,
                    depth=frame.depth,
                    setup=setup,
                    arrived=frame.arrived.arrived,
                )
            )
            frame.camera.newest.put(labelled[-1])
        return labelled

    def publish(self, slot: FrameSlot, frame: LabelledFrame) -> None:
        """Send what is ready to everybody who subscribes."""
        camera = self._cameras[slot]
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
