"""A scene from a seed: how rooms, tabletops, yards and streets are arranged, and the split of each."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.catalogue import COLORS, WALL_COLORS
from training.draft import Draft
from training.meshes import Rgb
from training.scene import SEEDS, SPLITS, Scene, SceneError, Split, Thing, Vec

_TABLE_THINGS = (
    "book", "bottle", "bowl", "mug", "tray", "duck", "teddy bear", "soccer ball", "domino", "lego brick",
    "wooden block", "cube", "sphere", "cylinder", "pyramid", "ring", "lamp", "race car",
)  # fmt: skip
_TOYS = (
    "duck", "teddy bear", "soccer ball", "lego brick", "cube", "sphere", "cylinder", "pyramid", "ring",
    "race car", "domino", "wooden block",
)  # fmt: skip
_FLOOR_THINGS = (
    "chair", "lamp", "trash can", "cardboard box", "potted plant", "robot dog", "droid", "wheeled robot",
    "robot arm", "fire extinguisher", "barrel", "traffic cone", *_TOYS,
)  # fmt: skip
_YARD_THINGS = (
    "bush", "tree", "bench", "bicycle", "barrel", "robot dog", "wheeled robot", "droid", "soccer ball",
    "trash can", "traffic cone", "potted plant", "cardboard box", "chair", "table", *_TOYS,
)  # fmt: skip
_STREET_THINGS = (
    "traffic cone", "traffic cone", "trash can", "bench", "bicycle", "stop sign", "barrel",
    "fire extinguisher", "cardboard box", "robot dog", "wheeled robot", "soccer ball", "potted plant",
)  # fmt: skip


def _floor(draft: Draft, x0: float, x1: float, y0: float, y1: float) -> None:
    texture, adjective, tile = (
        ("planks", "wooden", 1.2),
        ("tiles", "tile", 1.2),
        ("paving", "stone", 1.5),
        ("paint", "concrete", 2.0),
    )[draft.rng.integers(4)]
    color = draft.tint((0.56, 0.56, 0.55)) if adjective == "concrete" else None
    draft.surface("floor", texture, (x0, y0, 0), (x1 - x0, 0, 0), (0, y1 - y0, 0), tile, adjective, color)


def _wall_material(draft: Draft) -> tuple[str, str, Rgb | None]:
    if draft.chance(0.25):
        return "bricks", "brick", None
    adjective = draft.pick(*WALL_COLORS)
    return draft.pick("paint", "paint", "wallpaper"), adjective, draft.tint(WALL_COLORS[adjective])


def _walls(draft: Draft, x0: float, x1: float, y0: float, y1: float, height: float) -> None:
    """Four walls that face inwards, of one material or with one wall of another."""
    sides: list[tuple[Vec, Vec]] = [
        ((x0, y1, 0), (x1 - x0, 0, 0)),
        ((x1, y1, 0), (0, y0 - y1, 0)),
        ((x1, y0, 0), (x0 - x1, 0, 0)),
        ((x0, y0, 0), (0, y1 - y0, 0)),
    ]
    material = _wall_material(draft)
    other = _wall_material(draft)
    special = int(draft.rng.integers(8))
    for number, (corner, along) in enumerate(sides):
        texture, adjective, color = other if number == special else material
        draft.surface("wall", texture, corner, along, (0, 0, height), 2.0, adjective, color)
    draft.surface(
        "ceiling",
        "paint",
        (x0, y1, height),
        (x1 - x0, 0, 0),
        (0, y0 - y1, 0),
        2.0,
        "white",
        (0.93, 0.93, 0.92),
    )


def _against_walls(draft: Draft, kinds: list[str], x: float, y: float) -> None:
    """Furniture and what hangs, with its back to the walls of a room of half sizes x and y."""
    places = [(side, share) for side in range(4) for share in (-0.62, -0.2, 0.22, 0.64)]
    draft.rng.shuffle(places)
    for kind, (side, share) in zip(kinds, places, strict=False):
        model = draft.model(kind)
        height = draft.height_of(model)
        back = {"door": 0.04, "window": 0.02, "picture": 0.03, "sofa": 0.5, "table": 0.55}.get(kind, 0.25)
        if isinstance(model.source, str):
            back = model.reach * height * 0.75
        z = {"window": 0.95, "picture": 1.35}.get(kind, 0.0)
        yaw = (0.0, -math.pi / 2, math.pi, math.pi / 2)[side]
        along = share * (x if side % 2 == 0 else y)
        px, py = ((along, y - back), (x - back, along), (along, back - y), (back - x, along))[side]
        draft.put(model, px, py, z, yaw, height)


def _room(draft: Draft) -> Scene:
    x, y, height = draft.uniform(2.2, 3.4), draft.uniform(2.2, 3.4), draft.uniform(2.5, 3.0)
    _floor(draft, -x, x, -y, y)
    _walls(draft, -x, x, -y, y, height)
    if draft.chance(0.5):
        a, b = draft.uniform(0.7, 1.3), draft.uniform(0.6, 1.0)
        color = draft.pick("red", "blue", "green", "purple", "gray", "brown", "pink", "orange")
        draft.surface(
            "carpet",
            "carpet",
            (-a, -b, 0.006),
            (2 * a, 0, 0),
            (0, 2 * b, 0),
            2 * b,
            color,
            draft.tint(COLORS[color]),
        )
    hung = ("door", "window", "picture", "shelf", "sofa", "shelf", "picture", "window", "sofa", "table")
    _against_walls(draft, draft.several(hung, 4, 8), x, y)
    if draft.chance(0.4):
        table_x, table_y = draft.uniform(-0.5, 0.5), draft.uniform(-0.5, 0.5)
        _set_table(draft, table_x, table_y, 2, 5)
        if draft.chance(0.5):
            draft.thing("chair", table_x + draft.uniform(-0.2, 0.2), table_y + 0.8, yaw=0.0)
    draft.scatter(draft.several(_FLOOR_THINGS, 5, 10), (0.6 - x, x - 0.6, 0.6 - y, y - 0.6), size=1.15)
    return draft.finish(((0.4 - x, x - 0.4), (0.4 - y, y - 0.4), (0.7, 1.7)), outdoors=False)


def _set_table(draft: Draft, x: float, y: float, least: int, most: int) -> Vec:
    """A table with things on it; returns the middle of its top."""
    table = draft.thing("table", x, y, yaw=0.0)
    top = _table_top(table)
    half = 0.32 if table.model.name == "round_table" else 0.42
    draft.scatter(
        draft.several(_TABLE_THINGS, least, most),
        (x - half * 1.2, x + half * 1.2, y - half * 0.75, y + half * 0.75),
        top,
        0.75,
    )
    return x, y, top


def _table_top(table: Thing) -> float:
    """Height of a table's top: the builder draws it from its seed."""
    if isinstance(table.model.source, str):
        return table.height
    parts = table.model.source(np.random.default_rng(table.seed))
    return float(max(part.mesh.vertices[:, 2].max() for part in parts))


