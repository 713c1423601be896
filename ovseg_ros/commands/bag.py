"""`ovseg bag`: make a bag of a dataset folder, and say what is in a bag."""

import math
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Json

if TYPE_CHECKING:
    from ovseg_ros.recordings.info import BagInfo, ImageTopic

_SHOWN_GAPS = 3

app = typer.Typer(no_args_is_help=True, help="Make bags and look into them.")


@app.command()
def make(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            help="A dataset folder: images/ with labels/ and classes.txt, or PASCAL VOC, PASCAL Context, "
            "ADE20K, Cityscapes, COCO-Stuff or CamVid as they are distributed.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="The new bag; must not exist yet.")],
    layout: Annotated[
        str | None,
        typer.Option(
            help="folders, pascal_voc, pascal_context, ade20k, cityscapes, coco_stuff, camvid or "
            "camvid_segnet. By default it is recognised."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="The part of the dataset, such as train. By default the validation part."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.001, help="Frames a second.")] = 10.0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take at most this many frames, from the first.")
    ] = None,
    compressed: Annotated[
        bool, typer.Option("--compressed/--raw", help="The files' own JPEG or PNG, or plain pixels.")
    ] = True,
) -> None:
    """Write a rosbag2 (mcap) of a dataset folder."""
    from ovseg_ros.recordings.writer import make_bag

    with console.ProgressBars().stage("writing") as advance:
        summary = make_bag(
            folder,
            output,
            layout=layout or "",
            split=split or "",
            rate=rate,
            limit=limit,
            compressed=compressed,
            progress=lambda done, total: advance(),
        )
    part = f" {summary.split}" if summary.split else ""
    console.say(
        f"{summary.path}: {summary.frames} frames ({summary.seconds:.1f} s) of the layout "
        f"{summary.layout}{part}, {summary.labelled} with ground truth of {len(summary.classes)} classes"
    )


@app.command()
def info(
    bag: Annotated[
        Path, typer.Argument(exists=True, help="rosbag2 folder, or a .mcap, .db3 or ROS 1 .bag file.")
    ],
    labels_topic: Annotated[
        str | None, typer.Option(help="The topic with the ground truth, if not /ground_truth/labels.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only what the index has: no image sizes, no gaps.")
    ] = False,
    json_file: Json = None,
) -> None:
    """Show the topics, times, cameras and ground truth of a bag, and what is damaged in it."""
    from ovseg_ros.recordings.info import inspect_bag

    with console.ProgressBars("images").stage("reading") as advance:
        found = inspect_bag(
            bag, labels_topic=labels_topic, quick=quick, progress=lambda done, total: advance()
        )
    for warning in found.warnings:
        console.warning(warning)
    _report(found)
    console.write_json(json_file, found.as_json())


def _report(found: "BagInfo") -> None:
    files = f"{len(found.files)} file{'s' * (len(found.files) > 1)}, {_size(found.file_bytes)}"
    compression = "" if found.compression == "none" else f", {found.compression}"
    console.say(f"{found.path}: {found.storage}{compression}, {files}")
    if found.start_ns:
        start = datetime.fromtimestamp(found.start_ns / 1e9, tz=timezone.utc)
        times = f"{found.duration_s:.3f} s from {start:%Y-%m-%d %H:%M:%S} UTC"
        console.say(f"{times}, {found.messages} messages")
    numbers = (Column(name, justify="right") for name in ("messages", "rate"))
    table = Table(*(Column(name, overflow="fold") for name in ("topic", "type")), *numbers)
    for topic in found.topics:
        rate = "-" if topic.rate is None else f"{topic.rate:.1f} Hz"
        table.add_row(Text(topic.name), topic.type, str(topic.count), rate)
    console.out.print(table)
    for image in found.images:
        _report_images(image, image.topic.name in found.cameras)
    if not found.cameras:
        console.say("no camera: there is no colour image topic with messages")
    if found.truth is None:
        console.say("no ground truth: there is no /ground_truth/labels; --labels-topic names another topic")
        return
    count = found.truth.matched_images
    matched = "" if count is None else f", {count} images with labels of their stamp"
    names = ", ".join(f"{number} {name}" for number, name in found.truth.classes.items())
    console.say(f"ground truth: {found.truth.topic}, {found.truth.labels} label images{matched}")
    console.say(f"  classes: {names or 'no names (there is no LabelInfo with it)'}")


def _report_images(image: "ImageTopic", is_camera: bool) -> None:
    counts = sorted(image.sizes.items(), key=lambda entry: -entry[1])
    sizes = ", ".join(
        f"{width} x {height}" + (f" ({count})" if len(counts) > 1 else "")
        for (width, height), count in counts
    )
    facts = [sizes or "unknown size", *sorted(image.formats), f"{_size(image.data_bytes)} of images"]
    console.say(f"{'camera' if is_camera else 'images'} {image.topic.name}: {', '.join(facts)}")
    for gap in image.gaps[:_SHOWN_GAPS]:
        console.say(f"  gap of {gap.seconds:.2f} s at {gap.start_s:.2f} s")
    if len(image.gaps) > _SHOWN_GAPS:
        console.say(f"  and {len(image.gaps) - _SHOWN_GAPS} more gaps")


def _size(count: float) -> str:
    if count < 1024:
        return f"{count:.0f} B"
    power = min(3, int(math.log(count, 1024)))
    return f"{count / 1024**power:.1f} {('KiB', 'MiB', 'GiB')[power - 1]}"
