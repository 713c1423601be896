"""`python -m training.bag`: a camera moves through a scene, written as a rosbag2 with exact truth.

Topics, all of one frame with one header stamp:

- `/camera/image/compressed`: sensor_msgs/CompressedImage, JPEG
- `/camera/camera_info`: sensor_msgs/CameraInfo
- `/ground_truth/labels`: sensor_msgs/Image mono8, the kind of every pixel
- `/ground_truth/label_info`: vision_msgs/LabelInfo, the kinds that occur, latched
- `/ground_truth/depth`: sensor_msgs/Image 16UC1, millimetres, 0 for none, registered to the colour image
- `/tf`: from `world` to the camera's optical frame
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from ovseg_ros.commands import console
from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.bag import TRUTH_INFO_TOPIC, TRUTH_TOPIC
from ovseg_ros.recordings.messages import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    image_message,
    make_header,
    message_types,
    truth_info_cdr,
)
from ovseg_ros.recordings.writer import BagWriter
from training.arrange import make_scene
from training.catalogue import label_names
from training.render import RenderCamera, RenderedFrame, is_clear, render
from training.scene import SEEDS, Scene, SceneError, Vec
from training.world import World

IMAGE_TOPIC = "/camera/image/compressed"
CAMERA_INFO_TOPIC = "/camera/camera_info"
DEPTH_TOPIC = "/ground_truth/depth"
TF_TOPIC = "/tf"

WORLD_FRAME = "world"
CAMERA_FRAME = "camera"

FIRST_STAMP_NS = 1_700_000_000_000_000_000

_TF = "tf2_msgs/msg/TFMessage"
_LEAST_PIXELS = 50
"""Pixels of a kind over the whole bag below which it is left unlabelled."""
_DEPTH_LIMIT = 12.0
"""Metres beyond which a depth camera sees nothing."""


@dataclass(frozen=True)
class Path3D:
    """Way of a camera: a cubic through `eyes` while it looks along a cubic through `targets`."""

    eyes: np.ndarray
    targets: np.ndarray

    def at(self, share: float) -> tuple[Vec, Vec]:
        """Eye and target at a share 0..1 of the way."""
        return _curve(self.eyes, share), _curve(self.targets, share)


def _curve(points: np.ndarray, share: float) -> Vec:
    """A Catmull-Rom curve through points [n, 3]."""
    last = len(points) - 1
    place = min(int(share * last), last - 1)
    t = share * last - place
    before, a, b, after = (points[min(max(i, 0), last)] for i in range(place - 1, place + 3))
    value = 0.5 * (
        2 * a
        + (b - before) * t
        + (2 * before - 5 * a + 4 * b - after) * t**2
        + (3 * a - before - 3 * b + after) * t**3
    )
    x, y, z = (float(v) for v in value)
    return x, y, z


def choose_path(scene: Scene, rng: np.random.Generator, points: int = 4) -> Path3D:
    """A way that stays clear of every thing and keeps something in view.

    Raises:
        SceneError: none was found.
    """
    for _ in range(500):
        eyes = np.array([[rng.uniform(*ends) for ends in scene.stand] for _ in range(points)])
        chosen = rng.choice(len(scene.targets), points)
        path = Path3D(eyes, np.array(scene.targets)[chosen])
        if all(_usable(scene, *path.at(share)) for share in np.linspace(0, 1, 60)):
            return path
    raise SceneError(f"scene {scene.seed} leaves the camera no way through; take another seed")


def _usable(scene: Scene, eye: Vec, target: Vec) -> bool:
    return float(np.linalg.norm(np.subtract(target, eye)[:2])) > 0.9 and is_clear(scene, eye)


def write_bag(
    output: Path,
    seed: int,
    *,
    family: str | None = None,
    seconds: float = 10.0,
    rate: float = 10.0,
    width: int = 640,
    height: int = 480,
    quality: int = 88,
) -> None:
    """Render a camera that moves through the scene of `seed` and write it as a rosbag2 folder (mcap).

    Args:
        output: the new folder.
        seed, family: as of `make_scene`.
        seconds, rate: length, and frames a second; the last frame is at `seconds`.
        width, height: pixels.
        quality: of the JPEGs, 1..100.

    Raises:
        SceneError: pybullet is missing, or the scene has no way through.
        BagError: `output` exists already.
    """
    scene = make_scene(seed, family)
    path = choose_path(scene, np.random.default_rng([seed, 2]))
    stamps = FIRST_STAMP_NS + (np.arange(round(seconds * rate) + 1) * 1e9 / rate).round().astype(np.int64)
    with World() as world, console.progress_bar("frames") as progress:
        world.load(scene)
        frames = []
        for share in progress.track(np.linspace(0, 1, len(stamps)), description="rendering"):
            eye, target = path.at(float(share))
            camera = RenderCamera.looking(eye, target, np.radians(52), width, height)
            frames.append(render(world, scene, camera))
    counts = sum(np.bincount(frame.labels.ravel(), minlength=256) for frame in frames)
    kinds = [label for label in label_names() if np.asarray(counts)[label] >= _LEAST_PIXELS]
    renumbered = np.full(256, 255, np.uint8)
    renumbered[kinds] = np.arange(1, len(kinds) + 1)
    with BagWriter(output) as bag:
        bag.add_topic(TRUTH_INFO_TOPIC, LABEL_INFO, latched=True)
        bag.add_topic(IMAGE_TOPIC, COMPRESSED_IMAGE)
        bag.add_topic(CAMERA_INFO_TOPIC, CAMERA_INFO)
        bag.add_topic(TRUTH_TOPIC, IMAGE)
        bag.add_topic(DEPTH_TOPIC, IMAGE)
        bag.add_topic(TF_TOPIC, _TF)
        names = {number: label_names()[label] for number, label in enumerate(kinds, start=1)}
        bag.write_cdr(TRUTH_INFO_TOPIC, truth_info_cdr(names, FIRST_STAMP_NS), FIRST_STAMP_NS)
        for frame, stamp in zip(frames, stamps.tolist(), strict=True):
            bag.write(TF_TOPIC, _transform(frame.camera, stamp), stamp)
            bag.write(CAMERA_INFO_TOPIC, _camera_info(frame.camera, stamp), stamp)
            bag.write(IMAGE_TOPIC, _jpeg(frame, stamp, quality), stamp)
            labels, depth = renumbered[frame.labels], _millimetres(frame.depth)
            bag.write(TRUTH_TOPIC, image_message(labels, "mono8", stamp, CAMERA_FRAME), stamp)
            bag.write(DEPTH_TOPIC, image_message(depth, "16UC1", stamp, CAMERA_FRAME), stamp)


def _millimetres(depth: np.ndarray) -> np.ndarray:
    """Metres as uint16 millimetres in steps that grow with the distance, as those of a stereo camera do."""
    near = np.where(depth > _DEPTH_LIMIT, 0, depth)
    with np.errstate(divide="ignore"):
        disparity = np.round(3200 / near) / 3200
        return np.where(near > 0, np.round(1000 / disparity), 0).astype(np.uint16)


def _jpeg(frame: RenderedFrame, stamp: int, quality: int) -> Any:
    _, data = cv2.imencode(".jpg", frame.color[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    kind = message_types().types[COMPRESSED_IMAGE]
    return kind(header=make_header(stamp, CAMERA_FRAME), format="jpeg", data=np.asarray(data).ravel())


def _camera_info(camera: RenderCamera, stamp: int) -> Any:
    types = message_types().types
    projection = np.zeros((3, 4))
    projection[:, :3] = camera.matrix
    return types[CAMERA_INFO](
        header=make_header(stamp, CAMERA_FRAME),
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=camera.matrix.ravel(),
        r=np.eye(3).ravel(),
        p=projection.ravel(),
        binning_x=0,
        binning_y=0,
        roi=types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        ),
    )


def _transform(camera: RenderCamera, stamp: int) -> Any:
    types = message_types().types
    x, y, z = camera.pose[:3, 3].tolist()
    qx, qy, qz, qw = quaternion(camera.pose[:3, :3]).tolist()
    pose = types["geometry_msgs/msg/Transform"](
        translation=types["geometry_msgs/msg/Vector3"](x=x, y=y, z=z),
        rotation=types["geometry_msgs/msg/Quaternion"](x=qx, y=qy, z=qz, w=qw),
    )
    stamped = types["geometry_msgs/msg/TransformStamped"](
        header=make_header(stamp, WORLD_FRAME), child_frame_id=CAMERA_FRAME, transform=pose
    )
    return types[_TF](transforms=[stamped])


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """A rotation matrix [3, 3] as x, y, z, w, w not negative.

    It is the eigenvector of the largest eigenvalue of a symmetric matrix (Bar-Itzhack, "New method for
    extracting the quaternion from a rotation matrix", 2000).
    """
    r = rotation
    matrix = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], np.trace(r)],
        ]
    )
    vector = np.linalg.eigh(matrix)[1][:, -1]
    return vector if vector[3] >= 0 else -vector


def main(
    output: Annotated[Path, typer.Option(help="The new bag; must not exist yet.")],
    seed: Annotated[int, typer.Option(help="Scene; from 1100000 on those of the test split.")] = SEEDS[
        "test"
    ].start,
    family: Annotated[str | None, typer.Option(help="room, tabletop, yard or street.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length.")] = 10.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Frames a second.")] = 10.0,
) -> None:
    """Write a bag of a camera that moves through a rendered scene."""
    try:
        write_bag(output, seed, family=family, seconds=seconds, rate=rate)
    except OvsegError as error:
        console.error(error)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
