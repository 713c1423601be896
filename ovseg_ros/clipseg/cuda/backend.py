"""A batch on CUDA: its pass is captured once per size and replayed, and travels while others are computed.

Launching a ViT's hundreds of kernels one by one takes the CPU longer than they take a GPU. A graph launches
all of them at once. It holds fixed addresses, so images and prompts are copied into buffers of its own; these
have room for more prompts than are in use, so that new ones capture nothing anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ovseg_ros.clipseg.backends import Batch, BatchOutput, PendingBatch
from ovseg_ros.clipseg.classifier import Classifier, row_scores
from ovseg_ros.clipseg.resolution import make_room

ROWS = 256
"""Room for rows of scores: 254 classes and the background; the last takes what the empty places give."""

PROMPTS = (256, 1024, 4096, 16384)
"""Room for prompts: the smallest that fits; only a vocabulary that needs the next size captures anew."""

WARM_UP = 3
"""Runs before a capture, in which libraries choose their algorithms and take their memory."""


@dataclass
class PromptBuffer:
    """A classifier's embeddings and rows in a place of fixed size."""

    embeddings: Float[Tensor, "q e"]
    rows: Int[Tensor, " q"]
    holds: Classifier | None = None

    @classmethod
    def room_for(cls, classifier: Classifier) -> "PromptBuffer":
        """An empty place in which the classifier fits."""
        needed, embedding = classifier.embeddings.shape
        prompts = next(room for room in PROMPTS if room >= needed)
        like = classifier.embeddings
        return cls(like.new_zeros(prompts, embedding), classifier.rows.new_full((prompts,), ROWS - 1))

    def fits(self, classifier: Classifier) -> bool:
        """Whether the classifier has room here."""
        return len(classifier.rows) <= len(self.rows)

    def take(self, classifier: Classifier) -> None:
        """Copy the classifier here, unless it is here already."""
        if self.holds is classifier:
            return
        count = len(classifier.rows)
        self.embeddings[:count] = classifier.embeddings
        self.rows[:count] = classifier.rows
        self.rows[count:] = ROWS - 1
        self.holds = classifier

    def scores(self, features: Float[Tensor, "b n e"], scale: float) -> Float[Tensor, "b n 256"]:
        """Logits of all rows; only the classifier's own mean anything."""
        return row_scores(features, self.embeddings, self.rows, ROWS, scale)


class CapturedPass:
    """From uint8 images on the device to features and scores of every patch, as one CUDA graph.

    `forward` makes features ``b n e`` of images ``b H W 3`` without transfers to the host; `example` are
    images of the size to capture; graphs that never run at the same time share the memory `pool`.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        example: Tensor,
        classifier: Classifier,
        scale: float,
        pool: "torch.cuda._POOL_HANDLE",
    ) -> None:
        self._images = example.clone()
        self.prompts = PromptBuffer.room_for(classifier)
        self.prompts.take(classifier)
        stream = torch.cuda.Stream(example.device)
        stream.wait_stream(torch.cuda.current_stream(example.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.prompts.scores(forward(self._images), scale)
        torch.cuda.current_stream(example.device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        # Another thread may be encoding text meanwhile: only this thread's work is captured, and must fit.
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            self._features = forward(self._images)
            self._scores = self.prompts.scores(self._features, scale)

    def run(
        self, images: UInt8[Tensor, "b H W 3"], classifier: Classifier
    ) -> tuple[Float[Tensor, "b n e"], Float[Tensor, "b n k"]]:
        """Features, and scores of the classifier's rows, in memory of their own."""
        self._images.copy_(images)
        self.prompts.take(classifier)
        self._graph.replay()
        return self._features.clone(), self._scores[..., : len(classifier.ids)].clone()


class Transfer:
    """Moves a batch to the device and back, through memory that the device reads and writes by itself.

    Upload, computation and download each have a stream, so that of two batches under way one is computed
    while the other travels. To be used by one batch at a time.

    Args:
        shape: of the images, ``b H W 3``.
        size: height and width of the labels.
        device: a CUDA device.
    """

    def __init__(self, shape: tuple[int, ...], size: tuple[int, int], device: torch.device) -> None:
        self._device = device
        self._host = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        self._images = torch.empty(shape, dtype=torch.uint8, device=device)
        self._results = torch.empty((2, shape[0], *size), dtype=torch.uint8, pin_memory=True)
        self._upload, self._download = torch.cuda.Stream(device), torch.cuda.Stream(device)
        self._done = torch.cuda.Event()

    def start(
        self, images: Sequence[UInt8[np.ndarray, "H W 3"]], compute: Callable[[Tensor], BatchOutput]
    ) -> BatchOutput:
        """Begin, and return before the device is done; `compute` takes the images on the device."""
        for place, image in zip(self._host.numpy(), images, strict=True):
            np.copyto(place, image)
        with torch.cuda.stream(self._upload):
            self._images.copy_(self._host, non_blocking=True)
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._upload)
        output = compute(self._images)
        self._download.wait_stream(computing)
        with torch.cuda.stream(self._download):
            for place, result in zip(self._results, (output.labels, output.confidence), strict=True):
                place.copy_(result, non_blocking=True)
                result.record_stream(self._download)
            self._done.record()
        return output

    def finish(self) -> tuple[UInt8[np.ndarray, "b H W"], UInt8[np.ndarray, "b H W"]]:
        """Wait for labels and confidence."""
        self._done.synchronize()
        labels, confidence = self._results.numpy().copy()
        return labels, confidence


class CudaBackend:
    """On CUDA: one captured pass per size, and pinned memory for two batches at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._captured: dict[tuple[object, ...], CapturedPass] = {}
        self._transfers: dict[tuple[object, ...], list[Transfer]] = {}

    def start(self, batch: Batch) -> PendingBatch:
        shape = (len(batch.images), *batch.images[0].shape)
        key = (shape, batch.size)
        if key not in self._transfers:
            make_room(self._transfers)
            self._transfers[key] = [Transfer(shape, batch.size, self._device) for _ in range(2)]
        pair = self._transfers[key]
        pair.reverse()
        return PendingBatch(pair[0].start(batch.images, partial(self._compute, batch)), pair[0].finish)

    def _compute(self, batch: Batch, images: Tensor) -> BatchOutput:
        key = (tuple(images.shape), batch.grid)
        if key not in self._captured or not self._captured[key].prompts.fits(batch.classifier):
            make_room(self._captured)
            self._captured[key] = CapturedPass(
                batch.forward, images, batch.classifier, batch.scale, self._pool
            )
        return batch.output(*self._captured[key].run(images, batch.classifier))
