"""The words as a configuration: the node's parameters `vocabulary.*` and the commands' options."""

from dataclasses import dataclass

from ovseg_ros.config import option
from ovseg_ros.vocabulary.checks import MAX_COST


@dataclass(frozen=True)
class VocabularyConfig:
    """The words. What is given here takes precedence over the vocabulary file."""

    file: str = option(
        "indoor",
        "A vocabulary file (YAML, or .txt with one class per line), or the name of one that ships with the "
        "package. Used where classes is empty. Setting it at run time empties classes, background and costs, "
        "and resets threshold and default_cost to -1.",
        flags="--vocabulary",
    )
    classes: tuple[str, ...] = option(
        (),
        "The classes; an entry may list synonyms: 'person; pedestrian'. Setting it at run time empties "
        "costs. Follows set_vocabulary.",
    )
    background: tuple[str, ...] = option(
        (),
        "Prompts for everything else; pixels that they win get the label 0. Follows set_vocabulary.",
    )
    threshold: float = option(
        -1.0,
        "Pixels whose class is less probable than this become 255, unlabelled. Negative: the file's "
        "threshold, or else the one in force before, initially 0. Follows set_vocabulary.",
        bounds=(-1, 1),
    )
    costs: tuple[str, ...] = option(
        (),
        "What a planner pays for classes, 0 (free) to 254 (lethal), for ~/cost: 'person: 254'. Takes "
        "precedence over the costs of the file, class by class. Follows set_vocabulary.",
        flags="",
    )
    default_cost: int = option(
        -1,
        "Cost of the background and of classes without their own. Negative: the file's, else 0. "
        "Follows set_vocabulary.",
        bounds=(-1, MAX_COST),
        flags="",
    )
    templates: str = option(
        "auto",
        "Prompt templates: 80 (full), 7 (short) or one (plain); auto is plain for a model that reads only "
        "short texts, else full on CUDA and short on a CPU.",
        choices=("auto", "full", "short", "plain"),
    )
