"""An image in windows: all of them in one batch, and the mean where they overlap."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ovseg_ros.clipseg.resolution import Windows


def windowed_features(
    extract: Callable[[Tensor], Tensor],
    images: Float[Tensor, "b 3 h w"],
    patch: tuple[int, int],
    windows: Windows,
) -> Float[Tensor, "b n e"]:
    """Features of every patch: the mean over the windows that it lies in.

    Scores are products of features with the text, so this is the mean of the windows' scores, taken before
    the maximum over synonyms, at the cost of one map whatever the number of classes.

    Args:
        extract: normalised images of whole patches to features, ``b 3 h w`` to ``b n e``.
        images: normalised images of whole patches.
        patch: its height and width in pixels.
        windows: where they lie on the images' grid.
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
    return (total / times).flatten(1, 2)
