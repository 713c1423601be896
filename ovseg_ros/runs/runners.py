"""Runners: several methods label one image so that their times can be compared."""

import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import UInt8

from ovseg_ros.clipseg import Classifier, Method, Segmenter
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.clipseg.last_block import features_after, rewrites_all_blocks, run_blocks
from ovseg_ros.clipseg.peak_memory import start_peak
from ovseg_ros.clipseg.runtime import device_errors


class RunnerResult(NamedTuple):
    """One method's labels of an image, its time, and the most memory during it (MB, None if unknown)."""

    labels: UInt8[np.ndarray, "H W"]
    ms: float
    peak_mb: float | None


class Runner(Protocol):
    """Labels an image by several methods."""

    def run(self, image: UInt8[np.ndarray, "H W 3"]) -> list[RunnerResult]:
        """Labels by every method, in their order. Raises ModelError, OutOfMemory, DeviceLost."""


class SeparateRunner:
    """Every method labels the image on its own, from the upload to the labels on the host.

    The methods' order turns with every image, so that none always profits from what another left in the
    caches. The first image is labelled once more beforehand, since a first pass allocates.
    """

    def __init__(self, segmenters: Sequence[Segmenter], classifier: Classifier) -> None:
        self._segmenters = list(segmenters)
        self._classifier = classifier
        self._turn = 0

    def run(self, image: UInt8[np.ndarray, "H W 3"]) -> list[RunnerResult]:
        """Labels by every method, in their order."""
        if self._turn == 0:
            for segmenter in self._segmenters:
                segmenter.segment(image, self._classifier)
        count = len(self._segmenters)
        order = [(self._turn + place) % count for place in range(count)]
        self._turn += 1
        found = {place: self._run(self._segmenters[place], image) for place in order}
        return [found[place] for place in range(count)]

    def _run(self, segmenter: Segmenter, image: np.ndarray) -> RunnerResult:
        peak = start_peak(segmenter.model.device)
        start = time.perf_counter()
        segmentation = segmenter.segment(image, self._classifier)
        ms = 1e3 * (time.perf_counter() - start)
        return RunnerResult(segmentation.labels, ms, peak())


class SharedRunner:
    """The blocks before the last one run once for all methods: many variants for little more than one.

    A method's time is that of the shared blocks and its own part together, both in the plain form (nothing
    fused or compiled), so times are to be compared with each other only. A method that rewrites all blocks is
    charged its own pass in place of the shared one.

    Args:
        segmenter: brings the model, the size, and how an image becomes the model's input; not its method.
        methods: what the last block does.
        classifier: the words.
    """

    def __init__(self, segmenter: Segmenter, methods: Sequence[Method], classifier: Classifier) -> None:
        self._segmenter = segmenter
        self._model = segmenter.model
        self._methods = list(methods)
        self._classifier = classifier
        self._turn = 0

    def run(self, image: UInt8[np.ndarray, "H W 3"]) -> list[RunnerResult]:
        """Labels by every method, in their order."""
        if self._turn == 0:
            self._run_all(image)
        self._turn += 1
        return self._run_all(image)

    def _run_all(self, image: np.ndarray) -> list[RunnerResult]:
        backbone, height, width = self._model.backbone, *image.shape[:2]
        plan = self._segmenter.plan(height, width)
        with torch.inference_mode(), device_errors():
            shared_peak, start = start_peak(self._model.device), time.perf_counter()
            pixels = self._segmenter.prepare([image], plan.size)
            prepared = self._clock()
            blocks = run_blocks(backbone, pixels, self._methods)
            walked = self._clock()
            shared_mb = shared_peak()
            count = len(self._methods)
            found = {}
            for place in ((self._turn + step) % count for step in range(count)):
                method, peak, begin = self._methods[place], start_peak(self._model.device), self._clock()
                features = features_after(backbone, blocks, method)
                scores = self._classifier.scores(features, self._segmenter.logit_scale).transpose(1, 2)
                labels, _ = labels_and_confidence(
                    scores.unflatten(-1, plan.grid).contiguous(),
                    (height, width),
                    self._classifier.ids,
                    self._classifier.thresholds,
                )
                array = labels[0].cpu().numpy()
                shared = (prepared if rewrites_all_blocks(method) else walked) - start
                mb = max((value for value in (shared_mb, peak()) if value is not None), default=None)
                found[place] = RunnerResult(array, 1e3 * (shared + self._clock() - begin), mb)
        return [found[place] for place in range(count)]

    def _clock(self) -> float:
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)
        return time.perf_counter()
