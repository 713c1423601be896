"""What cameras may be called, and what their topics are called after them."""

import re
from collections.abc import Sequence

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""One part of a ROS name, short enough to leave room for the rest."""


def wrong_camera_name(names: Sequence[str]) -> str | None:
    """What is wrong with the first of these names that cannot be; None where all can.

    Any other name will do. Each of a camera's topics has a part behind the camera's name, and none of the
    node's own topics under ``~/`` has (``~/vocabulary``): even a camera called vocabulary takes no name away.
    """
    for place, name in enumerate(names):
        if not NAME.fullmatch(name):
            return (
                f"entry {place + 1}, {name!r}, is no part of a ROS name: expected letters, digits and "
                "underscores, no digit first, at most 64"
            )
        if name in names[:place]:
            return f"entry {place + 1}, {name!r}, stands there twice; each camera has a name of its own"
    return None


def input_name(camera: str, name: str) -> str:
    """The name of one of a camera's inputs, before it is remapped: `image`, or `front/image`."""
    return f"{camera}/{name}" if camera else name


def output_prefix(camera: str) -> str:
    """What a camera's outputs begin with."""
    return f"~/{camera}/" if camera else "~/"
