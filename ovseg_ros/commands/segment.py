"""`ovseg segment`: label the pixels of images, videos and bags in the user's words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.commands import console
from ovseg_ros.commands.generate import EXPOSED, Expose, Json, generated
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig
from ovseg_ros.runs.config import SegmentConfig

if TYPE_CHECKING:
    from ovseg_ros.runs.segment import SegmentOutcome


@generated
def segment(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            exists=True,
            help="Images, folders of images and videos, videos (mp4, webm, avi, mov), bags (rosbag2, ROS 1).",
        ),
    ],
    engine: Annotated[EngineConfig, Expose(EXPOSED.defaults)],
    recording: RecordingConfig,
    selection: SelectionConfig,
    config: SegmentConfig,
    json_file: Json = None,
) -> None:
    """Label every pixel of images, videos and bags with the classes you give.

    Frames are selected among all images together, and in each video and bag.

    Example: ovseg segment photos/ street.mp4 --classes "road, person; pedestrian, car" --background "sky"

    Exit status: 0 success, 1 failure (of some inputs: the others are done), 2 wrong usage, 130 interrupted.
    """
    from ovseg_ros.runs.segment import segment as run

    outcome = run(inputs, engine, recording, selection, config, console.ProgressBars())
    _report(outcome, Path(config.output), json_file)
    if outcome.interrupted:
        console.interrupted(f"{len(outcome.results)} of {outcome.sources} inputs")
    if any(statistics.failures for _, statistics in outcome.results):
        raise typer.Exit(1)


def _report(outcome: "SegmentOutcome", output: Path, json_file: Path | None) -> None:
    from ovseg_ros.report.tables import class_share_table, inputs_table, milliseconds

    total, words, setup, seconds = outcome.total, outcome.vocabulary, outcome.setup, outcome.seconds
    if len(outcome.results) > 1:
        console.out.print(inputs_table(outcome.results, words))
    if total.frames:
        console.out.print(class_share_table(total, words))
    console.say(
        f"{total.frames} frames in {seconds:.1f} s ({total.frames / seconds:.1f} frames/s); inference "
        f"{milliseconds(total.time(50))} ms p50, {milliseconds(total.time(95))} ms p95; "
        f"{setup['model']}, {setup['method']} on {setup['device']} in {setup['precision']}"
    )
    console.say(f"results in {output}")
    if total.failures:
        console.error(f"{len(total.failures)} failed, {total.frames} succeeded; see the warnings above")
    console.write_json(json_file, outcome.as_json())
