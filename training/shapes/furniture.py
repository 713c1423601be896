"""Furniture, doors, windows and lamps."""

import math

import numpy as np

from training.meshes import (
    BLACK,
    DARK,
    GLASS,
    LAMP_LIGHT,
    STEEL,
    WHITE,
    Mesh,
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


def _legs(x: float, y: float, height: float, width: float) -> Mesh:
    """Four legs at the corners of a footprint."""
    a, b = x / 2 - width / 2, y / 2 - width / 2
    return join([box(width, width, height).moved(i * a, j * b) for i in (-1, 1) for j in (-1, 1)])


def table(rng: np.random.Generator) -> list[MeshPart]:
    x, y, height = rng.uniform(1.1, 1.7), rng.uniform(0.7, 1.0), rng.uniform(0.68, 0.76)
    parts = [box(x, y, 0.045, 0.8).moved(z=height - 0.045), _legs(x - 0.06, y - 0.06, height - 0.045, 0.06)]
    return [MeshPart(mesh, None, "wood") for mesh in parts]


def round_table(rng: np.random.Generator) -> list[MeshPart]:
    radius, height = rng.uniform(0.45, 0.65), rng.uniform(0.68, 0.76)
    top = cylinder(radius, 0.04).moved(z=height - 0.04)
    return [MeshPart(join([top, cylinder(0.05, height - 0.04), cylinder(0.28, 0.03)]), None, "wood")]


def slat_chair(rng: np.random.Generator) -> list[MeshPart]:
    seat, back = rng.uniform(0.42, 0.48), rng.uniform(0.42, 0.55)
    rails = [box(0.38, 0.025, 0.06).moved(0, 0.2, seat + k * back / 3) for k in (1, 2, 2.85)]
    posts = [box(0.04, 0.04, back + 0.05).moved(s * 0.2, 0.2, seat) for s in (-1, 1)]
    frame = [box(0.44, 0.44, 0.045).moved(z=seat - 0.045), _legs(0.44, 0.44, seat, 0.04)]
    return [MeshPart(join([*frame, *posts, *rails]), None, "wood")]


def solid_chair(rng: np.random.Generator) -> list[MeshPart]:
    seat, back = rng.uniform(0.42, 0.48), rng.uniform(0.35, 0.5)
    shell = join([box(0.46, 0.45, 0.06).moved(z=seat), box(0.46, 0.05, back).moved(0, 0.2, seat)])
    return [MeshPart(shell), MeshPart(_legs(0.4, 0.4, seat, 0.035), STEEL)]


def office_chair(rng: np.random.Generator) -> list[MeshPart]:
    back = rng.uniform(0.45, 0.6)
    shell = join([box(0.5, 0.48, 0.08).moved(z=0.45), box(0.46, 0.07, back).moved(0, 0.22, 0.55)])
    arms = [
        tube((0, 0, 0.08), (0.3 * math.cos(a), 0.3 * math.sin(a), 0.04), 0.025)
        for a in np.arange(5) * 2 * math.pi / 5
    ]
    return [MeshPart(shell), MeshPart(join([cylinder(0.03, 0.45), *arms]), DARK)]


def sofa(rng: np.random.Generator) -> list[MeshPart]:
    width = rng.uniform(1.4, 2.1)
    seats = [
        box(width / 2 - 0.03, 0.65, 0.16).moved(side * (width / 4 - 0.01), -0.08, 0.28) for side in (-1, 1)
    ]
    frame = [box(width + 0.3, 0.85, 0.28), box(width + 0.3, 0.22, 0.85).moved(0, 0.33, 0)]
    arms = [box(0.18, 0.85, 0.6).moved(side * (width / 2 + 0.08)) for side in (-1, 1)]
    return [MeshPart(join([*seats, *frame, *arms]))]


def bench(rng: np.random.Generator) -> list[MeshPart]:
    width = rng.uniform(1.3, 1.8)
    slats = [box(width, 0.1, 0.035).moved(0, -0.17 + 0.125 * k, 0.43) for k in range(4)]
    back = [box(width, 0.03, 0.1).moved(0, 0.25, 0.55 + 0.14 * k) for k in range(3)]
    sides = [
        join([box(0.06, 0.45, 0.43), box(0.06, 0.05, 0.88).moved(0, 0.28, 0)]).moved(s * width * 0.42)
        for s in (-1, 1)
    ]
    return [MeshPart(join([*slats, *back]), None, "wood"), MeshPart(join(sides), DARK)]


def bookshelf(rng: np.random.Generator) -> list[MeshPart]:
    width, height, boards = rng.uniform(0.7, 1.1), rng.uniform(1.3, 2.0), int(rng.integers(4, 6))
    sides = [box(0.03, 0.32, height).moved(s * width / 2) for s in (-1, 1)]
    levels = [box(width, 0.32, 0.03).moved(z=z) for z in np.linspace(0.05, height - 0.03, boards)]
    back = box(width, 0.02, height).moved(0, 0.15, 0)
    tones: list[Rgb] = [
        (0.6, 0.1, 0.1),
        (0.1, 0.2, 0.5),
        (0.1, 0.4, 0.2),
        (0.8, 0.75, 0.6),
        DARK,
        (0.75, 0.5, 0.1),
    ]
    books: dict[Rgb, list[Mesh]] = {tone: [] for tone in tones}
    gap = (height - 0.08) / (boards - 1)
    for level in range(boards - 1):
        place = -width / 2 + 0.05
        while place < width / 2 - 0.08:
            thick = rng.uniform(0.025, 0.06)
            if rng.random() < 0.75:
                tall = gap * rng.uniform(0.55, 0.85)
                spine = box(thick, 0.2, tall).moved(place + thick / 2, -0.03, 0.08 + level * gap)
                books[tones[rng.integers(len(tones))]].append(spine)
            place += thick + 0.004
    shelves = MeshPart(join([*sides, *levels, back]), None, "wood")
    return [shelves, *(MeshPart(join(meshes), tone) for tone, meshes in books.items() if meshes)]


def door(rng: np.random.Generator) -> list[MeshPart]:
    panels = [box(0.62, 0.03, tall).moved(0, -0.035, z) for tall, z in ((0.7, 0.15), (0.8, 1.05))]
    frame = [box(0.08, 0.1, 2.06).moved(s * 0.5, 0.02, 0) for s in (-1, 1)]
    frame.append(box(1.08, 0.1, 0.08).moved(0, 0.02, 2.02))
    knob = ball(0.04).moved(0.36, -0.07, 0.98)
    return [
        MeshPart(join([box(0.92, 0.05, 2.02), *panels])),
        MeshPart(join(frame), WHITE),
        MeshPart(knob, STEEL),
    ]


def window(rng: np.random.Generator) -> list[MeshPart]:
    width, height = rng.uniform(0.9, 1.5), rng.uniform(0.9, 1.3)
    bars = [box(0.07, 0.06, height).moved(x) for x in (-width / 2, 0, width / 2)]
    bars += [box(width + 0.07, 0.06, 0.07).moved(z=z) for z in (-0.035, height / 2, height - 0.035)]
    shade = rng.uniform(0.7, 1.15)
    glass = (GLASS[0] * shade, GLASS[1] * shade, GLASS[2] * shade)
    return [MeshPart(join(bars), WHITE), MeshPart(box(width, 0.02, height), glass)]


def picture(rng: np.random.Generator) -> list[MeshPart]:
    width, height = rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.8)
    frame = [box(0.05, 0.04, height + 0.05).moved(s * width / 2) for s in (-1, 1)]
    frame += [box(width, 0.04, 0.05).moved(z=z) for z in (0, height)]
    canvas = prism([(-width / 2, 0), (width / 2, 0), (width / 2, height), (-width / 2, height)], 0.02)
    tone = (BLACK, (0.45, 0.3, 0.15), (0.75, 0.6, 0.25))[rng.integers(3)]
    return [MeshPart(join(frame), tone), MeshPart(canvas, WHITE, "painting")]


def floor_lamp(rng: np.random.Generator) -> list[MeshPart]:
    height = rng.uniform(1.3, 1.6)
    shade = lathe([(0.24, height - 0.28), (0.14, height)])
    pole = join([cylinder(0.14, 0.03), cylinder(0.018, height - 0.1)])
    return [MeshPart(pole, DARK), MeshPart(shade), MeshPart(ball(0.08).moved(z=height - 0.25), LAMP_LIGHT)]


def desk_lamp(rng: np.random.Generator) -> list[MeshPart]:
    head = lathe([(0.02, 0.0), (0.1, -0.14)][::-1]).turned("x", -0.5).moved(0, -0.18, 0.46)
    arms = [tube((0, 0, 0.02), (0, 0.12, 0.25), 0.012), tube((0, 0.12, 0.25), (0, -0.18, 0.46), 0.012)]
    return [MeshPart(join([cylinder(0.1, 0.025), head])), MeshPart(join(arms), STEEL)]
