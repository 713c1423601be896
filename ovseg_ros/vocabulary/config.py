"""The words as a configuration: the node's parameters `vocabulary.*` and the commands' options."""

from collections.abc import Mapping
from dataclasses import dataclass

from ovseg_ros.config import Value, option
from ovseg_ros.vocabulary.phrases import MAX_COST


@dataclass(frozen=True)
class VocabularyConfig:
    """The words. What is given here overrides the vocabulary file."""

    file: str = option(
        "indoor",
        "A vocabulary file (YAML, or .txt with one class per line), or the name of one that ships with the "
        "package: indoor, outdoor_driving, off_road, warehouse, tabletop. Used where no classes are given.",
        node_help="Setting it at run time empties classes, background and costs, and resets threshold and "
        "default_cost to -1.",
        flags="--vocabulary",
    )
    classes: tuple[str, ...] = option(
        (),
        "The classes; an entry may list synonyms: 'person; pedestrian'.",
        node_help="Setting it at run time empties costs. Follows set_vocabulary.",
    )
    background: tuple[str, ...] = option(
        (),
        "Prompts for everything else; pixels that they win get the label 0.",
        node_help="Follows set_vocabulary.",
    )
    threshold: float = option(
        -1.0,
        "Pixels whose class is less probable than this become 255, unlabelled. Negative: the threshold of "
        "the vocabulary file, else 0.",
        node_help="Without a file, a negative value keeps the threshold in force. Follows set_vocabulary.",
        bounds=(-1, 1),
    )
    costs: tuple[str, ...] = option(
        (),
        "What a planner pays for classes, 0 (free) to 254 (lethal): 'person: 254'. Overrides the costs of "
        "the file, class by class.",
        node_help="Published on ~/cost. Follows set_vocabulary.",
        flags="",
    )
    default_cost: int = option(
        -1,
        "Cost of the background and of classes without their own. Negative: the file's, else 0.",
        node_help="Follows set_vocabulary.",
        bounds=(-1, MAX_COST),
        flags="",
    )
    templates: str = option(
        "auto",
        "Prompt templates: 80 (full), 7 (short) or one (plain); auto is plain for a model that reads only "
        "short texts, else full on CUDA and short on a CPU.",
        choices=("auto", "full", "short", "plain"),
    )


RESET_BY: Mapping[str, Mapping[str, Value]] = {
    "vocabulary.file": {
        "vocabulary.classes": (),
        "vocabulary.background": (),
        "vocabulary.threshold": -1.0,
        "vocabulary.costs": (),
        "vocabulary.default_cost": -1,
    },
    "vocabulary.classes": {"vocabulary.costs": ()},
}
"""Setting one of these resets what is not given with it: options that would hide a new file, and costs of
classes that are gone."""
