"""What can stand in a scene: the kinds with their words, the colours, and the models of each kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from training.meshes import Builder, Rgb
from training.shapes import furniture, outdoor, small


@dataclass(frozen=True)
class Kind:
    """A kind of thing or stuff.

    Attributes:
        name: its usual word.
        synonyms: other words for it; captions use them as well.
        stuff: whether it has no shape of its own, such as grass.
    """

    name: str
    synonyms: tuple[str, ...] = ()
    stuff: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The name and its synonyms."""
        return (self.name, *self.synonyms)


KINDS: tuple[Kind, ...] = (
    Kind("wall", stuff=True),
    Kind("floor", stuff=True),
    Kind("ceiling", stuff=True),
    Kind("carpet", ("rug",), stuff=True),
    Kind("grass", ("lawn",), stuff=True),
    Kind("sky", stuff=True),
    Kind("road", ("street",), stuff=True),
    Kind("sidewalk", ("pavement",), stuff=True),
    Kind("gravel", stuff=True),
    Kind("sand", stuff=True),
    Kind("table", ("desk",)),
    Kind("chair"),
    Kind("sofa", ("couch",)),
    Kind("shelf", ("bookcase",)),
    Kind("door"),
    Kind("window"),
    Kind("picture", ("painting",)),
    Kind("lamp"),
    Kind("book"),
    Kind("bottle"),
    Kind("bowl"),
    Kind("mug", ("cup",)),
    Kind("tray"),
    Kind("duck", ("rubber duck",)),
    Kind("teddy bear", ("teddy",)),
    Kind("soccer ball", ("football",)),
    Kind("domino"),
    Kind("lego brick", ("toy brick",)),
    Kind("wooden block", ("jenga block",)),
    Kind("cube"),
    Kind("sphere", ("ball",)),
    Kind("cylinder"),
    Kind("pyramid"),
    Kind("ring", ("torus",)),
    Kind("robot arm", ("manipulator",)),
    Kind("robot dog", ("quadruped",)),
    Kind("droid", ("r2d2",)),
    Kind("wheeled robot", ("rover",)),
    Kind("race car", ("toy car",)),
    Kind("fire extinguisher"),
    Kind("cardboard box", ("carton",)),
    Kind("trash can", ("bin",)),
    Kind("barrel", ("drum",)),
    Kind("potted plant", ("plant",)),
    Kind("traffic cone", ("cone",)),
    Kind("tree"),
    Kind("bush", ("shrub",)),
    Kind("fence"),
    Kind("bench"),
    Kind("bicycle", ("bike",)),
    Kind("car", ("automobile",)),
    Kind("house", ("building",)),
    Kind("street lamp", ("lamp post",)),
    Kind("stop sign", ("traffic sign",)),
)
"""Every kind; its label in the ground truth is its place here, counted from 1."""

COLORS: dict[str, Rgb] = {
    "red": (0.80, 0.10, 0.10),
    "green": (0.13, 0.58, 0.18),
    "blue": (0.12, 0.25, 0.78),
    "yellow": (0.93, 0.80, 0.12),
    "orange": (0.95, 0.48, 0.08),
    "purple": (0.48, 0.18, 0.65),
    "pink": (0.95, 0.55, 0.70),
    "brown": (0.42, 0.26, 0.14),
    "white": (0.92, 0.92, 0.92),
    "black": (0.09, 0.09, 0.10),
    "gray": (0.50, 0.50, 0.51),
}
"""The colour words and the middle of what each stands for, RGB 0..1."""

WALL_COLORS: dict[str, Rgb] = {
    "white": (0.92, 0.91, 0.88),
    "beige": (0.86, 0.78, 0.64),
    "blue": (0.56, 0.68, 0.82),
    "green": (0.62, 0.76, 0.62),
    "yellow": (0.93, 0.86, 0.60),
    "gray": (0.66, 0.66, 0.67),
    "pink": (0.90, 0.72, 0.74),
}
"""What the colour words mean on walls and houses: paler."""

WOOD_COLORS: dict[str, Rgb] = {
    "wooden": (0.62, 0.43, 0.25),
    "brown": (0.40, 0.25, 0.14),
    "white": (0.90, 0.89, 0.86),
    "black": (0.13, 0.12, 0.12),
    "gray": (0.52, 0.52, 0.52),
}
"""Furniture of wood: its own colour, or stained and painted."""


