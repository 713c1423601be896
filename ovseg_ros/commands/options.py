"""Options that several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

from ovseg_ros.vocabulary.config import VocabularyConfig

_TRUTH, _WORDS, _MODEL, _INPUT, _OUTPUT = "Ground truth", "Words", "Model", "Input", "Output"

LabelsTopic = Annotated[
    str | None,
    typer.Option(help="Label images of a bag; /ground_truth/labels.", rich_help_panel=_TRUTH),
]
LabelNames = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="YAML with `id: name` lines that says what the ids of the label images mean.",
        rich_help_panel=_TRUTH,
    ),
]
Mapping = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="YAML with `truth name: class` lines, where names differ; also to 'background' or 'ignore'.",
        rich_help_panel=_TRUTH,
    ),
]
Vocabulary = Annotated[
    str | None,
    typer.Option(
        help="A vocabulary file, or the name of one that ships. The names of the ground truth where neither "
        "a vocabulary nor classes are given.",
        rich_help_panel=_WORDS,
    ),
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        help="The classes, in place of a vocabulary file: separated by commas, synonyms by semicolons, as in "
        "'road, person; pedestrian'. May be given several times.",
        rich_help_panel=_WORDS,
    ),
]
Background = Annotated[
    list[str] | None,
    typer.Option(
        help="Words for what is none of the classes, separated by commas; instead of the vocabulary's.",
        rich_help_panel=_WORDS,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Pixels whose best class is less probable stay unlabelled; instead of the vocabulary's.",
        rich_help_panel=_WORDS,
    ),
]
Templates = Annotated[
    str, typer.Option(help="Prompt templates: full, short, plain or auto.", rich_help_panel=_WORDS)
]
Model = Annotated[
    str,
    typer.Option(
        help="An open_clip architecture, a model that ships, or a folder (see `ovseg models`).",
        rich_help_panel=_MODEL,
    ),
]
Weights = Annotated[str, typer.Option(help="Its open_clip tag, or a file.", rich_help_panel=_MODEL)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<index>.", rich_help_panel=_MODEL)]
Precision = Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.", rich_help_panel=_MODEL)]
Method = Annotated[
    str,
    typer.Option(help="clipseg, or a method to compare with, such as maskclip.", rich_help_panel=_MODEL),
]
ShortSide = Annotated[
    int, typer.Option(min=1, help="Pixels of the short side that the model sees.", rich_help_panel=_MODEL)
]
Download = Annotated[
    bool,
    typer.Option(
        "--download/--no-download", help="May missing weights be downloaded?", rich_help_panel=_MODEL
    ),
]
Topic = Annotated[str | None, typer.Option(help="Image topic of a bag with several.", rich_help_panel=_INPUT)]
Layout = Annotated[
    str | None,
    typer.Option(help="Layout of a dataset folder, where it fits several.", rich_help_panel=_INPUT),
]
Split = Annotated[
    str | None,
    typer.Option(help="Part of a dataset folder; its validation part.", rich_help_panel=_INPUT),
]
Every = Annotated[int, typer.Option(min=1, help="Take every N-th frame.", rich_help_panel=_INPUT)]
Limit = Annotated[int | None, typer.Option(min=1, help="Take at most N frames.", rich_help_panel=_INPUT)]
Json = Annotated[
    Path | None, typer.Option("--json", help="Write the numbers to this file.", rich_help_panel=_OUTPUT)
]


def vocabulary_config(
    vocabulary: str | None,
    classes: list[str] | None,
    background: list[str] | None,
    threshold: float | None,
    templates: str = "auto",
) -> VocabularyConfig:
    """The words that these options describe; no file where none is given."""
    return VocabularyConfig(
        file=vocabulary or "",
        classes=_split(classes or []),
        background=_split(background or []),
        threshold=-1.0 if threshold is None else threshold,
        templates=templates,
    )


def _split(texts: list[str]) -> tuple[str, ...]:
    return tuple(entry.strip() for text in texts for entry in text.split(","))
