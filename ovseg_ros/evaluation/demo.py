"""The demonstration: a bag through the real node, other words half-way, and a page that shows it."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ovseg_ros.errors import OvsegError
from ovseg_ros.evaluation.bags import TRUTH_INFO_TOPIC, Bag, BagWriter, TopicInfo
from ovseg_ros.evaluation.datasets import make_bag
from ovseg_ros.evaluation.findings import Findings, examine
from ovseg_ros.evaluation.frames import read_frames
from ovseg_ros.evaluation.message_types import COMPRESSED_IMAGE
from ovseg_ros.evaluation.node_process import NodeProcess
from ovseg_ros.evaluation.recording import LabelledBagWriter
from ovseg_ros.evaluation.replay_result import ReplayResult
from ovseg_ros.evaluation.report import Context, write_report
from ovseg_ros.evaluation.summary import collect, tell
from ovseg_ros.evaluation.wording import Words, other_words, read_words, truth_words
from ovseg_ros.vocabulary import shipped_vocabularies

USUAL_RATE = 10.0
"""Frames a second of a bag that does not say."""

_VIDEO_RATES = (4.0, 30.0)
_PRODUCTS = ("overlay.webm", "labelled", "input_bag", "index.html", "metrics.json", "segmenter.yaml")
_MARK = "segmenter.log"
_SCRATCH = ".recording_"


class DemoError(OvsegError):
    """The demonstration lacks something."""


def run(
    *,
    bag: Path,
    model: str = "ViT-B-16",
    weights: str = "openai",
    vocabulary: str | None = None,
    then: str | None = None,
    output: Path = Path("out/demo"),
    device: str = "auto",
    rate: float = 0.0,
    limit: int | None = None,
) -> int:
    """Play a bag through the node and write `overlay.webm`, `labelled/` (a bag for Foxglove), `index.html`
    and `metrics.json` to `output`. Returns the exit status: 1 where the node refused the second vocabulary.

    Args:
        bag: a rosbag, or a dataset folder, of which a bag is made.
        model, weights, device: the node's parameters of these names.
        vocabulary: what to look for at first: a file, a shipped name, or "road, person; pedestrian". None:
            the classes of the bag's ground truth.
        then: what to ask for half-way, in the same forms. None: the first vocabulary in other words.
        output: a new folder, or that of an earlier run, whose files are replaced.
        rate: speed of the replay as a factor, as in `ros2 bag play --rate`; 1 is the bag's own pace. 0: the
            bag's own, or slower where this machine would drop frames.
        limit: play at most so many frames.

    Raises OvsegError on whatever the user can mend.
    """
    console = Console(stderr=True, highlight=False)
    if not bag.exists():
        raise DemoError(f"{bag} does not exist; expected a bag, or a dataset folder with images/")
    _prepare(output)
    with _graph_of_our_own(), _terminated_as_interrupted():
        playable = _as_bag(bag, output, console)
        with Bag(playable) as opened, tempfile.TemporaryDirectory(dir=output, prefix=_SCRATCH) as scratch:
            topic = opened.image_topic()
            first, second = _words(opened.label_names(), vocabulary, then, bag)
            process = NodeProcess(_parameters(topic, first, model, weights, device), output)
            total = topic.count if limit is None else min(limit, topic.count)
            recording = Path(scratch) / "recording"
            result = _replay(opened, topic, total, process, second, recording, rate, console)
            findings = _examine(recording, topic, result, output, console)
    metrics = collect(result, findings, bag.resolve().name, topic, model)
    context = Context(
        title=f"Replay of {metrics['bag']}",
        metrics=metrics,
        video="overlay.webm",
        video_rate=_video_rate(topic),
        sent_rate=result.rate,
        own_rate=topic.rate or USUAL_RATE,
        call=result.call,
    )
    write_report(output / "index.html", findings, context)
    text = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
    (output / "metrics.json").write_text(text + "\n", encoding="utf-8")
    tell(Console(highlight=False), findings, metrics, output)
    if result.call is not None and not result.call.success:
        console.print(f"/set_vocabulary was refused: {result.call.message}", style="bold red", markup=False)
        return 1
    return 0


def _prepare(output: Path) -> None:
    """Make the output folder and remove what an earlier run left in it; nothing else is ever removed."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()) and not (output / _MARK).exists():
            raise DemoError(f"{output} is neither empty nor of an earlier demo; choose another --output")
        (output / _MARK).touch()
        for product in [*(output / name for name in _PRODUCTS), *output.glob(f"{_SCRATCH}*")]:
            if product.is_dir():
                shutil.rmtree(product)
            else:
                product.unlink(missing_ok=True)
    except OSError as error:
        raise DemoError(f"{output} cannot be written: {error}") from error


