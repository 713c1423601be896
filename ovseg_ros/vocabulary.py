"""What a vocabulary is: classes with synonyms, background prompts, thresholds, stable ids and colours.

Plain Python without ROS and without torch. The node, the command line and the evaluation all make their
vocabularies with a `VocabularyBuilder`, so the same text is accepted or refused everywhere.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from ovseg_ros.vocabulary_files import find_vocabulary, read_vocabulary, shipped_vocabularies
from ovseg_ros.vocabulary_text import (
    MAX_PROMPT_LENGTH,
    VocabularyError,
    color_of,
    label_key,
    parse_entry,
    quote,
    slugs_of,
)

__all__ = [
    "BACKGROUND_ID",
    "MAX_BACKGROUND",
    "MAX_CLASSES",
    "MAX_PROMPT_LENGTH",
    "UNLABELLED_ID",
    "Vocabulary",
    "VocabularyBuilder",
    "VocabularyClass",
    "VocabularyError",
    "load_vocabulary",
    "shipped_vocabularies",
]

BACKGROUND_ID = 0
UNLABELLED_ID = 255
MAX_CLASSES = 254
MAX_BACKGROUND = 254

BACKGROUND_COLOR = (0, 0, 0)
UNLABELLED_COLOR = (128, 128, 128)


@dataclass(frozen=True)
class VocabularyClass:
    """One class: its id (1..254), its name, other words for it, and what follows from the name.

    `synonyms` are the words beyond the name; `color` is RGB, 0..255; `slug` is the last part of its
    confidence topic; `threshold` is its own threshold (0..1), None where the vocabulary's applies.
    """

    id: int
    name: str
    synonyms: tuple[str, ...]
    color: tuple[int, int, int]
    slug: str
    threshold: float | None = None

    @property
    def prompts(self) -> tuple[str, ...]:
        """The name and its synonyms; the class scores the maximum over them."""
        return (self.name, *self.synonyms)


@dataclass(frozen=True)
class Vocabulary:
    """The classes in the caller's order, the background prompts, and the threshold (0..1) below which a pixel
    stays unlabelled. `revision` counts the vocabularies of one builder from 1."""

    classes: tuple[VocabularyClass, ...]
    background: tuple[str, ...] = ()
    threshold: float = 0.0
    revision: int = 0

    def by_id(self, class_id: int) -> VocabularyClass:
        """The class with this id. Raises VocabularyError where there is none."""
        for cls in self.classes:
            if cls.id == class_id:
                return cls
        known = ", ".join(str(cls.id) for cls in self.classes)
        raise VocabularyError(f"no class has the id {class_id}, expected one of: {known}")

    def by_name(self, name: str) -> VocabularyClass:
        """The class with this name or synonym, compared as labels are. Raises VocabularyError for none."""
        key = label_key(name)
        for cls in self.classes:
            if any(label_key(prompt) == key for prompt in cls.prompts):
                return cls
        known = ", ".join(quote(cls.name) for cls in self.classes)
        raise VocabularyError(f"no class is called {quote(name)}, expected one of: {known}")

    def threshold_of(self, cls: VocabularyClass) -> float:
        """The threshold (0..1) that applies to a class: its own, else the vocabulary's."""
        return self.threshold if cls.threshold is None else cls.threshold

    def palette(self) -> np.ndarray:
        """RGB by id, uint8 [256, 3]: background and unused ids black, unlabelled grey."""
        palette = np.full((256, 3), BACKGROUND_COLOR, dtype=np.uint8)
        palette[UNLABELLED_ID] = UNLABELLED_COLOR
        for cls in self.classes:
            palette[cls.id] = cls.color
        return palette


class VocabularyBuilder:
    """Makes vocabularies and keeps the ids of labels stable; one for the life of a node. Not thread-safe.

    Ids: a label (a class name, compared by `label_key`) keeps the id it was first given, whatever
    vocabularies come between. A new label gets the lowest number that was never handed out. An id that the
    caller fixes counts from that call on; the number that the label had before stays its own as well, so that
    a number never means two labels. Only when all 254 have been handed out does a number change hands, the
    one unused for longest first, and never one that a label of the same vocabulary holds.
    """

    def __init__(self) -> None:
        self._holders: dict[int, str] = {}  # id -> label key, least recently used first
        self._threshold = 0.0
        self._revision = 0

    def build(
        self,
        classes: Sequence[str],
        ids: Sequence[int | None] = (),
        background: Sequence[str] = (),
        threshold: float | None = None,
        thresholds: Mapping[str, float] | None = None,
    ) -> Vocabulary:
        """Check the entries and make the next vocabulary.

        `classes`: one entry a class, `"person; pedestrian"` for a name with synonyms. `ids`: empty, or one a
        class, None where it is to be assigned. `background`: prompts that win a pixel for id 0; the parts of
        an entry with ';' are prompts of their own. `threshold`: 0..1, None keeps that of the vocabulary
        before (0.0 at first). `thresholds`: class name to its own threshold.

        Raises VocabularyError, and then the builder is as before.
        """
        entries = _parse_classes(classes)
        background_prompts = _parse_background(background)
        _check_unique(entries, background_prompts)
        fixed = _check_ids(entries, ids)
        keep = self._threshold if threshold is None else _check_threshold(threshold, "the threshold")
        own = _check_thresholds(entries, thresholds or {})

        holders = dict(self._holders)
        numbers = _assign_ids(holders, [entry[0] for entry in entries], fixed)
        slugs = slugs_of([entry[0] for entry in entries], numbers)

        self._holders, self._threshold, self._revision = holders, keep, self._revision + 1
        return Vocabulary(
            classes=tuple(
                VocabularyClass(number, name, tuple(synonyms), color_of(name), slug, own.get(label_key(name)))
                for (name, *synonyms), number, slug in zip(entries, numbers, slugs, strict=True)
            ),
            background=background_prompts,
            threshold=keep,
            revision=self._revision,
        )


