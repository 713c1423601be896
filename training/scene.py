"""What a scene is: what stands where, in which colour and light. Plain data; nothing is rendered here.

World frame: metres, z up, the ground at z = 0.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from ovseg_ros.errors import OvsegError
from training.catalogue import Model
from training.meshes import Rgb

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

SEEDS: dict[Split, range] = {
    "train": range(0, 1_000_000),
    "val": range(1_000_000, 1_100_000),
    "test": range(1_100_000, 1_200_000),
}
"""Seeds of each split."""

Vec = tuple[float, float, float]


class SceneError(OvsegError):
    """A scene cannot be arranged or rendered as asked."""


@dataclass(frozen=True)
class Thing:
    """One thing in a scene.

    Attributes:
        model: its shape.
        position: of the middle of its footprint, metres.
        yaw: turn about z, radians; a yaw of 0 faces -y.
        height: metres, for models that come in any size.
        adjective: word for its colour or material, None where there is none to say.
        color: RGB 0..1 of the whole, None for the model's own.
        seed: of its shape and textures.
    """

    model: Model
    position: Vec
    yaw: float
    height: float
    adjective: str | None
    color: Rgb | None
    seed: int

    @property
    def kind(self) -> str:
        """Name of its kind."""
        return self.model.kind


@dataclass(frozen=True)
class Surface:
    """A flat rectangle of stuff: floor, wall, lawn.

    Attributes:
        kind: name of the kind.
        adjective: as of `Thing`.
        texture: a name of `textures.TEXTURES`.
        texture_seed: which of them.
        color: RGB 0..1, None for the material's own.
        corner, along, up: the rectangle; it is seen from where `along` x `up` points.
        tile: metres after which the texture repeats.
    """

    kind: str
    adjective: str | None
    texture: str
    texture_seed: int
    color: Rgb | None
    corner: Vec
    along: Vec
    up: Vec
    tile: float


@dataclass(frozen=True)
class Light:
    """One distant light and what comes from everywhere.

    Attributes:
        direction: towards the light.
        color: RGB, about 1.
        ambient, diffuse, specular: shares.
    """

    direction: Vec
    color: Rgb
    ambient: float
    diffuse: float
    specular: float


@dataclass(frozen=True)
class Scene:
    """Everything there is to see, and from where it may be looked at.

    Attributes:
        seed: what it was made of.
        family: room, tabletop, yard or street.
        things, surfaces: instances; a thing's instance number is its place in `things`, a surface's follows.
        light: the light.
        sky: seed of the sky where the scene is outdoors, else None.
        stand: x and y ranges, and z range, in which the camera stands, metres.
        targets: points worth looking at.
    """

    seed: int
    family: str
    things: tuple[Thing, ...]
    surfaces: tuple[Surface, ...]
    light: Light
    sky: int | None
    stand: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    targets: tuple[Vec, ...]

    @property
    def instances(self) -> tuple[Thing | Surface, ...]:
        """Things, then surfaces."""
        return (*self.things, *self.surfaces)

    @property
    def arrangement(self) -> str:
        """What the scene is made of: family, kinds of surfaces and kinds of things, in one line."""
        surfaces = sorted({surface.texture for surface in self.surfaces})
        return f"{self.family}: {' '.join(surfaces)}: {', '.join(sorted(t.kind for t in self.things))}"
