"""Camera calibration for masks of another size than the camera's image."""

import copy
import math
from typing import TYPE_CHECKING

import numpy as np

from ovseg_ros.images.codec import ImageError
from ovseg_ros.images.geometry import CameraModel, GeometryError

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo

_ASPECT_TOLERANCE = 0.01


def scale_camera_info(
    info: "CameraInfo", width: int, height: int, image_size: tuple[int, int] | None = None
) -> "CameraInfo":
    """A copy of a sensor_msgs/CameraInfo for a mask of `width` x `height` pixels.

    `image_size` is the (width, height) of the image that the mask was made from; where None, the mask's own.
    It must have the aspect of the image that `info` describes (the window `roi`, or all, divided by the
    binning) within 1 %, so a camera_info of the full-size stream serves a smaller one.

    K and P are scaled by rows: K' = diag(sx, sy, 1) K, and Tx, Ty of P with them. That is the convention of
    image_proc's resize node: coordinates are scaled plainly (cx' = sx cx), not about the centre of the first
    pixel ((cx + 0.5) sx - 0.5). Width, height and roi are scaled so that the copy describes an image of the
    mask's size; binning, D, R and the distortion model, which do not depend on the size in pixels, stay. An
    uncalibrated camera_info (K[0] is 0) without a size gets the mask's size.

    Raises ImageError where the message has values but no size, another aspect, a roi beyond the image, or
    values that are not finite.
    """
    _check_values(info)
    if width <= 0 or height <= 0:
        raise ImageError("camera_info_size", f"camera_info describes no mask of {width} x {height} pixels")
    scaled = copy.deepcopy(info)
    if info.width == 0 or info.height == 0:
        if info.k[0]:
            raise ImageError(
                "camera_info_size",
                f"camera_info has intrinsics but its size is {info.width} x {info.height}, so they cannot be "
                "scaled; its publisher must fill width and height",
            )
        scaled.width, scaled.height = width, height
        return scaled

    x, y = _scales(info, width, height, image_size or (width, height))
    scaled.width, scaled.height = round(info.width * x), round(info.height * y)
    for field, columns in (("k", 3), ("p", 4)):
        matrix = np.array(getattr(info, field), dtype=np.float64).reshape(3, columns)
        setattr(scaled, field, (matrix * [[x], [y], [1.0]]).ravel())
    for field, scale in (("x_offset", x), ("width", x), ("y_offset", y), ("height", y)):
        setattr(scaled.roi, field, round(getattr(info.roi, field) * scale))
    return scaled


def calibration(
    info: "CameraInfo", width: int, height: int, image_size: tuple[int, int], *, rectified: bool = False
) -> CameraModel:
    """How the camera sees, in pixels of a mask of `width` x `height` that was made from its image.

    The numbers are those of `scale_camera_info`, with the window and the binning taken into account. Where
    the image is `rectified` they come from P, and there is no distortion (REP 104).

    Raises ImageError as `scale_camera_info`, and where the camera is not calibrated, or distorts in a way
    that is not known (reason camera_info_values).
    """
    _check_values(info)
    if info.width == 0 or info.height == 0:
        raise ImageError(
            "camera_info_size",
            f"camera_info has the size {info.width} x {info.height}, so that points cannot be placed; its "
            "publisher must fill width and height",
        )
    x, y = _scales(info, width, height, image_size)
    x, y = x / (info.binning_x or 1), y / (info.binning_y or 1)
    fx, cx, fy, cy = (info.p[i] for i in (0, 2, 5, 6)) if rectified else (info.k[i] for i in (0, 2, 4, 5))
    try:
        return CameraModel(
            fx=fx * x,
            fy=fy * y,
            cx=(cx - info.roi.x_offset) * x,
            cy=(cy - info.roi.y_offset) * y,
            model=info.distortion_model,
            coefficients=() if rectified else tuple(map(float, info.d)),
        )
    except GeometryError as error:
        raise ImageError("camera_info_values", str(error)) from error


def check_aspect(what: str, size: tuple[int, int], image_size: tuple[int, int], reason: str) -> None:
    """Refuse a (width, height) whose aspect differs from the image's by more than 1 %, with an ImageError."""
    (width, height), (image_width, image_height) = size, image_size
    if abs(math.log(width * image_height / (height * image_width))) > math.log1p(_ASPECT_TOLERANCE):
        raise ImageError(
            reason,
            f"{what} of {width} x {height} pixels, but the image is {image_width} x {image_height}, another "
            "aspect; is it that of another camera?",
        )


def _scales(info: "CameraInfo", width: int, height: int, image_size: tuple[int, int]) -> tuple[float, float]:
    """From pixels of the image that `info` describes to those of a mask of the image."""
    # The image is the roi, or all, after binning.
    full_width = max(1, (info.roi.width or info.width) // (info.binning_x or 1))
    full_height = max(1, (info.roi.height or info.height) // (info.binning_y or 1))
    check_aspect("camera_info describes an image", (full_width, full_height), image_size, "camera_info_size")
    return width / full_width, height / full_height


def _check_values(info: "CameraInfo") -> None:
    if not (np.isfinite(info.k).all() and np.isfinite(info.p).all()):
        raise ImageError("camera_info_values", "camera_info has values in K or P that are not finite")
    roi = info.roi
    sized = info.width and info.height
    if sized and (roi.x_offset + roi.width > info.width or roi.y_offset + roi.height > info.height):
        raise ImageError(
            "camera_info_size",
            f"the roi of camera_info ({roi.width} x {roi.height} pixels from {roi.x_offset}, {roi.y_offset}) "
            f"leaves its image of {info.width} x {info.height}; both are in pixels of the full sensor",
        )
