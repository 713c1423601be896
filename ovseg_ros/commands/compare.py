"""`ovseg compare`: methods side by side on the user's own labelled frames."""

from pathlib import Path
from typing import Annotated

import typer

from ovseg_ros.commands import console

_METHODS, _TRUTH, _WORDS, _MODEL = "Methods", "Ground truth", "Words", "Model"
_INPUT, _OUTPUT = "Input", "Output"


def compare(
    source: Annotated[
        Path,
        typer.Argument(
            exists=True,
            help="A bag (rosbag2, ROS 1) with ground truth, or a dataset folder, as for `ovseg bag make`.",
        ),
    ],
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods, separated by commas; the first is the reference. All where none are named, or "
            "none with --ablate.",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    ablate: Annotated[
        bool,
        typer.Option(
            "--ablate",
            help="What each part of clipseg gives: CERA and DSI on and off, and each setting varied alone. "
            "The rows share the blocks before the last one, so that all take little longer than one.",
            rich_help_panel=_METHODS,
        ),
    ] = False,
    reference: Annotated[
        str | None,
        typer.Option(help="Row that the differences are to; the first.", rich_help_panel=_METHODS),
    ] = None,
    draws: Annotated[
        int, typer.Option(min=100, help="Bootstrap draws of frames.", rich_help_panel=_METHODS)
    ] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.", rich_help_panel=_METHODS)] = 0,
    labels_topic: Annotated[
        str | None,
        typer.Option(help="Label images of a bag; /ground_truth/labels.", rich_help_panel=_TRUTH),
    ] = None,
    label_names: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="YAML with `id: name` lines that says what the ids of the label images mean.",
            rich_help_panel=_TRUTH,
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="YAML with `truth name: class` lines, where names differ; also to 'background' or 'ignore'.",
            rich_help_panel=_TRUTH,
        ),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            help="A vocabulary file, a name that ships, or 'road, person; pedestrian, car'. The names of the "
            "ground truth where none is given.",
            rich_help_panel=_WORDS,
        ),
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(
            help="Words for what is none of the classes, separated by commas; instead of the vocabulary's.",
            rich_help_panel=_WORDS,
        ),
    ] = None,
    templates: Annotated[
        str, typer.Option(help="Prompt templates: full, short, plain or auto.", rich_help_panel=_WORDS)
    ] = "auto",
    model: Annotated[
        str,
        typer.Option(
            help="An open_clip architecture, a model that ships, or a folder (see `ovseg models`).",
            rich_help_panel=_MODEL,
        ),
    ] = "ViT-B-16",
    weights: Annotated[
        str, typer.Option(help="Its open_clip tag, or a file.", rich_help_panel=_MODEL)
    ] = "openai",
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or cuda:<index>.", rich_help_panel=_MODEL)
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, float32, float16 or bfloat16.", rich_help_panel=_MODEL)
    ] = "auto",
    short_side: Annotated[
        int, typer.Option(min=1, help="Pixels of the short side that the model sees.", rich_help_panel=_MODEL)
    ] = 336,
    download: Annotated[
        bool,
        typer.Option(
            "--download/--no-download", help="May missing weights be downloaded?", rich_help_panel=_MODEL
        ),
    ] = True,
    topic: Annotated[
        str | None, typer.Option(help="Image topic of a bag with several.", rich_help_panel=_INPUT)
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(help="Layout of a dataset folder, where it fits several.", rich_help_panel=_INPUT),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Part of a dataset folder; its validation part.", rich_help_panel=_INPUT),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Take every N-th frame.", rich_help_panel=_INPUT)] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take at most N frames.", rich_help_panel=_INPUT)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for comparison.json, comparison.md and comparison.svg.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers to this file.", rich_help_panel=_OUTPUT)
    ] = None,
    markdown_file: Annotated[
        Path | None,
        typer.Option("--markdown", help="Write the tables to this file.", rich_help_panel=_OUTPUT),
    ] = None,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", help="Draw the table into this SVG.", rich_help_panel=_OUTPUT)
    ] = None,
) -> None:
    """Compare methods on your own labelled frames: mean IoU, pixel accuracy, time and memory side by side.

    Every image is decoded once and labelled by every method in turn. The intervals come from a paired
    bootstrap over the frames.

    Example: ovseg compare camvid/ --methods clipseg,sclip,naclip --limit 50 --output out/compare

    Exit status: 0 all went well, 1 something failed (the rest is counted), 2 bad usage, 130 interrupted.
    """
    from ovseg_ros.commands.compare_output import report, write
    from ovseg_ros.evaluation.comparison.run import CompareOptions, run
    from ovseg_ros.evaluation.offline.setup import ModelChoice, Recording, WordChoice
    from ovseg_ros.evaluation.offline.source import FramePart

    part = FramePart(every, limit)
    prompts = None if background is None else tuple(_split(",".join(background)))
    outcome = run(
        CompareOptions(
            recording=Recording(
                source,
                topic=topic,
                labels_topic=labels_topic,
                label_names=label_names,
                layout=layout,
                split=split,
                part=part,
            ),
            words=WordChoice(vocabulary, prompts, mapping=mapping),
            model=ModelChoice(
                model,
                weights,
                device=device,
                precision=precision,
                short_side=short_side,
                templates=templates,
                download=download,
            ),
            methods=tuple(_split(methods or "")),
            ablate=ablate,
            reference=reference,
            draws=draws,
            seed=seed,
        ),
        console.Stages("frames"),
    )
    report(outcome)
    write(outcome, {"json": json_file, "md": markdown_file, "svg": plot_file}, output)
    found = outcome.comparison
    if found.interrupted:
        console.warning(f"interrupted after {found.frames} frames; the figures are of these")
        raise typer.Exit(130)
    if found.left_out:
        console.error(f"{len(found.left_out)} frames were left out; the first: {found.left_out[0]}")
        raise typer.Exit(1)


def _split(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",")] if text else []
