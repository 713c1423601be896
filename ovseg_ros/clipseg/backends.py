"""How a batch goes through the model, on the CPU here and on CUDA in `cuda.backend`; what failures mean."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ovseg_ros.clipseg.classifier import Classifier
from ovseg_ros.clipseg.errors import DeviceLost, ModelError, OutOfMemory
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.clipseg.smoothing import SmoothingState


class BatchOutput(NamedTuple):
    """What a pass gives for a batch, on the device."""

    features: Float[Tensor, "b n e"]
    scores: Float[Tensor, "b k h w"]
    labels: UInt8[Tensor, "b H W"]
    confidence: UInt8[Tensor, "b H W"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Images of one size that go through the model together, and what is done with them.

    Attributes:
        grid: rows and columns of patches.
        size: height and width of the labels.
        forward: images on the device, ``b H W 3`` uint8, to features ``b n e``.
        scale: factor on the cosines.
        smoothing: the state of each image whose scores are smoothed, None for others; empty: none is.

    Raises:
        ModelError: an image that is not uint8 of three channels, or sizes or states that do not fit.
    """

    images: Sequence[UInt8[np.ndarray, "H W 3"]]
    classifier: Classifier
    grid: tuple[int, int]
    size: tuple[int, int]
    forward: Callable[[Tensor], Tensor]
    scale: float
    smoothing: Sequence[SmoothingState | None] = ()

    def __post_init__(self) -> None:
        for image in self.images:
            fits = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
            if not fits or image.shape != self.images[0].shape:
                raise ModelError(
                    f"image is {image.dtype} of shape {image.shape}; expected uint8, height x width x 3, "
                    "and one size in a batch"
                )
        if self.smoothing and len(self.smoothing) != len(self.images):
            raise ModelError(
                f"{len(self.smoothing)} smoothing states came with {len(self.images)} images; expected one "
                "for each"
            )

    def output(self, features: Tensor, scores: Tensor) -> BatchOutput:
        """Labels and confidence from the scores of the patches, ``b n k``."""
        grid_scores = scores.unflatten(1, self.grid).permute(0, 3, 1, 2)
        if any(self.smoothing):
            grid_scores = torch.stack(
                [
                    one if state is None else state.smoother(one, image, state.stamp_ns, self.classifier)
                    for one, image, state in zip(grid_scores, self.images, self.smoothing, strict=True)
                ]
            )
        labels, confidence = labels_and_confidence(
            grid_scores, self.size, self.classifier.ids, self.classifier.thresholds
        )
        return BatchOutput(features, grid_scores, labels, confidence)


class PendingBatch(NamedTuple):
    """A batch under way: its output on the device, and how to wait for labels and confidence on the host."""

    output: BatchOutput
    finish: Callable[[], tuple[np.ndarray, np.ndarray]]


def start_on_cpu(batch: Batch) -> PendingBatch:
    """On the CPU a batch is done when it is started.

    Its images run side by side, each on its share of the threads: threads that work on one image wait for
    each other at every operation.
    """
    threads = torch.get_num_threads()
    if len(batch.images) == 1 or threads == 1:
        found = [_scored(batch, image) for image in batch.images]
    else:
        share = max(1, threads // len(batch.images))
        try:
            found = list(_workers(threads).map(partial(_on_threads, batch, share), batch.images))
        finally:
            torch.set_num_threads(threads)  # part of what the workers set is the whole process's
    features, scores = map(torch.cat, zip(*found, strict=True))
    output = batch.output(features, scores)
    return PendingBatch(output, lambda: (output.labels.numpy(), output.confidence.numpy()))


def _on_threads(batch: Batch, threads: int, image: np.ndarray) -> tuple[Tensor, Tensor]:
    torch.set_num_threads(threads)
    with torch.inference_mode():
        return _scored(batch, image)


def _scored(batch: Batch, image: np.ndarray) -> tuple[Tensor, Tensor]:
    """Features and scores of one image, as a batch."""
    if not image.flags.writeable:  # torch warns of views on read-only message buffers
        image = image.copy()
    features = batch.forward(torch.from_numpy(np.ascontiguousarray(image[None])))
    return features, batch.classifier.scores(features, batch.scale)


@cache
def _workers(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="ovseg-batch")


@contextmanager
def device_errors() -> Iterator[None]:
    """Turn the device's failures into `OutOfMemory` and `DeviceLost`.

    CUDA's cache is given back on the way, so that a smaller try finds the memory.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise OutOfMemory(f"no memory left on the GPU: {_first_line(error)}") from error
    except RuntimeError as error:
        text = str(error)
        if "can't allocate memory" in text or "not enough memory" in text:
            raise OutOfMemory(f"no memory left: {_first_line(error)}") from error
        if "CUDA error" in text or "CUDA driver" in text:
            raise DeviceLost(f"the GPU failed: {_first_line(error)}") from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
