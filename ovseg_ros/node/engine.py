"""The engine as the node sees it: a model that prepares setups, and setups that segment images.

This is the only module of the node that imports torch (through `clipseg`). The node imports it in
*configure*, so that it appears on the graph at once, and a missing torch is a failure that is told.
"""

from typing import Literal

import numpy as np

from ovseg_ros.clipseg import Classifier, OutOfMemory, Segmentation, Segmenter, load_model
from ovseg_ros.node.settings import MethodSettings, ModelSettings
from ovseg_ros.vocabulary import Vocabulary

OutputSize = Literal["input", "model"]


class Setup:
    """Everything that one frame needs: a model with its method, and a vocabulary made into a classifier."""

    def __init__(self, segmenter: Segmenter, classifier: Classifier) -> None:
        self._segmenter = segmenter
        self._classifier = classifier
        self.reduced = False

    @property
    def vocabulary(self) -> Vocabulary:
        return self._classifier.vocabulary

    @property
    def description(self) -> dict[str, str]:
        """Model, method, device and so on, for people."""
        return dict(self._segmenter.description)

    def segment(self, image: np.ndarray, output_size: OutputSize) -> Segmentation:
        """Segment an image, uint8 [H, W, 3] RGB.

        Where the device has no memory left the image is tried once more with a smaller segmenter, which then
        stays in use: to run out of memory with each frame would slow down everything on that device.

        Raises:
            OutOfMemory: the smaller try failed too, or there is none.
            DeviceLost: only a new *configure*, or a new process, can help.
        """
        try:
            return self._segmenter.segment(image, self._classifier, output_size=output_size)
        except OutOfMemory:
            smaller = self._segmenter.smaller()
            if smaller is None:
                raise
            segmentation = smaller.segment(image, self._classifier, output_size=output_size)
            self._segmenter = smaller
            self.reduced = True
            return segmentation


class Engine:
    """A loaded model. `prepare` is for one thread at a time.

    Raises:
        ModelError: it was not found or does not fit; the message names what was looked for and where.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self._model = load_model(
            settings.name,
            settings.weights,
            allow_download=settings.allow_download,
            device=settings.device,
            precision=settings.precision,
        )
        self._made_for: tuple[MethodSettings, str] | None = None
        self._segmenter: Segmenter | None = None

    def check(self, method: MethodSettings, templates: str) -> None:
        """Raise the ModelError that `prepare` would raise over these settings; quick, on any thread."""
        self._make(method, templates)

    def prepare(self, method: MethodSettings, templates: str, vocabulary: Vocabulary) -> Setup:
        """Encode the vocabulary's text, which may take long, and put everything together for the worker.

        The segmenter is kept as long as the method stays, with what it compiled and measured for itself.

        Raises:
            OvsegError: the method is not known, or encoding failed.
        """
        if self._segmenter is None or self._made_for != (method, templates):
            self._segmenter = self._make(method, templates)
            self._made_for = (method, templates)
        return Setup(self._segmenter, self._segmenter.encode(vocabulary))

    def _make(self, method: MethodSettings, templates: str) -> Segmenter:
        return Segmenter(
            self._model,
            method.name,
            short_side=method.short_side,
            templates=templates,
            logit_scale=method.logit_scale,
        )
