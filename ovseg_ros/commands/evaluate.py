"""`ovseg evaluate`: how good and how fast, on a recording with ground truth, without a graph."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ovseg_ros.commands import console, options

if TYPE_CHECKING:
    from ovseg_ros.runs.evaluate import EvaluateOutcome

_TRUTH, _WORDS, _MODEL, _INPUT, _OUTPUT = "Ground truth", "Words", "Model", "Input", "Output"


def evaluate(
    source: Annotated[
        Path,
        typer.Argument(
            exists=True,
            help="A bag (rosbag2, ROS 1) or a dataset folder, as `ovseg bag make` takes it.",
        ),
    ],
    labels_topic: options.LabelsTopic = None,
    labels_folder: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Label images as PNG files instead, whose names end in the stamp (ns) of their frame, with "
            "classes.txt or classes.json.",
            rich_help_panel=_TRUTH,
        ),
    ] = None,
    label_names: options.LabelNames = None,
    slop: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Seconds by which the stamps of an image and its ground truth may differ, in a bag.",
            rich_help_panel=_TRUTH,
        ),
    ] = 0.0,
    mapping: options.Mapping = None,
    vocabulary: options.Vocabulary = None,
    classes: options.Classes = None,
    background: options.Background = None,
    threshold: options.Threshold = None,
    templates: options.Templates = "auto",
    model: options.Model = "ViT-B-16",
    weights: options.Weights = "openai",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    method: options.Method = "clipseg",
    short_side: options.ShortSide = 336,
    download: options.Download = True,
    predictions: Annotated[
        str | None,
        typer.Option(
            help="Score recorded labels instead of running a model: a labels topic of the bag, or a folder "
            "as --write-labels writes it.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    smoothing: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=5.0,
            help="Steady the labels: average over the frames of about so many last seconds, along the motion "
            "of the image. 0 takes each frame alone, 0.2 is a good start.",
            rich_help_panel=_MODEL,
        ),
    ] = 0.0,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Fit the confidence (scale of the logits, threshold) on the first half of the frames and "
            "measure the second half before and after.",
            rich_help_panel=_MODEL,
        ),
    ] = False,
    topic: options.Topic = None,
    layout: options.Layout = None,
    split: options.Split = None,
    every: options.Every = 1,
    limit: options.Limit = None,
    start: Annotated[
        float | None,
        typer.Option(min=0.0, help="Begin so many seconds after the first message.", rich_help_panel=_INPUT),
    ] = None,
    end: Annotated[
        float | None,
        typer.Option(min=0.0, help="End so many seconds after the first message.", rich_help_panel=_INPUT),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            max=64,
            help="Threads that decode and measure beside the model. The figures do not depend on it.",
            rich_help_panel=_INPUT,
        ),
    ] = 1,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report page, metrics.json, the video and the labelled bag.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    write_labels: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the label images exactly as they are scored, with classes.json.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    parameters: Annotated[
        Path | None,
        typer.Option(
            help="File for the parameters that --calibrate finds; calibration.yaml in --output, or here.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    json_file: options.Json = None,
) -> None:
    """Measure the quality on a recording with ground truth: every frame, offline, the same figures each time.

    Example: ovseg evaluate drive/ --classes "road; street, person; pedestrian, car" --output out/drive

    Exit status: 0 all went well, 1 something failed, 2 bad usage, 130 interrupted (what there is is written).
    """
    from ovseg_ros.clipseg.config import EngineConfig, MethodConfig, ModelConfig, OutputConfig
    from ovseg_ros.config import ConfigError
    from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
    from ovseg_ros.runs.config import EvaluateConfig
    from ovseg_ros.runs.evaluate import evaluate as run

    try:
        outcome = run(
            source,
            EngineConfig(
                ModelConfig(model, weights, download, device, precision),
                MethodConfig(method, short_side),
                OutputConfig(smoothing=smoothing),
                options.vocabulary_config(vocabulary, classes, background, threshold, templates),
            ),
            RecordingConfig(topic or "", layout or "", split or ""),
            TruthConfig(
                labels_topic or "", str(labels_folder or ""), str(label_names or ""), str(mapping or ""), slop
            ),
            SelectionConfig(every, limit or 0, start or 0.0, end or 0.0),
            EvaluateConfig(
                predictions or "",
                calibrate,
                str(parameters or ""),
                workers,
                str(output or ""),
                str(write_labels or ""),
            ),
            console.ProgressBars(),
        )
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(outcome.metrics, indent=2, ensure_ascii=False, allow_nan=False)
        json_file.write_text(text + "\n", encoding="utf-8")
    _tell(outcome, output)
    if outcome.interrupted:
        console.warning(f"interrupted after {outcome.metrics['frames']} frames; the figures are of these")
        raise typer.Exit(130)


def _tell(outcome: "EvaluateOutcome", output: Path | None) -> None:
    from ovseg_ros.report.figures import percent
    from ovseg_ros.runs.summary import class_table, quality_table, tell_files

    metrics, quality = outcome.metrics, outcome.findings.quality
    console.out.print(quality_table(outcome.findings))
    if quality is not None:
        console.out.print(class_table(quality))
        if quality.flicker_along_motion is not None:
            console.say(f"flicker along the motion of the image: {percent(quality.flicker_along_motion)}")
    latency = metrics["latency_ms"]
    speed = f"{metrics['frames']} frames in {metrics['seconds']:.1f} s"
    speed += f" ({metrics['frames_per_second']:.1f} frames/s)"
    if latency["p50"] is not None:
        speed += "; inference " + ", ".join(
            f"{name} {latency[name]:.0f} ms" for name in ("p50", "p95", "p99")
        )
    if metrics["peak_mb"] is not None:
        speed += f"; peak memory {metrics['peak_mb']:.0f} MB"
    console.say(f"{speed}; {metrics['model']}, {metrics['method']}, {metrics['device']}")
    if fitted := metrics.get("calibration"):
        _tell_calibration(fitted, percent)
    for note in metrics["notes"]:
        console.say(note)
    if output is not None:
        tell_files(console.out, output)


def _tell_calibration(fitted: dict[str, Any], percent: Callable[[float | None], str]) -> None:
    from rich.table import Table

    table = Table("calibration", title_justify="left")
    for name in ("logit scale", "ECE", "Brier", "mean IoU", "unlabelled"):
        table.add_column(name, justify="right")
    scale = fitted["logit_scale"]
    for name, used in (("before", scale * fitted["temperature"]), ("after", scale)):
        row = fitted[name]
        shares = percent(row["miou"]), percent(row["unlabelled_share"])
        table.add_row(name, f"{used:.2f}", percent(row["ece"]), f"{row['brier']:.4f}", *shares)
    console.out.print(table)
    console.say(
        f"fitted: method.logit_scale {scale:.4f} (temperature {fitted['temperature']:.3f}), "
        f"vocabulary.threshold {fitted['threshold']:.4f}"
    )
