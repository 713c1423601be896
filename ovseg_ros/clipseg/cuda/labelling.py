"""From scores to labels and confidence in one CUDA kernel. Imports Triton, which torch for CUDA brings."""

import triton
from jaxtyping import Float, UInt8
from torch import Tensor
from triton import language as tl

PIXELS_AT_A_TIME = 64
CLASSES_AT_A_TIME = 32
"""Together the scores that one program holds in registers: 16 for each of its 128 threads."""


def label(
    scores: Float[Tensor, "b k h w"],
    ids: UInt8[Tensor, " k"],
    thresholds: Float[Tensor, " k"],
    labels: UInt8[Tensor, "b H W"],
    confidence: UInt8[Tensor, "b H W"],
) -> None:
    """Fill `labels` and `confidence` (`clipseg.labelling.labels_and_confidence`).

    Best where the classes lie side by side in memory, as the product of features and text gives them. Another
    number of classes compiles nothing anew.
    """
    batch, classes, grid_height, grid_width = scores.shape
    label_cells[(grid_width, grid_height, batch)](
        *(scores, ids, thresholds, labels, confidence),
        *(classes, grid_height, grid_width, labels.shape[1], labels.shape[2]),
        *scores.stride(),
        PIXELS=PIXELS_AT_A_TIME,
        CLASSES=CLASSES_AT_A_TIME,
    )


@triton.jit(do_not_specialize=["classes"])  # type: ignore[untyped-decorator]
def label_cells(  # type: ignore[no-untyped-def]
    scores,
    ids,
    thresholds,
    labels,
    confidence,
    classes,
    grid_height,
    grid_width,
    height,
    width,
    image_stride,
    class_stride,
    row_stride,
    column_stride,
    PIXELS: tl.constexpr,
    CLASSES: tl.constexpr,
):
    """One program labels the pixels between four points of the grid.

    It reads the four points' scores a few classes at a time and keeps each pixel's best score, winner and sum
    of exponentials relative to the best, as an online softmax does.
    """
    column, row, image = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    # Pixel x belongs to cell j where j <= ((2x + 1) grid - size) / (2 size) < j + 1, in whole numbers; the
    # first and the last cell take the borders too.
    left = tl.where(column == 0, 0, (width * (2 * column + 1) + grid_width - 1) // (2 * grid_width))
    right = (width * (2 * column + 3) + grid_width - 1) // (2 * grid_width)
    right = tl.where(column == grid_width - 1, width, tl.minimum(right, width))
    top = tl.where(row == 0, 0, (height * (2 * row + 1) + grid_height - 1) // (2 * grid_height))
    bottom = (height * (2 * row + 3) + grid_height - 1) // (2 * grid_height)
    bottom = tl.where(row == grid_height - 1, height, tl.minimum(bottom, height))
    columns = tl.maximum(right - left, 0)
    pixels = columns * tl.maximum(bottom - top, 0)

    here = scores + image.to(tl.int64) * image_stride + row * row_stride + column * column_stride
    step_right = tl.where(column == grid_width - 1, 0, column_stride)
    step_down = tl.where(row == grid_height - 1, 0, row_stride)
    start = 0
    while start < pixels:
        pixel = start + tl.arange(0, PIXELS)
        x = left + pixel % tl.maximum(columns, 1)
        y = top + pixel // tl.maximum(columns, 1)
        across = ((2 * x + 1) * grid_width - width - 2 * width * column).to(tl.float32) / (2 * width)
        down = ((2 * y + 1) * grid_height - height - 2 * height * row).to(tl.float32) / (2 * height)
        across = tl.maximum(across, 0.0)[:, None]
        down = tl.maximum(down, 0.0)[:, None]
        best = tl.full((PIXELS,), float("-inf"), tl.float32)
        total = tl.zeros((PIXELS,), tl.float32)
        winner = tl.zeros((PIXELS,), tl.int32)
        first = 0
        while first < classes:
            k = first + tl.arange(0, CLASSES)
            known = k < classes
            corner = here + k * class_stride
            a = tl.load(corner, known, 0.0)[None, :]
            b = tl.load(corner + step_right, known, 0.0)[None, :]
            c = tl.load(corner + step_down, known, 0.0)[None, :]
            d = tl.load(corner + step_right + step_down, known, 0.0)[None, :]
            above = a + across * (b - a)
            below = c + across * (d - c)
            score = tl.where(known[None, :], above + down * (below - above), float("-inf"))
            highest, place = tl.max(score, axis=1, return_indices=True)
            reached = tl.maximum(best, highest)
            total = total * tl.exp(best - reached) + tl.sum(tl.exp(score - reached[:, None]), axis=1)
            winner = tl.where(highest > best, first + place, winner)
            best = reached
            first += CLASSES
        probability = 1.0 / total
        hidden = probability < tl.load(thresholds + winner)
        name = tl.where(hidden, 255, tl.load(ids + winner).to(tl.int32))
        out = (image.to(tl.int64) * height + y) * width + x
        tl.store(labels + out, name.to(tl.uint8), pixel < pixels)
        tl.store(confidence + out, (probability * 255.0 + 0.5).to(tl.uint8), pixel < pixels)
        start += PIXELS
