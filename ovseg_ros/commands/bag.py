"""`ovseg bag`: make a bag of a dataset folder, and say what is in a bag."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ovseg_ros.commands import console

app = typer.Typer(no_args_is_help=True, help="Make bags and look into them.")


@app.command()
def make(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True,
            file_okay=False,
            help="Folder with images/ and, for ground truth, labels/ and classes.txt.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="The new bag; must not exist yet.")],
    rate: Annotated[float, typer.Option(min=0.001, help="Frames a second.")] = 10.0,
    compressed: Annotated[
        bool, typer.Option("--compressed/--raw", help="The files' own JPEG or PNG, or plain pixels.")
    ] = True,
) -> None:
    """Write a rosbag2 (mcap) of a dataset folder."""
    from ovseg_ros.evaluation.datasets import make_bag

    with console.progress_bar("frames") as progress:
        task = progress.add_task("writing", total=None)
        summary = make_bag(
            folder,
            output,
            rate=rate,
            compressed=compressed,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.say(
        f"{summary.path}: {summary.frames} frames ({summary.seconds:.1f} s), "
        f"{summary.labelled} with ground truth"
    )


@app.command()
def info(
    bag: Annotated[Path, typer.Argument(exists=True, help="rosbag2 folder, .mcap, .db3 or .bag.")],
) -> None:
    """List the topics of a bag."""
    from ovseg_ros.evaluation.bags import describe

    table = Table("topic", "type")
    table.add_column("messages", justify="right")
    table.add_column("rate", justify="right")
    for topic in describe(bag):
        rate = "-" if topic.rate is None else f"{topic.rate:.1f} Hz"
        table.add_row(Text(topic.name), topic.type, str(topic.count), rate)
    console.out.print(table)