@dataclass(frozen=True)
class Model:
    """One shape of a kind.

    Attributes:
        kind: name of the kind.
        source: a builder of parts, or the path of a URDF or SDF file within pybullet's data.
        reach: half the diagonal of the footprint over the height.
        heights: range of heights in metres at which it stands in scenes; equal ends: as the builder makes it.
        colors: the colours that the whole may have, by word; None: the model's own, without a word.
        own_color: word for the colour that a model has by itself.
        bottom, tall: of a file at scale 1: z of its lowest point, from where pybullet places it by, and its
            height, metres (after `lay_up`).
        lay_up: of a file whose y axis points up.
        pose: of a file: joints that may stand at any angle, with the widest angle in radians.
        held_out: kept for the test scenes; no training or validation scene has it.
    """

    kind: str
    source: Builder | str
    reach: float
    heights: tuple[float, float]
    colors: dict[str, Rgb] | None = None
    own_color: str | None = None
    bottom: float = 0.0
    tall: float = 1.0
    lay_up: bool = False
    pose: tuple[tuple[int, float], ...] = ()
    held_out: bool = False

    @property
    def fits_table(self) -> bool:
        """Whether it is small enough to stand on a table."""
        return self.heights[1] <= 0.5

    @property
    def scalable(self) -> bool:
        """Whether its height is a matter of the scene rather than of the builder."""
        return self.heights[0] != self.heights[1]

    @property
    def name(self) -> str:
        """A name of its own within the kind."""
        return self.source if isinstance(self.source, str) else self.source.__name__


def _arm(*joints: int) -> tuple[tuple[int, float], ...]:
    return tuple((joint, 0.9) for joint in joints)


_TOY = (0.14, 0.34)

