"""Runners: several methods label one image so that their times can be compared."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8

from ovseg_ros.clipseg import Classifier, Method, Segmenter
from ovseg_ros.clipseg.backends import device_errors
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.clipseg.last_block import features_after, rewrites_all_blocks, run_blocks
from ovseg_ros.clipseg.peak_memory import start_peak
from ovseg_ros.clipseg.runtime import device_clock
from ovseg_ros.runs.comparison import most


class RunnerResult(NamedTuple):
    """One method's labels of an image, its time, and the most memory during it (MB, None if unknown)."""

    labels: UInt8[np.ndarray, "H W"]
    ms: float
    peak_mb: float | None


class Runner(ABC):
    """Labels images by several methods.

    The methods' order turns with every image, so that none always profits from what another left in the
    caches. The first image is labelled once more beforehand, since a first pass allocates.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._images = 0

    def run(self, image: UInt8[np.ndarray, "H W 3"]) -> list[RunnerResult]:
        """Labels by every method, in their order. Raises ModelError, OutOfMemory, DeviceLost."""
        if self._images == 0:
            self._run(image, range(self._count))
        order = [(self._images + place) % self._count for place in range(self._count)]
        self._images += 1
        found = dict(zip(order, self._run(image, order), strict=True))
        return [found[place] for place in range(self._count)]

    @abstractmethod
    def _run(self, image: UInt8[np.ndarray, "H W 3"], order: Sequence[int]) -> list[RunnerResult]:
        """Labels by the methods at these places, one after the other."""


class SeparateRunner(Runner):
    """Every method labels the image on its own, from the upload to the labels on the host."""

    def __init__(self, segmenters: Sequence[Segmenter], classifier: Classifier) -> None:
        super().__init__(len(segmenters))
        self._segmenters = segmenters
        self._classifier = classifier

    def _run(self, image: np.ndarray, order: Sequence[int]) -> list[RunnerResult]:
        found = []
        for segmenter in (self._segmenters[place] for place in order):
            peak = start_peak(segmenter.model.device)
            start = time.perf_counter()
            segmentation = segmenter.segment(image, self._classifier)
            ms = 1e3 * (time.perf_counter() - start)
            found.append(RunnerResult(segmentation.labels, ms, peak()))
        return found


class SharedRunner(Runner):
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
        super().__init__(len(methods))
        self._segmenter = segmenter
        self._model = segmenter.model
        self._methods = methods
        self._classifier = classifier

    def _run(self, image: np.ndarray, order: Sequence[int]) -> list[RunnerResult]:
        backbone, height, width = self._model.backbone, *image.shape[:2]
        plan = self._segmenter.plan(height, width)
        with torch.inference_mode(), device_errors():
            shared_peak, start = start_peak(self._model.device), time.perf_counter()
            pixels = self._segmenter.prepare([image], plan.size)
            prepared = device_clock(self._model.device)
            blocks = run_blocks(backbone, pixels, self._methods)
            computed = device_clock(self._model.device)
            shared_mb = shared_peak()
            found = []
            for method in (self._methods[place] for place in order):
                peak, begin = start_peak(self._model.device), device_clock(self._model.device)
                features = features_after(backbone, blocks, method)
                scores = self._classifier.scores(features, self._segmenter.logit_scale).transpose(1, 2)
                labels, _ = labels_and_confidence(
                    scores.unflatten(-1, plan.grid).contiguous(),
                    (height, width),
                    self._classifier.ids,
                    self._classifier.thresholds,
                )
                array = labels[0].cpu().numpy()
                shared = (prepared if rewrites_all_blocks(method) else computed) - start
                ms = 1e3 * (shared + device_clock(self._model.device) - begin)
                found.append(RunnerResult(array, ms, most(shared_mb, peak())))
        return found
