"""The demonstration: a bag through the real node, other words half-way, and a page that shows it."""

import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ovseg_ros.errors import OvsegError
from ovseg_ros.graph.node_process import NodeProcess
from ovseg_ros.graph.own_node import first_words, input_parameters, model_parameters
from ovseg_ros.graph.pacing import USUAL_RATE, Pace, Selection
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.paths import share_directory
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.recording import AnswerLog
from ovseg_ros.report.page import write_run
from ovseg_ros.runs.examination import Source, examine, is_dataset, make_playable
from ovseg_ros.runs.graph_figures import graph_figures
from ovseg_ros.runs.output_folder import SCRATCH, prepare
from ovseg_ros.runs.replay_result import ReplayResult, VocabularyCall
from ovseg_ros.runs.signals import graph_of_our_own, terminated_as_interrupted
from ovseg_ros.runs.summary import collect, command, quality_table, tell_files
from ovseg_ros.runs.wording import Words, other_words, read_words
from ovseg_ros.vocabulary import Vocabulary

SAMPLE_BAG = "sample_bag"
"""Folder of the sample bag among the files that ship with the package."""

COLORS_FILE = "colors.yaml"
"""The words for the second half of its demo, in that folder."""

LOAD = 0.8
"""Share of what the node was seen to manage in the warm-up at which frames are sent."""


class DemoError(OvsegError):
    """The demonstration lacks something."""


def run(
    *,
    bag: Path | None = None,
    model: str | None = None,
    weights: str = "openai",
    vocabulary: str | None = None,
    then: str | None = None,
    output: Path = Path("out/demo"),
    device: str = "auto",
    rate: float = 0.0,
    limit: int | None = None,
) -> int:
    """Play a bag through the node and write `overlay.webm`, `labelled/` (a bag for Foxglove), `index.html`
    and `metrics.json` to `output`. Returns the exit status: 1 where the node refused the second vocabulary
    or ended early.

    Args:
        bag: a rosbag, or a dataset folder, of which a bag is made. None: the sample bag that ships.
        model, weights, device: the node's parameters of these names. Without a model, ovseg-tiny for the
            sample bag, which is of the world that it knows, and ViT-B-16 for any other.
        vocabulary: what to look for at first: a file, a shipped name, or "road, person; pedestrian". None:
            the classes of the bag's ground truth.
        then: what to ask for half-way, in the same forms. None: for the sample bag the things by their
            colours, else the first vocabulary in other words.
        output: a new folder, or that of an earlier run, whose files are replaced.
        rate: speed of the replay as a factor, as in `ros2 bag play --rate`; 1 is the bag's own pace. 0: the
            bag's own, or slower where this machine would drop frames.
        limit: play at most so many frames.

    Raises OvsegError on whatever the user can mend.
    """
    console = Console(stderr=True, highlight=False)
    if bag is None:
        bag = share_directory() / SAMPLE_BAG
        model = model or "ovseg-tiny"
        then = then or str(bag / COLORS_FILE)
    model = model or "ViT-B-16"
    if not bag.exists():
        raise DemoError(f"{bag} does not exist; expected a bag, or a dataset folder with images/")
    prepare(output, command())
    with ExitStack() as stack:
        stack.enter_context(graph_of_our_own())
        stack.enter_context(terminated_as_interrupted())
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=output, prefix=SCRATCH)))
        if is_dataset(bag):
            console.print(f"making a bag of {bag}", markup=False)
        opened = stack.enter_context(Bag(make_playable(bag, output)))
        source = Source.choose(opened, None, None, Selection(limit=limit))
        first = first_words(source.truth_names, vocabulary, bag)
        second = read_words(then) if then else other_words(first)
        parameters = {
            **input_parameters(source.topic, clock=True),
            **model_parameters(model, weights, device),
            **first.parameters(),
        }
        log = AnswerLog(scratch / "answers")
        process = NodeProcess(parameters, output)
        result, vocabularies = _replay(source, process, second, log, rate, console)
        meter = SegmentationAccumulator(source.truth_names)
        with _progress(console) as progress:
            task = progress.add_task("drawing", total=result.frames_in)
            findings, media = examine(
                source,
                result,
                log,
                vocabularies,
                meter,
                output,
                lambda done: progress.update(task, completed=done),
            )
    metrics = {
        **collect(
            findings,
            kind="demo",
            bag=bag.resolve().name,
            image_topic=source.topic.name,
            model=result.node.get("model", model),
            method=result.node.get("method", "unknown"),
            device=result.node.get("device", "unknown"),
        ),
        **graph_figures(result, source.topic.rate),
        "set_vocabulary": _call(result.call),
        "held_seconds": result.held_seconds,
    }
    write_run(output, metrics, media)
    out, latency = Console(highlight=False), metrics["latency_ms"]
    out.print(quality_table(findings))
    out.print(
        f"{metrics['frames_in']} frames sent, {metrics['frames_dropped']} dropped; latency p50 "
        f"{latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms, p99 {latency['p99']:.0f} ms; "
        f"{metrics['model']} on {metrics['device']}"
    )
    tell_files(out, output)
    if result.failure:
        console.print(result.failure, style="bold red", markup=False)
        return 1
    if result.call is not None and not result.call.success:
        console.print(f"/set_vocabulary was refused: {result.call.message}", style="bold red", markup=False)
        return 1
    return 0


def _replay(
    source: Source, process: NodeProcess, second: Words, log: AnswerLog, rate: float, console: Console
) -> tuple[ReplayResult, dict[int, Vocabulary]]:
    # Imported here: everything else about bags works without ROS.
    from ovseg_ros.graph.graph_client import GraphClient
    from ovseg_ros.runs.replay import Replay, VocabularySwitch
    from ovseg_ros.srv import SetVocabulary

    total = source.frames
    middle = total // 2
    with GraphClient() as client, process, log, _progress(console) as progress:
        client.open_camera()
        task = progress.add_task("the node loads its model", total=total)
        replay = Replay(client, process, clock=True)
        with closing(source.recording.frames()) as frames:
            first = next(frames, None)
        if first is None:
            raise DemoError(f"{source.bag.path}: {source.topic.name} has no frame to play")
        manageable = replay.warm_up(first) / LOAD
        own_period = 1 / (source.topic.rate or USUAL_RATE)
        period = own_period / rate if rate > 0 else max(own_period, manageable)
        result = ReplayResult(rate=1 / period)
        request = SetVocabulary.Request(**second.fields())
        replay.run(
            source.recording.frames(result.pass_starts),
            Pace(period=period),
            result,
            log,
            on_progress=lambda sent, answered: progress.update(
                task, completed=sent, description=f"playing, {answered} answered"
            ),
            switch=VocabularySwitch(client, request, middle, middle + max(1, (total - middle) // 2)),
        )
        return result, dict(client.vocabularies)


def _call(call: VocabularyCall | None) -> dict[str, Any] | None:
    if call is None:
        return None
    return {
        "before_frame": call.before_frame,
        "reply_ms": call.seconds * 1e3,
        "success": call.success,
        "message": call.message,
    }


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
