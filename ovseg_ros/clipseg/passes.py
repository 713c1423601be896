"""How a batch goes through the model on each kind of device."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from ovseg_ros.clipseg.classifier import Classifier
from ovseg_ros.clipseg.graphs import CapturedPass
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.clipseg.resolution import Resolution, make_room
from ovseg_ros.clipseg.smoothing import SmoothingState
from ovseg_ros.clipseg.transfer import Answer, Transfer


class Job(NamedTuple):
    """One batch and what is done with it.

    Attributes:
        images: of one size.
        classifier: the words.
        plan: the working size.
        size: height and width of the labels.
        forward: images on the device, ``b H W 3`` uint8, to features ``b n e``.
        scale: factor on the cosines.
        smoothing: the state of each image whose scores are smoothed, None for others; empty: none is.
    """

    images: Sequence[UInt8[np.ndarray, "H W 3"]]
    classifier: Classifier
    plan: Resolution
    size: tuple[int, int]
    forward: Callable[[Tensor], Tensor]
    scale: float
    smoothing: Sequence[SmoothingState | None] = ()


class Started(NamedTuple):
    """A batch under way: what is on the device, and how to wait for labels and confidence on the host."""

    answer: Answer
    finish: Callable[[], tuple[np.ndarray, np.ndarray]]


class Passes(Protocol):
    """Runs jobs; at most two are under way at a time."""

    def start(self, job: Job) -> Started:
        """Begin a job."""


class HostPasses:
    """On the CPU: done when started.

    The images of a batch run beside each other, each on its share of the threads: threads that work on one
    image wait for each other at every operation.
    """

    def start(self, job: Job) -> Started:
        threads = torch.get_num_threads()
        if len(job.images) == 1 or threads == 1:
            found = [self._scored(job, image) for image in job.images]
        else:
            share = max(1, threads // len(job.images))
            try:
                found = list(_workers(threads).map(partial(self._beside, job, share), job.images))
            finally:
                torch.set_num_threads(threads)  # part of what the workers set is the whole process's
        features, scores = (torch.cat(part) for part in zip(*found, strict=True))
        answer = answer_of(job, features, scores)
        return Started(answer, lambda: (answer.labels.numpy(), answer.confidence.numpy()))

    def _beside(self, job: Job, threads: int, image: np.ndarray) -> tuple[Tensor, Tensor]:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return self._scored(job, image)

    def _scored(self, job: Job, image: np.ndarray) -> tuple[Tensor, Tensor]:
        """Features and scores of one image, as a batch."""
        if not image.flags.writeable:  # torch warns of views on read-only message buffers
            image = image.copy()
        features = job.forward(torch.from_numpy(np.ascontiguousarray(image[None])))
        return features, job.classifier.scores(features, job.scale)


class CudaPasses:
    """On CUDA: one captured pass per size, and pinned memory for two batches at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._captured: dict[tuple[object, ...], CapturedPass] = {}
        self._transfers: dict[tuple[object, ...], list[Transfer]] = {}

    def start(self, job: Job) -> Started:
        shape = (len(job.images), *job.images[0].shape)
        key = (shape, job.size)
        if key not in self._transfers:
            make_room(self._transfers)
            self._transfers[key] = [Transfer(shape, job.size, self._device) for _ in range(2)]
        pair = self._transfers[key]
        pair.reverse()
        return Started(pair[0].start(job.images, partial(self._compute, job)), pair[0].finish)

    def _compute(self, job: Job, images: Tensor) -> Answer:
        key = (tuple(images.shape), job.plan.size)
        if key not in self._captured or not self._captured[key].fits(job.classifier):
            make_room(self._captured)
            self._captured[key] = CapturedPass(job.forward, images, job.classifier, job.scale, self._pool)
        return answer_of(job, *self._captured[key].run(images, job.classifier))


@cache
def _workers(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="ovseg-batch")


def answer_of(job: Job, features: Tensor, scores: Tensor) -> Answer:
    """Labels and confidence of a batch from the scores of its patches, ``b n k``."""
    grid_scores = scores.unflatten(1, job.plan.grid).permute(0, 3, 1, 2)
    if any(job.smoothing):
        grid_scores = torch.stack(
            [
                one if state is None else state.smoother(one, image, state.stamp_ns, job.classifier)
                for one, image, state in zip(grid_scores, job.images, job.smoothing, strict=True)
            ]
        )
    ids, thresholds = job.classifier.ids, job.classifier.thresholds
    return Answer(features, grid_scores, *labels_and_confidence(grid_scores, job.size, ids, thresholds))
