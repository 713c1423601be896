"""Images to a CUDA device and labels back, while other images are computed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


class BatchOutput(NamedTuple):
    """What a pass gives for a batch, on the device."""

    features: Float[Tensor, "b n e"]
    scores: Float[Tensor, "b k h w"]
    labels: UInt8[Tensor, "b H W"]
    confidence: UInt8[Tensor, "b H W"]


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
