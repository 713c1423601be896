"""Open-vocabulary dense prediction from a frozen CLIP, without training. Nothing of ROS is needed here.

`public` lists what there is. It is imported when the first of its names is asked for: torch and open_clip
take seconds to import, and the configurations (`ovseg_ros.clipseg.config`) need neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ovseg_ros.clipseg import waiting  # noqa: F401

if TYPE_CHECKING:
    from ovseg_ros.clipseg.public import *  # noqa: F403


def __getattr__(name: str) -> object:
    """A public name, from `public` (PEP 562)."""
    if name.startswith("_") or name in ("config", "public"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("ovseg_ros.clipseg.public"), name)