@contextmanager
def _graph_of_our_own() -> Iterator[None]:
    """Where the user has not chosen a ROS domain, take one apart from other graphs of this machine."""
    chosen = {"ROS_DOMAIN_ID": str(1 + os.getpid() % 100), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    added = {} if "ROS_DOMAIN_ID" in os.environ else chosen
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A SIGTERM ends the node too, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_bag(source: Path, output: Path, console: Console) -> Path:
    """The bag itself, or one made of a dataset folder."""
    if not (source / "images").is_dir():
        return source
    console.print(f"making a bag of {source}", markup=False)
    return make_bag(source, output / "input_bag").path


def _words(
    names: dict[int, str], vocabulary: str | None, then: str | None, source: Path
) -> tuple[Words, Words]:
    """The first and the second vocabulary."""
    first = read_words(vocabulary) if vocabulary else truth_words(names)
    if not first.classes:
        raise DemoError(
            f"{source} does not say what is to be seen in it (it has no ground truth); give --vocabulary "
            f"'road, person; pedestrian', a file, or one that ships: {', '.join(shipped_vocabularies())}"
        )
    return first, read_words(then) if then else other_words(first)


def _parameters(topic: TopicInfo, words: Words, model: str, weights: str, device: str) -> dict[str, Any]:
    # A model given as a folder is meant from here, wherever the node runs.
    name = str(Path(model).resolve()) if Path(model).is_dir() else model
    return {
        "model.name": name,
        "model.weights": weights,
        "model.device": device,
        "input.transport": "compressed" if topic.type == COMPRESSED_IMAGE else "raw",
        **words.parameters(),
    }


def _replay(
    bag: Bag,
    topic: TopicInfo,
    total: int,
    process: NodeProcess,
    second: Words,
    recording: Path,
    rate: float,
    console: Console,
) -> ReplayResult:
    # Imported here: everything else about bags works without ROS.
    from ovseg_ros.evaluation.replay import Replay, Schedule
    from ovseg_ros.srv import SetVocabulary

    own_rate = topic.rate or USUAL_RATE
    middle = total // 2
    schedule = Schedule(
        period=1 / (own_rate * (rate or 1.0)),
        fixed=rate > 0,
        switch_at=middle,
        hold_at=middle + max(1, (total - middle) // 2),
    )
    with BagWriter(recording) as output, process, _progress(console) as progress:
        task = progress.add_task("the node loads its model", total=total)
        writer = LabelledBagWriter(output, topic.name, topic.type)
        for message in islice(bag.messages([TRUTH_INFO_TOPIC]), 1):
            writer.write_truth_info(message.data, bag.start_ns)
        replay = Replay(
            process,
            writer,
            lambda sent, answered: progress.update(
                task, completed=sent, description=f"playing, {answered} answered"
            ),
        )
        frames = islice(read_frames(bag, topic.name), total)
        return replay.run(frames, schedule, SetVocabulary.Request(**second.fields()))


def _examine(
    recording: Path, topic: TopicInfo, result: ReplayResult, output: Path, console: Console
) -> Findings:
    with _progress(console) as progress:
        task = progress.add_task("drawing", total=result.frames_in)
        return examine(
            recording,
            topic.name,
            result,
            output / "labelled",
            output / "overlay.webm",
            _video_rate(topic),
            lambda: progress.advance(task),
        )


def _video_rate(topic: TopicInfo) -> float:
    """Frames a second of the video: the bag's own, within what is pleasant to watch."""
    return float(np.clip(topic.rate or USUAL_RATE, *_VIDEO_RATES))


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
