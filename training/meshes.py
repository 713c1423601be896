"""Triangle meshes made of numbers: boxes, turned profiles, tubes, rings, balls, prisms and planes; and parts,
which are meshes of one material.

Lengths are in metres, z is up. Normals point outwards, triangles run counter-clockwise seen from outside.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

Vector = Sequence[float]
Rgb = tuple[float, float, float]

ROUND = 20
"""Corners of a circle: round enough at the sizes seen, cheap to draw."""


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes:
        vertices: float64 [n, 3], metres.
        normals: float64 [n, 3], length 1.
        uvs: float64 [n, 2], texture coordinates; the texture repeats beyond 0..1.
        triangles: int64 [m, 3], places in `vertices`.
    """

    vertices: np.ndarray
    normals: np.ndarray
    uvs: np.ndarray
    triangles: np.ndarray

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Mesh":
        """The mesh at another place."""
        return replace(self, vertices=self.vertices + np.array([x, y, z]))

    def turned(self, axis: str, angle: float) -> "Mesh":
        """The mesh turned about x, y or z through the origin by an angle in radians."""
        rotation = rotation_matrix(axis, angle)
        return replace(self, vertices=self.vertices @ rotation.T, normals=self.normals @ rotation.T)


def rotation_matrix(axis: str, angle: float) -> np.ndarray:
    """The matrix [3, 3] that turns about x, y or z by an angle in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uvs for mesh in meshes]),
        np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]),
    )


def plane(corner: Vector, along: Vector, up: Vector, tile: float) -> Mesh:
    """A rectangle from a corner along two edges, seen from the side where `along` x `up` points.

    Its texture repeats every `tile` metres.
    """
    origin, first, second = (np.asarray(v, float) for v in (corner, along, up))
    normal = np.cross(first, second)
    columns, rows = np.linalg.norm(first) / tile, np.linalg.norm(second) / tile
    return Mesh(
        np.array([origin, origin + first, origin + first + second, origin + second]),
        np.tile(normal / np.linalg.norm(normal), (4, 1)),
        np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], float),
        np.array([[0, 1, 2], [0, 2, 3]]),
    )


def box(x: float, y: float, z: float, tile: float = 1.0) -> Mesh:
    """A box standing on the ground, its footprint centred."""
    a, b = x / 2, y / 2
    return join(
        [
            plane((-a, -b, 0), (x, 0, 0), (0, 0, z), tile),
            plane((a, b, 0), (-x, 0, 0), (0, 0, z), tile),
            plane((a, -b, 0), (0, y, 0), (0, 0, z), tile),
            plane((-a, b, 0), (0, -y, 0), (0, 0, z), tile),
            plane((-a, -b, z), (x, 0, 0), (0, y, 0), tile),
            plane((-a, b, 0), (x, 0, 0), (0, -y, 0), tile),
        ]
    )


def lathe(profile: Sequence[tuple[float, float]], sides: int = ROUND) -> Mesh:
    """A profile of (radius, height), from the bottom up on the outside, turned about the z axis.

    Every step of the profile is a band of its own, so that edges stay sharp.
    """
    angles = np.linspace(0, 2 * math.pi, sides + 1)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    bands = []
    for (r0, z0), (r1, z1) in pairwise(profile):
        length = math.hypot(r1 - r0, z1 - z0)
        out, up = (z1 - z0) / length, (r0 - r1) / length
        low = np.column_stack([r0 * ring, np.full(sides + 1, z0)])
        high = np.column_stack([r1 * ring, np.full(sides + 1, z1)])
        normals = np.column_stack([out * ring, np.full(sides + 1, up)])
        share = angles / (2 * math.pi)
        start = np.arange(sides)
        other = start + sides + 1
        bands.append(
            Mesh(
                np.concatenate([low, high]),
                np.concatenate([normals, normals]),
                np.concatenate(
                    [np.column_stack([share, np.zeros_like(share)]), np.column_stack([share, share * 0 + 1])]
                ),
                np.concatenate(
                    [
                        np.column_stack([start, start + 1, other + 1]),
                        np.column_stack([start, other + 1, other]),
                    ]
                ),
            )
        )
    return join(bands)


def cylinder(radius: float, height: float, top_radius: float | None = None) -> Mesh:
    """A closed cylinder standing on the ground, or a cone with `top_radius`."""
    top = radius if top_radius is None else top_radius
    profile = [(0.0, 0.0), (radius, 0.0), (top, height)]
    return lathe(profile if top == 0 else [*profile, (0.0, height)])


def ball(radius: float, height: float | None = None, rings: int = 10) -> Mesh:
    """A ball standing on the ground, or an ellipsoid of that `height`; its normals are smooth."""
    half = radius if height is None else height / 2
    angles = np.linspace(-math.pi / 2, math.pi / 2, rings + 1)
    profile = [(radius * math.cos(a), half + half * math.sin(a)) for a in angles]
    mesh = lathe(profile)
    smooth = (mesh.vertices - np.array([0, 0, half])) / np.array([radius, radius, half]) ** 2
    return replace(mesh, normals=smooth / np.linalg.norm(smooth, axis=1, keepdims=True))


def ring(radius: float, thickness: float, sides: int = 10) -> Mesh:
    """A ring lying on the ground: `radius` to the middle of the tube, `thickness` the tube's radius; its
    normals are smooth."""
    angles = np.linspace(-math.pi, math.pi, sides + 1)
    profile = [(radius + thickness * math.cos(a), thickness + thickness * math.sin(a)) for a in angles]
    mesh = lathe(profile)
    around = mesh.vertices[:, :2] / np.linalg.norm(mesh.vertices[:, :2], axis=1, keepdims=True)
    middle = np.column_stack([radius * around, np.full(len(around), thickness)])
    return replace(mesh, normals=(mesh.vertices - middle) / thickness)


def prism(outline: Sequence[tuple[float, float]], depth: float) -> Mesh:
    """A convex outline of (x, z), counter-clockwise seen from -y, as thick as `depth` along y, centred."""
    points = np.asarray(outline, float)
    half = depth / 2
    count = len(points)
    fan = np.column_stack([np.zeros(count - 2, int), np.arange(1, count - 1), np.arange(2, count)])
    size = np.ptp(points, axis=0)
    flat = (points - points.min(axis=0)) / size
    faces = [
        _face(np.column_stack([points[:, 0], np.full(count, -half), points[:, 1]]), flat, fan, (0, -1, 0)),
        _face(
            np.column_stack([points[:, 0], np.full(count, half), points[:, 1]]), flat, fan[:, ::-1], (0, 1, 0)
        ),
    ]
    for (x0, z0), (x1, z1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        faces.append(plane((x0, -half, z0), (0, depth, 0), (x1 - x0, 0, z1 - z0), 1.0))
    return join(faces)


def tube(start: Vector, end: Vector, radius: float, sides: int = 8) -> Mesh:
    """An open tube between two points."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    length = float(np.linalg.norm(b - a))
    direction = (b - a) / length
    helper = np.array([0.0, 0, 1]) if abs(direction[2]) < 0.9 else np.array([1.0, 0, 0])
    side = np.cross(helper, direction)
    side /= np.linalg.norm(side)
    frame = np.column_stack([side, np.cross(direction, side), direction])
    mesh = lathe([(radius, 0), (radius, length)], sides)
    return replace(mesh, vertices=mesh.vertices @ frame.T + a, normals=mesh.normals @ frame.T)


def _face(vertices: np.ndarray, uvs: np.ndarray, triangles: np.ndarray, normal: Vector) -> Mesh:
    return Mesh(vertices, np.tile(np.asarray(normal, float), (len(vertices), 1)), uvs, triangles)


BLACK: Rgb = (0.06, 0.06, 0.07)
DARK: Rgb = (0.20, 0.20, 0.22)
STEEL: Rgb = (0.62, 0.64, 0.67)
WHITE: Rgb = (0.93, 0.93, 0.91)
GLASS: Rgb = (0.55, 0.72, 0.85)
LAMP_LIGHT: Rgb = (1.0, 0.95, 0.75)


@dataclass(frozen=True)
class MeshPart:
    """A piece of a thing of one material.

    Attributes:
        mesh: in the thing's own frame.
        color: RGB 0..1; None: the colour that the thing as a whole is given.
        texture: a name of `textures.TEXTURES`, or None for a plain surface.
    """

    mesh: Mesh
    color: Rgb | None = None
    texture: str | None = None


Builder = Callable[[np.random.Generator], list[MeshPart]]
