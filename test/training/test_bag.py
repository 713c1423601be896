"""A bag holds one camera's way through a scene, with truth that fits its images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.recordings.bag import TRUTH_TOPIC, Bag
from ovseg_ros.recordings.storage_file import BagError
from training.arrange import make_scene
from training.bag import (
    CAMERA_INFO_TOPIC,
    DEPTH_TOPIC,
    IMAGE_TOPIC,
    TF_TOPIC,
    choose_path,
    quaternion,
    write_bag,
)
from training.meshes import rotation_matrix
from training.render import is_clear
from training.scene import SEEDS

TEST_SEED = SEEDS["test"].start


@pytest.fixture
def bag(tmp_path: Path, world: Any) -> Path:
    """Half a second at 10 Hz, small."""
    write_bag(tmp_path / "bag", TEST_SEED, family="room", seconds=0.5, width=160, height=120)
    return tmp_path / "bag"


def test_every_frame_is_complete(bag: Path) -> None:
    with Bag(bag) as opened:
        counts = {topic.name: topic.count for topic in opened.topics}
        for topic in (IMAGE_TOPIC, CAMERA_INFO_TOPIC, TRUTH_TOPIC, DEPTH_TOPIC, TF_TOPIC):
            assert counts[topic] == 6
        assert opened.image_topic().name == IMAGE_TOPIC
        stamps = {
            topic: [m.stamp_ns for m in opened.messages([topic])]
            for topic in (IMAGE_TOPIC, CAMERA_INFO_TOPIC, TRUTH_TOPIC, DEPTH_TOPIC)
        }
        assert len({tuple(s) for s in stamps.values()}) == 1
        np.testing.assert_array_equal(np.diff(stamps[IMAGE_TOPIC]), 100_000_000)


def test_truth_names_what_occurs_and_nothing_else(bag: Path) -> None:
    kinds = {instance.kind for instance in make_scene(TEST_SEED, "room").instances}
    with Bag(bag) as opened:
        names = opened.label_map().names
        assert set(names.values()) <= kinds
        labels = [opened.decode_labels(m) for m in opened.messages([TRUTH_TOPIC])]
        assert labels[0].shape == (120, 160)
        assert set(np.unique(labels)) - {255} == set(names)
        assert (np.array(labels) == 255).mean() < 0.01
        assert all(opened.decode_image(m).shape == (120, 160, 3) for m in opened.messages([IMAGE_TOPIC]))


def test_depth_pose_and_camera_matrix_put_the_floor_at_zero(bag: Path) -> None:
    with Bag(bag) as opened:
        floor = next(number for number, name in opened.label_map().names.items() if name == "floor")
        read = {
            topic: [opened.read(m) for m in opened.messages([topic])]
            for topic in (CAMERA_INFO_TOPIC, DEPTH_TOPIC, TF_TOPIC)
        }
        labels = [opened.decode_labels(m) for m in opened.messages([TRUTH_TOPIC])]
    checked = 0
    for place, truth in enumerate(labels):
        depth = read[DEPTH_TOPIC][place].data.view(np.uint16).reshape(120, 160) / 1000
        k = read[CAMERA_INFO_TOPIC][place].k.reshape(3, 3)
        transform = read[TF_TOPIC][place].transforms[0].transform
        rows, columns = np.nonzero((truth == floor) & (depth > 0))
        rays = np.stack([(columns - k[0, 2]) / k[0, 0], (rows - k[1, 2]) / k[1, 1], np.ones(len(rows))])
        q, t = transform.rotation, transform.translation
        heights = (_rotation(q.x, q.y, q.z, q.w) @ (rays * depth[rows, columns]))[2] + t.z
        np.testing.assert_allclose(heights, 0, atol=0.04)
        checked += len(heights)
    assert checked > 500


def test_a_bag_is_not_written_over(bag: Path) -> None:
    with pytest.raises(BagError, match="exists already"):
        write_bag(bag, TEST_SEED, family="room", seconds=0.1, width=64, height=48)


def test_the_way_stays_clear_of_things() -> None:
    scene = make_scene(TEST_SEED, "room")
    path = choose_path(scene, np.random.default_rng(0))
    for share in np.linspace(0, 1, 60):
        eye, target = path.at(share)
        assert is_clear(scene, eye)
        assert eye != target
    np.testing.assert_allclose(path.at(0)[0], path.eyes[0])
    np.testing.assert_allclose(path.at(1)[0], path.eyes[-1])


def _rotation(x: float, y: float, z: float, w: float) -> np.ndarray:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.floats(-6, 6)), max_size=4))
def test_a_quaternion_turns_as_its_matrix(turns: list[tuple[str, float]]) -> None:
    matrix = np.eye(3)
    for axis, angle in turns:
        matrix = rotation_matrix(axis, angle) @ matrix
    x, y, z, w = quaternion(matrix)
    assert w >= 0
    np.testing.assert_allclose(_rotation(x, y, z, w), matrix, atol=1e-9)