def load_vocabulary(
    source: str | Path,
    builder: VocabularyBuilder,
    *,
    background: Sequence[str] | None = None,
    threshold: float | None = None,
) -> Vocabulary:
    """Build the vocabulary of a file (YAML, or .txt with a class a line) or of a shipped name ("indoor").

    `background` and `threshold` take the place of the file's where given. Raises VocabularyError.
    """
    path = find_vocabulary(source)
    content = read_vocabulary(path)
    try:
        return builder.build(
            content.classes,
            content.ids,
            content.background if background is None else background,
            content.threshold if threshold is None else threshold,
            content.thresholds,
        )
    except VocabularyError as error:
        raise VocabularyError(f"{path}: {error}") from error


def _parse_classes(classes: Sequence[str]) -> list[tuple[str, ...]]:
    _check_list(classes, "classes")
    if not classes:
        raise VocabularyError("the vocabulary has no class, expected at least one: add a name such as 'road'")
    if len(classes) > MAX_CLASSES:
        raise VocabularyError(
            f"the vocabulary has {len(classes)} classes, expected at most {MAX_CLASSES} (a label is one "
            "byte, 0 and 255 have a meaning of their own): remove some, or make them synonyms"
        )
    return [parse_entry(entry, f"class {place}") for place, entry in enumerate(classes, start=1)]


def _parse_background(background: Sequence[str]) -> tuple[str, ...]:
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


def _check_unique(entries: Sequence[tuple[str, ...]], background: Sequence[str]) -> None:
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


def _check_ids(entries: Sequence[tuple[str, ...]], ids: Sequence[int | None]) -> list[int | None]:
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
        if number in (BACKGROUND_ID, UNLABELLED_ID):
            meaning = "background" if number == BACKGROUND_ID else "unlabelled pixels"
            raise VocabularyError(
                f"the id {number} of {what} is kept for {meaning}, expected 1..254: choose another"
            )
        if not 1 <= number <= MAX_CLASSES:
            raise VocabularyError(
                f"the id {number} of {what} is out of range, expected 1..254: choose another"
            )
        if owner.setdefault(number, what) is not what:
            raise VocabularyError(
                f"the id {number} is given to {owner[number]} and to {what}, expected every id once: "
                "choose another for one of them"
            )
        fixed.append(number)
    return fixed


def _check_threshold(value: float, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value) or not 0 <= value <= 1:
        raise VocabularyError(f"{what} is {quote(value)}, expected a number 0..1 (0 labels every pixel)")
    return float(value)


def _check_thresholds(
    entries: Sequence[tuple[str, ...]], thresholds: Mapping[str, float]
) -> dict[str, float]:
    keys = {label_key(entry[0]) for entry in entries}
    for name in thresholds:
        if label_key(name) not in keys:
            raise VocabularyError(
                f"a threshold is given for {quote(name)}, expected the name of a class of this vocabulary: "
                "correct the name or remove the threshold"
            )
    return {
        label_key(name): _check_threshold(value, f"the threshold of class {quote(name)}")
        for name, value in thresholds.items()
    }


def _assign_ids(holders: dict[int, str], names: Sequence[str], fixed: Sequence[int | None]) -> list[int]:
    """Give each label its id and mark it as used last in `holders` (id -> label key, changed in place)."""
    known = {key: number for number, key in holders.items()}  # a label with two ids: the one used last
    keys = [label_key(name) for name in names]
    kept = {known.get(key) for key, number in zip(keys, fixed, strict=True) if number is None}
    exhausted = len(holders) == MAX_CLASSES
    for name, key, number in zip(names, keys, fixed, strict=True):
        holder = key if number is None else holders.get(number, key)
        if holder != key and (not exhausted or number in kept):
            raise VocabularyError(
                f"the id {number} of class {quote(name)} belongs to {quote(holder)} for the life of this "
                "node, expected one that no other label had: choose another, or leave the ids out"
            )
    numbers = [known.get(key) if number is None else number for key, number in zip(keys, fixed, strict=True)]
    taken = {number for number in numbers if number is not None}
    unused = [number for number in range(1, MAX_CLASSES + 1) if number not in holders and number not in taken]
    free = iter(unused + [number for number in holders if number not in taken])
    assigned = [next(free) if number is None else number for number in numbers]
    for key, number in zip(keys, assigned, strict=True):
        holders.pop(number, None)
        holders[number] = key
    return assigned
