"""Trees, houses, vehicles and what stands along a street."""

import math

import numpy as np

from training.meshes import (
    BLACK,
    DARK,
    LAMP_LIGHT,
    STEEL,
    WHITE,
    MeshPart,
    Rgb,
    ball,
    box,
    cylinder,
    join,
    lathe,
    prism,
    tube,
)


def traffic_cone(rng: np.random.Generator) -> list[MeshPart]:
    tones: tuple[Rgb, ...] = ((0.95, 0.38, 0.05), (0.9, 0.3, 0.08))
    tone = tones[rng.integers(2)]
    base = box(0.36, 0.36, 0.03)
    bands = [lathe([(0.14, 0.03), (0.105, 0.22)]), lathe([(0.073, 0.4), (0.025, 0.68), (0.0, 0.68)])]
    return [
        MeshPart(base, BLACK),
        MeshPart(join(bands), tone),
        MeshPart(lathe([(0.105, 0.22), (0.073, 0.4)]), WHITE),
    ]


def traffic_barrel(rng: np.random.Generator) -> list[MeshPart]:
    profile = [0.28, 0.275, 0.265, 0.26, 0.25, 0.245]
    heights = np.linspace(0.06, 0.95, 6)
    bands = [
        MeshPart(
            lathe([(profile[k], heights[k]), (profile[k + 1], heights[k + 1])]),
            (0.95, 0.4, 0.05) if k % 2 == 0 else WHITE,
        )
        for k in range(5)
    ]
    return [
        *bands,
        MeshPart(cylinder(0.34, 0.06), BLACK),
        MeshPart(cylinder(0.245, 0.01).moved(z=0.945), DARK),
    ]


def barrel(rng: np.random.Generator) -> list[MeshPart]:
    body = lathe([(0.0, 0.0), (0.28, 0.0), (0.28, 0.85), (0.0, 0.85)])
    hoops = [lathe([(0.28, z), (0.3, z + 0.025), (0.28, z + 0.05)]) for z in (0.02, 0.27, 0.54, 0.79)]
    return [MeshPart(join([body, *hoops]))]


def round_tree(rng: np.random.Generator) -> list[MeshPart]:
    trunk = rng.uniform(1.0, 1.6)
    crowns = [
        ball(rng.uniform(0.55, 0.8), rng.uniform(1.1, 1.5)).moved(
            rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), trunk - 0.3 + rng.uniform(0, 0.7)
        )
        for _ in range(5)
    ]
    return [
        MeshPart(cylinder(0.13, trunk + 0.4, 0.09), WHITE, "bark"),
        MeshPart(join(crowns), WHITE, "leaves"),
    ]


def fir_tree(rng: np.random.Generator) -> list[MeshPart]:
    tiers = [cylinder(0.95 - 0.2 * k, 1.0, 0.0).moved(z=0.5 + 0.55 * k) for k in range(4)]
    return [MeshPart(cylinder(0.12, 0.6), WHITE, "bark"), MeshPart(join(tiers), (0.75, 0.9, 0.85), "leaves")]


def poplar_tree(rng: np.random.Generator) -> list[MeshPart]:
    crown = ball(0.55, rng.uniform(2.4, 3.0)).moved(z=0.6)
    return [MeshPart(cylinder(0.12, 0.9), WHITE, "bark"), MeshPart(crown, WHITE, "leaves")]


def bush(rng: np.random.Generator) -> list[MeshPart]:
    lumps = [
        ball(rng.uniform(0.28, 0.42), rng.uniform(0.5, 0.75)).moved(
            rng.uniform(-0.4, 0.4), rng.uniform(-0.3, 0.3)
        )
        for _ in range(5)
    ]
    return [MeshPart(join(lumps), WHITE, "leaves")]


