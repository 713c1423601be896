"""Every parameter of the node: the engine's configuration, and what only the node has."""

import re
from dataclasses import dataclass, field

from ovseg_ros.clipseg.config import MethodConfig, ModelConfig, OutputConfig
from ovseg_ros.config import Value, option
from ovseg_ros.vocabulary.config import VocabularyConfig

_CAMERA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""One part of a ROS name, short enough to leave room for the rest."""


def _wrong_camera_name(names: Value) -> str | None:
    """What is wrong with the first name that a camera cannot have; None where all are possible.

    Any name of this form will do. All of a camera's topics are below its name, and none of the node's own
    topics (``~/vocabulary``) has a level below it: a camera called vocabulary takes no name away.
    """
    assert isinstance(names, tuple)
    for place, name in enumerate(names):
        if not _CAMERA_NAME.fullmatch(name):
            return (
                f"entry {place + 1}, {name!r}, is no part of a ROS name: expected letters, digits and "
                "underscores, no digit first, at most 64"
            )
        if name in names[:place]:
            return f"entry {place + 1}, {name!r}, is there twice; each camera needs a name of its own"
    return None


@dataclass(frozen=True)
class InputConfig:
    """How images come in."""

    transport: str = option(
        "raw",
        "raw reads sensor_msgs/Image on image; compressed reads CompressedImage on image/compressed.",
        choices=("raw", "compressed"),
        changes="inactive",
    )
    reliability: str = option(
        "best_effort",
        "Reliability that the subscriptions ask for. best_effort fits every publisher; reliable asks for "
        "every frame.",
        choices=("best_effort", "reliable"),
        changes="inactive",
    )
    rectified: bool = option(
        False,
        "The images are rectified: points follow P of camera_info, and its distortion is ignored.",
    )
    depth_slop: float = option(
        0.02,
        "Largest difference between the stamps of a depth image and its colour image.",
        bounds=(0, 1),
        unit="s",
    )
    stale_after: float = option(
        3.0, "Diagnostics warn when no image has come for this long.", bounds=(0.1, 3600), unit="s"
    )


@dataclass(frozen=True)
class LocateConfig:
    """How the service locate answers."""

    threshold: float = option(
        0.4,
        "A thing counts as found where its score reaches this; 0.5 means that no other word fits better.",
        bounds=(0, 1),
    )
    max_age: float = option(
        1.0,
        "A frame that is older than this is searched only where no newer one can be had.",
        bounds=(0, 3600),
        unit="s",
    )


@dataclass(frozen=True)
class Settings:
    """All parameters of the node at one moment."""

    autostart: bool = option(
        True,
        "Configure and activate at start. Set it to false where a lifecycle manager owns the node.",
        changes="never",
    )
    cameras: tuple[str, ...] = option(
        (),
        'Names of cameras that share the node and its model: ["front", "rear"] reads front/image, '
        "front/camera_info and front/depth and publishes ~/front/labels and so on, likewise for rear. Frames "
        "that wait at the same time are one batch. Empty: one camera, on image and ~/labels.",
        changes="unconfigured",
        check=_wrong_camera_name,
    )
    model: ModelConfig = field(default_factory=ModelConfig)
    method: MethodConfig = field(default_factory=MethodConfig)
    input: InputConfig = field(default_factory=InputConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    locate: LocateConfig = field(default_factory=LocateConfig)

    @property
    def camera_names(self) -> tuple[str, ...]:
        """The names of all cameras; that of the only one is empty."""
        return self.cameras or ("",)
