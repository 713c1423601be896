"""The engine as the node sees it: a model that prepares setups, and setups that segment images.

This is the only module of the node that imports torch (through `clipseg`). The node imports it in
*configure*, so that it appears on the graph at once, and a missing torch is a failure that is told.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ovseg_ros.clipseg import (
    Classifier,
    Heat,
    MethodConfig,
    ModelConfig,
    OutOfMemory,
    Segmentation,
    Segmenter,
    Smoother,
    SmoothingState,
    encode_texts,
    load_model,
    locate,
)
from ovseg_ros.node.latency import LatencyGovernor
from ovseg_ros.node.settings import MethodSettings, ModelSettings
from ovseg_ros.vocabulary import Vocabulary

OutputSize = Literal["input", "model"]

BLANK = np.zeros((480, 640, 3), np.uint8)
"""What sizes are tried out on; the frames' own size and aspect correct it afterwards."""

TRIALS = 3

ONE_BY_ONE = "images that come together go through the model one by one"
SMALLER = "images are segmented at a smaller size"


class Setup:
    """Everything that frames need: a model with its method, and a vocabulary made into a classifier.

    Attributes:
        batches: whether the device has memory for several images at a time, as far as is known.
        shortage: what was given up for want of memory, for people; empty where nothing was.
    """

    def __init__(
        self, segmenter: Segmenter, classifier: Classifier, governor: LatencyGovernor | None = None
    ) -> None:
        self._segmenter = segmenter
        self._classifier = classifier
        self._governor = governor
        self.batches = True
        self.shortage = ""

    @property
    def vocabulary(self) -> Vocabulary:
        return self._classifier.vocabulary

    @property
    def description(self) -> dict[str, str]:
        """Model, method, device and so on, for people."""
        if self._governor is None:
            return dict(self._segmenter.description)
        governed = self._segmenter.at(self._governor.short_side)
        return {**governed.description, "max_latency": self._governor.description}

    def moment(self, before: SmoothingState | None, seconds: float, stamp_ns: int) -> SmoothingState | None:
        """What `segment` smooths an image's labels by; None where each image is taken alone.

        Args:
            before: of the camera's last image.
            seconds: time constant; 0: no smoothing.
            stamp_ns: of the image.
        """
        if not seconds:
            return None
        smoother = Smoother(seconds) if before is None else before.smoother
        smoother.seconds = seconds
        return SmoothingState(smoother, stamp_ns)

    def segment(
        self,
        images: Sequence[np.ndarray],
        output_size: OutputSize,
        moments: Sequence[SmoothingState | None] = (),
    ) -> list[Segmentation]:
        """Segment images of one size, uint8 [H, W, 3] RGB, in one pass; `moments` of each, or none.

        Where the device has no memory left, several images are tried one by one. A single one is tried once
        more with a smaller segmenter. What helped stays in use: to run out of memory with each frame would
        slow down everything on that device.

        Raises:
            OutOfMemory: the smaller try failed too, or there is none.
            DeviceLost: only a new *configure*, or a new process, can help.
        """
        governor = self._governor
        segmenter = self._segmenter if governor is None else self._segmenter.at(governor.short_side)
        try:
            return self._segment(segmenter, images, output_size, moments)
        except OutOfMemory:
            smaller = segmenter.smaller()
            if len(images) == 1 and smaller is None:
                raise
        # Not in the handler: the exception holds on to the memory of the try that failed.
        if len(images) > 1 or smaller is None:
            self.batches = False
            self.shortage = self.shortage or ONE_BY_ONE
            each = moments or [None] * len(images)
            return [
                self.segment([image], output_size, [moment])[0]
                for image, moment in zip(images, each, strict=True)
            ]
        segmentations = smaller.segment_batch(
            images, self._classifier, output_size=output_size, smoothing=moments
        )
        self._segmenter = smaller
        self.shortage = SMALLER
        if governor is not None:
            governor.reduce(smaller.short_side)
        return segmentations

    def _segment(
        self,
        segmenter: Segmenter,
        images: Sequence[np.ndarray],
        output_size: OutputSize,
        moments: Sequence[SmoothingState | None],
    ) -> list[Segmentation]:
        segmentations = segmenter.segment_batch(
            images, self._classifier, output_size=output_size, smoothing=moments
        )
        if self._governor is not None:
            # The time of the batch is what each of its images takes: none is there before all are.
            self._governor.observe(segmentations[0].inference_ms)
        return segmentations

    def encode_texts(self, texts: Sequence[tuple[str, ...]]) -> None:
        """Get texts ready for `locate`, which may take long where they are new.

        Raises:
            OutOfMemory, DeviceLost: the device failed.
        """
        encode_texts(self._segmenter, texts)

    def locate(self, segmentation: Segmentation, texts: Sequence[tuple[str, ...]]) -> list[Heat]:
        """Where the things that texts name are in an image that was segmented; may run beside `segment`.

        Raises:
            OutOfMemory, DeviceLost: the device failed.
        """
        return locate(self._segmenter, segmentation, texts)


