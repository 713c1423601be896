"""The engine as the node sees it: a model that prepares segmenters, which segment within time and memory.

This is the only module of the node that imports torch (through `clipseg`). The node imports it in
*configure*, so that it appears on the graph at once, and a missing torch is a failure that is reported.
"""

from collections import deque
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
    resolve_method,
)
from ovseg_ros.vocabulary import Vocabulary

OutputSize = Literal["input", "model"]

BLANK = np.zeros((480, 640, 3), np.uint8)
"""What sizes are tried out on; the frames' own size and aspect correct it afterwards."""

TRIALS = 3

ONE_BY_ONE = "images that come together go through the model one by one"
SMALLER = "images are segmented at a smaller size"

FRAMES = 8
"""Frames at one size before its time is judged."""

PATIENCE = 24
"""Frames that must leave room before a larger size is tried; twice as many after each try that failed."""

MARGIN = 0.9
"""A new size is chosen for this share of the limit, so that the next slow frame does not change it again."""

GROWTH = 2.3
"""Time grows with the short side to this power: tokens with its square, attention faster."""


class LatencyGovernor:
    """Picks the largest short side at which frames hold a latency, and corrects it while they come.

    What counts is the second slowest of the last frames at the present size: one may be chance. The size
    goes down as soon as that is over the limit. It goes up only after many frames with room for the next
    size, and more patiently after each time it had to come back: so it settles instead of swinging.

    `smallest` and `largest` are bounds of the short side in pixels, and `step` is the side of a patch.
    """

    def __init__(self, limit_ms: float, smallest: int, largest: int, step: int) -> None:
        self.limit_ms = limit_ms
        self.largest = largest
        self.short_side = largest
        self._smallest = min(smallest, largest)
        self._step = step
        self._times: deque[float] = deque(maxlen=PATIENCE)
        self._patience = PATIENCE
        self._grown = False
        self._room = 0

    @property
    def description(self) -> str:
        held = "" if self.short_side > self._smallest else ", the smallest"
        return f"{self.limit_ms:g} ms: short side {self.short_side} of at most {self.largest}{held}"

    def start_at(self, time_ms: float) -> None:
        """Choose the size from one time measured at the present one, before the first frame."""
        if time_ms > self.limit_ms:
            self._go_to(self._fitting(time_ms))

    def reduce(self, largest: int) -> None:
        """Never go beyond `largest` again: the device had no memory for more."""
        self.largest = max(largest, self._smallest)
        if self.short_side > self.largest:
            self._go_to(self.largest)

    def observe(self, time_ms: float) -> None:
        """Take in the time of a frame at the present size; `short_side` is then the size for the next one."""
        self._times.append(time_ms)
        if len(self._times) < FRAMES:
            return
        slow = sorted(list(self._times)[-FRAMES:])[-2]
        if slow > self.limit_ms:
            if self.short_side > self._smallest:
                if self._grown:
                    self._patience *= 2
                self._go_to(self._fitting(slow))
            return
        larger = min(self.short_side + self._step, self.largest)
        fits = slow * (larger / self.short_side) ** GROWTH <= MARGIN * self.limit_ms
        self._room = self._room + 1 if fits and larger > self.short_side else 0
        if self._room >= self._patience:
            self._go_to(max(larger, self._fitting(slow)))
            self._grown = True

    def _fitting(self, time_ms: float) -> int:
        """The largest size that should hold the limit with a margin, from a time at the present size."""
        side = self.short_side * (MARGIN * self.limit_ms / time_ms) ** (1 / GROWTH)
        return max(self._smallest, min(self.largest, int(side) // self._step * self._step))

    def _go_to(self, short_side: int) -> None:
        self.short_side = short_side
        self._times.clear()
        self._grown = False
        self._room = 0


class PreparedSegmenter:
    """A segmenter with the classifier of one vocabulary.

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
    def description(self) -> dict[str, str]:
        """Model, method, device and so on, for people."""
        if self._governor is None:
            return dict(self._segmenter.description)
        governed = self._segmenter.at(self._governor.short_side)
        return {**governed.description, "max_latency": self._governor.description}

    @staticmethod
    def next_smoothing(before: SmoothingState | None, seconds: float, stamp_ns: int) -> SmoothingState | None:
        """What an image's labels are smoothed by, after the camera's last image; None with 0 seconds."""
        if not seconds:
            return None
        smoother = Smoother(seconds) if before is None else before.smoother
        smoother.seconds = seconds
        return SmoothingState(smoother, stamp_ns)

    def segment(
        self,
        images: Sequence[np.ndarray],
        output_size: OutputSize,
        smoothing: Sequence[SmoothingState | None] = (),
    ) -> list[Segmentation]:
        """Segment images of one size, uint8 [H, W, 3] RGB, in one pass; `smoothing` of each, or none.

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
            segmentations = segmenter.segment_batch(
                images, self._classifier, output_size=output_size, smoothing=smoothing
            )
        except OutOfMemory:
            smaller = segmenter.smaller()
            if len(images) == 1 and smaller is None:
                raise
        else:
            if governor is not None:
                # The time of the batch is what each of its images takes: none is there before all are.
                governor.observe(segmentations[0].inference_ms)
            return segmentations
        # Not in the handler: the exception holds on to the memory of the try that failed.
        if len(images) > 1 or smaller is None:
            self.batches = False
            self.shortage = self.shortage or ONE_BY_ONE
            each = smoothing or [None] * len(images)
            return [
                self.segment([image], output_size, [state])[0]
                for image, state in zip(images, each, strict=True)
            ]
        segmentations = smaller.segment_batch(
            images, self._classifier, output_size=output_size, smoothing=smoothing
        )
        self._segmenter = smaller
        self.shortage = SMALLER
        if governor is not None:
            governor.reduce(smaller.short_side)
        return segmentations

    def encode_texts(self, texts: Sequence[tuple[str, ...]]) -> None:
        """Get texts ready for `locate`, which may take long where they are new. Raises as `segment`."""
        encode_texts(self._segmenter, texts)

    def locate(self, segmentation: Segmentation, texts: Sequence[tuple[str, ...]]) -> list[Heat]:
        """Where the things of texts are in a segmented image; may run beside `segment`, raises as that."""
        return locate(self._segmenter, segmentation, texts)


class Engine:
    """A loaded model. `prepare` is for one thread at a time. Images of `cameras` may come at the same time.

    Raises ModelError where it was not found or does not fit.
    """

    def __init__(self, config: ModelConfig, cameras: int = 1) -> None:
        self._cameras = cameras
        self._model = load_model(config)
        self._made_for: tuple[MethodConfig, str] | None = None
        self._segmenter: Segmenter | None = None
        self._max_latency_ms = config.max_latency_ms
        self._governor: LatencyGovernor | None = None
        self._prepared = False

    def check(self, method: MethodConfig) -> None:
        """Raise the ModelError that `prepare` would raise over a method; quick, on any thread."""
        resolve_method(self._model, method)

    def prepare(self, method: MethodConfig, templates: str, vocabulary: Vocabulary) -> PreparedSegmenter:
        """Encode the vocabulary's text, which may take long, and put everything together for the worker.

        After the first time this is taken to run beside frames, and leaves the device to them.

        The segmenter is kept as long as the method stays, with what it compiled and measured for itself. With
        a latency to hold, a new one is first tried out on a blank image a camera, which takes some time.

        Raises:
            OvsegError: the method cannot be used, or encoding failed.
        """
        if self._segmenter is None or self._made_for != (method, templates):
            self._segmenter = Segmenter(self._model, method, templates=templates)
            self._made_for = (method, templates)
            self._governor = None
        classifier = self._segmenter.encode(vocabulary, in_background=self._prepared)
        self._prepared = True
        if self._max_latency_ms and self._governor is None:
            self._governor = self._tried_out(self._segmenter, classifier)
        return PreparedSegmenter(self._segmenter, classifier, self._governor)

    def _tried_out(self, segmenter: Segmenter, classifier: Classifier) -> LatencyGovernor:
        patch = max(segmenter.model.backbone.patch)
        governor = LatencyGovernor(self._max_latency_ms, segmenter.smallest_side, segmenter.short_side, patch)
        for _ in range(TRIALS):
            trial = PreparedSegmenter(segmenter.at(governor.short_side), classifier)
            blanks = [BLANK] * self._cameras
            trial.segment(blanks, "input")  # the first pass of a size prepares what later ones find ready
            time_ms = trial.segment(blanks, "input")[0].inference_ms
            governor.start_at(time_ms)
            if time_ms <= governor.limit_ms:
                break
        return governor
