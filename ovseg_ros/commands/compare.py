"""`ovseg compare`: methods side by side on the user's own labelled frames."""

from pathlib import Path
from typing import Annotated

import typer

from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.commands import console
from ovseg_ros.commands.generate import EXPOSED, Expose, Json, generated
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.config import CompareConfig


@generated
def compare(
    source: Annotated[
        Path,
        typer.Argument(exists=True, help="A bag (rosbag2, ROS 1), or a data set folder, with ground truth."),
    ],
    config: CompareConfig,
    engine: Annotated[
        EngineConfig, Expose(EXPOSED.defaults, (*EXPOSED.without, "method.name", "output.smoothing"))
    ],
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    json_file: Json = None,
) -> None:
    """Compare methods on your own labelled frames: mean IoU, pixel accuracy, time and memory side by side.

    Every image is decoded once and labelled by every method in turn. The intervals are those of a paired
    bootstrap over the frames.

    Example: ovseg compare camvid/ --methods clipseg,sclip,naclip --limit 50 --output out/compare

    Exit status: 0 success, 1 failure (of some frames: the rest is counted), 2 wrong usage, 130 interrupted.
    """
    from ovseg_ros.commands.compare_output import report, write
    from ovseg_ros.runs.compare import compare as run

    found = run(source, engine, recording, truth, selection, config, console.ProgressBars())
    report(found)
    write(found, config, json_file)
    if found.interrupted:
        console.warning(f"interrupted after {found.frames} frames; the figures are of these")
        raise typer.Exit(130)
    if found.left_out:
        console.error(f"{len(found.left_out)} frames were left out; the first: {found.left_out[0]}")
        raise typer.Exit(1)
