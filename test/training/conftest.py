"""Scenes made by hand, and pictures that need no renderer."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from training.caption import Seen
from training.catalogue import COLORS, MODELS, Model
from training.dataset import PICTURE_SIDE, Pictures
from training.scene import Light, Scene, Surface, Thing

NOON = Light((0.2, -0.3, 1.0), (1.0, 1.0, 1.0), 0.5, 0.5, 0.0)


@pytest.fixture
def world() -> Iterator[Any]:
    """A pybullet client."""
    if importlib.util.find_spec("pybullet") is None:
        pytest.skip("pybullet is not installed (the extra [training])")
    from training.world import World

    with World() as opened:
        yield opened


def model_named(name: str) -> Model:
    """The model of that name."""
    return next(model for model in MODELS if model.name == name)


def thing(name: str, x: float, y: float, height: float, color: str | None = None, yaw: float = 0.0) -> Thing:
    """A thing on the ground."""
    rgb = COLORS[color] if color else None
    return Thing(model_named(name), (x, y, 0.0), yaw, height, color, rgb, 1)


def floor() -> Surface:
    """20 m of concrete floor around the origin."""
    return Surface("floor", None, "paint", 1, (0.5, 0.5, 0.5), (-10, -10, 0), (20, 0, 0), (0, 20, 0), 2.0)


def wall(y: float) -> Surface:
    """A white wall, 20 m wide and 5 m high, that faces -y."""
    return Surface("wall", "white", "paint", 1, (0.9, 0.9, 0.9), (-10, y, 0), (20, 0, 0), (0, 0, 5), 2.0)


def scene_of(*instances: Thing | Surface, sky: int | None = None) -> Scene:
    """A scene of these."""
    return Scene(
        seed=0,
        family="room",
        things=tuple(i for i in instances if isinstance(i, Thing)),
        surfaces=tuple(i for i in instances if isinstance(i, Surface)),
        light=NOON,
        sky=sky,
        stand=((-2, 2), (-5, -3), (0.8, 1.6)),
        targets=((0.0, 0.0, 0.3),),
    )


@pytest.fixture
def painted_pictures() -> Pictures:
    """300 pictures of one colour each with words for it: what a model of any size can learn."""
    rng = np.random.default_rng(0)
    words = list(COLORS)
    encoded, seen = [], []
    for place in range(300):
        word = words[place % len(words)]
        picture = np.tile(255 * np.array(COLORS[word]), (PICTURE_SIDE, PICTURE_SIDE, 1))
        picture = np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)
        encoded.append(np.asarray(cv2.imencode(".jpg", picture[..., ::-1])[1]).ravel())
        seen.append([Seen("wall", word, 1.0)])
    return Pictures(encoded, seen)


SMALL_MODEL: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {
        "image_size": 96,
        "patch_size": 24,
        "width": 32,
        "layers": 2,
        "head_width": 16,
    },
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
"""A model that trains in no time."""
