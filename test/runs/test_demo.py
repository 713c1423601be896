"""The whole demonstration over real topics, with a tiny model of random weights."""

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.config import from_values
from ovseg_ros.errors import OvsegError
from ovseg_ros.graph.client import GraphClient, ReplayError
from ovseg_ros.graph.node_process import NodeProcess
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.writer import make_bag
from ovseg_ros.runs.config import ReplayConfig
from ovseg_ros.runs.demo import demo
from ovseg_ros.runs.output_folder import OutputError
from ovseg_ros.runs.replay import ReplayOutcome

TRUTH = {1: "road", 2: "sky", 3: "red box"}


@pytest.fixture(autouse=True)
def _own_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 101))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


class Silent:
    """Shows no progress."""

    def stage(self, what: str, total: int | None = None) -> Any:
        return nullcontext(lambda **step: None)

    def warn(self, text: str) -> None:
        pass


def run(
    path: Path, output: Path, limit: int = 0, params: dict[str, Any] | None = None, **options: Any
) -> ReplayOutcome:
    params = {"model.device": "cpu", **(params or {})}
    engine = from_values(EngineConfig, {"vocabulary.file": "", **params})
    config = ReplayConfig(calls=0, output=str(output), **options)
    selection = SelectionConfig(limit=limit)
    return demo(path, engine, RecordingConfig(), TruthConfig(), selection, config, params, Silent())


class Messages:
    """The labelled bag as rosbags itself reads it, without any of our own code."""

    def __init__(self, path: Path) -> None:
        self.times: list[int] = []
        self.by_topic: dict[str, list[Any]] = {}
        with AnyReader([path]) as reader:
            for connection, time, raw in reader.messages():
                self.times.append(time)
                message = reader.deserialize(raw, connection.msgtype)
                self.by_topic.setdefault(connection.topic, []).append(message)

    def by_stamp(self, topic: str) -> dict[tuple[int, int], Any]:
        messages = self.by_topic[topic]
        return {(m.header.stamp.sec, m.header.stamp.nanosec): m for m in messages}


def pixels(message: Any) -> np.ndarray:
    assert message.encoding == "mono8"
    assert message.step == message.width
    return message.data.reshape(message.height, message.width)


def score_in_words(bag: Messages) -> tuple[dict[str, float | None], float, int]:
    """IoU by the truth's words and pixel accuracy, pixel by pixel, from the bag's messages alone."""
    revisions = {v.revision: v for v in bag.by_topic["/segmenter/vocabulary"]}
    summaries, truths = bag.by_stamp("/segmenter/summary"), bag.by_stamp("/ground_truth/labels")
    pairs: list[tuple[str, str]] = []
    for stamp, message in bag.by_stamp("/segmenter/labels").items():
        vocabulary = revisions[summaries[stamp].vocabulary_revision]
        said = {0: "background", 255: "unlabelled"}
        for entry in vocabulary.classes:
            prompts = [entry.name, *entry.synonyms]
            said[entry.id] = next((word for word in prompts if word in TRUTH.values()), entry.name)
        truth, labels = pixels(truths[stamp]).ravel().tolist(), pixels(message).ravel().tolist()
        pairs += [(TRUTH[t], said[p]) for t, p in zip(truth, labels, strict=True) if t != 255]
    ious: dict[str, float | None] = {}
    for name in TRUTH.values():
        either = sum(1 for pair in pairs if name in pair)
        ious[name] = sum(1 for pair in pairs if pair == (name, name)) / either if either else None
    return ious, sum(1 for t, p in pairs if t == p) / len(pairs), len(pairs)


