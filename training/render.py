"""A camera in a scene: colour, depth and exact labels of what it sees."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from training.catalogue import label_of
from training.scene import Scene, SceneError, Thing, Vec
from training.textures import smooth_noise
from training.world import UNSEEN, World

NEAR, FAR = 0.05, 120.0
"""Nearest and farthest distance drawn, metres."""


@dataclass(frozen=True)
class RenderCamera:
    """A pinhole camera and where it is.

    Attributes:
        width, height: pixels.
        matrix: K, float64 [3, 3], pixels; the centre of the first pixel is (0, 0).
        pose: float64 [4, 4], from the camera's optical frame (x right, y down, z forward) to the world.
    """

    width: int
    height: int
    matrix: np.ndarray
    pose: np.ndarray

    @classmethod
    def looking(cls, eye: Vec, target: Vec, fov: float, width: int, height: int) -> "RenderCamera":
        """A camera at `eye` that looks at `target`, level; `fov` is the vertical field of view, radians."""
        forward = np.subtract(target, eye)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
        pose[:3, 3] = eye
        focal = height / 2 / math.tan(fov / 2)
        matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
        return cls(width, height, matrix, pose)

    def project(self, point: Vec) -> tuple[float, float, float]:
        """Column, row (pixels) and depth (metres) of a point of the world."""
        x, y, z, _ = np.linalg.inv(self.pose) @ np.array([*point, 1.0])
        column, row, _ = self.matrix @ np.array([x / z, y / z, 1.0])
        return float(column), float(row), float(z)

    def rays(self) -> np.ndarray:
        """Direction of every pixel in the world, float64 [H, W, 3], as long as one metre of depth."""
        columns, rows = np.meshgrid(np.arange(self.width), np.arange(self.height))
        x = (columns - self.matrix[0, 2]) / self.matrix[0, 0]
        y = (rows - self.matrix[1, 2]) / self.matrix[1, 1]
        return np.stack([x, y, np.ones_like(x)], axis=-1) @ self.pose[:3, :3].T


@dataclass(frozen=True)
class RenderedFrame:
    """What a camera sees.

    Attributes:
        color: uint8 RGB [H, W, 3].
        depth: float32 [H, W], metres along the optical axis; 0 where there is only sky.
        labels: uint8 [H, W], the kind of every pixel (`catalogue.label_of`).
        instances: int16 [H, W], places in the scene's `instances`; -1 is the sky.
        camera: the camera.
        scene: what it looked at.
    """

    color: np.ndarray
    depth: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    camera: RenderCamera
    scene: Scene


def choose_camera(
    scene: Scene, rng: np.random.Generator, width: int = 640, height: int = 480
) -> RenderCamera:
    """A camera where a robot's could be, that looks at something. Stands clear of every thing.

    Raises:
        SceneError: no free place was found.
    """
    for _ in range(300):
        x, y, z = (float(rng.uniform(*ends)) for ends in scene.stand)
        eye = (x, y, z)
        aim = np.asarray(scene.targets[rng.integers(len(scene.targets))]) + rng.normal(0, 0.25, 3)
        target = (float(aim[0]), float(aim[1]), float(aim[2]))
        distance = float(np.linalg.norm(aim - eye))
        if distance > 0.7 and is_clear(scene, eye):
            fov = math.radians(rng.uniform(30, 62))
            return RenderCamera.looking(eye, target, fov, width, height)
    raise SceneError(f"scene {scene.seed} leaves the camera no place to stand")


def is_clear(scene: Scene, eye: Vec) -> bool:
    """Whether a point is well outside of every thing."""
    return all(_is_outside(thing, eye) for thing in scene.things)


def _is_outside(thing: Thing, eye: Vec) -> bool:
    if eye[2] > thing.position[2] + thing.height + 0.15:
        return True
    away = math.hypot(eye[0] - thing.position[0], eye[1] - thing.position[1])
    return away > thing.model.reach * thing.height + 0.3


def render(
    world: World, scene: Scene, camera: RenderCamera, rng: np.random.Generator | None = None
) -> RenderedFrame:
    """Look at the scene that `world` has loaded.

    Args:
        world: with `scene` loaded.
        scene: the scene.
        camera: from where.
        rng: of exposure and noise of the sensor; None for a clean picture.
    """
    bullet = world.bullet
    light = scene.light
    size = camera.width, camera.height
    _, _, rgba, buffer, mask = bullet.getCameraImage(
        *size,
        _view_matrix(camera),
        _projection_matrix(camera),
        lightDirection=[20 * v for v in light.direction],
        lightColor=light.color,
        lightDistance=30,
        shadow=0,
        lightAmbientCoeff=light.ambient,
        lightDiffuseCoeff=light.diffuse,
        lightSpecularCoeff=light.specular,
        renderer=bullet.ER_TINY_RENDERER,
        physicsClientId=world.client,
    )
    shape = camera.height, camera.width
    instances = world.instances_of(np.asarray(mask, np.int32).reshape(shape))
    buffer = np.asarray(buffer, np.float64).reshape(shape)
    depth = FAR * NEAR / (FAR - buffer * (FAR - NEAR))
    color = np.asarray(rgba, np.uint8).reshape(*shape, 4)[..., :3].astype(np.float32)
    unseen = instances == UNSEEN
    depth[unseen] = 0
    if scene.sky is not None:
        _add_air(color, depth, unseen, camera, scene.sky)
    if rng is not None:
        color = _develop(color, rng)
    labels = np.array([label_of(instance.kind) for instance in scene.instances] + [label_of("sky")], np.uint8)
    return RenderedFrame(
        np.clip(color, 0, 255).astype(np.uint8),
        depth.astype(np.float32),
        labels[instances],
        instances,
        camera,
        scene,
    )


def _view_matrix(camera: RenderCamera) -> list[float]:
    to_camera = np.linalg.inv(camera.pose)
    to_camera[1:3] *= -1  # OpenGL's camera looks along -z with y up
    return to_camera.T.ravel().tolist()


def _projection_matrix(camera: RenderCamera) -> list[float]:
    k = camera.matrix
    matrix = np.zeros((4, 4))
    matrix[0, 0] = 2 * k[0, 0] / camera.width
    matrix[1, 1] = 2 * k[1, 1] / camera.height
    matrix[2, 2:] = -(FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)
    matrix[3, 2] = -1
    return matrix.T.ravel().tolist()


def _add_air(
    color: np.ndarray, depth: np.ndarray, unseen: np.ndarray, camera: RenderCamera, seed: int
) -> None:
    """Sky with clouds where nothing is, and haze over what is far; changes `color` in place."""
    rng = np.random.default_rng(seed)
    horizon = np.array([215, 226, 236]) * rng.uniform(0.85, 1.05)
    zenith = np.array([(70, 125, 205), (95, 145, 215), (150, 170, 190)][rng.integers(3)], np.float64)
    rays = camera.rays()
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    rise = np.clip(rays[..., 2], 0.0, 1.0)
    sky = horizon + (zenith - horizon) * np.sqrt(rise)[..., None]
    clouds = np.zeros(())
    for cells in (4, 8, 16, 32, 64):
        clouds = clouds + smooth_noise(rng, (cells,)) * math.sqrt(4 / cells)
    flat = rays[..., :2] / np.maximum(rise, 0.06)[..., None] * 40
    cover = cv2.remap(
        clouds.astype(np.float32),
        flat[..., 0].astype(np.float32),
        flat[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    white = np.clip((cover - rng.uniform(-0.3, 1.8)) * 0.5, 0, 0.85) * np.clip(rise * 5, 0, 1)
    sky += (np.array([246, 247, 250]) - sky) * white[..., None]
    haze = 1 - np.exp(-depth / rng.uniform(90, 300))
    color += (horizon - color) * haze[..., None]
    color[unseen] = sky[unseen]


def _develop(color: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a camera does to light: exposure, white balance, contrast, a little blur and noise."""
    gain = rng.uniform(0.85, 1.18) * (1 + rng.normal(0, 0.02, 3))
    color = 255 * np.clip(color * gain / 255, 0, 1) ** rng.uniform(0.85, 1.15)
    if rng.random() < 0.4:
        color = cv2.GaussianBlur(color, (0, 0), rng.uniform(0.4, 0.9))
    return color + rng.normal(0, rng.uniform(0.5, 4.0), color.shape[:2])[..., None]
