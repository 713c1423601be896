"""The best region of heat maps that are drawn by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ovseg_ros.images.regions import EDGE, best_region


def test_box_centre_and_share_of_a_block() -> None:
    heat = np.zeros((20, 30), np.uint8)
    heat[4:8, 10:20] = 200
    region = best_region(heat)
    assert region.box == (10, 4, 10, 4)
    assert region.centroid == pytest.approx((14.5, 5.5))
    assert region.share == 40 / 600
    assert np.array_equal(region.mask, heat > 0)


def test_the_region_with_most_heat_wins_over_the_hottest() -> None:
    heat = np.zeros((20, 30), np.uint8)
    heat[2, 2] = 250
    heat[10:15, 10:15] = 220
    assert best_region(heat).box == (10, 10, 5, 5)


def test_the_centre_leans_to_the_heat() -> None:
    heat = np.zeros((5, 9), np.uint8)
    heat[2, 2:7] = (250, 220, 220, 210, 205)
    column, row = best_region(heat).centroid
    assert row == 2
    assert 3.9 < column < 4


def test_the_centre_of_a_ring_is_on_the_ring() -> None:
    heat = np.full((21, 21), 200, np.uint8)
    heat[3:-3, 3:-3] = 0
    heat[10, 20] = 240
    assert best_region(heat).centroid == (18, 10)


def test_what_is_below_the_edge_is_outside() -> None:
    heat = np.full((6, 6), int(EDGE * 200) - 1, np.uint8)
    heat[2:4, 2:4] = 200
    assert best_region(heat).box == (2, 2, 2, 2)


def test_corners_touch() -> None:
    assert best_region(np.diag([200, 200, 200]).astype(np.uint8)).box == (0, 0, 3, 3)


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_any_map_has_a_region(heat: np.ndarray) -> None:
    region = best_region(heat)
    column, row, width, height = region.box
    rows, columns = np.nonzero(region.mask)
    assert (columns.min(), rows.min()) == (column, row)
    assert (columns.max(), rows.max()) == (column + width - 1, row + height - 1)
    assert column <= region.centroid[0] <= column + width - 1
    assert row <= region.centroid[1] <= row + height - 1
    assert region.share == len(rows) / heat.size > 0
    assert region.mask[round(region.centroid[1]), round(region.centroid[0])]
    assert (heat[region.mask] >= EDGE * heat.max()).all()


@given(st.integers(1, 255))
def test_a_flat_map_is_one_region(value: int) -> None:
    assert best_region(np.full((3, 4), value, np.uint8)).share == 1
