"""Images: codec, drawing, motion, geometry, video. NumPy and OpenCV alone, without ROS and torch."""

from typing import TYPE_CHECKING

from ovseg_ros.lazy import lazy_names

if TYPE_CHECKING:
    from ovseg_ros.images.codec import ImageError as ImageError
    from ovseg_ros.images.codec import ImageHeader as ImageHeader
    from ovseg_ros.images.codec import decode_compressed as decode_compressed
    from ovseg_ros.images.codec import decode_image as decode_image
    from ovseg_ros.images.codec import fill_image as fill_image
    from ovseg_ros.images.codec import read_header as read_header
    from ovseg_ros.images.drawing import colorize as colorize
    from ovseg_ros.images.drawing import overlay as overlay
    from ovseg_ros.images.drawing import with_legend as with_legend
    from ovseg_ros.images.geometry import CameraModel as CameraModel
    from ovseg_ros.images.geometry import GeometryError as GeometryError
    from ovseg_ros.images.motion import Follower as Follower
    from ovseg_ros.images.motion import Motion as Motion
    from ovseg_ros.images.regions import Region as Region
    from ovseg_ros.images.regions import best_region as best_region
    from ovseg_ros.images.video import VideoError as VideoError
    from ovseg_ros.images.video import VideoWriter as VideoWriter

__getattr__ = lazy_names(
    __name__,
    {
        "codec": "ImageError ImageHeader decode_compressed decode_image fill_image read_header",
        "drawing": "colorize overlay with_legend",
        "geometry": "CameraModel GeometryError",
        "motion": "Follower Motion",
        "regions": "Region best_region",
        "video": "VideoError VideoWriter",
    },
)
