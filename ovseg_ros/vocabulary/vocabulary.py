"""What a vocabulary is: classes with synonyms, background prompts, thresholds, costs, stable ids and colours.

Everything makes its vocabularies with a `VocabularyBuilder`: the same text is accepted or refused everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ovseg_ros.vocabulary.config import VocabularyConfig
from ovseg_ros.vocabulary.files import VocabularyContent, find_vocabulary, read_vocabulary
from ovseg_ros.vocabulary.phrases import (
    MAX_CLASSES,
    UNLABELLED_ID,
    VocabularyError,
    check_cost,
    check_ids,
    check_own,
    check_threshold,
    check_unique,
    color_of,
    label_key,
    parse_background,
    parse_classes,
    quote,
    slugs_of,
)

BACKGROUND_COLOR = (0, 0, 0)
UNLABELLED_COLOR = (128, 128, 128)


@dataclass(frozen=True)
class VocabularyClass:
    """One class: its id (1..254), its name, other words for it, and what follows from the name.

    `synonyms` are the words beyond the name; `color` is RGB, 0..255; `slug` is the last part of its
    confidence topic; `threshold` is its own threshold (0..1) and `cost` what a planner pays for it (0 free to
    254 lethal), each None where the vocabulary's applies.
    """

    id: int
    name: str
    synonyms: tuple[str, ...]
    color: tuple[int, int, int]
    slug: str
    threshold: float | None = None
    cost: int | None = None

    @property
    def prompts(self) -> tuple[str, ...]:
        """The name and its synonyms; the class scores the maximum over them."""
        return (self.name, *self.synonyms)


@dataclass(frozen=True)
class Vocabulary:
    """The classes in the caller's order, the background prompts, the threshold (0..1) below which a pixel
    stays unlabelled, and the cost (0..254) of the background and of classes without their own. `revision`
    counts the vocabularies of one builder from 1."""

    classes: tuple[VocabularyClass, ...]
    background: tuple[str, ...] = ()
    threshold: float = 0.0
    revision: int = 0
    default_cost: int = 0

    @property
    def has_costs(self) -> bool:
        """Whether any class has a cost of its own."""
        return any(cls.cost is not None for cls in self.classes)

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

    def cost_of(self, cls: VocabularyClass) -> int:
        """The cost (0..254) that applies to a class: its own, else the vocabulary's."""
        return self.default_cost if cls.cost is None else cls.cost

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
        costs: Mapping[str, int] | None = None,
        default_cost: int = 0,
    ) -> Vocabulary:
        """Check the entries and make the next vocabulary.

        `classes`: one entry a class, `"person; pedestrian"` for a name with synonyms. `ids`: empty, or one a
        class, None where it is to be assigned. `background`: prompts that win a pixel for id 0; the parts of
        an entry with ';' are prompts of their own. `threshold`: 0..1, None keeps that of the vocabulary
        before (0.0 at first). `thresholds` and `costs`: class name to its own threshold or cost (0..254).
        `default_cost`: of the background, and of classes without a cost of their own.

        Raises VocabularyError, and then the builder is as before.
        """
        entries = parse_classes(classes)
        background_prompts = parse_background(background)
        check_unique(entries, background_prompts)
        fixed = check_ids(entries, ids)
        keep = self._threshold if threshold is None else check_threshold(threshold, "the threshold")
        own_thresholds = check_own(entries, thresholds or {}, "threshold", check_threshold)
        own_costs = check_own(entries, costs or {}, "cost", check_cost)
        default_cost = check_cost(default_cost, "the default cost")

        names = [entry[0] for entry in entries]
        keys = list(map(label_key, names))
        holders = dict(self._holders)
        numbers = _assign_ids(holders, names, keys, fixed)
        slugs = slugs_of(names, numbers)

        self._holders, self._threshold, self._revision = holders, keep, self._revision + 1
        return Vocabulary(
            classes=tuple(
                VocabularyClass(
                    id=number,
                    name=name,
                    synonyms=tuple(synonyms),
                    color=color_of(name),
                    slug=slug,
                    threshold=own_thresholds.get(key),
                    cost=own_costs.get(key),
                )
                for (name, *synonyms), key, number, slug in zip(entries, keys, numbers, slugs, strict=True)
            ),
            background=background_prompts,
            threshold=keep,
            revision=self._revision,
            default_cost=default_cost,
        )


def build_vocabulary(
    config: VocabularyConfig, builder: VocabularyBuilder, *, threshold: float | None = None
) -> Vocabulary:
    """Build the vocabulary that a configuration describes: its classes, else its file.

    Args:
        config: the words. What it gives beside a file takes the place of the file's; costs do so class by
            class.
        builder: keeps the ids.
        threshold: of classes without a file, where the configuration has none; None: the builder's last one.

    Raises:
        VocabularyError: an entry is wrong, or there are neither classes nor a file; the builder is as before.
    """
    path = None
    if config.classes:
        content = VocabularyContent(list(config.classes), threshold=threshold)
    elif config.file:
        path = find_vocabulary(config.file)
        content = read_vocabulary(path)
    else:
        raise VocabularyError(
            "there is no vocabulary: set vocabulary.classes, vocabulary.file, or call set_vocabulary"
        )
    if config.background:
        content.background = config.background
    if config.threshold >= 0:
        content.threshold = config.threshold
    if config.default_cost >= 0:
        content.default_cost = config.default_cost
    content.costs |= map(_cost_entry, config.costs)
    try:
        return builder.build(**vars(content))
    except VocabularyError as error:
        raise VocabularyError(f"{path}: {error}" if path else str(error)) from error


def _cost_entry(entry: str) -> tuple[str, int]:
    """Name and cost of an entry of `VocabularyConfig.costs`."""
    name, _, cost = entry.rpartition(":")
    if not name.strip() or not cost.strip().isdecimal():
        raise VocabularyError(
            f"the entry {quote(entry)} of vocabulary.costs is not of the form 'person: 254', expected the "
            "name of a class and a whole number 0..254"
        )
    return name, int(cost)


def _assign_ids(
    holders: dict[int, str], names: Sequence[str], keys: Sequence[str], fixed: Sequence[int | None]
) -> list[int]:
    """Give each label its id and mark it as used last in `holders` (id -> label key, changed in place)."""
    known = {key: number for number, key in holders.items()}  # a label with two ids: the one used last
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
