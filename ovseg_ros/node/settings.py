"""Every parameter of the node: its name, default, meaning and range, as typed and validated dataclasses.

The dataclasses are the one place where a parameter is written down; `parameters.py` declares what is here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, cast

from ovseg_ros.node.camera_names import wrong_camera_name
from ovseg_ros.node.specification import Phase, Specification, Value, parameter


@dataclass(frozen=True)
class ModelSettings:
    """Which model is loaded in *configure*, and where it runs."""

    name: str = parameter(
        "ViT-B-16",
        "An open_clip architecture, or a folder with open_clip_config.json and weights.",
        changes_until=Phase.UNCONFIGURED,
    )
    weights: str = parameter(
        "openai",
        "An open_clip tag of pretrained weights, or a local file; of no effect where model.name is a folder.",
        changes_until=Phase.UNCONFIGURED,
    )
    allow_download: bool = parameter(
        True,
        "Fetch weights from their hub where they are not on this machine.",
        changes_until=Phase.UNCONFIGURED,
    )
    device: str = parameter(
        "auto",
        "Where the model runs: auto (CUDA where there is a device), cpu, cuda, or cuda:N.",
        changes_until=Phase.UNCONFIGURED,
    )
    precision: str = parameter(
        "auto",
        "Arithmetic of the model; auto is half precision on CUDA, and on the CPU bfloat16 where it has "
        "instructions for it, else float32.",
        changes_until=Phase.UNCONFIGURED,
    )
    max_latency_ms: float = parameter(
        0.0,
        "Time that an image may take, from pixels to labels: that of the batch it is in. The node then works "
        "at the largest short side up to method.short_side that holds it, and says in diagnostics which that "
        "is; 0 leaves it at that.",
        bounds=(0, 60000),
        changes_until=Phase.UNCONFIGURED,
    )


@dataclass(frozen=True)
class MethodSettings:
    """How dense class scores come out of the model."""

    name: str = parameter("clipseg", "The method: clipseg, or a baseline such as maskclip or vanilla.")
    short_side: int = parameter(
        336,
        "Short side of the image as the model sees it, in pixels. Small images are enlarged by a third "
        "at most.",
        bounds=(32, 2048),
    )
    window: int = parameter(
        0,
        "Side of the windows in which the image goes through the model, in pixels at that size (usually "
        "224); 0: as a whole. Somewhat better labels for about twice the time.",
        bounds=(0, 2048),
    )
    window_stride: int = parameter(
        0,
        "From one window to the next, in pixels; 0: half a window. Where windows overlap, their scores' mean "
        "counts.",
        bounds=(0, 2048),
    )
    logit_scale: float = parameter(
        0.0,
        "Scale of the similarities before the softmax over classes; 0 takes the model's own.",
        bounds=(0, 1000),
    )


@dataclass(frozen=True)
class InputSettings:
    """How images come in."""

    transport: str = parameter(
        "raw",
        "raw reads sensor_msgs/Image on `image`; compressed reads CompressedImage on `image/compressed`.",
        choices=("raw", "compressed"),
        changes_until=Phase.INACTIVE,
    )
    reliability: str = parameter(
        "best_effort",
        "Reliability that the subscriptions ask for; best_effort matches every publisher.",
        choices=("best_effort", "reliable"),
        changes_until=Phase.INACTIVE,
    )
    rectified: bool = parameter(
        False,
        "The images are rectified: points follow P of camera_info, and its distortion is left out.",
    )
    depth_slop: float = parameter(
        0.02,
        "How far the stamp of a depth image may be from that of its colour image, in seconds.",
        bounds=(0, 1),
    )
    stale_after: float = parameter(
        3.0, "Diagnostics warn when no image came for this long, in seconds.", bounds=(0.1, 3600)
    )


@dataclass(frozen=True)
class OutputSettings:
    """What goes out."""

    size: str = parameter(
        "input",
        "Size of labels and confidence: that of the input image, or the working size that the model saw.",
        choices=("input", "model"),
    )
    smoothing: float = parameter(
        0.0,
        "Steady labels: the classes' probabilities are averaged over about so many last seconds, along the "
        "motion of the image; nothing older than five times this counts. 0: each image alone. 0.2 is a good "
        "start.",
        bounds=(0, 5),
    )
    overlay_alpha: float = parameter(
        0.5, "Strength of the colours in the overlay, 0 (image) to 1 (colours only).", bounds=(0, 1)
    )


@dataclass(frozen=True)
class VocabularySettings:
    """The words. What stands beside the file goes before what the file says."""

    file: str = parameter(
        "indoor",
        "A vocabulary file, or the name of one that ships with the package. Used where vocabulary.classes is "
        "empty. Setting it at run time empties classes, background and costs, and puts threshold and "
        "default_cost to -1.",
    )
    classes: tuple[str, ...] = parameter(
        (),
        "The classes; an entry may list synonyms: 'person; pedestrian'. Setting it at run time empties "
        "costs. Follows set_vocabulary.",
    )
    background: tuple[str, ...] = parameter(
        (),
        "Prompts for everything else; pixels that they win get the label 0. Follows set_vocabulary.",
    )
    threshold: float = parameter(
        -1.0,
        "Pixels whose class is less probable than this are unlabelled (255). Negative: what the file says, "
        "or else what was in force before, at first 0. Follows set_vocabulary.",
        bounds=(-1, 1),
    )
    costs: tuple[str, ...] = parameter(
        (),
        "What a planner pays for classes, 0 (free) to 254 (lethal): 'person: 254'; goes before the costs of "
        "the file, class by class. Follows set_vocabulary.",
    )
    default_cost: int = parameter(
        -1,
        "Cost of the background and of classes without their own. Negative: what the file says, else 0. "
        "Follows set_vocabulary.",
        bounds=(-1, 254),
    )
    templates: str = parameter(
        "auto",
        "Prompt templates: 80 (full), 7 (short) or one (plain); auto is plain for a model that reads short "
        "texts only, else full on CUDA and short on a CPU.",
        choices=("auto", "full", "short", "plain"),
    )


@dataclass(frozen=True)
class LocateSettings:
    """How the service `locate` answers."""

    threshold: float = parameter(
        0.4,
        "A thing is there where its score reaches this; 0.5 means that no other word fits better.",
        bounds=(0, 1),
    )
    max_age: float = parameter(
        1.0,
        "A frame that came longer ago than this is not searched while a newer one can be had, in seconds.",
        bounds=(0, 3600),
    )


@dataclass(frozen=True)
class Settings:
    """All parameters of the node at one moment."""

    model: ModelSettings = field(default_factory=ModelSettings)
    method: MethodSettings = field(default_factory=MethodSettings)
    input: InputSettings = field(default_factory=InputSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    vocabulary: VocabularySettings = field(default_factory=VocabularySettings)
    locate: LocateSettings = field(default_factory=LocateSettings)
    cameras: tuple[str, ...] = parameter(
        (),
        "Names of cameras that share the node: each reads <camera>/image and publishes ~/<camera>/labels and "
        "so on. Empty: one camera, on image and ~/labels.",
        changes_until=Phase.UNCONFIGURED,
        wrong=wrong_camera_name,
    )
    autostart: bool = parameter(
        True,
        "Configure and activate at start. Set it to false where a lifecycle manager owns the node.",
        changes_until=None,
    )

    @classmethod
    def from_values(cls, values: Mapping[str, Value]) -> "Settings":
        """Settings from full parameter names ("model.name"); what is missing keeps its default.

        Raises:
            ParameterError: a value of the wrong type or outside its range.
        """
        parts: dict[str, Any] = {}
        for group in fields(cls):
            if group.default is not MISSING:
                name = group.name
                if name in values:
                    parts[name] = SPECIFICATIONS[name].checked(values[name])
                continue
            kind = cast(type, group.default_factory)
            names = {entry.name: f"{group.name}.{entry.name}" for entry in fields(kind)}
            parts[group.name] = kind(
                **{
                    short: SPECIFICATIONS[full].checked(values[full])
                    for short, full in names.items()
                    if full in values
                }
            )
        return cls(**parts)

    @property
    def camera_names(self) -> tuple[str, ...]:
        """The names of all cameras; that of the only one is empty."""
        return self.cameras or ("",)

    def values(self) -> dict[str, Value]:
        """The settings as full parameter names and values."""
        found: dict[str, Value] = {}
        for name in SPECIFICATIONS:
            group, _, short = name.rpartition(".")
            found[name] = getattr(getattr(self, group) if group else self, short)
        return found


def _specifications() -> Iterator[Specification]:
    for group in fields(Settings):
        if group.default is not MISSING:
            yield Specification(name=group.name, default=cast(Value, group.default), **group.metadata)
            continue
        for entry in fields(cast(type, group.default_factory)):
            yield Specification(
                name=f"{group.name}.{entry.name}", default=cast(Value, entry.default), **entry.metadata
            )


SPECIFICATIONS: Mapping[str, Specification] = {entry.name: entry for entry in _specifications()}
