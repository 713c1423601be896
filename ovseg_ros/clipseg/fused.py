"""From scores to labels and confidence in one CUDA kernel, where Triton is (torch for CUDA brings it)."""

from functools import cache
from importlib.util import find_spec

from jaxtyping import Float, UInt8
from torch import Tensor


@cache
def available() -> bool:
    """Whether Triton is installed."""
    return find_spec("triton") is not None


def label(
    scores: Float[Tensor, "b k h w"],
    ids: UInt8[Tensor, " k"],
    thresholds: Float[Tensor, " k"],
    labels: UInt8[Tensor, "b H W"],
    confidence: UInt8[Tensor, "b H W"],
) -> None:
    """Fill `labels` and `confidence` (`labelling.labels_and_confidence`).

    Best where the classes lie side by side in memory, as the product of features and text gives them. Another
    number of classes compiles nothing anew.
    """
    from ovseg_ros.clipseg.fused_kernel import CLASSES_AT_A_TIME, PIXELS_AT_A_TIME, label_cells

    batch, classes, grid_height, grid_width = scores.shape
    label_cells[(grid_width, grid_height, batch)](
        *(scores, ids, thresholds, labels, confidence),
        *(classes, grid_height, grid_width, labels.shape[1], labels.shape[2]),
        *scores.stride(),
        PIXELS=PIXELS_AT_A_TIME,
        CLASSES=CLASSES_AT_A_TIME,
    )
