"""Vocabulary files: finding one by path or shipped name, and reading YAML or plain text.

A YAML file is a list of classes, or a mapping with `classes`, `background`, `threshold` and `default_cost`. A
class is a text (`person; pedestrian`) or a mapping with `name`, `synonyms`, `id`, `threshold` and `cost`. A
.txt file has a class a line; empty lines and lines that begin with # do not count.
"""

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ovseg_ros.paths import share_directory
from ovseg_ros.vocabulary.phrases import VocabularyError, quote

_FILE_KEYS = ("classes", "background", "threshold", "default_cost")
_CLASS_KEYS = ("name", "synonyms", "id", "threshold", "cost")


@dataclass
class VocabularyContent:
    """What a file says, in the form of the arguments of `VocabularyBuilder.build`. Entries are unchecked."""

    classes: list[Any]
    ids: list[Any] = field(default_factory=list)
    background: Any = ()
    threshold: Any = None
    thresholds: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    default_cost: Any = 0


def shipped_vocabularies() -> dict[str, Path]:
    """The vocabulary files that come with the package: name to path, in alphabetical order."""
    return {
        path.stem: path for path in sorted((share_directory() / "config" / "vocabularies").glob("*.yaml"))
    }


def find_vocabulary(source: str | Path) -> Path:
    """The file of a path, or of a shipped name (which has no suffix). Raises VocabularyError."""
    path = Path(os.path.expanduser(source))
    if path.suffix and os.path.isfile(path):  # unlike Path.is_file, never raises: the text may be anything
        return path
    shipped = shipped_vocabularies()
    if str(source) in shipped:
        return shipped[str(source)]
    raise VocabularyError(
        f"no vocabulary {quote(str(source))}{_hint(source, shipped)}, expected a .yaml, .yml or .txt file or "
        f"one of the shipped names: {', '.join(shipped) or 'none were found'}"
    )


def read_vocabulary(path: Path) -> VocabularyContent:
    """Read a vocabulary file. Raises VocabularyError when it cannot be read or has not the form above."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise VocabularyError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    if path.suffix.lower() not in (".yaml", ".yml", ".txt"):
        raise VocabularyError(f"{path}: has the suffix {quote(path.suffix)}, expected .yaml, .yml or .txt")
    if path.suffix.lower() == ".txt":
        lines = [line.strip() for line in text.splitlines()]
        return VocabularyContent([line for line in lines if line and not line.startswith("#")])
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2024-13-45
        raise VocabularyError(f"{path}: is not valid YAML: {error}") from error
    try:
        return _from_yaml(data)
    except VocabularyError as error:
        raise VocabularyError(f"{path}: {error}") from error


def _from_yaml(data: Any) -> VocabularyContent:
    if isinstance(data, list):
        data = {"classes": data}
    if not isinstance(data, dict):
        raise VocabularyError(
            f"the file holds {quote(data)}, expected a list of classes or a mapping with 'classes:'"
        )
    _check_keys(data, _FILE_KEYS, "the file")
    classes = data.get("classes")
    if not isinstance(classes, list):
        raise VocabularyError(f"'classes' is {quote(classes)}, expected a list of texts or mappings")
    content = VocabularyContent(
        [],
        background=data.get("background") or (),
        threshold=data.get("threshold"),
        default_cost=data.get("default_cost") or 0,
    )
    for place, entry in enumerate(classes, start=1):
        text = _class_text(entry, f"class {place}")
        own = entry if isinstance(entry, dict) else {}
        content.classes.append(text)
        content.ids.append(own.get("id"))
        for key, values in (("threshold", content.thresholds), ("cost", content.costs)):
            if own.get(key) is not None:
                values[text.split(";")[0]] = own[key]
    return content


def _class_text(entry: Any, what: str) -> Any:
    """The text of a class: name and synonyms."""
    if not isinstance(entry, dict):
        return entry
    _check_keys(entry, _CLASS_KEYS, what)
    synonyms = entry.get("synonyms") or []
    words = [entry.get("name"), *(synonyms if isinstance(synonyms, list) else [synonyms])]
    for word in words:
        if not isinstance(word, str):
            raise VocabularyError(
                f"{what} has {quote(word)} for a name or synonym, expected text: write it in quotes"
            )
    return "; ".join(words)


def _check_keys(mapping: dict[Any, Any], allowed: Sequence[str], what: str) -> None:
    for key in mapping:
        if key not in allowed:
            raise VocabularyError(
                f"{what} has the unknown key {quote(key)}{_hint(key, allowed)}, expected only: "
                f"{', '.join(allowed)}"
            )


def _hint(given: object, allowed: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(given), list(allowed), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
