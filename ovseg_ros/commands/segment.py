"""`ovseg segment`: label the pixels of images, videos and bags in the words of the user."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovseg_ros.commands import console, options

if TYPE_CHECKING:
    from ovseg_ros.recordings.inputs import Source
    from ovseg_ros.runs.tally import Tally
    from ovseg_ros.vocabulary import Vocabulary

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
    from ovseg_ros.recordings.inputs import Selection, find_sources
    from ovseg_ros.recordings.label_files import write_classes
    from ovseg_ros.runs.segment_outputs import OutputOptions

    words = _vocabulary(vocabulary, classes, background, threshold)
    sources = find_sources(inputs, output, Selection(every, limit), topic)
    wanted = OutputOptions(output, overlay, labels, confidence, alpha)

    from ovseg_ros.clipseg import Segmenter, load_model
    from ovseg_ros.runs.segment_run import segment_all

    with console.err.status("loading the model"):
        clip = load_model(model, weights, allow_download=download, device=device, precision=precision)
        segmenter = Segmenter(clip, method, short_side=short_side)
    with console.err.status("encoding the words"):
        classifier = segmenter.encode(words)

    write_classes(output / "classes.json", words)
    results: list[tuple[Source, Tally]] = []
    started = time.perf_counter()
    interrupted = False
    try:
        segment_all(sources, segmenter, classifier, wanted, results)
    except KeyboardInterrupt:
        interrupted = True
    _report(results, words, segmenter.description, output, time.perf_counter() - started, json_file)
    if interrupted:
        console.warning(f"interrupted after {len(results)} of {len(sources)} inputs")
        raise typer.Exit(130)
    if any(tally.failures for _, tally in results):
        raise typer.Exit(1)


def _vocabulary(
    source: str | None, classes: list[str] | None, background: list[str] | None, threshold: float | None
) -> "Vocabulary":
    from ovseg_ros.vocabulary import VocabularyBuilder, load_vocabulary, shipped_vocabularies

    if (source is None) == (classes is None):
        raise typer.BadParameter(
            "give either --classes or --vocabulary; shipped vocabularies: "
            + ", ".join(shipped_vocabularies())
        )
    prompts = None if background is None else _split(background)
    builder = VocabularyBuilder()
    if source is not None:
        return load_vocabulary(source, builder, background=prompts, threshold=threshold)
    return builder.build(_split(classes or []), background=prompts or (), threshold=threshold)


def _split(texts: Sequence[str]) -> list[str]:
    return [entry.strip() for text in texts for entry in text.split(",")]


def _report(
    results: "Sequence[tuple[Source, Tally]]",
    words: "Vocabulary",
    setup: dict[str, str],
    output: Path,
    seconds: float,
    json_file: Path | None,
) -> None:
    from ovseg_ros.runs.tally import Tally, as_json, class_table, milliseconds, source_table

    total = Tally.merged([tally for _, tally in results])
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
