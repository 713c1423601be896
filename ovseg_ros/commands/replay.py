"""`ovseg replay`: a recording through a running node, and what the graph shows meanwhile."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
        console.error(f"the graph cannot be reached without ROS 2 ({error}); `ovseg evaluate` works without")
        raise typer.Exit(1) from None


def finish(outcome: "ReplayOutcome", output: str, json_file: Path | None) -> None:
    """Report the outcome of a replay, and exit where it went wrong."""
    from ovseg_ros.runs.summary import class_table, quality_table, tell_files

    metrics, scores, record = outcome.metrics, outcome.scores, outcome.record
    console.write_json(json_file, metrics)
    if scores.phases:
        console.out.print(quality_table(scores))
    if scores.quality is not None:
        console.out.print(class_table(scores.quality))
    for line in report_lines(metrics):
        console.say(line)
    if output:
        tell_files(console.out, Path(output))
    if record.call is not None and not record.call.success:
        console.error(f"/set_vocabulary was refused: {record.call.message}")
        raise typer.Exit(1)
    if record.failure:
        console.error(record.failure)
        raise typer.Exit(1)
    if record.interrupted:
        console.warning(f"interrupted after {record.trace.sent} frames")
        raise typer.Exit(130)


def report_lines(metrics: dict[str, Any]) -> list[str]:
    """What only the graph shows, for people."""
    latency, rates, late = metrics["latency_ms"], metrics["rate"], metrics["sending"]["late_ms"]
    lines = [f"{metrics['frames_in']} frames sent, {metrics['frames_out']} answered, "]
    lines[0] += f"{metrics['frames_dropped']} dropped"
    if metrics["frames_not_received"]:
        lines[0] += f" ({metrics['frames_not_received']} of them never reached the node)"
    if metrics["frames_left_out"]:
        lines.append(
            f"{metrics['frames_left_out']} frames were not sent: one with the same time stamp was on the way"
        )
    lines.append(
        f"latency {_ms(latency['p50'])} p50, {_ms(latency['p95'])} p95, {_ms(latency['p99'])} p99, "
        f"{_ms(latency['max'])} max; jitter {_ms(metrics['jitter_ms'])}"
    )
    lines.append(
        f"sent at {_hz(rates['sent'])}, answered at {_hz(rates['output'])}; frames went out "
        f"{_ms(late['p50'])} late (p99 {_ms(late['p99'])})"
    )
    for name in ("get_vocabulary", "set_vocabulary"):
        reply = metrics["service_ms"].get(name)
        if reply and reply["calls"]:
            times = f"{_ms(reply['p50'])} p50, {_ms(reply['max'])} max"
            lines.append(f"/{name} answered in {times} ({reply['calls']} calls)")
    search = metrics["rate_search"]
    if search is not None:
        beyond = "" if search["failed"] is None else f"; {_hz(search['failed'])} does not hold"
        lines.append(f"highest rate with fewer than 5 % dropped: {_hz(search['held'])}{beyond}")
    recovery = metrics["recovery"]
    if recovery is not None:
        first = recovery["first_answer_ms"]
        lines.append(
            f"jumps back to the start: {recovery['jumps']}, answered again after {recovery['recovered']}; "
            f"first answer after {_ms(first['p50'])} p50, {_ms(first['max'])} max"
        )
    lines.append(f"{metrics['model']}, {metrics['method']} on {metrics['device']}")
    return lines


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _hz(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} Hz"
