"""Replays over real topics: into a stand-in that answers after a fixed time, and into the node itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ovseg_ros.clipseg import load_segmenter
from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.config import ConfigError, from_values
from ovseg_ros.graph.client import GraphClient, ReplayError
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.sources import open_source
from ovseg_ros.recordings.writer import make_bag
from ovseg_ros.runs.config import ReplayConfig
from ovseg_ros.runs.replay import ReplayOutcome, replay
from ovseg_ros.runs.result_files import as_json
from ovseg_ros.vocabulary import VocabularyBuilder

STAND_IN = Path(__file__).with_name("stand_in_node.py")
TRUTH = {1: "road", 2: "sky", 3: "red box"}


@pytest.fixture(autouse=True, scope="module")
def _own_graph() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 101))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield


@pytest.fixture(scope="module")
def raw_bag(tmp_path_factory: pytest.TempPathFactory, make_dataset: Callable[..., Any]) -> Path:
    """A bag of twelve raw frames with truth, recorded at 20 Hz."""
    folder = tmp_path_factory.mktemp("bag")
    make_dataset(folder / "dataset")
    make_bag(folder / "dataset", folder / "raw", rate=20.0, compressed=False)
    return folder / "raw"


OTHER = "/other"
"""Namespace of stand-ins that the module's own must not meet."""


@contextmanager
def stand_in(seconds: float, *rules: str, answers: int = 0) -> Iterator[None]:
    arguments = [word for rule in rules for word in ("-r", rule)]
    command = [sys.executable, str(STAND_IN), str(seconds), str(answers), "--ros-args", *arguments]
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def quick(_own_graph: None) -> Iterator[None]:
    """A stand-in `/segmenter` that answers at once, for the whole module."""
    with stand_in(0.0), GraphClient() as client:
        client.wait_until_active(60.0, lambda: None)
        yield


class Shown:
    """Takes what a run reports; `on_progress` is called with stage and steps done."""

    def __init__(self, on_progress: Callable[[str, int], None] = lambda what, done: None) -> None:
        self.warnings: list[str] = []
        self._on_progress = on_progress

    def stage(self, what: str, total: int | None = None) -> Any:
        done = 0

        def advance(advance: int = 1, description: str | None = None) -> None:
            nonlocal done
            done += advance
            self._on_progress(what, done)

        return nullcontext(advance)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def played(
    path: Path, shown: Shown | None = None, params: dict[str, Any] | None = None, **options: Any
) -> ReplayOutcome:
    """A replay, by default without service calls; `every` and `limit` select frames."""
    chosen = {name: options.pop(name) for name in ("every", "limit") if name in options}
    engine = from_values(EngineConfig, {"vocabulary.file": "", **(params or {})})
    config = ReplayConfig(**{"calls": 0, **options})
    return replay(
        path,
        engine,
        RecordingConfig(),
        TruthConfig(),
        SelectionConfig(**chosen),
        config,
        params or {},
        shown or Shown(),
    )


def attached(path: Path, shown: Shown | None = None, **options: Any) -> ReplayOutcome:
    return played(path, shown, attach=True, **options)