def _tabletop(draft: Draft) -> Scene:
    _floor(draft, -4, 4, -4, 4)
    _walls(draft, -3, 3, -2, 2.2, 2.7)
    x, y, top = _set_table(draft, 0.0, 0.0, 6, 12)
    draft.scatter(draft.several(_FLOOR_THINGS, 1, 4), (-2, 2, 0.9, 1.6))
    _against_walls(draft, draft.several(("picture", "window", "shelf", "door"), 1, 3), 3, 2.1)
    targets = tuple(
        (t.position[0], t.position[1], t.position[2] + 0.4 * t.height)
        for t in draft.things
        if t.position[2] > 0.3
    )
    return draft.finish(
        ((-0.9, 0.9), (-1.5, -0.75), (top + 0.25, top + 0.8)),
        outdoors=False,
        targets=targets or ((x, y, top),),
    )


def _ground(draft: Draft, half: float) -> None:
    kind, texture, tile, adjective = (
        ("grass", "grass", 2.5, "green"),
        ("grass", "grass", 2.5, "green"),
        ("sand", "sand", 2.0, "yellow"),
        ("gravel", "gravel", 1.6, "gray"),
    )[draft.rng.integers(4)]
    draft.surface(kind, texture, (-half, -half, 0), (2 * half, 0, 0), (0, 2 * half, 0), tile, adjective)


def _yard(draft: Draft) -> Scene:
    _ground(draft, 30)
    if draft.chance(0.6):
        width, place = draft.uniform(1.0, 1.8), draft.uniform(-2, 2)
        kind, texture, adjective = (
            ("sidewalk", "paving", "gray"),
            ("gravel", "gravel", "gray"),
            ("sand", "sand", "yellow"),
        )[draft.rng.integers(3)]
        draft.surface(kind, texture, (place, -30, 0.01), (width, 0, 0), (0, 60, 0), 1.5, adjective)
        draft.taken.append((place + width / 2, 0.0, 0.0, 0.2))
    if draft.chance(0.6):
        draft.thing("house", draft.uniform(-5, 5), draft.uniform(7, 10), yaw=draft.uniform(-0.25, 0.25))
    if draft.chance(0.6):
        side = draft.uniform(4.0, 6.0)
        piece = draft.thing("fence", -3 * 2.4, side, yaw=0.0)
        draft.things += [replace(piece, position=(place * 2.4, side, 0.0)) for place in range(-2, 4)]
    for _ in range(int(draft.rng.integers(1, 5))):
        draft.scatter([draft.pick("tree", "tree", "bush")], (-9, 9, 2.5, 11))
    draft.scatter(draft.several(_YARD_THINGS, 5, 10), (-2.6, 2.6, -2.0, 3.0), size=1.25)
    return draft.finish(((-3.0, 3.0), (-4.5, -1.5), (0.7, 1.8)), outdoors=True)


