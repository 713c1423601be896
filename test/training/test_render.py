"""What is drawn is where it should be: labels, depth and colours against geometry known beforehand."""

from typing import Any

import numpy as np
import pytest

from training.arrange import FAMILIES, make_scene
from training.catalogue import label_names, label_of
from training.render import RenderCamera, choose_camera, is_clear, render

from .conftest import floor, scene_of, thing, wall

EYE = (0.0, -3.0, 1.0)


def camera(target: tuple[float, float, float] = (0.0, 0.0, 0.2)) -> RenderCamera:
    return RenderCamera.looking(EYE, target, 0.9, 160, 120)


def test_the_middle_of_the_picture_is_what_the_camera_looks_at() -> None:
    looking = camera()
    column, row, depth = looking.project((0.0, 0.0, 0.2))
    assert (column, row) == pytest.approx((79.5, 59.5))
    assert depth == pytest.approx(np.hypot(3.0, 0.8))
    right, _, _ = looking.project((0.5, 0.0, 0.2))
    _, above, _ = looking.project((0.0, 0.0, 0.5))
    assert right > column
    assert above < row


def test_rays_pass_through_their_pixels() -> None:
    looking = camera()
    point = np.array(EYE) + 2.5 * looking.rays()[30, 100]
    column, row, depth = looking.project((point[0], point[1], point[2]))
    assert (column, row, depth) == pytest.approx((100, 30, 2.5))


def test_a_ball_is_drawn_where_it_lies(world: Any) -> None:
    scene = scene_of(thing("sphere", 0.4, 0.5, 0.4, "red"), floor(), wall(4.0))
    world.load(scene)
    looking = camera()
    frame = render(world, scene, looking)
    column, row, depth = looking.project((0.4, 0.5, 0.2))
    at = round(row), round(column)
    assert frame.labels[at] == label_of("sphere")
    distance = np.linalg.norm(np.array([0.4, 0.5, 0.2]) - EYE)
    assert frame.depth[at] == pytest.approx(depth * (distance - 0.2) / distance, abs=0.02)
    red, green, blue = frame.color[at]
    assert red > 2 * max(green, blue)
    # Its outline is a disc of the projected radius around the projected centre.
    rows, columns = np.nonzero(frame.labels == label_of("sphere"))
    assert (columns.mean(), rows.mean()) == pytest.approx((column, row), abs=1.0)
    radius = looking.matrix[0, 0] * 0.2 / np.sqrt(distance**2 - 0.2**2)
    assert len(rows) == pytest.approx(np.pi * radius**2, rel=0.08)


def test_depth_puts_the_floor_on_the_floor_and_the_wall_on_the_wall(world: Any) -> None:
    scene = scene_of(floor(), wall(4.0))
    world.load(scene)
    looking = camera((0.3, 4.0, 0.5))
    frame = render(world, scene, looking)
    points = np.array(EYE) + looking.rays() * frame.depth[..., None]
    on_floor, on_wall = frame.labels == label_of("floor"), frame.labels == label_of("wall")
    assert on_floor.sum() > 2000
    assert on_wall.sum() > 2000
    assert (on_floor | on_wall).all()
    np.testing.assert_allclose(points[on_floor][:, 2], 0, atol=0.03)
    np.testing.assert_allclose(points[on_wall][:, 1], 4, atol=0.06)


def test_what_is_behind_something_is_not_labelled(world: Any) -> None:
    hidden = scene_of(thing("sphere", 0.0, 2.0, 0.3, "blue"), wall(1.0), floor())
    world.load(hidden)
    assert not (render(world, hidden, camera()).labels == label_of("sphere")).any()
    seen = scene_of(thing("sphere", 0.0, 2.0, 0.3, "blue"), wall(4.0), floor())
    world.load(seen)
    assert (render(world, seen, camera()).labels == label_of("sphere")).any()


def test_labels_follow_the_instances(world: Any) -> None:
    scene = scene_of(thing("cube", -0.4, 0.0, 0.3, "green"), thing("cube", 0.4, 0.0, 0.3, "pink"), floor())
    world.load(scene)
    frame = render(world, scene, camera())
    left, right = (round(camera().project((x, 0.0, 0.15))[0]) for x in (-0.4, 0.4))
    row = round(camera().project((0.0, 0.0, 0.15))[1])
    assert (frame.instances[row, left], frame.instances[row, right]) == (0, 1)
    assert frame.labels[row, left] == frame.labels[row, right] == label_of("cube")


@pytest.mark.parametrize(
    "name",
    [
        "duck_vhacd.urdf",
        "objects/mug.urdf",
        "kiva_shelf/model.sdf",
        "r2d2.urdf",
        "bicycle/bike.urdf",
        "a1/a1.urdf",
    ],
)
def test_models_from_files_stand_on_the_floor_at_their_height(world: Any, name: str) -> None:
    scene = scene_of(thing(name, 0.0, 0.0, 0.6, yaw=0.7), floor())
    world.load(scene)
    looking = RenderCamera.looking((0.0, -4.0, 0.3), (0.0, 0.0, 0.3), 0.5, 320, 240)
    frame = render(world, scene, looking)
    points = np.array([0, -4.0, 0.3]) + looking.rays() * frame.depth[..., None]
    heights = points[frame.instances == 0][:, 2]
    assert heights.min() == pytest.approx(0, abs=0.05)
    assert heights.max() == pytest.approx(0.6, abs=0.05)


def test_sky_is_where_nothing_is(world: Any) -> None:
    scene = scene_of(floor(), sky=5)
    world.load(scene)
    frame = render(world, scene, RenderCamera.looking((0, -5, 1.0), (0, 5, 1.0), 0.9, 160, 120))
    sky = frame.labels == label_of("sky")
    assert sky[:55].all()
    assert not sky[-20:].any()
    assert (frame.depth[sky] == 0).all()
    assert (frame.depth[~sky] > 0).all()


def test_noise_is_reproducible_and_leaves_the_truth_alone(world: Any) -> None:
    scene = scene_of(thing("sphere", 0.0, 0.0, 0.4, "red"), floor())
    world.load(scene)
    clean = render(world, scene, camera())
    noisy = [render(world, scene, camera(), np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(noisy[0].color, noisy[1].color)
    assert (noisy[0].color != clean.color).any()
    np.testing.assert_array_equal(noisy[0].labels, clean.labels)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scene_is_drawn_the_same_every_time(world: Any, family: str) -> None:
    scene = make_scene(5, family)
    looking = choose_camera(scene, np.random.default_rng(0), 160, 120)
    frames = []
    for _ in range(2):
        world.load(scene)
        frames.append(render(world, scene, looking))
    np.testing.assert_array_equal(frames[0].color, frames[1].color)
    np.testing.assert_array_equal(frames[0].labels, frames[1].labels)
    kinds = {instance.kind for instance in scene.instances} | ({"sky"} if scene.sky is not None else set())
    assert {label_names()[label] for label in np.unique(frames[0].labels)} <= kinds


def test_the_camera_stands_clear_of_things() -> None:
    scene = make_scene(5, "room")
    for seed in range(20):
        eye = choose_camera(scene, np.random.default_rng(seed)).pose[:3, 3]
        assert is_clear(scene, (eye[0], eye[1], eye[2]))
    standing = scene.things[0]
    x, y, z = standing.position
    assert not is_clear(scene, (x, y, z + standing.height / 2))
