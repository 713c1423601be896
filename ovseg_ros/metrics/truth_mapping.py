"""Which class of a vocabulary each class of the ground truth belongs to."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import UInt8

from ovseg_ros.errors import OvsegError
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary, VocabularyError
from ovseg_ros.vocabulary.phrases import label_key, quote

IGNORE = "ignore"
BACKGROUND = "background"


class MappingError(OvsegError):
    """A mapping from the truth's names to a vocabulary that cannot be used."""


@dataclass(frozen=True)
class TruthMapping:
    """Which class of a vocabulary each class of the ground truth belongs to.

    `groups` has, for each vocabulary id that claims a part of the truth, the truth ids that it claims;
    `names` the truth's names by id; `ignored` the names that no class claims: their pixels do not count.
    """

    groups: dict[int, tuple[int, ...]]
    names: dict[int, str]
    ignored: tuple[str, ...]

    @classmethod
    def by_name(
        cls, names: Mapping[int, str], vocabulary: Vocabulary, given: Mapping[str, str] | None = None
    ) -> "TruthMapping":
        """Match by name: a truth class belongs to the vocabulary class whose name or synonym it equals
        (but for case and white space), else to the background where a background prompt equals it.

        What `given` says of a truth name takes precedence: a class (its name or a synonym), "background" or
        "ignore". Raises MappingError where it names what the truth or the vocabulary has not.
        """
        owners: dict[str, int | None] = {label_key(prompt): BACKGROUND_ID for prompt in vocabulary.background}
        for entry in vocabulary.classes:
            owners.update({label_key(prompt): entry.id for prompt in entry.prompts})
        owners.update(_owners(given or {}, names, vocabulary))
        groups: dict[int, list[int]] = {}
        ignored = []
        for truth_id, name in sorted(names.items()):
            owner = owners.get(label_key(name))
            if owner is None or truth_id == UNLABELLED_ID:
                ignored.append(name)
            else:
                groups.setdefault(owner, []).append(truth_id)
        return cls({owner: tuple(ids) for owner, ids in groups.items()}, dict(names), tuple(ignored))

    @cached_property
    def table(self) -> UInt8[np.ndarray, "256"]:
        """The vocabulary's id of each truth id, 255 where no class claims it; to be indexed with truth."""
        table = np.full(256, UNLABELLED_ID, np.uint8)
        for owner, ids in self.groups.items():
            table[list(ids)] = owner
        return table

    def group_name(self, owner: int) -> str:
        """The truth's words for what a vocabulary id claims: "car", or "car + truck"."""
        return " + ".join(self.names[i] for i in self.groups[owner])


def read_mapping(path: Path) -> dict[str, str]:
    """A mapping file: YAML with a line a truth name, `pedestrian: person`; `sky: background` gives it to the
    background, `tunnel: ignore` (or nothing behind the colon) leaves its pixels out.

    Raises MappingError where the file cannot be read or has not this form.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MappingError(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(data, dict) or not data:
        raise MappingError(f"{path} holds {quote(data)}; expected lines such as 'pedestrian: person'")
    found = {}
    for name, target in data.items():
        target = IGNORE if target is None else target
        if not isinstance(name, str) or not isinstance(target, str):
            raise MappingError(
                f"{path} maps {quote(name)} to {quote(target)}; expected two names (put what looks like a "
                "number or a date in quotes)"
            )
        found[name] = target
    return found


def _owners(
    given: Mapping[str, str], names: Mapping[int, str], vocabulary: Vocabulary
) -> dict[str, int | None]:
    known = {label_key(name) for name in names.values()}
    owners: dict[str, int | None] = {}
    for name, target in given.items():
        if label_key(name) not in known:
            near = difflib.get_close_matches(label_key(name), known, n=1)
            hint = f" (did you mean {quote(near[0])}?)" if near else ""
            raise MappingError(
                f"the mapping names {quote(name)}{hint}, which the truth has not; it has "
                f"{', '.join(names.values())}"
            )
        owners[label_key(name)] = _owner(name, target, vocabulary)
    return owners


def _owner(name: str, target: str, vocabulary: Vocabulary) -> int | None:
    try:
        return vocabulary.by_name(target).id
    except VocabularyError as error:
        if label_key(target) == IGNORE:
            return None
        if label_key(target) == BACKGROUND:
            return BACKGROUND_ID
        raise MappingError(
            f"the mapping gives {quote(name)} to {quote(target)}: {error}, {BACKGROUND}, {IGNORE}"
        ) from error