def test_every_frame_is_answered_by_a_node_that_keeps_up(raw_bag: Path, quick: None) -> None:
    outcome = attached(raw_bag, calls=2)
    metrics, trace = as_json(outcome.result), outcome.record.trace
    assert metrics["frames_in"] == 12
    assert metrics["frames_out"] + metrics["frames_dropped"] == 12
    # A machine that is busy with other things may drop some, never the last.
    assert not np.isnan(trace.latency_ms[-1])
    assert metrics["frames_not_received"] <= metrics["frames_dropped"]
    assert all(latency > 0 for latency in trace.latency_ms if not np.isnan(latency))
    assert metrics["kind"] == "replay"
    assert metrics["model"] == "stand-in"
    assert [frame["number"] for frame in metrics["per_frame"]] == list(range(12))
    for name in ("get_vocabulary", "set_vocabulary"):
        assert metrics["service_ms"][name]["calls"] >= 2
    json.dumps(metrics, allow_nan=False)
    # Thirds of a picture are road, sky and red box; the truth is what it is.
    meter = SegmentationAccumulator(TRUTH)
    labels = np.repeat(np.uint8([[1 + 3 * column // 64 for column in range(64)]]), 48, axis=0)
    vocabulary = outcome.record.vocabularies[outcome.result.phases[0].revision]
    with Bag(raw_bag) as bag:
        truths = [bag.decode_labels(message) for message in bag.messages(["/ground_truth/labels"])]
        images = [bag.decode_image(message) for message in bag.messages(["/camera/image"])]
    answered = [frame["number"] for frame in metrics["per_frame"] if frame["latency_ms"] is not None]
    for number in answered:
        meter.update(truths[number], labels, np.full_like(labels, 200), vocabulary, images[number])
    expected = as_json(meter.compute())
    assert {key: metrics[key] for key in expected} == expected


def test_frames_go_out_at_their_times_and_never_early(raw_bag: Path, quick: None) -> None:
    recorded = attached(raw_bag).record.trace
    slow = attached(raw_bag, speed=0.5, limit=4).record.trace
    fixed = attached(raw_bag, rate=50.0, every=2).record.trace
    for trace, period, count in ((recorded, 0.05, 12), (slow, 0.1, 4), (fixed, 0.02, 6)):
        assert len(trace) == count
        due = np.arange(count) * period
        assert np.array(trace.sent_s) == pytest.approx(due + np.array(trace.late_ms) / 1e3, abs=1e-6)
        assert min(trace.late_ms) >= 0


def test_a_slow_node_drops_and_the_rest_is_still_told(raw_bag: Path) -> None:
    with stand_in(0.4, "__ns:=/other"):
        metrics = as_json(attached(raw_bag, namespace=OTHER, rate=20.0).result)
    assert metrics["frames_in"] == 12
    assert 1 <= metrics["frames_out"] < 12
    assert metrics["frames_dropped"] == 12 - metrics["frames_out"]
    assert metrics["latency_ms"]["p50"] >= 400
    assert sum(frame["revision"] is None for frame in metrics["per_frame"]) == metrics["frames_dropped"]


def test_a_loop_is_recovered_from(raw_bag: Path, tmp_path: Path, quick: None) -> None:
    output = tmp_path / "out"
    outcome = attached(raw_bag, rate=4.0, limit=5, loop=3, output=str(output))
    recovery = as_json(outcome.result)["recovery"]
    assert outcome.record.pass_starts == [0, 5, 10]
    assert (recovery["jumps"], recovery["recovered"]) == (2, 2)
    # A machine that hangs for a whole pass has a stamp on its way twice, and leaves the second out.
    left_out = as_json(outcome.result)["frames_left_out"]
    assert recovery["frames_in"] + left_out == 10
    assert as_json(outcome.result)["frames_in"] + left_out == 15
    assert (output / "index.html").is_file()
    with Bag(output / "labelled") as bag:
        images = list(bag.messages(["/camera/image"]))
        labels = list(bag.messages(["/segmenter/labels"]))
    assert len(images) == as_json(outcome.result)["frames_in"]
    assert len({message.stamp_ns for message in images}) == 5
    assert [m.log_ns for m in images] == sorted({m.log_ns for m in images})
    assert len(labels) == as_json(outcome.result)["frames_out"]


def test_one_frame_again_and_again_is_not_mistaken_for_another(raw_bag: Path) -> None:
    with stand_in(0.3, "__ns:=/other"):
        metrics = as_json(attached(raw_bag, namespace=OTHER, rate=20.0, limit=1, loop=12).result)
    assert metrics["frames_left_out"] >= 1
    assert metrics["frames_in"] + metrics["frames_left_out"] == 12
    assert metrics["frames_out"] == metrics["frames_in"]


def test_remapped_names_and_a_namespace(raw_bag: Path) -> None:
    with stand_in(0.0, "__node:=eye", "__ns:=/front", "image:=/camera/color/image_raw"):
        metrics = as_json(attached(raw_bag, node="eye", namespace="/front", limit=3).result)
    assert metrics["frames_out"] >= 1


def test_a_node_that_dies_is_told_with_what_it_gave(raw_bag: Path) -> None:
    # Four answers to the warm-up come first.
    with stand_in(0.0, "__ns:=/other", answers=4 + 3):
        outcome = attached(raw_bag, namespace=OTHER, rate=1 / 0.3, loop=0)
    assert "has left the graph" in outcome.record.failure or "not answered" in outcome.record.failure
    assert 1 <= as_json(outcome.result)["frames_out"] <= 3
    assert as_json(outcome.result)["failure"]


def test_ctrl_c_gives_what_there_is(raw_bag: Path, quick: None) -> None:
    pressed = False

    def interrupt_soon(what: str, done: int) -> None:
        nonlocal pressed
        if what == "playing" and done >= 3 and not pressed:
            pressed = True
            signal.raise_signal(signal.SIGINT)

    outcome = attached(raw_bag, Shown(interrupt_soon), loop=0, calls=5)
    assert outcome.record.interrupted
    assert as_json(outcome.result)["interrupted"]
    assert as_json(outcome.result)["frames_in"] >= 3
    assert "set_vocabulary" not in as_json(outcome.result)["service_ms"]


def test_a_camera_that_runs_already_is_in_the_way(raw_bag: Path, quick: None) -> None:
    with GraphClient() as camera:
        camera.open_camera()
        with pytest.raises(ReplayError, match="publishes on /image too"):
            attached(raw_bag)


def test_without_a_node_there_is_nothing_to_attach_to(raw_bag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovseg_ros.graph.node_process.ATTACH_TIMEOUT", 1.0)
    with pytest.raises(ReplayError, match="no node /absent on the graph"):
        attached(raw_bag, node="absent")


def test_a_node_of_the_same_name_is_not_started_twice(
    raw_bag: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ovseg_ros.graph.node_process.DISCOVERY_TIMEOUT", 60.0)  # it ends with the discovery
    with pytest.raises(ReplayError, match="runs on this graph already; give --attach"):
        played(raw_bag, params={"autostart": False})


def test_parameters_are_for_a_node_that_is_started(raw_bag: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.device: for a node that is started"):
        played(raw_bag, params={"model.device": "cpu"}, attach=True)


def test_the_search_for_the_highest_rate(raw_bag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovseg_ros.runs.replay_session.SEARCH_SECONDS", 3.0)
    with stand_in(0.01, "__ns:=/other"):
        metrics = as_json(attached(raw_bag, namespace=OTHER, find_rate=True).result)
    search = metrics["rate_search"]
    assert search["bursts"]
    assert all(burst["frames_out"] <= burst["frames_in"] for burst in search["bursts"])
    # No machine makes it faster than the node.
    assert search["held"] is None or search["held"] <= 1.1 / 0.01


@pytest.mark.timeout(300)
def test_online_and_offline_say_the_same_of_the_same_frames(raw_bag: Path, tiny_model_dir: Path) -> None:
    params: dict[str, Any] = {
        "model.name": str(tiny_model_dir),
        "model.device": "cpu",
        "model.precision": "float32",
    }
    # Options of the method reach the node as they reach the engine.
    params |= {"method.window": 32, "method.window_stride": 16, "method.logit_scale": 30.0}
    shown = Shown()
    outcome = played(raw_bag, shown, params, namespace=OTHER, rate=5.0)
    metrics = as_json(outcome.result)
    answered = [frame["number"] for frame in metrics["per_frame"] if frame["latency_ms"] is not None]
    assert answered
    assert not shown.warnings

    segmenter = load_segmenter(from_values(EngineConfig, params))
    vocabulary = VocabularyBuilder().build(list(TRUTH.values()))
    classifier = segmenter.encode(vocabulary)
    meter = SegmentationAccumulator(TRUTH)
    with open_source(raw_bag) as source:
        for frame in source.frames(SelectionConfig()):
            if frame.number in answered:
                found = segmenter.segment(frame.image(), classifier)
                assert frame.truth is not None
                meter.update(frame.truth(), found.labels, found.confidence, vocabulary)
    expected = as_json(meter.compute())
    assert metrics["miou"] == pytest.approx(expected["miou"], abs=1e-9)
    assert metrics["confusion"] == expected["confusion"]
    # The node knows the time of the bag, so it can tell its own latency.
    assert float(outcome.record.node["latency p50 (ms)"]) >= 0
