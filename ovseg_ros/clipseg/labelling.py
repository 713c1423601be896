"""From class scores at the patch grid to labels and confidence at the output's size.

The scores are upsampled bilinearly and reduced at once, so that an array of K x H x W never exists. This is
the only place where scores become labels. There are three implementations with the same result:
compiled code on the CPU (`cpu.labelling`), one kernel on CUDA where Triton is (`cuda.labelling`), and tiles
of torch's own operations elsewhere.
"""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.cpu import labelling as compiled
from ovseg_ros.vocabulary import UNLABELLED_ID

TILE_ELEMENTS = 1 << 20
"""Upsampled scores held at a time; small enough for a CPU's cache, large enough to keep its cores busy."""


def labels_and_confidence(
    scores: Float[Tensor, "b k h w"],
    size: tuple[int, int],
    ids: UInt8[Tensor, " k"],
    thresholds: Float[Tensor, " k"],
) -> tuple[UInt8[Tensor, "b H W"], UInt8[Tensor, "b H W"]]:
    """The winning class of every pixel and its probability.

    Args:
        scores: logits of the classes at the grid, float32.
        size: height and width of the output.
        ids: what to write where a class wins.
        thresholds: a class that wins with a lower probability is written as unlabelled.

    Returns:
        Labels, and the winner's softmax probability scaled to 0..255 (also where unlabelled).
    """
    labels = torch.empty((len(scores), *size), dtype=torch.uint8, device=scores.device)
    confidence = torch.empty_like(labels)
    if scores.device.type == "cuda" and _has_triton():
        from ovseg_ros.clipseg.cuda.labelling import label

        label(scores, ids, thresholds, labels, confidence)
        return labels, confidence
    fill = compiled.label_rows if scores.device.type == "cpu" and compiled.available() else _label_tiles
    for image in range(len(scores)):
        fill(scores[image], ids, thresholds, labels[image], confidence[image])
    return labels, confidence


def class_probability(
    scores: Float[Tensor, "k h w"], size: tuple[int, int], index: int
) -> UInt8[Tensor, "H W"]:
    """The softmax probability of one class at every pixel, scaled to 0..255."""
    values = torch.zeros(len(scores), device=scores.device)
    values[index] = 255
    return mean_value(scores, size, values)


def mean_value(
    scores: Float[Tensor, "k h w"], size: tuple[int, int], values: Float[Tensor, " k"]
) -> UInt8[Tensor, "H W"]:
    """The mean of the classes' values (0..255) under their softmax probabilities, at every pixel."""
    mean = torch.empty(size, dtype=torch.uint8, device=scores.device)
    if scores.device.type == "cpu" and compiled.available():
        compiled.mean_rows(scores, values, mean)
        return mean
    for rows, logits in _upsampled(scores, size):
        mean[rows] = torch.einsum("k,ktw->tw", values, logits.softmax(dim=0)).round_().to(torch.uint8)
    return mean


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def _label_tiles(
    scores: Float[Tensor, "k h w"], ids: Tensor, thresholds: Tensor, labels: Tensor, confidence: Tensor
) -> None:
    """`labels_and_confidence` of one image by torch's own operations."""
    for rows, logits in _upsampled(scores, (labels.shape[0], labels.shape[1])):
        best, winner = logits.max(dim=0)
        probability = (logits - best).exp_().sum(dim=0).reciprocal_()
        labels[rows] = torch.where(probability < thresholds[winner], UNLABELLED_ID, ids[winner])
        confidence[rows] = (probability * 255).round_().to(torch.uint8)


def _upsampled(
    scores: Float[Tensor, "k h w"], size: tuple[int, int]
) -> Iterator[tuple[slice, Float[Tensor, "k t W"]]]:
    """Pieces of the bilinearly upsampled scores (pixel centres aligned), a few output rows at a time."""
    classes, height, _ = scores.shape
    # Where each output row lies between two rows of the grid, as `interpolate` has it.
    position = (torch.arange(size[0], device=scores.device) + 0.5) * (height / size[0]) - 0.5
    position = position.clamp(0, height - 1)
    above = position.floor().long()
    below = (above + 1).clamp(max=height - 1)
    weight = (position - above).to(scores.dtype)
    step = max(1, TILE_ELEMENTS // (classes * size[1]))
    for start in range(0, size[0], step):
        rows = slice(start, min(start + step, size[0]))
        mixed = torch.lerp(scores[:, above[rows]], scores[:, below[rows]], weight[rows, None])
        piece = F.interpolate(
            mixed[None], size=(mixed.shape[1], size[1]), mode="bilinear", align_corners=False
        )
        yield rows, piece[0]
