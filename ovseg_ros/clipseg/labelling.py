"""From class scores at the patch grid to labels and confidence at the output's size.

The scores are upsampled bilinearly and reduced at once, so that an array of K x H x W never exists. This is
the only place where scores become labels. There are three implementations with the same result:

- on the CPU compiled code (``src/labelling.cpp``), made by the package's build. It leaves out the classes
  that cannot matter between four points of the grid; each other one costs a product a pixel;
- on CUDA one kernel, where Triton is (`cuda.labelling`);
- elsewhere tiles of torch's own operations.
"""

import ctypes
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.vocabulary import UNLABELLED_ID

LIBRARY = Path(__file__).resolve().parents[1] / "_labelling.so"
"""The compiled code; a checkout that was never installed has none."""

BANDS_PER_THREAD = 2
"""More bands than threads, so that a thread which the system holds up does not hold up the frame."""

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
    use_compiled = scores.device.type == "cpu" and compiled_function() is not None
    for image in range(len(scores)):
        if use_compiled:
            _run_compiled(scores[image], ids, thresholds, None, labels[image], confidence[image])
        else:
            _label_tiles(scores[image], ids, thresholds, labels[image], confidence[image])
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
    if scores.device.type == "cpu" and compiled_function() is not None:
        _run_compiled(scores, None, None, values, None, mean)
        return mean
    for rows, logits in _upsampled(scores, size):
        mean[rows] = torch.einsum("k,ktw->tw", values, logits.softmax(dim=0)).round_().to(torch.uint8)
    return mean


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


@cache
def compiled_function() -> "ctypes._NamedFuncPointer | None":
    """``ovseg_label_rows`` of the library; None where it was not built."""
    try:
        function = ctypes.CDLL(str(LIBRARY)).ovseg_label_rows
    except OSError:
        return None
    number, pointer = ctypes.c_int32, ctypes.c_void_p
    function.argtypes = [pointer, *[number] * 5, *[pointer] * 3, number, number, pointer, pointer]
    function.restype = None
    return function


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="ovseg-labels")


def _run_compiled(
    scores: Tensor,
    ids: Tensor | None,
    thresholds: Tensor | None,
    values: Tensor | None,
    labels: Tensor | None,
    out: Tensor,
) -> None:
    """Fill `labels` and, with the confidence, `out`; with `values`, fill `out` with their mean. float32."""
    function = compiled_function()
    assert function is not None
    classes, grid_height, grid_width = scores.shape
    height, width = out.shape
    last = scores.permute(1, 2, 0).contiguous()
    sizes = (classes, grid_height, grid_width, height, width)
    per_class = [None if tensor is None else tensor.data_ptr() for tensor in (ids, thresholds, values)]
    written = [None if labels is None else labels.data_ptr(), out.data_ptr()]

    def fill(first_row: int, last_row: int) -> None:
        function(last.data_ptr(), *sizes, *per_class, first_row, last_row, *written)

    threads = torch.get_num_threads()
    if threads == 1:
        fill(0, height)
        return
    bands = BANDS_PER_THREAD * threads
    edges = [height * band // bands for band in range(bands + 1)]
    bands_done = [_pool(threads).submit(fill, first, end) for first, end in pairwise(edges)]
    for future in bands_done:
        future.result()


def _label_tiles(
    scores: Float[Tensor, "k h w"], ids: Tensor, thresholds: Tensor, labels: Tensor, confidence: Tensor
) -> None:
    """`labels_and_confidence` of one image by torch's own operations."""
    for rows, logits in _upsampled(scores, labels.shape):
        best, winner = logits.max(dim=0)
        probability = (logits - best).exp_().sum(dim=0).reciprocal_()
        labels[rows] = torch.where(probability < thresholds[winner], UNLABELLED_ID, ids[winner])
        confidence[rows] = (probability * 255).round_().to(torch.uint8)


def _upsampled(
    scores: Float[Tensor, "k h w"], size: Sequence[int]
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
