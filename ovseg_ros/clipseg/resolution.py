"""At which size an image goes through the model."""

from dataclasses import dataclass

from ovseg_ros.clipseg.errors import ModelError

MAX_PATCHES = 8192
"""More patches than this in one image are never asked of the model: a map of N x N would take gigabytes."""


@dataclass(frozen=True)
class Resolution:
    """The working size of one image size.

    Attributes:
        grid: rows and columns of patches.
        size: height and width in pixels that the model sees; whole patches.
    """

    grid: tuple[int, int]
    size: tuple[int, int]


def plan_resolution(height: int, width: int, short_side: int, patch: tuple[int, int]) -> Resolution:
    """The working size for an image of `height` x `width` pixels.

    The short side becomes `short_side`, the aspect is kept, and each side is rounded to whole patches (at
    least one). Images so long that they would exceed `MAX_PATCHES` are reduced further.

    Raises:
        ModelError: a size that is not positive.
    """
    if min(height, width, short_side) < 1:
        raise ModelError(
            f"cannot plan an image of {width} x {height} pixels at a short side of {short_side}: "
            "all sizes must be at least 1"
        )
    scale = short_side / min(height, width)
    patches = (height * scale / patch[0]) * (width * scale / patch[1])
    if patches > MAX_PATCHES:
        scale *= (MAX_PATCHES / patches) ** 0.5
    rows = min(max(1, round(height * scale / patch[0])), MAX_PATCHES)
    columns = max(1, min(round(width * scale / patch[1]), MAX_PATCHES // rows))
    return Resolution(grid=(rows, columns), size=(rows * patch[0], columns * patch[1]))
