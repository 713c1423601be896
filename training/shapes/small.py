"""Things that a hand can lift, and plain solids."""

import math

import numpy as np

from training.meshes import (
    BLACK,
    DARK,
    STEEL,
    WHITE,
    MeshPart,
    ball,
    box,
    cylinder,
    join,
    lathe,
    prism,
    ring,
    tube,
)


def book(rng: np.random.Generator) -> list[MeshPart]:
    width, depth, thick = rng.uniform(0.14, 0.2), rng.uniform(0.2, 0.27), rng.uniform(0.025, 0.06)
    covers = [box(width, depth, 0.006).moved(z=z) for z in (0, thick)]
    spine = box(0.006, depth, thick).moved(-width / 2)
    pages = box(width - 0.012, depth - 0.012, thick - 0.006).moved(z=0.006)
    return [MeshPart(join([*covers, spine])), MeshPart(pages, WHITE)]


def wine_bottle(rng: np.random.Generator) -> list[MeshPart]:
    body = [(0.0, 0.0), (0.038, 0.0), (0.038, 0.19), (0.014, 0.24), (0.014, 0.31), (0.0, 0.31)]
    label = lathe([(0.039, 0.06), (0.039, 0.14)])
    return [
        MeshPart(lathe(body)),
        MeshPart(label, WHITE),
        MeshPart(cylinder(0.016, 0.03).moved(z=0.29), DARK),
    ]


def water_bottle(rng: np.random.Generator) -> list[MeshPart]:
    body = [
        (0.0, 0.0),
        (0.036, 0.0),
        (0.036, 0.1),
        (0.031, 0.12),
        (0.036, 0.14),
        (0.034, 0.19),
        (0.014, 0.23),
    ]
    return [MeshPart(lathe(body)), MeshPart(cylinder(0.017, 0.03).moved(z=0.225), WHITE)]


def flask(rng: np.random.Generator) -> list[MeshPart]:
    body = [(0.0, 0.0), (0.042, 0.0), (0.045, 0.08), (0.042, 0.2), (0.022, 0.235)]
    return [MeshPart(lathe(body)), MeshPart(cylinder(0.026, 0.045).moved(z=0.23), STEEL)]


def bowl(rng: np.random.Generator) -> list[MeshPart]:
    deep = rng.uniform(0.05, 0.08)
    outside = [(0.0, 0.0), (0.045, 0.0), (0.08, 0.4 * deep), (0.095, deep)]
    inside = [(0.095, deep), (0.075, 0.45 * deep), (0.04, 0.15 * deep), (0.0, 0.12 * deep)]
    return [MeshPart(lathe(outside + inside[1:]))]


def cup(rng: np.random.Generator) -> list[MeshPart]:
    """A mug of another shape than the mesh that comes with pybullet."""
    walls = lathe([(0.0, 0.0), (0.035, 0.0), (0.05, 0.1), (0.045, 0.1), (0.032, 0.012), (0.0, 0.012)])
    handle = ring(0.03, 0.008).turned("x", math.pi / 2).moved(0.055, 0.008, 0.055)
    return [MeshPart(join([walls, handle]))]


def potted_plant(rng: np.random.Generator) -> list[MeshPart]:
    pot = lathe([(0.0, 0.0), (0.11, 0.0), (0.16, 0.26), (0.13, 0.26), (0.12, 0.2), (0.0, 0.2)])
    leaves = []
    for _ in range(int(rng.integers(9, 15))):
        lean, turn, length = rng.uniform(0.1, 0.9), rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 0.6)
        blade = prism(
            [(-0.01, 0), (0.01, 0), (0.05, 0.5 * length), (0, length), (-0.05, 0.5 * length)], 0.012
        )
        leaves.append(blade.turned("x", lean).turned("z", turn).moved(z=0.22))
    return [MeshPart(pot, (0.68, 0.36, 0.22)), MeshPart(join(leaves), (0.95, 1.0, 0.95), "leaves")]


def fire_extinguisher(rng: np.random.Generator) -> list[MeshPart]:
    body = lathe([(0.0, 0.0), (0.085, 0.0), (0.085, 0.4), (0.06, 0.46), (0.03, 0.48)])
    handle = [box(0.04, 0.16, 0.025).moved(0, -0.05, z) for z in (0.52, 0.56)]
    hose = [
        tube((0.03, 0, 0.5), (0.12, -0.02, 0.4), 0.014),
        tube((0.12, -0.02, 0.4), (0.12, -0.02, 0.15), 0.018),
    ]
    label = lathe([(0.087, 0.14), (0.087, 0.28)])
    top = join([cylinder(0.03, 0.06).moved(z=0.47), *handle, *hose])
    return [MeshPart(body, (0.8, 0.06, 0.07)), MeshPart(top, BLACK), MeshPart(label, WHITE)]


def cardboard_box(rng: np.random.Generator) -> list[MeshPart]:
    x, y, z = rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.5), rng.uniform(0.22, 0.5)
    return [MeshPart(box(x, y, z, max(x, y)), WHITE, "cardboard")]


def trash_can(rng: np.random.Generator) -> list[MeshPart]:
    body = lathe([(0.0, 0.0), (0.2, 0.0), (0.26, 0.62)])
    lid = lathe([(0.28, 0.62), (0.28, 0.67), (0.12, 0.74), (0.0, 0.75)])
    grip = tube((-0.07, 0, 0.78), (0.07, 0, 0.78), 0.02)
    return [MeshPart(body), MeshPart(join([lid, grip]), DARK)]


def cube(rng: np.random.Generator) -> list[MeshPart]:
    return [MeshPart(box(0.3, 0.3, 0.3))]


def sphere(rng: np.random.Generator) -> list[MeshPart]:
    return [MeshPart(ball(0.16, rings=14))]


def column(rng: np.random.Generator) -> list[MeshPart]:
    return [MeshPart(cylinder(0.14, rng.uniform(0.26, 0.42)))]


def pyramid(rng: np.random.Generator) -> list[MeshPart]:
    corners = lathe([(0.22, 0.0), (0.0, rng.uniform(0.28, 0.38))], sides=4)
    return [MeshPart(corners)]


def torus(rng: np.random.Generator) -> list[MeshPart]:
    mesh = ring(0.16, rng.uniform(0.045, 0.06))
    if rng.random() < 0.5:
        mesh = mesh.turned("x", math.pi / 2)
        mesh = mesh.moved(z=-mesh.vertices[:, 2].min())
    return [MeshPart(mesh)]
