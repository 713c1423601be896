"""The text side of a vocabulary: limits and checks of what people write, and what follows from a name.

Everything here is a pure function of the text, so a name has the same key, colour and topic in every run.
"""

import colorsys
import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import TypeVar

import numpy as np

from ovseg_ros.errors import OvsegError

Value = TypeVar("Value")

BACKGROUND_ID = 0
UNLABELLED_ID = 255
MAX_CLASSES = 254
MAX_BACKGROUND = 254

MAX_COST = 254
"""The cost of what a robot must not touch; costs are those of Nav2's costmaps."""

UNKNOWN_COST = 255

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


def parse_classes(classes: Sequence[str]) -> list[tuple[str, ...]]:
    """The prompts of each class: its name, then its synonyms. Raises VocabularyError."""
    _check_list(classes, "classes")
    if not classes:
        raise VocabularyError("the vocabulary has no class, expected at least one: add a name such as 'road'")
    if len(classes) > MAX_CLASSES:
        raise VocabularyError(
            f"the vocabulary has {len(classes)} classes, expected at most {MAX_CLASSES} (a label is one "
            "byte, 0 and 255 have a meaning of their own): remove some, or make them synonyms"
        )
    return [parse_entry(entry, f"class {place}") for place, entry in enumerate(classes, start=1)]


def parse_background(background: Sequence[str]) -> tuple[str, ...]:
    """The background prompts, entries split at semicolons. Raises VocabularyError."""
    _check_list(background, "background")
    prompts = tuple(
        prompt
        for place, entry in enumerate(background, start=1)
        for prompt in parse_entry(entry, f"background prompt {place}")
    )
    if len(prompts) > MAX_BACKGROUND:
        raise VocabularyError(
            f"the vocabulary has {len(prompts)} background prompts, expected at most {MAX_BACKGROUND}: "
            "remove some"
        )
    return prompts


def _check_list(value: object, what: str) -> None:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise VocabularyError(
            f"{what} is {quote(value)} ({type(value).__name__}), expected a list of texts: "
            "write ['road', 'car']"
        )


def check_unique(entries: Sequence[tuple[str, ...]], background: Sequence[str]) -> None:
    """Raise VocabularyError where a text stands twice."""
    seen: dict[str, str] = {}
    described = [
        (
            prompt,
            f"class {place} {quote(prompt)}"
            if prompt is entry[0]
            else f"synonym {quote(prompt)} of class {place} {quote(entry[0])}",
        )
        for place, entry in enumerate(entries, start=1)
        for prompt in entry
    ]
    described += [(prompt, f"background prompt {quote(prompt)}") for prompt in background]
    for prompt, description in described:
        first = seen.setdefault(label_key(prompt), description)
        if first is not description:
            raise VocabularyError(
                f"{description} is a duplicate of {first}, expected every text once (capitals and spaces do "
                "not count): remove one of the two"
            )


def check_ids(entries: Sequence[tuple[str, ...]], ids: Sequence[int | None]) -> list[int | None]:
    """The ids that are fixed, None where one is to be assigned. Raises VocabularyError."""
    if len(ids) == 0:
        return [None] * len(entries)
    if len(ids) != len(entries):
        raise VocabularyError(
            f"{len(entries)} classes came with {len(ids)} ids, expected one id a class: give them all, or "
            "none to have them assigned"
        )
    owner: dict[int, str] = {}
    fixed: list[int | None] = []
    for place, ((name, *_), number) in enumerate(zip(entries, ids, strict=True), start=1):
        what = f"class {place} {quote(name)}"
        if number is None:
            fixed.append(None)
            continue
        if isinstance(number, bool) or not isinstance(number, Integral):
            raise VocabularyError(f"the id of {what} is {quote(number)}, expected a whole number 1..254")
        number = int(number)
        if not 1 <= number <= MAX_CLASSES:
            meanings = {BACKGROUND_ID: "kept for background", UNLABELLED_ID: "kept for unlabelled pixels"}
            problem = meanings.get(number, "out of range")
            raise VocabularyError(f"the id {number} of {what} is {problem}, expected 1..254: choose another")
        if owner.setdefault(number, what) is not what:
            raise VocabularyError(
                f"the id {number} is given to {owner[number]} and to {what}, expected every id once: "
                "choose another for one of them"
            )
        fixed.append(number)
    return fixed


def check_threshold(value: float, what: str) -> float:
    """A threshold 0..1. Raises VocabularyError for anything else; `what` names it."""
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value) or not 0 <= value <= 1:
        raise VocabularyError(f"{what} is {quote(value)}, expected a number 0..1 (0 labels every pixel)")
    return float(value)


def check_cost(value: int, what: str) -> int:
    """A cost 0..254. Raises VocabularyError for anything else; `what` names it."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= value <= MAX_COST:
        raise VocabularyError(f"{what} is {quote(value)}, expected a whole number 0 (free) .. 254 (lethal)")
    return int(value)


def check_own(
    entries: Sequence[tuple[str, ...]],
    values: Mapping[str, Value],
    kind: str,
    check: Callable[[Value, str], Value],
) -> dict[str, Value]:
    """The thresholds or costs of single classes by label key, checked. Raises VocabularyError."""
    keys = {label_key(entry[0]) for entry in entries}
    for name in values:
        if label_key(name) not in keys:
            raise VocabularyError(
                f"a {kind} is given for {quote(name)}, expected the name of a class of this vocabulary: "
                f"correct the name or remove the {kind}"
            )
    return {
        label_key(name): check(value, f"the {kind} of class {quote(name)}") for name, value in values.items()
    }


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
