"""From pixels with depth to points in space. Plain NumPy, without ROS and without torch.

Frames follow REP 103 for optical frames: x to the right, y down, z ahead, in metres. Depth is the z of a
point (REP 118), not its distance.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from ovseg_ros.errors import OvsegError

COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8,), "equidistant": (4,)}
"""Distortion models (`sensor_msgs/distortion_models.hpp`) and how many coefficients each takes."""

_STEPS = 15
"""Newton's method is done after four to eight steps; what needs more has no solution."""

_RESIDUAL = 1e-7
"""Largest error of an undistorted ray, in units of the image plane at z = 1."""

_OUTLIER_FREE = 1.4826
"""Makes the median of absolute deviations a standard deviation, for normally distributed values."""


class GeometryError(OvsegError):
    """A calibration that cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True)
class CameraModel:
    """A camera's intrinsics and distortion, for one image size: `fx`, `fy`, `cx`, `cy` in pixels.

    Raises:
        GeometryError: no focal length, an unknown distortion model, or a wrong number of coefficients.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    model: str = "plumb_bob"
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not (self.fx > 0 and self.fy > 0):
            raise GeometryError(
                f"camera_info has the focal lengths {self.fx:g} and {self.fy:g}, so the camera is not "
                "calibrated; calibrate it, so that K and P hold positive ones"
            )
        if not any(self.coefficients):
            return
        expected = COEFFICIENTS.get(self.model)
        if expected is None:
            raise GeometryError(
                f"camera_info has the distortion model {self.model!r}, which is not known; expected "
                f"{', '.join(COEFFICIENTS)}, or D of zeros. Rectify the images, and set input.rectified"
            )
        if len(self.coefficients) not in expected or not np.isfinite(self.coefficients).all():
            raise GeometryError(
                f"camera_info has the distortion coefficients {list(self.coefficients)}; {self.model} takes "
                f"{' or '.join(map(str, expected))} finite ones"
            )


@functools.lru_cache(maxsize=8)
def rays(camera: CameraModel, height: int, width: int) -> Float[np.ndarray, "2 H W"]:
    """x and y at z = 1 of the ray through each pixel's centre, float32, not to be written to.

    NaN where no ray in front of the camera leads to the pixel. The rays of the last camera models are kept.
    """
    u = (np.arange(width, dtype=np.float64) - camera.cx) / camera.fx
    v = (np.arange(height, dtype=np.float64) - camera.cy) / camera.fy
    x, y = np.meshgrid(u, v)
    if any(camera.coefficients):
        undistort = _undistort_equidistant if camera.model == "equidistant" else _undistort_polynomial
        x, y = undistort(x, y, camera.coefficients)
    found = np.stack([x, y]).astype(np.float32)
    found.setflags(write=False)
    return found


def valid_depth(depth: Float[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Where there is a measurement: positive and finite."""
    return (depth > 0) & (depth < np.inf)


def nearest(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """An array [H, W, ...] at another size: pixel (u, v) takes that nearest to (u W / width, v H / height).

    Coordinates are scaled plainly, as those of a scaled camera_info are. So for whole ratios a pixel's ray
    goes through the centre of the pixel that it takes its depth from.
    """
    if array.shape[:2] == (height, width):
        return array
    rows, columns = (
        np.minimum((np.arange(size) * old / size + 0.5).astype(np.intp), old - 1)
        for size, old in ((height, array.shape[0]), (width, array.shape[1]))
    )
    picked: np.ndarray = array[rows[:, None], columns]
    return picked


def median_and_spread(
    points: Float[np.ndarray, "n 3"],
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """The median of points and, around it, 1.4826 times the median of absolute deviations.

    For normally distributed values the latter is the standard deviation, and up to half of the points may be
    anywhere without much effect (Hampel, "The influence curve and its role in robust estimation", 1974).
    """
    middle = np.median(points, axis=0)
    return middle, _OUTLIER_FREE * np.median(np.abs(points - middle), axis=0)


def _undistort_polynomial(
    x: np.ndarray, y: np.ndarray, coefficients: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Invert Brown's model (`plumb_bob`) and its rational form, by Newton's method.

    With r2 = x^2 + y^2 and g = (1 + k1 r2 + k2 r2^2 + k3 r2^3) / (1 + k4 r2 + k5 r2^2 + k6 r2^3) the point in
    the image is (x g + 2 p1 x y + p2 (r2 + 2 x^2), y g + p1 (r2 + 2 y^2) + 2 p2 x y).
    """
    k1, k2, p1, p2, k3, k4, k5, k6 = (*coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
    target_x, target_y = x, y
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            r2 = x * x + y * y
            above, below = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
            g = above / below
            slope = (k1 + r2 * (2 * k2 + r2 * 3 * k3) - g * (k4 + r2 * (2 * k5 + r2 * 3 * k6))) / below
            error_x = x * g + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) - target_x
            error_y = y * g + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y - target_y
            j_xx = g + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
            j_xy = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
            j_yy = g + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x
            determinant = j_xx * j_yy - j_xy * j_xy
            close = (np.abs(error_x) < _RESIDUAL) & (np.abs(error_y) < _RESIDUAL)
            if close.all():
                break
            x = x - (j_yy * error_x - j_xy * error_y) / determinant
            y = y - (j_xx * error_y - j_xy * error_x) / determinant
        # Beyond the point at which the polynomial folds the image over, several rays lead to a pixel or none.
        good = close & (determinant > 0) & (g > 0)
    return np.where(good, x, np.nan), np.where(good, y, np.nan)


def _undistort_equidistant(
    x: np.ndarray, y: np.ndarray, coefficients: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Invert the fisheye model of Kannala and Brandt (2006) with four coefficients, by Newton's method.

    A ray at the angle t from the axis comes at the distance t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8).
    """
    k1, k2, k3, k4 = coefficients
    distance = np.hypot(x, y)
    angle = distance
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            t2 = angle * angle
            error = angle * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))) - distance
            slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
            close = np.abs(error) < _RESIDUAL
            if close.all():
                break
            angle = angle - error / slope
        good = close & (slope > 0) & (angle < np.pi / 2)
        factor = np.where(good, np.where(distance > 0, np.tan(angle) / distance, 1.0), np.nan)
    return x * factor, y * factor