def _street(draft: Draft) -> Scene:
    if draft.chance(0.6):
        draft.surface("grass", "grass", (-45, -45, -0.02), (90, 0, 0), (0, 90, 0), 2.5, "green")
    else:
        _ground(draft, 45)
    width, walk = draft.uniform(5.5, 7.5), draft.uniform(1.6, 2.4)
    draft.surface("road", "asphalt", (-45, -width / 2, 0.01), (90, 0, 0), (0, width, 0), 3.0, "gray")
    for place in (width / 2, -width / 2 - walk):
        draft.surface("sidewalk", "paving", (-45, place, 0.03), (90, 0, 0), (0, walk, 0), 1.6, "gray")
    for place in np.arange(-16, 17, draft.uniform(8, 11)):
        if draft.chance(0.75):
            draft.thing(
                "house",
                float(place),
                width / 2 + walk + draft.uniform(4.0, 5.5),
                yaw=draft.uniform(-0.1, 0.1),
            )
        if draft.chance(0.6):
            draft.thing("street lamp", float(place) + 3.5, width / 2 + 0.35, 0.03, yaw=0.0)
        if draft.chance(0.6):
            draft.thing("tree", float(place) + 4.5, width / 2 + walk + draft.uniform(0.8, 1.6), 0.0)
    for place in np.arange(-9, 10, 6.0):
        if draft.chance(0.55):
            lane = draft.pick("near", "far")
            y = (0.25 if lane == "far" else -0.2) * width
            yaw = (0.0 if lane == "far" else math.pi) + draft.uniform(-0.05, 0.05)
            draft.thing("car", float(place) + draft.uniform(-1, 1), y, 0.01, yaw=yaw)
    draft.scatter(
        draft.several(_STREET_THINGS, 3, 6), (-5, 5, width / 2 + 0.2, width / 2 + walk - 0.2), 0.03, 1.2
    )
    draft.scatter(draft.several(_STREET_THINGS, 1, 4), (-5, 5, -width / 2, width / 2), 0.01, 1.2)
    return draft.finish(((-7, 7), (-width / 2 - walk, -width / 2 + 1.2), (1.0, 1.9)), outdoors=True)


FAMILIES: dict[str, Callable[[Draft], Scene]] = {
    "room": _room,
    "tabletop": _tabletop,
    "yard": _yard,
    "street": _street,
}
"""Every family of scenes by name."""

_SHARES: dict[Split, range] = {"train": range(0, 8), "val": range(8, 9), "test": range(9, 10)}
"""Last digits of an arrangement's hash that belong to each split."""


def scene_split(arrangement: str) -> Split:
    """The split that an arrangement belongs to: 8 of 10 to train, 1 each to val and test, by its hash."""
    digit = int.from_bytes(hashlib.sha256(arrangement.encode()).digest()[:4], "big") % 10
    return next(split for split in SPLITS if digit in _SHARES[split])


def make_scene(seed: int, family: str | None = None) -> Scene:
    """The scene of a seed; the seed's range decides the split.

    The scene is drawn again, with the next generator of the same seed, until its arrangement falls to the
    split. So no combination of kinds of one split occurs in another.

    Args:
        seed: within `SEEDS`.
        family: one of `FAMILIES`; None: by the seed.

    Raises:
        SceneError: a seed of no split, or an unknown family.
    """
    split = next((split for split in SPLITS if seed in SEEDS[split]), None)
    if split is None:
        ranges = ", ".join(f"{name} {r.start}..{r.stop - 1}" for name, r in SEEDS.items())
        raise SceneError(f"seed {seed} belongs to no split; expected one of {ranges}")
    if family is not None and family not in FAMILIES:
        raise SceneError(f"family {family!r} is not known; expected one of {', '.join(FAMILIES)}")
    for attempt in range(1000):
        rng = np.random.default_rng([seed, attempt])
        name = family or str(rng.choice(list(FAMILIES)))
        scene = FAMILIES[name](Draft(rng, split, seed, name))
        if scene_split(scene.arrangement) == split:
            return scene
    raise SceneError(f"no arrangement of seed {seed} falls to {split}; take another seed")
