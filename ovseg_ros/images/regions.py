"""The best region of a heat map."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

EDGE = 0.8
"""A region ends where its heat falls below this part of the map's peak. On photographs the centres of such
regions fell on the right thing more often than with 0.6, 0.7, or an edge at the threshold."""


@dataclass(frozen=True, eq=False)
class Region:
    """A connected part of an image.

    Attributes:
        mask: its pixels.
        box: column and row of its first pixel, width and height.
        centroid: column and row of its centre, weighted with the heat; where that is outside, as in a ring,
            of the region's pixel that is nearest to it.
        share: of the image's pixels, 0..1.
    """

    mask: Bool[np.ndarray, "H W"]
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    share: float


def best_region(heat: UInt8[np.ndarray, "H W"]) -> Region:
    """Of the connected regions above `EDGE` of the peak that with the most heat in all.

    Pixels that touch at a corner are connected. A map without any heat is one region.
    """
    edge = EDGE * float(heat.max())
    count, regions, boxes, _ = cv2.connectedComponentsWithStats((heat >= edge).astype(np.uint8))
    mass = np.bincount(regions.ravel(), weights=heat.ravel(), minlength=count)
    mass[0] = -1  # what is not in any region
    best = int(mass.argmax())
    column, row, width, height, pixels = (int(value) for value in boxes[best])
    mask = regions == best
    inside = (slice(row, row + height), slice(column, column + width))
    weights = np.where(mask[inside], heat[inside], 0).astype(np.float64)
    if not weights.any():
        weights = mask[inside].astype(np.float64)
    x = float(weights.sum(axis=0) @ np.arange(width) / weights.sum())
    y = float(weights.sum(axis=1) @ np.arange(height) / weights.sum())
    if not mask[inside][round(y), round(x)]:
        rows, columns = np.nonzero(mask[inside])
        nearest = int(np.hypot(columns - x, rows - y).argmin())
        x, y = float(columns[nearest]), float(rows[nearest])
    return Region(
        mask=mask,
        box=(column, row, width, height),
        centroid=(column + x, row + y),
        share=pixels / heat.size,
    )
