"""`ovseg replay`: a bag through a running node, and what the graph shows meanwhile."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ovseg_ros.commands import console, options

if TYPE_CHECKING:
    from ovseg_ros.runs.replay_run import ReplayOutcome

_NODE, _BAG, _PACE, _MEASURE, _OUTPUT = "Node", "Bag", "Pace", "Measurements", "Output"


def replay(
    bag: Annotated[
        Path,
        typer.Argument(
            metavar="BAG", exists=True, help="A bag (rosbag2, ROS 1), or a folder with images and labels."
        ),
    ],
    attach: Annotated[
        bool,
        typer.Option(
            "--attach",
            help="Play into the node that runs already; else one is started.",
            rich_help_panel=_NODE,
        ),
    ] = False,
    node: Annotated[str, typer.Option(help="The node's name.", rich_help_panel=_NODE)] = "segmenter",
    namespace: Annotated[str, typer.Option(help="Its namespace.", rich_help_panel=_NODE)] = "/",
    image_topic: Annotated[
        str | None,
        typer.Option(
            help="Raw image topic that it subscribes to [default: with --attach as it says itself, else "
            "`image` in the namespace].",
            show_default=False,
            rich_help_panel=_NODE,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model of a started node (see `ovseg models`) [default: ViT-B-16].",
            show_default=False,
            rich_help_panel=_NODE,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Its open_clip tag, or a file [default: openai].", show_default=False, rich_help_panel=_NODE
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="auto, cpu, cuda or cuda:<index> [default: auto].", show_default=False, rich_help_panel=_NODE
        ),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            help="Words for a started node: a file, a shipped name, or 'road, person; pedestrian' "
            "[default: the classes of the bag's ground truth].",
            show_default=False,
            rich_help_panel=_NODE,
        ),
    ] = None,
    params_file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Parameters for a started node, as in config/segment.yaml.",
            rich_help_panel=_NODE,
        ),
    ] = None,
    write_params: Annotated[
        Path | None,
        typer.Option(
            help="Only write the parameters with which a node would be started for this bag, so that you can "
            "start it yourself and --attach.",
            rich_help_panel=_NODE,
        ),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Image topic of a bag with several.", rich_help_panel=_BAG)
    ] = None,
    labels_topic: Annotated[
        str | None,
        typer.Option(
            help="Topic of the ground truth [default: /ground_truth/labels].",
            show_default=False,
            rich_help_panel=_BAG,
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="YAML file from the truth's names to the vocabulary's, for those that differ.",
            rich_help_panel=_BAG,
        ),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Play every N-th frame.", rich_help_panel=_BAG)] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Play at most N frames of each pass.", rich_help_panel=_BAG)
    ] = None,
    loop: Annotated[
        int,
        typer.Option(
            min=0,
            help="Play the bag N times; the stamps jump back each time. 0: until Ctrl-C.",
            rich_help_panel=_BAG,
        ),
    ] = 1,
    speed: Annotated[
        float | None,
        typer.Option(
            help="Recorded spacing, N times as fast [default: 1].", show_default=False, rich_help_panel=_PACE
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Frames a second, instead of the recorded spacing.", rich_help_panel=_PACE),
    ] = None,
    clock: Annotated[
        bool | None,
        typer.Option(
            "--clock/--no-clock",
            help="Publish /clock [default: for a started node, which then uses it; with --attach where "
            "the node uses it and nobody else publishes it].",
            show_default=False,
            rich_help_panel=_PACE,
        ),
    ] = None,
    calls: Annotated[
        int,
        typer.Option(
            min=0,
            help="After the replay, call each service N times while frames flow on; the words stay the same.",
            rich_help_panel=_MEASURE,
        ),
    ] = 10,
    find_rate: Annotated[
        bool,
        typer.Option(
            "--find-rate",
            help="After the replay, search the highest rate at which fewer than 5 % of the frames are "
            "dropped, with bursts of 40 frames (2 s at least), for three minutes or less.",
            rich_help_panel=_MEASURE,
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for page, video, labelled bag and metrics.json.", rich_help_panel=_OUTPUT),
    ] = None,
    json_file: options.Json = None,
) -> None:
    """Play a bag in real time into the running node over ROS topics, and tell how good and how fast it is.

    Without --attach a node is started for it, on a graph of its own unless ROS_DOMAIN_ID is set. Ctrl-C ends
    the replay and tells what there is.

    Example: ovseg replay drive.mcap --model ViT-B-16 --output out/replay

    Exit status: 0 all went well, 1 the node ended, answered nothing or could not be used, 2 bad usage,
    130 interrupted.
    """
    _check_usage(attach, speed, rate, model=model, weights=weights, device=device, vocabulary=vocabulary)
    if attach and params_file is not None:
        raise typer.BadParameter("--params-file is for a node that is started; leave it out with --attach")

    from ovseg_ros.graph.graph_names import GraphNames
    from ovseg_ros.graph.own_node import model_parameters
    from ovseg_ros.graph.pacing import Pace, Selection

    try:
        from ovseg_ros.runs.replay_run import ReplayOptions, run, write_node_parameters
    except ModuleNotFoundError as error:
        console.error(f"the graph cannot be reached without ROS 2 ({error}); `ovseg evaluate` works without")
        raise typer.Exit(1) from None

    chosen = ReplayOptions(
        bag=bag,
        topic=topic,
        labels_topic=labels_topic,
        mapping=mapping,
        attach=attach,
        names=GraphNames(node, namespace, image_topic or ""),
        parameters=model_parameters(model, weights, device),
        params_file=params_file,
        vocabulary=vocabulary,
        clock=clock,
        pace=Pace(speed or 1.0, None if rate is None else 1 / rate),
        selection=Selection(every, limit, loop),
        calls=calls,
        find_rate=find_rate,
        output=output,
    )
    if write_params is not None:
        write_node_parameters(chosen, write_params)
        return
    outcome = run(chosen, _Show())
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(outcome.metrics, indent=2, ensure_ascii=False, allow_nan=False)
        json_file.write_text(text + "\n", encoding="utf-8")
    _tell(outcome, output)
    if outcome.result.failure:
        console.error(outcome.result.failure)
        raise typer.Exit(1)
    if outcome.result.interrupted:
        console.warning(f"interrupted after {outcome.result.frames_in} frames")
        raise typer.Exit(130)


def _check_usage(attach: bool, speed: float | None, rate: float | None, **for_own_node: str | None) -> None:
    if speed is not None and rate is not None:
        raise typer.BadParameter("give --speed or --rate, not both")
    for name, value in (("--speed", speed), ("--rate", rate)):
        if value is not None and not value > 0:
            raise typer.BadParameter(f"{name} is {value}; expected a number above 0")
    given = [f"--{name}" for name, value in for_own_node.items() if value is not None]
    if attach and given:
        raise typer.BadParameter(f"{', '.join(given)}: for a node that is started; leave out with --attach")


class _Show:
    """Stages as progress bars on stderr."""

    @contextmanager
    def stage(self, what: str, total: int | None = None) -> Iterator[Callable[[int, str], None]]:
        if not console.err.is_terminal:
            text = what if total is None else f"{what}: {total} frames"
            console.err.print(text, soft_wrap=True, markup=False)
        with console.progress_bar("frames") as progress:
            task = progress.add_task(what, total=total)
            yield lambda done, text: progress.update(task, completed=done, description=text)

    def warn(self, text: str) -> None:
        console.warning(text)


def _tell(outcome: "ReplayOutcome", output: Path | None) -> None:
    from ovseg_ros.runs.summary import class_table, quality_table, tell_files

    metrics, findings = outcome.metrics, outcome.findings
    if findings.phases:
        console.out.print(quality_table(findings))
    if findings.quality is not None:
        console.out.print(class_table(findings.quality))
    for line in told(metrics):
        console.say(line)
    if output is not None:
        tell_files(console.out, output)


def told(metrics: dict[str, Any]) -> list[str]:
    """What only the graph shows, in lines that people read."""
    latency, rates, late = metrics["latency_ms"], metrics["rate"], metrics["sending"]["late_ms"]
    lines = [f"{metrics['frames_in']} frames sent, {metrics['frames_out']} answered, "]
    lines[0] += f"{metrics['frames_dropped']} dropped"
    if metrics["frames_not_received"]:
        lines[0] += f" ({metrics['frames_not_received']} of them never reached the node)"
    if metrics["frames_left_out"]:
        lines.append(
            f"{metrics['frames_left_out']} frames were not sent: one of the same stamp was on the way"
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
