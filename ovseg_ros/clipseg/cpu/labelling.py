"""From scores to labels on a CPU in compiled code (``src/labelling.cpp``), made by the package's build.

It keeps the scores of one output row in the cache and leaves out the classes that cannot matter between two
columns of the grid, so that its time hardly depends on the number of classes.
"""

import ctypes
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

LIBRARY = Path(__file__).resolve().parents[2] / "_labelling.so"

BANDS_PER_THREAD = 2
"""More bands than threads, so that a thread which the system holds up does not hold up the frame."""


@cache
def available() -> bool:
    """Whether the library was built here; a checkout that was never installed has none."""
    return _function() is not None


def label_rows(
    scores: Float[Tensor, "k h w"],
    ids: UInt8[Tensor, " k"],
    thresholds: Float[Tensor, " k"],
    labels: UInt8[Tensor, "H W"],
    confidence: UInt8[Tensor, "H W"],
) -> None:
    """Fill `labels` and `confidence` (as `labels_and_confidence`); float32 scores on the CPU."""
    _run(scores, ids, thresholds, None, labels, confidence)


def mean_rows(
    scores: Float[Tensor, "k h w"], values: Float[Tensor, " k"], mean: UInt8[Tensor, "H W"]
) -> None:
    """Fill `mean` with that of the values under the classes' probabilities (as `mean_value`)."""
    _run(scores, None, None, values, None, mean)


@cache
def _function() -> "ctypes._NamedFuncPointer | None":
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


def _run(
    scores: Tensor,
    ids: Tensor | None,
    thresholds: Tensor | None,
    values: Tensor | None,
    labels: Tensor | None,
    out: Tensor,
) -> None:
    function = _function()
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
    waiting: list[Future[None]] = [_pool(threads).submit(fill, first, end) for first, end in pairwise(edges)]
    for future in waiting:
        future.result()
