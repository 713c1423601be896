"""What a vocabulary may hold: the limits, and the checks of what people write."""

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import TypeVar

from ovseg_ros.vocabulary.phrases import VocabularyError, label_key, parse_entry, quote

Value = TypeVar("Value")

BACKGROUND_ID = 0
UNLABELLED_ID = 255
MAX_CLASSES = 254
MAX_BACKGROUND = 254

MAX_COST = 254
"""The cost of what a robot must not touch; costs are those of Nav2's costmaps."""

UNKNOWN_COST = 255


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
