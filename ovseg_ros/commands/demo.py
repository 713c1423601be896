"""`ovseg demo`: a bag through the real node, with a change of vocabulary half-way, and a report page."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    bag: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="A bag, or a folder with images/, labels/ and classes.txt [default: the sample bag].",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model of the node (see `ovseg models`) [default: ovseg-tiny for the sample bag, else "
            "ViT-B-16]."
        ),
    ] = None,
    weights: Annotated[str, typer.Option(help="Its open_clip tag, or a file.")] = "openai",
    vocabulary: Annotated[
        str | None, typer.Option(help="The first words: a file, a shipped name, or classes with commas.")
    ] = None,
    then: Annotated[
        str | None, typer.Option(help="The words that /set_vocabulary brings half-way, in the same forms.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out/demo"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<index>.")] = "auto",
    rate: Annotated[
        float,
        typer.Option(
            min=0.0, help="Speed of the replay; 0 is the bag's own pace, or slower where frames would drop."
        ),
    ] = 0.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Play at most N frames.")] = None,
) -> None:
    """Play a bag through the running node over ROS topics, and write a video, a labelled bag and a report."""
    from ovseg_ros.runs.demo import run

    status = run(
        bag=bag,
        model=model,
        weights=weights,
        vocabulary=vocabulary,
        then=then,
        output=output,
        device=device,
        rate=rate,
        limit=limit,
    )
    raise typer.Exit(status)
