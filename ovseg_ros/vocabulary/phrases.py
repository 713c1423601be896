"""The text side of a vocabulary: what an entry may hold, and the key, colour and topic part of a name.

Everything here is a pure function of the text, so a name looks the same and is called the same in every run.
"""

import colorsys
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ovseg_ros.errors import OvsegError

MAX_PROMPT_LENGTH = 200

# With the node's name and "~/confidence/" in front, a ROS topic name may have 247 characters in all.
MAX_SLUG_LENGTH = 128

_FORBIDDEN_CATEGORIES = {"Cc": "control", "Cf": "invisible format", "Cs": "surrogate"}

# Colours are taken from a surface that goes around all hues and from light over vivid to dark, clear of black
# and of the grey of unlabelled pixels. The hues look about equally far apart (in plain HSV a third of the
# circle is green).
_HUES = (0, 22, 40, 56, 85, 135, 172, 195, 220, 248, 275, 300, 328, 360)
_SATURATIONS = (0.6, 0.95, 0.9)
_VALUES = (1.0, 0.95, 0.55)

# Which of the equally good hashes is taken: the one of some millions whose colours lie far apart for the
# words that fill most pictures (road, building, sky, tree, floor, wall, ...) and within the shipped
# vocabularies. Another value changes the colour of every class.
_COLOR_SEED = 1374675


class VocabularyError(OvsegError):
    """A vocabulary cannot be used; the message names the entry, what was expected and what to do."""


def quote(entry: object) -> str:
    """Show an entry in a message: in quotes, invisible characters escaped, shortened when long."""
    text = repr(entry)
    return text if len(text) <= 60 else f"{text[:45]}...{text[-1]}"


def parse_entry(entry: object, what: str) -> tuple[str, ...]:
    """Split the entry `"person; pedestrian"` into its prompts, white space tidied.

    `what` names the entry in messages, for example "class 3". Raises VocabularyError when the entry is not
    text, blank, longer than MAX_PROMPT_LENGTH characters as given, holds a control, format or surrogate
    character (they cannot be seen, so two different names would look alike), or has a blank part.
    """
    if not isinstance(entry, str):
        raise VocabularyError(
            f"{what} is {quote(entry)} ({type(entry).__name__}), expected text: write it in quotes"
        )
    if not entry.strip():
        raise VocabularyError(
            f"{what} {quote(entry)} is blank, expected a name such as 'road': fill it in or remove it"
        )
    if len(entry) > MAX_PROMPT_LENGTH:
        raise VocabularyError(
            f"{what} {quote(entry)} has {len(entry)} characters, expected at most {MAX_PROMPT_LENGTH}: "
            "use a shorter name or fewer synonyms"
        )
    for position, character in enumerate(entry, start=1):
        kind = _FORBIDDEN_CATEGORIES.get(unicodedata.category(character))
        if kind:
            raise VocabularyError(
                f"{what} {quote(entry)} has the {kind} character U+{ord(character):04X} at place {position}, "
                "expected visible characters and spaces: remove it"
            )
    parts = tuple(" ".join(part.split()) for part in entry.split(";"))
    if not all(parts):
        raise VocabularyError(
            f"{what} {quote(entry)} has a blank part, expected the form 'name; synonym': remove the extra ';'"
        )
    return parts


def label_key(name: str) -> str:
    """The form in which names are compared: Unicode NFKC, case-folded, single spaces."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def color_of(name: str) -> tuple[int, int, int]:
    """RGB (0..255) of a class. It depends on the name's key alone, never on the other classes."""
    digest = hashlib.sha256(f"{_COLOR_SEED} {label_key(name)}".encode()).digest()
    around, along = (int.from_bytes(part, "big") / 2**32 for part in (digest[:4], digest[4:8]))
    hue = _along(_HUES, around) / 360
    rgb = colorsys.hsv_to_rgb(hue, _along(_SATURATIONS, along), _along(_VALUES, along))
    red, green, blue = (round(255 * channel) for channel in rgb)
    return red, green, blue


def slugs_of(names: Sequence[str], ids: Sequence[int]) -> tuple[str, ...]:
    """The topic part of each class, unique within the vocabulary.

    Lower case, every character outside a-z and 0-9 as `_`, cut after MAX_SLUG_LENGTH characters. A name that
    would begin with a digit, or that has no such character at all, becomes `class_<id>`. Where two names give
    one slug, *each* of them gets its id added: which topic a class has then depends on the set of classes
    and not on their order.
    """
    slugs = [_plain_slug(name, class_id) for name, class_id in zip(names, ids, strict=True)]
    while len(set(slugs)) < len(slugs):
        # A slug with its id added can meet another class's name ("cone 3"); both then get theirs. Slugs that
        # end in their own ids cannot meet, so this ends.
        count = Counter(slugs)
        slugs = [
            f"{slug}_{class_id}" if count[slug] > 1 else slug
            for slug, class_id in zip(slugs, ids, strict=True)
        ]
    return tuple(slugs)


def _along(values: Sequence[float], place: float) -> float:
    """Linear interpolation at a place 0..1 of equally spaced values."""
    return float(np.interp(place * (len(values) - 1), range(len(values)), values))


def _plain_slug(name: str, class_id: int) -> str:
    slug = re.sub("[^a-z0-9]", "_", name.lower())[:MAX_SLUG_LENGTH]
    if slug[0].isdigit() or not slug.strip("_"):
        return f"class_{class_id}"
    return slug
