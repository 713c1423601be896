"""A scene from a seed, and which split it belongs to."""

import hashlib

import numpy as np

from training.draft import Draft
from training.errors import SceneError
from training.families import FAMILIES
from training.scene import SEEDS, SPLITS, Scene, Split

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
