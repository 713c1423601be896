"""What shapes are made of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.meshes import Mesh

Rgb = tuple[float, float, float]

BLACK: Rgb = (0.06, 0.06, 0.07)
DARK: Rgb = (0.20, 0.20, 0.22)
STEEL: Rgb = (0.62, 0.64, 0.67)
WHITE: Rgb = (0.93, 0.93, 0.91)
GLASS: Rgb = (0.55, 0.72, 0.85)
LAMP_LIGHT: Rgb = (1.0, 0.95, 0.75)


@dataclass(frozen=True)
class Part:
    """A piece of a thing of one material.

    Attributes:
        mesh: in the thing's own frame.
        color: RGB 0..1; None: the colour that the thing as a whole is given.
        texture: a name of `textures.TEXTURES`, or None for a plain surface.
    """

    mesh: Mesh
    color: Rgb | None = None
    texture: str | None = None


Builder = Callable[[np.random.Generator], list[Part]]
