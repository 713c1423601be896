"""`ovseg segment`: label the pixels of images, videos and bags in the words of the user."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovseg_ros.commands import console, options

if TYPE_CHECKING:
    from ovseg_ros.runs.segment import SegmentOutcome

_WORDS, _MODEL, _INPUT, _OUTPUT = "Words", "Model", "Input", "Output"


def segment(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            exists=True,
            help="Images, folders of images and videos, videos (mp4, webm, avi, mov), bags (rosbag2, ROS 1).",
        ),
    ],
    vocabulary: Annotated[
        str | None,
        typer.Option(
            help="A vocabulary file (YAML, or .txt with a class a line), or a name that ships: indoor, "
            "outdoor_driving, off_road, warehouse, tabletop.",
            rich_help_panel=_WORDS,
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            help="The classes, instead of a vocabulary: separated by commas, synonyms by semicolons, as in "
            "'road, person; pedestrian'. May be given several times.",
            rich_help_panel=_WORDS,
        ),
    ] = None,
    background: options.Background = None,
    threshold: options.Threshold = None,
    model: options.Model = "ViT-B-16",
    weights: options.Weights = "openai",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    method: options.Method = "clipseg",
    short_side: options.ShortSide = 336,
    download: options.Download = True,
    topic: options.Topic = None,
    every: Annotated[
        int,
        typer.Option(
            min=1,
            help="Take every N-th of the images, and of each video's and bag's.",
            rich_help_panel=_INPUT,
        ),
    ] = 1,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Take at most N of the images, and of each video's and bag's.", rich_help_panel=_INPUT
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the results.", rich_help_panel=_OUTPUT)] = Path(
        "out/segment"
    ),
    overlay: Annotated[
        bool, typer.Option(help="Write the picture with colours and legend.", rich_help_panel=_OUTPUT)
    ] = True,
    labels: Annotated[
        bool, typer.Option(help="Write the class ids as grey pictures.", rich_help_panel=_OUTPUT)
    ] = True,
    confidence: Annotated[
        bool, typer.Option(help="Write the confidence as grey pictures.", rich_help_panel=_OUTPUT)
    ] = False,
    alpha: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Strength of the overlay's colours.", rich_help_panel=_OUTPUT),
    ] = 0.5,
    json_file: options.Json = None,
) -> None:
    """Label every pixel of images, videos and bags with the words you give.

    Example: ovseg segment photos/ street.mp4 --classes "road, person; pedestrian, car" --background "sky"

    Exit status: 0 all went well, 1 something failed (the rest is done), 2 bad usage, 130 interrupted.
    """
    if vocabulary is not None and classes is not None:
        raise typer.BadParameter("give either --classes or --vocabulary, not both")

    from ovseg_ros.clipseg.config import EngineConfig, MethodConfig, ModelConfig, OutputConfig
    from ovseg_ros.config import ConfigError
    from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig
    from ovseg_ros.runs.config import SegmentConfig
    from ovseg_ros.runs.segment import segment as run

    try:
        outcome = run(
            inputs,
            EngineConfig(
                ModelConfig(model, weights, download, device, precision),
                MethodConfig(method, short_side),
                OutputConfig(overlay_alpha=alpha),
                options.vocabulary_config(vocabulary, classes, background, threshold),
            ),
            RecordingConfig(topic or ""),
            SelectionConfig(every, limit or 0),
            SegmentConfig(str(output), overlay, labels, confidence),
            console.ProgressBars(),
        )
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    _report(outcome, output, json_file)
    if outcome.interrupted:
        console.warning(f"interrupted after {len(outcome.results)} of {outcome.sources} inputs")
        raise typer.Exit(130)
    if any(statistics.failures for _, statistics in outcome.results):
        raise typer.Exit(1)


def _report(outcome: "SegmentOutcome", output: Path, json_file: Path | None) -> None:
    from ovseg_ros.runs.class_statistics import (
        ClassStatistics,
        as_json,
        class_table,
        milliseconds,
        source_table,
    )

    results, words, setup, seconds = outcome.results, outcome.vocabulary, outcome.setup, outcome.seconds
    total = ClassStatistics.merged([statistics for _, statistics in results])
    if len(results) > 1:
        console.out.print(source_table(results, words))
    if total.frames:
        console.out.print(class_table(total, words))
    console.say(
        f"{total.frames} frames in {seconds:.1f} s ({total.frames / seconds:.1f} frames/s); inference "
        f"{milliseconds(total.time(50))} ms p50, {milliseconds(total.time(95))} ms p95; "
        f"{setup['model']}, {setup['method']} on {setup['device']} in {setup['precision']}"
    )
    console.say(f"results in {output}")
    if total.failures:
        console.error(f"{len(total.failures)} failed, {total.frames} went well; the reasons stand above")
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        content = as_json(results, words, setup, output)
        json_file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
