"""`ovseg replay`: a recording through a running node, and what the graph shows meanwhile."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Engine, Given, Json, generated
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.config import ReplayConfig

if TYPE_CHECKING:
    from ovseg_ros.runs.replay import ReplayOutcome


@generated
def replay(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            exists=True,
            help="A bag (rosbag2, ROS 1), a data set folder, a folder of images, or a video.",
        ),
    ],
    engine: Engine,
    given: Given,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: ReplayConfig,
    json_file: Json = None,
) -> None:
    """Play a recording in real time into the running node over ROS topics, and report how good and how fast
    it is.

    Without --attach a node is started for it, on a graph of its own unless ROS_DOMAIN_ID is set. Its classes
    are those of the ground truth unless words are given. Ctrl-C ends the replay and reports what was played.

    Example: ovseg replay drive.mcap --model ViT-B-16 --output out/replay

    Exit status: 0 success, 1 the node ended, answered nothing, refused the vocabulary or could not be used,
    2 wrong usage, 130 interrupted.
    """
    if config.attach and given:
        raise typer.BadParameter(
            f"{', '.join(given)}: for a node that is started; leave out with --attach, --params-file too"
        )
    with_ros()
    from ovseg_ros.runs.replay import replay as run
    from ovseg_ros.runs.replay import write_node_parameters

    if config.write_params:
        write_node_parameters(path, engine, recording, truth, config, given)
        return
    outcome = run(path, engine, recording, truth, selection, config, given, console.ProgressBars(log=True))
    finish(outcome, config.output, json_file)


def with_ros() -> None:
    """Ends the command where ROS 2 is not installed."""
    try:
        import rclpy  # noqa: F401
    except ModuleNotFoundError as error:
        console.fail(f"the graph cannot be reached without ROS 2 ({error}); `ovseg evaluate` works without")


def finish(outcome: "ReplayOutcome", output: str, json_file: Path | None) -> None:
    """Report the outcome of a replay, and exit where it went wrong."""
    from ovseg_ros.report.tables import class_iou_table, graph_lines, metrics_table, print_files
    from ovseg_ros.runs.result_files import as_json

    result, record = outcome.result, outcome.record
    console.write_json(json_file, as_json(result))
    if result.phases:
        console.out.print(metrics_table(result))
    if result.metrics.confusion is not None:
        console.out.print(class_iou_table(result.metrics))
    for line in graph_lines(result, result.graph) if result.graph else ():
        console.say(line)
    if output:
        print_files(console.out, Path(output))
    if record.call is not None and not record.call.success:
        console.fail(f"/set_vocabulary was refused: {record.call.message}")
    if record.failure:
        console.fail(record.failure)
    if record.interrupted:
        console.interrupted(f"{record.trace.sent} frames")