def house(rng: np.random.Generator) -> list[MeshPart]:
    x, y, wall, roof = rng.uniform(5, 8), rng.uniform(4, 6), rng.uniform(2.6, 4.5), rng.uniform(1.4, 2.4)
    top = prism([(-x / 2 - 0.3, 0), (x / 2 + 0.3, 0), (0, roof)], y + 0.5).moved(z=wall)
    glass = [
        box(0.9, 0.06, 1.1).moved(place, -y / 2, level)
        for place in np.linspace(-x / 2 + 1.1, x / 2 - 1.1, int(x // 2))
        for level in ((1.0, 3.0) if wall > 3.9 else (1.0,))
    ]
    frames = [box(1.06, 0.04, 1.26).moved(*pane.vertices.mean(axis=0) - [0, 0, 0.63]) for pane in glass]
    entry = box(0.95, 0.08, 2.0).moved(rng.uniform(-0.5, 0.5) * (x / 2 - 1), -y / 2)
    roofs: tuple[Rgb, ...] = ((0.48, 0.2, 0.15), (0.3, 0.3, 0.33), (0.4, 0.26, 0.18))
    return [
        MeshPart(box(x, y, wall, 1.6), None, "bricks" if rng.random() < 0.4 else "paint"),
        MeshPart(top, roofs[rng.integers(3)]),
        MeshPart(join(glass), (0.25, 0.35, 0.45)),
        MeshPart(join(frames), WHITE),
        MeshPart(entry, (0.35, 0.2, 0.12)),
    ]


def _wheels(x: float, y: float, radius: float) -> list[MeshPart]:
    tyre = cylinder(radius, 0.2).moved(z=-0.1).turned("x", math.pi / 2)
    hub = cylinder(0.55 * radius, 0.22).moved(z=-0.11).turned("x", math.pi / 2)
    places = [(i * x, j * y, radius) for i in (-1, 1) for j in (-1, 1)]
    return [
        MeshPart(join([tyre.moved(*place) for place in places]), BLACK),
        MeshPart(join([hub.moved(*place) for place in places]), STEEL),
    ]


def _lights(x: float, y: float, z: float) -> list[MeshPart]:
    front = [box(0.05, 0.3, 0.14).moved(x, s * y, z) for s in (-1, 1)]
    rear = [box(0.05, 0.3, 0.14).moved(-x, s * y, z) for s in (-1, 1)]
    return [MeshPart(join(front), LAMP_LIGHT), MeshPart(join(rear), (0.75, 0.08, 0.08))]


def sedan(rng: np.random.Generator) -> list[MeshPart]:
    body = prism([(-2.1, 0.3), (2.1, 0.3), (2.15, 0.7), (1.3, 0.92), (-1.95, 0.95), (-2.15, 0.8)], 1.7)
    cabin = prism([(-1.5, 0.9), (0.95, 0.9), (0.35, 1.42), (-1.0, 1.42)], 1.5)
    roof = prism([(-1.02, 1.4), (0.38, 1.4), (0.3, 1.46), (-0.95, 1.46)], 1.52)
    return [
        MeshPart(join([body, roof])),
        MeshPart(cabin, (0.16, 0.2, 0.25)),
        *_wheels(1.3, 0.78, 0.33),
        *_lights(2.12, 0.6, 0.6),
    ]


def van(rng: np.random.Generator) -> list[MeshPart]:
    body = prism([(-2.2, 0.35), (2.2, 0.35), (2.2, 0.95), (1.5, 1.15), (1.1, 1.95), (-2.2, 1.95)], 1.8)
    panes = [box(0.7, 1.82, 0.55).moved(x, 0, 1.2) for x in (-1.4, -0.4, 0.6)]
    return [
        MeshPart(body),
        MeshPart(join(panes), (0.16, 0.2, 0.25)),
        *_wheels(1.4, 0.83, 0.36),
        *_lights(2.19, 0.65, 0.7),
    ]


def street_lamp(rng: np.random.Generator) -> list[MeshPart]:
    height = rng.uniform(3.2, 4.5)
    arm = tube((0, 0, height), (0, -0.9, height + 0.15), 0.05)
    head = box(0.3, 0.6, 0.12).moved(0, -1.1, height + 0.1)
    glow = box(0.22, 0.5, 0.03).moved(0, -1.1, height + 0.07)
    return [
        MeshPart(join([cylinder(0.12, 0.5, 0.08), cylinder(0.07, height, 0.05), arm, head]), DARK),
        MeshPart(glow, LAMP_LIGHT),
    ]


def stop_sign(rng: np.random.Generator) -> list[MeshPart]:
    angles = math.pi / 8 + np.arange(8) * math.pi / 4
    plates = [
        prism([(r * math.cos(a), 1.9 + r * math.sin(a)) for a in angles], thick)
        for r, thick in ((0.4, 0.03), (0.36, 0.04))
    ]
    bar = box(0.42, 0.05, 0.14).moved(z=1.83)
    return [
        MeshPart(cylinder(0.035, 1.6), STEEL),
        MeshPart(join([plates[0], bar]), WHITE),
        MeshPart(plates[1], (0.75, 0.07, 0.08)),
    ]


def fence(rng: np.random.Generator) -> list[MeshPart]:
    width, height = 2.4, rng.uniform(0.8, 1.2)
    boards = [
        prism(
            [(x - 0.05, 0), (x + 0.05, 0), (x + 0.05, height), (x, height + 0.08), (x - 0.05, height)], 0.03
        )
        for x in np.arange(-width / 2 + 0.08, width / 2, 0.16)
    ]
    rails = [box(width, 0.04, 0.08).moved(0, 0.035, z) for z in (0.25 * height, 0.75 * height)]
    return [MeshPart(join([*boards, *rails]), None, "wood")]
