"""Motion between two frames: textures that are moved by known steps, cuts, and images of any shape."""

import cv2
import numpy as np
import pytest

from ovseg_ros.images.motion import Follower, Motion

HEIGHT, WIDTH = 120, 160


def texture(seed: int = 0, height: int = 200, width: int = 260) -> np.ndarray:
    """A smooth random image, larger than a frame; uint8 [height, width, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def view(scene: np.ndarray, row: int, column: int) -> np.ndarray:
    return np.ascontiguousarray(scene[row : row + HEIGHT, column : column + WIDTH])


@pytest.fixture
def follower() -> Follower:
    return Follower(WIDTH, 2.0)


def between(follower: Follower, before: np.ndarray, after: np.ndarray) -> Motion | None:
    return follower.motion(follower.reduced(before), follower.reduced(after))


@pytest.mark.parametrize("step", [(0, 0), (3, 0), (0, -7), (-5, 12), (9, 9)])
def test_a_moved_scene_is_followed(follower: Follower, step: tuple[int, int]) -> None:
    scene = texture()
    motion = between(follower, view(scene, 30, 40), view(scene, 30 + step[0], 40 + step[1]))
    assert motion is not None
    assert motion.flow.shape == (HEIGHT, WIDTH, 2)
    inner = motion.flow[20:-20, 20:-20].reshape(-1, 2)
    # The camera goes right: what is in column x now was in column x + step before.
    assert np.abs(np.median(inner, axis=0) - (step[1], step[0])).max() < 0.5
    assert np.percentile(np.abs(inner - (step[1], step[0])), 95) < 1.0
    assert motion.followed[20:-20, 20:-20].mean() > 0.95


def test_what_comes_into_view_is_not_followed(follower: Follower) -> None:
    scene = texture()
    motion = between(follower, view(scene, 30, 40), view(scene, 30, 52))
    assert motion is not None
    assert not motion.followed[:, -10:].any()


def test_labels_are_carried_as_the_scene_moves(follower: Follower) -> None:
    scene = texture()
    labels = np.kron(np.random.default_rng(1).integers(0, 9, (25, 33)), np.ones((8, 8))).astype(np.uint8)
    before, after = (view(image, 30, 40) for image in (scene, labels)), (30, 46)
    image_before, labels_before = before
    motion = between(follower, image_before, view(scene, *after))
    assert motion is not None
    found = motion.carried(labels_before, 255)
    expected = view(labels, *after)
    inner = np.s_[15:-15, 15:-15]
    assert (found[inner] == expected[inner]).mean() > 0.95
    assert (labels_before[inner] == expected[inner]).mean() < 0.6
    assert (found[:, -5:] == 255).all()


def test_carried_equals_a_look_up_pixel_by_pixel() -> None:
    random = np.random.default_rng(2)
    flow = random.uniform(-3, 3, (7, 9, 2)).astype(np.float32)
    motion = Motion(flow, random.random((7, 9)) < 0.8)
    before = random.integers(0, 200, (7, 9)).astype(np.uint8)
    expected = np.full((7, 9), 255)
    for row in range(7):
        for column in range(9):
            x, y = round(float(column + flow[row, column, 0])), round(float(row + flow[row, column, 1]))
            if motion.followed[row, column] and 0 <= x < 9 and 0 <= y < 7:
                expected[row, column] = before[y, x]
    assert (motion.carried(before, 255) == expected).all()


def test_labels_of_another_size_move_in_proportion() -> None:
    motion = Motion(np.full((6, 8, 2), (2.0, 1.0), np.float32), np.ones((6, 8), bool))
    before = np.random.default_rng(3).integers(0, 200, (12, 24)).astype(np.uint8)
    assert (motion.carried(before, 255)[:-2, :-6] == before[2:, 6:]).all()


def test_another_scene_is_a_cut(follower: Follower) -> None:
    one, other = texture(0), texture(1)
    black, white = np.zeros_like(one), np.full_like(one, 255)
    for before, after in ((one, other), (black, one), (one, black), (white, one), (one, white)):
        assert between(follower, view(before, 30, 40), view(after, 30, 40)) is None
    mirrored = view(one, 30, 40)[:, ::-1].copy()
    assert between(follower, view(one, 30, 40), mirrored) is None


def test_exposure_and_noise_are_no_cut(follower: Follower) -> None:
    frame = view(texture(), 30, 40)
    noise = np.random.default_rng(4).normal(0, 6, frame.shape)
    for other in (0.5 * frame, 0.7 * frame + 60, frame + noise):
        motion = between(follower, frame, np.clip(other, 0, 255).astype(np.uint8))
        assert motion is not None
        assert np.abs(np.median(motion.flow, axis=(0, 1))).max() < 0.2


def test_an_even_image_stays_where_it_is(follower: Follower) -> None:
    motion = between(follower, np.full((48, 64, 3), 90, np.uint8), np.full((48, 64, 3), 91, np.uint8))
    assert motion is not None
    assert np.abs(motion.flow).max() < 0.5
    assert motion.followed.all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (17, 31), (97, 600), (600, 97), (480, 640)])
@pytest.mark.parametrize("longest", [160, 320])
def test_images_of_any_shape(size: tuple[int, int], longest: int) -> None:
    follower = Follower(longest, 1.0)
    image = np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8)
    small = follower.reduced(image)
    assert max(small.shape) == longest
    assert 2 * min(small.shape) >= longest
    motion = follower.motion(small, small)
    assert motion is not None
    assert (motion.carried(image[..., 0], 255) == image[..., 0]).all()


def test_frames_of_two_shapes_have_no_motion(follower: Follower) -> None:
    assert between(follower, np.zeros((60, 80, 3), np.uint8), np.zeros((80, 80, 3), np.uint8)) is None
