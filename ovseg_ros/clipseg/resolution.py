"""At which size an image goes through the model, whole or in windows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from ovseg_ros.clipseg.errors import ModelError

MAX_PATCHES = 8192
"""The model never gets more patches of one image than this: a map of N x N would take gigabytes."""

MAX_ENLARGEMENT = 4 / 3
"""A small image is enlarged by no more than this, unless it is below the size that the model was trained at.

Patches between the camera's pixels cost time and show nothing new: on photographs of 320 x 213 pixels labels
were best at a short side of 280, and at 336 worse than at 213.
"""

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

KEPT_SIZES = 16
"""Sizes of images for which what was prepared is kept; cameras have few."""


@dataclass(frozen=True)
class Resolution:
    """The working size of one image size: patches and, in pixels, whole patches (rows, then columns)."""

    grid: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """A window's rows and columns of patches, and the first row and column of each; they cover the grid."""

    shape: tuple[int, int]
    corners: tuple[tuple[int, int], ...]


@lru_cache(KEPT_SIZES)
def plan_resolution(
    height: int, width: int, short_side: int, patch: tuple[int, int], native_side: int
) -> Resolution:
    """The working size for an image of `height` x `width` pixels.

    The short side becomes `short_side`, the aspect is kept, and each side is rounded to whole patches (at
    least one). An image smaller than that is enlarged to `MAX_ENLARGEMENT` times its size or to the side
    that the model was trained at, `native_side`, whichever is more. Images so long that they would exceed
    `MAX_PATCHES` are reduced further.

    Raises:
        ModelError: a size that is not positive.
    """
    if min(height, width, short_side) < 1:
        raise ModelError(
            f"cannot plan an image of {width} x {height} pixels at a short side of {short_side}: "
            "all sizes must be at least 1"
        )
    shortest = min(height, width)
    scale = min(short_side, max(MAX_ENLARGEMENT * shortest, native_side)) / shortest
    patches = (height * scale / patch[0]) * (width * scale / patch[1])
    if patches > MAX_PATCHES:
        scale *= (MAX_PATCHES / patches) ** 0.5
    rows = min(max(1, round(height * scale / patch[0])), MAX_PATCHES)
    columns = max(1, min(round(width * scale / patch[1]), MAX_PATCHES // rows))
    return Resolution(grid=(rows, columns), size=(rows * patch[0], columns * patch[1]))


def plan_windows(grid: tuple[int, int], patch: tuple[int, int], window: int, stride: int) -> Windows:
    """Square windows of `window` pixels, one each `stride` pixels, both rounded to whole patches.

    The last window of a row or column is moved back to end with the grid. A grid smaller than a window is one
    window.
    """
    heights = [max(1, round(window / side)) for side in patch]
    steps = [max(1, round(stride / side)) for side in patch]
    shape = (min(heights[0], grid[0]), min(heights[1], grid[1]))
    rows, columns = (
        [*range(0, whole - part, step), whole - part]
        for whole, part, step in zip(grid, shape, steps, strict=True)
    )
    return Windows(shape, tuple((row, column) for row in rows for column in columns))


def windowed_features(
    extract: Callable[[Tensor], Tensor],
    images: Float[Tensor, "b 3 h w"],
    patch: tuple[int, int],
    windows: Windows,
) -> Float[Tensor, "b n e"]:
    """Features of every patch: the mean over the windows that it lies in.

    Scores are products of features with the text, so this is the mean of the windows' scores, taken before
    the maximum over synonyms, at the cost of one map whatever the number of classes. `extract` makes features
    ``b n e`` of normalised images of whole patches, ``b 3 h w``; `patch` is a patch's height and width.
    """
    rows, columns = windows.shape
    height, width = rows * patch[0], columns * patch[1]
    pieces = [
        images[:, :, row * patch[0] : row * patch[0] + height, column * patch[1] : column * patch[1] + width]
        for row, column in windows.corners
    ]
    features = extract(torch.cat(pieces)).unflatten(1, windows.shape)
    grid = (images.shape[2] // patch[0], images.shape[3] // patch[1])
    total = features.new_zeros((len(images), *grid, features.shape[-1]))
    times = features.new_zeros((*grid, 1))
    for (row, column), piece in zip(windows.corners, features.split(len(images)), strict=True):
        total[:, row : row + rows, column : column + columns] += piece
        times[row : row + rows, column : column + columns] += 1
    mean: Tensor = total / times
    return mean.flatten(1, 2)


def make_room(kept: dict[KeyT, ValueT]) -> None:
    """Drop the oldest entry of a cache by image size where it holds `KEPT_SIZES`; thread-safe."""
    if len(kept) >= KEPT_SIZES:
        kept.pop(next(iter(kept)), None)
