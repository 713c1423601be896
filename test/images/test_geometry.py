"""Rays against the models written out point by point, and what else turns depth into points."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.images.geometry import (
    CameraModel,
    GeometryError,
    median_and_spread,
    nearest,
    rays,
    valid_depth,
)

PINHOLE = {"fx": 60.0, "fy": 66.0, "cx": 33.0, "cy": 22.5}

DISTORTED = {
    "plumb_bob": (-0.3, 0.12, 0.001, -0.002, -0.02),
    "rational_polynomial": (0.6, -2.4, 0.0005, -0.0003, 1.5, 0.5, -2.2, 1.4),
    "equidistant": (-0.02, 0.01, -0.005, 0.001),
}


def project(camera: CameraModel, x: float, y: float) -> tuple[float, float]:
    """Where the camera sees the point (x, y, 1): the models as ROS and OpenCV state them, in float64."""
    d = camera.coefficients
    if not any(d):
        xd, yd = x, y
    elif camera.model == "equidistant":
        r = math.hypot(x, y)
        t = math.atan(r)
        td = t + d[0] * t**3 + d[1] * t**5 + d[2] * t**7 + d[3] * t**9
        xd, yd = (x * td / r, y * td / r) if r > 0 else (x, y)
    else:
        k1, k2, p1, p2 = d[:4]
        k3 = d[4] if len(d) > 4 else 0.0
        k4, k5, k6 = d[5:8] if len(d) == 8 else (0.0, 0.0, 0.0)
        r2 = x * x + y * y
        g = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        xd = x * g + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        yd = y * g + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return camera.fx * xd + camera.cx, camera.fy * yd + camera.cy


def worst_error(camera: CameraModel, height: int = 48, width: int = 64) -> float:
    """Largest distance in pixels between a pixel and where its ray is seen."""
    x, y = rays(camera, height, width).astype(np.float64)
    seen = np.array([[project(camera, x[v, u], y[v, u]) for u in range(width)] for v in range(height)])
    v, u = np.mgrid[:height, :width]
    return float(np.abs(seen - np.stack([u, v], axis=-1)).max())


def test_without_distortion_a_ray_is_a_division() -> None:
    x, y = rays(CameraModel(**PINHOLE), 48, 64)
    assert x.dtype == np.float32
    for v, u in ((0, 0), (47, 63), (20, 7)):
        assert x[v, u] == np.float32((u - 33.0) / 60.0)
        assert y[v, u] == np.float32((v - 22.5) / 66.0)


@pytest.mark.parametrize("model", DISTORTED)
def test_the_ray_of_a_pixel_is_seen_at_that_pixel(model: str) -> None:
    assert worst_error(CameraModel(**PINHOLE, model=model, coefficients=DISTORTED[model])) < 1e-4


def test_four_coefficients_are_those_of_a_shorter_polynomial() -> None:
    short = CameraModel(**PINHOLE, coefficients=(-0.2, 0.05, 0.001, 0.0))
    assert worst_error(short) < 1e-4
    padded = CameraModel(**PINHOLE, coefficients=(-0.2, 0.05, 0.001, 0.0, 0.0))
    assert np.array_equal(rays(short, 48, 64), rays(padded, 48, 64))


@settings(deadline=None, max_examples=30)
@given(
    k=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.03, 0.03), *[st.floats(-0.01, 0.01)] * 3),
    cx=st.floats(20, 44),
)
def test_any_mild_distortion_is_undone(k: tuple[float, ...], cx: float) -> None:
    camera = CameraModel(fx=60, fy=30, cx=cx, cy=6, coefficients=k)
    assert worst_error(camera, 12, 64) < 1e-3


def test_pixels_beyond_the_image_of_the_lens_have_no_ray() -> None:
    # With k1 = -1/3 the distorted radius r - r^3 / 3 reaches 2/3 at most.
    x, y = rays(CameraModel(fx=30, fy=30, cx=32, cy=24, coefficients=(-1 / 3, 0, 0, 0, 0)), 48, 64)
    v, u = np.mgrid[:48, :64]
    radius = np.hypot(u - 32, v - 24) / 30
    assert np.array_equal(np.isfinite(x), np.isfinite(y))
    assert np.isfinite(x[radius < 0.64]).all()
    assert np.isnan(x[radius > 0.67]).all()
    assert np.nanmax(np.hypot(x, y)) <= 1 + 1e-3


def test_a_fisheye_has_no_ray_at_a_right_angle_or_beyond() -> None:
    x, _ = rays(
        CameraModel(fx=20, fy=20, cx=32, cy=24, model="equidistant", coefficients=(1e-9, 0, 0, 0)), 48, 64
    )
    angle = np.abs(np.arange(64) - 32) / 20
    assert np.array_equal(np.isfinite(x[24]), angle < np.pi / 2)
    assert x[24, 32] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fx": 0.0}, "not calibrated"),
        ({"fy": math.nan}, "not calibrated"),
        ({"model": "fancy", "coefficients": (0.1,)}, "'fancy'.*plumb_bob, rational_polynomial, equidistant"),
        ({"model": "", "coefficients": (0.1,) * 5}, "''"),
        ({"coefficients": (0.1,) * 8}, "plumb_bob takes 4 or 5"),
        ({"model": "rational_polynomial", "coefficients": (0.1,) * 5}, "takes 8"),
        ({"model": "equidistant", "coefficients": (0.1, math.inf, 0.0, 0.0)}, "takes 4 finite"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(GeometryError, match=said):
        CameraModel(**{**PINHOLE, **change})


def test_zeros_are_no_distortion_under_any_name() -> None:
    plain = rays(CameraModel(**PINHOLE), 5, 6)
    assert np.array_equal(rays(CameraModel(**PINHOLE, model="fancy", coefficients=(0.0,) * 12), 5, 6), plain)


@pytest.mark.parametrize("old", [(4, 6), (8, 12), (5, 7), (1, 1)])
@pytest.mark.parametrize("new", [(4, 6), (2, 3), (7, 5), (9, 13)])
def test_nearest_takes_the_pixel_at_the_scaled_place(old: tuple[int, int], new: tuple[int, int]) -> None:
    array = np.arange(old[0] * old[1]).reshape(old)
    taken = nearest(array, *new)
    assert taken.shape == new
    for v in range(new[0]):
        for u in range(new[1]):
            row = min(math.floor(v * old[0] / new[0] + 0.5), old[0] - 1)
            column = min(math.floor(u * old[1] / new[1] + 0.5), old[1] - 1)
            assert taken[v, u] == array[row, column]


def test_valid_depth() -> None:
    depth = np.array([[0.0, -1.0, np.nan, np.inf, -np.inf, 0.001, 70.0]], np.float32)
    assert valid_depth(depth).tolist() == [[False] * 5 + [True] * 2]


def test_median_and_spread_stand_a_third_of_strays() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal((1.0, -2.0, 3.0), (0.1, 0.2, 0.3), (4000, 3))
    points[::3] = (9.0, 9.0, 9.0)
    middle, spread = median_and_spread(points)
    assert middle == pytest.approx((1.0, -2.0, 3.0), abs=0.35)
    assert (spread < 3 * np.array([0.1, 0.2, 0.3])).all()
    clean = median_and_spread(points[points[:, 0] < 5])
    assert clean[0] == pytest.approx((1.0, -2.0, 3.0), abs=0.03)
    assert clean[1] == pytest.approx((0.1, 0.2, 0.3), rel=0.1)