MODELS: tuple[Model, ...] = (
    Model("table", furniture.table, 1.2, (0.72, 0.72), WOOD_COLORS),
    Model("table", furniture.round_table, 0.8, (0.72, 0.72), WOOD_COLORS),
    Model("table", "table/table.urdf", 1.45, (0.68, 0.76), None, "wooden", 0.0, 0.625, held_out=True),
    Model("chair", furniture.slat_chair, 0.35, (0.95, 0.95), WOOD_COLORS),
    Model("chair", furniture.solid_chair, 0.35, (0.9, 0.9), COLORS),
    Model("chair", furniture.office_chair, 0.35, (1.1, 1.1), COLORS, held_out=True),
    Model("sofa", furniture.sofa, 1.45, (0.85, 0.85), COLORS),
    Model("shelf", furniture.bookshelf, 0.35, (1.7, 1.7), WOOD_COLORS),
    Model("shelf", "kiva_shelf/model.sdf", 0.27, (2.0, 2.35), None, None, -1.194, 2.354),
    Model(
        "door",
        furniture.door,
        0.27,
        (2.1, 2.1),
        {**WOOD_COLORS, **{k: COLORS[k] for k in ("red", "green", "blue")}},
    ),
    Model("window", furniture.window, 0.7, (1.1, 1.1)),
    Model("picture", furniture.picture, 0.7, (0.6, 0.6)),
    Model("lamp", furniture.floor_lamp, 0.17, (1.45, 1.45), COLORS),
    Model("lamp", furniture.desk_lamp, 0.45, (0.35, 0.5), COLORS),
    Model("book", small.book, 3.5, (0.035, 0.06), COLORS),
    Model("bottle", small.wine_bottle, 0.13, (0.24, 0.36), COLORS),
    Model("bottle", small.water_bottle, 0.15, (0.2, 0.3), COLORS),
    Model("bottle", small.flask, 0.17, (0.22, 0.32), COLORS, held_out=True),
    Model("bowl", small.bowl, 1.5, (0.08, 0.14), COLORS),
    Model("mug", "objects/mug.urdf", 0.85, (0.12, 0.24), COLORS, None, 0.0, 0.101),
    Model("mug", small.cup, 0.85, (0.12, 0.22), COLORS, held_out=True),
    Model("tray", "tray/tray.urdf", 3.0, (0.1, 0.16), None, "black", -0.005, 0.14),
    Model("duck", "duck_vhacd.urdf", 0.65, _TOY, None, "yellow", -0.015, 0.081, lay_up=True),
    Model("teddy bear", "teddy_vhacd.urdf", 0.55, (0.2, 0.45), COLORS, None, -0.03, 0.096, lay_up=True),
    Model("soccer ball", "soccerball.urdf", 0.5, (0.16, 0.3), None, None, -0.503, 1.01),
    Model("domino", "domino/domino.urdf", 0.3, (0.14, 0.28), None, "white", -0.025, 0.051),
    Model("lego brick", "lego/lego.urdf", 1.3, (0.08, 0.18), COLORS, None, -0.004, 0.018),
    Model("wooden block", "jenga/jenga.urdf", 2.7, (0.05, 0.1), None, "brown", -0.015, 0.03),
    Model("cube", small.cube, 0.71, (0.1, 0.32), COLORS),
    Model("sphere", small.sphere, 0.5, (0.12, 0.34), COLORS),
    Model("cylinder", small.column, 0.45, (0.15, 0.36), COLORS),
    Model("pyramid", small.pyramid, 0.7, (0.15, 0.34), COLORS),
    Model("ring", small.torus, 1.5, (0.09, 0.13), COLORS),
    Model(
        "robot arm", "kuka_iiwa/model.urdf", 0.45, (0.8, 1.3), None, None, -0.07, 1.31, pose=_arm(0, 1, 3, 5)
    ),
    Model(
        "robot arm", "xarm/xarm6_robot.urdf", 0.6, (0.5, 0.9), None, None, 0.0, 0.596, pose=_arm(1, 2, 3, 5)
    ),
    Model(
        "robot arm",
        "franka_panda/panda.urdf",
        0.45,
        (0.8, 1.2),
        None,
        "white",
        -0.05,
        1.117,
        pose=_arm(0, 1, 3, 5),
        held_out=True,
    ),
    Model("robot dog", "laikago/laikago_toes_zup_lores.urdf", 0.7, (0.45, 0.7), None, "black", -0.514, 0.592),
    Model("robot dog", "aliengo/aliengo.urdf", 0.65, (0.45, 0.65), None, "black", -0.525, 0.584),
    Model("robot dog", "a1/a1.urdf", 0.65, (0.4, 0.6), None, "orange", -0.42, 0.478, held_out=True),
    Model("droid", "r2d2.urdf", 0.5, (0.6, 1.0), None, "blue", -0.47, 0.935),
    Model("wheeled robot", "husky/husky.urdf", 1.5, (0.35, 0.55), None, "yellow", 0.0, 0.391),
    Model("race car", "racecar/racecar.urdf", 2.5, (0.16, 0.26), None, "blue", 0.0, 0.163),
    Model("fire extinguisher", small.fire_extinguisher, 0.25, (0.4, 0.62), None, "red"),
    Model("cardboard box", small.cardboard_box, 0.9, (0.35, 0.35), None, "brown"),
    Model("trash can", small.trash_can, 0.37, (0.5, 0.85), COLORS),
    Model("barrel", outdoor.barrel, 0.35, (0.6, 0.95), COLORS),
    Model("barrel", outdoor.traffic_barrel, 0.36, (0.8, 1.0), None, "orange", held_out=True),
    Model("potted plant", small.potted_plant, 0.5, (0.5, 0.9)),
    Model("traffic cone", outdoor.traffic_cone, 0.37, (0.4, 0.75), None, "orange"),
    Model("tree", outdoor.round_tree, 0.5, (1.8, 3.5)),
    Model("tree", outdoor.fir_tree, 0.35, (2.0, 3.8)),
    Model("tree", outdoor.poplar_tree, 0.2, (2.5, 4.0), held_out=True),
    Model("bush", outdoor.bush, 1.0, (0.5, 0.9)),
    Model("fence", outdoor.fence, 1.2, (1.0, 1.0), WOOD_COLORS),
    Model("bench", furniture.bench, 0.95, (0.9, 0.9), WOOD_COLORS),
    Model("bicycle", "bicycle/bike.urdf", 0.87, (0.9, 1.1), COLORS, None, -0.993, 1.616, lay_up=True),
    Model("car", outdoor.sedan, 1.6, (1.45, 1.45), COLORS),
    Model("car", outdoor.van, 1.2, (1.95, 1.95), COLORS),
    Model("house", outdoor.house, 1.0, (5.0, 5.0), WALL_COLORS),
    Model("street lamp", outdoor.street_lamp, 0.1, (4.0, 4.0)),
    Model("stop sign", outdoor.stop_sign, 0.18, (2.0, 2.3), None, "red"),
)
"""Every model."""


@cache
def label_of(kind: str) -> int:
    """The label of a kind in the ground truth, 1..254."""
    return [entry.name for entry in KINDS].index(kind) + 1


def kind_of(label: int) -> Kind:
    """The kind of a label of the ground truth."""
    return KINDS[label - 1]


def label_names() -> dict[int, str]:
    """Name of every kind by its label."""
    return {place: kind.name for place, kind in enumerate(KINDS, start=1)}


def models_of(kind: str, *, for_test: bool) -> Sequence[Model]:
    """The models of a kind: all of them in test scenes, else those that are not kept for the test."""
    return [model for model in MODELS if model.kind == kind and (for_test or not model.held_out)]