def test_the_whole_demonstration(dataset: Path, tmp_path: Path, tiny_model_dir: Path) -> None:
    output = tmp_path / "demo"
    then = ("street; road", "air; sky", "red box; crate")
    run(dataset, output, params={"model.name": str(tiny_model_dir)}, then_classes=then)
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    bag = Messages(output / "labelled")

    assert metrics["frames_in"] == len(bag.by_topic["/camera/image/compressed"]) == 12
    assert metrics["frames_out"] == len(bag.by_topic["/segmenter/labels"])
    assert metrics["frames_dropped"] == 12 - metrics["frames_out"]
    assert metrics["device"] == "cpu"
    assert metrics["model"]

    assert metrics["vocabulary_revisions"] == [1, 2]
    first, second = metrics["phases"]
    assert first["classes"] == ["road", "sky", "red box"]
    assert second["classes"] == ["street; road", "air; sky", "red box; crate"]
    assert first["frames"] + second["frames"] == metrics["frames_out"]
    assert metrics["set_vocabulary"]["success"]
    assert metrics["set_vocabulary"]["before_frame"] == 6

    ious, accuracy, count = score_in_words(bag)
    assert count == metrics["frames_out"] * 64 * 46
    assert metrics["per_class_iou"] == pytest.approx(ious, abs=1e-12)
    there = [iou for iou in ious.values() if iou is not None]
    assert metrics["miou"] == pytest.approx(sum(there) / len(there), abs=1e-12)
    assert metrics["pixel_accuracy"] == pytest.approx(accuracy, abs=1e-12)
    by_frame = [frame for frame in metrics["per_frame"] if frame["revision"] is not None]
    weighted = sum(frame["pixel_accuracy"] for frame in by_frame) / len(by_frame)
    assert metrics["pixel_accuracy"] == pytest.approx(weighted, abs=1e-12)

    latencies = sorted(frame["latency_ms"] for frame in by_frame)
    assert len(latencies) == metrics["frames_out"]
    assert latencies[0] <= metrics["latency_ms"]["p50"] <= metrics["latency_ms"]["p95"]
    assert metrics["latency_ms"]["p95"] <= metrics["latency_ms"]["p99"] <= latencies[-1]
    assert metrics["latency_ms"]["p50"] == pytest.approx(np.median(latencies))

    assert bag.times == sorted(set(bag.times))
    assert len(bag.by_topic["/segmenter/overlay/compressed"]) == metrics["frames_out"]
    names = {c.class_id: c.class_name for c in bag.by_topic["/segmenter/label_info"][-1].class_map}
    ids = {entry.id: entry.name for entry in bag.by_topic["/segmenter/vocabulary"][-1].classes}
    assert ids.items() <= names.items()

    capture = cv2.VideoCapture(str(output / "overlay.webm"))
    shown = 0
    while capture.read()[0]:
        shown += 1
    assert shown == metrics["frames_out"]
    page = (output / "index.html").read_text(encoding="utf-8")
    assert "street; road" in page
    assert not list(output.glob(".scratch*"))


def test_a_refused_vocabulary_is_told_and_the_first_stays(
    tmp_path: Path, make_dataset: Callable, tiny_model_dir: Path
) -> None:
    make_dataset(tmp_path / "dataset", count=4)
    make_bag(tmp_path / "dataset", tmp_path / "raw", compressed=False)
    (tmp_path / "taken.yaml").write_text("classes: [{name: dragon, id: 1}]\n", encoding="utf-8")
    output = tmp_path / "demo"
    params = {"model.name": str(tiny_model_dir), "vocabulary.classes": ["road"]}
    outcome = run(tmp_path / "raw", output, 3, params, then_vocabulary=str(tmp_path / "taken.yaml"))
    assert outcome.record.call is not None
    assert not outcome.record.call.success
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["frames_in"] == 3
    assert metrics["image_topic"] == "/camera/image"
    assert metrics["vocabulary_revisions"] == [1]
    assert metrics["phases"][0]["ignored"] == ["sky", "red box"]
    assert "dragon" in metrics["set_vocabulary"]["message"]


def test_the_node_ends_cleanly(tmp_path: Path, tiny_model_dir: Path) -> None:
    parameters = {"model.name": str(tiny_model_dir), "model.device": "cpu", "vocabulary.classes": ["road"]}
    process = NodeProcess(parameters, tmp_path)
    with process, GraphClient() as client:
        client.wait_until_active(60.0, process.check)
    assert process.process.returncode == 0, process.last_output()


def test_a_model_that_is_not_there_is_told(dataset: Path, tmp_path: Path) -> None:
    absent = tmp_path / "no_such_model"
    with pytest.raises(ReplayError, match=r"the node cannot be configured: [\s\S]*no_such_model"):
        run(dataset, tmp_path / "demo", limit=2, params={"model.name": str(absent)})


def test_a_node_that_dies_is_told_with_its_last_output(tmp_path: Path) -> None:
    process = NodeProcess({"input.transport": "pigeon"}, tmp_path)
    with (
        pytest.raises(ReplayError, match=r"the node ended with status [\s\S]*pigeon"),
        process,
        GraphClient() as client,
    ):
        client.wait_until_active(60.0, process.check)


def test_without_truth_and_words_there_is_nothing_to_look_for(tmp_path: Path, make_dataset: Callable) -> None:
    make_dataset(tmp_path / "dataset", count=1)
    for file in (tmp_path / "dataset" / "labels").iterdir():
        file.unlink()
    (tmp_path / "dataset" / "labels").rmdir()
    with pytest.raises(ReplayError, match="give --classes 'road, person; pedestrian', or --vocabulary"):
        run(tmp_path / "dataset", tmp_path / "demo")


def test_a_folder_of_somebody_else_is_left_alone(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / "labelled").mkdir(parents=True)
    (tmp_path / "home" / "labelled" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(OutputError, match="neither empty nor of an earlier run"):
        run(dataset, tmp_path / "home")
    assert (tmp_path / "home" / "labelled" / "thesis.txt").exists()


def test_no_bag_at_all(tmp_path: Path) -> None:
    with pytest.raises(OvsegError, match="does not exist"):
        run(tmp_path / "absent", tmp_path / "demo")
