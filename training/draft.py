"""A scene in the making: what the families of scenes draw from and build with."""

import math
from dataclasses import dataclass, field

import numpy as np

from training.catalogue import Model, models_of
from training.meshes import Rgb
from training.scene import Light, Scene, Split, Surface, Thing, Vec

_TEXTURE_SEEDS: dict[Split, range] = {"train": range(0, 40), "val": range(0, 40), "test": range(40, 60)}
"""Textures of each split; those of the test scenes are seen nowhere else."""


@dataclass
class Draft:
    """A scene in the making."""

    rng: np.random.Generator
    split: Split
    seed: int
    family: str
    things: list[Thing] = field(default_factory=list)
    surfaces: list[Surface] = field(default_factory=list)
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, *options: str) -> str:
        return str(options[self.rng.integers(len(options))])

    def several(self, options: tuple[str, ...], least: int, most: int) -> list[str]:
        """Some of the options, each at most once unless there are too few."""
        count = int(self.rng.integers(least, most + 1))
        repeat = count > len(options)
        return [str(name) for name in self.rng.choice(options, count, replace=repeat)]

    def texture_seed(self) -> int:
        seeds = _TEXTURE_SEEDS[self.split]
        return int(self.rng.integers(seeds.start, seeds.stop))

    def tint(self, color: Rgb) -> Rgb:
        """A shade of a colour that still deserves its word."""
        value = np.asarray(color) * self.uniform(0.85, 1.12) + self.rng.normal(0, 0.02, 3)
        red, green, blue = (float(v) for v in np.clip(value, 0, 1))
        return red, green, blue

    def surface(
        self,
        kind: str,
        texture: str,
        corner: Vec,
        along: Vec,
        up: Vec,
        tile: float,
        adjective: str | None = None,
        color: Rgb | None = None,
    ) -> None:
        self.surfaces.append(
            Surface(kind, adjective, texture, self.texture_seed(), color, corner, along, up, tile)
        )

    def thing(
        self, kind: str, x: float, y: float, z: float = 0.0, yaw: float | None = None, size: float = 1.0
    ) -> Thing:
        """Put a thing of a kind at a place."""
        model = self.model(kind)
        return self.put(model, x, y, z, yaw, self.height_of(model) * size)

    def model(self, kind: str, on_table: bool = False) -> Model:
        models = models_of(kind, for_test=self.split == "test")
        if on_table:
            models = [model for model in models if model.fits_table]
        return models[int(self.rng.integers(len(models)))]

    def height_of(self, model: Model) -> float:
        return self.uniform(*model.heights)

    def put(self, model: Model, x: float, y: float, z: float, yaw: float | None, height: float) -> Thing:
        adjective, color = model.own_color, None
        if model.colors is not None:
            adjective = self.pick(*model.colors)
            color = self.tint(model.colors[adjective])
        thing = Thing(
            model,
            (x, y, z),
            self.uniform(0, 2 * math.pi) if yaw is None else yaw,
            height,
            adjective,
            color,
            self.texture_seed() * 1000 + int(self.rng.integers(1000)),
        )
        self.things.append(thing)
        self.taken.append((x, y, z, model.reach * height))
        return thing

    def scatter(
        self,
        kinds: list[str],
        area: tuple[float, float, float, float],
        z: float = 0.0,
        size: float = 1.0,
    ) -> None:
        """Put things where there is room in an area (x0, x1, y0, y1); what finds no room stays away."""
        x0, x1, y0, y1 = area
        for kind in kinds:
            model = self.model(kind, on_table=z > 0.3)
            height = self.height_of(model) * size
            reach = model.reach * height
            for _ in range(12):
                x, y = self.uniform(x0, x1), self.uniform(y0, y1)
                if all(
                    math.hypot(x - a, y - b) > 0.85 * (reach + r)
                    for a, b, c, r in self.taken
                    if abs(c - z) < 0.3
                ):
                    self.put(model, x, y, z, None, height)
                    break

    def light(self) -> Light:
        angle, slope = self.uniform(0, 2 * math.pi), self.uniform(0.5, 1.2)
        warm = self.uniform(-0.06, 0.08)
        ambient = self.uniform(0.42, 0.6)
        return Light(
            direction=(math.cos(angle), math.sin(angle), math.tan(slope)),
            color=(1.0 + warm, 1.0, 1.0 - warm),
            ambient=ambient,
            diffuse=self.uniform(0.9, 1.12) - ambient,
            specular=self.uniform(0.0, 0.15),
        )

    def finish(
        self,
        stand: tuple[tuple[float, float], tuple[float, float], tuple[float, float]],
        outdoors: bool,
        targets: tuple[Vec, ...] = (),
    ) -> Scene:
        points = tuple(
            (t.position[0], t.position[1], t.position[2] + 0.4 * min(t.height, 1.8)) for t in self.things
        )
        return Scene(
            seed=self.seed,
            family=self.family,
            things=tuple(self.things),
            surfaces=tuple(self.surfaces),
            light=self.light(),
            sky=self.texture_seed() * 1000 + int(self.rng.integers(1000)) if outdoors else None,
            stand=stand,
            targets=targets or points,
        )
