"""The pass of an image on CUDA: captured once per size, then replayed.

Launching a ViT's hundreds of kernels one by one takes the CPU longer than they take a GPU. A graph launches
all of them at once. It holds fixed addresses, so images and prompts are copied into buffers of its own; these
have room for more prompts than are in use, so that new ones capture nothing anew.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ovseg_ros.clipseg.classifier import Classifier, row_scores

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

    Args:
        forward: images ``b H W 3`` uint8 on the device to features ``b n e``; without transfers to the host.
        example: images of the size to capture.
        classifier: words to start with.
        scale: factor on the cosines.
        pool: memory that graphs share which never run at the same time.
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
        self._prompts = PromptBuffer.room_for(classifier)
        self._prompts.take(classifier)
        stream = torch.cuda.Stream(example.device)
        stream.wait_stream(torch.cuda.current_stream(example.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._prompts.scores(forward(self._images), scale)
        torch.cuda.current_stream(example.device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        # Another thread may be encoding text meanwhile: only this thread's work is captured, and must fit.
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            self._features = forward(self._images)
            self._scores = self._prompts.scores(self._features, scale)

    def fits(self, classifier: Classifier) -> bool:
        """Whether the prompts have room in this graph."""
        return self._prompts.fits(classifier)

    def run(
        self, images: UInt8[Tensor, "b H W 3"], classifier: Classifier
    ) -> tuple[Float[Tensor, "b n e"], Float[Tensor, "b n k"]]:
        """Features, and scores of the classifier's rows, in memory of their own."""
        self._images.copy_(images)
        self._prompts.take(classifier)
        self._graph.replay()
        return self._features.clone(), self._scores[..., : len(classifier.ids)].clone()
