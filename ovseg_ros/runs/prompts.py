"""The words of a run: configured, taken from the ground truth's names, or replaced by other names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, VocabularyBuilder, build_vocabulary
from ovseg_ros.vocabulary.config import VocabularyConfig
from ovseg_ros.vocabulary.files import find_vocabulary, read_vocabulary
from ovseg_ros.vocabulary.phrases import label_key

# fmt: off
OTHER_WORDS: Mapping[str, str] = {
    "aeroplane": "airplane", "bag": "backpack", "bicycle": "bike", "bicyclist": "cyclist",
    "bin": "trash can", "boat": "ship", "body": "person", "book": "books", "bottle": "flask",
    "box": "carton", "building": "house", "bush": "shrub", "car": "vehicle", "chair": "seat",
    "cone": "traffic cone", "cup": "mug", "door": "doorway", "fence": "railing", "floor": "ground",
    "flower": "blossom", "forest": "woods", "grass": "lawn", "lamp": "light", "monitor": "screen",
    "mountain": "hill", "pallet": "wooden pallet", "pavement": "sidewalk", "pedestrian": "person",
    "person": "human", "plant": "potted plant", "pole": "post", "river": "stream", "road": "street",
    "rock": "stone", "shelf": "rack", "sidewalk": "pavement", "sign": "traffic sign", "sofa": "couch",
    "stone": "rock", "street": "road", "table": "desk", "teddy bear": "stuffed toy", "track": "path",
    "tree": "vegetation", "truck": "lorry", "vegetation": "plants", "vehicle": "car", "water": "lake",
}
# fmt: on
"""Another name for what often occurs in labelled recordings."""

_FEW = 3


def prompts_of_run(config: VocabularyConfig, truth_names: Mapping[int, str]) -> VocabularyConfig:
    """The words of the configuration; where it has neither classes nor a file, the ground truth's own names,
    but for those that are background prompts. No classes where there are none."""
    if config.classes or config.file:
        return config
    taken = {label_key(prompt) for prompt in config.background}
    classes = tuple(name for name in truth_prompts(truth_names) if label_key(name) not in taken)
    return replace(config, classes=classes)


def truth_prompts(names: Mapping[int, str]) -> tuple[str, ...]:
    """The ground truth's own names, but for those of background (0) and void (255)."""
    known = sorted(names.items())
    found = {label_key(name): name for number, name in known if number not in (BACKGROUND_ID, UNLABELLED_ID)}
    return tuple(found.values())


def other_prompts(config: VocabularyConfig) -> VocabularyConfig:
    """The same classes under other names, the first ones as synonyms: "pavement" as "sidewalk; pavement".

    Where fewer than half of the names are known by another, the first three classes alone, and the others
    as background. Raises VocabularyError.
    """
    vocabulary = build_vocabulary(config, VocabularyBuilder())
    taken = {label_key(prompt) for entry in vocabulary.classes for prompt in entry.prompts}
    classes, renamed = [], 0
    for entry in vocabulary.classes:
        prompts = "; ".join(entry.prompts)
        other = OTHER_WORDS.get(label_key(entry.name))
        if other is not None and label_key(other) not in taken:
            taken.add(label_key(other))
            prompts, renamed = f"{other}; {prompts}", renamed + 1
        classes.append(prompts)
    if 2 * renamed >= len(classes) or len(classes) <= _FEW:
        return VocabularyConfig("", tuple(classes), vocabulary.background)
    first = tuple("; ".join(entry.prompts) for entry in vocabulary.classes[:_FEW])
    others = tuple(entry.name for entry in vocabulary.classes[_FEW:])
    return VocabularyConfig("", first, vocabulary.background + others)


def node_parameters(config: VocabularyConfig) -> dict[str, Any]:
    """The parameters with which a node starts in these words. Raises VocabularyError for a missing file."""
    given = {name: value for name, value in vars(config).items() if value != getattr(_NOTHING, name)}
    if config.file and not config.classes:  # the node may run in another folder
        given["file"] = str(find_vocabulary(config.file).resolve())
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    return {f"vocabulary.{name}": value for name, value in lists.items()}


def request_fields(config: VocabularyConfig) -> dict[str, Any]:
    """The fields of a SetVocabulary request; without a threshold it keeps the one in force.

    Raises VocabularyError, also for what no node would accept.
    """
    vocabulary = build_vocabulary(config, VocabularyBuilder())
    threshold, ids = config.threshold, []
    if config.file and not config.classes:
        content = read_vocabulary(find_vocabulary(config.file))
        if threshold < 0 and content.threshold is not None:
            threshold = float(content.threshold)
        if content.ids and all(number is not None for number in content.ids):
            ids = list(content.ids)
    return {
        "classes": ["; ".join(entry.prompts) for entry in vocabulary.classes],
        "ids": ids,
        "background": list(vocabulary.background),
        "threshold": threshold,
    }


_NOTHING = VocabularyConfig("")
