"""`ovseg replay` on the command line: usage, and what is told. The replay itself: test/evaluation."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import Result

from ovseg_ros.commands.replay import told
from ovseg_ros.runs.graph_figures import graph_figures
from ovseg_ros.runs.replay_result import HighestRate, ReplayResult, Trace

Run = Callable[..., Result]


@pytest.fixture
def bag(tmp_path: Path, ovseg: Run) -> Path:
    """A bag of two pictures without truth."""
    (tmp_path / "dataset" / "images").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg"):
        cv2.imwrite(str(tmp_path / "dataset" / "images" / name), np.zeros((8, 8, 3), np.uint8))
    assert ovseg("bag", "make", tmp_path / "dataset", "--output", tmp_path / "bag").exit_code == 0
    return tmp_path / "bag"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--speed", "2", "--rate", "3"], "not both"),
        (["--speed", "0"], "above 0"),
        (["--rate", "-1"], "above 0"),
        (["--attach", "--model", "ViT-B-16", "--device", "cpu"], "--model, --device: for a node that is"),
        (["--loop", "-1"], "--loop"),
        (["--every", "0"], "--every"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, ovseg: Run, options: list[str], reason: str) -> None:
    result = ovseg("replay", tmp_path, *options)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_parameters_of_an_attached_node_are_its_own(tmp_path: Path, ovseg: Run) -> None:
    (tmp_path / "p.yaml").write_text("", encoding="utf-8")
    result = ovseg("replay", tmp_path, "--attach", "--params-file", tmp_path / "p.yaml")
    assert result.exit_code == 2
    assert "--params-file is for a node that is started" in result.stderr


def test_what_is_no_bag_is_told(tmp_path: Path, ovseg: Run) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    result = ovseg("replay", tmp_path)
    assert result.exit_code == 1
    assert "is no bag" in result.stderr


def test_without_truth_the_words_must_be_given(ovseg: Run, bag: Path, tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    result = ovseg("replay", bag, "--write-params", tmp_path / "node.yaml")
    assert result.exit_code == 1
    assert "give --vocabulary" in result.stderr


def test_the_parameters_for_a_node_are_written(tmp_path: Path, ovseg: Run, bag: Path) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    file = tmp_path / "node.yaml"
    options = ["--vocabulary", "road, person; pedestrian", "--write-params", str(file)]
    result = ovseg("replay", bag, *options, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    parameters = yaml.safe_load(file.read_text(encoding="utf-8"))["/**"]["ros__parameters"]
    assert parameters == {
        "input.transport": "compressed",
        "input.reliability": "reliable",
        "use_sim_time": True,
        "model.device": "cpu",
        "vocabulary.classes": ["road", "person; pedestrian"],
    }


def test_the_figures_are_told_in_lines() -> None:
    trace = Trace()
    for number in range(4):
        trace.add(0.1 * number, 0.2)
        if number != 1:
            trace.answer(number, 50.0 + number)
    result = ReplayResult(trace, pass_starts=[0, 2], received=3)
    result.highest_rate = HighestRate(9.5, 10.0, ())
    metrics = {**graph_figures(result, 10.0), "model": "m", "method": "clipseg", "device": "cpu"}
    text = "\n".join(told(metrics))
    assert "4 frames sent, 3 answered, 1 dropped (1 of them never reached the node)" in text
    assert "latency 52.0 ms p50" in text
    assert "sent at 10.00 Hz" in text
    assert "highest rate with fewer than 5 % dropped: 9.50 Hz; 10.00 Hz does not hold" in text
    assert "jumps back to the start: 1, answered again after 1" in text
    assert text.endswith("m, clipseg on cpu")


def test_a_replay_without_answers_is_told_too() -> None:
    metrics = {**graph_figures(ReplayResult(), None), "model": "m", "method": "n", "device": "d"}
    assert told(metrics)[0] == "0 frames sent, 0 answered, 0 dropped"
