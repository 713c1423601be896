"""`~/points`: labels with depth as an organised sensor_msgs/PointCloud2, one point a pixel."""

import array

import numpy as np
from jaxtyping import Float
from sensor_msgs.msg import PointCloud2, PointField

from ovseg_ros.images.codec import ImageError
from ovseg_ros.images.geometry import nearest, rays
from ovseg_ros.node.camera_info import calibration, check_aspect
from ovseg_ros.node.depth import PATIENCE, decode_depth
from ovseg_ros.node.frames import LabelledFrame

_FIELDS = (
    ("x", "<f4", PointField.FLOAT32),
    ("y", "<f4", PointField.FLOAT32),
    ("z", "<f4", PointField.FLOAT32),
    ("label", "<u4", PointField.UINT32),
    ("confidence", "<f4", PointField.FLOAT32),
    ("rgb", "<u4", PointField.FLOAT32),
)
"""Name, type in memory and type in the message: PCL and RViz take the bytes of a colour for a FLOAT32."""

POINT = np.dtype([(name, kind) for name, kind, _ in _FIELDS])
"""One point: metres in the camera's frame, class id, 0..1, and 0x00RRGGBB. PCL reads it as PointXYZRGBL."""


def frame_points(frame: LabelledFrame) -> Float[np.ndarray, "3 H W"]:
    """x, y and z of every pixel of a frame's labels in metres, float32; NaN where depth or ray is missing.

    Raises ImageError where depth or camera_info is missing, or cannot be used.
    """
    if frame.camera_info is None:
        raise ImageError("camera_info_missing", "points need camera_info, but none came")
    height, width = frame.segmentation.output_size
    rectified = frame.setup.input.rectified
    camera = calibration(frame.camera_info, width, height, frame.image_size, rectified=rectified)
    x, y = rays(camera, height, width)
    message = frame.depth.get(frame.setup.input.depth_slop, frame.arrived + PATIENCE)
    depth = decode_depth(message)
    check_aspect("the depth image has a size", depth.shape[::-1], frame.image_size, "depth_size")
    depth = nearest(depth, height, width)  # nothing is interpolated across edges
    # z goes through the ray, so that a pixel without one has none either.
    return np.stack([x * depth, y * depth, depth + 0 * x])


def points_message(frame: LabelledFrame) -> PointCloud2:
    """The labels of a frame as an organised cloud. Raises as `frame_points`."""
    segmentation = frame.segmentation
    height, width = segmentation.output_size
    red, green, blue = np.moveaxis(nearest(frame.image, height, width), -1, 0)
    points = np.empty((height, width), POINT)
    points["x"], points["y"], points["z"] = frame_points(frame)
    points["label"] = segmentation.labels
    np.multiply(segmentation.confidence, np.float32(1 / 255), out=points["confidence"])
    color = points.view(np.uint8).reshape(height, width, POINT.itemsize)[..., -4:]
    color[..., 0], color[..., 1], color[..., 2], color[..., 3] = blue, green, red, 0
    message = PointCloud2(header=frame.header, height=height, width=width, is_bigendian=False, is_dense=False)
    message.fields = [
        PointField(name=name, offset=4 * place, datatype=datatype, count=1)
        for place, (name, _, datatype) in enumerate(_FIELDS)
    ]
    message.point_step = POINT.itemsize
    message.row_step = POINT.itemsize * width
    data = array.array("B")  # filled in one copy
    data.frombytes(points.view(np.uint8).data)
    message.data = data
    return message
