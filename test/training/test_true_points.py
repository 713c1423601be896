"""The node's points of a rendered room against the places that the renderer drew."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="ROS 2 is not installed")

from ovseg_ros.node.depth import DepthMatch
from ovseg_ros.node.frames import LabelledFrame
from ovseg_ros.node.point_cloud import frame_points
from ovseg_ros.node.settings import InputConfig
from ovseg_ros.recordings.bag import TRUTH_TOPIC, Bag
from training.arrange import make_scene
from training.bag import CAMERA_INFO_TOPIC, DEPTH_TOPIC, choose_path, write_bag
from training.render import RenderCamera, render
from training.scene import SEEDS

SEED = SEEDS["test"].start
WIDTH, HEIGHT = 160, 120


@pytest.mark.parametrize("scale", [1, 2])
def test_points_lie_where_things_are(tmp_path: Path, world: Any, scale: int) -> None:
    """Each labelled point within 1 cm + 1 % of its true place; `scale` reduces the labels."""
    write_bag(tmp_path / "bag", SEED, family="room", seconds=0.2, rate=10, width=WIDTH, height=HEIGHT)
    with Bag(tmp_path / "bag") as opened:
        depths = [opened.read(m) for m in opened.messages([DEPTH_TOPIC])]
        infos = [opened.read(m) for m in opened.messages([CAMERA_INFO_TOPIC])]
        labels = [opened.decode_labels(m) for m in opened.messages([TRUTH_TOPIC])]
    scene = make_scene(SEED, "room")
    path = choose_path(scene, np.random.default_rng([SEED, 2]))
    world.load(scene)
    compared = 0
    for place, share in enumerate(np.linspace(0, 1, len(depths))):
        camera = RenderCamera.looking(*path.at(float(share)), np.radians(52), WIDTH, HEIGHT)
        z = render(world, scene, camera).depth.astype(np.float64)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        true = np.stack(
            [
                (columns - camera.matrix[0, 2]) / camera.matrix[0, 0] * z,
                (rows - camera.matrix[1, 2]) / camera.matrix[1, 1] * z,
                z,
            ]
        )[:, ::scale, ::scale]
        match = DepthMatch(0, threading.Condition())
        depths[place].header.stamp.sec = depths[place].header.stamp.nanosec = 0
        match.offer(depths[place])
        points = frame_points(
            LabelledFrame(
                camera=None,
                smoothing=None,
                header=None,
                image=np.zeros((HEIGHT, WIDTH, 3), np.uint8),
                segmentation=SimpleNamespace(output_size=(HEIGHT // scale, WIDTH // scale)),
                camera_info=infos[place],
                depth=match,
                setup=SimpleNamespace(input=InputConfig()),
                arrived=0.0,
            )
        )
        there = np.isfinite(points).all(axis=0) & (labels[place][::scale, ::scale] != 255)
        error = np.linalg.norm(points - true, axis=0)[there]
        distance = np.linalg.norm(true, axis=0)[there]
        assert (error <= 0.01 + 0.01 * distance).all()
        compared += int(there.sum())
    assert compared > 0.9 * len(depths) * HEIGHT * WIDTH / scale**2
