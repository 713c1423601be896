"""Captions built from what is visible in a picture, and from nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.catalogue import KINDS, Kind
from training.render import RenderedFrame
from training.world import UNSEEN

LEAST_SHARE = 0.02
"""Share of a picture's pixels that something must cover to be named."""

NOTED_SHARE = 0.004
"""Share from which on a picture is no counter-example to a caption that names the thing."""

MOST_NAMED = 4
"""Things named in one caption; the tokens of a small text tower are few."""

_COUNTS = (0.5, 0.25, 0.15, 0.1)
"""How often a caption names one, two, three and four things."""

_KIND_BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Seen:
    """Something visible in a picture.

    Attributes:
        kind: name of its kind.
        adjective: word for its colour or material, or None.
        share: of the picture's pixels, 0..1.
    """

    kind: str
    adjective: str | None
    share: float


def what_is_seen(frame: RenderedFrame, area: tuple[int, int, int, int] | None = None) -> list[Seen]:
    """What covers at least `NOTED_SHARE` of a frame, or of a part of it, the largest first.

    Instances of one kind and one adjective count together.

    Args:
        frame: the frame.
        area: left, top, width, height of the part, pixels.
    """
    instances = frame.instances
    if area is not None:
        left, top, width, height = area
        instances = instances[top : top + height, left : left + width]
    shares: dict[tuple[str, str | None], float] = {}
    for number, count in zip(*np.unique(instances, return_counts=True), strict=True):
        if number == UNSEEN:
            key: tuple[str, str | None] = ("sky", None)
        else:
            instance = frame.scene.instances[number]
            key = (instance.kind, instance.adjective)
        shares[key] = shares.get(key, 0.0) + float(count) / instances.size
    seen = [
        Seen(kind, adjective, share) for (kind, adjective), share in shares.items() if share >= NOTED_SHARE
    ]
    return sorted(seen, key=lambda entry: (-entry.share, entry.kind, entry.adjective or ""))


Meaning = frozenset[tuple[str, str | None]]


@dataclass(frozen=True)
class Caption:
    """A caption, and what it claims whatever the wording: kinds, each with an adjective or None."""

    text: str
    meaning: Meaning


def facts(seen: Sequence[Seen]) -> Meaning:
    """Everything that can be claimed of a picture: a caption is true of it if its meaning is part of this."""
    return frozenset((entry.kind, adjective) for entry in seen for adjective in (entry.adjective, None))


def write_caption(seen: Sequence[Seen], rng: np.random.Generator, *, full: bool = False) -> Caption:
    """A caption of one to `MOST_NAMED` of what covers at least `LEAST_SHARE`, in one of several wordings.

    What is larger is named more often; synonyms and adjectives come and go. A `full` caption names as many as
    it may.

    Raises:
        ValueError: nothing is seen.
    """
    large = [entry for entry in seen if entry.share >= LEAST_SHARE]
    if not large:
        raise ValueError("a caption needs something that is seen")
    weights = np.sqrt([entry.share for entry in large])
    count = min(len(large), MOST_NAMED if full else int(rng.choice(MOST_NAMED, p=_COUNTS)) + 1)
    named = rng.choice(len(large), count, replace=False, p=weights / weights.sum())
    said = dict.fromkeys(
        (large[place].kind, large[place].adjective if rng.random() < 0.5 else None) for place in named
    )
    phrases = [_phrase(kind, adjective, rng) for kind, adjective in said]
    text = ", ".join(phrases)
    if len(phrases) > 1 and rng.random() < 0.5:
        text = ", ".join(phrases[:-1]) + " and " + phrases[-1]
    if rng.random() < 0.6:
        text = f"a photo of a {text}."
    return Caption(text, frozenset(said))


def _phrase(name: str, adjective: str | None, rng: np.random.Generator) -> str:
    kind = _KIND_BY_NAME[name]
    word = kind.name
    if kind.synonyms and rng.random() < 0.3:
        word = kind.synonyms[rng.integers(len(kind.synonyms))]
    return f"{adjective} {word}" if adjective else word
