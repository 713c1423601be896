"""The words of a replay: given by the user, taken from the bag's ground truth, or said in another way."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovseg_ros.runs.prompts import OTHER_WORDS
from ovseg_ros.vocabulary import (
    BACKGROUND_ID,
    UNLABELLED_ID,
    VocabularyBuilder,
    VocabularyError,
    load_vocabulary,
)
from ovseg_ros.vocabulary.files import find_vocabulary, read_vocabulary
from ovseg_ros.vocabulary.phrases import label_key

_FEW = 3


@dataclass(frozen=True)
class Words:
    """A vocabulary before any node has given it ids; `file` is where it stands, if in a file.

    The fields mean what they mean in SetVocabulary; no threshold (None) keeps the one in force.
    """

    classes: tuple[str, ...]
    background: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    threshold: float | None = None
    file: Path | None = None

    def parameters(self) -> dict[str, Any]:
        """Parameters with which a node starts in these words."""
        if self.file is not None:
            return {"vocabulary.file": str(self.file)}
        found: dict[str, Any] = {"vocabulary.classes": list(self.classes)}
        if self.background:
            found["vocabulary.background"] = list(self.background)
        return found

    def fields(self) -> dict[str, Any]:
        """The fields of a SetVocabulary request."""
        return {
            "classes": list(self.classes),
            "ids": list(self.ids),
            "background": list(self.background),
            "threshold": -1.0 if self.threshold is None else float(self.threshold),
        }


def read_words(text: str) -> Words:
    """Words from a vocabulary file, a shipped name, or written out: "road, person; pedestrian, car".

    Raises VocabularyError, also for what no node would accept.
    """
    looks_like_file = "/" in text or Path(text).suffix.lower() in (".yaml", ".yml", ".txt")
    try:
        path = find_vocabulary(text)
    except VocabularyError:
        if looks_like_file:
            raise
        words = Words(tuple(entry.strip() for entry in text.split(",")))
        VocabularyBuilder().build(words.classes)
        return words
    vocabulary = load_vocabulary(path, VocabularyBuilder())
    content = read_vocabulary(path)
    fixed = content.ids if content.ids and all(number is not None for number in content.ids) else ()
    entries = tuple("; ".join(entry.prompts) for entry in vocabulary.classes)
    return Words(entries, vocabulary.background, tuple(fixed), content.threshold, path.resolve())


def truth_words(names: Mapping[int, str]) -> Words:
    """The ground truth's own names, but for those of background (0) and void (255)."""
    found = {label_key(name): name for number, name in sorted(names.items()) if _is_class(number)}
    return Words(tuple(found.values()))


def other_words(words: Words) -> Words:
    """The same classes under other names, the first ones as synonyms: "pavement" as "sidewalk; pavement".

    Where fewer than half of the names are known by another, the first three classes alone, and what was
    asked for besides as background.
    """
    names = [entry.split(";")[0].strip() for entry in words.classes]
    taken = {label_key(part) for entry in words.classes for part in entry.split(";")}
    entries: list[str] = []
    changed = 0
    for name, entry in zip(names, words.classes, strict=True):
        other = OTHER_WORDS.get(label_key(name))
        if other is None or label_key(other) in taken:
            entries.append(entry)
        else:
            taken.add(label_key(other))
            entries.append(f"{other}; {entry}")
            changed += 1
    if 2 * changed >= len(names) or len(names) <= _FEW:
        return Words(tuple(entries), words.background)
    return Words(words.classes[:_FEW], (*words.background, *names[_FEW:]))


def _is_class(number: int) -> bool:
    return number not in (BACKGROUND_ID, UNLABELLED_ID)