class Engine:
    """A loaded model. `prepare` is for one thread at a time. Of `cameras` the images may come at a time.

    Raises:
        ModelError: it was not found or does not fit; the message names what was looked for and where.
    """

    def __init__(self, settings: ModelSettings, cameras: int = 1) -> None:
        self._cameras = cameras
        self._model = load_model(
            ModelConfig(
                settings.name,
                settings.weights,
                settings.allow_download,
                settings.device,
                settings.precision,
            )
        )
        self._made_for: tuple[MethodSettings, str] | None = None
        self._segmenter: Segmenter | None = None
        self._max_latency_ms = settings.max_latency_ms
        self._governor: LatencyGovernor | None = None
        self._prepared = False

    def check(self, method: MethodSettings, templates: str) -> None:
        """Raise the ModelError that `prepare` would raise over these settings; quick, on any thread."""
        self._make(method, templates)

    def prepare(self, method: MethodSettings, templates: str, vocabulary: Vocabulary) -> Setup:
        """Encode the vocabulary's text, which may take long, and put everything together for the worker.

        After the first time this is taken to run beside frames, and leaves the device to them.

        The segmenter is kept as long as the method stays, with what it compiled and measured for itself. With
        a latency to hold, a new one is first tried out on a blank image a camera, which takes some time.

        Raises:
            OvsegError: the method is not known, or encoding failed.
        """
        if self._segmenter is None or self._made_for != (method, templates):
            self._segmenter = self._make(method, templates)
            self._made_for = (method, templates)
            self._governor = None
        classifier = self._segmenter.encode(vocabulary, in_background=self._prepared)
        self._prepared = True
        if self._max_latency_ms and self._governor is None:
            self._governor = self._tried_out(self._segmenter, classifier)
        return Setup(self._segmenter, classifier, self._governor)

    def _tried_out(self, segmenter: Segmenter, classifier: Classifier) -> LatencyGovernor:
        patch = max(segmenter.model.backbone.patch)
        governor = LatencyGovernor(self._max_latency_ms, segmenter.smallest_side, segmenter.short_side, patch)
        for _ in range(TRIALS):
            trial = Setup(segmenter.at(governor.short_side), classifier)
            blanks = [BLANK] * self._cameras
            trial.segment(blanks, "input")  # the first pass of a size prepares what later ones find ready
            time_ms = trial.segment(blanks, "input")[0].inference_ms
            governor.start_at(time_ms)
            if time_ms <= governor.limit_ms:
                break
        return governor

    def _make(self, method: MethodSettings, templates: str) -> Segmenter:
        return Segmenter(
            self._model,
            MethodConfig(
                name=method.name,
                short_side=method.short_side,
                window=method.window,
                window_stride=method.window_stride,
                logit_scale=method.logit_scale,
            ),
            templates=templates,
        )
