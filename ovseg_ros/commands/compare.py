"""`ovseg compare`: methods side by side on the user's own labelled frames."""

from pathlib import Path
from typing import Annotated

import typer

from ovseg_ros.commands import console, options

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
    labels_topic: options.LabelsTopic = None,
    label_names: options.LabelNames = None,
    mapping: options.Mapping = None,
    vocabulary: options.Vocabulary = None,
    classes: options.Classes = None,
    background: options.Background = None,
    templates: options.Templates = "auto",
    model: options.Model = "ViT-B-16",
    weights: options.Weights = "openai",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    short_side: options.ShortSide = 336,
    download: options.Download = True,
    topic: options.Topic = None,
    layout: options.Layout = None,
    split: options.Split = None,
    every: options.Every = 1,
    limit: options.Limit = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for comparison.json, comparison.md and comparison.svg.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    json_file: options.Json = None,
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
    from ovseg_ros.clipseg.config import EngineConfig, MethodConfig, ModelConfig
    from ovseg_ros.commands.compare_output import report, write
    from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
    from ovseg_ros.runs.compare_run import compare as run
    from ovseg_ros.runs.config import CompareConfig

    outcome = run(
        source,
        EngineConfig(
            ModelConfig(model, weights, download, device, precision),
            MethodConfig(short_side=short_side),
            vocabulary=options.vocabulary_config(vocabulary, classes, background, None, templates),
        ),
        RecordingConfig(topic or "", layout or "", split or ""),
        TruthConfig(labels_topic or "", label_names=str(label_names or ""), mapping=str(mapping or "")),
        SelectionConfig(every, limit or 0),
        CompareConfig(methods or "", ablate, reference or "", draws, seed),
        console.ProgressBars(),
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
