"""A scene put into pybullet, ready to be looked at."""

import hashlib
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.meshes import Mesh, MeshPart, Rgb, plane
from training.scene import Scene, SceneError, Surface, Thing
from training.textures import draw_texture

UNSEEN = -1
"""Instance number where no instance is: the sky."""

_WHITE: Rgb = (1.0, 1.0, 1.0)


class World:
    """One pybullet client and the scene that stands in it. Use as a context manager.

    Raises:
        SceneError: pybullet is not installed.
    """

    def __init__(self) -> None:
        self.bullet, self._data = _pybullet()
        self._scratch = tempfile.TemporaryDirectory(prefix="ovseg_scenes_")
        self._instances: dict[int, int] = {}
        self.client: int = self.bullet.connect(self.bullet.DIRECT)

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *exception: object) -> None:
        self.bullet.disconnect(self.client)
        self._scratch.cleanup()

    def load(self, scene: Scene) -> None:
        """Clear everything and put a scene's instances where they belong."""
        self.bullet.resetSimulation(physicsClientId=self.client)
        self._instances = {}
        with _quiet():
            for number, instance in enumerate(scene.instances):
                body = self._thing(instance) if isinstance(instance, Thing) else self._surface(instance)
                self._instances[body] = number

    def instances_of(self, mask: np.ndarray) -> np.ndarray:
        """Body ids of a segmentation mask, int [H, W], as instance numbers of the scene, int16 [H, W]."""
        table = np.full(max(self._instances, default=0) + 2, UNSEEN, np.int16)
        for body, number in self._instances.items():
            table[body] = number
        return table[np.where(mask < 0, len(table) - 1, mask)]

    def _thing(self, thing: Thing) -> int:
        if isinstance(thing.model.source, str):
            return self._file(thing)
        parts = thing.model.source(np.random.default_rng(thing.seed))
        tall = max(float(part.mesh.vertices[:, 2].max()) for part in parts)
        scale = thing.height / tall if thing.model.scalable else 1.0
        turn = self.bullet.getQuaternionFromEuler([0, 0, thing.yaw])
        return self._body(parts, thing.color, thing.seed, scale, thing.position, turn)

    def _surface(self, surface: Surface) -> int:
        mesh = plane(surface.corner, surface.along, surface.up, surface.tile)
        part = MeshPart(mesh, None, surface.texture)
        return self._body([part], surface.color, surface.texture_seed, 1.0, (0, 0, 0), (0, 0, 0, 1))

    def _body(
        self,
        parts: list[MeshPart],
        color: Rgb | None,
        seed: int,
        scale: float,
        position: tuple[float, float, float],
        turn: tuple[float, float, float, float],
    ) -> int:
        shapes = [self._shape(part, color, scale) for part in parts]
        links = len(shapes) - 1
        body: int = self.bullet.createMultiBody(
            0,
            -1,
            shapes[0],
            position,
            turn,
            linkMasses=[0] * links,
            linkCollisionShapeIndices=[-1] * links,
            linkVisualShapeIndices=shapes[1:],
            linkPositions=[[0, 0, 0]] * links,
            linkOrientations=[[0, 0, 0, 1]] * links,
            linkInertialFramePositions=[[0, 0, 0]] * links,
            linkInertialFrameOrientations=[[0, 0, 0, 1]] * links,
            linkParentIndices=[0] * links,
            linkJointTypes=[self.bullet.JOINT_FIXED] * links,
            linkJointAxis=[[0, 0, 1]] * links,
            physicsClientId=self.client,
        )
        for link, part in enumerate(parts, start=-1):
            if part.texture is not None:
                texture = self._texture(part.texture, seed, color if part.color is None else None)
                self.bullet.changeVisualShape(
                    body, link, textureUniqueId=texture, physicsClientId=self.client
                )
        return body

    def _shape(self, part: MeshPart, color: Rgb | None, scale: float) -> int:
        plain = color if part.color is None and part.texture is None else part.color
        mesh: Mesh = part.mesh
        shape: int = self.bullet.createVisualShape(
            self.bullet.GEOM_MESH,
            vertices=(mesh.vertices * scale).tolist(),
            indices=mesh.triangles.ravel().tolist(),
            uvs=mesh.uvs.tolist(),
            normals=mesh.normals.tolist(),
            rgbaColor=[*(plain or _WHITE), 1.0],
            physicsClientId=self.client,
        )
        if shape < 0:
            raise SceneError(f"pybullet refused a mesh of {len(mesh.vertices)} vertices")
        return shape

    def _texture(self, name: str, seed: int, color: Rgb | None) -> int:
        # pybullet knows a texture by its file's name for the life of the process, so each has its own.
        key = (name, seed, color)
        file = Path(self._scratch.name) / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}.png"
        picture = draw_texture(name, seed, color)
        cv2.imwrite(str(file), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 0])
        texture: int = self.bullet.loadTexture(str(file), physicsClientId=self.client)
        file.unlink()
        return texture

    def _file(self, thing: Thing) -> int:
        model = thing.model
        path = str(self._data / str(model.source))
        scale = thing.height / model.tall
        settings = {"globalScaling": scale, "physicsClientId": self.client}
        if path.endswith(".sdf"):
            body: int = self.bullet.loadSDF(path, **settings)[0]
        else:
            body = self.bullet.loadURDF(path, useFixedBase=True, **settings)
        lying = [math.pi / 2, 0, 0] if model.lay_up else [0, 0, 0]
        turn = self.bullet.multiplyTransforms(
            [0, 0, 0],
            self.bullet.getQuaternionFromEuler([0, 0, thing.yaw]),
            [0, 0, 0],
            self.bullet.getQuaternionFromEuler(lying),
        )[1]
        x, y, z = thing.position
        origin = [x, y, z - model.bottom * scale]
        self.bullet.resetBasePositionAndOrientation(body, origin, turn, physicsClientId=self.client)
        rng = np.random.default_rng(thing.seed)
        for joint, widest in model.pose:
            angle = float(rng.uniform(-widest, widest))
            self.bullet.resetJointState(body, joint, angle, physicsClientId=self.client)
        if thing.color is not None:
            for link in range(-1, self.bullet.getNumJoints(body, physicsClientId=self.client)):
                self.bullet.changeVisualShape(
                    body, link, rgbaColor=[*thing.color, 1], physicsClientId=self.client
                )
        return body


def _pybullet() -> tuple[Any, Path]:
    try:
        with _quiet():
            import pybullet
            import pybullet_data
    except ImportError as error:
        raise SceneError(
            "rendering scenes needs pybullet, which is not installed: pip install 'ovseg_ros[training]'"
        ) from error
    return pybullet, Path(pybullet_data.getDataPath())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what pybullet's C code says about its own model files off the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        yield
    finally:
        for descriptor, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(nowhere)
